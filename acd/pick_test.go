package acd

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"ullim/internal/contact"
)

func ago(seconds int) time.Time { return t0.Add(-time.Duration(seconds) * time.Second) }

func call(id, queue string, age int) Waiting {
	return Waiting{ContactID: id, QueueID: queue, Channel: contact.Voice, Since: ago(age)}
}

func chat(id, queue string, age int) Waiting {
	w := call(id, queue, age)
	w.Channel = contact.Chat
	return w
}

// voiceProfile has lines written as "queue priority delay".
func voiceProfile(lines ...string) *Profile {
	return CompileProfile(profileOf(contact.Voice, lines...))
}

func profileOf(ch contact.Channel, lines ...string) *RoutingProfile {
	p := &RoutingProfile{
		DefaultOutboundQueueID: "q",
		Concurrencies: []Concurrency{
			{Channel: contact.Voice, Limit: 1, CrossChannel: CurrentChannelOnly},
			{Channel: contact.Chat, Limit: 2, CrossChannel: AnyChannel},
		},
	}
	p.Name = "profile"
	for _, l := range lines {
		q := ProfileQueue{Channel: ch}
		if _, err := fmt.Sscan(l, &q.QueueID, &q.Priority, &q.Delay); err != nil {
			panic(err)
		}
		p.Queues = append(p.Queues, q)
	}
	return p
}

func idle(id string, p *Profile, available int) Candidate {
	return Candidate{UserID: id, Profile: p, Routable: true, Reachable: true, AvailableSince: ago(available)}
}

func holding(c Candidate, slots ...Slot) Candidate {
	c.Slots = slots
	return c
}

func matches(ms []Match) string {
	var out []string
	for _, m := range ms {
		out = append(out, m.ContactID+"-"+m.UserID)
	}
	slices.Sort(out)
	return strings.Join(out, " ")
}

func TestPickFollowsTheRulesOfRouting(t *testing.T) {
	one := voiceProfile("q 1 0")
	both := CompileProfile(&RoutingProfile{
		Concurrencies: one.Concurrencies,
		Queues: []ProfileQueue{
			{QueueID: "q", Channel: contact.Voice, Priority: 1}, {QueueID: "q", Channel: contact.Chat, Priority: 1},
		},
	})
	urgent := func(w Waiting, p int64) Waiting { w.Priority = p; return w }
	aged := func(w Waiting, d time.Duration) Waiting { w.AgeAdjustment = d; return w }
	refused := func(w Waiting, by ...string) Waiting { w.Refused = by; return w }
	with := func(c Candidate, f func(*Candidate)) Candidate { f(&c); return c }
	tests := []struct {
		name    string
		waiting []Waiting
		agents  []Candidate
		want    string
	}{
		{"nobody waits", nil, []Candidate{idle("a", one, 1)}, ""},
		{"nobody works", []Waiting{call("1", "q", 9)}, nil, ""},
		{"one for one", []Waiting{call("1", "q", 9)}, []Candidate{idle("a", one, 1)}, "1-a"},
		{"oldest first", []Waiting{call("1", "q", 1), call("2", "q", 9)}, []Candidate{idle("a", one, 1)}, "2-a"},
		{"longest available agent", []Waiting{call("1", "q", 9)}, []Candidate{idle("a", one, 1), idle("b", one, 5)}, "1-b"},
		{"ties by id", []Waiting{call("2", "q", 9), call("1", "q", 9)}, []Candidate{idle("b", one, 1), idle("a", one, 1)}, "1-a 2-b"},
		{"one offer for one agent", []Waiting{call("1", "q", 9), call("2", "q", 8)}, []Candidate{idle("a", one, 1)}, "1-a"},
		{
			"better class before older contact",
			[]Waiting{call("1", "q", 900), call("2", "vip", 1)},
			[]Candidate{idle("a", voiceProfile("q 2 0", "vip 1 0"), 1)},
			"2-a",
		},
		{
			"equal class: oldest across queues",
			[]Waiting{call("1", "q", 5), call("2", "vip", 9)},
			[]Candidate{idle("a", voiceProfile("q 1 0", "vip 1 0"), 1)},
			"2-a",
		},
		{
			"a better class whose contact is too young does not block",
			[]Waiting{call("1", "q", 5), call("2", "vip", 9)},
			[]Candidate{idle("a", voiceProfile("q 2 0", "vip 1 10"), 1)},
			"1-a",
		},
		{
			"delay is reached to the second",
			[]Waiting{call("1", "q", 10)},
			[]Candidate{idle("a", voiceProfile("q 1 10"), 1)},
			"1-a",
		},
		{"and not before", []Waiting{call("1", "q", 9)}, []Candidate{idle("a", voiceProfile("q 1 10"), 1)}, ""},
		{
			"contact priority before age",
			[]Waiting{call("1", "q", 900), urgent(call("2", "q", 1), 4)},
			[]Candidate{idle("a", one, 1)},
			"2-a",
		},
		{
			"the default contact priority is 5",
			[]Waiting{urgent(call("1", "q", 900), 6), call("2", "q", 1)},
			[]Candidate{idle("a", one, 1)},
			"2-a",
		},
		{
			"age adjustment moves a contact",
			[]Waiting{call("1", "q", 60), aged(call("2", "q", 1), time.Minute)},
			[]Candidate{idle("a", one, 1)},
			"2-a",
		},
		{
			"but does not shorten the delay",
			[]Waiting{aged(call("2", "q", 1), time.Minute)},
			[]Candidate{idle("a", voiceProfile("q 1 10"), 1)},
			"",
		},
		{
			"an adjusted young contact does not hide an eligible old one",
			[]Waiting{aged(call("2", "q", 1), time.Minute), call("1", "q", 30)},
			[]Candidate{idle("a", voiceProfile("q 1 10"), 1)},
			"1-a",
		},
		{"another queue", []Waiting{call("1", "x", 9)}, []Candidate{idle("a", one, 1)}, ""},
		{"another channel", []Waiting{chat("1", "q", 9)}, []Candidate{idle("a", one, 1)}, ""},
		{"offered already", []Waiting{{ContactID: "1", QueueID: "q", Channel: contact.Voice, Since: ago(9), OfferID: "o"}}, []Candidate{idle("a", one, 1)}, ""},
		{"status not routable", []Waiting{call("1", "q", 9)}, []Candidate{with(idle("a", one, 1), func(c *Candidate) { c.Routable = false })}, ""},
		{"next status waits", []Waiting{call("1", "q", 9)}, []Candidate{with(idle("a", one, 1), func(c *Candidate) { c.Leaving = true })}, ""},
		{"a call of their own", []Waiting{call("1", "q", 9)}, []Candidate{with(idle("a", one, 1), func(c *Candidate) { c.OnCall = true })}, ""},
		{"no device", []Waiting{call("1", "q", 9)}, []Candidate{with(idle("a", one, 1), func(c *Candidate) { c.Reachable = false })}, ""},
		{"no profile", []Waiting{call("1", "q", 9)}, []Candidate{idle("a", nil, 1)}, ""},
		{"back-off", []Waiting{call("1", "q", 9)}, []Candidate{with(idle("a", one, 1), func(c *Candidate) { c.NotBefore = t0.Add(1) })}, ""},
		{"voice in hand: no second call", []Waiting{call("1", "q", 9)}, []Candidate{holding(idle("a", both, 1), Slot{Channel: contact.Voice, State: SlotConnected})}, ""},
		{"after-contact work holds the slot", []Waiting{call("1", "q", 9)}, []Candidate{holding(idle("a", both, 1), Slot{Channel: contact.Voice, State: SlotACW})}, ""},
		{"voice in hand allows no chat", []Waiting{chat("1", "q", 9)}, []Candidate{holding(idle("a", both, 1), Slot{Channel: contact.Voice, State: SlotConnected})}, ""},
		{"chat in hand allows a call", []Waiting{call("1", "q", 9)}, []Candidate{holding(idle("a", both, 1), Slot{Channel: contact.Chat, State: SlotConnected})}, "1-a"},
		{"one chat in hand leaves one", []Waiting{chat("1", "q", 9)}, []Candidate{holding(idle("a", both, 1), Slot{Channel: contact.Chat, State: SlotConnected})}, "1-a"},
		{
			"two chats are the limit",
			[]Waiting{chat("1", "q", 9)},
			[]Candidate{holding(idle("a", both, 1), Slot{Channel: contact.Chat, State: SlotConnected}, Slot{Channel: contact.Chat, State: SlotACW})},
			"",
		},
		{
			"every contact in hand must allow it",
			[]Waiting{chat("1", "q", 9)},
			[]Candidate{holding(idle("a", both, 1), Slot{Channel: contact.Chat, State: SlotConnected}, Slot{Channel: contact.Voice, State: SlotConnected})},
			"",
		},
		{"a missed contact blocks all channels", []Waiting{call("1", "q", 9)}, []Candidate{holding(idle("a", both, 1), Slot{Channel: contact.Chat, State: SlotMissed})}, ""},
		{"one offer at a time", []Waiting{call("1", "q", 9)}, []Candidate{holding(idle("a", both, 1), Slot{Channel: contact.Chat, State: SlotOffered})}, ""},
		{
			"whoever refused comes after the others",
			[]Waiting{refused(call("1", "q", 9), "a")},
			[]Candidate{idle("a", one, 9), idle("b", one, 1)},
			"1-b",
		},
		{"unless nobody else is free", []Waiting{refused(call("1", "q", 9), "a")}, []Candidate{idle("a", one, 9)}, "1-a"},
		{
			"or all have refused",
			[]Waiting{refused(call("1", "q", 9), "a", "b")},
			[]Candidate{idle("a", one, 9), idle("b", one, 1)},
			"1-a",
		},
		{
			"a refusing agent takes the next contact, the other the refused one",
			[]Waiting{refused(call("1", "q", 9), "a"), call("2", "q", 5)},
			[]Candidate{idle("a", one, 9), idle("b", one, 1)},
			"1-b 2-a",
		},
		{
			"if the other prefers somebody else, the refusing agent is asked again",
			[]Waiting{refused(call("1", "q", 9), "a"), call("2", "vip", 5)},
			[]Candidate{idle("a", one, 9), idle("b", voiceProfile("vip 1 0", "q 2 0"), 1)},
			"1-a 2-b",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := matches(Pick(tt.waiting, tt.agents, t0)); got != tt.want {
				t.Fatalf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// slowPick is deferred acceptance as in the textbook: full lists of preferences, one proposal at a time, no lines, heads
// and early ends; then each contact that rings all asks every agent.
func slowPick(waiting []Waiting, agents []Candidate, now time.Time) []Match {
	could := func(w *Waiting, a *Candidate) bool { return w.busy(now) == "" && against(w, a, now) == "" }
	class := func(a *Candidate, w *Waiting) int { return a.Profile.byKey[lineKey{w.QueueID, w.Channel}].Priority } // own queue: 0
	wish := make([][]int, len(agents))                                                                             // contacts that each agent could have, the best first
	for i := range agents {
		a := &agents[i]
		for j := range waiting {
			if could(&waiting[j], a) {
				wish[i] = append(wish[i], j)
			}
		}
		slices.SortFunc(wish[i], func(x, y int) int {
			return cmp.Or(cmp.Compare(class(a, &waiting[x]), class(a, &waiting[y])), waiting[x].compare(&waiting[y]))
		})
	}
	rank := func(w *Waiting, a *Candidate) string { // as a string, so that nothing is shared with prefer
		refused, turn := 0, 0.0
		if slices.Contains(w.Refused, a.UserID) {
			refused = 1
		}
		if w.Distribution == RoundRobin || w.Distribution == Weighted {
			turn = a.Turns[w.QueueID]
		}
		return fmt.Sprintf("%d %012.3f %020d %s", refused, turn, a.AvailableSince.UnixNano(), a.UserID)
	}
	has := make(map[int]int)
	taken := make(map[int]bool)
	for again := true; again; {
		again = false
		for i := range agents {
			if taken[i] || len(wish[i]) == 0 {
				continue
			}
			again = true
			j := wish[i][0]
			wish[i] = wish[i][1:]
			if k, held := has[j]; held {
				if rank(&waiting[j], &agents[k]) < rank(&waiting[j], &agents[i]) {
					continue
				}
				taken[k] = false
			}
			has[j], taken[i] = i, true
		}
	}
	var out []Match
	for j, i := range has {
		out = append(out, Match{waiting[j].ContactID, agents[i].UserID})
	}
	return append(out, slowRing(waiting, agents, has, taken, now)...)
}

func slowRing(waiting []Waiting, agents []Candidate, has map[int]int, taken map[int]bool, now time.Time) (out []Match) {
	order := make([]int, len(waiting))
	for j := range order {
		order[j] = j
	}
	slices.SortFunc(order, func(x, y int) int { return waiting[x].compare(&waiting[y]) })
	for _, j := range order {
		w := &waiting[j]
		_, now1 := has[j]
		rings := w.Ringing
		if now1 {
			rings = 1
		}
		if w.Distribution != RingAll || !now1 && (w.OfferID == "" || w.Answered || w.Settling || w.NotBefore.After(now)) {
			continue
		}
		for rings < w.Width {
			best := -1
			for i := range agents {
				a := &agents[i]
				if !taken[i] && against(w, a, now) == "" && !slices.Contains(w.Refused, a.UserID) &&
					(best < 0 || compareAvailable(a, &agents[best]) < 0) {
					best = i
				}
			}
			if best < 0 {
				break
			}
			taken[best] = true
			rings++
			out = append(out, Match{w.ContactID, agents[best].UserID})
		}
	}
	return out
}

// scene makes random contacts and agents.
func scene(r *rand.Rand, contacts, agents int) ([]Waiting, []Candidate) {
	var profiles []*Profile
	for range 4 {
		p := &RoutingProfile{Concurrencies: []Concurrency{
			{Channel: contact.Voice, Limit: 1, CrossChannel: []CrossChannel{CurrentChannelOnly, AnyChannel}[r.IntN(2)]},
			{Channel: contact.Chat, Limit: 1 + r.IntN(3), CrossChannel: []CrossChannel{CurrentChannelOnly, AnyChannel}[r.IntN(2)]},
		}}
		for _, q := range r.Perm(6)[:1+r.IntN(5)] {
			ch := []contact.Channel{contact.Voice, contact.Voice, contact.Chat}[r.IntN(3)]
			p.Queues = append(p.Queues, ProfileQueue{fmt.Sprint("q", q), ch, 1 + r.IntN(3), r.IntN(3) * 30})
		}
		profiles = append(profiles, CompileProfile(p))
	}
	ws := make([]Waiting, contacts)
	for i := range ws {
		ws[i] = call(fmt.Sprint("c", i), fmt.Sprint("q", r.IntN(6)), r.IntN(120))
		if r.IntN(3) == 0 {
			ws[i].Channel = contact.Chat
		}
		if r.IntN(4) == 0 {
			ws[i].Priority, ws[i].AgeAdjustment = int64(1+r.IntN(9)), time.Duration(r.IntN(100)-50)*time.Second
		}
		for r.IntN(3) == 0 {
			ws[i].Refused = append(ws[i].Refused, fmt.Sprint("a", r.IntN(agents+1)))
		}
		switch n := r.IntN(12); {
		case n < 3:
			ws[i].Distribution, ws[i].Width = RingAll, 1+r.IntN(3)
		case n < 5:
			ws[i].Distribution = RoundRobin
		case n < 6:
			ws[i].Distribution = Weighted
		}
		if r.IntN(10) == 0 {
			ws[i].OfferID, ws[i].Ringing, ws[i].Answered = "live", 1, r.IntN(3) == 0
		}
	}
	as := make([]Candidate, agents)
	for i := range as {
		as[i] = idle(fmt.Sprint("a", i), profiles[r.IntN(len(profiles))], r.IntN(100))
		as[i].Routable = r.IntN(8) > 0
		if r.IntN(2) == 0 {
			as[i].Turns = map[string]float64{"q0": float64(r.IntN(3)), "q1": r.Float64(), "q2": 1}
		}
		for range r.IntN(3) {
			as[i].Slots = append(as[i].Slots, Slot{
				Channel: []contact.Channel{contact.Voice, contact.Chat}[r.IntN(2)],
				State:   []SlotState{SlotConnected, SlotConnected, SlotConnected, SlotACW, SlotMissed, SlotOffered}[r.IntN(6)],
			})
		}
	}
	return ws, as
}

func TestPickAgreesWithTheSlowReferenceInAnyOrder(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 9))
	total := 0
	for n := range 3000 {
		ws, as := scene(r, 1+r.IntN(14), 1+r.IntN(8))
		want := matches(slowPick(ws, as, t0))
		got := Pick(ws, as, t0)
		total += len(got)
		if matches(got) != want {
			t.Fatalf("scene %d: got %q, want %q\n%+v\n%+v", n, matches(got), want, ws, as)
		}
		r.Shuffle(len(ws), func(i, j int) { ws[i], ws[j] = ws[j], ws[i] })
		r.Shuffle(len(as), func(i, j int) { as[i], as[j] = as[j], as[i] })
		if again := Pick(ws, as, t0); !slices.Equal(got, again) {
			t.Fatalf("scene %d: %v in another order", n, again)
		}
		for _, w := range ws {
			for _, v := range Explain(w.ContactID, ws, as, t0) {
				matched := slices.Contains(got, Match{w.ContactID, v.UserID})
				if v.Reason == "" || matched != (v.Reason == WhyOfferedNow) {
					t.Fatalf("scene %d: %s and %s: reason %q, matched %v", n, w.ContactID, v.UserID, v.Reason, matched)
				}
			}
		}
	}
	if total < 2000 {
		t.Fatalf("only %d matches: the scenes are too poor to prove anything", total)
	}
}

func TestExplainNamesTheFirstRuleThatFails(t *testing.T) {
	p := voiceProfile("q 1 0", "slow 1 60")
	young := call("young", "slow", 5)
	offered := call("offered", "q", 5)
	offered.OfferID = "o"
	refused := call("refused", "q", 50)
	refused.Refused = []string{"b"}
	ws := []Waiting{call("first", "q", 100), refused, young, offered}
	away := idle("away", p, 1)
	away.Routable = false
	deaf := idle("deaf", p, 1)
	deaf.Reachable = false
	as := []Candidate{
		idle("a", p, 9), idle("b", p, 5), away, deaf, idle("other", voiceProfile("x 1 0"), 1),
		holding(idle("busy", p, 1), Slot{Channel: contact.Voice, State: SlotConnected}),
		holding(idle("missed", p, 1), Slot{Channel: contact.Voice, State: SlotMissed}),
	}
	tests := map[string]string{
		"first": "a=MATCHED away=STATUS_NOT_ROUTABLE b=ANOTHER_CONTACT_FIRST busy=NO_FREE_SLOT deaf=NO_DEVICE " +
			"missed=BLOCKED_BY_MISSED_CONTACT other=QUEUE_NOT_IN_PROFILE",
		"young": "a=DELAY_NOT_REACHED away=STATUS_NOT_ROUTABLE b=DELAY_NOT_REACHED busy=DELAY_NOT_REACHED deaf=NO_DEVICE " +
			"missed=BLOCKED_BY_MISSED_CONTACT other=QUEUE_NOT_IN_PROFILE",
		"offered": strings.ReplaceAll("a=X away=X b=X busy=X deaf=X missed=X other=X", "X", "CONTACT_IS_OFFERED"),
		"nobody":  strings.ReplaceAll("a=X away=X b=X busy=X deaf=X missed=X other=X", "X", "CONTACT_IS_NOT_WAITING"),
	}
	for id, want := range tests {
		var got []string
		for _, v := range Explain(id, ws, as, t0) {
			got = append(got, v.UserID+"="+string(v.Reason))
		}
		if diff := gocmp.Diff(want, strings.Join(got, " ")); diff != "" {
			t.Errorf("%s: %s", id, diff)
		}
	}
}

// center makes a large scene of plain voice: n waiting, m free agents.
func center(n, m int) ([]Waiting, []Candidate) {
	var lines []string
	for q := range 20 {
		lines = append(lines, fmt.Sprint("q", q, " ", 1+q%3, " ", 0))
	}
	profiles := []*Profile{voiceProfile(lines...), voiceProfile(lines[:10]...), voiceProfile(lines[5:]...)}
	ws := make([]Waiting, n)
	for i := range ws {
		ws[i] = call(fmt.Sprint("c", i), fmt.Sprint("q", i%20), n-i)
	}
	as := make([]Candidate, m)
	for i := range as {
		as[i] = idle(fmt.Sprint("a", i), profiles[i%3], i)
	}
	return ws, as
}

func BenchmarkPick(b *testing.B) {
	for _, size := range [][2]int{{5000, 500}, {5000, 1}, {100, 100}} {
		ws, as := center(size[0], size[1])
		b.Run(fmt.Sprintf("waiting=%d/agents=%d", size[0], size[1]), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if got := len(Pick(ws, as, t0)); got < min(size[0], size[1])*9/10 {
					b.Fatal(got)
				}
			}
		})
	}
}

func TestAnAgentServesTheirOwnQueueFirst(t *testing.T) {
	p := voiceProfile("q 1 0")
	mine, yours := AgentQueueID("a"), AgentQueueID("b")
	for _, row := range []struct {
		name    string
		waiting []Waiting
		agents  []Candidate
		want    string
	}{
		{"before an older contact of a better class", []Waiting{call("old", "q", 90), call("mine", mine, 1)}, []Candidate{idle("a", p, 5)}, "mine-a"},
		{"and nobody else does", []Waiting{call("mine", mine, 60)}, []Candidate{idle("b", p, 90)}, ""},
		{"each their own", []Waiting{call("mine", mine, 1), call("yours", yours, 2)}, []Candidate{idle("a", p, 5), idle("b", p, 9)}, "mine-a yours-b"},
		{"within the limits of the channel", []Waiting{call("mine", mine, 1)}, []Candidate{
			holding(idle("a", p, 5), Slot{OfferID: "o", Channel: contact.Voice, State: SlotConnected}),
		}, ""},
		{"on every channel of the profile", []Waiting{chat("mine", mine, 1)}, []Candidate{idle("a", p, 5)}, "mine-a"},
	} {
		if got := matches(Pick(row.waiting, row.agents, t0)); got != row.want {
			t.Errorf("%s: %q, want %q", row.name, got, row.want)
		}
	}
	verdicts := Explain("mine", []Waiting{call("mine", mine, 1)}, []Candidate{idle("a", p, 5), idle("b", p, 9)}, t0)
	if want := []Verdict{{"a", WhyOfferedNow}, {"b", WhyNotInProfile}}; !slices.Equal(verdicts, want) {
		t.Errorf("explained as %v", verdicts)
	}
}
