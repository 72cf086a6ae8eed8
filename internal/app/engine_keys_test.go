package app

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"strings"
	"testing"
	"time"

	"ullim/internal/events"
	"ullim/ivr"
	"ullim/sip/siptest"
)

// keyFlow greets, asks for one key, then for a number, then for a card whose digits nobody may see, and hands the caller
// to the queue.
const keyFlow = `{"Version":"2019-10-30","StartAction":"Hello","Actions":[
	{"Identifier":"Hello","Type":"MessageParticipant","Parameters":{"Text":"Hello and welcome to all of you, wherever you are"},
	 "Transitions":{"NextAction":"Menu"}},
	{"Identifier":"Menu","Type":"GetParticipantInput","Parameters":{"Text":"Press one of the keys that I will now read to you"},
	 "Transitions":{"Conditions":[{"NextAction":"Number","Condition":{"Operator":"Equals","Operands":["1"]}}],
	 "Errors":[{"NextAction":"Bye","ErrorType":"NoMatchingError"},{"NextAction":"Bye","ErrorType":"NoMatchingCondition"},
	 {"NextAction":"Bye","ErrorType":"InputTimeLimitExceeded"}]}},
	{"Identifier":"Number","Type":"GetParticipantInput","Parameters":{"Text":"Your number","StoreInput":"True",
	 "InputValidation":{"CustomValidation":{"MaximumLength":"8"}}},
	 "Transitions":{"NextAction":"Keep","Errors":[{"NextAction":"Bye","ErrorType":"NoMatchingError"}]}},
	{"Identifier":"Keep","Type":"UpdateContactAttributes","Parameters":{"Attributes":{"number":"$.StoredCustomerInput"}},
	 "Transitions":{"NextAction":"Card","Errors":[{"NextAction":"Bye","ErrorType":"NoMatchingError"}]}},
	{"Identifier":"Card","Type":"GetParticipantInput","Parameters":{"Text":"Your card","StoreInput":"True","InputTimeLimitSeconds":"20",
	 "InputValidation":{"CustomValidation":{"MaximumLength":"16"}},"InputEncryption":{"EncryptionKeyId":"cards","Key":%q}},
	 "Transitions":{"NextAction":"Queue","Errors":[{"NextAction":"Bye","ErrorType":"NoMatchingError"}]}},
	{"Identifier":"Queue","Type":"UpdateContactTargetQueue","Parameters":{"QueueId":"Sales"},
	 "Transitions":{"NextAction":"Waiting","Errors":[{"NextAction":"Bye","ErrorType":"NoMatchingError"}]}},
	{"Identifier":"Waiting","Type":"UpdateContactEventHooks","Parameters":{"EventHooks":{"CustomerQueue":"waiting"}},
	 "Transitions":{"NextAction":"Wait","Errors":[{"NextAction":"Bye","ErrorType":"NoMatchingError"}]}},
	{"Identifier":"Wait","Type":"TransferContactToQueue","Parameters":{},
	 "Transitions":{"Errors":[{"NextAction":"Bye","ErrorType":"QueueAtCapacity"},{"NextAction":"Bye","ErrorType":"NoMatchingError"}]}},
	{"Identifier":"Bye","Type":"DisconnectParticipant","Parameters":{},"Transitions":{}}]}`

// waitingFlow finds in the queue what was typed before.
const waitingFlow = `{"Version":"2019-10-30","StartAction":"Keep","Actions":[
	{"Identifier":"Keep","Type":"UpdateContactAttributes","Parameters":{"Attributes":{"card":"$.StoredCustomerInput"}},
	 "Transitions":{"NextAction":"Bye","Errors":[{"NextAction":"Bye","ErrorType":"NoMatchingError"}]}},
	{"Identifier":"Bye","Type":"DisconnectParticipant","Parameters":{},"Transitions":{}}]}`

func TestKeysPressedAheadAreKeptAndACardIsSeenByNobody(t *testing.T) {
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(&private.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	key := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	inFloor(t, siptest.NetworkOptions{Seed: 41}, func(ctx context.Context, f *floor) {
		const card = "4111222233334444"
		f.must(f.app.flows.Create(ctx, &ivr.Flow{Meta: f.stage.meta("waiting"), Type: ivr.TypeCustomerQueue, Content: waitingFlow}, ivr.Published))
		f.answerWith(fmt.Sprintf(keyFlow, key))
		var told strings.Builder
		kept := make(chan bool, 1) // the action before the card has run
		stop := f.app.events.Tap(func(e events.Event) {
			fmt.Fprintf(&told, "%+v\n", e)
			if e.Kind == "flow" && strings.Contains(e.Detail, `"Keep"`) {
				select {
				case kept <- true:
				default:
				}
			}
		})
		defer stop()
		c, err := f.carrier.Call(ctx, f.act.number, f.act.from, siptest.CallOptions{})
		f.must(err)
		f.must(c.WaitAnswered(ctx))
		time.Sleep(200 * time.Millisecond) // in the greeting: nobody has asked for anything yet
		f.must(c.SendDigits("142#"))
		<-kept
		time.Sleep(100 * time.Millisecond)
		f.must(c.SendDigits(card))
		_, err = c.WaitEnded(ctx)
		f.must(err)
		time.Sleep(time.Second)
		r := contactsOf(t, f.trial)[0]
		if r.Attributes["number"] != "42" || strings.Count(r.Attributes["card"], ".") != 4 || r.Queue == nil {
			t.Errorf("record %+v", r)
		}
		all, err := json.Marshal(r)
		f.must(err)
		if text := string(all) + told.String(); strings.Contains(text, card[:6]) || strings.Contains(text, card[10:]) {
			t.Errorf("the card is told:\n%s", text)
		}
	})
}
