package api_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsconnect "github.com/aws/aws-sdk-go-v2/service/connect"
	"github.com/aws/aws-sdk-go-v2/service/connect/types"
	"github.com/google/go-cmp/cmp"

	"ullim/internal/call"
	"ullim/internal/contact"
	"ullim/internal/errs"
)

// fakeCalls remembers what was asked of live contacts; one is live, of ours.
type fakeCalls struct {
	mu    sync.Mutex
	asked []string
}

const liveContact = "33333333-3333-4333-8333-333333333333"

func (f *fakeCalls) note(instanceID, contactID, format string, args ...any) error {
	if instanceID != ours || contactID != liveContact {
		return errs.New(errs.NotFound, "no contact %s is in progress", contactID)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked = append(f.asked, fmt.Sprintf(format, args...))
	return nil
}

func (f *fakeCalls) Tape(_ context.Context, instanceID, contactID string, do call.TapeAction) error {
	return f.note(instanceID, contactID, "tape %d", do)
}

func (f *fakeCalls) Participants(instanceID, contactID string) ([]call.Participant, error) {
	err := f.note(instanceID, contactID, "list")
	return []call.Participant{
		{ID: -1, Role: call.RoleCustomer, State: "CONNECTED", Address: "+8210", Quality: &contact.Quality{
			Codec: "PCMU", Encryption: "AEAD_AES_128_GCM", Sent: 500, Received: 498, Lost: 2, Jitter: 1250 * time.Microsecond, MOS: 4.2,
		}},
		{ID: 9, Role: call.RoleSupervisor, Hears: call.Coach, State: "RINGING", UserID: "u"},
	}, err
}

func (f *fakeCalls) Invite(_ context.Context, instanceID, contactID string, i call.Invitation) error {
	return f.note(instanceID, contactID, "invite %s%s %v %d", i.UserID, i.Number, i.Supervisor, i.Hears)
}

func (f *fakeCalls) Remove(_ context.Context, instanceID, contactID string, n int) error {
	return f.note(instanceID, contactID, "remove %d", n)
}

func (f *fakeCalls) Hold(_ context.Context, instanceID, contactID string, n int, on bool) error {
	return f.note(instanceID, contactID, "hold %d %v", n, on)
}

func (f *fakeCalls) Supervise(_ context.Context, instanceID, contactID, userID string, hears call.Role) error {
	return f.note(instanceID, contactID, "supervise %s %d", userID, hears)
}

func (f *fakeCalls) HandOver(_ context.Context, instanceID, contactID string, to call.Destination) (string, error) {
	return "next", f.note(instanceID, contactID, "hand over %+v", to)
}

func (f *fakeCalls) Originate(_ context.Context, o call.Originate) (string, error) {
	id := o.ContactID
	if id == "" {
		id = "new"
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked = append(f.asked, fmt.Sprintf("originate %s from %s %s by %s for %s, %v %s", o.Number, o.FromNumber, o.FromName, o.FlowID, o.Queue.Name, o.Attributes, o.Ring))
	return id, nil
}

func (f *fakeCalls) Mute(_ context.Context, instanceID, contactID string, n int, on bool) error {
	return f.note(instanceID, contactID, "mute %d %v", n, on)
}

func TestR10RecordingIsControlledThroughTheSDK(t *testing.T) {
	w := newWorld(t)
	c, ctx := w.client("admin"), t.Context()
	id, live := aws.String(ours), aws.String(liveContact)
	all := &types.VoiceRecordingConfiguration{VoiceRecordingTrack: types.VoiceRecordingTrackAll}
	_, err := c.StartContactRecording(ctx, &awsconnect.StartContactRecordingInput{
		InstanceId: id, ContactId: live, InitialContactId: live, VoiceRecordingConfiguration: all,
	})
	must(t, err)
	_, err = c.SuspendContactRecording(ctx, &awsconnect.SuspendContactRecordingInput{InstanceId: id, ContactId: live, InitialContactId: live})
	must(t, err)
	_, err = c.ResumeContactRecording(ctx, &awsconnect.ResumeContactRecordingInput{InstanceId: id, ContactId: live, InitialContactId: live})
	must(t, err)
	_, err = c.StopContactRecording(ctx, &awsconnect.StopContactRecordingInput{InstanceId: id, ContactId: live, InitialContactId: live})
	must(t, err)
	if got := strings.Join(w.calls.asked, ", "); got != "tape 0, tape 2, tape 3, tape 1" {
		t.Errorf("asked %s", got)
	}
	all.VoiceRecordingTrack = types.VoiceRecordingTrackFromAgent
	_, err = c.StartContactRecording(ctx, &awsconnect.StartContactRecordingInput{
		InstanceId: id, ContactId: live, InitialContactId: live, VoiceRecordingConfiguration: all,
	})
	if err == nil || !strings.Contains(err.Error(), "VoiceRecordingTrack") {
		t.Errorf("one side alone: %v", err)
	}
	other := aws.String("44444444-4444-4444-8444-444444444444")
	_, err = c.StopContactRecording(ctx, &awsconnect.StopContactRecordingInput{InstanceId: id, ContactId: other, InitialContactId: other})
	if notFound := new(types.ResourceNotFoundException); !errors.As(err, &notFound) {
		t.Errorf("a contact that is not live: %v", err)
	}
}

func TestSupervisorsAndThirdPartiesAreAddedToContacts(t *testing.T) {
	w := newWorld(t)
	path := "/contacts/" + liveContact + "/participants"
	user := w.person(ours, w.routing, "sue", w.profile["Admin"])
	var list struct {
		Participants []struct {
			Number int
			Role   string
		}
	}
	w.admin("admin", http.MethodGet, path, "", &list)
	if len(list.Participants) != 2 || list.Participants[1].Role != "COACH" || list.Participants[0].Number != -1 {
		t.Errorf("listed %+v", list)
	}
	w.admin("admin", http.MethodPost, path, `{"Role":"MONITOR","UserId":"`+user.ID+`"}`, nil)
	w.admin("admin", http.MethodPost, path, `{"Role":"THIRD_PARTY","PhoneNumber":"+82255512345"}`, nil)
	w.admin("admin", http.MethodPost, path+"/-1", `{"OnHold":true,"Muted":false}`, nil)
	w.admin("admin", http.MethodDelete, path+"/9", "", nil)
	want := "list, invite " + user.ID + " true 1, invite +82255512345 false 0, hold -1 true, mute -1 false, remove 9"
	if got := strings.Join(w.calls.asked, ", "); got != want {
		t.Errorf("asked %s, want %s", got, want)
	}
	for body, names := range map[string]string{
		`{"Role":"SPY","UserId":"` + user.ID + `"}`:                                "Role",
		`{"Role":"MONITOR"}`:                                                       "UserId",
		`{"Role":"MONITOR","PhoneNumber":"+8210"}`:                                 "UserId",
		`{"Role":"BARGE","UserId":"` + user.ID + `","PhoneNumber":"+82255512345"}`: "UserId",
	} {
		status, _, answer := w.do("admin", http.MethodPost, "/admin/v1"+path, body)
		if status != http.StatusBadRequest || !strings.Contains(string(answer), names) {
			t.Errorf("%s: %d %s", body, status, answer)
		}
	}
	if status, _, _ := w.do("boss", http.MethodGet, "/admin/v1"+path, ""); status != http.StatusNotFound {
		t.Errorf("another instance sees the contact: %d", status)
	}
}

func TestTheQualityOfAContactIsThatOfItsLegs(t *testing.T) {
	w := newWorld(t)
	w.records.records = []*contact.Record{
		{ID: "c1", InstanceID: ours, CustomerQuality: &contact.Quality{Codec: "PCMA", Sent: 10, Received: 9, Lost: 1}},
		{ID: "c2", InstanceID: theirs, CustomerQuality: &contact.Quality{Codec: "PCMA"}},
	}
	type leg struct {
		Role, Codec, Encryption                   string
		Number                                    int
		PacketsSent, PacketsReceived, PacketsLost int
		Jitter, Mos                               float64
	}
	var got struct {
		ContactID string `json:"ContactId"`
		Live      bool
		Legs      []leg
	}
	w.admin("admin", http.MethodGet, "/contacts/"+liveContact+"/quality", "", &got)
	want := []leg{{
		Role: "CUSTOMER", Codec: "PCMU", Encryption: "AEAD_AES_128_GCM", Number: -1, PacketsSent: 500, PacketsReceived: 498, PacketsLost: 2,
		Jitter: 1.25, Mos: 4.2,
	}}
	if !got.Live || !cmp.Equal(got.Legs, want) {
		t.Errorf("live: %+v", got)
	}
	got.Legs = nil
	w.admin("admin", http.MethodGet, "/contacts/c1/quality", "", &got)
	want = []leg{{Role: "CUSTOMER", Codec: "PCMA", Encryption: "NONE", PacketsSent: 10, PacketsReceived: 9, PacketsLost: 1}}
	if got.Live || !cmp.Equal(got.Legs, want) {
		t.Errorf("over: %+v", got)
	}
	for _, id := range []string{"c2", "nowhere"} {
		if status, _, _ := w.do("admin", http.MethodGet, "/admin/v1/contacts/"+id+"/quality", ""); status != http.StatusNotFound {
			t.Errorf("%s: %d", id, status)
		}
	}
}
