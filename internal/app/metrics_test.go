package app

import (
	"errors"
	"testing"

	"ullim/internal/call"
	"ullim/internal/errs"
	"ullim/internal/telemetry"
	"ullim/media"
	"ullim/sip"
)

func TestARefusalIsCountedByWhatRefusedIt(t *testing.T) {
	full := errs.Wrap(errors.Join(media.ErrNoPort, errors.New("address in use")), errs.Unavailable, "no media port free")
	away := errs.Wrap(errors.Join(call.ErrNotStored, errors.New("no database")), errs.Unavailable, "the contact could not be stored")
	for _, c := range []struct {
		what     string
		r        sip.Refused
		draining bool
		want     telemetry.Refusal
	}{
		{"no port", sip.Refused{Status: 503, Rule: "call", Err: full}, false, telemetry.RefusedNoPort},
		{"no port, draining", sip.Refused{Status: 503, Rule: "call", Err: full}, true, telemetry.RefusedNoPort},
		{"no database", sip.Refused{Status: 503, Rule: "call", Err: away}, false, telemetry.RefusedStorage},
		{"too many calls", sip.Refused{Status: 503, Rule: "call", Err: errs.New(errs.Unavailable, "full")}, false, telemetry.RefusedUnavailable},
		{"draining", sip.Refused{Status: 503, Rule: "draining"}, true, telemetry.RefusedDraining},
		{"shed", sip.Refused{Status: 503}, false, telemetry.RefusedRate},
		{"no channel", sip.Refused{Status: 486, Rule: "channels"}, false, telemetry.RefusedChannels},
		{"calls a second", sip.Refused{Status: 503, Rule: "channels"}, false, telemetry.RefusedTrunkRate},
		{"no leg", sip.Refused{Status: 503, Rule: "legs"}, false, telemetry.RefusedChannels},
		{"no number", sip.Refused{Status: 404, Rule: "number", Err: errs.New(errs.NotFound, "nobody")}, false, telemetry.RefusedNoNumber},
		{"no flow", sip.Refused{Status: 404, Rule: "flow", Err: errs.New(errs.NotFound, "no flow")}, false, telemetry.RefusedNoFlow},
		{"codec", sip.Refused{Status: 488, Rule: "media", Err: errs.New(errs.Invalid, "no codec")}, false, telemetry.RefusedMedia},
		{"no credentials", sip.Refused{Status: 401, Rule: "digest"}, false, telemetry.RefusedUnknown},
		{"may not", sip.Refused{Status: 403, Rule: "outbound"}, false, telemetry.RefusedPermission},
		{"malformed", sip.Refused{Status: 400}, false, telemetry.RefusedMalformed},
		{"a bug", sip.Refused{Status: 500, Rule: "call", Err: errors.New("panic")}, false, telemetry.RefusedOther},
	} {
		if got := refusalOf(c.r, c.draining); got != c.want {
			t.Errorf("%s: %s, want %s", c.what, got, c.want)
		}
	}
}
