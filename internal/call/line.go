package call

import (
	"slices"
	"strings"
	"sync"
	"time"
)

// line is a leg with its media. It may move from one call to another, so that everything that comes from it goes to
// whom it belongs to at that moment, and waits while it belongs to nobody.
type line struct {
	leg     Leg
	media   Media
	profile Profile
	answer  []byte // our SDP for their INVITE

	id  int // of the party, for the owner's loop
	was int // of the party that it was for the one who gave it away

	mu      sync.Mutex
	owner   *actor
	party   int
	waiting []Event // while it is on the way
}

// maxWaiting is how many events of a line on its way are kept; more do not come in the moment that it takes.
const maxWaiting = 32

// event is where the leg reports.
func (l *line) event(e LegEvent) {
	if e.Kind == LegDigit {
		if l.media != nil { // counts it, so that one that came in the audio too is one, and tells whoever is joined
			l.media.Key(e.Digit)
		}
		return
	}
	l.mu.Lock()
	owner, work := l.owner, false
	if owner != nil {
		_, work = owner.mail.put(partyLeg{Party: l.party, LegEvent: e}, mailboxSize)
	} else {
		l.wait(partyLeg{LegEvent: e})
	}
	l.mu.Unlock()
	if work {
		owner.work() // here: a leg holds no lock when it reports
	}
}

// wait keeps an event while the line is on its way. The caller holds mu.
func (l *line) wait(e Event) {
	if len(l.waiting) < maxWaiting {
		l.waiting = append(l.waiting, e)
	}
}

// digit is where the media reports keys, however they came: those of the customer are for the flow, and a far end that
// takes them by SIP INFO alone is told by the call.
func (l *line) digit(d byte) {
	l.mu.Lock()
	owner, party := l.owner, l.party
	l.mu.Unlock()
	if owner == nil {
		return
	}
	switch int64(party) {
	case owner.customer.Load():
		owner.press(owner.digits, d)
	case owner.asker.Load():
		owner.press(owner.keys, d)
	}
	if owner.byInfo.Load() {
		owner.post(keyed{Party: party, Digit: d})
	}
}

// dead is where the media reports that nothing comes.
func (l *line) dead(why string) {
	l.post(func(party int) Event { return mediaDead{Party: party, Why: why} })
}

// post gives an event to the owner. It never blocks.
func (l *line) post(event func(party int) Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.owner != nil {
		l.owner.post(event(l.party))
		return
	}
	l.wait(event(0))
}

// give makes the line somebody's; nil: it is on the way. What has waited follows.
func (l *line) give(owner *actor, party int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.owner, l.party = owner, party
	if owner == nil {
		return
	}
	for _, e := range l.waiting {
		owner.post(readdress(e, party))
	}
	l.waiting = nil
}

// readdress gives an event of a leg another party.
func readdress(e Event, party int) Event {
	switch e := e.(type) {
	case partyLeg:
		e.Party = party
		return e
	case mediaDead:
		e.Party = party
		return e
	case keyed:
		e.Party = party
		return e
	case askDigits:
		e.party = party
		return e
	}
	return e
}

// forward hands an event on that was posted to a call which has given the line away since.
func (l *line) forward(e Event) {
	l.post(func(party int) Event { return readdress(e, party) })
}

// end releases the line by hand: nobody has it.
func (l *line) end(cause string) {
	if l.leg != nil {
		l.leg.Hangup(cause)
	}
	if l.media != nil {
		l.media.Close()
	}
}

// send sends keys to the far end as it wants them; a comma is a pause.
func (l *line) send(digits string) {
	keys, rest, more := strings.Cut(digits, ",")
	next := func() {
		if more {
			time.AfterFunc(keyPause, func() { l.post(func(party int) Event { return askDigits{party, rest} }) })
		}
	}
	if keys != "" && l.profile.Digits != DigitsInfo {
		l.media.SendDigits(keys, next)
		return
	}
	for _, d := range []byte(keys) {
		l.leg.Digit(d, infoDigit)
	}
	next()
}

// keyPause is what a comma among keys means.
const keyPause = 2 * time.Second

// infoDigit is how long a key is said to be pressed that goes by SIP INFO.
const infoDigit = 160 * time.Millisecond

// holds reports whether SDP of theirs says that they do not listen (RFC 3264 §8.4): sendonly, inactive, or the address
// 0.0.0.0 of older phones. Only the first stream counts; what the session level says holds where it is silent.
func holds(sdp []byte) bool {
	held, zero, section := false, false, 0
	for line := range strings.Lines(string(sdp)) {
		line = strings.TrimRight(line, "\r\n")
		switch {
		case strings.HasPrefix(line, "m="):
			if section++; section > 1 {
				return held || zero
			}
		case strings.HasPrefix(line, "c="):
			zero = slices.Contains(strings.Fields(line), "0.0.0.0")
		case line == "a=sendonly", line == "a=inactive":
			held = true
		case line == "a=sendrecv", line == "a=recvonly":
			held = false
		}
	}
	return held || zero
}
