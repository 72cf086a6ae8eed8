package agent

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestFramesOfClientsAreReadStrictly(t *testing.T) {
	for _, row := range []struct {
		text string
		ok   bool
	}{
		{`{"type":"pong"}`, true},
		{`{"type":"refresh"}`, true},
		{`{"type":"command","id":"1","name":"hold","contactId":"c","args":{"participant":1}}`, true},
		{`{"type":"command","id":"1","name":"hold","contact":"c"}`, false},
		{`{"type":"pong"}{"type":"pong"}`, false},
		{`{"type":"subscribe"}`, false},
		{`{"type":1}`, false},
		{`[]`, false},
		{`null`, false},
		{``, false},
	} {
		if _, err := readFrame([]byte(row.text)); (err == nil) != row.ok {
			t.Errorf("%s: %v", row.text, err)
		}
	}
}

func TestACursorIsReadBackAndNothingElseIsOne(t *testing.T) {
	for _, seq := range []uint64{0, 1, 1 << 60} {
		if life, got, ok := parseCursor(cursor("ab12", seq)); !ok || life != "ab12" || got != seq {
			t.Errorf("%d became %q %d %v", seq, life, got, ok)
		}
	}
	for _, text := range []string{"", "ab", "ab.", "ab.-1", "ab.x", "ab.1.2", strings.Repeat("a", 80) + ".1"} {
		if _, _, ok := parseCursor(text); ok {
			t.Errorf("%q is a cursor", text)
		}
	}
}

func TestWhatHappenedIsNamedAsStreamsNamesIt(t *testing.T) {
	body := func(c Contact) json.RawMessage { return encode(c) }
	for _, row := range []struct {
		was, is Contact
		fresh   bool
		want    string
	}{
		{fresh: true, is: Contact{State: "CONNECTING"}, want: "connecting"},
		{fresh: true, is: Contact{State: "CONNECTED"}, want: "connected"},
		{was: Contact{State: "CONNECTING"}, is: Contact{State: "CONNECTED"}, want: "connected"},
		{was: Contact{State: "CONNECTED"}, is: Contact{State: "CONNECTED_ONHOLD"}, want: "onhold"},
		{was: Contact{State: "CONNECTED_ONHOLD"}, is: Contact{State: "CONNECTED"}, want: "resumed"},
		{was: Contact{State: "CONNECTING"}, is: Contact{State: "MISSED"}, want: "missed"},
		{was: Contact{State: "CONNECTING"}, is: Contact{State: "ERROR"}, want: "error"},
		{was: Contact{State: "CONNECTED"}, is: Contact{State: "ENDED"}, want: "ended acw"},
		{was: Contact{State: "CONNECTED"}, is: Contact{State: "CONNECTED", Recording: "ON"}, want: "recording"},
		{was: Contact{State: "ENDED"}, is: Contact{State: "ENDED", Notes: "x"}, want: "written"},
		{was: Contact{State: "CONNECTED"}, is: Contact{State: "CONNECTED", Participants: []Participant{{ID: 1}}}, want: "participants"},
		{was: Contact{State: "CONNECTED"}, is: Contact{State: "CONNECTED", Attributes: map[string]string{"a": "b"}}, want: "refresh"},
	} {
		was := body(row.was)
		if row.fresh {
			was = nil
		}
		if got := strings.Join(happened(was, body(row.is)), " "); got != row.want {
			t.Errorf("%s to %s: %q, want %q", row.was.State, row.is.State, got, row.want)
		}
	}
}

func TestTimesSortAsText(t *testing.T) {
	var texts []string
	for _, ms := range []int64{0, 5, 50, 500, 999, 1000, 1500} {
		b, err := json.Marshal(at(time.UnixMilli(1_800_000_000_000 + ms).In(time.FixedZone("KST", 9*3600))))
		if err != nil {
			t.Fatal(err)
		}
		texts = append(texts, string(b))
		var back Time
		if err = json.Unmarshal(b, &back); err != nil || back.UnixMilli() != 1_800_000_000_000+ms {
			t.Errorf("%s was read as %v: %v", b, back, err)
		}
	}
	if !slices.IsSorted(texts) {
		t.Errorf("%v", texts)
	}
}

// FuzzFrame: whatever comes is a frame of a known type, or a fault that says so in two languages.
func FuzzFrame(f *testing.F) {
	for _, s := range []string{`{"type":"pong"}`, `{"type":"command","id":"1","name":"hold","args":{}}`, `{"type":"command","args":1}`, "\x00", `{"id":{}}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		in, err := readFrame(data)
		if err != nil {
			if w := faultOf(err); w.Code != codeBadFrame || w.Message == "" || w.Korean == "" || w.Key == "" {
				t.Fatalf("%q: %+v", data, w)
			}
			return
		}
		if in.Type != frameCommand && in.Type != framePong && in.Type != frameRefresh {
			t.Fatalf("%q is a %q", data, in.Type)
		}
		if _, wrong := in.check(); wrong != nil && wrong.status() >= 500 {
			t.Fatalf("%q: %+v", data, wrong)
		}
		_ = digestOf(&in.Command)
	})
}

func TestEveryCodeHasWordsInBothLanguages(t *testing.T) {
	for _, c := range []code{
		codeBadFrame, codeUnknown, codeInvalid, codeNotYours, codeOnDevice, codeState, codeNotFound, codeDenied, codeConflict, codeLimit, codeThrottled,
		codeUnavailable, codeTimeout, codeInternal, codeReused, codeOutcomeUnknown, codeSignedOut, codeSignIn, codePassword, codeOrigin,
	} {
		w := c.words()
		if w.status < 400 || w.en == "" || !strings.ContainsFunc(w.ko, func(r rune) bool { return r >= '가' && r <= '힣' }) {
			t.Errorf("%s: %+v", c, w)
		}
		if c != codeInternal && w == codeInternal.words() {
			t.Errorf("%s has the words of another", c)
		}
	}
}
