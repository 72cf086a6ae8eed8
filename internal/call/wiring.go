package call

import "slices"

// wiring is who hears what: it follows from the state alone, so nobody can be forgotten in silence. A flow plays to its
// listener beside it; whoever has a flow is not in it.
type wiring struct {
	Bridge []member
	Sounds []playing
}

// member is one of those who hear each other. Two speakers are joined, everything else is a Room.
type member struct {
	Party   int
	Role    Role
	Coaches int
}

// playing is what somebody hears who waits.
type playing struct {
	Party int
	Sound Sound
}

func (w wiring) equal(o wiring) bool {
	return slices.Equal(w.Bridge, o.Bridge) && slices.Equal(w.Sounds, o.Sounds)
}

// ends reports whether something of w is over when next is in force.
func (w wiring) ends(next wiring) bool {
	return len(w.Bridge) > 0 && !slices.Equal(w.Bridge, next.Bridge) ||
		slices.ContainsFunc(w.Sounds, func(p playing) bool { return !slices.Contains(next.Sounds, p) })
}

// begins reports whether something is new in next.
func (w wiring) begins(next wiring) bool { return next.ends(w) }

// wire brings who hears what in line with the state, around what else is done: what is over is ended before it, what
// is new begins after it.
func (s *step) wire() {
	s.holdFlows()
	next := wired(&s.State)
	if s.Wired.equal(next) {
		return
	}
	if s.Wired.ends(next) {
		s.effects = append([]Effect{part{next}}, s.effects...)
	}
	if s.Wired.begins(next) {
		s.do(join{next})
	}
	s.Wired = next
}

// wired is who hears what in a state.
func wired(s *State) wiring {
	switch s.Phase {
	case PhaseCalling:
		return s.wiredCalling()
	case PhaseTalking:
		return s.wiredTalking()
	case PhaseTransferring:
		if s.Transfer.Consult {
			return s.wiredConsulting()
		}
		return s.wiredTransferring()
	case PhaseOutward:
		return s.wiredOutward()
	case PhaseOutboundWhisper: // to whoever called it has not been answered yet
		if p := s.party(s.Caller); p != nil && p.present() {
			return wiring{Sounds: []playing{{p.ID, SoundRing}}}
		}
	case PhaseEnqueueing, PhaseQueued, PhaseRinging, PhaseAgentWhisper, PhaseCustomerWhisper:
		if p := s.party(s.Customer); p != nil && p.Stage == partyUp && s.Flow[ofCustomer] == 0 {
			return wiring{Sounds: []playing{{s.Customer, SoundHold}}} // the flow is over, the wait is not
		}
	case PhaseNew, PhaseFlow, PhaseRemaining, PhaseEnding, PhaseEnded:
	}
	return wiring{}
}

// wiredCalling: whoever calls out hears the network's audio if it sends any, else our ringing tone, as soon as we have
// taken it on us to send audio at all: before that, the phone makes its own (RFC 3960 §3.2).
func (s *State) wiredCalling() wiring {
	caller, callee := s.party(s.Caller), s.party(s.Customer)
	if caller == nil || callee == nil || !caller.Early {
		return wiring{}
	}
	if callee.Early && callee.Flowing {
		return wiring{Bridge: []member{{Party: caller.ID}, {Party: callee.ID}}}
	}
	return wiring{Sounds: []playing{{caller.ID, SoundRing}}}
}

func (s *State) wiredTalking() wiring {
	w := wiring{Bridge: s.members(0)}
	s.soundsFor(&w, SoundHold)
	return w
}

// members are those who hear each other, without one of them. It needs two who talk, one of whom may be muted.
func (s *State) members(without int) []member {
	var ms []member
	talkers := 0
	for i := range s.Parties {
		p := &s.Parties[i]
		if p.ID == without || !p.present() || p.ID == s.Aside.To && s.Aside.Stage != asideTalks {
			continue
		}
		m := member{Party: p.ID, Role: p.Hears}
		if p.Hears == Speaker {
			talkers++
			if p.Muted {
				m.Role = Monitor
			}
		}
		if m.Role == Coach {
			m.Coaches = s.AgentGen
			if c := s.party(m.Coaches); c == nil || !c.present() || c.ID == without {
				m.Role, m.Coaches = Monitor, 0 // there is nobody to coach now
			}
		}
		ms = append(ms, m)
	}
	if talkers < 2 {
		return nil
	}
	return ms
}

// soundsFor gives a sound to those of a conversation who listen and are not in it, and have no flow.
func (s *State) soundsFor(w *wiring, sound Sound) {
	for i := range s.Parties {
		p := &s.Parties[i]
		if !p.talks() || p.Held || s.hasFlow(p.ID) || s.parked(p.ID) ||
			slices.ContainsFunc(w.Bridge, func(m member) bool { return m.Party == p.ID }) {
			continue
		}
		w.Sounds = append(w.Sounds, playing{p.ID, sound})
	}
}

// parked reports whether a party is the agent who has put the customer on hold: an agent who waits hears nothing.
func (s *State) parked(party int) bool {
	c := s.party(s.Customer)
	return s.Phase == PhaseTalking && party == s.AgentGen && c != nil && c.OnHold
}

func (s *State) hasFlow(party int) bool {
	return party == s.Customer && s.Flow[ofCustomer] != 0 || party == s.AgentGen && s.Flow[ofAgent] != 0 ||
		party == s.Aside.To && s.Flow[ofAside] != 0
}

// wiredTransferring: the one who is transferred hears music until the other end rings, then the ringing tone, or what
// the network sends instead.
func (s *State) wiredTransferring() wiring {
	w := wiring{Bridge: s.members(s.Transfer.By)}
	sound := SoundHold
	if s.rings() {
		sound = SoundRing
	}
	if to := s.party(s.Transfer.To); to != nil && to.Stage == partyRinging {
		if kept := s.party(s.kept()); to.Early && to.Flowing && kept != nil && kept.present() {
			w.Bridge = []member{{Party: kept.ID}, {Party: to.ID}}
		}
	}
	s.soundsFor(&w, sound)
	return w
}

// rings reports whether whom a transfer is for rings, or hears a whisper.
func (s *State) rings() bool {
	to := s.party(s.Transfer.To)
	return s.Transfer.Waits || to != nil && (to.Stage == partyRinging || to.Stage == partyUp && to.ID == s.Aside.To)
}

// wiredConsulting: the customer waits on hold; the agent hears that it rings.
func (s *State) wiredConsulting() wiring {
	w := wiring{Bridge: s.members(s.Transfer.By)}
	by, to := s.party(s.Transfer.By), s.party(s.Transfer.To)
	if by != nil && by.present() && to != nil && to.Stage == partyRinging && to.Early && to.Flowing && !s.hasFlow(by.ID) {
		w.Bridge = []member{{Party: by.ID}, {Party: to.ID}}
	}
	s.soundsFor(&w, SoundHold)
	for i := range w.Sounds {
		if w.Sounds[i].Party == s.Transfer.By && s.rings() {
			w.Sounds[i].Sound = SoundRing
		}
	}
	return w
}

// kept is the one whom a transfer connects with somebody else; 0 if there are several, or none.
func (s *State) kept() int { return s.others(s.Transfer.By, s.Transfer.To) }

// others is the one who talks beside two; 0 if there are several, or none.
func (s *State) others(by, to int) int {
	kept := 0
	for i := range s.Parties {
		p := &s.Parties[i]
		if p.ID == by || p.ID == to || !p.talks() && p.Stage != partyLent {
			continue
		}
		if kept != 0 {
			return 0
		}
		kept = p.ID
	}
	return kept
}

// holdFlows starts and ends the flows for those who wait on hold.
func (s *step) holdFlows() {
	if s.Phase != PhaseTalking && s.Phase != PhaseTransferring {
		s.HoldFlow = [2]bool{}
		return
	}
	for who, kind := range [...]FlowKind{ofCustomer: FlowCustomerHold, ofAgent: FlowAgentHold} {
		id := s.Customer
		if who == ofAgent {
			id = s.AgentGen
		}
		waits := s.waitsOnHold(id)
		switch {
		case waits && !s.HoldFlow[who]:
			s.HoldFlow[who] = true
			s.run(who, kind, s.Hooks[kind])
		case !waits && s.HoldFlow[who]:
			s.HoldFlow[who] = false
			s.stopFlow(who)
		}
	}
}

// waitsOnHold reports whether a party listens and has nobody to hear, and nothing rings for it either.
func (s *step) waitsOnHold(id int) bool {
	p := s.party(id)
	if p == nil || !p.talks() || p.Held || s.parked(id) {
		return false
	}
	without := 0
	if s.Phase == PhaseTransferring {
		if id == s.Transfer.By {
			return false
		}
		if s.rings() && !s.Transfer.Consult {
			return false
		}
		without = s.Transfer.By
	}
	return !slices.ContainsFunc(s.members(without), func(m member) bool { return m.Party == id })
}
