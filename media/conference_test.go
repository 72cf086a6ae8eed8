package media_test

import (
	"net/netip"
	"sync"
	"testing"
	"time"

	"ullim/internal/errs"
	"ullim/media"
	"ullim/media/mediatest"
)

// guest is a phone with its session.
type guest struct {
	s       *media.Session
	p       *mediatest.Phone
	to      netip.AddrPort
	payload uint8
	codec   string
	hertz   int
}

// guests are phones of several codecs, each with a tone of its own.
func (r *rig) guests(n int) []*guest {
	r.t.Helper()
	out := make([]*guest, n)
	for i := range out {
		g := &guest{codec: []string{"PCMU", "PCMA", "G722"}[i%3], payload: []uint8{0, 8, 9}[i%3], hertz: 400 + 300*i}
		formats := []string{"0 101", "8 101", "9 101"}[i%3]
		g.s, g.p, g.to = r.callWith(media.SessionOptions{Codecs: everything}, uint16(4000+2*i), formats, g722Map+event)
		out[i] = g
	}
	return out
}

// everybody talks at once for n frames.
func everybody(list []*guest, n int) {
	var all sync.WaitGroup
	for _, g := range list {
		all.Go(func() { hum(g.p, g.to, g.payload, g.codec, g.hertz, n) })
	}
	all.Wait()
}

// hears checks which of the others a guest hears in the last second of what it heard.
func (g *guest) hears(t *testing.T, what string, all []*guest, want ...*guest) {
	t.Helper()
	heard := g.p.Heard()
	continuous(t, heard)
	pcm := decoded(g.codec, heard)
	if len(pcm) < 8000 {
		t.Errorf("%s: %d Hz heard %d samples", what, g.hertz, len(pcm))
		return
	}
	pcm = pcm[len(pcm)-8000-1600:][:8000] // the last frames are of when nobody spoke any more
	for _, other := range all {
		wanted := false
		for _, w := range want {
			wanted = wanted || w == other
		}
		s := share(pcm, other.hertz)
		if loud(pcm) < 200 {
			s = 0
		}
		if wanted && s < 0.7/float64(len(want)) || !wanted && s > 0.05 {
			t.Errorf("%s: %s at %d Hz hears %d Hz with %.2f of the power, wanted: %v", what, g.codec, g.hertz, other.hertz, s, wanted)
		}
	}
}

func forget(list []*guest) {
	for _, g := range list {
		g.p.Forget()
	}
}

func TestInAConferenceEverybodyHearsTheOthers(t *testing.T) {
	inBubble(t, nil, func(r *rig) {
		t := r.t
		all := r.guests(6)
		c := r.plane.Conference()
		defer c.Close()
		for _, g := range all {
			defer g.p.Close()
		}
		for _, g := range all[:4] {
			if err := c.Add(g.s, media.Speaker, nil); err != nil {
				t.Error(err)
			}
		}
		forget(all)
		everybody(all[:4], 100)
		all[0].hears(t, "four", all, all[1], all[2], all[3])
		all[1].hears(t, "four", all, all[0], all[2], all[3])
		all[2].hears(t, "four", all, all[0], all[1], all[3])
		all[3].hears(t, "four", all, all[0], all[1], all[2])
		// One leaves, one hangs up, one comes.
		c.Remove(all[1].s)
		all[2].s.Close()
		time.Sleep(20 * ms)
		if err := c.Add(all[4].s, media.Speaker, nil); err != nil {
			t.Error(err)
		}
		forget(all)
		everybody([]*guest{all[0], all[1], all[3], all[4]}, 100)
		all[0].hears(t, "changed", all, all[3], all[4])
		all[4].hears(t, "changed", all, all[0], all[3])
		all[1].hears(t, "changed", all)
		if n := len(all[2].p.Heard()); n != 0 {
			t.Errorf("who hung up hears %d packets", n)
		}
		if got := c.Members(); got != 3 {
			t.Errorf("%d members", got)
		}
	})
}

func TestMonitorCoachAndBargeAreRoles(t *testing.T) {
	inBubble(t, nil, func(r *rig) {
		t := r.t
		all := r.guests(4)
		customer, agent, supervisor, trainer := all[0], all[1], all[2], all[3]
		c := r.plane.Conference()
		defer c.Close()
		for _, g := range all {
			defer g.p.Close()
		}
		add := func(g *guest, role media.Role, coached *guest) {
			t.Helper()
			var whom *media.Session
			if coached != nil {
				whom = coached.s
			}
			if err := c.Add(g.s, role, whom); err != nil {
				t.Error(err)
			}
		}
		add(customer, media.Speaker, nil)
		add(agent, media.Speaker, nil)
		add(supervisor, media.Monitor, nil)
		add(trainer, media.Coach, agent)
		forget(all)
		everybody(all, 100)
		customer.hears(t, "coached", all, agent) // and not one word of the coach
		agent.hears(t, "coached", all, customer, trainer)
		trainer.hears(t, "coached", all, customer, agent)
		supervisor.hears(t, "coached", all, customer, agent, trainer)
		// The supervisor barges in.
		add(supervisor, media.Speaker, nil)
		forget(all)
		everybody(all, 100)
		customer.hears(t, "barged", all, agent, supervisor)
		agent.hears(t, "barged", all, customer, trainer, supervisor)
		// The coached one leaves: nobody hears the coach.
		c.Remove(agent.s)
		forget(all)
		everybody(all, 100)
		customer.hears(t, "without the agent", all, supervisor)
		supervisor.hears(t, "without the agent", all, customer)
	})
}

func TestAConferenceRefusesNonsenseAndLeavesNothingBehind(t *testing.T) {
	inBubble(t, nil, func(r *rig) {
		t := r.t
		all := r.guests(media.MaxMembers + 2)
		for _, g := range all {
			defer g.p.Close()
		}
		c := r.plane.Conference()
		for _, g := range all[:media.MaxMembers] {
			if err := c.Add(g.s, media.Speaker, nil); err != nil {
				t.Error(err)
			}
		}
		other := r.plane.Conference()
		for what, err := range map[string]error{
			"one too many":              c.Add(all[media.MaxMembers].s, media.Speaker, nil),
			"in two":                    other.Add(all[0].s, media.Speaker, nil),
			"a coach of nobody":         c.Add(all[media.MaxMembers+1].s, media.Coach, nil),
			"a coach of somebody else":  other.Add(all[media.MaxMembers+1].s, media.Coach, all[0].s),
			"a speaker to one":          c.Add(all[media.MaxMembers+1].s, media.Speaker, all[0].s),
			"a role that there is not":  c.Add(all[media.MaxMembers+1].s, media.Role(7), nil),
			"a coach of himself":        c.Add(all[media.MaxMembers+1].s, media.Coach, all[media.MaxMembers+1].s),
			"joined and in the meeting": joinError(all[0].s, all[media.MaxMembers+1].s),
		} {
			want := map[string]errs.Kind{
				"one too many": errs.Limit, "in two": errs.Conflict, "joined and in the meeting": errs.Conflict,
				"a coach of somebody else": errs.InvalidRequest,
			}[what]
			if err == nil || want != 0 && !errs.Is(err, want) {
				t.Errorf("%s: %v", what, err)
			}
		}
		if st := r.plane.Stats(); st.Conferences != 2 {
			t.Errorf("%d conferences", st.Conferences)
		}
		var music result
		all[0].s.Play([]media.Source{sound{0x22, 10}}, false, music.done) // a whisper to a member
		time.Sleep(300 * ms)
		music.is(t, "a whisper", true)
		c.Close()
		c.Close()
		other.Close()
		if err := c.Add(all[6].s, media.Speaker, nil); err == nil {
			t.Error("a conference that is over took a member")
		}
		if st := r.plane.Stats(); st.Conferences != 0 {
			t.Errorf("%d conferences", st.Conferences)
		}
		forget(all)
		everybody(all[:2], 70)
		all[0].hears(t, "after the end", all)
		if err := joinError(all[0].s, all[1].s); err != nil {
			t.Errorf("afterwards they cannot be joined: %v", err)
		}
	})
}

func joinError(a, b *media.Session) error {
	_, err := media.Join(a, b)
	return err
}

func TestR10AConferenceIsRecorded(t *testing.T) {
	spool := t.TempDir()
	inBubble(t, func(o *media.Options) { o.SpoolDir = spool }, func(r *rig) {
		t := r.t
		all := r.guests(3)
		for _, g := range all {
			defer g.p.Close()
		}
		c := r.plane.Conference()
		defer c.Close()
		for _, g := range all {
			if err := c.Add(g.s, media.Speaker, nil); err != nil {
				t.Error(err)
			}
		}
		o := recordOf("c-1", "k.wav", all[0].s, all[1].s)
		o.Right = append(o.Right, all[2].s)
		rec, err := r.plane.Record(o)
		if err != nil {
			t.Error(err)
			return
		}
		everybody(all, 100)
		f := stopped(t, rec, spool)
		if f.err != nil {
			t.Error(f.err)
			return
		}
		isTone(t, "left", f.left[1600:14_400], all[0].hertz)
		right := f.right[1600:14_400]
		if s := share(right, all[1].hertz) + share(right, all[2].hertz); s < 0.9 {
			t.Errorf("only %.2f of the right side is what the two on it said", s)
		}
	})
}
