package sip

import (
	"errors"
	"strconv"
	"strings"
)

// maxAuthorization bounds an Authorization value; a longer one is refused unread.
const maxAuthorization = 4096

// digestParams is a parsed Authorization value. Values are without quotes and escapes.
type digestParams struct {
	username, realm, nonce, uri, response, algorithm, cnonce, qop string
	nc                                                            uint32
	ncText                                                        string
}

// parseDigest reads the value of an Authorization header. It is stricter than the grammar where leniency would give two
// readings of one message: a parameter may occur once, quotes must close, control characters are refused, nc has eight
// digits. RFC 7616 §3.4, RFC 3261 §25.1.
func parseDigest(header string) (digestParams, error) {
	var p digestParams
	if len(header) > maxAuthorization {
		return p, errors.New("longer than 4096 bytes")
	}
	scheme, rest, found := strings.Cut(strings.TrimLeft(header, " \t"), " ")
	if !found || !strings.EqualFold(scheme, "Digest") {
		return p, errors.New("not the Digest scheme")
	}
	seen := make(map[string]bool, 12)
	for {
		name, value, after, err := nextParam(rest)
		if err != nil {
			return p, err
		}
		if seen[name] {
			return p, errors.New("parameter " + strconv.Quote(name) + " occurs twice")
		}
		seen[name] = true
		if err = p.set(name, value); err != nil {
			return p, err
		}
		after = strings.TrimLeft(after, " \t")
		if after == "" {
			break
		}
		if after[0] != ',' {
			return p, errors.New("no comma between parameters")
		}
		rest = after[1:]
	}
	for _, name := range []string{"username", "realm", "nonce", "uri", "response"} {
		if !seen[name] {
			return p, errors.New("no " + name)
		}
	}
	return p, nil
}

// set takes one parameter; unknown ones are ignored as RFC 7616 §3.4 asks.
func (p *digestParams) set(name, value string) error {
	switch name {
	case "username":
		p.username = value
	case "realm":
		p.realm = value
	case "nonce":
		p.nonce = value
	case "uri":
		p.uri = value
	case "response":
		p.response = value
	case "algorithm":
		p.algorithm = value
	case "cnonce":
		if strings.ContainsRune(value, '\\') { // hashed with or without the escape? Nobody agrees, so nobody may.
			return errors.New("cnonce has an escape")
		}
		p.cnonce = value
	case "qop":
		p.qop = value
	case "nc":
		n, err := strconv.ParseUint(value, 16, 32)
		if err != nil || len(value) != 8 {
			return errors.New("nc is not eight hexadecimal digits")
		}
		p.nc, p.ncText = uint32(n), value
	case "userhash":
		if !strings.EqualFold(value, "false") {
			return errors.New("userhash is not supported")
		}
	case "username*":
		return errors.New("username* is not supported")
	}
	return nil
}

// nextParam takes name=value from the front of s. The name is in lower case.
func nextParam(s string) (name, value, rest string, err error) {
	s = strings.TrimLeft(s, " \t")
	end := 0
	for end < len(s) && isToken(s[end]) {
		end++
	}
	if end == 0 {
		return "", "", "", errors.New("parameter name missing")
	}
	name, s = strings.ToLower(s[:end]), strings.TrimLeft(s[end:], " \t")
	if s == "" || s[0] != '=' {
		return "", "", "", errors.New("parameter " + strconv.Quote(name) + " has no value")
	}
	s = strings.TrimLeft(s[1:], " \t")
	if s != "" && s[0] == '"' {
		value, rest, err = quoted(s[1:])
		return name, value, rest, err
	}
	end = 0
	for end < len(s) && isToken(s[end]) {
		end++
	}
	if end == 0 {
		return "", "", "", errors.New("parameter " + strconv.Quote(name) + " has no value")
	}
	return name, s[:end], s[end:], nil
}

// quoted reads up to the closing quote; s starts after the opening one.
func quoted(s string) (value, rest string, err error) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"':
			return b.String(), s[i+1:], nil
		case c < ' ' || c == 0x7f:
			return "", "", errors.New("control character in a quoted string")
		case c == '\\':
			i++
			if i == len(s) || s[i] < ' ' || s[i] == 0x7f {
				return "", "", errors.New("escape of nothing in a quoted string")
			}
			b.WriteByte(s[i])
		default:
			b.WriteByte(c)
		}
	}
	return "", "", errors.New("quoted string does not end")
}

// isToken is RFC 3261 §25.1 token, as in a parameter name.
func isToken(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("-.!%*_+`'~", c) >= 0
}

// sameURI reports whether the uri of the credentials is the Request-URI: equal but for the case of scheme and host, or
// equal to it without its parameters and headers, which is what several user agents sign. RFC 3261 §22.4.
func sameURI(uri, requestURI string) bool {
	sent, got := foldURI(uri), foldURI(requestURI)
	if sent == got {
		return true
	}
	return sent == stripParams(got)
}

// foldURI lowers scheme and host, and leaves the user part, which has a case, alone.
func foldURI(uri string) string {
	colon := strings.IndexByte(uri, ':')
	if colon < 0 {
		return uri
	}
	scheme, rest := strings.ToLower(uri[:colon+1]), uri[colon+1:]
	at := strings.LastIndexByte(stripParams(rest), '@')
	host := stripParams(rest[at+1:])
	return scheme + rest[:at+1] + strings.ToLower(host) + rest[at+1+len(host):]
}

// stripParams cuts parameters and headers, which start after the host: a user part may hold ';' and '?'.
func stripParams(uri string) string {
	at := strings.IndexByte(uri, '@')
	if i := strings.IndexAny(uri[at+1:], ";?"); i >= 0 {
		return uri[:at+1+i]
	}
	return uri
}
