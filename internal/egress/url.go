package egress

import (
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"ullim/internal/errs"
)

// maxURL is the longest URL that is called.
const maxURL = 2048

// parse checks what a URL may look like; schemes are secure and plain.
func parse(text, secure, plain string) (*url.URL, error) {
	if len(text) > maxURL {
		return nil, errs.Field("Url", "must have at most %d bytes; has %d", maxURL, len(text))
	}
	u, err := url.Parse(text)
	switch {
	case err != nil || strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r == 0x7f }):
		return nil, errs.Field("Url", "is not a URL")
	case u.Scheme != secure && u.Scheme != plain:
		return nil, errs.Field("Url", "must begin with %s:// (%s:// only where the operator allows it)", secure, plain)
	case u.Opaque != "" || u.Host == "":
		return nil, errs.Field("Url", "must name a host")
	case u.User != nil:
		return nil, errs.Field("Url", "must not hold a user or password; set a header")
	case u.Fragment != "" || strings.HasSuffix(text, "#"):
		return nil, errs.Field("Url", "must not have a fragment")
	}
	host := strings.ToLower(strings.TrimSuffix(u.Hostname(), "."))
	if _, err := netip.ParseAddr(host); err != nil && !isName(host) {
		return nil, errs.Field("Url", "must name a host by an address or an ASCII name")
	}
	if p := u.Port(); p != "" || strings.HasSuffix(u.Host, ":") {
		if n, err := strconv.ParseUint(p, 10, 16); err != nil || n == 0 {
			return nil, errs.Field("Url", "must have a port from 1 to 65535, or none")
		}
	}
	return u, nil
}

// Check says what is wrong with a URL before anything is resolved: what a form or an API can tell whoever types it. For
// live audio the schemes are wss and ws, else https and http.
func (c *Client) Check(text string) error {
	secure, plain := "https", "http"
	if strings.HasPrefix(text, "ws") {
		secure, plain = "wss", "ws"
	}
	u, err := parse(text, secure, plain)
	if err != nil {
		return err
	}
	host := strings.ToLower(strings.TrimSuffix(u.Hostname(), "."))
	addr, err := netip.ParseAddr(host)
	if err == nil {
		if c.guard.check(host, addr, portOf(u), u.Scheme == plain) != nil {
			return errs.Field("Url", "may not be called from here; the operator can allow it (egress.allow)")
		}
		return nil
	}
	if u.Scheme == plain && !c.guard.mayBePlain(host, portOf(u)) {
		return errs.Field("Url", "must begin with %s://", secure)
	}
	return nil
}

// mayBePlain reports whether some entry of the list could allow http to a name: its own, or any network, for only the
// resolver knows where the name is.
func (g *guard) mayBePlain(host string, port uint16) bool {
	return slices.ContainsFunc(g.allow, func(e exception) bool {
		return e.prefix.IsValid() && (e.port == 0 || e.port == port) || e.holds(host, netip.Addr{}, port)
	})
}

func portOf(u *url.URL) uint16 {
	if n, err := strconv.ParseUint(u.Port(), 10, 16); err == nil {
		return uint16(n)
	}
	if u.Scheme == "https" || u.Scheme == "wss" {
		return 443
	}
	return 80
}

// isName reports whether a text is a host name in ASCII. A last label of digits is a number that some resolvers take for
// an address (127.1, 0x7f000001), and never a name.
func isName(s string) bool {
	labels := strings.Split(s, ".")
	last := labels[len(labels)-1]
	if len(s) > 253 || last == "" || strings.Trim(last, "0123456789") == "" || strings.HasPrefix(last, "0x") {
		return false
	}
	for _, l := range labels {
		if l == "" || len(l) > 63 || strings.Trim(l, "abcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
			return false
		}
	}
	return true
}

// CheckHeader refuses a header that a tenant must not set: those that HTTP itself is made of, and what could end a line.
func CheckHeader(name, value string) error {
	reserved := []string{
		"Host", "Content-Length", "Content-Type", "Connection", "Transfer-Encoding", "Te", "Trailer", "Upgrade", "Expect", "Keep-Alive",
		"Proxy-Connection", "Proxy-Authorization", "Proxy-Authenticate", "Accept-Encoding", "Forwarded", "X-Forwarded-For", "X-Real-Ip",
	}
	canonical := http.CanonicalHeaderKey(name)
	switch {
	case name == "" || len(name) > 64 || strings.ContainsFunc(name, func(r rune) bool { return !token(r) }):
		return errs.Field("Headers", "a name must have 1 to 64 letters, digits or -")
	case slices.Contains(reserved, canonical) || strings.HasPrefix(canonical, "Ullim-") || strings.HasPrefix(canonical, "Sec-"):
		return errs.Field("Headers", "%s is set by ullim itself", canonical)
	case len(value) > 1024 || strings.ContainsFunc(value, func(r rune) bool { return r < ' ' || r > '~' }):
		return errs.Field("Headers", "the value of %s must have at most 1024 printable ASCII characters", canonical)
	}
	return nil
}

func token(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_'
}
