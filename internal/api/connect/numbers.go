package connect

import (
	"context"
	"slices"
	"strings"

	"github.com/nyaruka/phonenumbers"

	"ullim/internal/api/rest"
	"ullim/internal/call"
	"ullim/internal/errs"
	"ullim/internal/identity"
	"ullim/internal/phone"
	"ullim/internal/resource"
)

func (s *service) numbers(t *rest.Table) {
	const one = "/phone-number/{PhoneNumberId}"
	rest.Op(t, "SearchAvailablePhoneNumbers", "POST", "/phone-number/search-available", identity.NumbersClaim,
		s.searchNumbers, rest.ReadOnly)
	rest.Op(t, "ClaimPhoneNumber", "POST", "/phone-number/claim", identity.NumbersClaim, s.claimNumber)
	rest.Op(t, "DescribePhoneNumber", "GET", one, identity.NumbersView, s.describeNumber)
	rest.Op(t, "ListPhoneNumbersV2", "POST", "/phone-number/list", identity.NumbersView, s.listNumbersV2, rest.ReadOnly)
	rest.Op(t, "ListPhoneNumbers", "GET", "/phone-numbers-summary/{InstanceId}", identity.NumbersView, s.listNumbers)
	rest.Op(t, "UpdatePhoneNumberMetadata", "PUT", one+"/metadata", identity.NumbersEdit, s.updateNumberMetadata)
	rest.Op(t, "AssociatePhoneNumberContactFlow", "PUT", one+"/contact-flow", identity.NumbersEdit, s.associateNumber)
	rest.Op(t, "DisassociatePhoneNumberContactFlow", "DELETE", one+"/contact-flow", identity.NumbersEdit,
		s.disassociateNumber)
	rest.Op(t, "ReleasePhoneNumber", "DELETE", one, identity.NumbersRelease, s.releaseNumber)
}

// describe fills what a number says of itself: its type and country.
func (s *service) describe(ctx context.Context, n *call.Number) error {
	n.Type, n.CountryCode = "DID", phone.Country(n.Name)
	if !strings.HasPrefix(n.Name, "+") {
		n.Type = "SHORT_CODE"
	} else if parsed, err := phonenumbers.Parse(n.Name, ""); err == nil {
		switch phonenumbers.GetNumberType(parsed) { //nolint:exhaustive // all others are DID
		case phonenumbers.TOLL_FREE:
			n.Type = "TOLL_FREE"
		case phonenumbers.SHARED_COST:
			n.Type = "SHARED"
		case phonenumbers.UAN:
			n.Type = "UIFN"
		}
	}
	if n.CountryCode == "" {
		instance, err := s.Instances.Get(ctx, n.InstanceID, n.InstanceID)
		if err != nil {
			return err
		}
		n.CountryCode = instance.Region
	}
	return nil
}

type searchNumbersInput struct {
	InstanceID  string `json:"InstanceId,omitempty" ref:"instance"`
	TargetARN   string `json:"TargetArn,omitempty" ref:"instance"`
	CountryCode string `json:"PhoneNumberCountryCode"`
	Type        string `json:"PhoneNumberType"`
	Prefix      string `json:"PhoneNumberPrefix,omitempty"`
	MaxResults  int    `json:"MaxResults,omitempty"`
	NextToken   string `json:"NextToken,omitempty"`
}

type availableNumber struct {
	PhoneNumber string `json:"PhoneNumber"`
	CountryCode string `json:"PhoneNumberCountryCode"`
	Type        string `json:"PhoneNumberType"`
}

type searchNumbersOutput struct {
	List      []availableNumber `json:"AvailableNumbersList"`
	NextToken string            `json:"NextToken,omitempty"`
}

// searchNumbers has no stock to search: which numbers a trunk brings is known to its carrier. A prefix that is a whole
// number is answered by it if it is free, so that scripts that search and then claim work.
func (s *service) searchNumbers(ctx context.Context, c *rest.Call, in *searchNumbersInput) (*searchNumbersOutput, error) {
	out := &searchNumbersOutput{List: []availableNumber{}}
	n := &call.Number{Meta: resource.Meta{InstanceID: c.Instance(), Name: in.Prefix}}
	if !isNumber(n) {
		return out, nil
	}
	taken, err := s.claimed(ctx, c, in.Prefix)
	if err != nil || taken {
		return out, err
	}
	if err = s.describe(ctx, n); err != nil {
		return nil, err
	}
	if n.Type == in.Type && n.CountryCode == in.CountryCode {
		out.List = append(out.List, availableNumber{PhoneNumber: n.Name, CountryCode: n.CountryCode, Type: n.Type})
	}
	return out, nil
}

func isNumber(n *call.Number) bool { return n.Validate() == nil }

func (s *service) claimed(ctx context.Context, c *rest.Call, number string) (bool, error) {
	_, err := s.Numbers.GetByName(ctx, c.Instance(), number)
	if errs.Is(err, errs.NotFound) {
		return false, nil
	}
	return err == nil, err
}

type claimNumberInput struct {
	InstanceID  string            `json:"InstanceId,omitempty" ref:"instance"`
	TargetARN   string            `json:"TargetArn,omitempty" ref:"instance"`
	PhoneNumber string            `json:"PhoneNumber"`
	Description string            `json:"PhoneNumberDescription,omitempty"`
	Tags        map[string]string `json:"Tags,omitempty"`
	ClientToken string            `json:"ClientToken,omitempty"`
}

type claimNumberOutput struct {
	PhoneNumberID  string `json:"PhoneNumberId"`
	PhoneNumberARN string `json:"PhoneNumberArn"`
}

func (s *service) claimNumber(ctx context.Context, c *rest.Call, in *claimNumberInput) (*claimNumberOutput, error) {
	if in.InstanceID == "" && in.TargetARN == "" {
		return nil, errs.Field("TargetArn", "or InstanceId is required")
	}
	if err := checkNumberText(in.Description); err != nil {
		return nil, err
	}
	meta, err := head(c, in.PhoneNumber, in.Tags)
	if err != nil {
		return nil, err
	}
	n := &call.Number{Meta: meta, Description: in.Description}
	if err = n.Validate(); err != nil {
		return nil, err
	}
	if err = s.describe(ctx, n); err != nil {
		return nil, err
	}
	if err = s.Numbers.Create(ctx, n); err != nil {
		return nil, err
	}
	c.Note("phone_number_id", n.ID)
	c.Note("phone_number", n.Name)
	return &claimNumberOutput{PhoneNumberID: n.ID, PhoneNumberARN: resource.ARN(n.InstanceID, n.Kind(), n.ID)}, nil
}

func checkNumberText(text string) error {
	if n := len([]rune(text)); n > 500 {
		return errs.Field("PhoneNumberDescription", "must have at most 500 characters; has %d", n)
	}
	return nil
}

type numberInput struct {
	PhoneNumberID string `json:"-" path:"PhoneNumberId" ref:"phone-number"`
}

type numberStatus struct {
	Status  string `json:"Status"`
	Message string `json:"Message,omitempty"`
}

type claimedNumber struct {
	PhoneNumberID     string            `json:"PhoneNumberId"`
	PhoneNumberARN    string            `json:"PhoneNumberArn"`
	PhoneNumber       string            `json:"PhoneNumber"`
	CountryCode       string            `json:"PhoneNumberCountryCode,omitempty"`
	Type              string            `json:"PhoneNumberType"`
	Description       string            `json:"PhoneNumberDescription,omitempty"`
	TargetARN         string            `json:"TargetArn"`
	InstanceID        string            `json:"InstanceId"`
	PhoneNumberStatus *numberStatus     `json:"PhoneNumberStatus,omitempty"`
	Tags              map[string]string `json:"Tags,omitempty"`
}

func claimedOf(n *call.Number) claimedNumber {
	return claimedNumber{
		PhoneNumberID: n.ID, PhoneNumberARN: resource.ARN(n.InstanceID, n.Kind(), n.ID), PhoneNumber: n.Name,
		CountryCode: n.CountryCode, Type: n.Type, Description: n.Description,
		TargetARN: resource.ARN(n.InstanceID, resource.KindInstance, n.InstanceID), InstanceID: n.InstanceID,
	}
}

type describeNumberOutput struct {
	ClaimedPhoneNumberSummary claimedNumber `json:"ClaimedPhoneNumberSummary"`
}

func (s *service) describeNumber(ctx context.Context, c *rest.Call, in *numberInput) (*describeNumberOutput, error) {
	n, err := s.Numbers.Get(ctx, c.Instance(), in.PhoneNumberID)
	if err != nil {
		return nil, err
	}
	out := claimedOf(n)
	out.PhoneNumberStatus, out.Tags = &numberStatus{Status: "CLAIMED"}, n.Tags
	return &describeNumberOutput{ClaimedPhoneNumberSummary: out}, nil
}

type listNumbersV2Input struct {
	InstanceID   string   `json:"InstanceId,omitempty" ref:"instance"`
	TargetARN    string   `json:"TargetArn,omitempty" ref:"instance"`
	CountryCodes []string `json:"PhoneNumberCountryCodes,omitempty"`
	Types        []string `json:"PhoneNumberTypes,omitempty"`
	Prefix       string   `json:"PhoneNumberPrefix,omitempty"`
	MaxResults   int      `json:"MaxResults,omitempty"`
	NextToken    string   `json:"NextToken,omitempty"`
}

type listNumbersV2Output struct {
	List      []claimedNumber `json:"ListPhoneNumbersSummaryList"`
	NextToken string          `json:"NextToken,omitempty"`
}

func (s *service) listNumbersV2(ctx context.Context, c *rest.Call, in *listNumbersV2Input) (*listNumbersV2Output, error) {
	ns, next, err := page(ctx, s.Numbers, c, in.MaxResults, 1000, in.NextToken)
	if err != nil {
		return nil, err
	}
	out := &listNumbersV2Output{List: []claimedNumber{}, NextToken: next}
	for _, n := range ns {
		if strings.HasPrefix(n.Name, in.Prefix) && among(in.CountryCodes, n.CountryCode) && among(in.Types, n.Type) {
			out.List = append(out.List, claimedOf(n))
		}
	}
	return out, nil
}

// among reports whether a filter lets v through; an empty one lets everything.
func among[T comparable](filter []T, v T) bool { return len(filter) == 0 || slices.Contains(filter, v) }

type listNumbersInput struct {
	InstanceID   string   `json:"-" path:"InstanceId" ref:"instance"`
	Types        []string `json:"-" query:"phoneNumberTypes"`
	CountryCodes []string `json:"-" query:"phoneNumberCountryCodes"`
	MaxResults   int      `json:"-" query:"maxResults"`
	NextToken    string   `json:"-" query:"nextToken"`
}

type numberSummary struct {
	ID          string `json:"Id"`
	ARN         string `json:"Arn"`
	PhoneNumber string `json:"PhoneNumber"`
	Type        string `json:"PhoneNumberType"`
	CountryCode string `json:"PhoneNumberCountryCode,omitempty"`
}

type listNumbersOutput struct {
	List      []numberSummary `json:"PhoneNumberSummaryList"`
	NextToken string          `json:"NextToken,omitempty"`
}

func (s *service) listNumbers(ctx context.Context, c *rest.Call, in *listNumbersInput) (*listNumbersOutput, error) {
	ns, next, err := page(ctx, s.Numbers, c, in.MaxResults, 1000, in.NextToken)
	if err != nil {
		return nil, err
	}
	out := &listNumbersOutput{List: []numberSummary{}, NextToken: next}
	for _, n := range ns {
		if among(in.CountryCodes, n.CountryCode) && among(in.Types, n.Type) {
			out.List = append(out.List, numberSummary{
				ID: n.ID, ARN: resource.ARN(n.InstanceID, n.Kind(), n.ID), PhoneNumber: n.Name, Type: n.Type,
				CountryCode: n.CountryCode,
			})
		}
	}
	return out, nil
}

type updateNumberMetadataInput struct {
	PhoneNumberID string  `json:"-" path:"PhoneNumberId" ref:"phone-number"`
	Description   *string `json:"PhoneNumberDescription,omitempty"`
	ClientToken   string  `json:"ClientToken,omitempty"`
}

func (s *service) updateNumberMetadata(
	ctx context.Context, c *rest.Call, in *updateNumberMetadataInput,
) (*rest.Empty, error) {
	return s.editNumber(ctx, c, in.PhoneNumberID, func(n *call.Number) error {
		set(&n.Description, in.Description)
		return checkNumberText(n.Description)
	})
}

func (s *service) editNumber(
	ctx context.Context, c *rest.Call, id string, change func(*call.Number) error,
) (*rest.Empty, error) {
	_, err := resource.Edit(ctx, s.Numbers, c.Instance(), id, change)
	return done(err)
}

type associateNumberInput struct {
	PhoneNumberID string `json:"-" path:"PhoneNumberId" ref:"phone-number"`
	InstanceID    string `json:"InstanceId" ref:"instance"`
	ContactFlowID string `json:"ContactFlowId" ref:"contact-flow"`
}

func (s *service) associateNumber(ctx context.Context, c *rest.Call, in *associateNumberInput) (*rest.Empty, error) {
	id, _, err := draftRef("ContactFlowId", in.ContactFlowID)
	if err != nil {
		return nil, err
	}
	if _, err = s.Flows.Find(ctx, c.Instance(), id); err != nil {
		return nil, err
	}
	c.Note("contact_flow_id", id)
	return s.editNumber(ctx, c, in.PhoneNumberID, func(n *call.Number) error {
		n.FlowID = id
		return nil
	})
}

type disassociateNumberInput struct {
	PhoneNumberID string `json:"-" path:"PhoneNumberId" ref:"phone-number"`
	InstanceID    string `json:"-" query:"instanceId" ref:"instance"`
}

func (s *service) disassociateNumber(ctx context.Context, c *rest.Call, in *disassociateNumberInput) (*rest.Empty, error) {
	return s.editNumber(ctx, c, in.PhoneNumberID, func(n *call.Number) error {
		n.FlowID = ""
		return nil
	})
}

type releaseNumberInput struct {
	PhoneNumberID string `json:"-" path:"PhoneNumberId" ref:"phone-number"`
	ClientToken   string `json:"-" query:"clientToken"`
}

func (s *service) releaseNumber(ctx context.Context, c *rest.Call, in *releaseNumberInput) (*rest.Empty, error) {
	return done(s.Numbers.Delete(ctx, c.Instance(), in.PhoneNumberID))
}
