package app

import (
	"context"
	"strings"
	"time"

	"github.com/google/uuid"

	"ullim/acd"
	"ullim/internal/calendar"
	"ullim/internal/call"
	"ullim/internal/contact"
	"ullim/internal/identity"
	"ullim/internal/resource"
	"ullim/ivr"
	"ullim/sip"
)

// stage sets up a little contact centre in an App's instance: `ullim try` and the tests of the whole engine play on it.
type stage struct {
	app *App
	id  string // of the instance
}

func (s stage) meta(name string) resource.Meta {
	return resource.Meta{ID: uuid.NewString(), InstanceID: s.id, Name: name}
}

// hours makes hours of operation that are open always, or never (one minute a week, not this one).
func (s stage) hours(ctx context.Context, name string, open bool) (string, error) {
	h := &acd.Hours{Meta: s.meta(name), Hours: calendar.Hours{Zone: "UTC"}}
	if open {
		for d := range 7 {
			day := strings.ToUpper(time.Weekday(d).String())
			h.Hours.Slots = append(h.Hours.Slots, calendar.Slot{Day: day})
		}
	} else {
		in3days := time.Now().UTC().AddDate(0, 0, 3)
		h.Hours.Slots = []calendar.Slot{{
			Day: strings.ToUpper(in3days.Weekday().String()), Start: calendar.Clock{Hour: 12}, End: calendar.Clock{Hour: 12, Minute: 1},
		}}
	}
	return h.ID, s.app.stores.hours.Create(ctx, h)
}

// queue makes a queue whose phones ring for so many seconds, and a routing profile that serves it alone.
func (s stage) queue(ctx context.Context, name, hoursID string, ring int) (profileID string, err error) {
	q := &acd.Queue{Meta: s.meta(name), HoursID: hoursID, Status: acd.QueueEnabled, RingSeconds: ring}
	if err = s.app.stores.queues.Create(ctx, q); err != nil {
		return "", err
	}
	p := &acd.RoutingProfile{
		Meta: s.meta(name + " agents"), DefaultOutboundQueueID: q.ID, AvailabilityTimer: acd.SinceLastActivity,
		Concurrencies: []acd.Concurrency{{Channel: contact.Voice, Limit: 1, CrossChannel: acd.CurrentChannelOnly}},
		Queues:        []acd.ProfileQueue{{QueueID: q.ID, Channel: contact.Voice, Priority: 1}},
	}
	return p.ID, s.app.stores.routing.Create(ctx, p)
}

// agent makes a user with a device. The password is the device's.
func (s stage) agent(ctx context.Context, name, profileID string, acw int) (userID, password string, err error) {
	security, err := s.app.stores.profiles.GetByName(ctx, s.id, identity.ProfileAgent)
	if err != nil {
		return "", "", err
	}
	u := &identity.User{
		Meta: s.meta(name), FirstName: name, LastName: "Agent", SecurityProfileIDs: []string{security.ID},
		RoutingProfileID: profileID, Phone: identity.PhoneConfig{PhoneType: "SOFT_PHONE", AfterContactWorkTimeLimit: acw},
	}
	if err = s.app.stores.users.Create(ctx, u); err != nil {
		return "", "", err
	}
	if password, err = identity.NewPassword(); err != nil {
		return "", "", err
	}
	d := &sip.Device{Meta: s.meta(name), UserID: u.ID}
	d.HA1MD5, d.HA1SHA256 = sip.HA1(name, s.app.o.Realm, password)
	return u.ID, password, s.app.stores.devices.Create(ctx, d)
}

// flow makes a published copy of the sample inbound flow that serves a queue.
func (s stage) flow(ctx context.Context, queue string) (string, error) {
	sample, err := s.app.flows.Default(ctx, s.id, ivr.TypeInbound)
	if err != nil {
		return "", err
	}
	f := &ivr.Flow{Meta: s.meta(queue + " flow"), Type: ivr.TypeInbound}
	f.Content = strings.ReplaceAll(sample.Published, `"`+basicQueue+`"`, `"`+queue+`"`)
	return f.ID, s.app.flows.Create(ctx, f, ivr.Published)
}

// number claims a number for a flow.
func (s stage) number(ctx context.Context, number, flowID string) error {
	return s.app.stores.numbers.Create(ctx, &call.Number{
		Meta: s.meta(number), FlowID: flowID, Type: "DID", CountryCode: "KR",
	})
}

// trunk lets calls in from an address.
func (s stage) trunk(ctx context.Context, name, address string) error {
	return s.app.stores.trunks.Create(ctx, &sip.Trunk{Meta: s.meta(name), Addresses: []string{address}, Region: "KR"})
}

// status sets an agent's status by its name.
func (s stage) status(ctx context.Context, userID, status string) error {
	st, err := s.app.stores.statuses.GetByName(ctx, s.id, status)
	if err != nil {
		return err
	}
	center, err := s.app.centers.of(s.id)
	if err != nil {
		return err
	}
	return center.SetStatus(ctx, userID, st.ID, time.Now())
}
