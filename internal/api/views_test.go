package api_test

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsconnect "github.com/aws/aws-sdk-go-v2/service/connect"
	"github.com/aws/aws-sdk-go-v2/service/connect/types"
)

func TestViewsThroughTheSDK(t *testing.T) {
	w := newWorld(t)
	c, ctx, in := w.client("admin"), t.Context(), aws.String(ours)
	content := &types.ViewInputContent{Actions: []string{"Send", "Skip"}, Template: aws.String(`{"Head":{},"Body":[{"Props":{"Label":"$.Heading"}}]}`)}
	made, err := c.CreateView(ctx, &awsconnect.CreateViewInput{InstanceId: in, Name: aws.String("만족도 조사"), Status: types.ViewStatusSaved, Content: content})
	must(t, err)
	id := made.View.Id
	if made.View.Status != types.ViewStatusSaved || made.View.Type != types.ViewTypeCustomerManaged || made.View.Version != 0 {
		t.Errorf("a draft is %+v", made.View)
	}
	_, err = c.CreateView(ctx, &awsconnect.CreateViewInput{InstanceId: in, Name: aws.String("만족도 조사"), Status: types.ViewStatusSaved, Content: content})
	wantError[*types.DuplicateResourceException](t, err)
	_, err = c.DescribeView(ctx, &awsconnect.DescribeViewInput{InstanceId: in, ViewId: id})
	wantError[*types.ResourceNotFoundException](t, err)
	saved, err := c.DescribeView(ctx, &awsconnect.DescribeViewInput{InstanceId: in, ViewId: aws.String(*id + ":$SAVED")})
	must(t, err)
	if got := aws.ToString(saved.View.Content.InputSchema); got != `{"$schema":"http://json-schema.org/draft-07/schema#","type":"object","properties":{"Heading":{}},"required":["Heading"]}` {
		t.Errorf("the schema is %s", got)
	}
	_, err = c.CreateViewVersion(ctx, &awsconnect.CreateViewVersionInput{InstanceId: in, ViewId: id})
	wantError[*types.InvalidRequestException](t, err)
	published, err := c.UpdateViewContent(ctx, &awsconnect.UpdateViewContentInput{InstanceId: in, ViewId: id, Status: types.ViewStatusPublished, Content: content})
	must(t, err)
	version, err := c.CreateViewVersion(ctx, &awsconnect.CreateViewVersionInput{
		InstanceId: in, ViewId: made.View.Arn, VersionDescription: aws.String("first"), ViewContentSha256: published.View.ViewContentSha256,
	})
	must(t, err)
	if version.View.Version != 1 || aws.ToString(version.View.VersionDescription) != "first" {
		t.Errorf("the version is %+v", version.View)
	}
	_, err = c.UpdateViewMetadata(ctx, &awsconnect.UpdateViewMetadataInput{InstanceId: in, ViewId: id, Name: aws.String("Survey"), Description: aws.String("d")})
	must(t, err)
	list, err := c.ListViews(ctx, &awsconnect.ListViewsInput{InstanceId: in, Type: types.ViewTypeCustomerManaged})
	must(t, err)
	if len(list.ViewsSummaryList) != 1 || aws.ToString(list.ViewsSummaryList[0].Name) != "Survey" {
		t.Errorf("the list is %+v", list.ViewsSummaryList)
	}
	found, err := c.SearchViews(ctx, &awsconnect.SearchViewsInput{InstanceId: in, SearchCriteria: &types.ViewSearchCriteria{
		AndConditions: []types.ViewSearchCriteria{
			{ViewTypeCondition: types.ViewTypeAwsManaged},
			{StringCondition: &types.StringCondition{FieldName: aws.String("name"), Value: aws.String("form"), ComparisonType: types.StringComparisonTypeExact}},
		},
	}})
	must(t, err)
	if len(found.Views) != 1 || aws.ToString(found.Views[0].Arn) != "arn:aws:connect:local:aws:view/form" {
		t.Errorf("the search gives %+v", found.Views)
	}
	form, err := c.DescribeView(ctx, &awsconnect.DescribeViewInput{InstanceId: in, ViewId: aws.String("arn:aws:connect:us-east-1:aws:view/form:1")})
	must(t, err)
	if form.View.Version != 1 || len(form.View.Content.Actions) == 0 {
		t.Errorf("the managed form is %+v", form.View)
	}
	_, err = c.DeleteView(ctx, &awsconnect.DeleteViewInput{InstanceId: in, ViewId: form.View.Arn})
	wantError[*types.AccessDeniedException](t, err)
	versions, err := c.ListViewVersions(ctx, &awsconnect.ListViewVersionsInput{InstanceId: in, ViewId: id})
	must(t, err)
	if len(versions.ViewVersionSummaryList) != 1 || versions.ViewVersionSummaryList[0].Version != 1 {
		t.Errorf("the versions are %+v", versions.ViewVersionSummaryList)
	}
	_, err = c.DeleteViewVersion(ctx, &awsconnect.DeleteViewVersionInput{InstanceId: in, ViewId: id, ViewVersion: aws.Int32(1)})
	must(t, err)
	_, err = c.DeleteView(ctx, &awsconnect.DeleteViewInput{InstanceId: in, ViewId: id})
	must(t, err)
	_, err = c.DescribeView(ctx, &awsconnect.DescribeViewInput{InstanceId: in, ViewId: aws.String(*id + ":$SAVED")})
	wantError[*types.ResourceNotFoundException](t, err)
}

func TestPredefinedAttributesThroughTheSDK(t *testing.T) {
	w := newWorld(t)
	c, ctx, in := w.client("admin"), t.Context(), aws.String(ours)
	words := func(list ...string) types.PredefinedAttributeValues {
		return &types.PredefinedAttributeValuesMemberStringList{Value: list}
	}
	_, err := c.CreatePredefinedAttribute(ctx, &awsconnect.CreatePredefinedAttributeInput{
		InstanceId: in, Name: aws.String("Language / 언어"), Values: words("ko", "en"), Purposes: []string{"routing"},
	})
	must(t, err)
	_, err = c.CreatePredefinedAttribute(ctx, &awsconnect.CreatePredefinedAttributeInput{InstanceId: in, Name: aws.String("Language / 언어"), Values: words("ko")})
	wantError[*types.DuplicateResourceException](t, err)
	_, err = c.CreatePredefinedAttribute(ctx, &awsconnect.CreatePredefinedAttributeInput{InstanceId: in, Name: aws.String("x"), Values: words("a", "a")})
	wantError[*types.InvalidParameterException](t, err)
	one := &awsconnect.DescribePredefinedAttributeInput{InstanceId: in, Name: aws.String("Language / 언어")}
	got, err := c.DescribePredefinedAttribute(ctx, one)
	must(t, err)
	values, ok := got.PredefinedAttribute.Values.(*types.PredefinedAttributeValuesMemberStringList)
	if !ok || len(values.Value) != 2 || !got.PredefinedAttribute.AttributeConfiguration.EnableValueValidationOnAssociation {
		t.Errorf("the attribute is %+v", got.PredefinedAttribute)
	}

	admin, err := w.o.Connect.Users.GetByName(ctx, ours, "admin")
	must(t, err)
	skill := func(name, value string) *awsconnect.AssociateUserProficienciesInput {
		return &awsconnect.AssociateUserProficienciesInput{InstanceId: in, UserId: &admin.ID, UserProficiencies: []types.UserProficiency{
			{AttributeName: &name, AttributeValue: &value, Level: aws.Float32(3)},
		}}
	}
	_, err = c.AssociateUserProficiencies(ctx, skill("Colour", "red"))
	wantError[*types.InvalidParameterException](t, err)
	_, err = c.AssociateUserProficiencies(ctx, skill("Language / 언어", "fr"))
	wantError[*types.InvalidParameterException](t, err)
	_, err = c.AssociateUserProficiencies(ctx, skill("Language / 언어", "ko"))
	must(t, err)

	_, err = c.UpdatePredefinedAttribute(ctx, &awsconnect.UpdatePredefinedAttributeInput{InstanceId: in, Name: one.Name, Values: words("en")})
	wantError[*types.InvalidRequestException](t, err)
	_, err = c.UpdatePredefinedAttribute(ctx, &awsconnect.UpdatePredefinedAttributeInput{
		InstanceId: in, Name: one.Name, Values: words("ko", "fr"), AttributeConfiguration: &types.InputPredefinedAttributeConfiguration{EnableValueValidationOnAssociation: true},
	})
	must(t, err)
	_, err = c.AssociateUserProficiencies(ctx, skill("Language / 언어", "fr"))
	must(t, err)
	list, err := c.ListPredefinedAttributes(ctx, &awsconnect.ListPredefinedAttributesInput{InstanceId: in})
	must(t, err)
	found, err := c.SearchPredefinedAttributes(ctx, &awsconnect.SearchPredefinedAttributesInput{InstanceId: in, SearchCriteria: &types.PredefinedAttributeSearchCriteria{
		StringCondition: &types.StringCondition{FieldName: aws.String("name"), Value: aws.String("LANGUAGE"), ComparisonType: types.StringComparisonTypeStartsWith},
	}})
	must(t, err)
	if len(list.PredefinedAttributeSummaryList) != 1 || len(found.PredefinedAttributes) != 1 || aws.ToInt64(found.ApproximateTotalCount) != 1 {
		t.Errorf("the list is %+v, the search gives %+v", list.PredefinedAttributeSummaryList, found.PredefinedAttributes)
	}
	gone := &awsconnect.DeletePredefinedAttributeInput{InstanceId: in, Name: one.Name}
	_, err = c.DeletePredefinedAttribute(ctx, gone)
	wantError[*types.ResourceInUseException](t, err)
	for _, v := range []string{"ko", "fr"} {
		_, err = c.DisassociateUserProficiencies(ctx, &awsconnect.DisassociateUserProficienciesInput{
			InstanceId: in, UserId: &admin.ID, UserProficiencies: []types.UserProficiencyDisassociate{{AttributeName: one.Name, AttributeValue: &v}},
		})
		must(t, err)
	}
	_, err = c.DeletePredefinedAttribute(ctx, gone)
	must(t, err)
	_, err = c.DescribePredefinedAttribute(ctx, one)
	wantError[*types.ResourceNotFoundException](t, err)
}

func TestHoursAreSearchedThroughTheSDK(t *testing.T) {
	w := newWorld(t)
	c, ctx, in := w.client("admin"), t.Context(), aws.String(ours)
	for name, from := range map[string]string{"추석": "2026-09-24", "설날": "2026-02-16"} {
		_, err := c.CreateHoursOfOperationOverride(ctx, &awsconnect.CreateHoursOfOperationOverrideInput{
			InstanceId: in, HoursOfOperationId: &w.hours, Name: &name, EffectiveFrom: &from, EffectiveTill: &from, OverrideType: types.OverrideTypeClosed,
			Config: []types.HoursOfOperationOverrideConfig{{Day: types.OverrideDaysMonday, StartTime: timeSlice(0, 0), EndTime: timeSlice(0, 0)}},
		})
		must(t, err)
	}
	text := func(field, value string) *types.StringCondition {
		return &types.StringCondition{FieldName: &field, Value: &value, ComparisonType: types.StringComparisonTypeContains}
	}
	hours, err := c.SearchHoursOfOperations(ctx, &awsconnect.SearchHoursOfOperationsInput{
		InstanceId: in, SearchCriteria: &types.HoursOfOperationSearchCriteria{StringCondition: text("name", "basic")},
	})
	must(t, err)
	if len(hours.HoursOfOperations) != 1 || aws.ToString(hours.HoursOfOperations[0].HoursOfOperationId) != w.hours {
		t.Errorf("the search gives %+v", hours.HoursOfOperations)
	}
	none, err := c.SearchHoursOfOperations(ctx, &awsconnect.SearchHoursOfOperationsInput{
		InstanceId: in, SearchCriteria: &types.HoursOfOperationSearchCriteria{StringCondition: text("timezone", "Paris")},
	})
	must(t, err)
	if len(none.HoursOfOperations) != 0 {
		t.Errorf("the search gives %+v", none.HoursOfOperations)
	}
	late, err := c.SearchHoursOfOperationOverrides(ctx, &awsconnect.SearchHoursOfOperationOverridesInput{
		InstanceId: in, SearchCriteria: &types.HoursOfOperationOverrideSearchCriteria{DateCondition: &types.DateCondition{
			FieldName: aws.String("EffectiveFrom"), Value: aws.String("2026-06-01"), ComparisonType: types.DateComparisonTypeGreaterThan,
		}},
	})
	must(t, err)
	if len(late.HoursOfOperationOverrides) != 1 || aws.ToString(late.HoursOfOperationOverrides[0].Name) != "추석" {
		t.Errorf("the search gives %+v", late.HoursOfOperationOverrides)
	}
	pages := awsconnect.NewSearchHoursOfOperationOverridesPaginator(c, &awsconnect.SearchHoursOfOperationOverridesInput{InstanceId: in, MaxResults: aws.Int32(1)})
	n := 0
	for pages.HasMorePages() && n < 9 {
		p, pageErr := pages.NextPage(ctx)
		must(t, pageErr)
		n += len(p.HoursOfOperationOverrides)
	}
	if n != 2 {
		t.Errorf("pages have %d overrides", n)
	}
	_, err = c.SearchHoursOfOperationOverrides(ctx, &awsconnect.SearchHoursOfOperationOverridesInput{
		InstanceId: in, SearchCriteria: &types.HoursOfOperationOverrideSearchCriteria{StringCondition: text("colour", "red")},
	})
	wantError[*types.InvalidParameterException](t, err)
}
