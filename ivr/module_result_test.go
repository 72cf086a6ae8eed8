package ivr

import (
	"context"
	"testing"
)

func TestAModuleIsGivenInputAndReturnsAResultThatChoosesABranch(t *testing.T) {
	module := doc(
		act("keep", "UpdateContactAttributes", `"Attributes":{"given":"$.Modules.Input.customer.id"}`, "out", "!NoMatchingError>out"),
		act("out", "EndFlowModuleExecution", `"Result":"known","ResultData":{"level":7,"list":["a","b"]}`),
	)
	flow := doc(
		act("ask", "InvokeFlowModule", `"FlowModuleId":"m","Input":{"customer":{"id":"$.CustomerEndpoint.Address"}}`,
			"=unknown>bye", "=known>note", "!NoMatchingError>bye", "!NoMatchingCondition>bye"),
		act("note", "UpdateContactAttributes",
			`"Attributes":{"result":"$.Modules.Result","level":"$.Modules.ResultData.level","second":"$.Modules.ResultData.list[1]","input":"$.Modules.Input.customer.id"}`,
			"bye", "!NoMatchingError>bye"),
		act("bye", "DisconnectParticipant", ""),
	)
	if err := Check(flow, TypeInbound); err != nil {
		t.Fatal(err)
	}
	if err := Check(module, TypeModule); err != nil {
		t.Fatal(err)
	}
	s := newScript(t)
	h := &house{modules: map[string]*Flow{"m": flowOf(TypeModule, module)}}
	e := h.engine()
	e.Modules = h
	out, err := e.Run(context.Background(), Run{Flow: flowOf(TypeInbound, flow), Participant: s, Contact: s})
	if out != Disconnected || err != nil {
		t.Fatalf("%s, %v, did %v", out, err, s.did)
	}
	for name, want := range map[string]string{"given": "+821012345678", "result": "known", "level": "7", "second": "b", "input": ""} {
		if got := s.info.Attributes[name]; got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
}

func TestAModuleWithoutAResultGoesToTheBranchForNoCondition(t *testing.T) {
	flow := doc(
		act("ask", "InvokeFlowModule", `"FlowModuleId":"m"`, "=known>bye", "!NoMatchingError>bye", "!NoMatchingCondition>note"),
		act("note", "UpdateContactAttributes", `"Attributes":{"result":"none"}`, "bye", "!NoMatchingError>bye"),
		act("bye", "DisconnectParticipant", ""),
	)
	s := newScript(t)
	h := &house{modules: map[string]*Flow{"m": flowOf(TypeModule, doc(act("out", "EndFlowModuleExecution", "")))}}
	e := h.engine()
	e.Modules = h
	if out, err := e.Run(context.Background(), Run{Flow: flowOf(TypeInbound, flow), Participant: s, Contact: s}); out != Disconnected || err != nil {
		t.Fatal(out, err)
	}
	if s.info.Attributes["result"] != "none" {
		t.Errorf("attributes %v", s.info.Attributes)
	}
}
