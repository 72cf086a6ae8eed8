package connect

import (
	"context"

	"ullim/internal/api/rest"
	"ullim/internal/call"
	"ullim/internal/errs"
	"ullim/internal/identity"
)

// Calls is the live side of contacts. *call.Manager implements it.
type Calls interface {
	// Tape starts, stops, suspends or resumes the recording of a live contact. errs.NotFound: it is not live.
	Tape(ctx context.Context, instanceID, contactID string, do call.TapeAction) error
	// HandOver transfers the customer of a contact, and gives the id of the contact that follows.
	HandOver(ctx context.Context, instanceID, contactID string, to call.Destination) (nextID string, err error)
	// Invite rings somebody who is to join a contact.
	Invite(ctx context.Context, instanceID, contactID string, i call.Invitation) error
	// Originate calls a number, and lets a flow speak to whoever answers.
	Originate(ctx context.Context, o call.Originate) (contactID string, err error)
}

var _ Calls = (*call.Manager)(nil)

func (s *service) tapes(t *rest.Table) {
	rest.Op(t, "StartContactRecording", "POST", "/contact/start-recording", identity.RealTimeMetrics, s.startContactRecording)
	rest.Op(t, "StopContactRecording", "POST", "/contact/stop-recording", identity.RealTimeMetrics, s.stopContactRecording)
	rest.Op(t, "SuspendContactRecording", "POST", "/contact/suspend-recording", identity.RealTimeMetrics, s.suspendContactRecording)
	rest.Op(t, "ResumeContactRecording", "POST", "/contact/resume-recording", identity.RealTimeMetrics, s.resumeContactRecording)
}

type voiceRecordingConfiguration struct {
	VoiceRecordingTrack string           `json:"VoiceRecordingTrack,omitempty"`
	IvrRecordingTrack   rest.Unsupported `json:"IvrRecordingTrack,omitzero"`
}

type startContactRecordingInput struct {
	InstanceID                  string                       `json:"InstanceId" ref:"instance"`
	ContactID                   string                       `json:"ContactId" ref:"contact"`
	InitialContactID            string                       `json:"InitialContactId" ref:"contact"`
	VoiceRecordingConfiguration *voiceRecordingConfiguration `json:"VoiceRecordingConfiguration"`
}

type contactRecordingInput struct {
	InstanceID           string `json:"InstanceId" ref:"instance"`
	ContactID            string `json:"ContactId" ref:"contact"`
	InitialContactID     string `json:"InitialContactId" ref:"contact"`
	ContactRecordingType string `json:"ContactRecordingType,omitempty"`
}

func (s *service) startContactRecording(ctx context.Context, c *rest.Call, in *startContactRecordingInput) (*rest.Empty, error) {
	if v := in.VoiceRecordingConfiguration; v == nil || v.VoiceRecordingTrack != "ALL" {
		return nil, errs.Field("VoiceRecordingConfiguration.VoiceRecordingTrack",
			"must be ALL: a recording has the agent on its right channel and everybody else on its left")
	}
	return s.tape(ctx, c, in.ContactID, call.TapeStart)
}

func (s *service) stopContactRecording(ctx context.Context, c *rest.Call, in *contactRecordingInput) (*rest.Empty, error) {
	return s.change(ctx, c, in, call.TapeStop)
}

func (s *service) suspendContactRecording(ctx context.Context, c *rest.Call, in *contactRecordingInput) (*rest.Empty, error) {
	return s.change(ctx, c, in, call.TapeSuspend)
}

func (s *service) resumeContactRecording(ctx context.Context, c *rest.Call, in *contactRecordingInput) (*rest.Empty, error) {
	return s.change(ctx, c, in, call.TapeResume)
}

func (s *service) change(ctx context.Context, c *rest.Call, in *contactRecordingInput, do call.TapeAction) (*rest.Empty, error) {
	if in.ContactRecordingType != "" && in.ContactRecordingType != "AGENT" {
		return nil, errs.Field("ContactRecordingType", "must be AGENT: screens and contact flows are not recorded")
	}
	return s.tape(ctx, c, in.ContactID, do)
}

func (s *service) tape(ctx context.Context, c *rest.Call, contactID string, do call.TapeAction) (*rest.Empty, error) {
	c.Note("contact_id", contactID)
	return done(s.Calls.Tape(ctx, c.Instance(), contactID, do))
}
