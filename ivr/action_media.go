package ivr

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"ullim/internal/contact"
)

// recordingBehavior chooses who is recorded once an agent is joined (Set recording behavior). The last one set wins.
type recordingBehavior struct {
	agent, customer bool
	more            moreRecording
}

func (a *recordingBehavior) read(p *params) {
	p.need("RecordingBehavior")
	behavior := p.group("RecordingBehavior")
	who := behavior.texts("RecordedParticipants", "Agent", "Customer")
	a.more = readMoreRecording(behavior)
	a.agent, a.customer = slices.Contains(who, "Agent"), slices.Contains(who, "Customer")
}

func (a *recordingBehavior) rules() rules {
	return rules{flows: append(inboundTransferQueue(), TypeOutboundWhisper), next: true}
}

func (a *recordingBehavior) run(ctx context.Context, s *session) step {
	if err := s.contact.SetRecording(ctx, a.agent, a.customer); err != nil {
		if s.left(ctx, err) {
			return ended(Left)
		}
		// There is no error branch, and a contact that goes unrecorded must not go unnoticed.
		s.log.ErrorContext(ctx, "recording behaviour not set", "action_id", s.node.ID, "error", err)
	}
	if err := a.more.set(ctx, s); err != nil {
		if s.left(ctx, err) {
			return ended(Left)
		}
		s.log.ErrorContext(ctx, "the part with flows is not recorded", "action_id", s.node.ID, "error", err)
	}
	return done()
}

// analyticsBehavior is the newer form of recordingBehavior, for one channel (Set recording, analytics and processing
// behavior). What it says about analysis is taken and not done.
type analyticsBehavior struct {
	voice, chat     bool // which channel it is for
	agent, customer bool
	more            moreRecording
	redact          bool // chat messages are to be redacted on their way
}

func (a *analyticsBehavior) read(p *params) {
	voice := p.group("VoiceBehavior")
	recording := voice.group("VoiceRecordingBehavior")
	chat := p.group("ChatBehavior")
	if p.has("RecordingBehavior") { // the older shape under the newer name
		recording, a.voice = p.group("RecordingBehavior"), true
	}
	a.voice, a.chat = a.voice || len(voice.m) > 0, len(chat.m) > 0
	if a.voice && a.chat {
		p.problem("", "has both VoiceBehavior and ChatBehavior: use one action for each channel")
	}
	a.more = readMoreRecording(recording)
	a.more.screen = a.more.screen || len(p.group("ScreenRecordingBehavior").texts("ScreenRecordedParticipants", "Agent")) > 0
	who := recording.texts("RecordedParticipants", "Agent", "Customer")
	a.agent, a.customer = slices.Contains(who, "Agent"), slices.Contains(who, "Customer")
	a.redact = chat.group("ChatAnalyticsBehavior").group("InFlightChatRedactionConfiguration").yes("Enabled")
}

func (a *analyticsBehavior) rules() rules {
	r := rules{flows: inboundTransferQueue(), next: true, errors: []string{errNoMatch, errChannel}}
	if a.redact {
		r.errors = append(r.errors, errRedaction)
	}
	return r
}

func (a *analyticsBehavior) run(ctx context.Context, s *session) step {
	on := s.info().Channel
	switch {
	case a.voice && on != contact.Voice, a.chat && on != contact.Chat:
		return step{errorType: errChannel, why: fmt.Errorf("ivr: the contact's channel is %s", on)}
	case a.redact: // a promise that is not kept would be worse than the branch
		return step{errorType: errRedaction, why: fmt.Errorf("ivr: redaction of messages on their way: %w", ErrNotSupported)}
	case !a.voice:
		return done()
	}
	if err := s.contact.SetRecording(ctx, a.agent, a.customer); err != nil {
		return s.failure(ctx, err)
	}
	if err := a.more.set(ctx, s); err != nil {
		return s.failure(ctx, err)
	}
	return done()
}

// mediaStreaming sends the audio of the customer elsewhere, or stops that (Start / Stop media streaming).
type mediaStreaming struct {
	on       bool
	from, to bool
	url      value // ours; empty: the one that the instance is set to
}

func (a *mediaStreaming) read(p *params) {
	p.need("MediaStreamingState")
	a.on = p.oneOf("MediaStreamingState", "Enabled", "Disabled") == "Enabled"
	p.oneOf("MediaStreamType", "Audio")
	a.url = p.whole("Ullim.Url")
	for _, who := range p.items("Participants") {
		who.oneOf("ParticipantType", "Customer")
		directions := who.texts("MediaDirections", "From", "To")
		a.from = a.from || slices.Contains(directions, "From")
		a.to = a.to || slices.Contains(directions, "To")
	}
	if a.on && !a.from && !a.to {
		p.problem("Participants", "needs a participant with MediaDirections From, To or both")
	}
}

func (a *mediaStreaming) rules() rules {
	return rules{flows: append(inboundTransferQueue(), whispers()...), next: true, errors: []string{errNoMatch}}
}

func (a *mediaStreaming) run(ctx context.Context, s *session) step {
	t, ok := s.participant.(Streamer)
	if err := s.only(contact.Voice); err != nil || !ok {
		return failedBy(ErrNotSupported)
	}
	err := t.StopStream
	if a.on {
		err = func(ctx context.Context) error {
			return t.StartStream(ctx, Stream{URL: s.text(a.url), From: a.from, To: a.to})
		}
	}
	if err := err(ctx); err != nil {
		return s.failure(ctx, err)
	}
	return done()
}

// mediaProcessing passes the messages of a chat through a function (Set recording, analytics and processing behavior).
type mediaProcessing struct {
	on          bool
	function    string
	unprocessed bool
}

func (a *mediaProcessing) read(p *params) {
	p.need("ChatProcessor")
	c := p.group("ChatProcessor")
	a.on = c.yes("ProcessingEnabled")
	a.function = c.static("LambdaProcessorARN")
	a.unprocessed = c.group("ChatProcessorSettings").yes("DeliverUnprocessedMessages")
	if a.on && a.function == "" {
		c.problem("LambdaProcessorARN", "is required")
	}
}

func (a *mediaProcessing) rules() rules {
	return rules{next: true, errors: []string{errNoMatch, errChannel}}
}

func (a *mediaProcessing) run(ctx context.Context, s *session) step {
	if err := s.only(contact.Chat); err != nil {
		return step{errorType: errChannel, why: err}
	}
	m, ok := s.contact.(MessageProcessor)
	if !ok {
		return failedBy(errors.Join(errors.New("ivr: processing of messages"), ErrNotSupported))
	}
	function := a.function
	if !a.on {
		function = ""
	}
	if err := m.SetProcessor(ctx, function, a.unprocessed); err != nil {
		return s.failure(ctx, err)
	}
	return done()
}
