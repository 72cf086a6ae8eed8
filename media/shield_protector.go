package media

import (
	"slices"
	"sync"
	"time"

	"ullim/internal/errs"
	"ullim/media/sdp"
	"ullim/media/srtp"
	"ullim/media/webrtc"
)

// certificate is that of the process for DTLS, made when the first leg wants it.
type certificate struct {
	once sync.Once
	c    *webrtc.Certificate
	err  error
}

func (c *certificate) get(now time.Time) (*webrtc.Certificate, error) {
	c.once.Do(func() { c.c, c.err = webrtc.NewCertificate(now) })
	return c.c, c.err
}

// protector is the protection of a session: it keeps our keys and names from one description to the next, and the guard
// from one agreement to the next.
//
//	Describe   our secrets, and the ones that follow if theirs change, for the sdp package to choose from
//	Agree      what it chose -> a guard with the keys (SDES), or one that is about to get them (DTLS)
type protector struct {
	plane   *Plane
	o       SessionOptions
	wire    wire
	policy  sdp.Policy
	secrets sdp.Secrets // in force
	next    sdp.Secrets // that an answer takes when theirs have changed
	guard   *guard      // nil: nothing, or plain RTP, was agreed
}

var _ protection = (*protector)(nil)

// protect makes the protection of a new session.
func (p *Plane) protect(o SessionOptions, w wire) (protection, error) {
	policy := sdp.Policy(o.Encryption)
	switch policy {
	case sdp.PlainPolicy, sdp.OptionalSRTP, sdp.RequireSDES, sdp.RequireDTLS, sdp.Browser:
	default:
		return nil, errs.Field("Encryption", "must be empty, optional, sdes, dtls or webrtc, got %q", o.Encryption)
	}
	return &protector{plane: p, o: o, wire: w, policy: policy}, nil
}

// Describe implements protection. Keys are made when there is somebody to take them.
func (p *protector) Describe(l *sdp.Local, offer *sdp.Description) error {
	crypto := p.policy == sdp.OptionalSRTP || p.policy == sdp.RequireSDES
	dtls := p.policy == sdp.RequireDTLS || p.policy == sdp.Browser
	if offer != nil {
		for _, m := range offer.Media {
			crypto = crypto || len(m.Crypto) > 0
			dtls = dtls || len(m.Fingerprints) > 0
		}
	}
	if crypto && p.secrets.Keys == nil {
		p.secrets.Keys, p.next.Keys = newKeys(), newKeys()
	}
	if dtls && p.secrets.Fingerprint.Value == "" {
		c, err := p.plane.certificate.get(p.plane.o.Now())
		if err != nil {
			return err
		}
		p.secrets.Fingerprint = sdp.Fingerprint{Hash: "sha-256", Value: c.Fingerprint}
		p.secrets.Ufrag, p.secrets.Pwd = credentials()
		p.next.Ufrag, p.next.Pwd = credentials()
	}
	l.Policy, l.Secrets, l.Next = p.policy, p.secrets, p.next
	return nil
}

// newKeys are random keys for all suites.
func newKeys() []srtp.Key {
	var list []srtp.Key
	for _, s := range srtp.Suites() {
		list = append(list, srtp.NewKey(s))
	}
	return list
}

func credentials() (ufrag, pwd string) {
	c := webrtc.NewCredentials()
	return c.Ufrag, c.Pwd
}

// Agree implements protection.
func (p *protector) Agree(n sdp.Session) (shield, error) {
	a := n.Protection
	if a.By == sdp.Plain {
		p.leave(nil)
		return nil, nil //nolint:nilnil // plain RTP was agreed
	}
	g := p.guard
	if g == nil || g.by != a.By {
		g = newGuard(p.plane, p.o, p.wire, a.By)
	}
	now := p.plane.o.Now()
	if a.By == sdp.SDES {
		if err := g.take(webrtc.Keys{Send: a.Send, Recv: a.Recv}, now); err != nil {
			return nil, err
		}
	} else {
		c, err := p.plane.certificate.get(now)
		if err != nil {
			return nil, err
		}
		g.associate(a, n.Remote, c)
	}
	p.leave(g)
	p.secrets = a.Secrets
	if slices.EqualFunc(p.next.Keys, a.Secrets.Keys, srtp.Key.Equal) && a.Secrets.Keys != nil {
		p.next.Keys = newKeys()
	}
	if p.next.Ufrag == a.Secrets.Ufrag && a.Secrets.Ufrag != "" {
		p.next.Ufrag, p.next.Pwd = credentials()
	}
	return g, nil
}

// leave goes over to another guard; nil: none.
func (p *protector) leave(to *guard) {
	if p.guard != nil && p.guard != to {
		p.guard.close()
	}
	p.guard = to
}

// Close implements protection.
func (p *protector) Close() { p.leave(nil) }
