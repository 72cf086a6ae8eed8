package config

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

// rules resolves secrets and checks every key, then the keys together.
func (d *decoder) rules(c *Config) {
	for _, k := range keys(reflect.ValueOf(c).Elem(), "") {
		d.rule(k)
	}
	d.secrets(c)
	d.ports(c)
	if c.SIP.MinExpires > c.SIP.MaxExpires {
		d.failNear("sip.min_expires", "sip.max_expires", "must be at most sip.max_expires (%s); got %s", c.SIP.MaxExpires, c.SIP.MinExpires)
	}
	d.certificates(c)
	d.speech(&c.Speech)
	if len(c.SIP.UDP)+len(c.SIP.TCP)+len(c.SIP.TLS.Listen) == 0 {
		d.failNear("sip.udp", "sip.tcp", "must not be empty while sip.tcp is: nothing could reach the node")
	}
	if c.Database.Driver == "postgres" && c.Database.URL == "" {
		d.failNear("database.url", "database.driver", "must be set for driver postgres")
	}
	d.promptRules(c)
	d.recordings(&c.Recordings)
}

// rule checks one key against its tags.
func (d *decoder) rule(k key) {
	tag := k.field.Tag
	if err := bounds(k.value, tag.Get("min"), tag.Get("max")); err != nil {
		d.fail(k.path, "%v", err)
	}
	if allowed := strings.Fields(tag.Get("oneof")); len(allowed) > 0 && !slices.Contains(allowed, k.value.String()) {
		d.fail(k.path, "must be %s; got %q", strings.Join(allowed, " or "), k.value.String())
	}
	form := tag.Get("form")
	switch v := k.value.Interface().(type) {
	case string:
		if err := checkForm(form, v); err != nil {
			d.fail(k.path, "%v; got %q", err, v)
		}
	case []string:
		for i, item := range v {
			field := fmt.Sprintf("%s[%d]", k.path, i)
			if err := checkForm(form, item); err != nil {
				d.failNear(field, k.path, "%v; got %q", err, item)
			}
			if slices.Contains(v[:i], item) {
				d.failNear(field, k.path, "%q is named twice", item)
			}
		}
	}
}

// bounds checks a number or time.
func bounds(v reflect.Value, low, high string) error {
	if low == "" {
		return nil
	}
	least, most := reflect.New(v.Type()).Elem(), reflect.New(v.Type()).Elem()
	if err := set(least, low); err != nil {
		return err
	}
	if err := set(most, high); err != nil {
		return err
	}
	outside := false
	switch v.Kind() {
	case reflect.Float64:
		outside = v.Float() < least.Float() || v.Float() > most.Float()
	default:
		outside = v.Int() < least.Int() || v.Int() > most.Int()
	}
	if outside {
		return fmt.Errorf("must be %v to %v; got %v", low, high, v.Interface())
	}
	return nil
}

// form is what a text must look like, and how to say so.
type form struct {
	ok   func(s string) bool
	rule string
}

// forms are the forms that tags name.
func forms() map[string]form {
	const letters, digits = "abcdefghijklmnopqrstuvwxyz", "0123456789"
	of := func(s string, least, most int, set string) bool {
		return len(s) >= least && len(s) <= most && strings.Trim(s, set) == ""
	}
	orEmpty := func(ok func(string) bool) func(string) bool {
		return func(s string) bool { return s == "" || ok(s) }
	}
	return map[string]form{
		"required": {func(s string) bool { return s != "" }, "must not be empty"},
		"name": {
			func(s string) bool { return of(strings.ToLower(s), 1, 63, letters+digits+"-_.") },
			"must be 1 to 63 letters, digits, - _ or .",
		},
		"alias": {
			func(s string) bool { return of(s, 1, 45, letters+digits+"-") }, "must be 1 to 45 lower-case letters, digits or -",
		},
		"zone": {
			func(s string) bool { _, err := time.LoadLocation(s); return err == nil }, "must be an IANA time zone, as Asia/Seoul",
		},
		"language": {
			orEmpty(func(s string) bool { return s == "en-US" || s == "ko-KR" }), "must be en-US or ko-KR",
		},
		"region": {
			orEmpty(func(s string) bool { return of(s, 2, 2, strings.ToUpper(letters)) }),
			"must be a country by two capital letters (ISO 3166), as KR",
		},
		"realm": {
			func(s string) bool {
				return len(s) > 0 && len(s) <= 63 && !strings.ContainsFunc(s, func(r rune) bool {
					return r < '!' || r > '~' || strings.ContainsRune(`":\,;`, r)
				})
			},
			`must be 1 to 63 printable ASCII characters without space, quote, colon, comma, semicolon or backslash`,
		},
		"listen": {
			func(s string) bool { // port 0, any, is for tests on loopback
				ap, err := netip.ParseAddrPort(s)
				return err == nil && (ap.Port() != 0 || ap.Addr().IsLoopback())
			},
			"must be an IP address and a port, as 0.0.0.0:5060 or [::]:5060",
		},
		"prefix": {
			func(s string) bool {
				p, err := netip.ParsePrefix(s)
				if err != nil {
					_, err = netip.ParseAddr(s)
					return err == nil
				}
				return p == p.Masked()
			},
			"must be an IP address or a prefix without bits after it, as 192.0.2.7 or 192.0.2.0/24",
		},
		"origin": {
			func(s string) bool {
				if i := strings.Index(s, "://"); i >= 0 {
					if s[:i] != "https" && s[:i] != "http" {
						return false
					}
					s = s[i+3:]
				}
				return isHostPort(s)
			},
			"must be a host with an optional port, or http(s):// and these, without a path",
		},
		"egress": {isEgress, "must be a network, an IP address or a host name, the last two with an optional port"},
		"port": {
			func(s string) bool { n, err := strconv.ParseUint(s, 10, 16); return err == nil && n > 0 }, "must be a port from 1 to 65535",
		},
		"ip":       {func(s string) bool { _, err := netip.ParseAddr(s); return err == nil }, "must be an IP address"},
		"host":     {orEmpty(isHost), "must be an IP address or host name without a port"},
		"hostport": {orEmpty(isHostPort), "must be a host with an optional port, without https:// and without a path"},
		"bucket": {
			orEmpty(func(s string) bool { return of(s, 3, 63, letters+digits+"-.") }),
			"must be 3 to 63 lower-case letters, digits, - or .",
		},
	}
}

// checkForm checks a text against the form that its tag names. The error is the rule.
func checkForm(name, s string) error {
	if f, ok := forms()[name]; ok && !f.ok(s) {
		return errors.New(f.rule)
	}
	if a, err := netip.ParseAddr(s); name == "host" && err == nil && a.IsUnspecified() {
		return errors.New("must be an address that others can reach")
	}
	return nil
}

func isHost(s string) bool {
	if _, err := netip.ParseAddr(s); err == nil {
		return true
	}
	for label := range strings.SplitSeq(strings.TrimSuffix(s, "."), ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' ||
			strings.Trim(strings.ToLower(label), "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
			return false
		}
	}
	// Digits and dots that are no address are a mistyped address.
	return len(s) <= 253 && strings.Trim(s, "0123456789.") != ""
}

// isEgress reports whether a text can stand in egress.allow.
func isEgress(s string) bool {
	if p, err := netip.ParsePrefix(s); err == nil {
		return p == p.Masked()
	}
	return isHostPort(s)
}

func isHostPort(s string) bool {
	host, port, err := net.SplitHostPort(s)
	if err != nil {
		return isHost(strings.Trim(s, "[]"))
	}
	n, err := strconv.ParseUint(port, 10, 16)
	return err == nil && n > 0 && isHost(host)
}

// secrets replaces references by what they point to.
func (d *decoder) secrets(c *Config) {
	for _, k := range keys(reflect.ValueOf(c).Elem(), "") {
		s, ok := reflect.TypeAssert[Secret](k.value)
		if !ok || s == "" {
			continue
		}
		value, err := d.secret(k, s.Reveal(), c.Database.Driver)
		if err != nil {
			d.fail(k.path, "%v", err)
			continue
		}
		k.value.SetString(value.Reveal())
	}
}

// secret checks and reads one secret. In the file it must be a reference; a variable is as good a place for the secret
// itself. The database's URL is one only if it has a password.
func (d *decoder) secret(k key, text, driver string) (Secret, error) {
	isURL := k.path == "database.url"
	if isURL && driver == "sqlite" {
		if isReference(text) {
			return "", errors.New("must be a path for driver sqlite, not a reference or URI")
		}
		return Secret(text), nil
	}
	inFile := d.origin[k.path].Variable == ""
	switch {
	case isReference(text) || !inFile:
	case isURL && hasPassword(text):
		return "", errors.New("must be a file: or env: reference when it holds a password")
	case !isURL && k.field.Tag.Get("plain") != "ok":
		return "", errors.New("must be a reference, file:PATH or env:NAME: this file is no place for a secret")
	}
	value, err := dereference(text, d.env)
	if err == nil && value == "" {
		err = fmt.Errorf("%s is empty", text)
	}
	if err != nil || !isURL {
		return value, err
	}
	if u, err := url.Parse(value.Reveal()); err != nil || u.Scheme != "postgres" && u.Scheme != "postgresql" {
		return "", errors.New("must be a URL as postgres://user@host:5432/name")
	}
	return value, nil
}

// hasPassword reports whether a URL holds a password. What cannot be parsed may hold one.
func hasPassword(text string) bool {
	u, err := url.Parse(text)
	if err != nil {
		return true
	}
	_, has := u.User.Password()
	return has || u.Query().Has("password")
}

// certificates checks that a certificate never comes without its key.
func (d *decoder) certificates(c *Config) {
	for _, p := range []struct{ section, certificate, key string }{
		{"http.tls", c.HTTP.TLS.Certificate, c.HTTP.TLS.Key}, {"sip.tls", c.SIP.TLS.Certificate, c.SIP.TLS.Key},
	} {
		switch {
		case p.certificate != "" && p.key == "":
			d.failNear(p.section+".key", p.section+".certificate", "must be set with %s.certificate", p.section)
		case p.certificate == "" && p.key != "":
			d.failNear(p.section+".certificate", p.section+".key", "must be set with %s.key", p.section)
		}
	}
	if len(c.SIP.TLS.Listen) > 0 && c.SIP.TLS.Certificate == "" && c.HTTP.TLS.Certificate == "" {
		d.failNear("sip.tls.certificate", "sip.tls.listen", "must be set with sip.tls.listen")
	}
}

// ports checks the RTP range, alone and against the SIP ports.
func (d *decoder) ports(c *Config) {
	r := c.RTP.Ports
	switch {
	case r.Low < 1024 || r.High > 65535:
		d.fail("rtp.ports", "must lie within 1024-65535; got %d-%d", r.Low, r.High)
		return
	case r.Low > r.High:
		d.fail("rtp.ports", "must begin with the lower port; got %d-%d", r.Low, r.High)
		return
	case r.Size() < 10:
		d.fail("rtp.ports", "must hold at least 10 ports, one for each call leg; got %d", r.Size())
	}
	for i, listen := range c.SIP.UDP {
		if ap, err := netip.ParseAddrPort(listen); err == nil && int(ap.Port()) >= r.Low && int(ap.Port()) <= r.High {
			field, near := fmt.Sprintf("sip.udp[%d]", i), "rtp.ports"
			if _, set := d.origin["sip.udp"]; set {
				near = "sip.udp"
			}
			d.failNear(field, near, "port %d is one of rtp.ports (%s)", ap.Port(), r)
		}
	}
}

// Size is how many ports there are.
func (r PortRange) Size() int { return r.High - r.Low + 1 }

// String is the range as it is written.
func (r PortRange) String() string { return fmt.Sprintf("%d-%d", r.Low, r.High) }

// MarshalText is String, for JSON and YAML.
func (r PortRange) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// Linux gives out these ports by itself unless net.ipv4.ip_local_port_range says otherwise.
const (
	ephemeralLow  = 32768
	ephemeralHigh = 60999
)

// Warnings are things that may be meant but usually are not.
func (c *Config) Warnings() []string {
	var out []string
	if r := c.RTP.Ports; r.Low <= ephemeralHigh && r.High >= ephemeralLow {
		out = append(out, fmt.Sprintf("rtp.ports: %s overlaps the ports that Linux gives out by itself (%d-%d): calls will fail now and then",
			r, ephemeralLow, ephemeralHigh))
	}
	if r := c.RTP.Ports; r.Size()/2 < 2*c.SIP.MaxCalls {
		out = append(out, fmt.Sprintf("rtp.ports: %s holds %d even ports, fewer than the two legs of each of sip.max_calls (%d) take",
			r, r.Size()/2, c.SIP.MaxCalls))
	}
	if ap, err := netip.ParseAddrPort(c.HTTP.Listen); err == nil && !ap.Addr().IsLoopback() && c.HTTP.TLS.Certificate == "" {
		out = append(out, "http.listen: "+c.HTTP.Listen+" is open to other machines without TLS: passwords and keys can be read on the way")
	}
	if c.Recordings.Store == "s3" && !c.Recordings.S3.TLS {
		out = append(out, "recordings.s3.tls: recordings travel unencrypted")
	}
	for _, text := range c.Egress.Allow {
		if p, err := netip.ParsePrefix(text); err == nil && p.Bits() == 0 {
			out = append(out, "egress.allow: "+text+" lets tenants call everything that this machine reaches")
		}
	}
	if c.Limits.Drain < time.Second {
		out = append(out, "limits.drain: calls are cut off at SIGTERM")
	}
	return out
}
