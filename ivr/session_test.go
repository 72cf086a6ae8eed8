package ivr

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"ullim/internal/contact"
	"ullim/internal/errs"
	"ullim/prompts"
)

const mdn = `!NoMatchingError>bad`

func TestActionsDoWhatTheySayAndTakeTheirBranches(t *testing.T) {
	// Every flow ends in "good" or "bad" and then hangs up, or at an outcome of its own.
	tail := []string{mark("good", "end"), mark("bad", "end"), act("other", "MessageParticipant", `"Text":"other"`, "end"), act("end", "DisconnectParticipant", "")}
	good, bad := said("good")[0], said("bad")[0]
	const hang = "hangup "
	tests := []struct {
		name   string
		t      FlowType // TypeInbound if empty
		action string
		keys   []string
		set    func(*script, *house)
		want   []string
		out    Outcome // Disconnected if empty
	}{
		{
			name:   "a message of text is spoken in the contact's language",
			action: act("a", "MessageParticipant", `"Text":"Hello $.CustomerEndpoint.Address."`, "good", mdn),
			want:   []string{"say text:Hello +821012345678.:en-US", good, hang},
		},
		{
			name:   "a stored prompt is played",
			action: act("a", "MessageParticipant", `"PromptId":"Welcome"`, "good", mdn),
			want:   []string{"say prompt:Welcome:en-US", good, hang},
		},
		{
			name:   "a prompt can be named by an attribute",
			action: act("a", "MessageParticipant", `"PromptId":"$.Attributes.p"`, "good", mdn),
			set:    func(s *script, _ *house) { s.info.Attributes["p"] = "Beep.wav" },
			want:   []string{"say prompt:Beep.wav:en-US", good, hang},
		},
		{
			name:   "an empty prompt attribute is an error",
			action: act("a", "MessageParticipant", `"PromptId":"$.Attributes.p"`, "good", mdn),
			want:   []string{bad, hang},
		},
		{
			name:   "a missing prompt takes the error branch",
			action: act("a", "MessageParticipant", `"PromptId":"missing"`, "good", mdn),
			want:   []string{bad, hang},
		},
		{
			name:   "an attribute inside mark-up cannot become mark-up",
			action: act("a", "MessageParticipant", `"SSML":"<speak>$.Attributes.n</speak>"`, "good", mdn),
			set:    func(s *script, _ *house) { s.info.Attributes["n"] = `<audio src="/etc/passwd"/>&` },
			want:   []string{"say ssml:<speak>&lt;audio src=&#34;/etc/passwd&#34;/&gt;&amp;</speak>:en-US", good, hang},
		},
		{
			name:   "text that is empty when it runs says nothing",
			action: act("a", "MessageParticipant", `"Text":"$.Attributes.none"`, "good", mdn),
			want:   []string{good, hang},
		},
		{
			name:   "a prompt from S3 takes the error branch",
			action: act("a", "MessageParticipant", `"Media":{"Uri":"s3://b/k","SourceType":"S3","MediaType":"Audio"}`, "good", mdn),
			want:   []string{bad, hang},
		},
		{
			name:   "a failed message without an error branch ends the flow",
			action: act("a", "MessageParticipant", `"Text":"unspeakable"`, "good"),
			want:   nil, out: Ended,
		},
		{
			name:   "a key chooses its branch",
			action: act("a", "GetParticipantInput", `"Text":"menu"`, "=1>good", "=2>other", mdn, "!NoMatchingCondition>bad", "!InputTimeLimitExceeded>bad"),
			keys:   []string{"1"},
			want:   []string{"gather text:menu:en-US", good, hang},
		},
		{
			name:   "a key without a branch is NoMatchingCondition",
			action: act("a", "GetParticipantInput", `"Text":"menu"`, "=1>bad", mdn, "!NoMatchingCondition>good", "!InputTimeLimitExceeded>bad"),
			keys:   []string{"*"},
			want:   []string{"gather text:menu:en-US", good, hang},
		},
		{
			name:   "no key is InputTimeLimitExceeded",
			action: act("a", "GetParticipantInput", `"Text":"menu"`, "=1>bad", mdn, "!NoMatchingCondition>bad", "!InputTimeLimitExceeded>good"),
			keys:   []string{""},
			want:   []string{"gather text:menu:en-US", good, hang},
		},
		{
			name:   "no key without a branch for it falls back to NoMatchingError",
			action: act("a", "GetParticipantInput", `"Text":"menu"`, "=1>bad", "!NoMatchingError>good"),
			keys:   []string{""},
			want:   []string{"gather text:menu:en-US", good, hang},
		},
		{
			name:   "a channel without keys takes the error branch",
			action: act("a", "GetParticipantInput", `"Text":"menu"`, "=1>bad", "!NoMatchingError>good"),
			set:    func(s *script, _ *house) { s.fail["gather"] = ErrNotSupported },
			want:   []string{"gather text:menu:en-US", good, hang},
		},
		{
			name:   "whoever leaves in a menu ends the flow",
			action: act("a", "GetParticipantInput", `"Text":"menu"`, "=1>bad", mdn),
			want:   []string{"gather text:menu:en-US"}, out: Left,
		},
		{
			name:   "open hours are True",
			action: act("a", "CheckHoursOfOperation", `"HoursOfOperationId":"h-1"`, "=True>good", "=False>other", mdn),
			set:    func(_ *script, h *house) { h.open = true },
			want:   []string{good, hang},
		},
		{
			name:   "closed hours of the target queue are False",
			action: act("a", "CheckHoursOfOperation", ``, "=True>other", "=False>good", mdn),
			set:    func(s *script, _ *house) { s.info.Queue = &QueueRef{HoursID: "h-1"} },
			want:   []string{good, hang},
		},
		{
			name:   "hours without a queue are an error",
			action: act("a", "CheckHoursOfOperation", ``, "=True>other", "=False>other", "!NoMatchingError>good"),
			want:   []string{good, hang},
		},
		{
			name:   "unknown hours are an error",
			action: act("a", "CheckHoursOfOperation", `"HoursOfOperationId":"h-9"`, "=True>other", "=False>other", "!NoMatchingError>good"),
			want:   []string{good, hang},
		},
		{
			name:   "the target queue is set by name",
			action: act("a", "UpdateContactTargetQueue", `"QueueId":"BasicQueue"`, "good", mdn),
			want:   []string{"target BasicQueue", good, hang},
		},
		{
			name:   "an unknown queue is an error",
			action: act("a", "UpdateContactTargetQueue", `"QueueId":"Nobody"`, "other", "!NoMatchingError>good"),
			want:   []string{good, hang},
		},
		{
			name:   "queues of agents are not supported yet",
			action: act("a", "UpdateContactTargetQueue", `"AgentId":"x"`, "other", "!NoMatchingError>good"),
			want:   []string{good, hang},
		},
		{
			name:   "a transfer to the queue ends the flow",
			action: act("a", "TransferContactToQueue", ``, "!QueueAtCapacity>bad", mdn),
			want:   []string{"queue "}, out: Queued,
		},
		{
			name:   "a full queue takes QueueAtCapacity",
			action: act("a", "TransferContactToQueue", ``, "!QueueAtCapacity>good", mdn),
			set:    func(s *script, _ *house) { s.fail["queue"] = errs.New(errs.Limit, "full") },
			want:   []string{"queue ", good, hang},
		},
		{
			name:   "an impossible transfer takes NoMatchingError",
			action: act("a", "TransferContactToQueue", ``, "!QueueAtCapacity>bad", "!NoMatchingError>good"),
			set:    func(s *script, _ *house) { s.fail["queue"] = errs.New(errs.InvalidRequest, "no queue") },
			want:   []string{"queue ", good, hang},
		},
		{
			name:   "whoever leaves during the transfer has left",
			action: act("a", "TransferContactToQueue", ``, "!QueueAtCapacity>bad", mdn),
			set:    func(s *script, _ *house) { s.fail["queue"] = ErrLeft },
			want:   []string{"queue "}, out: Left,
		},
		{
			name: "a loop of prompts is interrupted after its time", t: TypeCustomerQueue,
			action: act("a", "MessageParticipantIteratively", `"Messages":[{"Text":"wait"},{"PromptId":"Music"}],"InterruptFrequencySeconds":"20"`, "=MessagesInterrupted>good", mdn),
			want:   []string{"repeat text:wait:en-US+prompt:Music:en-US 20s", good, hang},
		},
		{
			name: "a loop of prompts without a time goes on until the caller leaves", t: TypeCustomerQueue,
			action: act("a", "MessageParticipantIteratively", `"Messages":[{"PromptId":"Music"}]`, mdn),
			want:   []string{"repeat prompt:Music:en-US 0s"}, out: Left,
		},
		{
			name: "a missing prompt in a loop is left out", t: TypeCustomerQueue,
			action: act("a", "MessageParticipantIteratively", `"Messages":[{"PromptId":"missing"},{"PromptId":"Music"}],"InterruptFrequencySeconds":5`, "=MessagesInterrupted>good", mdn),
			want:   []string{"repeat prompt:Music:en-US 5s", good, hang},
		},
		{
			name: "a loop of nothing is an error", t: TypeCustomerQueue,
			action: act("a", "MessageParticipantIteratively", `"Messages":[{"PromptId":"missing"},{"Text":"$.Attributes.none"}]`, "!NoMatchingError>good"),
			want:   []string{good, hang},
		},
		{
			name:   "attributes are set together",
			action: act("a", "UpdateContactAttributes", `"Attributes":{"who":"$.CustomerEndpoint.Address","n":5,"text":"from $.Channel"}`, "good", mdn),
			want:   []string{"attributes n=5,text=from VOICE,who=+821012345678", good, hang},
		},
		{
			name:   "attributes over the limit are an error",
			action: act("a", "UpdateContactAttributes", `"Attributes":{"a":"b"}`, "other", "!NoMatchingError>good"),
			set:    func(s *script, _ *house) { s.fail["attributes"] = errs.New(errs.Limit, "32 KB") },
			want:   []string{"attributes a=b", good, hang},
		},
		{
			name:   "a comparison takes the first condition that is true",
			action: act("a", "Compare", `"ComparisonValue":"$.Attributes.['the plan']"`, "=gold>good", "=gold>bad", "!NoMatchingCondition>other"),
			set:    func(s *script, _ *house) { s.info.Attributes["the plan"] = "gold" },
			want:   []string{good, hang},
		},
		{
			name:   "a comparison without a match takes NoMatchingCondition",
			action: act("a", "Compare", `"ComparisonValue":"$.Attributes.plan"`, "=gold>bad", "!NoMatchingCondition>good"),
			want:   []string{good, hang},
		},
		{
			name:   "recording is chosen",
			action: act("a", "UpdateContactRecordingBehavior", `"RecordingBehavior":{"RecordedParticipants":["Agent"]}`, "good"),
			want:   []string{"record agent=true customer=false", good, hang},
		},
		{
			name:   "recording that cannot be set does not stop the flow",
			action: act("a", "UpdateContactRecordingBehavior", `"RecordingBehavior":{"RecordedParticipants":[]}`, "good"),
			set:    func(s *script, _ *house) { s.fail["record"] = errors.New("no") },
			want:   []string{"record agent=false customer=false", good, hang},
		},
		{
			name:   "a voice brings its language",
			action: act("a", "UpdateContactTextToSpeechVoice", `"TextToSpeechVoice":"Seoyeon"`, "good"),
			want:   []string{"voice Seoyeon ko-KR", "say text:good:ko-KR", hang},
		},
		{
			name:   "an unknown voice keeps the language",
			action: act("a", "UpdateContactTextToSpeechVoice", `"TextToSpeechVoice":"en-us+f3"`, "good"),
			want:   []string{"voice en-us+f3 en-US", good, hang},
		},
		{
			name:   "the language can be set alone",
			action: act("a", "UpdateContactData", `"LanguageCode":"ko-KR"`, "good", mdn),
			want:   []string{"voice  ko-KR", "say text:good:ko-KR", hang},
		},
		{
			name:   "a hook is set to the id of a published flow",
			action: act("a", "UpdateContactEventHooks", `"EventHooks":{"CustomerQueue":"My queue"}`, "good", mdn),
			set: func(_ *script, h *house) {
				h.flows["My queue"] = &Flow{Type: TypeCustomerQueue}
				h.flows["My queue"].ID = "f-9"
			},
			want: []string{"hook CustomerQueue f-9", good, hang},
		},
		{
			name:   "a hook refuses a flow of another type",
			action: act("a", "UpdateContactEventHooks", `"EventHooks":{"AgentWhisper":"My queue"}`, "other", "!NoMatchingError>good"),
			set:    func(_ *script, h *house) { h.flows["My queue"] = &Flow{Type: TypeCustomerQueue} },
			want:   []string{good, hang},
		},
		{
			name:   "a hook refuses a flow that is not there",
			action: act("a", "UpdateContactEventHooks", `"EventHooks":{"CustomerRemaining":"nowhere"}`, "other", "!NoMatchingError>good"),
			want:   []string{good, hang},
		},
		{
			name:   "a hook that the contact never comes to takes the error branch",
			action: act("a", "UpdateContactEventHooks", `"EventHooks":{"DefaultAgentUI":""}`, "other", "!NoMatchingError>good"),
			set:    func(s *script, _ *house) { s.fail["hook"] = ErrNotSupported },
			want:   []string{"hook DefaultAgentUI ", good, hang},
		},
		{
			name:   "an unknown action takes its error branch",
			action: act("a", "CreateCase", `"CaseTemplateId":"x"`, "other", "!NoMatchingError>good"),
			want:   []string{good, hang},
		},
		{
			name:   "an unknown action without an error branch ends the flow",
			action: act("a", "CreateCase", ``, "other"),
			want:   nil, out: Ended,
		},
		{
			name:   "waiting is not for voice",
			action: act("a", "Wait", `"TimeoutSeconds":"60"`, "=WaitCompleted>other", "!NoMatchingError>good"),
			want:   []string{good, hang},
		},
		{
			name:   "a transfer to a flow that is not there is an error",
			action: act("a", "TransferToFlow", `"ContactFlowId":"nowhere"`, "!NoMatchingError>good"),
			want:   []string{good, hang},
		},
		{
			name:   "a transfer to a flow of another type is an error",
			action: act("a", "TransferToFlow", `"ContactFlowId":"w"`, "!NoMatchingError>good"),
			set:    func(_ *script, h *house) { h.flows["w"] = flowOf(TypeAgentWhisper, doc(mark("w"))) },
			want:   []string{good, hang},
		},
		{
			name:   "a transfer to a flow goes on there",
			action: act("a", "TransferToFlow", `"ContactFlowId":"w"`, "!NoMatchingError>bad"),
			set: func(_ *script, h *house) {
				h.flows["w"] = flowOf(TypeInbound, doc(mark("there", "end"), act("end", "DisconnectParticipant", "")))
			},
			want: append(said("there"), hang),
		},
		{
			name:   "the logging block changes nothing for the caller",
			action: act("a", "UpdateFlowLoggingBehavior", `"FlowLoggingBehavior":"Enabled"`, "good"),
			want:   []string{"update logging=true", good, hang},
		},
		{
			name: "the end of a whisper leaves the contact where it is", t: TypeCustomerWhisper,
			action: act("a", "EndFlowExecution", ``), want: nil, out: Ended,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, h := newScript(t, tt.keys...), &house{flows: map[string]*Flow{}}
			if tt.set != nil {
				tt.set(s, h)
			}
			kind, out := tt.t, tt.out
			if kind == "" {
				kind = TypeInbound
			}
			if out == "" {
				out = Disconnected
			}
			got, err := h.engine().Run(t.Context(), Run{Flow: flowOf(kind, doc(append([]string{tt.action}, tail...)...)), Participant: s, Contact: s})
			if err != nil {
				t.Fatal(err)
			}
			check(t, out, got)
			check(t, tt.want, s.did)
		})
	}
}

func run(t *testing.T, s *script, h *house, content string) (Outcome, error) {
	t.Helper()
	if h.flows == nil {
		h.flows = map[string]*Flow{}
	}
	return h.engine().Run(t.Context(), Run{Flow: flowOf(TypeInbound, content), Participant: s, Contact: s})
}

func TestAFlowThatGoesRoundWithoutAPauseIsStopped(t *testing.T) {
	content := doc(
		act("a", "UpdateContactAttributes", `"Attributes":{"x":"y"}`, "b", "!NoMatchingError>b"),
		act("b", "MessageParticipant", `"Text":"$.Attributes.none"`, "a", "!NoMatchingError>a"))
	if err := Check(content, TypeInbound); err != nil {
		t.Fatal(err)
	}
	s := newScript(t)
	out, err := run(t, s, &house{}, content)
	if out != Failed || !errs.Is(err, errs.Limit) {
		t.Fatal(out, err)
	}
	check(t, MaxIdleActions/2, s.count("attributes"))

	h := &house{flows: map[string]*Flow{}}
	h.flows["me"] = flowOf(TypeInbound, doc(act("a", "TransferToFlow", `"ContactFlowId":"me"`, "!NoMatchingError>a")))
	if out, err := h.engine().Run(t.Context(), Run{Flow: h.flows["me"], Participant: s, Contact: s}); out != Failed {
		t.Fatal(out, err)
	}
}

// slow is a participant for whom listening takes a second, and who leaves after some messages.
type slow struct {
	*script
	patience int
}

func (s *slow) Say(ctx context.Context, a *prompts.Audio) error {
	if s.patience--; s.patience < 0 {
		return ErrLeft
	}
	select {
	case <-time.After(time.Second):
		return s.script.Say(ctx, a)
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (s *slow) SayText(ctx context.Context, text string) error {
	return s.Say(ctx, &prompts.Audio{Name: text})
}

func (s *slow) AskText(context.Context, string, time.Duration) (Reply, error) {
	return Reply{}, ErrLeft
}

func TestAFlowThatTakesTheParticipantsTimeMayGoRoundForLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &slow{script: newScript(t), patience: 3 * MaxIdleActions}
		out, err := (&house{}).engine().Run(t.Context(), Run{Flow: flowOf(TypeInbound, doc(mark("a", "a"))), Participant: s, Contact: s})
		if err != nil || out != Left {
			t.Fatal(out, err)
		}
		check(t, 3*MaxIdleActions, s.count("say"))
	})
}

func TestTheEndOfTheContactEndsTheFlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(90*time.Second, cancel)
		s := &slow{script: newScript(t), patience: 1 << 30}
		content := doc(mark("a", "b", "!NoMatchingError>b"), act("b", "Loop", `"LoopCount":"3"`, "=ContinueLooping>a", "=DoneLooping>w"),
			act("w", "Wait", `"TimeoutSeconds":"3600"`, "=WaitCompleted>a", "!NoMatchingError>a"))
		s.info.Channel = contact.Chat
		start := time.Now()
		out, err := (&house{}).engine().Run(ctx, Run{Flow: flowOf(TypeInbound, content), Participant: s, Contact: s})
		if err != nil || out != Left {
			t.Fatal(out, err)
		}
		check(t, 90*time.Second, time.Since(start))
		check(t, 4, s.count("say")) // and not one more through an error branch
	})
}

func TestWaitingTakesItsTimeOnChannelsThatWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScript(t)
		s.info.Channel = contact.Task
		start := time.Now()
		out, err := run(t, s, &house{}, doc(act("w", "Wait", `"TimeLimitSeconds":"90"`, "=WaitCompleted>end", mdn), mark("bad", "end"), act("end", "DisconnectParticipant", "")))
		if err != nil || out != Disconnected {
			t.Fatal(out, err)
		}
		check(t, 90*time.Second, time.Since(start))
		check(t, []string{"hangup "}, s.did)
	})
}

type panicking struct{ *script }

func (p panicking) Say(context.Context, *prompts.Audio) error { panic("boom") }

func TestAPanicEndsItsOwnSessionOnly(t *testing.T) {
	s := panicking{newScript(t)}
	out, err := (&house{}).engine().Run(t.Context(), Run{Flow: flowOf(TypeInbound, doc(mark("a"))), Participant: s, Contact: s})
	if out != Failed || err == nil || !strings.Contains(err.Error(), "boom") {
		t.Fatal(out, err)
	}
}

func TestWhatCannotBeRunFails(t *testing.T) {
	for name, f := range map[string]*Flow{
		"never published":  {Content: doc(mark("a"))},
		"not a flow":       flowOf(TypeInbound, `{}`),
		"not even JSON":    flowOf(TypeInbound, `{`),
		"a future version": flowOf(TypeInbound, `{"Version":"2030-01-01","StartAction":"a","Actions":[]}`),
	} {
		s := newScript(t)
		out, err := (&house{}).engine().Run(t.Context(), Run{Flow: f, Participant: s, Contact: s})
		if out != Failed || err == nil {
			t.Errorf("%s: %v, %v", name, out, err)
		}
		check(t, []string(nil), s.did)
	}
}

func TestDamagedFlowsEndInsteadOfBreaking(t *testing.T) {
	for name, content := range map[string]string{
		"no actions":         `{"Version":"2019-10-30","StartAction":"a","Actions":[]}`,
		"start is not there": `{"Version":"2019-10-30","StartAction":"z","Actions":[{"Identifier":"a","Type":"DisconnectParticipant"}]}`,
		"next is not there":  doc(mark("a", "z")),
		"no next":            doc(mark("a")),
	} {
		s := newScript(t)
		if out, err := run(t, s, &house{}, content); err != nil || out != Ended {
			t.Errorf("%s: %v, %v", name, out, err)
		}
	}
}

func TestLogLinesNameContactFlowAndActionAndHideWhatWasTyped(t *testing.T) {
	var out bytes.Buffer
	h := &house{}
	e := h.engine()
	e.Log = slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelInfo}))
	seen := map[string]int{}
	e.Observe = func(kind, outcome string) { seen[kind+"/"+outcome]++ }
	s := newScript(t, "4111111111111111")
	_, err := e.Run(t.Context(), Run{Flow: flowOf(TypeInbound, doc(
		act("on", "UpdateFlowLoggingBehavior", `"FlowLoggingBehavior":"Enabled"`, "card"),
		act("card", "GetParticipantInput", `"StoreInput":"True","InputValidation":{"CustomValidation":{"MaximumLength":"16"}}`, "look", mdn),
		act("look", "Compare", `"ComparisonValue":"$.StoredCustomerInput"`, "=1>end", "!NoMatchingCondition>view"),
		act("view", "CreateCase", "", "!NoMatchingError>end"),
		mark("bad", "end"), act("end", "DisconnectParticipant", ""))), Participant: s, Contact: s})
	if err != nil {
		t.Fatal(err)
	}
	text := out.String()
	lines := strings.Split(strings.TrimSpace(text), "\n")
	check(t, 5, len(lines))
	for _, l := range lines {
		for _, need := range []string{"contact_id=c-1", "flow_id=f-CONTACT_FLOW", "action_id=", "action_type="} {
			if !strings.Contains(l, need) {
				t.Errorf("%s is missing in %s", need, l)
			}
		}
	}
	if strings.Contains(text, "4111") {
		t.Error("what was typed is in the log:\n" + text)
	}
	check(t, map[string]int{
		"UpdateFlowLoggingBehavior/ok": 1, "GetParticipantInput/ok": 1, "Compare/ok": 1,
		"unsupported/NoMatchingError": 1, "DisconnectParticipant/disconnected": 1,
	}, seen)
}

func TestASessionKeepsItsVersionAndTheEngineReadsEachOnce(t *testing.T) {
	e := (&house{}).engine()
	one, two := flowOf(TypeInbound, doc(mark("one"))), flowOf(TypeInbound, doc(mark("two")))
	for _, f := range []*Flow{one, two, one, two, one} {
		s := newScript(t)
		if _, err := e.Run(t.Context(), Run{Flow: f, Participant: s, Contact: s}); err != nil {
			t.Fatal(err)
		}
		if want := said(e.documents[f.Published].Start); !slices.Equal(s.did, want) {
			t.Errorf("want %v, got %v", want, s.did)
		}
	}
	check(t, 2, len(e.documents))
}
