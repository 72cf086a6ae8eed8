package app

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
)

func TestEveryLineOfACallHasBothItsNames(t *testing.T) {
	var out bytes.Buffer
	names := newCallNames()
	log := names.correlate(slog.New(slog.NewTextHandler(&out, nil)))
	names.add("contact-1", "call-1")
	for _, r := range []struct {
		name string
		log  *slog.Logger
		args []any
		want string
	}{
		{"contact known", log.With("contact_id", "contact-1"), nil, "contact_id=contact-1 call_id=call-1"},
		{"call known", log.With("call_id", "call-1"), nil, "call_id=call-1 contact_id=contact-1"},
		{"on the line", log, []any{"contact_id", "contact-1"}, "contact_id=contact-1 call_id=call-1"},
		{"the agent's leg has a Call-ID of its own", log.With("contact_id", "contact-1", "call_id", "call-2"), nil, "contact_id=contact-1 call_id=call-2"},
		{"neither", log, []any{"x", 1}, "x=1"},
		{"a stranger", log.With("call_id", "call-9"), nil, "call_id=call-9"},
	} {
		out.Reset()
		r.log.Info("line", r.args...)
		if !strings.HasSuffix(strings.TrimSpace(out.String()), "msg=line "+r.want) {
			t.Errorf("%s: %s", r.name, out.String())
		}
	}
	names.remove("contact-1")
	out.Reset()
	log.Info("line", "contact_id", "contact-1")
	if strings.Contains(out.String(), "call-1") || len(names.byCallID) != 0 || len(names.byContact) != 0 {
		t.Errorf("names are kept after the call: %s", out.String())
	}
}
