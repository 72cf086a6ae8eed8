package sip

import (
	"container/heap"
	"slices"
	"strings"
	"time"
)

// regTable is what a Registrar knows, with every way to find it. Its lock is the Registrar's. Memory counts: a hundred
// thousand phones are ordinary, so each is one entry of devices, one string in users and one entry of the heap.
type regTable struct {
	devices map[string]*deviceBindings // by device id; never empty lists
	users   map[string][]string        // by user id: device ids, in the order in which they came
	flows   map[string][]string        // by source of a stream: device ids
	pinged  [pingSlots]map[string]struct{}
	agents  map[string]string // one copy of each User-Agent
	ends    endings
	count   int
	planned time.Time // when Run looks next

	dirty   map[string]struct{} // devices with a binding whose new times are not written
	rewrite map[string]struct{} // devices that lost a binding, which is not written
	flushAt time.Time           // when they are
}

// pingSlots spreads the pings over time. A power of two.
const pingSlots = 64

// deviceBindings are the bindings of one device, the oldest first.
type deviceBindings struct {
	list   []kept
	noted  int64 // nanoseconds: an entry of endings at or before the first end
	pinged bool  // is in pinged
}

// kept is a binding in memory.
type kept struct {
	Registration
	stored int64     // microseconds: when it ends in the store; 0: it is not there
	failed uint8     // rings and pings without an answer, in a row
	dirty  bool      // the store has other times
	heard  time.Time // when it last answered OPTIONS
}

// ending is when a device's first binding may end. A refresh leaves it as it is; whoever comes too early is put back.
type ending struct {
	at       int64
	deviceID string
}

type endings []ending

// Len is for heap, as are the other four.
func (e endings) Len() int { return len(e) }

// Less orders by time.
func (e endings) Less(i, j int) bool { return e[i].at < e[j].at }

// Swap exchanges two.
func (e endings) Swap(i, j int) { e[i], e[j] = e[j], e[i] }

// Push adds one.
func (e *endings) Push(x any) { *e = append(*e, x.(ending)) } //nolint:errcheck,forcetypeassert // only endings are pushed

// Pop takes the last.
func (e *endings) Pop() any {
	last := (*e)[len(*e)-1]
	(*e)[len(*e)-1] = ending{}
	*e = (*e)[:len(*e)-1]
	return last
}

func newRegTable() regTable {
	return regTable{
		devices: make(map[string]*deviceBindings), users: make(map[string][]string), flows: make(map[string][]string),
		agents: make(map[string]string), dirty: make(map[string]struct{}), rewrite: make(map[string]struct{}),
	}
}

// maxAgents bounds the table of User-Agents; there are a few hundred kinds of phones.
const maxAgents = 4096

// bind makes bindings of registrations. What came with a message is copied, so that 60 bytes do not hold the 2 KB around
// them; what the device says of itself is shared.
func (t *regTable) bind(deviceID string, regs []Registration, stored bool) []kept {
	var old []kept
	if d := t.devices[deviceID]; d != nil {
		old = d.list
	}
	list := make([]kept, 0, len(regs))
	for _, reg := range regs {
		k := kept{Registration: reg}
		if i := slices.IndexFunc(old, func(o kept) bool { return sameBut(&o.Registration, &reg) }); i >= 0 {
			o := &old[i]
			k.stored, k.failed, k.dirty = o.stored, o.failed, o.dirty
			if reg.CSeq != o.CSeq || !reg.Registered.Equal(o.Registered) { // the phone has spoken
				k.failed = 0
			}
			k.Registration = o.Registration
			k.CSeq, k.Expires, k.Registered = reg.CSeq, reg.Expires, reg.Registered
			k.dirty = k.dirty || !reg.Expires.Equal(o.Expires)
		} else {
			k.Contact, k.Source = strings.Clone(reg.Contact), strings.Clone(reg.Source)
			k.CallID, k.SIPInstance = strings.Clone(reg.CallID), strings.Clone(reg.SIPInstance)
			k.Transport, k.UserAgent = t.once(reg.Transport), t.once(reg.UserAgent)
			k.Path = slices.Clone(reg.Path)
			for p := range k.Path {
				k.Path[p] = strings.Clone(k.Path[p])
			}
		}
		if stored {
			k.stored, k.dirty = reg.Expires.UnixMicro(), false
		}
		list = append(list, k)
	}
	return list
}

// once gives one copy of a word that many phones say.
func (t *regTable) once(s string) string {
	if c, ok := t.agents[s]; ok {
		return c
	}
	s = strings.Clone(s)
	if len(t.agents) < maxAgents {
		t.agents[s] = s
	}
	return s
}

// set replaces the bindings of a device and gives which users that made reachable or not.
func (t *regTable) set(deviceID string, list []kept) (changes []change) {
	d := t.devices[deviceID]
	var old []kept
	if d != nil {
		old = d.list
	}
	var touched []change
	note := func(userID string) {
		if !slices.ContainsFunc(touched, func(c change) bool { return c.userID == userID }) {
			touched = append(touched, change{userID, len(t.users[userID]) > 0})
		}
	}
	for i := range old {
		note(old[i].UserID)
	}
	for i := range list {
		note(list[i].UserID)
	}
	t.unlink(deviceID, old)
	t.count += len(list) - len(old)
	if len(list) == 0 {
		delete(t.devices, deviceID)
		delete(t.dirty, deviceID)
		if d != nil && d.pinged {
			delete(t.pinged[slotOf(deviceID)], deviceID)
		}
	} else {
		if d == nil {
			d = &deviceBindings{}
			deviceID = strings.Clone(deviceID)
			t.devices[deviceID] = d
		}
		d.list = list
		t.link(list[0].DeviceID, d)
	}
	for _, c := range touched {
		if is := len(t.users[c.userID]) > 0; is != c.reachable {
			changes = append(changes, change{c.userID, is})
		}
	}
	return changes
}

func (t *regTable) unlink(deviceID string, old []kept) {
	for i := range old {
		drop(t.users, old[i].UserID, deviceID)
		if streamed(old[i].Transport) {
			drop(t.flows, old[i].Source, deviceID)
		}
	}
}

func (t *regTable) link(deviceID string, d *deviceBindings) {
	first, pinged := d.list[0].Expires.UnixNano(), false
	for i := range d.list {
		b := &d.list[i]
		if !slices.Contains(t.users[b.UserID], deviceID) {
			t.users[b.UserID] = append(t.users[b.UserID], deviceID)
		}
		if streamed(b.Transport) && !slices.Contains(t.flows[b.Source], deviceID) {
			t.flows[b.Source] = append(t.flows[b.Source], deviceID)
		}
		first = min(first, b.Expires.UnixNano())
		pinged = pinged || needsPing(&b.Registration)
	}
	if d.noted == 0 || first < d.noted {
		d.noted = first
		heap.Push(&t.ends, ending{at: first, deviceID: deviceID})
	}
	if pinged != d.pinged {
		slot := &t.pinged[slotOf(deviceID)]
		if d.pinged = pinged; pinged {
			if *slot == nil {
				*slot = make(map[string]struct{})
			}
			(*slot)[deviceID] = struct{}{}
		} else {
			delete(*slot, deviceID)
		}
	}
}

// drop takes v out of m[k].
func drop(m map[string][]string, k, v string) {
	list := m[k]
	i := slices.Index(list, v)
	if i < 0 {
		return
	}
	if len(list) == 1 {
		delete(m, k)
		return
	}
	m[k] = slices.Delete(list, i, i+1)
}

// next is when the first binding may end.
func (t *regTable) next() (time.Time, bool) {
	for len(t.ends) > 0 {
		e := t.ends[0]
		if d := t.devices[e.deviceID]; d != nil && d.noted == e.at {
			return time.Unix(0, e.at), true
		}
		heap.Pop(&t.ends) // replaced or gone
	}
	return time.Time{}, false
}

// due gives the devices of which a binding has ended by now; those that came too early are put back.
func (t *regTable) due(now time.Time) []string {
	var list []string
	for len(t.ends) > 0 && t.ends[0].at <= now.UnixNano() {
		e, _ := heap.Pop(&t.ends).(ending)
		d := t.devices[e.deviceID]
		if d == nil || d.noted != e.at {
			continue
		}
		first := d.list[0].Expires.UnixNano()
		for i := range d.list {
			first = min(first, d.list[i].Expires.UnixNano())
		}
		d.noted = 0
		if first <= now.UnixNano() {
			list = append(list, e.deviceID)
			continue
		}
		d.noted = first
		heap.Push(&t.ends, ending{at: first, deviceID: e.deviceID})
	}
	return list
}

// slotOf is FNV-1a: the same after a restart, which keeps the pings of a device where they were.
func slotOf(deviceID string) int {
	h := uint32(2166136261)
	for i := range len(deviceID) {
		h = (h ^ uint32(deviceID[i])) * 16777619
	}
	return int(h % pingSlots)
}

// streamed reports a transport with connections.
func streamed(transport string) bool { return transport != "UDP" }
