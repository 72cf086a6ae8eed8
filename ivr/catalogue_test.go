package ivr

import (
	"encoding/json"
	"slices"
	"testing"
)

func TestEveryActionTypeIsDescribed(t *testing.T) {
	for _, name := range ActionTypes() {
		info, ok := Describe(name)
		if !ok {
			t.Errorf("%s is not described", name)
		}
		for _, form := range forms(name) {
			if !json.Valid([]byte(form)) {
				t.Errorf("%s: a form is not JSON: %s", name, form)
			}
		}
		if info.Last && len(info.Errors) > 0 {
			t.Errorf("%s ends the flow and has errors %v", name, info.Errors)
		}
	}
	for name, want := range map[string][]string{
		"GetParticipantInput":             {errInputTime, errInvalidPhone, errNoCondition, errNoMatch},
		"TransferParticipantToThirdParty": {errCallFailed, errCallTime, errNoMatch},
		"Wait":                            {errNoMatch, errNoParticipant},
		"Loop":                            nil,
	} {
		info, _ := Describe(name)
		if !slices.Equal(info.Errors, want) {
			t.Errorf("%s can give %v, not %v", name, info.Errors, want)
		}
	}
	if _, ok := Describe("CreateWisdomSession"); ok {
		t.Error("an action that is not there is described")
	}
}
