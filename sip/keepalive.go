package sip

import (
	"math/rand/v2"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"time"

	sipgo "github.com/emiago/sipgo/sip"
)

// Phones behind a NAT on UDP are asked OPTIONS every now and then: the question keeps the NAT's mapping open, the answer
// (any answer) proves that the contact is alive. A ping is one packet and a note, no transaction: the next one comes
// anyway, and several in a row must be lost before anything is concluded.

// pingMark begins the branch of a ping, after our prefix.
const pingMark = "ping-"

// pings are the notes of what was asked.
type pings struct {
	mu      sync.Mutex
	waiting map[string]pinged // by branch
}

type pinged struct {
	reg  Registration
	at   time.Time
	tell chan<- struct{} // somebody waits for the answer; has room for one. May be nil
}

// pingPhones asks every phone that needs it once in each interval, spread evenly, until the endpoint closes.
func (ep *Endpoint) pingPhones(every time.Duration) {
	tick := time.NewTicker(max(every/pingSlots, time.Millisecond))
	defer tick.Stop()
	for slot := 0; ; slot = (slot + 1) % pingSlots {
		select {
		case <-ep.ctx.Done():
			return
		case now := <-tick.C:
			ep.unanswered(now, every)
			for _, reg := range ep.opt.Registrar.pingedIn(slot, now) {
				ep.ping(reg, now, nil)
			}
		}
	}
}

// ping sends one OPTIONS; tell hears of the answer. RFC 3261 §11.
func (ep *Endpoint) ping(reg Registration, now time.Time, tell chan<- struct{}) {
	to, err := netip.ParseAddrPort(reg.Source)
	if err != nil {
		return
	}
	g := ep.packetFor(to.Addr().Unmap())
	if g == nil {
		return
	}
	branch := ep.prefix + pingMark + newTag()
	face := ep.face(g.local, to)
	host := face.Host
	if face.Port != 0 {
		host += ":" + strconv.Itoa(face.Port)
	}
	uri := strings.Map(printable, reg.Contact)
	text := "OPTIONS " + uri + " SIP/2.0\r\n" +
		"Via: SIP/2.0/UDP " + host + ";branch=" + branch + ";rport\r\n" +
		"Max-Forwards: 70\r\nFrom: <sip:ullim@" + face.Host + ">;tag=" + newTag()[:12] + "\r\nTo: <" + uri + ">\r\n" +
		"Call-ID: " + newTag() + "\r\nCSeq: " + strconv.FormatUint(uint64(rand.Uint32N(1<<16)+1), 10) + " OPTIONS\r\n" +
		"Contact: <sip:ullim@" + host + ">\r\nAccept: application/sdp\r\nUser-Agent: " + ep.opt.UserAgent + "\r\nContent-Length: 0\r\n\r\n"
	if _, err = g.conn.WriteTo([]byte(text), net.UDPAddrFromAddrPort(to)); err != nil {
		return
	}
	ep.pings.mu.Lock()
	defer ep.pings.mu.Unlock()
	if ep.pings.waiting == nil {
		ep.pings.waiting = make(map[string]pinged)
	}
	ep.pings.waiting[branch] = pinged{reg, now, tell}
}

// unanswered gives up on pings that are a whole interval old.
func (ep *Endpoint) unanswered(now time.Time, every time.Duration) {
	var late []Registration
	ep.pings.mu.Lock()
	for branch, p := range ep.pings.waiting {
		if now.Sub(p.at) >= every/2 {
			late = append(late, p.reg)
			delete(ep.pings.waiting, branch)
		}
	}
	ep.pings.mu.Unlock()
	for _, reg := range late {
		if ep.opt.Registrar.Failed(reg, false) {
			ep.count.deadContacts.Add(1)
			ep.log.Info("registration is dead: it does not answer OPTIONS", "device_id", reg.DeviceID, "source", reg.Source)
		}
	}
}

// ponged takes the answer to a ping.
func (ep *Endpoint) ponged(res *sipgo.Response) bool {
	via := res.Via()
	if via == nil {
		return false
	}
	branch, _ := via.Params.Get("branch")
	if !strings.HasPrefix(branch, ep.prefix+pingMark) {
		return false
	}
	ep.pings.mu.Lock()
	p, ok := ep.pings.waiting[branch]
	delete(ep.pings.waiting, branch)
	ep.pings.mu.Unlock()
	if ok {
		ep.opt.Registrar.ponged(p.reg, time.Now())
		if p.tell != nil {
			select {
			case p.tell <- struct{}{}:
			default: // somebody else's answer was enough
			}
		}
	}
	return true
}
