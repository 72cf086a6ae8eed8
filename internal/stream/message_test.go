package stream

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ullim/internal/errs"
)

func TestWhatAProgramMaySay(t *testing.T) {
	for text, want := range map[string]Message{
		`{"event":"media","streamSid":"MZ1","media":{"payload":"` + base64.StdEncoding.EncodeToString([]byte{1, 2, 255}) + `"}}`: {Event: EventMedia, Audio: []byte{1, 2, 255}},
		`{"event":"mark","streamSid":"MZ1","mark":{"name":"one"}}`:                                                               {Event: EventMark, Mark: "one"},
		`{"event":"clear","streamSid":"MZ1"}`:                                                                                    {Event: EventClear},
		`{"event":"stop"}`:                                                                                                       {Event: EventStop},
		`{"event":"dtmf","dtmf":{"digit":"5"}}`:                                                                                  {Event: EventDTMF, Digits: "5"},
		`{"event":"dtmf","dtmf":{"digits":"12#a"}}`:                                                                              {Event: EventDTMF, Digits: "12#A"},
		`{"event":"something-new","more":[1,2,{"x":null}]}`:                                                                      {Event: "something-new"},
		`{"event":"ullim","ullim":{"action":"finish"}}`:                                                                          {Event: EventUllim, Action: ActionFinish},
		`{"event":"ullim","ullim":{"action":"transfer","queue":"Q"}}`:                                                            {Event: EventUllim, Action: ActionTransfer, Queue: "Q"},
		`{"event":"ullim","ullim":{"action":"finish","intent":"Pay","attributes":{"sum":"12"}}}`: {
			Event: EventUllim, Action: ActionFinish, Intent: "Pay", Attributes: map[string]string{"sum": "12"},
		},
	} {
		got, err := Parse([]byte(text))
		if d := cmp.Diff(want, got); err != nil || d != "" {
			t.Errorf("%s: %v %s", text, err, d)
		}
	}
}

func TestWhatAProgramMayNotSay(t *testing.T) {
	for _, text := range []string{
		``, `null`, `[]`, `{}`, `{"event":1}`, `{"event":""}`, `{"event":"media"}`, `{"event":"media","media":{}}`, `{"event":"media","media":{"payload":"%%"}}`,
		`{"event":"media","media":{"payload":7}}`, `{"event":"mark"}`, `{"event":"mark","mark":{"name":""}}`,
		`{"event":"mark","mark":{"name":"` + strings.Repeat("x", 300) + `"}}`, `{"event":"dtmf"}`, `{"event":"dtmf","dtmf":{"digit":"x"}}`,
		`{"event":"dtmf","dtmf":{"digit":""}}`, `{"event":"dtmf","dtmf":{"digits":"` + strings.Repeat("1", 33) + `"}}`, `{"event":"ullim"}`,
		`{"event":"ullim","ullim":{"action":"explode"}}`, `{"event":"ullim","ullim":{"action":"transfer"}}`,
		`{"event":"ullim","ullim":{"action":"transfer","queue":"a","flow":"b"}}`, `{"event":"ullim","ullim":{"action":"finish","attributes":{"a":1}}}`,
		`{"event":"ullim","ullim":{"action":"finish","attributes":{"a":"` + strings.Repeat("x", 33<<10) + `"}}}`,
		`{"event":"ullim","ullim":{"action":"finish","intent":"` + strings.Repeat("x", 300) + `"}}`, `{"event":"clear"} {"event":"clear"}`,
		strings.Repeat("[", 100_000), `{"event":"media","media":{"payload":"` + strings.Repeat("A", MaxMessage) + `"}}`,
	} {
		if m, err := Parse([]byte(text)); !errs.Is(err, errs.Invalid) {
			t.Errorf("%.60q: %+v, %v", text, m, err)
		}
	}
}

func TestWhatWeSayIsTheProtocol(t *testing.T) {
	h := Head{StreamID: "MZ0a", InstanceID: "in\"st", ContactID: "c-1", From: true, To: true, Parameters: map[string]string{"lang": "ko"}}
	f := &frame{chunk: 3}
	for i := range f.ulaw {
		f.ulaw[i] = byte(i)
	}
	payload := base64.StdEncoding.EncodeToString(f.ulaw[:])
	to := &frame{to: true, chunk: 1}
	silence := base64.StdEncoding.EncodeToString(to.ulaw[:])
	for what, row := range map[string][2]string{
		"connected": {string(connected()), `{"event":"connected","protocol":"Call","version":"1.0.0"}`},
		"start": {string(h.start(1, 2)), `{"event":"start","sequenceNumber":"1","streamSid":"MZ0a","start":{"accountSid":"in\"st","streamSid":"MZ0a","callSid":"c-1",` +
			`"tracks":["inbound","outbound"],"customParameters":{"lang":"ko"},"mediaFormat":{"encoding":"audio/x-mulaw","sampleRate":8000,"channels":1}},"ullim":{"connection":2}}`},
		"media": {string(h.appendMedia(nil, 4, f)), `{"event":"media","sequenceNumber":"4","streamSid":"MZ0a","media":{"track":"inbound","chunk":"3","timestamp":"40","payload":"` + payload + `"}}`},
		"sent":  {string(h.appendMedia(nil, 5, to)), `{"event":"media","sequenceNumber":"5","streamSid":"MZ0a","media":{"track":"outbound","chunk":"1","timestamp":"0","payload":"` + silence + `"}}`},
		"dtmf":  {string(h.appendWord(nil, 6, word{EventDTMF, "#"})), `{"event":"dtmf","sequenceNumber":"6","streamSid":"MZ0a","dtmf":{"track":"inbound_track","digit":"#"}}`},
		"mark":  {string(h.appendWord(nil, 7, word{EventMark, "a\"b"})), `{"event":"mark","sequenceNumber":"7","streamSid":"MZ0a","mark":{"name":"a\"b"}}`},
		"stop":  {string(h.appendWord(nil, 8, word{event: EventStop})), `{"event":"stop","sequenceNumber":"8","streamSid":"MZ0a","stop":{"accountSid":"in\"st","callSid":"c-1"}}`},
	} {
		var got, want any
		if err := json.Unmarshal([]byte(row[0]), &got); err != nil {
			t.Fatalf("%s: %s: %v", what, row[0], err)
		}
		_ = json.Unmarshal([]byte(row[1]), &want)
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s: %s", what, d)
		}
	}
}

func FuzzAMessageNeverDoesMoreThanItMay(f *testing.F) {
	for _, s := range []string{
		`{"event":"media","media":{"payload":"AAEC"}}`, `{"event":"mark","mark":{"name":"x"}}`, `{"event":"clear"}`, `{"event":"dtmf","dtmf":{"digit":"1"}}`,
		`{"event":"ullim","ullim":{"action":"transfer","queue":"Sales","attributes":{"a":"b"}}}`, `{"event":"\ud800"}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := Parse(b)
		if err != nil {
			return
		}
		total := 0
		for k, v := range m.Attributes {
			total += len(k) + len(v)
		}
		if len(m.Audio) > MaxMessage || len(m.Mark) > maxMarkName || len(m.Digits) > maxDigits || total > maxAttribute || len(m.Event) > 32 ||
			m.Action != "" && m.Event != EventUllim || m.Audio != nil && m.Event != EventMedia {
			t.Errorf("%q became %+v", b, m)
		}
		if m.Mark != "" && !json.Valid(appendString(nil, m.Mark)) {
			t.Errorf("the mark %q cannot be said back", m.Mark)
		}
	})
}

func TestTheOutboxDropsTheOldestSoundAndNoWord(t *testing.T) {
	o := newOutbox()
	for i := range outboxFrames + 10 {
		if dropped := o.frame(false, []byte{byte(i)}); dropped != (i >= outboxFrames) {
			t.Fatalf("frame %d: dropped %v", i, dropped)
		}
	}
	o.word(word{EventMark, "m"})
	o.close()
	o.frame(false, []byte{1})
	var f frame
	if w, isWord, _, _ := o.next(&f); !isWord || w.text != "m" {
		t.Error("a word waits for sound")
	}
	var chunks []uint64
	for {
		_, _, isFrame, over := o.next(&f)
		if !isFrame {
			if !over {
				t.Error("not over")
			}
			break
		}
		chunks = append(chunks, f.chunk)
	}
	if len(chunks) != outboxFrames || chunks[0] != 11 || chunks[outboxFrames-1] != outboxFrames+10 {
		t.Errorf("%d chunks from %d", len(chunks), chunks[0])
	}
	o = newOutbox()
	for i := range outboxWords + 1 {
		if ok := o.word(word{EventMark, "m"}); ok != (i < outboxWords) {
			t.Fatalf("word %d: %v", i, ok)
		}
	}
}

// marks is a playout that notes what it tells.
func marks() (*playout, *[]string) {
	told := new([]string)
	return newPlayout(func(name string) { *told = append(*told, name) }), told
}

func TestMarksComeWhenWhatIsBeforeThemWasPlayed(t *testing.T) {
	p, told := marks()
	p.mark("at once")
	p.add(bytes.Repeat([]byte{1}, 2*FrameBytes))
	p.mark("first")
	p.mark("second")
	p.add(bytes.Repeat([]byte{2}, FrameBytes))
	p.mark("third")
	f := make([]byte, FrameBytes)
	var at []string
	for i := range 8 {
		before := len(*told)
		if n := p.fill(f); n > 0 {
			at = append(at, string('0'+rune(f[0]))+":"+strings.Join((*told)[before:], "+"))
		} else if i < 3 && len(*told) != 1 {
			t.Error("marks before anything was played")
		}
	}
	if d := cmp.Diff([]string{"1:", "1:first+second", "2:third"}, at); d != "" {
		t.Error(d)
	}
}

func TestClearFlushesAndTellsTheMarks(t *testing.T) {
	p, told := marks()
	p.add(bytes.Repeat([]byte{1}, 100*FrameBytes))
	p.mark("a")
	p.add(bytes.Repeat([]byte{1}, 100*FrameBytes))
	p.mark("b")
	f := make([]byte, FrameBytes)
	p.fill(f)
	drained := p.drained()
	p.clear()
	if d := cmp.Diff([]string{"a", "b"}, *told); d != "" {
		t.Error(d)
	}
	select {
	case <-drained:
	default:
		t.Error("whoever waits for the end is not told")
	}
	if n := p.fill(f); n != 0 {
		t.Error("something is played after clear")
	}
	p.add(bytes.Repeat([]byte{7}, 10*FrameBytes))
	if n := p.fill(f); n != FrameBytes || f[0] != 7 {
		t.Errorf("what comes after clear: %d bytes of %d", n, f[0])
	}
}

func TestAPlayoutHoldsAMinuteAndNoMore(t *testing.T) {
	p, _ := marks()
	dropped := 0
	for range 70 {
		dropped += p.add(make([]byte, 8000))
	}
	if dropped != 10*8000 || p.dropped != 10*8000 {
		t.Errorf("dropped %d", dropped)
	}
	f, played := make([]byte, FrameBytes), 0
	for n := p.fill(f); n > 0; n = p.fill(f) {
		played += n
	}
	if played != MaxPlayout {
		t.Errorf("played %d", played)
	}
	for range 1000 { // much passes through, little is held
		p.add(make([]byte, 8000))
		for range 50 {
			p.fill(f)
		}
	}
	if cap(p.buf) > 2*MaxPlayout {
		t.Errorf("holds %d bytes", cap(p.buf))
	}
	for i := range maxMarks + 1 {
		p.add([]byte{1})
		if ok := p.mark("m"); ok != (i < maxMarks) {
			t.Fatalf("mark %d: %v", i, ok)
		}
	}
}

func TestALittleIsGatheredBeforePlayingBegins(t *testing.T) {
	p, _ := marks()
	f := make([]byte, FrameBytes)
	p.add(make([]byte, FrameBytes))
	silent := 0
	for p.fill(f) == 0 {
		silent++
	}
	if silent != patience {
		t.Errorf("began after %d frames", silent)
	}
	p.add(make([]byte, cushion))
	if p.fill(f) != FrameBytes {
		t.Error("in the middle of it nothing is waited for")
	}
}
