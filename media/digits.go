package media

import (
	"strings"

	"ullim/internal/errs"
	"ullim/media/dtmf"
	"ullim/media/sdp"
)

const (
	keyNames = "0123456789*#ABCD"
	maxKeys  = 64 // that wait to be sent at once
)

// keying is the keys that are being sent, job after job.
type keying struct {
	jobs    []*keyJob
	events  dtmf.Sender
	waiting int // keys in jobs
	over    []func()
}

// keyJob is one call of SendDigits, or one key that is passed on.
type keyJob struct {
	keys  string
	done  func()
	begun bool
	tones *playing // nil: by RFC 4733
}

// active reports whether keys are being sent or wait.
func (k *keying) active() bool { return len(k.jobs) > 0 }

// add queues keys; false: too many wait.
func (k *keying) add(keys string, done func()) bool {
	if k.waiting+len(keys) > maxKeys {
		return false
	}
	k.waiting += len(keys)
	k.jobs = append(k.jobs, &keyJob{keys: keys, done: done})
	return true
}

// finish ends the job in front.
func (k *keying) finish() {
	job := k.jobs[0]
	k.jobs[0] = nil
	k.jobs = k.jobs[1:]
	k.waiting -= len(job.keys)
	if job.done != nil {
		k.over = append(k.over, job.done)
	}
}

// finished takes away whom to tell.
func (k *keying) finished() []func() {
	over := k.over
	k.over = nil
	return over
}

// stop ends all.
func (k *keying) stop() []func() {
	for k.active() {
		k.finish()
	}
	return k.finished()
}

// tell calls those who wait, from another goroutine.
func tell(over []func()) {
	if len(over) == 0 {
		return
	}
	go func() {
		for _, done := range over {
			done()
		}
	}()
}

// sendKeys sends one frame of the keys; false: there was nothing left, and the frame is somebody else's.
func (t *sender) sendKeys(s *Session) bool {
	a, k := t.agreement, &t.keys
	for k.active() {
		job := k.jobs[0]
		if !job.begun {
			job.begun = true
			if a.EventSend == sdp.None || s.o.Tones {
				job.tones = &playing{list: []Source{toneSource(job.keys)}}
			} else {
				k.events = dtmf.Sender{Frame: a.EventClock / 50, Length: a.EventClock / 10, Gap: a.EventClock * 6 / 100}
				k.events.Press(job.keys)
			}
		}
		if job.tones != nil {
			if frame, _ := job.tones.next(a.law.name()); frame != nil {
				t.putFrame(s, frame)
				return true
			}
		} else if a.EventSend != sdp.None {
			e, ok := k.events.Next(t.stamp)
			if ok {
				t.sendEvent(s, e)
				return true
			}
			if k.events.Busy() { // between two keys
				t.putFrame(s, nil)
				return true
			}
		}
		k.finish()
	}
	return false
}

// sendEvent sends a packet of RFC 4733 in the place of a frame of sound.
func (t *sender) sendEvent(s *Session, e dtmf.Event) {
	t.flush(s)
	t.stamp += uint32(t.agreement.tick)
	if !t.open() {
		return
	}
	packet := t.buf[:headerSize+len(e.Payload)]
	putHeader(packet, e.Marker, uint8(t.agreement.EventSend), t.sequence, e.Stamp, t.ssrc)
	copy(packet[headerSize:], e.Payload[:])
	t.sequence++
	t.marker = true // of the sound that comes after
	t.send(s, packet)
}

// toneSource is the sound of keys.
type toneSource string

// Frames implements Source.
func (k toneSource) Frames(codec string) [][]byte {
	law := kindOf(codec)
	var c coder
	if !c.can(law) {
		return nil
	}
	rate := law.rate()
	pcm := dtmf.Tones(nil, string(k), rate)
	size := rate / 50
	var frames [][]byte
	for len(pcm) > 0 {
		frame := make([]int16, size)
		pcm = pcm[copy(frame, pcm):]
		frames = append(frames, append([]byte(nil), c.encode(law, frame, rate)...))
	}
	return frames
}

// SendDigits sends keys (0-9 * # A-D) one after the other: by RFC 4733 if it was agreed, else as tones. It goes before what
// is played, which waits, and what is joined, whose sound of that time is lost. done, which may be nil, is called once, from
// another goroutine, when the last key is out or the session is closed. It begins when something has been agreed.
// errs.Invalid: another character; errs.Limit: too many wait. Then done is not called.
func (s *Session) SendDigits(digits string, done func()) error {
	digits = strings.ToUpper(digits)
	if i := strings.IndexFunc(digits, func(r rune) bool { return !strings.ContainsRune(keyNames, r) }); i >= 0 {
		return errs.Field("Digits", "may hold 0-9 * # A-D, got %q", digits[i:])
	}
	s.tx.mu.Lock()
	closed := s.tx.closed
	ok := closed || digits == "" || s.tx.keys.add(digits, done)
	s.tx.mu.Unlock()
	if !ok {
		return errs.New(errs.Limit, "at most %d keys can wait to be sent", maxKeys)
	}
	if (closed || digits == "") && done != nil {
		go done()
	}
	return nil
}
