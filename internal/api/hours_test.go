package api_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsconnect "github.com/aws/aws-sdk-go-v2/service/connect"
	"github.com/aws/aws-sdk-go-v2/service/connect/types"
	"github.com/google/go-cmp/cmp"
)

func timeSlice(hour, minute int32) *types.OverrideTimeSlice {
	return &types.OverrideTimeSlice{Hours: aws.Int32(hour), Minutes: aws.Int32(minute)}
}

func TestHoursOverridesThroughTheSDK(t *testing.T) {
	w := newWorld(t)
	c, ctx := w.client("admin"), t.Context()
	in := &awsconnect.CreateHoursOfOperationOverrideInput{
		InstanceId: aws.String(ours), HoursOfOperationId: aws.String(w.hours), Name: aws.String("마지막 월요일"),
		EffectiveFrom: aws.String("2026-01-01"), EffectiveTill: aws.String("2026-12-31"), OverrideType: types.OverrideTypeClosed,
		Config: []types.HoursOfOperationOverrideConfig{{Day: types.OverrideDaysMonday, StartTime: timeSlice(15, 0), EndTime: timeSlice(0, 0)}},
		RecurrenceConfig: &types.RecurrenceConfig{RecurrencePattern: &types.RecurrencePattern{
			Frequency: types.RecurrenceFrequencyMonthly, Interval: aws.Int32(1), ByWeekdayOccurrence: []int32{-1},
		}},
	}
	created, err := c.CreateHoursOfOperationOverride(ctx, in)
	must(t, err)
	id := created.HoursOfOperationOverrideId
	got, err := c.DescribeHoursOfOperationOverride(ctx, &awsconnect.DescribeHoursOfOperationOverrideInput{
		InstanceId: aws.String(ours), HoursOfOperationId: aws.String(w.hours), HoursOfOperationOverrideId: id,
	})
	must(t, err)
	want := &types.HoursOfOperationOverride{
		HoursOfOperationOverrideId: id, HoursOfOperationId: aws.String(w.hours), HoursOfOperationArn: got.HoursOfOperationOverride.HoursOfOperationArn,
		Name: in.Name, Config: in.Config, EffectiveFrom: in.EffectiveFrom, EffectiveTill: in.EffectiveTill,
		OverrideType: in.OverrideType, RecurrenceConfig: in.RecurrenceConfig,
	}
	if d := cmp.Diff(want, got.HoursOfOperationOverride, ignoreUnexported()); d != "" {
		t.Error(d)
	}
	_, err = c.CreateHoursOfOperationOverride(ctx, in)
	wantError[*types.DuplicateResourceException](t, err)
	in.Name, in.EffectiveTill = aws.String("x"), aws.String("2025-01-01")
	_, err = c.CreateHoursOfOperationOverride(ctx, in)
	wantError[*types.InvalidParameterException](t, err)

	// A summer week with other hours: STANDARD is what an override is when nothing else is said.
	summer, err := c.CreateHoursOfOperationOverride(ctx, &awsconnect.CreateHoursOfOperationOverrideInput{
		InstanceId: aws.String(ours), HoursOfOperationId: aws.String(w.hours), Name: aws.String("Summer"),
		EffectiveFrom: aws.String("2026-08-03"), EffectiveTill: aws.String("2026-08-09"),
		Config: []types.HoursOfOperationOverrideConfig{{Day: types.OverrideDaysMonday, StartTime: timeSlice(10, 0), EndTime: timeSlice(12, 30)}},
	})
	must(t, err)
	list := awsconnect.NewListHoursOfOperationOverridesPaginator(c, &awsconnect.ListHoursOfOperationOverridesInput{
		InstanceId: aws.String(ours), HoursOfOperationId: aws.String(w.hours), MaxResults: aws.Int32(1),
	})
	var names []string
	for list.HasMorePages() {
		page, failed := list.NextPage(ctx)
		must(t, failed)
		for _, o := range page.HoursOfOperationOverrideList {
			names = append(names, *o.Name)
		}
	}
	if d := cmp.Diff([]string{"마지막 월요일", "Summer"}, names); d != "" {
		t.Error(d)
	}

	w.admin("admin", "PUT", "/hours-of-operations/"+w.hours+"/holidays", `{"Calendars":["KR"]}`, nil)
	effective, err := c.GetEffectiveHoursOfOperations(ctx, &awsconnect.GetEffectiveHoursOfOperationsInput{
		InstanceId: aws.String(ours), HoursOfOperationId: aws.String(w.hours), FromDate: aws.String("2026-05-25"), ToDate: aws.String("2026-08-03"),
	})
	must(t, err)
	days := map[string]string{}
	for _, d := range effective.EffectiveHoursOfOperationList {
		for _, h := range d.OperationalHours {
			days[*d.Date] += cmpTime(h.Start) + "-" + cmpTime(h.End) + " "
		}
	}
	reasons := map[string]string{}
	for _, d := range effective.EffectiveOverrideHoursList {
		for _, h := range d.OverrideHours {
			reasons[*d.Date] += *h.OverrideName + " " + string(h.OperationalStatus) + " "
		}
	}
	if days["2026-05-25"] != "" || !strings.Contains(reasons["2026-05-25"], "Buddha's Birthday (substitute) CLOSED") {
		t.Errorf("25 May: %q %q", days["2026-05-25"], reasons["2026-05-25"])
	}
	if days["2026-06-29"] != "9:0-15:0 " || days["2026-06-22"] != "9:0-17:0 " || days["2026-08-03"] != "10:0-12:30 " || *effective.TimeZone != "Asia/Seoul" {
		t.Errorf("%v in %s", days, *effective.TimeZone)
	}

	_, err = c.UpdateHoursOfOperationOverride(ctx, &awsconnect.UpdateHoursOfOperationOverrideInput{
		InstanceId: aws.String(ours), HoursOfOperationId: aws.String(w.hours), HoursOfOperationOverrideId: summer.HoursOfOperationOverrideId,
		EffectiveTill: aws.String("2026-08-04"), Name: aws.String("Two days"),
	})
	must(t, err)
	_, err = c.DeleteHoursOfOperationOverride(ctx, &awsconnect.DeleteHoursOfOperationOverrideInput{
		InstanceId: aws.String(ours), HoursOfOperationId: aws.String(w.hours), HoursOfOperationOverrideId: id,
	})
	must(t, err)
	_, err = c.DescribeHoursOfOperationOverride(ctx, &awsconnect.DescribeHoursOfOperationOverrideInput{
		InstanceId: aws.String(ours), HoursOfOperationId: aws.String(w.hours), HoursOfOperationOverrideId: id,
	})
	wantError[*types.ResourceNotFoundException](t, err)
}

func cmpTime(s *types.OverrideTimeSlice) string { return fmt.Sprintf("%d:%d", *s.Hours, *s.Minutes) }

func TestHoursInheritFromParents(t *testing.T) {
	w := newWorld(t)
	c, ctx := w.client("admin"), t.Context()
	company, err := c.CreateHoursOfOperation(ctx, &awsconnect.CreateHoursOfOperationInput{
		InstanceId: aws.String(ours), Name: aws.String("Company"), TimeZone: aws.String("UTC"), Config: []types.HoursOfOperationConfig{},
	})
	must(t, err)
	_, err = c.CreateHoursOfOperationOverride(ctx, &awsconnect.CreateHoursOfOperationOverrideInput{
		InstanceId: aws.String(ours), HoursOfOperationId: company.HoursOfOperationId, Name: aws.String("Birthday"),
		EffectiveFrom: aws.String("2026-04-06"), EffectiveTill: aws.String("2026-04-06"), OverrideType: types.OverrideTypeClosed,
		Config: []types.HoursOfOperationOverrideConfig{},
	})
	must(t, err)
	_, err = c.AssociateHoursOfOperations(ctx, &awsconnect.AssociateHoursOfOperationsInput{
		InstanceId: aws.String(ours), HoursOfOperationId: aws.String(w.hours),
		ParentHoursOfOperationConfigs: []types.ParentHoursOfOperationConfig{{HoursOfOperationId: company.HoursOfOperationArn}},
	})
	must(t, err)
	_, err = c.AssociateHoursOfOperations(ctx, &awsconnect.AssociateHoursOfOperationsInput{
		InstanceId: aws.String(ours), HoursOfOperationId: company.HoursOfOperationId,
		ParentHoursOfOperationConfigs: []types.ParentHoursOfOperationConfig{{HoursOfOperationId: aws.String(w.hours)}},
	})
	wantError[*types.InvalidParameterException](t, err)

	var moment struct {
		At, NextChange     string
		Open               bool
		Reason, NextReason struct{ Kind, Slot, OverrideName, ParentName, Holiday string }
	}
	w.admin("admin", "GET", "/hours-of-operations/"+w.hours+"/moment?at=2026-04-06T10:00:00%2B09:00", "", &moment)
	if moment.Open || moment.Reason.OverrideName != "Birthday" || moment.Reason.ParentName != "Company" ||
		moment.NextChange != "2026-04-13T09:00:00+09:00" || moment.NextReason.Slot != "MONDAY 09:00-17:00" {
		t.Errorf("%+v", moment)
	}
	if status, name, _ := w.do("admin", "GET", "/admin/v1/hours-of-operations/"+w.hours+"/moment?at=tomorrow", ""); status != http.StatusBadRequest {
		t.Errorf("at=tomorrow: %d %s", status, name)
	}
	_, err = c.DeleteHoursOfOperation(ctx, &awsconnect.DeleteHoursOfOperationInput{
		InstanceId: aws.String(ours), HoursOfOperationId: company.HoursOfOperationId,
	})
	if err == nil {
		t.Error("a parent could be deleted")
	}
	children, err := c.ListChildHoursOfOperations(ctx, &awsconnect.ListChildHoursOfOperationsInput{
		InstanceId: aws.String(ours), HoursOfOperationId: company.HoursOfOperationId,
	})
	must(t, err)
	if n := len(children.ChildHoursOfOperationsSummaryList); n != 1 || *children.ChildHoursOfOperationsSummaryList[0].Id != w.hours {
		t.Errorf("%d children", n)
	}
	got, err := c.DescribeHoursOfOperation(ctx, &awsconnect.DescribeHoursOfOperationInput{
		InstanceId: aws.String(ours), HoursOfOperationId: aws.String(w.hours),
	})
	must(t, err)
	if ps := got.HoursOfOperation.ParentHoursOfOperations; len(ps) != 1 || *ps[0].Name != "Company" {
		t.Errorf("parents %v", ps)
	}
	_, err = c.DisassociateHoursOfOperations(ctx, &awsconnect.DisassociateHoursOfOperationsInput{
		InstanceId: aws.String(ours), HoursOfOperationId: aws.String(w.hours), ParentHoursOfOperationIds: []string{*company.HoursOfOperationId},
	})
	must(t, err)
	_, err = c.DeleteHoursOfOperation(ctx, &awsconnect.DeleteHoursOfOperationInput{
		InstanceId: aws.String(ours), HoursOfOperationId: company.HoursOfOperationId,
	})
	must(t, err)
}

func TestHolidayCalendarsAreListed(t *testing.T) {
	w := newWorld(t)
	var all struct {
		Calendars []struct {
			Code, Name, LocalName string
			From, Until           int
		}
	}
	w.admin("admin", "GET", "/holiday-calendars", "", &all)
	for _, c := range all.Calendars {
		if c.Code == "KR" && (c.From != 2025 || c.Until != 2035 || c.LocalName != "대한민국") {
			t.Errorf("%+v", c)
		}
	}
	var year struct {
		Holidays []struct{ Date, Name, LocalName string }
	}
	w.admin("admin", "GET", "/holidays?code=KR&year=2026", "", &year)
	if len(year.Holidays) != 21 || year.Holidays[1].LocalName != "설날 연휴" {
		t.Errorf("%d holidays: %+v", len(year.Holidays), year.Holidays)
	}
}
