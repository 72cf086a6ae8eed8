package sip

import (
	"errors"
	"net/netip"
	"strings"
	"testing"

	"ullim/internal/errs"
	"ullim/internal/resource"
)

func testTrunk(name string, addresses ...string) *Trunk {
	return &Trunk{Meta: resource.Meta{ID: "id-" + name, Name: name}, Addresses: addresses}
}

// wantField checks that err is Invalid and names the field; an empty field wants no error.
func wantField(t *testing.T, err error, field string) {
	t.Helper()
	if field == "" {
		if err != nil {
			t.Errorf("unexpected: %v", err)
		}
		return
	}
	e, ok := errors.AsType[*errs.Error](err)
	if !ok || e.Kind != errs.Invalid || e.Field != field {
		t.Errorf("got %v, want Invalid %s", err, field)
	}
}

func TestTrunkRules(t *testing.T) {
	md5Hex, shaHex := HA1("a", "r", "p")
	for name, c := range map[string]struct {
		edit  func(*Trunk)
		field string
	}{
		"all well":                 {func(*Trunk) {}, ""},
		"no name":                  {func(t *Trunk) { t.Name = "" }, "Name"},
		"long name":                {func(t *Trunk) { t.Name = strings.Repeat("x", 128) }, "Name"},
		"longest name":             {func(t *Trunk) { t.Name = strings.Repeat("x", 127) }, ""},
		"Korean name":              {func(t *Trunk) { t.Name = "통신사 1" }, ""},
		"control in name":          {func(t *Trunk) { t.Name = "a\nb" }, "Name"},
		"space after name":         {func(t *Trunk) { t.Name = "a " }, "Name"},
		"long description":         {func(t *Trunk) { t.Description = strings.Repeat("x", 251) }, "Description"},
		"nothing to recognise":     {func(t *Trunk) { t.Addresses = nil }, "Addresses"},
		"a host name":              {func(t *Trunk) { t.Addresses = []string{"192.0.2.1", "sip.example.com"} }, "Addresses[1]"},
		"username without secret":  {func(t *Trunk) { t.Username = "a" }, "Password"},
		"secret without username":  {func(t *Trunk) { t.HA1MD5 = md5Hex }, "Username"},
		"username with one secret": {func(t *Trunk) { t.Username, t.HA1SHA256 = "a", shaHex }, ""},
		"only digest":              {func(t *Trunk) { t.Addresses, t.Username, t.HA1MD5 = nil, "a", md5Hex }, ""},
		"short MD5":                {func(t *Trunk) { t.Username, t.HA1MD5 = "a", md5Hex[1:] }, "HA1MD5"},
		"capital SHA-256":          {func(t *Trunk) { t.Username, t.HA1SHA256 = "a", strings.ToUpper(shaHex) }, "HA1SHA256"},
		"colon in username":        {func(t *Trunk) { t.Username, t.HA1MD5 = "a:b", md5Hex }, "Username"},
		"both codecs":              {func(t *Trunk) { t.Codecs = []string{"PCMU", "PCMA"} }, ""},
		"unknown codec":            {func(t *Trunk) { t.Codecs = []string{"PCMU", "G729"} }, "Codecs[1]"},
		"codec twice":              {func(t *Trunk) { t.Codecs = []string{"PCMU", "PCMU"} }, "Codecs[1]"},
		"region":                   {func(t *Trunk) { t.Region = "KR" }, ""},
		"small region":             {func(t *Trunk) { t.Region = "kr" }, "Region"},
		"negative channels":        {func(t *Trunk) { t.MaxChannels = -1 }, "MaxChannels"},
		"too many channels":        {func(t *Trunk) { t.MaxChannels = 100_001 }, "MaxChannels"},
		"negative rate":            {func(t *Trunk) { t.MaxCPS = -1 }, "MaxCps"},
	} {
		t.Run(name, func(t *testing.T) {
			tr := testTrunk("acme", "192.0.2.1")
			c.edit(tr)
			wantField(t, tr.Validate(), c.field)
		})
	}
}

func TestTrunkAddresses(t *testing.T) {
	for in, want := range map[string]string{
		"192.0.2.1":              "192.0.2.1/32 0",
		"192.0.2.1:5060":         "192.0.2.1/32 5060",
		"192.0.2.0/24":           "192.0.2.0/24 0",
		"192.0.2.0/24:5060":      "192.0.2.0/24 5060",
		"::ffff:192.0.2.1":       "192.0.2.1/32 0",
		"2001:db8::1":            "2001:db8::1/128 0",
		"2001:db8::/32":          "2001:db8::/32 0",
		"[2001:db8::1]":          "2001:db8::1/128 0",
		"[2001:db8::1]:5060":     "2001:db8::1/128 5060",
		"[2001:db8::/32]:5060":   "2001:db8::/32 5060",
		"0.0.0.0/0":              "0.0.0.0/0 0",
		"":                       "error",
		"example.com":            "error",
		"0.0.0.0":                "error", // surely meant as "any", which is 0.0.0.0/0
		"192.0.2.1:":             "error",
		"192.0.2.1:0":            "error",
		"192.0.2.1:65536":        "error",
		"192.0.2.1:sip":          "error",
		"192.0.2.1/33":           "error",
		"192.0.2.1/24":           "error", // bits after the prefix
		"[2001:db8::1":           "error",
		"[2001:db8::1]5060":      "error",
		"[2001:db8::1]:":         "error",
		"fe80::1%eth0":           "error",
		"192.0.2.1 ":             "error",
		"::ffff:192.0.2.0/120":   "error",
		"192.0.2.1,192.0.2.2":    "error",
		"[192.0.2.1]:5060":       "192.0.2.1/32 5060",
		"[2001:db8::1]:5060:506": "error",
	} {
		p, port, err := parseSource(in)
		got := "error"
		if err == nil {
			got = p.String() + " " + netip.AddrPortFrom(p.Addr(), port).String()[strings.LastIndex(netip.AddrPortFrom(p.Addr(), port).String(), ":")+1:]
		}
		if got != want {
			t.Errorf("%q: got %s (%v), want %s", in, got, err, want)
		}
	}
}

func TestMatchSource(t *testing.T) {
	off := testTrunk("off", "192.0.2.128/25", "198.51.100.9")
	off.Disabled = true
	tt, err := NewTrunkTable([]*Trunk{
		testTrunk("wide", "192.0.2.0/24", "2001:db8::/32"),
		testTrunk("narrow", "192.0.2.16/28"),
		testTrunk("port", "192.0.2.17:5080", "203.0.113.5:5060"),
		off,
		testTrunk("new", "198.51.100.9"),
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ src, trunk, why string }{
		{"192.0.2.1:5060", "wide", ""},
		{"[::ffff:192.0.2.1]:5060", "wide", ""},
		{"192.0.2.18:5060", "narrow", ""},
		{"192.0.2.17:5080", "port", ""},
		{"192.0.2.17:5060", "narrow", ""},
		{"[2001:db8::7]:9", "wide", ""},
		{"198.51.100.9:5060", "new", ""},
		{"192.0.2.200:5060", "", `trunk "off" has this address (192.0.2.128/25) but is disabled`},
		{"203.0.113.5:5062", "", `wrong port: trunk "port" has 203.0.113.5:5060, the request came from port 5062`},
		{"192.0.3.1:5060", "", `no trunk has address 192.0.3.1; nearest is trunk "off" with 192.0.2.128/25`},
		{"203.0.113.6:5060", "", `nearest is trunk "port" with 203.0.113.5:5060`},
		{"[2001:db9::1]:5060", "", `nearest is trunk "wide" with 2001:db8::/32`},
		{"[::1]:5060", "", `no trunk has address ::1`},
	} {
		got, why := tt.MatchSource(netip.MustParseAddrPort(c.src))
		name := ""
		if got != nil {
			name = got.Name
		}
		if name != c.trunk || !strings.Contains(why, c.why) || (why == "") != (c.why == "") {
			t.Errorf("%s: got %q, %q; want %q, %q", c.src, name, why, c.trunk, c.why)
		}
	}
	empty, err := NewTrunkTable(nil)
	if err != nil {
		t.Fatal(err)
	}
	if got, why := empty.MatchSource(netip.MustParseAddrPort("192.0.2.1:1")); got != nil || why != "no trunk has an address" {
		t.Errorf("empty table: %v %q", got, why)
	}
}

func TestATrunkTableRefusesWhatIsAmbiguous(t *testing.T) {
	md5Hex, _ := HA1("a", "r", "p")
	digest := func(name string) *Trunk {
		t := testTrunk(name)
		t.Username, t.HA1MD5 = "carrier", md5Hex
		return t
	}
	disabled := digest("disabled")
	disabled.Disabled = true
	for name, c := range map[string]struct {
		trunks []*Trunk
		kind   errs.Kind
		ok     bool
	}{
		"same address":                 {[]*Trunk{testTrunk("a", "192.0.2.1"), testTrunk("b", "192.0.2.1/32")}, errs.Duplicate, false},
		"same address, different port": {[]*Trunk{testTrunk("a", "192.0.2.1:1"), testTrunk("b", "192.0.2.1:2")}, 0, true},
		"same address, one with port":  {[]*Trunk{testTrunk("a", "192.0.2.1"), testTrunk("b", "192.0.2.1:2")}, 0, true},
		"same username":                {[]*Trunk{digest("a"), digest("b")}, errs.Duplicate, false},
		"same username, one disabled":  {[]*Trunk{disabled, digest("b")}, 0, true},
		"own address twice":            {[]*Trunk{testTrunk("a", "192.0.2.1", "192.0.2.1")}, 0, true},
		"not valid":                    {[]*Trunk{testTrunk("a", "x")}, errs.Invalid, false},
	} {
		_, err := NewTrunkTable(c.trunks)
		if (err == nil) != c.ok || err != nil && errs.KindOf(err) != c.kind {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestATrunkTableIsACopy(t *testing.T) {
	md5Hex, _ := HA1("a", "r", "p")
	tr := testTrunk("acme", "192.0.2.0/24:5060")
	tr.Username, tr.HA1MD5 = "carrier", md5Hex
	off := testTrunk("off")
	off.Username, off.HA1MD5, off.Disabled = "off", md5Hex, true
	tt, err := NewTrunkTable([]*Trunk{tr, off})
	if err != nil {
		t.Fatal(err)
	}
	tr.Disabled = true
	got, ok := tt.ByUsername("carrier")
	if !ok || got.Disabled || got.Name != "acme" {
		t.Errorf("got %+v, %v", got, ok)
	}
	if _, ok = tt.ByUsername("off"); ok {
		t.Error("a disabled trunk may log in")
	}
	for src, want := range map[string]bool{"192.0.2.9:5060": true, "192.0.2.9:5061": false, "192.0.3.9:5060": false} {
		if tt.Allows(got, netip.MustParseAddrPort(src)) != want {
			t.Errorf("Allows(%s) is not %v", src, want)
		}
	}
	if !tt.Allows(off, netip.MustParseAddrPort("192.0.2.9:1")) {
		t.Error("a trunk without addresses is refused by them")
	}
}

func FuzzParseSource(f *testing.F) {
	for _, s := range []string{"192.0.2.1", "192.0.2.0/24:5060", "[2001:db8::/32]:5060", "[", ":", "/", "]:1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p, _, err := parseSource(s)
		if err != nil {
			return
		}
		if !p.IsValid() || p != p.Masked() {
			t.Errorf("%q gave %v", s, p)
		}
		tt, err := NewTrunkTable([]*Trunk{testTrunk("a", s)})
		if err != nil {
			t.Fatal(err)
		}
		got, why := tt.MatchSource(netip.AddrPortFrom(p.Addr(), tt.sorted[0].port))
		if got == nil {
			t.Errorf("%q does not match itself: %s", s, why)
		}
	})
}
