package call

import (
	"slices"

	"ullim/internal/contact"
)

// bridge is who hears what, as it is in force: a join of two, or a room, and the sounds of those who wait.
type bridge struct {
	members []member
	part    func() // of two who are joined
	room    Room
	sounds  []playing
}

// end parts everybody.
func (b *bridge) end() {
	if b.part != nil {
		b.part()
	}
	if b.room != nil {
		b.room.Close()
	}
	b.members, b.part, b.room = nil, nil, nil
}

// pair reports whether the members are two who are simply joined.
func pair(ms []member) bool {
	return len(ms) == 2 && ms[0].Role == Speaker && ms[1].Role == Speaker
}

// leave ends what is not in the wiring.
func (a *actor) leave(w wiring) {
	b := &a.bridge
	for _, p := range b.sounds {
		if l := a.line(p.Party); l != nil && !slices.Contains(w.Sounds, p) && l.media != nil {
			l.media.StopPlay()
		}
	}
	b.sounds = slices.DeleteFunc(b.sounds, func(p playing) bool { return !slices.Contains(w.Sounds, p) })
	switch {
	case slices.Equal(b.members, w.Bridge):
	case b.room == nil || len(w.Bridge) == 0 || pair(w.Bridge):
		b.end()
	default:
		for _, m := range b.members {
			if !slices.Contains(w.Bridge, m) {
				if l := a.line(m.Party); l != nil {
					b.room.Remove(l.media)
				}
			}
		}
		b.members = slices.DeleteFunc(b.members, func(m member) bool { return !slices.Contains(w.Bridge, m) })
	}
}

// enter begins what is new in the wiring.
func (a *actor) enter(w wiring) {
	b := &a.bridge
	for _, p := range w.Sounds {
		l := a.line(p.Party)
		if l == nil || l.media == nil || slices.Contains(b.sounds, p) {
			continue
		}
		if list := a.m.o.Sounds(p.Sound); len(list) > 0 {
			l.media.Play(list, true, func(bool) {})
		}
	}
	b.sounds = slices.Clone(w.Sounds)
	if slices.Equal(b.members, w.Bridge) {
		return
	}
	if pair(w.Bridge) {
		a.joinTwo(w.Bridge)
		return
	}
	if b.part != nil { // two were joined, and a third comes
		b.end()
	}
	if b.room == nil {
		b.room = a.m.o.Media.Room()
	}
	for _, m := range w.Bridge {
		if l := a.line(m.Party); l != nil && !slices.Contains(b.members, m) {
			a.enterRoom(l, m)
		}
	}
	b.members = slices.Clone(w.Bridge)
}

func (a *actor) joinTwo(ms []member) {
	a.bridge.end()
	left, right := a.line(ms[0].Party), a.line(ms[1].Party)
	if left == nil || right == nil {
		return
	}
	part, err := a.m.o.Media.Join(left.media, right.media)
	if err != nil {
		a.local = append(a.local, stopAsked{Reason: contact.TelecomProblem, Detail: "the two legs cannot be joined: " + err.Error()})
		return
	}
	a.bridge.part, a.bridge.members = part, slices.Clone(ms)
}

func (a *actor) enterRoom(l *line, m member) {
	var coached Media
	if c := a.line(m.Coaches); m.Role == Coach && c != nil {
		coached = c.media
	}
	if err := a.bridge.room.Add(l.media, m.Role, coached); err != nil {
		a.log.Error("not let into the conference", "party", m.Party, "error", err)
		a.local = append(a.local, partyLeg{Party: m.Party, LegEvent: LegEvent{
			Kind: LegEnded, Cause: CauseProtocol, Text: "no place in the conference: " + err.Error(),
		}})
	}
}
