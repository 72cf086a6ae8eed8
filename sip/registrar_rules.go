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
	maxPath            = 8         // URIs
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
	if len(q.Path) > maxPath {
		return nil, refuse(400, "more than %d Path values", maxPath)
	}
	for _, p := range q.Path {
		if _, err := contactKey(strings.Trim(p, "<>")); err != nil {
			return nil, refuse(400, "Path: %v", err)
		}
	}
	outbound, bad := q.outbound()
	if bad.Status != 0 {
		return nil, bad
	}
	next := slices.Clone(old)
	for i, c := range q.Contacts {
		reg, life, bad := binding(i, c, q, opt)
		if bad.Status != 0 {
			return nil, bad
		}
		if !outbound {
			reg.RegID = 0 // RFC 5626 §6: ignored
		}
		same := func(b Registration) bool { return replaces(&reg, &b) }
		if j := slices.IndexFunc(old, func(b Registration) bool { return same(b) && outOfOrder(&b, q) }); j >= 0 {
			return nil, refuse(500, "CSeq %d is not above %d of the same Call-ID", q.CSeq, old[j].CSeq)
		}
		next = slices.DeleteFunc(next, same)
		if life == 0 {
			continue
		}
		reg.Expires = unlike(next, q.Now.Add(life))
		next = append(next, reg)
	}
	if over := len(next) - opt.MaxContacts; over > 0 {
		next = next[over:] // the newest stay: a phone that lost its memory must not be locked out by its own past
	}
	return next, RegisterResponse{Status: 200, Outbound: outbound}
}

// outbound reports whether the phone keeps its flows itself. RFC 5626 §6.
func (q *RegisterRequest) outbound() (bool, RegisterResponse) {
	flows, living := 0, 0
	for _, c := range q.Contacts {
		if c.RegID != "" && c.InstanceID != "" { // a reg-id without an instance is ignored
			flows++
		}
		if c.Expires != "0" {
			living++
		}
	}
	switch {
	case flows == 0 || !q.Outbound:
		return false, RegisterResponse{}
	case living > 1:
		return false, refuse(400, "reg-id in a request with more than one contact")
	case !q.FirstHop && !q.edgeKeepsFlows():
		return false, refuse(439, "the proxy next to the phone does not say ob in its Path")
	}
	return true, RegisterResponse{}
}

// edgeKeepsFlows reports whether the proxy next to the phone, which is the last in the Path, keeps its flow.
// RFC 5626 §5.1.
func (q *RegisterRequest) edgeKeepsFlows() bool {
	if len(q.Path) == 0 {
		return false
	}
	_, params, _ := strings.Cut(q.Path[len(q.Path)-1], ";")
	for p := range strings.SplitSeq(strings.ToLower(params), ";") {
		if name, _, _ := strings.Cut(p, "="); strings.Trim(name, " >") == "ob" {
			return true
		}
	}
	return false
}

// binding is what one Contact asks for, without the time of its end.
func binding(i int, c RegisterContact, q *RegisterRequest, opt *RegistrarOptions) (Registration, time.Duration, RegisterResponse) {
	none := Registration{}
	if _, err := contactKey(c.URI); err != nil {
		return none, 0, refuse(400, "contact %d: %v", i+1, err)
	}
	instance := strings.Trim(c.InstanceID, `"<>`)
	if len(instance) > maxSIPInstance {
		return none, 0, refuse(400, "contact %d: +sip.instance is longer than %d bytes", i+1, maxSIPInstance)
	}
	life := lifetime(c.Expires, q.Expires, opt)
	if life > 0 && life < opt.MinExpires {
		resp := refuse(423, "expires %s is below the minimum %s", life, opt.MinExpires)
		resp.MinExpires = int((opt.MinExpires + time.Second - 1) / time.Second)
		return none, 0, resp
	}
	regID := uint64(0)
	if c.RegID != "" && instance != "" {
		var err error
		if regID, err = strconv.ParseUint(c.RegID, 10, 32); err != nil || regID == 0 || regID > 1<<31-1 { // RFC 5626 §11
			return none, 0, refuse(400, "contact %d: reg-id must be 1 to 2147483647", i+1)
		}
	}
	return Registration{
		DeviceID: q.Device.ID, InstanceID: q.Device.InstanceID, UserID: q.Device.UserID,
		Contact: c.URI, Source: q.Source, Transport: q.Transport, CallID: q.CallID, CSeq: q.CSeq, UserAgent: q.UserAgent,
		SIPInstance: instance, RegID: uint32(regID), Path: q.Path, Registered: q.Now,
	}, life, RegisterResponse{}
}

// replaces reports whether a new binding takes the place of an old one of the same device.
func replaces(reg, old *Registration) bool {
	switch {
	case reg.SIPInstance != "" && old.SIPInstance != "":
		// RFC 5626 §6: the same phone at another address. A phone that numbers its flows keeps one for each number.
		return reg.SIPInstance == old.SIPInstance && (reg.RegID == old.RegID || reg.RegID == 0 || old.RegID == 0)
	case sameContact(reg.Contact, old.Contact):
		return true
	case reg.SIPInstance != "" || old.SIPInstance != "":
		return false
	}
	// RFC 3261 §10.2: a phone uses one Call-ID for all its REGISTERs. The same Call-ID and user from another port or
	// address is a phone whose NAT has moved it, not a second one.
	return reg.CallID == old.CallID && reg.Source != old.Source && uriUser(reg.Contact) == uriUser(old.Contact)
}

// unlike gives a time that no other binding of the device ends at, so that it names a stored row.
func unlike(bs []Registration, end time.Time) time.Time {
	for slices.ContainsFunc(bs, func(b Registration) bool { return b.Expires.UnixMicro() == end.UnixMicro() }) {
		end = end.Add(-time.Microsecond)
	}
	return end
}

// sameBut reports whether two bindings differ in nothing but when they were made and end.
func sameBut(a, b *Registration) bool {
	return a.Contact == b.Contact && a.Source == b.Source && a.Transport == b.Transport && a.CallID == b.CallID &&
		a.SIPInstance == b.SIPInstance && a.RegID == b.RegID && a.UserID == b.UserID && a.UserAgent == b.UserAgent &&
		slices.Equal(a.Path, b.Path)
}

func sameContact(a, b string) bool {
	x, errX := contactKey(a)
	y, errY := contactKey(b)
	return errX == nil && errY == nil && x == y
}

func uriUser(uri string) string {
	_, rest, _ := strings.Cut(stripParams(uri), ":")
	user, _, _ := strings.Cut(rest, "@")
	return user
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

// contactHost is host[:port] of a URI.
func contactHost(uri string) string {
	bare := stripParams(uri)
	if i := strings.LastIndexByte(bare, '@'); i >= 0 {
		return bare[i+1:]
	}
	_, host, _ := strings.Cut(bare, ":")
	return host
}
