package sip

import (
	"context"
	"encoding/json"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	sipgo "github.com/emiago/sipgo/sip"

	"ullim/internal/call"
)

// Waiting messages (RFC 3842): a phone subscribes to the message-summary of its own account (RFC 6665) and is told now
// and after every change; one that does not subscribe is told all the same if its device says NotifyWaiting. Nothing else
// can be subscribed to.

const (
	mwiEvent   = "message-summary"
	mwiType    = "application/simple-message-summary"
	mwiDefault = time.Hour // RFC 3842 §3.4
	mwiMin     = time.Minute
	mwiMax     = 2 * time.Hour

	maxSubscriptions       = 1 << 17
	maxSubscriptionsDevice = 5
	notifyTime             = timerB + time.Second
)

// waiting is who has subscribed and what there is to tell. Its methods may be called at the same time.
type waiting struct {
	mu     sync.Mutex
	subs   map[dialogKey]*subscription
	users  map[string][]*subscription
	counts map[string]messages // by user id
	dirty  map[string]bool
}

// messages are the counts of an account.
type messages struct {
	New int `json:"new"`
	Old int `json:"old"`
}

// subscription is the dialog that a SUBSCRIBE made. The lock of waiting guards it.
type subscription struct {
	key      dialogKey
	deviceID string
	userID   string
	account  string
	d        dialog
	ends     time.Time
	sending  bool // a NOTIFY waits for its answer
	again    bool // and another one is due then
	over     bool
}

func newWaiting() *waiting {
	return &waiting{
		subs: make(map[dialogKey]*subscription), users: make(map[string][]*subscription),
		counts: make(map[string]messages), dirty: make(map[string]bool),
	}
}

// SetWaiting says how many new and old messages a user has, and tells the user's phones if that is a change.
func (ep *Endpoint) SetWaiting(userID string, fresh, old int) {
	w := ep.mwi
	w.mu.Lock()
	was := w.counts[userID]
	is := messages{max(0, fresh), max(0, old)}
	if w.counts[userID] = is; is == (messages{}) {
		delete(w.counts, userID)
	}
	w.dirty[userID] = true
	w.mu.Unlock()
	if was != is {
		ep.WaitingChanged(userID)
	}
}

// Waiting is how many new and old messages a user has.
func (ep *Endpoint) Waiting(userID string) (fresh, old int) {
	if ep.opt.Waiting != nil {
		return ep.opt.Waiting(userID)
	}
	ep.mwi.mu.Lock()
	defer ep.mwi.mu.Unlock()
	m := ep.mwi.counts[userID]
	return m.New, m.Old
}

// WaitingChanged tells a user's phones how many messages wait now.
func (ep *Endpoint) WaitingChanged(userID string) {
	w := ep.mwi
	w.mu.Lock()
	subs := slices.Clone(w.users[userID])
	w.mu.Unlock()
	for _, s := range subs {
		ep.notify(s)
	}
	seen := map[string]bool{}
	for _, reg := range ep.opt.Registrar.All(userID, time.Now()) {
		if d, ok := ep.opt.Devices().ByID(reg.DeviceID); ok && !seen[d.ID] {
			seen[d.ID] = true
			ep.waitingFor(d)
		}
	}
}

// waitingFor tells a device that wants to be told but has not subscribed.
func (ep *Endpoint) waitingFor(d *Device) {
	if !d.NotifyWaiting {
		return
	}
	ep.mwi.mu.Lock()
	subscribed := slices.ContainsFunc(ep.mwi.users[d.UserID], func(s *subscription) bool { return s.deviceID == d.ID })
	ep.mwi.mu.Unlock()
	if subscribed {
		return
	}
	for _, reg := range ep.opt.Registrar.Device(d.ID, time.Now()) {
		h, why := ep.deviceHop(call.Target{InstanceID: d.InstanceID, UserID: d.UserID, FromNumber: d.Name}, reg)
		if why != "" {
			continue
		}
		fresh, old := ep.Waiting(d.UserID)
		ep.spawn(func() { ep.tellWaiting(h, d.Name, messages{fresh, old}) })
	}
}

// tellWaiting sends a NOTIFY that nobody has subscribed to.
func (ep *Endpoint) tellWaiting(h hop, account string, m messages) {
	ctx, cancel := context.WithTimeout(ep.ctx, notifyTime)
	defer cancel()
	laddr, via, err := ep.reach(ctx, h)
	if err != nil {
		return
	}
	d := dialog{
		callID: newTag(), localTag: newTag(), local: h.from, remote: h.to, target: h.target, routes: h.routes,
		localSeq: rand.Uint32N(1 << 16), network: h.network, source: h.addr, behind: true, laddr: laddr, via: via,
	}
	d.local.uri.Host, d.remote.uri.Host = via.Host, via.Host
	req := ep.notifyRequest(&d, account, m, "active")
	req.SetDestination(h.addr.String())
	ep.askOnce(req)
}

// onSubscribe is a SUBSCRIBE, first or later.
func (ep *Endpoint) onSubscribe(req *sipgo.Request, tx *sipgo.ServerTx, toTag string) {
	now := time.Now()
	who := ep.authenticate(req, now)
	if who.verdict != AuthOK {
		ep.challenge(req, tx, who, now)
		return
	}
	ep.heardRight(req, now.Add(mwiMax), now)
	event, _, _ := strings.Cut(headerOf(req, "Event"), ";")
	if event == "" {
		event, _, _ = strings.Cut(headerOf(req, "o"), ";")
	}
	switch {
	case !strings.EqualFold(strings.TrimSpace(event), mwiEvent): // RFC 6665 §4.2.1.1
		ep.refuseWith(req, tx, 489, "Bad Event", header("Allow-Events", mwiEvent))
		return
	case who.device == nil || userPart(&req.To().Address) != who.device.Name:
		ep.refuseWith(req, tx, 403, "Forbidden")
		return
	case !acceptsType(req, mwiType):
		ep.refuseWith(req, tx, 406, "Not Acceptable", header("Accept", mwiType))
		return
	case req.Contact() == nil || req.Contact().Address.Wildcard:
		ep.refuseWith(req, tx, 400, "Bad Request")
		return
	}
	life, ok := subscribedFor(headerOf(req, "Expires"))
	if !ok {
		ep.refuseWith(req, tx, 423, "Interval Too Brief", header("Min-Expires", strconv.Itoa(int(mwiMin/time.Second))))
		return
	}
	s, code, reason := ep.subscribe(req, tx, who.device, toTag, now.Add(life))
	if s == nil {
		ep.refuseWith(req, tx, code, reason)
		return
	}
	res := ep.response(req, 200, "OK", s.key.localTag)
	res.AppendHeader(header("Expires", strconv.Itoa(int(life/time.Second))))
	res.AppendHeader(s.d.contact())
	ep.respond(req, tx, res)
	ep.notify(s) // RFC 6665 §4.2.1.2: at once, also for a refresh
}

// subscribedFor is how long a subscription lasts. ok is false if the wish is too short.
func subscribedFor(wish string) (life time.Duration, ok bool) {
	life = mwiDefault
	if n, err := strconv.ParseUint(strings.TrimSpace(wish), 10, 32); err == nil {
		life = time.Duration(n) * time.Second
	}
	return min(life, mwiMax), life == 0 || life >= mwiMin
}

// acceptsType reports whether a body of this type is welcome.
func acceptsType(req *sipgo.Request, want string) bool {
	hs := req.GetHeaders("Accept")
	for _, h := range hs {
		for kind := range strings.SplitSeq(h.Value(), ",") {
			kind, _, _ = strings.Cut(kind, ";")
			major, _, _ := strings.Cut(want, "/")
			switch strings.ToLower(strings.TrimSpace(kind)) {
			case want, major + "/*", "*/*":
				return true
			}
		}
	}
	return len(hs) == 0
}

// subscribe makes or refreshes a subscription, or says why not.
func (ep *Endpoint) subscribe(req *sipgo.Request, tx *sipgo.ServerTx, dev *Device, toTag string, ends time.Time) (*subscription, int, string) {
	w := ep.mwi
	w.mu.Lock()
	defer w.mu.Unlock()
	if toTag != "" {
		s := w.subs[dialogKey{callIDOf(req), toTag}]
		switch {
		case s == nil || s.deviceID != dev.ID || s.d.remoteTag != tagOf(req.From().Params):
			return nil, 481, "Subscription Does Not Exist"
		case req.CSeq().SeqNo <= s.d.remoteSeq: // RFC 3261 §12.2.2
			return nil, 500, "Server Internal Error"
		}
		s.d.remoteSeq, s.ends = req.CSeq().SeqNo, ends
		s.d.refresh(req)
		return s, 0, ""
	}
	mine := 0
	for _, s := range w.users[dev.UserID] {
		if s.deviceID == dev.ID {
			mine++
		}
	}
	if len(w.subs) >= maxSubscriptions {
		return nil, 503, "Service Unavailable"
	}
	if mine >= maxSubscriptionsDevice { // the newest stay, as with contacts
		for _, s := range w.users[dev.UserID] {
			if s.deviceID == dev.ID {
				w.removeLocked(s)
				break
			}
		}
	}
	s := &subscription{deviceID: dev.ID, userID: dev.UserID, account: dev.Name, ends: ends}
	s.d = dialogOfInvite(req, newTag())
	s.d.heard(req.Source())
	s.d.behind = true
	local, _ := addrPort(tx.Connection().LocalAddr())
	s.d.laddr, s.d.via = local, ep.face(local, s.d.source)
	s.d.localSeq = rand.Uint32N(1 << 16)
	s.key = dialogKey{s.d.callID, s.d.localTag}
	w.subs[s.key] = s
	w.users[s.userID] = append(w.users[s.userID], s)
	return s, 0, ""
}

func (w *waiting) removeLocked(s *subscription) {
	s.over = true
	delete(w.subs, s.key)
	list := slices.DeleteFunc(w.users[s.userID], func(o *subscription) bool { return o == s })
	if w.users[s.userID] = list; len(list) == 0 {
		delete(w.users, s.userID)
	}
}

// notify tells a subscriber, one NOTIFY at a time.
func (ep *Endpoint) notify(s *subscription) {
	fresh, old := ep.Waiting(s.userID)
	w := ep.mwi
	w.mu.Lock()
	defer w.mu.Unlock()
	if s.over {
		return
	}
	if s.sending {
		s.again = true
		return
	}
	left := time.Until(s.ends)
	state := "active;expires=" + strconv.Itoa(int((left+time.Second-1)/time.Second))
	if left <= 0 { // RFC 6665 §4.2.2
		state = "terminated;reason=timeout"
		w.removeLocked(s)
	}
	req := ep.notifyRequest(&s.d, s.account, messages{fresh, old}, state)
	s.sending = true
	if !ep.spawn(func() { ep.notified(s, ep.askOnce(req)) }) {
		w.removeLocked(s)
	}
}

// notified takes the answer to a NOTIFY. RFC 6665 §4.2.2: one that is refused, or never answered, ends the subscription.
func (ep *Endpoint) notified(s *subscription, status int) {
	w := ep.mwi
	w.mu.Lock()
	s.sending = false
	if status < 200 || status >= 300 && status != 401 && status != 407 {
		if !s.over {
			w.removeLocked(s)
		}
	}
	again := s.again && !s.over
	s.again = false
	w.mu.Unlock()
	if again {
		ep.notify(s)
	}
}

func (ep *Endpoint) notifyRequest(d *dialog, account string, m messages, state string) *sipgo.Request {
	req := d.request(ep, sipgo.NOTIFY)
	req.AppendHeader(d.contact())
	req.AppendHeader(header("Event", mwiEvent))
	req.AppendHeader(header("Subscription-State", state))
	ct := sipgo.ContentTypeHeader(mwiType)
	req.AppendHeader(&ct)
	yes := "no"
	if m.New > 0 {
		yes = "yes"
	}
	req.SetBody([]byte("Messages-Waiting: " + yes + "\r\nMessage-Account: sip:" + escapeUser(account) + "@" + d.via.Host +
		"\r\nVoice-Message: " + strconv.Itoa(m.New) + "/" + strconv.Itoa(m.Old) + "\r\n"))
	return req
}

// askOnce sends a request outside of a leg and gives the status of its final answer, 0 if none came.
func (ep *Endpoint) askOnce(req *sipgo.Request) int {
	tx, err := ep.transactions.NewClientTransaction(ep.ctx, req)
	if err != nil {
		return 0
	}
	defer tx.Terminate()
	if err = tx.Init(); err != nil {
		return 0
	}
	late := time.NewTimer(notifyTime)
	defer late.Stop()
	for {
		select {
		case res := <-tx.Responses():
			if !res.IsProvisional() {
				return res.StatusCode
			}
		case <-tx.Done():
			return 0
		case <-late.C:
			return 0
		case <-ep.ctx.Done():
			return 0
		}
	}
}

// sweep ends subscriptions whose time is over, with the NOTIFY that says so.
func (w *waiting) sweep(ep *Endpoint, now time.Time) {
	w.mu.Lock()
	var over []*subscription
	for _, s := range w.subs {
		if !s.ends.After(now) {
			over = append(over, s)
		}
	}
	w.mu.Unlock()
	for _, s := range over {
		ep.notify(s)
	}
}

func (w *waiting) size() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.subs)
}

func (w *waiting) changes() []State {
	w.mu.Lock()
	defer w.mu.Unlock()
	var out []State
	for userID := range w.dirty {
		st := State{Kind: stateWaiting, Key: userID}
		if m, ok := w.counts[userID]; ok {
			st.Body, _ = json.Marshal(m) // two numbers: cannot fail
		}
		out = append(out, st)
	}
	clear(w.dirty)
	return out
}

func (w *waiting) restore(st State, _ time.Time) {
	var m messages
	if json.Unmarshal(st.Body, &m) == nil {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.counts[st.Key] = m
	}
}
