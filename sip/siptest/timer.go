package siptest

import (
	"strconv"
	"strings"
	"time"

	"github.com/emiago/sipgo/sip"
)

// sessionTimer is the session timer of a call. RFC 4028.
type sessionTimer struct {
	expires time.Duration
	ours    bool // we refresh
	refresh *alarm
	end     *alarm
}

// Refreshes counts the refreshes of the session timer, of ours that were taken and of theirs.
type Refreshes struct{ Ours, Theirs int }

// Refreshes are those of the call so far.
func (c *Call) Refreshes() Refreshes {
	c.p.mu.Lock()
	defer c.p.mu.Unlock()
	return c.refreshes
}

func expiresOf(m sip.Message) (d time.Duration, refresher string) {
	hs := m.GetHeaders("session-expires")
	if len(hs) == 0 {
		return 0, ""
	}
	text, rest, _ := strings.Cut(hs[0].Value(), ";")
	n, err := strconv.Atoi(strings.TrimSpace(text))
	if err != nil {
		return 0, ""
	}
	if _, who, ok := strings.Cut(rest, "refresher="); ok {
		refresher = who
	}
	return time.Duration(n) * time.Second, refresher
}

// extensions are the headers of an INVITE or UPDATE of ours.
func (c *Call) extensions() (list []string) {
	var tags []string
	if c.p.o.Reliable {
		tags = append(tags, "100rel")
	}
	if c.p.o.SessionExpires > 0 {
		tags = append(tags, "timer")
		d, who := c.p.o.SessionExpires, c.p.o.Refresher
		if c.timer.expires > 0 {
			d, who = c.timer.expires, "uas"
			if c.timer.ours {
				who = "uac"
			}
		}
		v := "Session-Expires: " + itoa(int(d/time.Second))
		if who != "" {
			v += ";refresher=" + who
		}
		list = append(list, v)
	}
	if len(tags) > 0 {
		list = append(list, "Supported: "+strings.Join(tags, ", "))
	}
	return list
}

// timed takes what their answer says of the timer.
func (c *Call) timed(res *sip.Response) {
	d, who := expiresOf(res)
	c.windUp(d, who != "uas")
}

// timing is what our 2xx to their request says of the timer.
func (c *Call) timing(req *sip.Request) (hs []sip.Header) {
	d, who := expiresOf(req)
	if c.p.o.SessionExpires <= 0 || d == 0 {
		return nil
	}
	if who == "" && c.timer.expires == 0 {
		who = c.p.o.Refresher
	}
	ours := who == "uas" || who == "" && c.timer.ours
	if !ours {
		c.refreshes.Theirs++
		who = "uac"
	} else {
		who = "uas"
	}
	c.windUp(d, ours)
	return []sip.Header{
		sip.NewHeader("Session-Expires", itoa(int(d/time.Second))+";refresher="+who), sip.NewHeader("Supported", "timer"),
	}
}

func (c *Call) windUp(d time.Duration, ours bool) {
	c.timer.refresh.stop()
	c.timer.end.stop()
	c.timer.expires, c.timer.ours = d, ours
	if d <= 0 || c.p.o.SessionExpires <= 0 {
		return
	}
	if ours && !c.misbehave.NoRefresh {
		c.timer.refresh = c.p.after(d/2, c.refresh)
	}
	c.timer.end = c.p.after(d-min(32*time.Second, d/3), func() {
		if c.answered && c.status.State != Over && !c.misbehave.NoRefresh {
			c.sendBye()
			c.end(Ended{ByUs: true, Kind: EndTimeout, Reason: "the session was not refreshed"})
		}
	})
}

func (c *Call) refresh() {
	if c.status.State == Over || !c.answered {
		return
	}
	r := c.inDialog("UPDATE")
	r.headers = append(r.headers, c.extensions()...)
	c.challenged(r, func(res *sip.Response) {
		if res != nil && res.IsSuccess() && c.status.State != Over {
			c.refreshes.Ours++
			c.timed(res)
		}
	})
}
