package ivr

import (
	"encoding/json"
	"maps"
	"slices"
)

// ActionInfo is what there is to know of an action type before it is used: for tests that cover all of them, and for
// whoever draws flows.
type ActionInfo struct {
	Type   string
	Errors []string   // error types that it can give
	Flows  []FlowType // where it may be used; nil: everywhere
	Last   bool       // it ends the flow
}

// ActionTypes lists the actions that this version runs, by type; of names for the same action, the one that is written.
func ActionTypes() []string {
	names := slices.Sorted(maps.Keys(kinds()))
	return slices.DeleteFunc(names, func(name string) bool {
		return name == "StoreUserInput" || name == "UntagContact" || name == "UpdateContactRoutingCriteria" // other names
	})
}

// Describe says what an action type is; false if this version does not know it.
func Describe(name string) (ActionInfo, bool) {
	if _, no := newAction(name).(unsupported); no {
		return ActionInfo{}, false
	}
	info := ActionInfo{Type: name, Errors: sometimes(name)}
	for _, parameters := range forms(name) {
		a := newAction(name)
		var m map[string]any
		if json.Unmarshal([]byte(parameters), &m) != nil {
			continue // cannot be: the forms are constants, and tests read them all
		}
		a.read(&params{doc: &Document{}, at: "Parameters", m: m})
		r := a.rules()
		info.Errors = append(info.Errors, r.errors...)
		info.Flows, info.Last = r.flows, r.last
	}
	slices.Sort(info.Errors)
	info.Errors = slices.Compact(info.Errors)
	return info, true
}

// forms are parameters of the forms that an action has different rules for.
func forms(name string) []string {
	switch name {
	case "GetParticipantInput":
		return []string{
			`{"StoreInput":"True","InputValidation":{"PhoneNumberValidation":{"NumberFormat":"E164"}}}`, `{"StoreInput":"False"}`,
		}
	case "TransferParticipantToThirdParty":
		return []string{`{"ContinueFlowExecution":"True"}`, `{"ContinueFlowExecution":"False"}`}
	case "UpdateContactRecordingAndAnalyticsBehavior":
		return []string{`{"ChatBehavior":{"ChatAnalyticsBehavior":{"InFlightChatRedactionConfiguration":{"Enabled":"True"}}}}`}
	}
	return []string{`{}`}
}

// sometimes are errors that an action can give and that its flow need not have a branch for.
func sometimes(name string) []string {
	switch name {
	case "MessageParticipant", "MessageParticipantIteratively", "UpdateFlowAttributes", "UpdateContactTextToSpeechVoice":
		return []string{errNoMatch}
	case "Wait":
		return []string{errNoParticipant}
	}
	return nil
}
