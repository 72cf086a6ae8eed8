package media_test

import (
	"sync"
	"testing"
	"time"

	"ullim/media"
)

// dictation is sound that is made while it is played.
type dictation struct {
	mu        sync.Mutex
	frames    [][]byte
	done      bool
	abandoned int
}

func (d *dictation) Frames(codec string) [][]byte {
	d.mu.Lock()
	defer d.mu.Unlock()
	if codec != "PCMU" && codec != "PCMA" {
		return nil
	}
	return d.frames
}

func (d *dictation) Growing() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return !d.done
}

func (d *dictation) Abandon() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.abandoned++
}

func (d *dictation) add(b byte, n int, done bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.frames = append(d.frames, sound{b, n}.Frames("PCMU")...)
	d.done = done
}

func TestASoundIsPlayedWhileItIsMade(t *testing.T) {
	inBubble(t, nil, func(r *rig) {
		t := r.t
		s, p, _ := r.call(4000, "0", "")
		defer p.Close()
		var end result
		d := &dictation{}
		d.add(0x11, 2, false)
		s.Play([]media.Source{d, sound{0x44, 1}}, false, end.done)
		time.Sleep(5*20*ms + 10*ms)
		d.add(0x22, 2, false)
		time.Sleep(3 * 20 * ms)
		d.add(0x33, 1, true)
		time.Sleep(3 * 20 * ms)
		end.is(t, "after its end", true)
		heard := p.Heard()
		continuous(t, heard)
		if got := runs(heard); got != "11*2 ff*3 22*2 ff 33 44 ff" {
			t.Error(got)
		}
		if d.abandoned != 0 {
			t.Error("played to its end, and abandoned")
		}
	})
}

func TestASoundThatNobodyHearsAnyMoreIsAbandoned(t *testing.T) {
	for name, end := range map[string]func(*media.Session){
		"stopped":  func(s *media.Session) { s.StopPlay() },
		"replaced": func(s *media.Session) { s.Play([]media.Source{sound{0x11, 1}}, false, nil) },
		"closed":   func(s *media.Session) { s.Close() },
	} {
		inBubble(t, nil, func(r *rig) {
			s, p, _ := r.call(4000, "0", "")
			defer p.Close()
			d := &dictation{}
			d.add(0x11, 2, false)
			s.Play([]media.Source{d}, true, nil)
			time.Sleep(100 * ms)
			if end(s); d.abandoned != 1 {
				r.t.Errorf("%s: abandoned %d times", name, d.abandoned)
			}
			s.Close()
			s.Play([]media.Source{d}, false, nil) // too late: nobody will hear it
			if d.abandoned != 2 {
				r.t.Errorf("%s: abandoned %d times after the end", name, d.abandoned)
			}
		})
	}
}
