package trace

import (
	"cmp"
	"container/list"
	"hash/maphash"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"ullim/internal/errs"
)

// Options bound a Recorder. A zero field has the default in brackets.
type Options struct {
	Memory   int // bytes of messages in all (32 MiB)
	Messages int // of one dialog: the first quarter and the last three (64)
	Size     int // bytes of one message (4096)
	Facts    int // of one contact (64)
}

// Recorder keeps traces. A nil Recorder keeps nothing. It is safe for concurrent use.
type Recorder struct {
	o       Options
	dropped atomic.Uint64
	seed    maphash.Seed

	mu       sync.Mutex
	dialogs  map[string]*dialog    // by Call-ID
	contacts map[string]*contactOf // by contact id
	known    lru                   // dialogs of contacts
	strange  lru                   // attempts that became nothing, or are not known yet
}

// lru is dialogs with the least recent first, and how much they hold.
type lru struct {
	order list.List
	bytes int
}

// dialog is the ring of one Call-ID.
type dialog struct {
	callID   string
	contact  string
	entries  []Entry
	skipped  int // messages between the first and the last that are kept
	bytes    int
	at       *list.Element
	in       *lru
	seen     []uint64 // hashes of the messages' keys
	incoming bool     // their INVITE
}

type contactOf struct {
	callIDs []string
	facts   []Fact
}

// Entry is a message of a trace.
type Entry struct {
	At            time.Time
	CallID        string
	Sent          bool
	Network       string
	Local, Remote netip.AddrPort
	Summary       string
	Repeated      bool // a copy of one before
	Text          string
}

// Fact is something that was decided or noticed beside the messages: what media was agreed, who was learned, what was lost.
type Fact struct {
	At   time.Time
	Peer string // whose leg: "customer", "agent"; empty: the call
	Text string
}

// Dialog names one leg of a trace.
type Dialog struct {
	CallID   string
	Incoming bool
	Remote   netip.AddrPort
	Skipped  int // messages that are not kept
}

// Trace is all that is known of a contact on the wire, in order of time.
type Trace struct {
	ContactID string
	Dialogs   []Dialog
	Entries   []Entry
	Facts     []Fact
}

// New makes a Recorder.
func New(o Options) *Recorder {
	o.Memory = cmp.Or(o.Memory, 32<<20)
	o.Messages = max(cmp.Or(o.Messages, 64), 8)
	o.Size = cmp.Or(o.Size, 4096)
	o.Facts = cmp.Or(o.Facts, 64)
	return &Recorder{o: o, seed: maphash.MakeSeed(), dialogs: make(map[string]*dialog), contacts: make(map[string]*contactOf)}
}

// Add files a message. Only dialogs that begin with an INVITE are kept: registrations and pings are many and say little.
func (r *Recorder) Add(m Message) {
	if r == nil {
		return
	}
	n, ok := read(m.Raw)
	if !ok {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	d := r.dialogs[n.callID]
	if d == nil {
		if !n.first {
			return
		}
		d = &dialog{callID: n.callID, incoming: !m.Sent, in: &r.strange}
		d.at = d.in.order.PushBack(d)
		r.dialogs[n.callID] = d
	}
	if n.contact != "" && d.contact == "" && m.Sent {
		r.bind(d, n.contact)
	}
	key := maphash.String(r.seed, n.key)
	repeated := slices.Contains(d.seen, key)
	e := Entry{
		At: m.At, CallID: d.callID, Sent: m.Sent, Network: m.Network, Local: m.Local, Remote: m.Remote, Summary: n.summary,
		Repeated: repeated,
	}
	if !repeated { // the first copy has said it all
		e.Text = string(Redact(m.Raw, r.o.Size))
	}
	r.put(d, e, key)
	r.trim()
}

// put adds an entry to a ring: its beginning stays, of the rest the newest.
func (r *Recorder) put(d *dialog, e Entry, key uint64) {
	size := len(e.Text) + 200
	if len(d.entries) >= r.o.Messages {
		at := r.o.Messages / 4
		gone := len(d.entries[at].Text) + 200
		d.entries = slices.Delete(d.entries, at, at+1)
		d.skipped++
		d.bytes -= gone
		d.in.bytes -= gone
	}
	d.entries = append(d.entries, e)
	if !e.Repeated && len(d.seen) < 4*r.o.Messages {
		d.seen = append(d.seen, key)
	}
	d.bytes += size
	d.in.bytes += size
	d.in.order.MoveToBack(d.at)
}

// Bind says that a dialog belongs to a contact.
func (r *Recorder) Bind(callID, contactID string) {
	if r == nil || callID == "" || contactID == "" {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if d := r.dialogs[callID]; d != nil && d.contact == "" {
		r.bind(d, contactID)
	}
}

func (r *Recorder) bind(d *dialog, contactID string) {
	d.contact = contactID
	c := r.contacts[contactID]
	if c == nil {
		c = &contactOf{}
		r.contacts[contactID] = c
	}
	c.callIDs = append(c.callIDs, d.callID)
	d.in.order.Remove(d.at)
	d.in.bytes -= d.bytes
	d.in = &r.known
	d.in.bytes += d.bytes
	d.at = d.in.order.PushBack(d)
}

// Note adds a fact to a contact that has a dialog.
func (r *Recorder) Note(contactID string, f Fact) {
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	c := r.contacts[contactID]
	if c == nil || len(c.facts) >= r.o.Facts {
		return
	}
	f.Text = cut(clean([]byte(f.Text)), 400)
	c.facts = append(c.facts, f)
}

// trim forgets the oldest dialogs: those of contacts have three quarters of the memory, the others the rest.
func (r *Recorder) trim() {
	for r.strange.bytes > r.o.Memory/4 {
		r.forget(&r.strange)
	}
	for r.known.bytes > r.o.Memory/4*3 {
		r.forget(&r.known)
	}
}

func (r *Recorder) forget(l *lru) {
	d, ok := l.order.Remove(l.order.Front()).(*dialog)
	if !ok {
		return
	}
	l.bytes -= d.bytes
	delete(r.dialogs, d.callID)
	r.dropped.Add(1)
	c := r.contacts[d.contact]
	if c == nil {
		return
	}
	c.callIDs = slices.DeleteFunc(c.callIDs, func(id string) bool { return id == d.callID })
	if len(c.callIDs) == 0 {
		delete(r.contacts, d.contact)
	}
}

// ContactOf is the contact of a dialog, empty if none is known.
func (r *Recorder) ContactOf(callID string) string {
	if r == nil {
		return ""
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if d := r.dialogs[callID]; d != nil {
		return d.contact
	}
	return ""
}

// Contact is the trace of a contact. errs.NotFound: nothing is kept of it (any more).
func (r *Recorder) Contact(contactID string) (*Trace, error) {
	none := errs.New(errs.NotFound, "no trace is kept of contact %.100q: it is too long ago, before the last start, or tracing is off", contactID)
	if r == nil {
		return nil, none
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	c := r.contacts[contactID]
	if c == nil {
		return nil, none
	}
	t := &Trace{ContactID: contactID, Facts: slices.Clone(c.facts)}
	for _, id := range c.callIDs {
		t.add(r.dialogs[id])
	}
	slices.SortStableFunc(t.Entries, func(a, b Entry) int { return a.At.Compare(b.At) })
	return t, nil
}

func (t *Trace) add(d *dialog) {
	leg := Dialog{CallID: d.callID, Incoming: d.incoming, Skipped: d.skipped}
	if len(d.entries) > 0 {
		leg.Remote = d.entries[len(d.entries)-1].Remote
	}
	t.Dialogs = append(t.Dialogs, leg)
	t.Entries = append(t.Entries, d.entries...)
}

// Stats is how much is kept.
type Stats struct {
	Dialogs, Bytes int
	Forgotten      uint64 // dialogs, since the start
}

// Stats counts.
func (r *Recorder) Stats() Stats {
	if r == nil {
		return Stats{}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return Stats{Dialogs: len(r.dialogs), Bytes: r.known.bytes + r.strange.bytes, Forgotten: r.dropped.Load()}
}
