package admin

import (
	"context"
	"time"

	"ullim/acd"
	"ullim/internal/api/rest"
	"ullim/internal/calendar"
	"ullim/internal/errs"
	"ullim/internal/identity"
	"ullim/internal/resource"
)

func (s *service) hours(t *rest.Table) {
	const one = "/hours-of-operations/{HoursOfOperationId}"
	rest.Op(t, "ExplainHours", "GET", one+"/moment", identity.HoursView, s.explainHours)
	rest.Op(t, "GetHoursHolidays", "GET", one+"/holidays", identity.HoursView, s.getHoursHolidays)
	rest.Op(t, "PutHoursHolidays", "PUT", one+"/holidays", identity.HoursEdit, s.putHoursHolidays)
	rest.Op(t, "ListHolidayCalendars", "GET", "/holiday-calendars", identity.HoursView, s.listHolidayCalendars)
	rest.Op(t, "GetHolidayCalendar", "GET", "/holidays", identity.HoursView, s.getHolidayCalendar)
}

type explainHoursInput struct {
	HoursID string `json:"-" path:"HoursOfOperationId" ref:"operating-hours"`
	At      string `json:"-" query:"at"` // RFC 3339; empty: now
}

// reason is what decides: SLOT, OVERRIDE, HOLIDAY, or NONE when nothing says open.
type reason struct {
	Kind         string `json:"Kind"`
	Slot         string `json:"Slot,omitempty"` // "MONDAY 09:00-18:00"
	OverrideID   string `json:"HoursOfOperationOverrideId,omitempty"`
	OverrideName string `json:"OverrideName,omitempty"`
	OverrideType string `json:"OverrideType,omitempty"`
	Holiday      string `json:"Holiday,omitempty"`
	LocalHoliday string `json:"LocalHoliday,omitempty"`
	ParentID     string `json:"ParentHoursOfOperationId,omitempty"` // it is inherited from there
	ParentName   string `json:"ParentName,omitempty"`
}

func reasonOf(w calendar.Why) reason {
	r := reason{Kind: string(w.Kind)}
	if w.Slot != nil {
		day := w.Slot.Day
		if day == "" {
			day = "ANY"
		}
		r.Slot = day + " " + w.Slot.Start.String() + "-" + w.Slot.End.String()
	}
	if o := w.Override; o != nil {
		r.OverrideID, r.OverrideName, r.OverrideType = o.ID, o.Name, string(o.Type)
	}
	if w.Holiday != nil {
		r.Holiday, r.LocalHoliday = w.Holiday.Name, w.Holiday.Local
	}
	if w.Parent != nil {
		r.ParentID, r.ParentName = w.Parent.ID, w.Parent.Name
	}
	return r
}

type explainHoursOutput struct {
	At       string  `json:"At"` // on the wall of the hours, RFC 3339
	TimeZone string  `json:"TimeZone"`
	Open     bool    `json:"Open"`
	Reason   reason  `json:"Reason"`
	Next     string  `json:"NextChange,omitempty"` // none within ten years: not there
	Then     *reason `json:"NextReason,omitempty"`
}

// explainHours says what happens at a moment, why, and until when.
func (s *service) explainHours(ctx context.Context, c *rest.Call, in *explainHoursInput) (*explainHoursOutput, error) {
	at := time.Now()
	if in.At != "" {
		var err error
		if at, err = time.Parse(time.RFC3339, in.At); err != nil || at.Year() < 1970 || at.Year() > 2999 {
			return nil, errs.Field("at", "must be a time as in RFC 3339, such as 2026-09-25T09:00:00+09:00; is %q", in.At)
		}
	}
	h, err := s.Hours.Get(ctx, c.Instance(), in.HoursID)
	if err != nil {
		return nil, err
	}
	all, err := resource.All(ctx, s.Hours, c.Instance())
	if err != nil {
		return nil, err
	}
	byID := make(map[string]*acd.Hours, len(all))
	for _, other := range all {
		byID[other.ID] = other
	}
	schedule, err := acd.CompileHours(h, func(id string) *acd.Hours { return byID[id] })
	if err != nil {
		return nil, err
	}
	m := schedule.Explain(at)
	out := &explainHoursOutput{At: m.At.Format(time.RFC3339), TimeZone: h.Hours.Zone, Open: m.Open, Reason: reasonOf(m.Why)}
	if m.Next != nil {
		then := reasonOf(*m.NextWhy)
		out.Next, out.Then = m.Next.Format(time.RFC3339), &then
	}
	return out, nil
}

type hoursIDInput struct {
	HoursID string `json:"-" path:"HoursOfOperationId" ref:"operating-hours"`
}

type hoursHolidays struct {
	Calendars []string `json:"Calendars"`
}

func (s *service) getHoursHolidays(ctx context.Context, c *rest.Call, in *hoursIDInput) (*hoursHolidays, error) {
	h, err := s.Hours.Get(ctx, c.Instance(), in.HoursID)
	if err != nil {
		return nil, err
	}
	return &hoursHolidays{Calendars: append([]string{}, h.Hours.Holidays...)}, nil
}

type putHoursHolidaysInput struct {
	HoursID   string   `json:"-" path:"HoursOfOperationId" ref:"operating-hours"`
	Calendars []string `json:"Calendars,omitempty"`
}

// putHoursHolidays says on which holidays hours are closed; no calendar: on none.
func (s *service) putHoursHolidays(ctx context.Context, c *rest.Call, in *putHoursHolidaysInput) (*rest.Empty, error) {
	_, err := resource.Edit(ctx, s.Hours, c.Instance(), in.HoursID, func(h *acd.Hours) error {
		h.Hours.Holidays = in.Calendars
		return nil
	})
	return done(err)
}

type holidayCalendar struct {
	Code      string `json:"Code"`
	Name      string `json:"Name"`
	LocalName string `json:"LocalName"`
	From      int    `json:"From,omitempty"` // complete from this year
	Until     int    `json:"Until,omitempty"`
}

type listHolidayCalendarsOutput struct {
	Calendars []holidayCalendar `json:"Calendars"`
}

func (*service) listHolidayCalendars(context.Context, *rest.Call, *rest.Empty) (*listHolidayCalendarsOutput, error) {
	all, err := calendar.HolidayCalendars()
	if err != nil {
		return nil, err
	}
	out := &listHolidayCalendarsOutput{}
	for _, c := range all {
		out.Calendars = append(out.Calendars, holidayCalendar{c.Code, c.Name, c.Local, c.From, c.Until})
	}
	return out, nil
}

type getHolidayCalendarInput struct {
	Code string `json:"-" query:"code"`
	Year int    `json:"-" query:"year"`
}

type holiday struct {
	Date       string `json:"Date"`
	Name       string `json:"Name"`
	LocalName  string `json:"LocalName"`
	Substitute bool   `json:"Substitute,omitempty"`
}

type getHolidayCalendarOutput struct {
	Holidays []holiday `json:"Holidays"`
}

func (*service) getHolidayCalendar(_ context.Context, _ *rest.Call, in *getHolidayCalendarInput) (*getHolidayCalendarOutput, error) {
	hs, err := calendar.Holidays(in.Code, in.Year)
	if err != nil {
		return nil, err
	}
	out := &getHolidayCalendarOutput{}
	for _, h := range hs {
		out.Holidays = append(out.Holidays, holiday{h.Date.String(), h.Name, h.Local, h.Substitute})
	}
	return out, nil
}
