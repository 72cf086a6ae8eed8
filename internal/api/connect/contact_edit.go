package connect

import (
	"context"
	"maps"
	"slices"

	"ullim/internal/api/rest"
	"ullim/internal/contact"
	"ullim/internal/errs"
	"ullim/internal/identity"
	"ullim/internal/resource"
)

// contactEdits are the operations that change what is known about a contact, in progress or ended, and those that read it.
func (s *service) contactEdits(t *rest.Table) {
	rest.Op(t, "UpdateContact", "POST", "/contacts/{InstanceId}/{ContactId}", identity.ContactEdit, s.updateContact)
	rest.Op(t, "UpdateContactAttributes", "POST", "/contact/attributes", identity.ContactEdit, s.updateContactAttributes)
	rest.Op(t, "GetContactAttributes", "GET", "/contact/attributes/{InstanceId}/{InitialContactId}", "ContactAttributes.View",
		s.getContactAttributes)
	rest.Op(t, "ListContactReferences", "GET", "/contact/references/{InstanceId}/{ContactId}", identity.ContactSearch,
		s.listContactReferences)
	rest.Op(t, "TagContact", "POST", "/contact/tags", identity.ContactEdit, s.tagContact)
	rest.Op(t, "UntagContact", "DELETE", "/contact/tags/{InstanceId}/{ContactId}", identity.ContactEdit, s.untagContact)
	rest.Op(t, "ListAssociatedContacts", "GET", "/contact/associated/{InstanceId}", identity.ContactSearch, s.listAssociatedContacts)
}

// contactReference is a reference as it is sent.
type contactReference struct {
	Type      string           `json:"Type"`
	Value     string           `json:"Value,omitempty"`
	Status    rest.Unsupported `json:"Status,omitzero"`
	ARN       rest.Unsupported `json:"Arn,omitzero"`
	StatusWhy rest.Unsupported `json:"StatusReason,omitzero"`
}

type updateContactInput struct {
	InstanceID  string                      `json:"-" path:"InstanceId" ref:"instance"`
	ContactID   string                      `json:"-" path:"ContactId" ref:"contact"`
	Name        *string                     `json:"Name,omitempty"`
	Description *string                     `json:"Description,omitempty"`
	References  map[string]contactReference `json:"References,omitempty"`

	SegmentAttributes rest.Unsupported `json:"SegmentAttributes,omitzero"`
	QueueInfo         rest.Unsupported `json:"QueueInfo,omitzero"`
	UserInfo          rest.Unsupported `json:"UserInfo,omitzero"`
	CustomerEndpoint  rest.Unsupported `json:"CustomerEndpoint,omitzero"`
	SystemEndpoint    rest.Unsupported `json:"SystemEndpoint,omitzero"`
}

func (s *service) updateContact(ctx context.Context, c *rest.Call, in *updateContactInput) (*rest.Empty, error) {
	e := contact.Edit{Name: in.Name, Description: in.Description}
	for k, v := range in.References {
		if e.References == nil {
			e.References = map[string]contact.Reference{}
		}
		e.References[k] = contact.Reference{Type: v.Type, Value: v.Value}
	}
	return done(s.Contacts.EditContact(ctx, c.Instance(), in.ContactID, e))
}

type updateContactAttributesInput struct {
	InstanceID       string            `json:"InstanceId" ref:"instance"`
	InitialContactID string            `json:"InitialContactId" ref:"contact"`
	Attributes       map[string]string `json:"Attributes"`
}

// updateContactAttributes changes the segment that is in progress, which the flow that runs sees at once, else the last;
// segments that follow begin with what it has.
func (s *service) updateContactAttributes(ctx context.Context, c *rest.Call, in *updateContactAttributesInput) (*rest.Empty, error) {
	c.Note("contact_id", in.InitialContactID)
	r, err := s.newest(ctx, c, in.InitialContactID)
	if err != nil {
		return nil, err
	}
	return done(s.Contacts.EditContact(ctx, c.Instance(), r.ID, contact.Edit{Attributes: in.Attributes}))
}

// newest is the segment of a contact that goes on, else the one that ended last.
func (s *service) newest(ctx context.Context, c *rest.Call, initialContactID string) (*contact.Record, error) {
	r, err := s.Contacts.Contact(ctx, c.Instance(), initialContactID)
	if err != nil {
		return nil, err
	}
	if r.DisconnectTimestamp.IsZero() || r.NextContactID == "" {
		return r, nil
	}
	chain, err := s.Contacts.AssociatedContacts(ctx, c.Instance(), r.ID)
	if err != nil {
		return nil, err
	}
	byID := make(map[string]*contact.Record, len(chain))
	for _, v := range chain {
		byID[v.ID] = v
	}
	for range chain {
		next := byID[r.NextContactID]
		if next == nil {
			break
		}
		r = next
	}
	return r, nil
}

type getContactAttributesInput struct {
	InstanceID       string `json:"-" path:"InstanceId" ref:"instance"`
	InitialContactID string `json:"-" path:"InitialContactId" ref:"contact"`
}

type getContactAttributesOutput struct {
	Attributes map[string]string `json:"Attributes"`
}

func (s *service) getContactAttributes(
	ctx context.Context, c *rest.Call, in *getContactAttributesInput,
) (*getContactAttributesOutput, error) {
	r, err := s.newest(ctx, c, in.InitialContactID)
	if err != nil {
		return nil, err
	}
	// As it is this moment: the database has what a live contact says a little later.
	if r, err = s.Contacts.Contact(ctx, c.Instance(), r.ID); err != nil {
		return nil, err
	}
	out := &getContactAttributesOutput{Attributes: map[string]string{}}
	maps.Copy(out.Attributes, r.Attributes)
	return out, nil
}

type listContactReferencesInput struct {
	InstanceID     string   `json:"-" path:"InstanceId" ref:"instance"`
	ContactID      string   `json:"-" path:"ContactId" ref:"contact"`
	ReferenceTypes []string `json:"-" query:"referenceTypes"`
	NextToken      string   `json:"-" query:"nextToken"`
}

type namedValue struct {
	Name  string `json:"Name"`
	Value string `json:"Value"`
}

// referenceSummary has exactly one member.
type referenceSummary map[string]namedValue

type listContactReferencesOutput struct {
	ReferenceSummaryList []referenceSummary `json:"ReferenceSummaryList"`
}

func (s *service) listContactReferences(
	ctx context.Context, c *rest.Call, in *listContactReferencesInput,
) (*listContactReferencesOutput, error) {
	r, err := s.Contacts.Contact(ctx, c.Instance(), in.ContactID)
	if err != nil {
		return nil, err
	}
	if len(in.ReferenceTypes) == 0 || len(in.ReferenceTypes) > 6 {
		return nil, errs.Field("referenceTypes", "must be 1 to 6")
	}
	members := map[string]string{
		"URL": "Url", "NUMBER": "Number", "STRING": "String", "DATE": "Date", "EMAIL": "Email", "ATTACHMENT": "Attachment",
	}
	out := &listContactReferencesOutput{ReferenceSummaryList: []referenceSummary{}}
	for _, name := range slices.Sorted(maps.Keys(r.References)) {
		ref := r.References[name]
		if member := members[ref.Type]; member != "" && slices.Contains(in.ReferenceTypes, ref.Type) {
			out.ReferenceSummaryList = append(out.ReferenceSummaryList, referenceSummary{member: {name, ref.Value}})
		}
	}
	return out, nil
}

type tagContactInput struct {
	InstanceID string            `json:"InstanceId" ref:"instance"`
	ContactID  string            `json:"ContactId" ref:"contact"`
	Tags       map[string]string `json:"Tags"`
}

func (s *service) tagContact(ctx context.Context, c *rest.Call, in *tagContactInput) (*rest.Empty, error) {
	c.Note("contact_id", in.ContactID)
	return done(s.Contacts.EditContact(ctx, c.Instance(), in.ContactID, contact.Edit{Tag: in.Tags}))
}

type untagContactInput struct {
	InstanceID string   `json:"-" path:"InstanceId" ref:"instance"`
	ContactID  string   `json:"-" path:"ContactId" ref:"contact"`
	TagKeys    []string `json:"-" query:"TagKeys"`
}

func (s *service) untagContact(ctx context.Context, c *rest.Call, in *untagContactInput) (*rest.Empty, error) {
	return done(s.Contacts.EditContact(ctx, c.Instance(), in.ContactID, contact.Edit{Untag: in.TagKeys}))
}

type listAssociatedContactsInput struct {
	InstanceID string `json:"-" path:"InstanceId" ref:"instance"`
	ContactID  string `json:"-" query:"contactId" ref:"contact"`
	MaxResults int    `json:"-" query:"maxResults"`
	NextToken  string `json:"-" query:"nextToken"`
}

type associatedContact struct {
	ARN                 string                   `json:"ContactArn"`
	ID                  string                   `json:"ContactId"`
	Channel             contact.Channel          `json:"Channel"`
	InitiationMethod    contact.InitiationMethod `json:"InitiationMethod"`
	InitialContactID    string                   `json:"InitialContactId,omitempty"`
	PreviousContactID   string                   `json:"PreviousContactId,omitempty"`
	RelatedContactID    string                   `json:"RelatedContactId,omitempty"`
	InitiationTimestamp rest.Time                `json:"InitiationTimestamp,omitzero"`
	DisconnectTimestamp rest.Time                `json:"DisconnectTimestamp,omitzero"`
}

type listAssociatedContactsOutput struct {
	ContactSummaryList []associatedContact `json:"ContactSummaryList"`
	NextToken          string              `json:"NextToken,omitempty"`
}

func (s *service) listAssociatedContacts(
	ctx context.Context, c *rest.Call, in *listAssociatedContactsInput,
) (*listAssociatedContactsOutput, error) {
	if in.ContactID == "" {
		return nil, errs.Field("contactId", "is required")
	}
	p, err := pageOf(in.MaxResults, 100, in.NextToken)
	if err != nil {
		return nil, err
	}
	list, err := s.Contacts.AssociatedContacts(ctx, c.Instance(), in.ContactID)
	if err != nil {
		return nil, err
	}
	if p.Token != "" { // the id of the last of the page before
		i := slices.IndexFunc(list, func(r *contact.Record) bool { return r.ID == p.Token })
		if i < 0 {
			return nil, errs.Field("nextToken", "is not one of ours")
		}
		list = list[i+1:]
	}
	out := &listAssociatedContactsOutput{ContactSummaryList: []associatedContact{}}
	if len(list) > p.Max {
		list = list[:p.Max]
		out.NextToken = list[p.Max-1].ID
	}
	for _, r := range list {
		out.ContactSummaryList = append(out.ContactSummaryList, associatedContact{
			ARN: resource.ARN(r.InstanceID, rest.KindContact, r.ID), ID: r.ID, Channel: r.Channel, InitiationMethod: r.InitiationMethod,
			InitialContactID: r.InitialContactID, PreviousContactID: r.PreviousContactID, RelatedContactID: r.RelatedContactID,
			InitiationTimestamp: rest.At(r.InitiationTimestamp), DisconnectTimestamp: rest.At(r.DisconnectTimestamp),
		})
	}
	return out, nil
}
