package siptest

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/emiago/sipgo/sip"
)

// registration is the phone's binding at its registrar. p.mu guards it.
type registration struct {
	callID  string
	tag     string
	seq     uint32
	valid   time.Time // until when
	refresh *alarm
	waiters []chan error
}

func (g *registration) fail(err error) { g.tell(err) }

func (g *registration) tell(err error) {
	for _, w := range g.waiters {
		w <- err
	}
	g.waiters = nil
}

// uriHostOf is host and port as they stand in a Contact of ours.
func uriHostOf(u *sip.Uri) string {
	host := u.Host
	if strings.Contains(host, ":") && !strings.HasPrefix(host, "[") {
		host = "[" + host + "]"
	}
	if u.Port == 0 {
		return host
	}
	return host + ":" + itoa(u.Port)
}

func itoa(n int) string { return strconv.Itoa(n) }

// Register registers the phone and waits for the answer. From then on the binding is refreshed by itself at half its
// time, until Unregister or Close; a refresh that fails is tried again after ten seconds.
func (p *Phone) Register(ctx context.Context) error { return p.register(ctx, p.o.Expires) }

// Unregister takes the binding back.
func (p *Phone) Unregister(ctx context.Context) error { return p.register(ctx, 0) }

// Registered says whether the phone has a binding that is still valid.
func (p *Phone) Registered() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return time.Now().Before(p.reg.valid)
}

func (p *Phone) register(ctx context.Context, expires time.Duration) error {
	if p.server == nil {
		return errors.New("siptest: the phone has no server to register at")
	}
	done := make(chan error, 1)
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return ErrClosed
	}
	p.reg.waiters = append(p.reg.waiters, done)
	p.bind(expires)
	p.mu.Unlock()
	return await(ctx, done)
}

// bind sends REGISTER. p.mu is held.
func (p *Phone) bind(expires time.Duration) {
	g := &p.reg
	g.refresh.stop()
	if g.callID == "" {
		g.callID, g.tag = sip.GenerateTagN(20)+"@"+p.host, newTag()
	}
	g.seq++
	seconds := int(expires / time.Second)
	p.sendRegister(&request{
		method: "REGISTER", uri: "sip:" + p.o.Domain, branch: newBranch(), from: "<" + p.aor() + ">;tag=" + g.tag,
		to: "<" + p.aor() + ">", callID: g.callID, seq: g.seq, hop: p.server,
		headers: []string{"Contact: " + p.contact(), "Expires: " + itoa(seconds)},
	}, expires)
}

func (p *Phone) sendRegister(r *request, expires time.Duration) {
	g := &p.reg
	p.request(r, func(res *sip.Response) {
		switch {
		case res.IsProvisional():
		case res.StatusCode == 401 || res.StatusCode == 407:
			again, err := p.withCredentials(r, res, g.seq+1)
			if err != nil {
				p.unbound(expires, fmt.Errorf("siptest: %d %s: %w", res.StatusCode, res.Reason, err))
				return
			}
			g.seq++
			p.sendRegister(again, expires)
		case res.IsSuccess():
			p.bound(expires, res)
		default:
			p.unbound(expires, statusError(res))
		}
	}, func() { p.unbound(expires, errors.New("siptest: no response to the REGISTER")) })
}

func (p *Phone) bound(expires time.Duration, res *sip.Response) {
	g := &p.reg
	g.valid = time.Time{}
	if expires > 0 {
		if h := res.GetHeader("expires"); h != nil {
			if n, err := strconv.Atoi(h.Value()); err == nil && n > 0 {
				expires = time.Duration(n) * time.Second
			}
		}
		if given, ok := p.givenExpires(res); ok {
			expires = given
		}
		g.valid = time.Now().Add(expires)
		g.refresh = p.after(expires/2, func() { p.bind(p.o.Expires) })
	}
	g.tell(nil)
}

// givenExpires is the time in our Contact of the answer. RFC 3261 §10.2.4.
func (p *Phone) givenExpires(res *sip.Response) (time.Duration, bool) {
	for _, h := range res.GetHeaders("contact") {
		var u sip.Uri
		var params sip.HeaderParams
		if _, err := sip.ParseAddressValue(h.Value(), &u, &params); err != nil || u.User != p.o.Name ||
			!strings.HasPrefix(p.sentBy, uriHostOf(&u)) {
			continue
		}
		text, _ := params.Get("expires")
		if n, err := strconv.Atoi(text); err == nil && n > 0 {
			return time.Duration(n) * time.Second, true
		}
	}
	return 0, false
}

func (p *Phone) unbound(expires time.Duration, err error) {
	p.o.Log.Warn("not registered", "phone", p.o.Name, "error", err)
	first := len(p.reg.waiters) > 0
	p.reg.tell(err)
	if expires > 0 && !first {
		p.reg.refresh = p.after(10*time.Second, func() { p.bind(p.o.Expires) })
	}
}
