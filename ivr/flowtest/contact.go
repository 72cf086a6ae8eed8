package flowtest

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"

	"ullim/internal/contact"
	"ullim/internal/errs"
	"ullim/internal/resource"
	"ullim/ivr"
)

// maxAttributes is the room for attributes of a contact (A1.9).
const maxAttributes = 32 << 10

// InstanceID is the instance of every test.
const InstanceID = "00000000-0000-4000-8000-000000000000"

// person is a contact that writes down what is done to it: ivr.Contact and what some contacts can do.
type person struct{ w *world }

var (
	_ ivr.Contact          = (*person)(nil)
	_ ivr.Resumer          = (*person)(nil)
	_ ivr.Persistent       = (*person)(nil)
	_ ivr.MessageProcessor = (*person)(nil)
	_ ivr.Related          = (*person)(nil)
)

// infoOf is the contact as a test describes it.
func (w *world) infoOf(c Contact) ivr.Info {
	kind := contact.TelephoneNumber
	customer := cmp.Or(c.Customer, "+821012345678")
	info := ivr.Info{
		ContactID: cmp.Or(c.ID, "11111111-1111-4111-8111-111111111111"), InstanceID: InstanceID,
		InstanceARN: resource.ARN(InstanceID, resource.KindInstance, ""), Channel: w.channel,
		InitiationMethod: cmp.Or(c.InitiationMethod, contact.Inbound),
		Customer:         contact.Endpoint{Type: kind, Address: customer},
		System:           contact.Endpoint{Type: kind, Address: cmp.Or(c.System, "+8215881234")},
		Language:         cmp.Or(c.Language, "en-US"), Voice: c.Voice, Attributes: maps.Clone(c.Attributes), SIPHeaders: c.SIPHeaders,
		Name: c.Name, Description: c.Description, CustomerID: c.CustomerID, CallProgress: c.CallProgress, Tags: maps.Clone(c.Tags),
		References: maps.Clone(c.References),
	}
	info.InitialContactID = info.ContactID
	if info.Attributes == nil {
		info.Attributes = map[string]string{}
	}
	if c.Agent != nil {
		info.Agent = &ivr.AgentRef{
			ID: c.Agent.Username, ARN: resource.ARN(InstanceID, resource.KindUser, c.Agent.Username), Username: c.Agent.Username,
			FirstName: c.Agent.FirstName, LastName: c.Agent.LastName,
		}
	}
	return info
}

// Info is the contact now.
func (p *person) Info() ivr.Info {
	i := p.w.info
	i.Attributes, i.Tags, i.References = maps.Clone(i.Attributes), maps.Clone(i.Tags), maps.Clone(i.References)
	return i
}

// SetAttributes adds or replaces attributes.
func (p *person) SetAttributes(_ context.Context, set map[string]string) error {
	if err := p.w.fails("SetAttributes"); err != nil {
		return err
	}
	all := maps.Clone(p.w.info.Attributes)
	maps.Copy(all, set)
	total := 0
	for k, v := range all {
		total += len(k) + len(v)
	}
	if total > maxAttributes {
		return errs.New(errs.Limit, "attributes would have %d bytes, at most %d are possible", total, maxAttributes)
	}
	p.w.info.Attributes = all
	for _, k := range slices.Sorted(maps.Keys(set)) {
		p.w.note("attribute", "%s = %s", k, set[k])
	}
	return nil
}

// SetRelatedAttributes is SetAttributes of the related contact, which is written down only.
func (p *person) SetRelatedAttributes(_ context.Context, set map[string]string) error {
	if err := p.w.fails("SetRelatedAttributes"); err != nil {
		return err
	}
	for _, k := range slices.Sorted(maps.Keys(set)) {
		p.w.note("related attribute", "%s = %s", k, set[k])
	}
	return nil
}

// UpdateRelated is Update of the related contact, which is written down only.
func (p *person) UpdateRelated(_ context.Context, d ivr.ContactData) error {
	if err := p.w.fails("UpdateRelated"); err != nil {
		return err
	}
	for _, f := range []struct {
		name string
		v    *string
	}{{"name", d.Name}, {"description", d.Description}, {"customer", d.CustomerID}, {"language", d.Language}} {
		if f.v != nil {
			p.w.note("related data", "%s = %s", f.name, *f.v)
		}
	}
	for _, k := range slices.Sorted(maps.Keys(d.References)) {
		p.w.note("related data", "reference %s = %s", k, d.References[k].Value)
	}
	return nil
}

// SetTargetQueue chooses the queue.
func (p *person) SetTargetQueue(_ context.Context, q ivr.QueueRef) error {
	if err := p.w.fails("SetTargetQueue"); err != nil {
		return err
	}
	p.w.info.Queue = &q
	p.w.note("queue", "%s", q.Name)
	return nil
}

// SetHook chooses the flow for a place.
func (p *person) SetHook(_ context.Context, h ivr.Hook, flowID string) error {
	if err := p.w.fails("SetHook"); err != nil {
		return err
	}
	name := ""
	for n, f := range p.w.flows {
		if f.ID == flowID {
			name = n
		}
	}
	p.w.hooks[string(h)] = name
	p.w.note("hook", "%s: %s", h, name)
	return nil
}

// SetRecording chooses who is recorded.
func (p *person) SetRecording(_ context.Context, agent, customer bool) error {
	if err := p.w.fails("SetRecording"); err != nil {
		return err
	}
	var who []string
	if agent {
		who = append(who, "Agent")
	}
	if customer {
		who = append(who, "Customer")
	}
	p.w.recording = strings.Join(who, ",")
	p.w.note("recording", "%s", cmp.Or(p.w.recording, "off"))
	return nil
}

// SetVoice chooses the voice.
func (p *person) SetVoice(_ context.Context, voice, language string) error {
	if err := p.w.fails("SetVoice"); err != nil {
		return err
	}
	p.w.info.Voice, p.w.info.Language = voice, language
	p.w.note("voice", "%s %s", voice, language)
	return nil
}

// Update changes the rest.
func (p *person) Update(_ context.Context, u ivr.Update) error {
	if err := p.w.fails("Update"); err != nil {
		return err
	}
	i := &p.w.info
	if u.CallbackNumber != "" && slices.Contains(p.w.given.Undialable, u.CallbackNumber) {
		return errs.New(errs.Denied, "%s may not be called", u.CallbackNumber)
	}
	tags := maps.Clone(i.Tags)
	if tags == nil {
		tags = map[string]string{}
	}
	maps.Copy(tags, u.Tag)
	for _, k := range u.Untag {
		delete(tags, k)
	}
	if len(tags) > 6 {
		return errs.New(errs.Limit, "a contact can have 6 tags, it would have %d", len(tags))
	}
	i.Tags = tags
	if u.CallbackNumber != "" {
		i.CallbackNumber = u.CallbackNumber
		p.w.note("callback number", "%s", u.CallbackNumber)
	}
	if d := u.Data; d != nil {
		for _, f := range []struct{ from, to *string }{
			{d.Name, &i.Name}, {d.Description, &i.Description}, {d.Language, &i.Language}, {d.CustomerID, &i.CustomerID},
		} {
			if f.from != nil {
				*f.to = *f.from
			}
		}
		if len(d.References) > 0 {
			i.References = maps.Clone(i.References)
			if i.References == nil {
				i.References = map[string]ivr.Reference{}
			}
			maps.Copy(i.References, d.References)
		}
	}
	p.w.changed(u)
	p.w.updates = append(p.w.updates, u)
	return nil
}

// changed writes an update down.
func (w *world) changed(u ivr.Update) {
	switch {
	case u.Priority != nil:
		w.note("priority", "%d", *u.Priority)
	case u.AgeAdjustment != nil:
		w.note("age", "%s", *u.AgeAdjustment)
	case u.Criteria != nil:
		for _, s := range u.Criteria {
			w.note("criteria", "%s for %s", s.Expression, s.Expiry)
		}
	case len(u.Tag)+len(u.Untag) > 0:
		w.note("tags", "%v", w.info.Tags)
	case u.Data != nil:
		w.note("data", "name %q description %q customer %q", w.info.Name, w.info.Description, w.info.CustomerID)
	case u.Logging != nil:
		w.note("logging", "%t", *u.Logging)
	}
}

// Resume ends a pause.
func (p *person) Resume(context.Context) error {
	if err := p.w.fails("Resume"); err != nil {
		return err
	}
	p.w.note("resumed", "the contact")
	return nil
}

// Associate continues an earlier chat.
func (p *person) Associate(_ context.Context, rehydration, sourceContactID string) error {
	if err := p.w.fails("Associate"); err != nil {
		return err
	}
	p.w.note("continues", "%s %s", sourceContactID, rehydration)
	return nil
}

// SetProcessor passes messages through a function.
func (p *person) SetProcessor(_ context.Context, function string, unprocessed bool) error {
	if err := p.w.fails("SetProcessor"); err != nil {
		return err
	}
	p.w.note("processor", "%s unprocessed %t", cmp.Or(function, "none"), unprocessed)
	return nil
}
