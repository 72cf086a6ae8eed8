package audit

import (
	"context"
	"strings"
	"testing"
	"time"
)

func TestSecretsAreNeverWrittenDown(t *testing.T) {
	before := `{"name":"a","passwordHash":"old","nested":{"secret":"s1","list":[{"tokenSha256":"t"}]},"n":1.50,"pin":"1","pinging":"x"}`
	after := `{"name":"b","passwordHash":"new","nested":{"secret":"s1","list":[{"tokenSha256":"u"}]},"headerValues":"sealed","previousSecret":""}`
	b, a := Redact([]byte(before), []byte(after))
	for _, secret := range []string{`"old"`, `"new"`, `"s1"`, `"t"`, `"u"`, `"sealed"`, `"1"`} {
		if strings.Contains(string(b)+string(a), secret) {
			t.Errorf("%s is written down: %s %s", secret, b, a)
		}
	}
	for _, want := range []string{`"name":"a"`, `"n":1.50`, `"pinging":"x"`} {
		if !strings.Contains(string(b), want) {
			t.Errorf("%s is missing: %s", want, b)
		}
	}
	if !strings.Contains(string(a), `"passwordHash":"`+HiddenNew+`"`) || !strings.Contains(string(a), `"secret":"`+Hidden+`"`) {
		t.Errorf("it does not show what is new: %s", a)
	}
	if b, a = Redact(nil, []byte(`{"secret":"x"}`)); b != nil || strings.Contains(string(a), `"x"`) {
		t.Errorf("a creation: %s %s", b, a)
	}
	if b, a = Redact([]byte("no JSON"), nil); b != nil || a != nil {
		t.Errorf("no JSON: %s %s", b, a)
	}
}

func TestATrailThatWasChangedShowsIt(t *testing.T) {
	var list []Entry
	prev := ""
	for i := range 5 {
		e := Entry{Seq: int64(i) + 1, InstanceID: "i1", At: time.Unix(int64(i), 0), Operation: "Op"}
		hash, err := Chain(prev, e)
		if err != nil {
			t.Fatal(err)
		}
		e.Hash, prev = hash, hash
		list = append(list, e)
	}
	if broken, last, err := Verify("", 0, list); broken != 0 || last != prev || err != nil {
		t.Errorf("whole: %d %v", broken, err)
	}
	changed := append([]Entry{}, list...)
	changed[2].UserID = "somebody else"
	removed := append(append([]Entry{}, list[:1]...), list[2:]...)
	for want, entries := range map[int64][]Entry{3: changed, 2: removed} {
		if broken, _, err := Verify("", 0, entries); broken != want || err != nil {
			t.Errorf("broken at %d, want %d: %v", broken, want, err)
		}
	}
}

func TestAnEntryKeepsWhatFits(t *testing.T) {
	ctx, open := Begin(t.Context())
	for range maxChanges + 3 {
		Touch(ctx, "queue", "q", "n", nil, []byte(`{}`))
	}
	Touch(context.Background(), "queue", "elsewhere", "", nil, nil)
	if got := open.Changes(); len(got) != maxChanges+1 || string(got[maxChanges].After) != "3" || !Watched(ctx) || Watched(context.Background()) {
		t.Errorf("%d changes, the last %+v", len(got), got[len(got)-1])
	}
}
