package sip

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"ullim/internal/errs"
	"ullim/internal/resource"
)

var _ resource.Object = (*Trunk)(nil)

// errForm says what an address of a trunk looks like.
var errForm = errors.New("must be an IP address or CIDR prefix with an optional port, as 192.0.2.7, " +
	"192.0.2.0/24:5060 or [2001:db8::1]:5060")

// maxName is the longest name of a trunk or device, as for other resources.
const maxName = 127

// Validate checks everything that can be seen in the trunk alone.
func (t *Trunk) Validate() error {
	if err := validName(t.Name); err != nil {
		return err
	}
	if len(t.Description) > 250 {
		return errs.Field("Description", "must be at most 250 bytes; has %d", len(t.Description))
	}
	if len(t.Addresses) == 0 && t.Username == "" && len(t.Gateways) == 0 {
		return errs.Field("Addresses", "must hold an address unless Username or Gateways are set: nothing else would recognise the trunk")
	}
	if len(t.Addresses) > 1000 {
		return errs.Field("Addresses", "must hold at most 1000 addresses; has %d", len(t.Addresses))
	}
	for i, a := range t.Addresses {
		if _, _, err := parseSource(a); err != nil {
			return errs.Field(fmt.Sprintf("Addresses[%d]", i), "%v; got %q", err, a)
		}
	}
	if err := t.validSecret(); err != nil {
		return err
	}
	for i, c := range t.Codecs {
		if c != "PCMU" && c != "PCMA" && c != "G722" && c != "OPUS" {
			return errs.Field(fmt.Sprintf("Codecs[%d]", i), "must be PCMU, PCMA, G722 or OPUS; got %q", c)
		}
		if slices.Contains(t.Codecs[:i], c) {
			return errs.Field(fmt.Sprintf("Codecs[%d]", i), "%s is named twice", c)
		}
	}
	if t.Region != "" && !isRegion(t.Region) {
		return errs.Field("Region", "must be two capital letters (ISO 3166); got %q", t.Region)
	}
	if len(t.RedirectHosts) > maxRedirectHosts {
		return errs.Field("RedirectHosts", "must hold at most %d hosts; has %d", maxRedirectHosts, len(t.RedirectHosts))
	}
	for i, h := range t.RedirectHosts {
		if _, ok := hostAddr(h); !ok && (h == "" || len(h) > 253 || strings.ContainsAny(h, " \t\r\n;,<>@:/\"")) {
			return errs.Field(fmt.Sprintf("RedirectHosts[%d]", i), "must be an IP address or a host name, without a port; got %q", clip(h, 100))
		}
	}
	if t.MaxChannels < 0 || t.MaxChannels > 100_000 {
		return errs.Field("MaxChannels", "must be 0 (no limit) to 100000; got %d", t.MaxChannels)
	}
	if t.MaxCPS < 0 || t.MaxCPS > 10_000 {
		return errs.Field("MaxCps", "must be 0 (no limit) to 10000; got %d", t.MaxCPS)
	}
	return t.validOutgoing()
}

func (t *Trunk) validSecret() error {
	if t.Username == "" {
		if t.HA1MD5 != "" || t.HA1SHA256 != "" {
			return errs.Field("Username", "must be set when there is a password")
		}
		return nil
	}
	if err := validUser("Username", t.Username); err != nil {
		return err
	}
	if t.HA1MD5 == "" && t.HA1SHA256 == "" {
		return errs.Field("Password", "must be set when Username is")
	}
	return validHA1(t.HA1MD5, t.HA1SHA256, false)
}

// parseSource reads where a carrier sends from: an IP address or CIDR prefix with an optional port (0: any). IPv6 with a
// port stands in brackets: [2001:db8::/32]:5060.
func parseSource(s string) (netip.Prefix, uint16, error) {
	host, portText := s, ""
	if strings.HasPrefix(s, "[") {
		end := strings.IndexByte(s, ']')
		if end < 0 || end+1 < len(s) && s[end+1] != ':' {
			return netip.Prefix{}, 0, errForm
		}
		host, portText = s[1:end], strings.TrimPrefix(s[end+1:], ":")
		if strings.HasSuffix(s, ":") {
			return netip.Prefix{}, 0, errForm
		}
	} else if strings.Count(s, ":") == 1 {
		var ok bool
		if host, portText, ok = strings.Cut(s, ":"); ok && portText == "" {
			return netip.Prefix{}, 0, errForm
		}
	}
	port := uint64(0)
	if portText != "" {
		var err error
		if port, err = strconv.ParseUint(portText, 10, 16); err != nil || port == 0 {
			return netip.Prefix{}, 0, errors.New("port must be 1 to 65535")
		}
	}
	if !strings.Contains(host, "/") {
		a, err := netip.ParseAddr(host)
		if err != nil || a.Zone() != "" || a.IsUnspecified() {
			return netip.Prefix{}, 0, errForm
		}
		a = a.Unmap()
		return netip.PrefixFrom(a, a.BitLen()), uint16(port), nil
	}
	p, err := netip.ParsePrefix(host)
	if err != nil || p.Addr().Is4In6() {
		return netip.Prefix{}, 0, errForm
	}
	if p != p.Masked() {
		return netip.Prefix{}, 0, fmt.Errorf("has bits after the prefix: write %s", p.Masked())
	}
	return p, uint16(port), nil
}

// TrunkTable finds the trunk of a request. It is immutable: a change of configuration makes a new one.
type TrunkTable struct {
	byPrefix map[netip.Prefix][]trunkEntry
	bits     []int        // the prefix lengths in use, longest first; IPv4 and IPv6 together
	sorted   []trunkEntry // by address, to name the nearest
	users    map[string]*Trunk
	byID     map[string]*Trunk
	byName   []*Trunk // enabled, with gateways
}

type trunkEntry struct {
	prefix netip.Prefix
	port   uint16 // 0: any
	trunk  *Trunk
	text   string // as configured
}

// NewTrunkTable builds a table of copies. It fails with errs.Invalid on a trunk that is not valid, and with
// errs.Duplicate when two enabled trunks claim the same address and port or the same username.
func NewTrunkTable(trunks []*Trunk) (*TrunkTable, error) {
	tt := &TrunkTable{
		byPrefix: make(map[netip.Prefix][]trunkEntry), users: make(map[string]*Trunk), byID: make(map[string]*Trunk),
	}
	for _, orig := range trunks {
		if err := orig.Validate(); err != nil {
			return nil, errs.Wrap(err, errs.Invalid, "trunk %q", orig.Name)
		}
		t := *orig
		if err := tt.add(&t); err != nil {
			return nil, err
		}
		tt.byID[t.ID] = &t
		if !t.Disabled && len(t.Gateways) > 0 {
			tt.byName = append(tt.byName, &t)
		}
	}
	slices.SortFunc(tt.byName, func(a, b *Trunk) int { return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(a.ID, b.ID)) })
	for p, es := range tt.byPrefix {
		tt.sorted = append(tt.sorted, es...)
		if !slices.Contains(tt.bits, p.Bits()) {
			tt.bits = append(tt.bits, p.Bits())
		}
	}
	slices.SortFunc(tt.bits, func(a, b int) int { return cmp.Compare(b, a) })
	slices.SortFunc(tt.sorted, func(a, b trunkEntry) int {
		return cmp.Or(a.prefix.Addr().Compare(b.prefix.Addr()), cmp.Compare(a.prefix.Bits(), b.prefix.Bits()),
			cmp.Compare(a.port, b.port), strings.Compare(a.trunk.ID, b.trunk.ID))
	})
	return tt, nil
}

func (tt *TrunkTable) add(t *Trunk) error {
	if t.Username != "" && !t.Disabled {
		if other := tt.users[t.Username]; other != nil {
			return errs.New(errs.Duplicate, "trunks %q and %q have the same username %q", other.Name, t.Name, t.Username)
		}
		tt.users[t.Username] = t
	}
	for _, text := range t.Addresses {
		prefix, port, err := parseSource(text)
		if err != nil {
			return errs.Wrap(err, errs.Invalid, "trunk %q, address %q", t.Name, text)
		}
		for _, e := range tt.byPrefix[prefix] {
			if e.port == port && !e.trunk.Disabled && !t.Disabled && e.trunk.ID != t.ID {
				return errs.New(errs.Duplicate, "trunks %q and %q have the same address %s", e.trunk.Name, t.Name, text)
			}
		}
		tt.byPrefix[prefix] = append(tt.byPrefix[prefix], trunkEntry{prefix: prefix, port: port, trunk: t, text: text})
	}
	return nil
}

// MatchSource finds the trunk that sends from src: the most specific prefix wins, and at the same prefix the one that
// names the port. A disabled trunk is refused and not passed over, so that switching it off does not hand its calls to a
// wider prefix; but an enabled trunk with the same address replaces it. Without a trunk, why names the first rule that
// failed and the trunk that came nearest.
//
// If the trunk also has a Username, the caller must still see AuthOK for it.
func (tt *TrunkTable) MatchSource(src netip.AddrPort) (t *Trunk, why string) {
	addr := src.Addr().Unmap().WithZone("")
	otherPort := trunkEntry{}
	for _, bits := range tt.bits {
		if bits > addr.BitLen() {
			continue
		}
		prefix, err := addr.Prefix(bits)
		if err != nil {
			continue
		}
		best := trunkEntry{}
		for _, e := range tt.byPrefix[prefix] {
			switch {
			case e.port != 0 && e.port != src.Port():
				if otherPort.trunk == nil {
					otherPort = e
				}
			case best.trunk == nil, best.trunk.Disabled && !e.trunk.Disabled,
				best.trunk.Disabled == e.trunk.Disabled && e.port > best.port:
				best = e
			}
		}
		if best.trunk == nil {
			continue
		}
		if best.trunk.Disabled {
			return nil, fmt.Sprintf("trunk %q has this address (%s) but is disabled", best.trunk.Name, best.text)
		}
		return best.trunk, ""
	}
	if otherPort.trunk != nil {
		return nil, fmt.Sprintf("wrong port: trunk %q has %s, the request came from port %d",
			otherPort.trunk.Name, otherPort.text, src.Port())
	}
	return nil, tt.nearest(addr)
}

// nearest names the trunk whose address shares the longest prefix with addr: one of its neighbours in the sorted list.
func (tt *TrunkTable) nearest(addr netip.Addr) string {
	if len(tt.sorted) == 0 {
		return "no trunk has an address"
	}
	i, _ := slices.BinarySearchFunc(tt.sorted, addr, func(e trunkEntry, a netip.Addr) int {
		return e.prefix.Addr().Compare(a)
	})
	best, bestBits := trunkEntry{}, -1
	for _, j := range []int{i - 1, i} {
		if j < 0 || j >= len(tt.sorted) || tt.sorted[j].prefix.Addr().Is4() != addr.Is4() {
			continue
		}
		if n := commonBits(tt.sorted[j].prefix.Addr(), addr); n > bestBits {
			best, bestBits = tt.sorted[j], n
		}
	}
	if best.trunk == nil {
		return fmt.Sprintf("no trunk has address %s", addr)
	}
	return fmt.Sprintf("no trunk has address %s; nearest is trunk %q with %s", addr, best.trunk.Name, best.text)
}

func commonBits(a, b netip.Addr) int {
	x, y := a.As16(), b.As16()
	for i := range x {
		for bit := range 8 {
			if (x[i]^y[i])&(0x80>>bit) != 0 {
				return i*8 + bit
			}
		}
	}
	return 128
}

// ByID finds a trunk, also a disabled one.
func (tt *TrunkTable) ByID(id string) (*Trunk, bool) {
	t, ok := tt.byID[id]
	return t, ok
}

// Outgoing are the enabled trunks with gateways, in the order of their names.
func (tt *TrunkTable) Outgoing() []*Trunk { return tt.byName }

// ByUsername finds the enabled trunk that authenticates with a username. If it also has Addresses, the caller must see
// Allows too.
func (tt *TrunkTable) ByUsername(username string) (*Trunk, bool) {
	t, ok := tt.users[username]
	return t, ok
}

// Allows reports whether the trunk's own addresses, if it has any, hold src.
func (tt *TrunkTable) Allows(t *Trunk, src netip.AddrPort) bool {
	if len(t.Addresses) == 0 {
		return true
	}
	addr := src.Addr().Unmap().WithZone("")
	return slices.ContainsFunc(tt.sorted, func(e trunkEntry) bool {
		return e.trunk.ID == t.ID && e.prefix.Contains(addr) && (e.port == 0 || e.port == src.Port())
	})
}
