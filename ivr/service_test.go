package ivr

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"ullim/internal/contact"
	"ullim/internal/errs"
	"ullim/internal/resource"
)

var someEnd = doc(act("end", "DisconnectParticipant", ""))

func TestADraftIsNotCheckedAndPublishingIs(t *testing.T) {
	store := newMemory()
	s := NewService(store)
	f := &Flow{Type: TypeInbound, Content: `{"anything": 1}`}
	f.InstanceID, f.Name = "i-1", "My flow"
	if err := s.Create(t.Context(), f, Saved); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Published(t.Context(), "i-1", f.ID); !errs.Is(err, errs.NotFound) {
		t.Errorf("a draft can be run: %v", err)
	}
	if _, err := s.Publish(t.Context(), "i-1", f.ID); len(ProblemsOf(err)) == 0 {
		t.Errorf("published: %v", err)
	}
	got, err := s.UpdateContent(t.Context(), "i-1", f.ID, someEnd, Published)
	if err != nil || got.Published != someEnd || got.PublishedVersion != 1 || got.PublishedAt.IsZero() {
		t.Fatal(got, err)
	}
	// A new draft leaves what runs alone.
	if got, err = s.UpdateContent(t.Context(), "i-1", f.ID, "{}", Saved); err != nil || got.Published != someEnd || got.Content != "{}" {
		t.Fatal(got, err)
	}
	// What cannot be published changes nothing, neither the draft.
	if _, err = s.UpdateContent(t.Context(), "i-1", f.ID, `{"Version":"x"}`, Published); ProblemsOf(err) == nil {
		t.Fatal(err)
	}
	if got, err = s.Published(t.Context(), "i-1", f.ID); err != nil || got.Content != "{}" || got.Published != someEnd || got.PublishedVersion != 1 {
		t.Fatal(got, err)
	}
	if _, err = s.UpdateContent(t.Context(), "i-1", f.ID, `{`, Saved); !errs.Is(err, errs.Invalid) {
		t.Errorf("a draft that is not JSON: %v", err)
	}
	if _, err = s.UpdateContent(t.Context(), "i-1", f.ID, `{}`, "LIVE"); !errs.Is(err, errs.Invalid) {
		t.Errorf("an unknown status: %v", err)
	}
}

func TestPublishingIsAtomicWhenTwoPeopleDoIt(t *testing.T) {
	store := newMemory()
	s := NewService(store)
	f := &Flow{Type: TypeInbound, Content: someEnd}
	f.InstanceID, f.Name = "i-1", "My flow"
	if err := s.Create(t.Context(), f, Published); err != nil {
		t.Fatal(err)
	}
	other := doc(act("other", "DisconnectParticipant", ""))
	store.race = func() {
		if _, err := s.UpdateContent(t.Context(), "i-1", f.ID, other, Published); err != nil {
			t.Error(err)
		}
	}
	mine := doc(act("mine", "DisconnectParticipant", ""))
	got, err := s.UpdateContent(t.Context(), "i-1", f.ID, mine, Published)
	if err != nil || got.Published != mine || got.PublishedVersion != 3 {
		t.Fatal(got, err)
	}
}

func TestTheContentIsKeptByteForByte(t *testing.T) {
	content := "{\r\n \"Version\":\"2019-10-30\", \"StartAction\":\"end\",\"Unknown\":{\"z\":1,\"a\":[1.0e2]},\n\t\"Actions\":[{\"Identifier\":\"end\"," +
		"\"Type\":\"DisconnectParticipant\",\"Parameters\":{},\"Transitions\":{},\"More\":true}],\"Metadata\":{\"entryPointPosition\":{\"x\":20}}}\n"
	s := NewService(newMemory())
	f := &Flow{Type: TypeInbound, Content: content}
	f.InstanceID, f.Name = "i-1", "My flow"
	if err := s.Create(t.Context(), f, Published); err != nil {
		t.Fatal(err)
	}
	got, err := s.Get(t.Context(), "i-1", f.ID)
	if err != nil || got.Content != content || got.Published != content {
		t.Errorf("%q, %v", got.Content, err)
	}
}

func TestAFlowIsFoundByARNIdAndName(t *testing.T) {
	s := NewService(newMemory())
	f := &Flow{Type: TypeInbound, Content: someEnd}
	f.InstanceID, f.Name = "i-1", "My flow"
	if err := s.Create(t.Context(), f, Published); err != nil {
		t.Fatal(err)
	}
	arn := "arn:aws:connect:local:1:instance/i-1/contact-flow/" + f.ID
	for ref, found := range map[string]bool{
		f.ID: true, "My flow": true, arn: true, arn + ":$LATEST": true, f.ID + ":$SAVED": true,
		"my flow": false, "": false, "00000000-0000-0000-0000-000000000000": false, "arn:": false,
		strings.Replace(arn, "i-1", "i-2", 1): false, strings.Replace(arn, "contact-flow", "queue", 1): false,
		strings.Replace(arn, ":connect:", ":s3:", 1): false, arn + "/x": false,
	} {
		got, err := s.Published(t.Context(), "i-1", ref)
		if found && (err != nil || got.ID != f.ID) || !found && !errs.Is(err, errs.NotFound) {
			t.Errorf("%q: %v", ref, err)
		}
	}
	if _, err := s.Published(t.Context(), "i-2", f.ID); !errs.Is(err, errs.NotFound) {
		t.Errorf("another instance finds it: %v", err)
	}
}

func TestMetadataStateAndDeletion(t *testing.T) {
	s := NewService(newMemory())
	f := &Flow{Type: TypeInbound, Content: someEnd}
	f.InstanceID, f.Name = "i-1", "My flow"
	if err := s.Create(t.Context(), f, Published); err != nil {
		t.Fatal(err)
	}
	name, archived, empty := "New name", true, ""
	got, err := s.UpdateMetadata(t.Context(), "i-1", f.ID, Metadata{Name: &name, Archived: &archived})
	if err != nil || got.Name != name || !got.Archived || got.Type != TypeInbound || got.Published != someEnd {
		t.Fatal(got, err)
	}
	if _, err = s.Published(t.Context(), "i-1", f.ID); !errs.Is(err, errs.NotFound) {
		t.Errorf("an archived flow runs: %v", err)
	}
	if _, err = s.Publish(t.Context(), "i-1", f.ID); !errs.Is(err, errs.InvalidRequest) {
		t.Errorf("an archived flow is published: %v", err)
	}
	if _, err = s.UpdateMetadata(t.Context(), "i-1", f.ID, Metadata{Name: &empty}); !errs.Is(err, errs.Invalid) {
		t.Errorf("no name: %v", err)
	}
	if err = s.Delete(t.Context(), "i-1", f.ID); err != nil {
		t.Error(err)
	}
	if err = s.Delete(t.Context(), "i-1", f.ID); !errs.Is(err, errs.NotFound) {
		t.Errorf("twice: %v", err)
	}
}

func TestEveryInstanceGetsADefaultOfEachTypeThatCanBePublished(t *testing.T) {
	for _, language := range []string{"en-US", "ko-KR", "", "fr-FR"} {
		var kinds []FlowType
		for _, f := range Defaults(language) {
			kinds = append(kinds, f.Type)
			if err := Check(f.Content, f.Type); err != nil {
				t.Errorf("%s %s: %v", language, f.Name, err)
			}
			if f.Content != f.Published || f.Name != DefaultName(f.Type) || f.Name == "" || !f.Default {
				t.Errorf("%s %s is not ready", language, f.Name)
			}
			d, err := Parse(f.Content)
			if err != nil {
				t.Fatal(err)
			}
			for _, w := range Warnings(d) {
				if !strings.Contains(w.Message, "TransferContactToAgent") {
					t.Errorf("%s %s: %s", language, f.Name, w)
				}
			}
			korean := strings.ContainsFunc(f.Content, func(r rune) bool { return r >= '가' && r <= '힣' })
			if english := strings.Contains(f.Content, "\"Text\": \"") && !strings.Contains(f.Content, "$.Queue.Name"); english && korean != (language == "ko-KR") {
				t.Errorf("%s %s is in the wrong language", language, f.Name)
			}
		}
		want := slices.DeleteFunc(FlowTypes(), func(k FlowType) bool { return k == TypeCampaign })
		slices.Sort(want)
		slices.Sort(kinds)
		check(t, want, kinds)
	}
}

func TestDefaultsAreStoredOnceFoundByTypeAndStay(t *testing.T) {
	store := newMemory()
	s := NewService(store)
	for range 2 {
		if err := s.CreateDefaults(t.Context(), "i-1", "ko-KR"); err != nil {
			t.Fatal(err)
		}
	}
	check(t, 9, len(store.all))
	f, err := s.Default(t.Context(), "i-1", TypeCustomerQueue)
	if err != nil || f.Name != "Default customer queue" || f.Type != TypeCustomerQueue {
		t.Fatal(f, err)
	}
	name := "Renamed"
	if _, err = s.UpdateMetadata(t.Context(), "i-1", f.ID, Metadata{Name: &name}); err != nil {
		t.Fatal(err)
	}
	for _, service := range []*Service{s, NewService(store)} { // with the hint and without
		if f, err = service.Default(t.Context(), "i-1", TypeCustomerQueue); err != nil || f.Name != name {
			t.Error(f, err)
		}
	}
	if err = s.Delete(t.Context(), "i-1", f.ID); !errs.Is(err, errs.InvalidRequest) {
		t.Errorf("a default flow is deleted: %v", err)
	}
	archived := true
	if _, err = s.UpdateMetadata(t.Context(), "i-1", f.ID, Metadata{Archived: &archived}); !errs.Is(err, errs.InvalidRequest) {
		t.Errorf("a default flow is archived: %v", err)
	}
	for _, kind := range []FlowType{TypeCampaign, "NO_SUCH"} {
		if _, err = s.Default(t.Context(), "i-1", kind); !errs.Is(err, errs.NotFound) {
			t.Errorf("%s: %v", kind, err)
		}
	}
	if _, err = s.Default(t.Context(), "i-2", TypeInbound); !errs.Is(err, errs.NotFound) {
		t.Errorf("another instance: %v", err)
	}
	whispers, _, err := s.List(t.Context(), "i-1", resource.Page{}, TypeAgentWhisper, TypeCustomerWhisper)
	if err != nil || len(whispers) != 2 {
		t.Error(whispers, err)
	}
}

func TestStoredFlowsAreRefusedWhenTheyBreakARule(t *testing.T) {
	good := func() *Flow {
		f := flowOf(TypeInbound, someEnd)
		return f
	}
	if err := good().Validate(); err != nil {
		t.Fatal(err)
	}
	for name, spoil := range map[string]func(*Flow){
		"no name":            func(f *Flow) { f.Name = "" },
		"a name with spaces": func(f *Flow) { f.Name = " x" },
		"a name on lines":    func(f *Flow) { f.Name = "x\ny" },
		"a long name":        func(f *Flow) { f.Name = strings.Repeat("x", 128) },
		"an unknown type":    func(f *Flow) { f.Type = "MY_TYPE" },
		"a long description": func(f *Flow) { f.Description = strings.Repeat("x", 501) },
		"no content":         func(f *Flow) { f.Content = "" },
		"a lost publication": func(f *Flow) { f.Published = "" },
	} {
		f := good()
		spoil(f)
		if err := f.Validate(); !errs.Is(err, errs.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestTheDefaultInboundFlow walks through the flow that a new instance answers with.
func TestTheDefaultInboundFlow(t *testing.T) {
	for language, talk := range map[string]string{"en-US": "en-US", "ko-KR": "ko-KR"} {
		tests := []struct {
			name   string
			open   bool
			keys   []string
			full   bool
			out    Outcome
			counts map[string]int
		}{
			{"key 1 leads to the queue", true, []string{"1"}, false, Queued, map[string]int{"gather": 1, "queue": 1, "hangup": 0}},
			{"no key leads to the queue", true, []string{""}, false, Queued, map[string]int{"gather": 1, "queue": 1, "hangup": 0}},
			{"key 9 ends the call", true, []string{"9"}, false, Disconnected, map[string]int{"gather": 1, "queue": 0, "hangup": 1}},
			{"wrong keys are asked again twice", true, []string{"5", "6", "7"}, false, Queued, map[string]int{"gather": 3, "queue": 1, "hangup": 0}},
			{"closed", false, nil, false, Disconnected, map[string]int{"gather": 0, "queue": 0, "hangup": 1}},
			{"a full queue", true, []string{"1"}, true, Disconnected, map[string]int{"gather": 1, "queue": 1, "hangup": 1}},
			{"the caller leaves in the menu", true, nil, false, Left, map[string]int{"gather": 1, "queue": 0, "hangup": 0}},
		}
		for _, tt := range tests {
			t.Run(fmt.Sprint(language, " ", tt.name), func(t *testing.T) {
				s, h := newScript(t, tt.keys...), &house{open: tt.open}
				if tt.full {
					s.fail["queue"] = errs.New(errs.Limit, "full")
				}
				f := Defaults(language)[0]
				out, err := h.engine().Run(t.Context(), Run{Flow: f, Participant: s, Contact: s})
				if err != nil || out != tt.out {
					t.Fatal(out, err, s.did)
				}
				for what, n := range tt.counts {
					if s.count(what) != n {
						t.Errorf("%s: %d times, want %d in %q", what, s.count(what), n, s.did)
					}
				}
				check(t, []string{"record agent=true customer=true"}, s.only("record"))
				check(t, []string{"target BasicQueue"}, s.only("target"))
				for _, line := range s.only("say") {
					if !strings.HasSuffix(line, ":"+talk) {
						t.Errorf("%s is not %s", line, talk)
					}
				}
			})
		}
	}
}

func TestTheOtherDefaultFlows(t *testing.T) {
	want := map[FlowType]struct {
		out Outcome
		did []string
	}{
		TypeCustomerQueue:   {Left, []string{"say text:All our agents are busy. Your call will be answered in the order in which it arrived.:en-US", "repeat prompt:Music_Default:en-US 0s"}},
		TypeCustomerHold:    {Left, []string{"repeat prompt:Music_Default:en-US 0s"}},
		TypeAgentHold:       {Left, []string{"repeat text:You are on hold.:en-US+prompt:Silence_5sec:en-US+prompt:Silence_5sec:en-US 0s"}},
		TypeCustomerWhisper: {Ended, []string{"say prompt:Beep.wav:en-US"}},
		TypeAgentWhisper:    {Ended, []string{"say text:BasicQueue:en-US"}},
		TypeOutboundWhisper: {Ended, []string{"voice Joanna en-US", "say text:This call is not being recorded.:en-US"}},
		TypeAgentTransfer:   {Disconnected, []string{"say text:The agent cannot be reached at the moment.:en-US", "hangup "}},
		TypeQueueTransfer:   {Queued, []string{"say text:Connecting you to the queue.:en-US", "queue "}},
	}
	for _, f := range Defaults("en-US")[1:] {
		s := newScript(t)
		s.info.Channel, s.info.Queue = contact.Voice, &QueueRef{Name: "BasicQueue"}
		out, err := (&house{}).engine().Run(t.Context(), Run{Flow: f, Participant: s, Contact: s})
		if err != nil || out != want[f.Type].out {
			t.Errorf("%s: %v, %v", f.Name, out, err)
		}
		check(t, want[f.Type].did, s.did)
	}
}
