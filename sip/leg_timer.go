package sip

import (
	"strconv"
	"strings"
	"time"

	sipgo "github.com/emiago/sipgo/sip"

	"ullim/internal/call"
)

// Session timers, RFC 4028: a session that is not refreshed is over, so that a call whose other end has died is not paid
// for until somebody notices.

const (
	leastMinSE        = 90 * time.Second // RFC 4028 §4
	defaultExpires    = 30 * time.Minute // what §4 recommends
	maxSessionExpires = 24 * time.Hour
	maxByeAhead       = 32 * time.Second // §10: how long before the end we say BYE, at most
)

// session is the timer of a dialog.
type session struct {
	expires time.Duration // 0: there is none
	ours    bool          // we refresh
	begun   bool          // negotiated
	stops   []func()
}

func (s *session) stop() {
	for _, f := range s.stops {
		f()
	}
	s.stops = nil
}

// far is what the peer has told of itself. RFC 3261 §13.3.1.4, RFC 3311 §4.
type far struct{ update bool }

// know learns what the peer can do.
func (l *Leg) know(m sipgo.Message) {
	if yes, known := lists(m, "UPDATE", "Allow"); known {
		l.far.update = yes
	}
}

// seconds reads delta-seconds, which parameters may follow.
func seconds(value string) time.Duration {
	text, _, _ := strings.Cut(value, ";")
	n, err := strconv.ParseUint(strings.TrimSpace(text), 10, 31)
	if err != nil {
		return 0
	}
	return time.Duration(n) * time.Second
}

// sessionExpires reads a Session-Expires: 0 if there is none. refresher is uac, uas or empty.
func sessionExpires(m sipgo.Message) (d time.Duration, refresher string) {
	v := valueOf(m, "Session-Expires", "x")
	if v == "" {
		return 0, ""
	}
	for p := range strings.SplitSeq(v, ";") {
		name, value, _ := strings.Cut(p, "=")
		if strings.EqualFold(strings.TrimSpace(name), "refresher") {
			refresher = strings.ToLower(strings.TrimSpace(value))
		}
	}
	return min(seconds(v), maxSessionExpires), refresher
}

// tooBrief reports a session that would be refreshed more often than we allow. RFC 4028 §9: 422 if they know what that is.
func (ep *Endpoint) tooBrief(req *sipgo.Request) bool {
	if valueOf(req, "Session-Expires", "x") == "" || ep.opt.SessionExpires < 0 {
		return false
	}
	d, _ := sessionExpires(req)
	return d < ep.opt.MinSE && has(req, "timer", "Supported", "k")
}

func (ep *Endpoint) minSE() sipgo.Header {
	return header("Min-SE", strconv.Itoa(int(ep.opt.MinSE/time.Second)))
}

// timerHeaders are those of a request of ours.
func (l *Leg) timerHeaders(req *sipgo.Request, expires, least time.Duration, refresher string) {
	if expires <= 0 || l.ep.opt.SessionExpires < 0 {
		return
	}
	v := strconv.Itoa(int(expires / time.Second))
	if refresher != "" {
		v += ";refresher=" + refresher
	}
	req.AppendHeader(header("Session-Expires", v))
	req.AppendHeader(header("Min-SE", strconv.Itoa(int(max(least, l.ep.opt.MinSE)/time.Second))))
}

// refreshHeaders are those of a request of ours inside the dialog: who refreshes, stays who refreshes. RFC 4028 §7.4.
func (l *Leg) refreshHeaders(req *sipgo.Request, least time.Duration) {
	if l.session.expires <= 0 {
		return
	}
	refresher := "uas"
	if l.session.ours {
		refresher = "uac"
	}
	l.timerHeaders(req, l.session.expires, least, refresher)
}

// timerOf2xx takes what the answer to a request of ours says. RFC 4028 §7.2: if it says nothing, there is no timer.
func (l *Leg) timerOf2xx(res *sipgo.Response) {
	l.session.stop()
	d, refresher := sessionExpires(res)
	if l.ep.opt.SessionExpires < 0 || d < leastMinSE {
		l.session.expires = 0
		return
	}
	l.session.expires, l.session.ours = d, refresher != "uas"
	l.windUp()
}

// timerOfRequest decides on the timer for a request of theirs, and gives what our 2xx says about it. RFC 4028 §9.
func (l *Leg) timerOfRequest(req *sipgo.Request) (hs []sipgo.Header) {
	l.session.stop()
	d, refresher := sessionExpires(req)
	knows := has(req, "timer", "Supported", "k")
	switch {
	case l.ep.opt.SessionExpires < 0, d == 0 && !knows:
		l.session.expires = 0
		return nil
	case d == 0: // they can, we want: then we do it
		d = l.ep.opt.SessionExpires
		if l.session.expires > 0 {
			d = l.session.expires
		} else {
			l.session.ours = true
		}
	default:
		d = max(d, l.ep.opt.MinSE)
		switch {
		case refresher == "uac" && knows:
			l.session.ours = false
		case refresher == "uas", !knows:
			l.session.ours = true
		case l.session.begun: // as it was
		default:
			l.session.ours = false
		}
	}
	l.session.expires = d
	l.windUp()
	who := "uac"
	if l.session.ours {
		who = "uas"
	} else {
		hs = append(hs, header("Require", "timer"))
	}
	return append(hs, header("Session-Expires", strconv.Itoa(int(d/time.Second))+";refresher="+who))
}

// windUp starts the time of a session again.
func (l *Leg) windUp() {
	s := &l.session
	s.begun = true
	d := s.expires
	if s.ours {
		s.stops = append(s.stops, l.after(d/2, l.refresh))
	}
	s.stops = append(s.stops, l.after(d-min(maxByeAhead, d/3), func() {
		if l.state != legConfirmed && l.state != legAnswered {
			return
		}
		l.sayBye(`SIP;cause=408;text="session expired"`)
		l.finish(call.CauseTimeout, 408, "the session was not refreshed")
		l.settle()
	}))
}

// refresh keeps the session alive: by an UPDATE that says nothing about the media, or by offering what is agreed already.
func (l *Leg) refresh() {
	if l.state != legConfirmed {
		return
	}
	if !l.far.update {
		if l.wanted == nil && l.proposed == nil && len(l.localSDP) > 0 {
			l.wanted = &proposal{sdp: l.localSDP, refresh: true}
		}
		l.propose() // a change of ours is a refresh as well
		l.refreshLater()
		return
	}
	l.refreshByUpdate(0)
}

func (l *Leg) refreshByUpdate(tries int) {
	req := l.d.request(l.ep, sipgo.UPDATE)
	req.AppendHeader(header("Supported", supported))
	l.refreshHeaders(req, 0)
	l.query(req, func(res *sipgo.Response) {
		if l.state != legConfirmed || res == nil {
			return
		}
		switch code := res.StatusCode; {
		case res.IsSuccess():
			l.d.moved(res)
			l.timerOf2xx(res)
		case code == 422 && tries < 2:
			if least := seconds(valueOf(res, "Min-SE")); least > l.session.expires && least <= maxSessionExpires {
				l.session.expires = least
				l.refreshByUpdate(tries + 1)
			}
		case code == 405 || code == 501:
			l.far.update = false
			l.refresh()
		default:
			l.refreshLater()
		}
	})
}

// refreshLater tries once more before the session ends, if the refresh that is on its way does not wind the timer up.
func (l *Leg) refreshLater() {
	wait := l.session.expires / 8
	l.session.stops = append(l.session.stops, l.after(wait, l.refresh))
}
