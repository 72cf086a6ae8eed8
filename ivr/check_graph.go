package ivr

// graph tells of actions that nothing leads to, and of ways round: those that never wait for the participant, and those
// that nothing leads out of.
func (in *inspection) graph() {
	reached := in.doc.reachable()
	for _, n := range in.doc.Actions {
		if !reached[n.ID] {
			in.n = n
			in.warn("Identifier", "nothing leads to this action")
		}
	}
	idle := func(n *Node) bool { return reached[n.ID] && !n.act.rules().pauses }
	for _, round := range in.doc.rounds(idle) {
		exit := in.doc.leaves(round)
		for _, n := range round {
			in.n = n
			if exit {
				in.warn("Transitions", "can come back to itself without ever waiting for the participant: put a Loop in the way")
			} else {
				in.fail("Transitions", "goes round for ever without waiting for the participant, and nothing leads out")
			}
		}
	}
	if in.t != TypeInbound && in.t != TypeAgentTransfer && in.t != TypeQueueTransfer {
		return // what is heard while waiting or on hold goes round until somebody comes
	}
	for _, round := range in.doc.rounds(func(n *Node) bool { return reached[n.ID] }) {
		waits := false
		for _, n := range round {
			waits = waits || n.act.rules().pauses
		}
		if waits && !in.doc.leaves(round) {
			in.n = round[0]
			in.warn("Transitions", "is part of a way round that nothing leads out of: only hanging up ends it")
		}
	}
}

// leaves tells whether a way leads out of a round: to another action, or to the end of the flow.
func (d *Document) leaves(round []*Node) bool {
	inside := make(map[string]bool, len(round))
	for _, n := range round {
		inside[n.ID] = true
	}
	for _, n := range round {
		for _, id := range n.ways() {
			if !inside[id] {
				return true
			}
		}
	}
	return false
}

// ways are the actions that follow, with "" for the end of the flow where a branch is not connected.
func (n *Node) ways() []string {
	var out []string
	if n.next != "" || len(n.conditions) == 0 && len(n.errors) == 0 {
		out = append(out, n.next)
	}
	for _, c := range n.conditions {
		out = append(out, c.next)
	}
	for _, e := range n.errors {
		out = append(out, e.next)
	}
	return out
}

// rounds finds the sets of actions, among those that count, from each of which a way leads to each other and back
// (strongly connected components, by Tarjan's algorithm; without recursion, because a flow may be thousands long).
func (d *Document) rounds(counts func(*Node) bool) [][]*Node {
	t := &tarjan{doc: d, counts: counts, index: make(map[*Node]int), low: make(map[*Node]int), on: make(map[*Node]bool)}
	for _, n := range d.Actions {
		if counts(n) && t.index[n] == 0 && d.byID[n.ID] == n {
			t.visit(n)
		}
	}
	return t.found
}

type tarjan struct {
	doc        *Document
	counts     func(*Node) bool
	index, low map[*Node]int
	on         map[*Node]bool
	stack      []*Node
	found      [][]*Node
}

// visited is a visit that is under way: ways[at:] are still to be looked at.
type visited struct {
	n    *Node
	ways []string
	at   int
}

func (t *tarjan) enter(n *Node) visited {
	t.index[n] = len(t.index) + 1
	t.low[n] = t.index[n]
	t.stack, t.on[n] = append(t.stack, n), true
	return visited{n: n, ways: n.targets()}
}

func (t *tarjan) visit(root *Node) {
	work := []visited{t.enter(root)}
	for len(work) > 0 {
		f := &work[len(work)-1]
		if f.at < len(f.ways) {
			to := t.doc.byID[f.ways[f.at]]
			f.at++
			switch {
			case to == nil || !t.counts(to):
			case t.index[to] == 0:
				work = append(work, t.enter(to))
			case t.on[to]:
				t.low[f.n] = min(t.low[f.n], t.index[to])
			}
			continue
		}
		n := f.n
		work = work[:len(work)-1]
		if len(work) > 0 {
			parent := work[len(work)-1].n
			t.low[parent] = min(t.low[parent], t.low[n])
		}
		if t.low[n] == t.index[n] {
			t.take(n)
		}
	}
}

// take takes a component off the stack; one action alone is a round only if it leads to itself.
func (t *tarjan) take(root *Node) {
	i := len(t.stack) - 1
	for t.stack[i] != root {
		i--
	}
	round := append([]*Node(nil), t.stack[i:]...)
	t.stack = t.stack[:i]
	for _, n := range round {
		t.on[n] = false
	}
	if len(round) == 1 {
		self := false
		for _, id := range root.targets() {
			self = self || t.doc.byID[id] == root
		}
		if !self {
			return
		}
	}
	t.found = append(t.found, round)
}
