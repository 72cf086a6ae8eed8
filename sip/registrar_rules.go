package sip

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Bounds of what one REGISTER may say.
const (
	maxContactURI      = 512
	maxContactValues   = 20
	maxSIPInstance     = 128
	malformedExpiresIs = time.Hour // RFC 3261 §10.2.1.1
)

// query reports whether the request only asks for the bindings. RFC 3261 §10.2.3.
func (q *RegisterRequest) query() bool { return len(q.Contacts) == 0 && !q.Star }

// rebind applies a request to the live bindings of its device, the oldest first: all of it or, with a status other than
// 200, nothing. RFC 3261 §10.3 steps 6 to 8.
func rebind(old []Registration, q *RegisterRequest, opt *RegistrarOptions) ([]Registration, RegisterResponse) {
	if q.query() {
		return old, RegisterResponse{Status: 200}
	}
	if q.CallID == "" {
		return nil, refuse(400, "no Call-ID")
	}
	if q.Star {
		return rebindStar(old, q)
	}
	if len(q.Contacts) > maxContactValues {
		return nil, refuse(400, "more than %d contacts", maxContactValues)
	}
	next := slices.Clone(old)
	for i, c := range q.Contacts {
		key, err := contactKey(c.URI)
		if err != nil {
			return nil, refuse(400, "contact %d: %v", i+1, err)
		}
		instance := strings.Trim(c.InstanceID, `"<>`)
		if len(instance) > maxSIPInstance {
			return nil, refuse(400, "contact %d: +sip.instance is longer than %d bytes", i+1, maxSIPInstance)
		}
		life := lifetime(c.Expires, q.Expires, opt)
		if life > 0 && life < opt.MinExpires {
			resp := refuse(423, "expires %s is below the minimum %s", life, opt.MinExpires)
			resp.MinExpires = int((opt.MinExpires + time.Second - 1) / time.Second)
			return nil, resp
		}
		same := func(b Registration) bool {
			if instance != "" && b.SIPInstance == instance { // RFC 5626 §6: the same phone at another address
				return true
			}
			k, keyErr := contactKey(b.Contact)
			return keyErr == nil && k == key
		}
		if j := slices.IndexFunc(old, func(b Registration) bool { return same(b) && outOfOrder(&b, q) }); j >= 0 {
			return nil, refuse(500, "CSeq %d is not above %d of the same Call-ID", q.CSeq, old[j].CSeq)
		}
		next = slices.DeleteFunc(next, same)
		if life == 0 {
			continue
		}
		next = append(next, Registration{
			DeviceID: q.Device.ID, InstanceID: q.Device.InstanceID, UserID: q.Device.UserID,
			Contact: c.URI, Source: q.Source, Transport: q.Transport, CallID: q.CallID, CSeq: q.CSeq,
			UserAgent: q.UserAgent, SIPInstance: instance, Expires: q.Now.Add(life), Registered: q.Now,
		})
	}
	if over := len(next) - opt.MaxContacts; over > 0 {
		next = next[over:] // the newest stay: a phone that lost its memory must not be locked out by its own past
	}
	return next, RegisterResponse{Status: 200}
}

// rebindStar removes everything. RFC 3261 §10.3 step 6.
func rebindStar(old []Registration, q *RegisterRequest) ([]Registration, RegisterResponse) {
	if len(q.Contacts) > 0 {
		return nil, refuse(400, "Contact * is not alone")
	}
	if n, err := strconv.ParseUint(strings.TrimSpace(q.Expires), 10, 32); err != nil || n != 0 {
		return nil, refuse(400, "Contact * without Expires: 0")
	}
	for _, b := range old {
		if outOfOrder(&b, q) {
			return nil, refuse(500, "CSeq %d is not above %d of the same Call-ID", q.CSeq, b.CSeq)
		}
	}
	return nil, RegisterResponse{Status: 200}
}

// outOfOrder reports whether the binding was made by this or a later request of the same Call-ID. RFC 3261 §10.3 step 7.
func outOfOrder(b *Registration, q *RegisterRequest) bool {
	return b.CallID == q.CallID && q.CSeq <= b.CSeq
}

// lifetime is what the contact asks for, else the header, else the default; 0 removes.
func lifetime(param, header string, opt *RegistrarOptions) time.Duration {
	text := param
	if text == "" {
		text = header
	}
	text = strings.TrimSpace(text)
	if text == "" {
		return opt.DefaultExpires
	}
	life := malformedExpiresIs
	if n, err := strconv.ParseUint(text, 10, 32); err == nil { // delta-seconds go up to 2^32-1
		life = time.Duration(n) * time.Second
	}
	return min(life, opt.MaxExpires)
}

// contactKey is what two URIs of the same contact share: scheme, user, host, port and transport. Other parameters do not
// tell contacts apart: a phone that changes one means the same place. RFC 3261 §19.1.4.
func contactKey(uri string) (string, error) {
	if len(uri) > maxContactURI {
		return "", fmt.Errorf("URI is longer than %d bytes", maxContactURI)
	}
	if strings.ContainsFunc(uri, func(r rune) bool { return r <= ' ' || r == 0x7f || r == '<' || r == '>' || r == '"' }) {
		return "", fmt.Errorf("URI has a character that must be escaped")
	}
	scheme, rest, _ := strings.Cut(uri, ":")
	scheme = strings.ToLower(scheme)
	if scheme != "sip" && scheme != "sips" {
		return "", fmt.Errorf("URI is neither sip nor sips")
	}
	bare := stripParams(rest)
	params := rest[len(bare):]
	at := strings.LastIndexByte(bare, '@')
	user, host := bare[:at+1], strings.ToLower(bare[at+1:])
	if host == "" || strings.HasPrefix(host, ":") {
		return "", fmt.Errorf("URI has no host")
	}
	if plain, err := url.PathUnescape(user); err == nil {
		user = plain
	}
	transport := "udp"
	params, _, _ = strings.Cut(params, "?")
	for p := range strings.SplitSeq(params, ";") {
		if name, value, _ := strings.Cut(strings.ToLower(p), "="); name == "transport" {
			transport = value
		}
	}
	return scheme + ":" + user + host + ";" + transport, nil
}

func refuse(status int, format string, args ...any) RegisterResponse {
	return RegisterResponse{Status: status, Why: fmt.Sprintf(format, args...)}
}
