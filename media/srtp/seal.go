package srtp

import (
	"encoding/binary"
	"slices"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	pion "github.com/pion/srtp/v3"
)

// Overhead is the most that sealing adds behind a packet: tag, index of SRTCP, key identifier.
const Overhead = 16 + 4 + maxMKI

// Overlap is how long an old key is still good for what is on its way.
const Overlap = time.Second

// isRTCP tells RTCP from RTP on one port (RFC 5761 §4).
func isRTCP(p []byte) bool { return len(p) > 1 && p[1] >= 192 && p[1] <= 223 }

// Sealer protects what goes out.
type Sealer struct {
	key    Key // of now
	now    *pion.Context
	coming Key           // of next
	next   *pion.Context // the key that is to follow; nil: none
	used   numbers
	header rtp.Header
	rtcp   rtcp.Header
}

// numbers are the sequence numbers that a key was used with. To seal two packets under one number would give both away
// (RFC 3711 §9.1), and the far end would drop the second one as a replay.
type numbers struct {
	begun  bool
	ssrc   uint32
	newest uint16
	seen   uint64 // bit n: newest-n
}

// take reports whether a packet may be sealed, and notes it.
func (n *numbers) take(packet []byte) bool {
	number, ssrc := binary.BigEndian.Uint16(packet[2:]), binary.BigEndian.Uint32(packet[8:])
	ahead := int(int16(number - n.newest))
	switch {
	case !n.begun || ssrc != n.ssrc:
		*n = numbers{begun: true, ssrc: ssrc, newest: number, seen: 1}
	case ahead > 0:
		n.newest, n.seen = number, n.seen<<min(ahead, 64)|1
	case ahead <= -64 || n.seen&(1<<-ahead) != 0:
		return false
	default:
		n.seen |= 1 << -ahead
	}
	return true
}

// NewSealer makes a Sealer. errs.Invalid: the key is none.
func NewSealer(k Key) (*Sealer, error) {
	c, err := k.context(false)
	if err != nil {
		return nil, err
	}
	return &Sealer{key: k, now: c}, nil
}

// Change takes another key. The same key changes nothing, its counters go on (RFC 3711 §3.3.1; M8). A new one is used
// from Follow on: until the far end is known to have it, the old one is what it can open.
func (s *Sealer) Change(k Key) error {
	switch {
	case k.Equal(s.key): // also instead of one that was to follow
		s.next = nil
		return nil
	case s.next != nil && k.Equal(s.coming):
		return nil
	}
	c, err := k.context(false)
	if err != nil {
		return err
	}
	s.coming, s.next = k, c
	return nil
}

// Pending reports whether a new key waits for Follow.
func (s *Sealer) Pending() bool { return s.next != nil }

// Follow begins to use the new key, if there is one.
func (s *Sealer) Follow() {
	if s.next != nil {
		s.key, s.now, s.next, s.used = s.coming, s.next, nil, numbers{}
	}
}

// Suite is what packets are sealed with.
func (s *Sealer) Suite() Suite { return s.key.suite }

// Seal protects an RTP or RTCP packet in place; behind it there must be room for Overhead bytes. False: it is neither,
// there is no room, its sequence number was used, or the key is used up.
func (s *Sealer) Seal(packet []byte) (sealed []byte, ok bool) {
	if cap(packet)-len(packet) < Overhead || len(packet) < 8 || !isRTCP(packet) && (len(packet) < 12 || !s.used.take(packet)) {
		return nil, false
	}
	var err error
	if isRTCP(packet) {
		sealed, err = s.now.EncryptRTCP(packet[:0], packet, &s.rtcp)
	} else {
		sealed, err = s.now.EncryptRTP(packet[:0], packet, &s.header)
	}
	return sealed, err == nil
}

// maxSources is how many sources one key may speak for: each costs memory. A far end that has used up so many starts
// anew with the last one.
const maxSources = 8

// direction is the state of one key for what comes in.
type direction struct {
	key     Key
	context *pion.Context
	sources [maxSources]uint32 // that authenticated, in the order they came
	known   int
}

func newDirection(k Key) (*direction, error) {
	c, err := k.context(true)
	if err != nil {
		return nil, err
	}
	return &direction{key: k, context: c}, nil
}

// Opener checks and decrypts what comes in.
type Opener struct {
	now     *direction
	before  *direction // the old key, good until expires; nil: none
	expires time.Time
	fresh   bool // the new key has opened a packet
	header  rtp.Header
	rtcp    rtcp.Header
	scratch [2048]byte // a packet that two keys are tried on: the transforms spoil what does not authenticate
}

// NewOpener makes an Opener. errs.Invalid: the key is none.
func NewOpener(k Key) (*Opener, error) {
	d, err := newDirection(k)
	if err != nil {
		return nil, err
	}
	return &Opener{now: d}, nil
}

// Change takes another key. The same key changes nothing: its roll-over counters and replay windows go on (M8). With
// another one the old one is good for another second, for the packets that are on their way.
func (o *Opener) Change(k Key, now time.Time) error {
	if k.Equal(o.now.key) {
		return nil
	}
	if o.before != nil && k.Equal(o.before.key) { // they went back, as after a refused re-INVITE
		o.now, o.before = o.before, o.now
		o.expires, o.fresh = now.Add(Overlap), false
		return nil
	}
	d, err := newDirection(k)
	if err != nil {
		return err
	}
	o.before, o.now = o.now, d
	o.expires, o.fresh = now.Add(Overlap), false
	return nil
}

// Tick forgets an old key whose time has come.
func (o *Opener) Tick(now time.Time) {
	if o.before != nil && now.After(o.expires) {
		o.before = nil
	}
}

// Fresh reports whether the key of the last Change has opened a packet: the far end has it.
func (o *Opener) Fresh() bool { return o.fresh }

// Suite is what packets are opened with.
func (o *Opener) Suite() Suite { return o.now.key.suite }

// Open checks and decrypts an SRTP or SRTCP packet in place; plain is a part of packet. False: forged, replayed, of
// another key, or no such packet; then packet is spoiled.
func (o *Opener) Open(packet []byte) (plain []byte, ok bool) {
	if o.before == nil || len(packet) > len(o.scratch) {
		return o.try(o.now, packet)
	}
	n := copy(o.scratch[:], packet)
	if plain, ok = o.try(o.now, packet); ok {
		return plain, true
	}
	copy(packet, o.scratch[:n])
	return o.try(o.before, packet)
}

func (o *Opener) try(d *direction, packet []byte) (plain []byte, ok bool) {
	if len(packet) < 8 {
		return nil, false
	}
	var err error
	var ssrc uint32
	if isRTCP(packet) {
		ssrc = binary.BigEndian.Uint32(packet[4:])
		plain, err = d.context.DecryptRTCP(packet[:0], packet, &o.rtcp)
	} else {
		if len(packet) < 12 {
			return nil, false
		}
		ssrc = binary.BigEndian.Uint32(packet[8:])
		plain, err = d.context.DecryptRTP(packet[:0], packet, &o.header)
	}
	if err != nil {
		return nil, false
	}
	if d == o.now {
		o.fresh = true
	}
	d.note(ssrc)
	return plain, true
}

// note keeps the number of sources of a key bounded. Only what authenticated is counted.
func (d *direction) note(ssrc uint32) {
	if slices.Contains(d.sources[:d.known], ssrc) {
		return
	}
	if d.known < maxSources {
		d.sources[d.known] = ssrc
		d.known++
		return
	}
	roc, ok := d.context.ROC(ssrc)
	c, err := d.key.context(true)
	if err != nil {
		return // the key was good before
	}
	if ok {
		c.SetROC(ssrc, roc)
	}
	d.context, d.sources[0], d.known = c, ssrc, 1
}
