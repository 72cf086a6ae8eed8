package siptest

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"

	"github.com/emiago/sipgo/sip"
	"github.com/icholy/digest"
)

// allowed are the methods that a phone understands.
const allowed = "INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, UPDATE, PRACK, NOTIFY, MESSAGE"

// request is a request as we send it, in parts, so that its ACK, its CANCEL and its repetition with credentials can be
// made from it.
type request struct {
	method   string
	uri      string // Request-URI
	branch   string
	from, to string // whole values, with tags
	callID   string
	seq      uint32
	routes   []string
	headers  []string // further ones, "Name: value"
	bodyType string
	body     []byte
	tries    int // challenges answered
	hop      *net.UDPAddr
}

func (p *Phone) bytesOf(r *request) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s %s SIP/2.0\r\nVia: SIP/2.0/%s %s;branch=%s;rport\r\nMax-Forwards: 70\r\n",
		r.method, r.uri, p.o.Transport, p.sentBy, r.branch)
	for _, route := range r.routes {
		fmt.Fprintf(&b, "Route: %s\r\n", route)
	}
	fmt.Fprintf(&b, "From: %s\r\nTo: %s\r\nCall-ID: %s\r\nCSeq: %d %s\r\n", r.from, r.to, r.callID, r.seq, r.method)
	fmt.Fprintf(&b, "User-Agent: %s\r\n", p.o.UserAgent)
	if r.method == "INVITE" || r.method == "UPDATE" || r.method == "REGISTER" {
		fmt.Fprintf(&b, "Allow: %s\r\n", allowed)
	}
	if r.method == "INVITE" || r.method == "UPDATE" {
		fmt.Fprintf(&b, "Contact: %s\r\n", p.contact())
	}
	for _, h := range r.headers {
		fmt.Fprintf(&b, "%s\r\n", h)
	}
	if len(r.body) > 0 {
		fmt.Fprintf(&b, "Content-Type: %s\r\n", r.bodyType)
	}
	fmt.Fprintf(&b, "Content-Length: %d\r\n\r\n", len(r.body))
	b.Write(r.body)
	return b.Bytes()
}

func (p *Phone) contact() string {
	switch p.o.Transport {
	case "UDP":
		return fmt.Sprintf("<sip:%s@%s>", p.o.Name, p.sentBy)
	case "WS", "WSS": // RFC 7118 §5.2.2
		return fmt.Sprintf("<sip:%s@%s;transport=ws>", p.o.Name, p.sentBy)
	}
	return fmt.Sprintf("<sip:%s@%s;transport=%s>", p.o.Name, p.sentBy, strings.ToLower(p.o.Transport))
}

// ackFor is the ACK of a final response that is not a 2xx: the same transaction. RFC 3261 §17.1.1.3.
func ackFor(r *request, res *sip.Response) *request {
	a := *r
	a.method, a.headers, a.body = "ACK", nil, nil
	if to := res.To(); to != nil {
		a.to = to.Value()
	}
	return &a
}

// cancelFor is the CANCEL of an INVITE. RFC 3261 §9.1.
func cancelFor(r *request) *request {
	c := *r
	c.method, c.headers, c.body = "CANCEL", nil, nil
	return &c
}

// withCredentials is the request again, with the answer to a challenge. RFC 3261 §22.
func (p *Phone) withCredentials(r *request, res *sip.Response, seq uint32) (*request, error) {
	name, answer := "WWW-Authenticate", "Authorization: "
	if res.StatusCode == 407 {
		name, answer = "Proxy-Authenticate", "Proxy-Authorization: "
	}
	if r.tries >= 2 || p.o.Password == "" {
		return nil, errors.New("the credentials are refused, or there are none")
	}
	for _, h := range res.GetHeaders(name) {
		challenge, err := digest.ParseChallenge(h.Value())
		if err != nil || !digest.CanDigest(challenge) {
			continue
		}
		if r.tries > 0 && !challenge.Stale {
			return nil, errors.New("the credentials are refused")
		}
		credentials, err := digest.Digest(challenge, digest.Options{
			Method: r.method, URI: r.uri, Count: 1, Username: p.o.User, Password: p.o.Password,
		})
		if err != nil {
			return nil, err
		}
		again := *r
		again.seq, again.branch, again.tries = seq, newBranch(), r.tries+1
		again.headers = make([]string, 0, len(r.headers)+1)
		for _, old := range r.headers {
			if !strings.HasPrefix(old, answer) {
				again.headers = append(again.headers, old)
			}
		}
		again.headers = append(again.headers, answer+credentials.String())
		return &again, nil
	}
	return nil, errors.New("no challenge that could be answered")
}

func newBranch() string { return sip.GenerateBranchN(16) }

func newTag() string { return sip.GenerateTagN(12) }

// tagOf is the tag of a From or To header.
func tagOf(params sip.HeaderParams) string {
	tag, _ := params.Get("tag")
	return tag
}

// hopOf is where requests to a URI go; nil if the host is a name.
func hopOf(u *sip.Uri) *net.UDPAddr {
	ip, err := netip.ParseAddr(strings.Trim(u.Host, "[]"))
	if err != nil {
		return nil
	}
	port := u.Port
	if port == 0 {
		port = 5060
	}
	return net.UDPAddrFromAddrPort(netip.AddrPortFrom(ip, uint16(port)))
}

// resolve reads "ip" or "ip:port".
func resolve(addr string) (*net.UDPAddr, error) {
	if ap, err := netip.ParseAddrPort(addr); err == nil {
		return net.UDPAddrFromAddrPort(ap), nil
	}
	ip, err := netip.ParseAddr(addr)
	if err != nil {
		return nil, fmt.Errorf("siptest: the server must be an address: %w", err)
	}
	return net.UDPAddrFromAddrPort(netip.AddrPortFrom(ip, 5060)), nil
}

// complete says whether a message has what every message must have. RFC 3261 §8.1.1.
func complete(m sip.Message) bool {
	return m.Via() != nil && m.From() != nil && m.To() != nil && m.CallID() != nil && m.CSeq() != nil
}

// reasonOf is the Reason header of a request (RFC 3326), or empty.
func reasonOf(req *sip.Request) string {
	if h := req.GetHeader("reason"); h != nil {
		return h.Value()
	}
	return ""
}
