package agent

import (
	"context"
	"encoding/json"
	"maps"
	"sync"
	"time"

	"ullim/acd"
	"ullim/internal/errs"
)

// Bounds of a hub.
const (
	ringFrames = 256
	ringBytes  = 64 << 10
	linger     = 30 * time.Second      // after the last tab, so that who reconnects misses nothing
	lookAgain  = 15 * time.Second      // without any hint
	lookPause  = 20 * time.Millisecond // between two looks
	lookTime   = 5 * time.Second       // for one
	setupAgain = 4                     // looks without a hint until the configuration is read again
	maxTabs    = 16                    // of one agent
	maxHubs    = 20_000                // agents who are looked at
	routedGap  = 5 * time.Millisecond  // between two rounds through all hubs of an instance
	purgeEvery = time.Minute           // of the journal
	journalFor = 10 * time.Minute      // how long a key of a command is kept
	tabLife    = 12 * time.Hour        // of a socket with a session; see also keyLife
	keyLife    = 2 * time.Hour         // of a socket with an access key
	checkEvery = 30 * time.Second      // whether a session is good still
	pingEvery  = 10 * time.Second      // to every tab
	silence    = 30 * time.Second      // without a frame of the tab
	writeWait  = 10 * time.Second      // for a frame to leave
	commandFor = 15 * time.Second      // for a command to be done
	maxFrame   = 16 << 10              // of a client
	queued     = 16                    // commands of a tab that wait
	perSecond  = 20.0                  // frames of a tab
	burst      = 100.0                 // likewise
	agentRate  = 20.0                  // commands of an agent a second, from all tabs
	agentBurst = 60.0                  // likewise
)

// hub is an agent who is looked at.
type hub struct {
	s                  *Service
	instanceID, userID string
	life               string // of cursors
	wake               chan struct{}
	done               chan struct{} // closed when run has ended

	building sync.Mutex // one look at a time
	memory   *memory

	mu      sync.Mutex
	stale   bool // the configuration has changed
	parts   parts
	seq     uint64
	ring    []ringed
	bytes   int // in ring
	tabs    map[*tab]struct{}
	holders int       // requests that need the hub
	idle    time.Time // since when there is no tab
	rate    bucket
	slots   []acd.Slot // as they were at the last look, for a quick glance
	glanced string
}

type ringed struct {
	seq   uint64
	frame []byte
}

func newHub(s *Service, instanceID, userID, life string) *hub {
	return &hub{
		s: s, instanceID: instanceID, userID: userID, life: life, wake: make(chan struct{}, 1), done: make(chan struct{}),
		memory: newMemory(), stale: true, tabs: map[*tab]struct{}{}, idle: time.Now(), rate: bucket{rate: agentRate, burst: agentBurst},
	}
}

// nudge has the hub look again soon. It never blocks.
func (h *hub) nudge() {
	select {
	case h.wake <- struct{}{}:
	default:
	}
}

// run looks whenever there is a hint, until nobody is looked for any more.
func (h *hub) run(ctx context.Context) {
	defer close(h.done)
	again := time.NewTimer(lookAgain)
	defer again.Stop()
	for quiet := 0; ; {
		select {
		case <-ctx.Done():
			return
		case <-h.wake:
			quiet = 0
		case <-again.C:
			if quiet++; quiet%setupAgain == 0 {
				h.configChanged()
			}
		}
		again.Reset(lookAgain)
		_ = h.look(ctx) // it has been logged; the next look may be better
		if h.s.retire(h) {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(lookPause): // whatever happens meanwhile is one look
		}
	}
}

func (h *hub) configChanged() {
	h.mu.Lock()
	h.stale = true
	h.mu.Unlock()
}

// look builds the parts and tells the tabs what is different.
func (h *hub) look(ctx context.Context) error {
	h.building.Lock()
	defer h.building.Unlock()
	ctx, cancel := context.WithTimeout(ctx, lookTime)
	defer cancel()
	h.mu.Lock()
	stale := h.stale
	h.stale = false
	is := parts{partAgent: h.parts[partAgent], partSetup: h.parts[partSetup]}
	h.mu.Unlock()
	var err error
	if stale {
		var setup parts
		if setup, err = h.s.setupParts(h.instanceID, h.userID); err == nil {
			maps.Copy(is, setup)
		}
	}
	if err == nil {
		var live parts
		if live, err = h.s.liveParts(ctx, h.instanceID, h.userID, h.memory); err == nil {
			maps.Copy(is, live)
		}
	}
	if err != nil {
		h.failed(err)
		return err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.become(is)
	return nil
}

// failed: the parts could not be built. Who does not exist any more has nobody to be shown to.
func (h *hub) failed(err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.stale = true
	if errs.Is(err, errs.NotFound) && h.parts != nil {
		for t := range h.tabs {
			t.end(closeSignedOut, "the user does not exist any more")
		}
		return
	}
	h.s.o.Log.Warn("agent channel: cannot see what an agent is doing", "user_id", h.userID, "error", err)
}

// become replaces the parts and tells of what is different. h.mu is held.
func (h *hub) become(is parts) {
	if h.parts == nil {
		h.parts = is
		return
	}
	changes := diff(h.parts, is)
	h.parts = is
	if len(changes) == 0 {
		return
	}
	h.seq++
	frame := encode(outFrame{Type: frameEvent, Seq: h.seq, Cursor: cursor(h.life, h.seq), At: moment(), Changes: changes})
	h.ring = append(h.ring, ringed{h.seq, frame})
	h.bytes += len(frame)
	for len(h.ring) > ringFrames || h.bytes > ringBytes && len(h.ring) > 0 {
		h.bytes -= len(h.ring[0].frame)
		h.ring[0].frame = nil
		h.ring = h.ring[1:]
	}
	h.s.counts.Events.Add(1)
	for t := range h.tabs {
		h.tell(t, frame)
	}
}

// tell gives a frame to a tab, or cuts it. h.mu is held.
func (h *hub) tell(t *tab, frame []byte) {
	if !t.offer(frame) {
		h.s.counts.Slow.Add(1)
		h.drop(t)
	}
}

// drop forgets a tab. h.mu is held.
func (h *hub) drop(t *tab) {
	delete(h.tabs, t)
	if len(h.tabs) == 0 {
		h.idle = time.Now()
	}
}

// snapshot is the state as it is, as a frame. h.mu is held.
func (h *hub) snapshot() ([]byte, error) {
	state, err := h.parts.snapshot()
	if err != nil {
		return nil, err
	}
	return encode(outFrame{Type: frameSnapshot, Seq: h.seq, Cursor: cursor(h.life, h.seq), At: moment(), State: state}), nil
}

// first are the frames that a tab begins with: what it has missed since its cursor, or a snapshot. h.mu is held.
func (h *hub) first(since string) ([][]byte, error) {
	life, seq, ok := parseCursor(since)
	oldest := h.seq + 1 // the number of the oldest event that is kept
	if len(h.ring) > 0 {
		oldest = h.ring[0].seq
	}
	if !ok || life != h.life || seq > h.seq || seq+1 < oldest || h.seq-seq >= tabFrames {
		frame, err := h.snapshot()
		h.s.counts.Snapshots.Add(1)
		return [][]byte{frame}, err
	}
	h.s.counts.Resumed.Add(1)
	out := [][]byte{encode(outFrame{Type: frameResumed, Seq: seq, Cursor: since, At: moment(), Missed: int(h.seq - seq)})}
	for _, r := range h.ring {
		if r.seq > seq {
			out = append(out, r.frame)
		}
	}
	return out, nil
}

// join adds a tab, whose queue then begins with what it must know. The parts are there.
func (h *hub) join(t *tab, since string) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.tabs) >= maxTabs {
		return fault(codeLimit, "%d tabs are open", maxTabs)
	}
	frames, err := h.first(since)
	if err != nil {
		return err
	}
	h.tabs[t] = struct{}{}
	for _, frame := range frames {
		h.tell(t, frame)
	}
	return nil
}

// again gives a tab a snapshot because it asks.
func (h *hub) again(t *tab) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	frame, err := h.snapshot()
	if _, there := h.tabs[t]; err == nil && there {
		h.tell(t, frame)
	}
	return err
}

// part leaves a tab out.
func (h *hub) part(t *tab) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if _, there := h.tabs[t]; there {
		h.drop(t)
	}
}

// at is the number of the last event.
func (h *hub) at() uint64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.seq
}

// has reports whether the agent has a contact, and gives it.
func (h *hub) has(contactID string) (Contact, bool) {
	h.mu.Lock()
	found, ok := h.parts[contactPart+contactID]
	h.mu.Unlock()
	var c Contact
	if !ok || json.Unmarshal(found.body, &c) != nil {
		return c, false
	}
	return c, true
}

// wrote remembers what the agent has written about a contact.
func (h *hub) wrote(contactID string, change func(w *written)) {
	c, _ := h.has(contactID)
	h.building.Lock()
	defer h.building.Unlock()
	w, ok := h.memory.written[contactID]
	if !ok {
		w = written{c.Disposition, c.Notes}
	}
	change(&w)
	h.memory.written[contactID] = w
}

// endSession cuts the tabs of a session; of all sessions if it is empty.
func (h *hub) endSession(session, why string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for t := range h.tabs {
		if session == "" || t.session == session {
			t.end(closeSignedOut, why)
		}
	}
}

// glance reports whether routing thinks otherwise of the agent than at the last glance.
func (h *hub) glance(s *acd.AgentSnapshot) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	was := h.glanced
	h.glanced = s.StatusID + " " + s.NextStatusID + " " + s.RoutingProfileID
	if s.Reachable {
		h.glanced += " reachable"
	}
	slots := h.slots
	h.slots = s.Slots // never changed in place
	if was != h.glanced || len(slots) != len(s.Slots) {
		return true
	}
	for i := range slots {
		a, b := &slots[i], &s.Slots[i]
		if a.OfferID != b.OfferID || a.State != b.State || a.Answered != b.Answered || a.ContactID != b.ContactID {
			return true
		}
	}
	return false
}
