package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ullim/acd"
	"ullim/internal/api/agent/agenttest"
	"ullim/internal/contact"
	"ullim/internal/errs"
	"ullim/internal/identity"
)

func TestCommandsDoWhatTheySay(t *testing.T) {
	h := newHouse(t, "u1")
	h.w.change(func() {
		for _, p := range []string{identity.ManagerListenIn, identity.RealTimeMetrics, identity.UsersEdit} {
			h.w.allowed["u1"][p] = true
		}
		h.w.agents["u2"] = acd.AgentSnapshot{}
	})
	h.w.talk("u1", "c1", acd.SlotConnected)
	h.w.talk("u1", "ringing", acd.SlotOffered)
	h.w.talk("u1", "acw", acd.SlotACW)
	h.w.change(func() {
		a := h.w.agents["u1"]
		a.Slots = append(slices.Clone(a.Slots), acd.Slot{ContactID: "task", Channel: contact.Task, State: acd.SlotConnected})
		h.w.agents["u1"] = a
		c := h.w.chats["task"]
		c.ContactID = "task"
		h.w.chats["task"] = c
	})
	p := h.open(agenttest.Options{})
	for _, row := range []struct{ name, contact, args, want string }{
		{"set-status", "", `{"statusId":"s9"}`, "status u1 s9"},
		{"set-status", "", `{}`, "INVALID args.statusId"},
		{"set-status", "", `{"statusId":"s1","userId":"u2"}`, "INVALID"},
		{"set-status", "", `{"status":"s1"}`, "INVALID args"},
		{"set-agent-status", "", `{"statusId":"s9","userId":"u2"}`, "status u2 s9"},
		{"set-agent-status", "", `{"statusId":"s9","userId":"u7"}`, "NOT_FOUND"},
		{"set-agent-status", "", `{"statusId":"s9"}`, "INVALID args.userId"},
		{"sign-out-agent", "", `{"userId":"u2","statusId":"off"}`, "status u2 off"},
		{"dismiss", "acw", ``, "dismiss u1 acw"},
		{"end-acw", "acw", ``, "dismiss u1 acw"},
		{"end-acw", "c1", ``, "NOT_NOW"},
		{"dismiss", "theirs", ``, "NOT_YOUR_CONTACT"},
		{"dismiss", "", ``, "INVALID contactId"},
		{"pick", "waits", ``, "pick u1 waits"},
		{"accept", "ringing", ``, "ANSWER_ON_DEVICE"},
		{"accept", "c1", ``, "NOT_NOW"},
		{"accept", "task", ``, "accept task u1"},
		{"decline", "ringing", ``, "decline ringing u1"},
		{"decline", "task", ``, "reject task u1"},
		{"complete", "task", ``, "complete task u1"},
		{"complete", "c1", ``, "leave c1 u1"},
		{"leave", "c1", ``, "leave c1 u1"},
		{"leave", "task", ``, "NOT_NOW"},
		{"hold", "c1", ``, "hold c1 -1 true"},
		{"resume", "c1", `{"participant":-1}`, "hold c1 -1 false"},
		{"hold", "task", `{"participant":1}`, "NOT_NOW"},
		{"mute", "c1", ``, "mute c1 2 true"},
		{"unmute", "c1", `{"participant":5}`, "mute c1 5 false"},
		{"digits", "c1", `{"digits":"12#"}`, "digits c1 -1 12#"},
		{"remove", "c1", `{"participant":7}`, "remove c1 7"},
		{"remove", "c1", ``, "NOT_NOW"},
		{"start-recording", "c1", ``, "tape c1 0"},
		{"stop-recording", "c1", ``, "tape c1 1"},
		{"suspend-recording", "c1", ``, "tape c1 2"},
		{"resume-recording", "c1", ``, "tape c1 3"},
		{"transfer", "c1", `{"queueId":"q2","transferFlowId":"f"}`, "transfer c1 u1 {UserID: QueueID:q2 Number: FlowID: TransferFlowID:f}"},
		{"transfer", "c1", `{"quickConnectId":"qc1"}`, "transfer c1 u1 {UserID:u9 QueueID: Number: FlowID: TransferFlowID:f1}"},
		{"transfer", "c1", `{"quickConnectId":"qc2"}`, "transfer c1 u1 {UserID: QueueID: Number: FlowID:f2 TransferFlowID:}"},
		{"transfer", "c1", `{"quickConnectId":"qc9"}`, "NOT_FOUND"},
		{"transfer", "c1", `{}`, "INVALID args"},
		{"consult", "c1", `{"userId":"u2","number":"1"}`, "INVALID args"},
		{"consult", "c1", `{"userId":"u2"}`, "consult c1 u1 {UserID:u2 QueueID: Number: FlowID: TransferFlowID:}"},
		{"invite", "c1", `{"number":"+821"}`, "invite c1 {By:u1 UserID: Number:+821 Supervisor:false Barges:false Hears:0}"},
		{"invite", "c1", `{"queueId":"q"}`, "INVALID"},
		{"dial", "", `{"number":"+821","queueId":"q"}`, "dial u1 {Number:+821 QueueID:q}"},
		{"dial", "", `{}`, "INVALID args.number"},
		{"monitor", "theirs", `{"mode":"COACH"}`, "invite theirs {By:u1 UserID:u1 Number: Supervisor:true Barges:true Hears:2}"},
		{"monitor", "theirs", ``, "invite theirs {By:u1 UserID:u1 Number: Supervisor:true Barges:true Hears:1}"},
		{"monitor", "theirs", `{"mode":"SING"}`, "INVALID args.mode"},
		{"monitor", "c1", ``, "NOT_NOW"},
		{"set-disposition", "acw", `{"code":"SOLD"}`, "disposition acw u1 SOLD"},
		{"set-disposition", "ringing", `{"code":"SOLD"}`, "NOT_NOW"},
		{"set-notes", "c1", `{"notes":"좋은 고객"}`, "notes c1 u1 좋은 고객"},
		{"set-notes", "c1", `{"notes":"` + strings.Repeat("가", 4097) + `"}`, "INVALID args.notes"},
	} {
		h.w.change(func() { h.w.asked = nil })
		var args any
		if row.args != "" {
			args = json.RawMessage(row.args)
		}
		_, err := p.Do(h.ctx(), row.name, row.contact, args)
		got := strings.Join(h.w.notes(), "; ")
		if e, ok := errors.AsType[*agenttest.Error](err); ok {
			if got != "" {
				t.Errorf("%s %s: it did %q and then failed: %v", row.name, row.args, got, err)
			}
			if got = e.Code; e.Field != "" {
				got += " " + e.Field
			}
			if e.Message == "" || e.MessageKo == "" || e.Key == "" {
				t.Errorf("%s: an error without words: %+v", row.name, e)
			}
		} else if err != nil {
			t.Fatal(err)
		}
		if got != row.want {
			t.Errorf("%s %s %s: %q, want %q", row.name, row.contact, row.args, got, row.want)
		}
	}
}

func TestASupervisorWhoListensSteersNothingAndMayChangeHow(t *testing.T) {
	h := newHouse(t, "u1")
	h.w.talk("other", "c1", acd.SlotConnected)
	h.w.change(func() {
		h.w.allowed["u1"][identity.ManagerListenIn] = true
		l := h.w.live["c1"]
		l.Parties[1].Role, l.Parties[1].UserID, l.Parties[1].Hears = 3, "u1", 1
		h.w.live["c1"] = l
		h.w.own["u1"] = []string{"c1"}
	})
	p := h.open(agenttest.Options{})
	v, _ := p.View()
	if c := v.Contacts()["c1"]; c.Role != "SUPERVISOR" || c.Hears != "MONITOR" || !c.OwnCall {
		t.Fatalf("%+v", c)
	}
	for _, name := range []string{"hold", "mute", "start-recording"} {
		var e *agenttest.Error
		if _, err := p.Do(h.ctx(), name, "c1", nil); !errors.As(err, &e) || e.Code != "DENIED" {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := p.Do(h.ctx(), "monitor", "c1", map[string]string{"mode": "BARGE"}); err != nil {
		t.Error(err)
	}
	want := []string{"supervise c1 u1 0"}
	if d := cmp.Diff(want, h.w.notes()); d != "" {
		t.Error(d)
	}
}

func TestEveryCommandNeedsItsPermission(t *testing.T) {
	for name, need := range map[string]string{
		"dial": identity.OutboundCallAccess, "monitor": identity.ManagerListenIn, "set-agent-status": identity.RealTimeMetrics,
		"sign-out-agent": identity.UsersEdit,
	} {
		if got := commands()[name].permission; got != need {
			t.Errorf("%s needs %q", name, got)
		}
	}
	h := newHouse(t, "u1")
	h.w.change(func() { h.w.allowed["u1"] = map[string]bool{identity.BasicAgentAccess: true} })
	h.w.talk("u1", "c1", acd.SlotConnected)
	p := h.open(agenttest.Options{})
	for name, args := range map[string]string{
		"dial": `{"number":"1"}`, "monitor": `{}`, "set-agent-status": `{"userId":"u2","statusId":"s"}`, "sign-out-agent": `{"userId":"u2"}`,
		"transfer": `{"number":"+821"}`, "consult": `{"quickConnectId":"qc3"}`, "invite": `{"number":"+821"}`,
	} {
		var e *agenttest.Error
		if _, err := p.Do(h.ctx(), name, "c1", json.RawMessage(args)); !errors.As(err, &e) || e.Code != "DENIED" {
			t.Errorf("%s: %v", name, err)
		}
	}
	if got := h.w.notes(); got != nil {
		t.Errorf("it did %q", got)
	}
}

func TestTheSameKeyIsTheSameCommand(t *testing.T) {
	h := newHouse(t, "u1", "u2")
	one, two := h.open(agenttest.Options{}), h.open(agenttest.Options{})
	args := map[string]string{"number": "+8215778000"}
	first, err := one.DoKey(h.ctx(), "k", "dial", "", args)
	if err != nil || !first.OK || first.Repeated {
		t.Fatalf("%+v, %v", first, err)
	}
	again, err := two.DoKey(h.ctx(), "k", "dial", "", args)
	if err != nil || !again.OK || !again.Repeated || string(again.Result) != string(first.Result) {
		t.Errorf("again: %+v, %v", again, err)
	}
	other, err := two.DoKey(h.ctx(), "k", "dial", "", map[string]string{"number": "+8215779999"})
	if err != nil || other.Error == nil || other.Error.Code != "ID_REUSED" {
		t.Errorf("another command: %+v, %v", other, err)
	}
	f, err := h.open(agenttest.Options{Token: "uls_u2"}).DoKey(h.ctx(), "k", "dial", "", args)
	if err != nil || !f.OK || f.Repeated {
		t.Errorf("another agent: %+v, %v", f, err)
	}
	// A failure is an answer too.
	h.w.change(func() { h.w.err = errs.New(errs.Limit, "all lines are taken") })
	refused, err := one.DoKey(h.ctx(), "k2", "dial", "", args)
	h.w.change(func() { h.w.err = nil })
	if err != nil || refused.Error == nil || refused.Error.Code != "LIMIT" || refused.Error.Detail != "all lines are taken" {
		t.Errorf("%+v, %v", refused, err)
	}
	if f, err = one.DoKey(h.ctx(), "k2", "dial", "", args); err != nil || f.Error == nil || f.Error.Code != "LIMIT" || !f.Repeated {
		t.Errorf("%+v, %v", f, err)
	}
	if got := len(h.w.notes()); got != 3 {
		t.Errorf("%d calls were made: %q", got, h.w.notes())
	}
}

func TestTwoTabsWithOneKeyAtTheSameTimeDoItOnce(t *testing.T) {
	h := newHouse(t, "u1")
	h.w.change(func() { h.w.slow = make(chan struct{}) })
	var wg sync.WaitGroup
	answers := make(chan agenttest.Frame, 4)
	for range 4 {
		p := h.open(agenttest.Options{})
		wg.Go(func() {
			f, err := p.DoKey(h.ctx(), "k", "dial", "", map[string]string{"number": "1"})
			if err != nil {
				t.Error(err)
			}
			answers <- f
		})
	}
	for len(h.w.notes()) == 0 {
		time.Sleep(time.Millisecond)
	}
	close(h.w.slow)
	wg.Wait()
	close(answers)
	repeated := 0
	for f := range answers {
		if !f.OK {
			t.Errorf("%+v", f)
		}
		if f.Repeated {
			repeated++
		}
	}
	if repeated != 3 || len(h.w.notes()) != 1 {
		t.Errorf("%d were told the first answer; it was done %d times", repeated, len(h.w.notes()))
	}
}

func TestACommandThatAProcessDiedInIsNotGuessedAt(t *testing.T) {
	h := newHouse(t, "u1")
	c := Command{ID: "k", Name: "dial", Args: json.RawMessage(`{"number":"1"}`)}
	h.w.change(func() { h.w.commands["u1 k"] = &noted{digest: digestOf(&c)} })
	f, err := h.open(agenttest.Options{}).DoKey(h.ctx(), "k", "dial", "", c.Args)
	if err != nil || f.Error == nil || f.Error.Code != "OUTCOME_UNKNOWN" || len(h.w.notes()) != 0 {
		t.Errorf("%+v, %v, %q", f, err, h.w.notes())
	}
}

func TestWhileTheStoreIsAwayOnlyWhatIsHarmlessTwiceIsDone(t *testing.T) {
	h := newHouse(t, "u1")
	h.w.talk("u1", "c1", acd.SlotConnected)
	p := h.open(agenttest.Options{})
	h.w.change(func() { h.w.away = errAway })
	if _, err := p.Do(h.ctx(), "hold", "c1", nil); err != nil {
		t.Errorf("hold: %v", err)
	}
	var e *agenttest.Error
	if _, err := p.Do(h.ctx(), "dial", "", map[string]string{"number": "1"}); !errors.As(err, &e) || e.Code != "UNAVAILABLE" {
		t.Errorf("dial: %v", err)
	}
	if d := cmp.Diff([]string{"hold c1 -1 true"}, h.w.notes()); d != "" {
		t.Error(d)
	}
}

func TestCommandsOfOneTabAreDoneInTheirOrderAndNotWithoutBound(t *testing.T) {
	h := newHouse(t, "u1")
	p := h.open(agenttest.Options{})
	h.w.change(func() { h.w.slow = make(chan struct{}) })
	for i := range queued + 5 {
		text := fmt.Sprintf(`{"type":"command","id":"k%d","name":"set-status","args":{"statusId":"%d"}}`, i, i)
		if err := p.Send(h.ctx(), text); err != nil {
			t.Fatal(err)
		}
	}
	f, err := p.DoKey(h.ctx(), "last", "set-status", "", map[string]string{"statusId": "x"})
	if err != nil || f.Error == nil || f.Error.Code != "TOO_OFTEN" {
		t.Errorf("one too many: %+v, %v", f, err)
	}
	close(h.w.slow)
	if err = p.WaitView(h.ctx(), func(*agenttest.View) bool { return len(h.w.notes()) >= queued }); err != nil {
		t.Fatal(err)
	}
	for i, note := range h.w.notes() {
		if note != fmt.Sprint("status u1 ", i) {
			t.Errorf("number %d is %q", i, note)
		}
	}
}

func TestAPanicInACommandIsAnAnswer(t *testing.T) {
	w := newFakeWorld("u1")
	s := w.service(t)
	h, release, err := s.hub(t.Context(), ours, "u1")
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	p, err := w.principal("u1")
	if err != nil {
		t.Fatal(err)
	}
	who := &caller{Principal: p, hub: h, log: s.o.Log}
	r := s.perform(t.Context(), who, &Command{ID: "k", Name: "x"}, spec{do: func(*Service, context.Context, *asked) (any, error) {
		var none *hub
		return none.seq, nil
	}})
	if r.Error == nil || r.Error.Code != codeInternal || r.Error.Detail != "" || s.Counts().Panics.Load() != 1 {
		t.Errorf("%+v", r)
	}
}
