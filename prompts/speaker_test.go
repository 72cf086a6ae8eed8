package prompts

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"ullim/internal/errs"
)

// voiceOf counts what is asked of it and takes its time.
type voiceOf struct {
	ToneSynthesizer
	takes         time.Duration
	calls, atOnce atomic.Int32
	most          atomic.Int32
	ended         atomic.Int32 // by their context
	fail          func(Speech) error
}

func (v *voiceOf) Synthesize(ctx context.Context, s Speech) ([]int16, int, error) {
	v.calls.Add(1)
	n := v.atOnce.Add(1)
	defer v.atOnce.Add(-1)
	for m := v.most.Load(); n > m && !v.most.CompareAndSwap(m, n); m = v.most.Load() {
	}
	select {
	case <-time.After(v.takes):
	case <-ctx.Done():
		v.ended.Add(1)
		return nil, 0, context.Cause(ctx)
	}
	if v.fail != nil {
		if err := v.fail(s); err != nil {
			return nil, 0, err
		}
	}
	return v.ToneSynthesizer.Synthesize(ctx, s)
}

func TestTheSameTextIsSpokenOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := &voiceOf{takes: time.Second}
		s := NewSpeaker(v, encoders(), SpeakerOptions{})
		var wg sync.WaitGroup
		got := make([]*Audio, 50)
		for i := range got {
			wg.Go(func() {
				var err error
				if got[i], err = s.Speak(t.Context(), Speech{Text: "hello", Language: "en-US"}); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		for _, a := range got {
			if a != got[0] {
				t.Fatal("not the same audio")
			}
		}
		start := time.Now()
		if _, err := s.Speak(t.Context(), Speech{Text: "hello", Language: "en-US"}); err != nil || time.Since(start) != 0 {
			t.Error(err, time.Since(start))
		}
		check(t, int32(1), v.calls.Load())
		st := s.Stats()
		if st.Hits != 1 || st.Shared != 49 || st.Misses != 1 || st.Entries != 1 || st.Bytes < 1000 {
			t.Errorf("%+v", st)
		}
		// Anything else about it makes it another sound.
		for _, sp := range []Speech{
			{Text: "hello", Language: "en-GB"},
			{Text: "hello", Language: "en-US", Voice: "x"},
			{Text: "hello!", Language: "en-US"},
			{Text: "hello", Language: "en-US", Rate: 1.2},
			{Text: `<prosody volume="loud">hello</prosody>`, Language: "en-US", SSML: true},
		} {
			if a, err := s.Speak(t.Context(), sp); err != nil || a == got[0] {
				t.Errorf("%+v: %v", sp, err)
			}
		}
		check(t, int32(6), v.calls.Load())
		if a, err := s.Speak(t.Context(), Speech{Text: "<p>hello</p>", Language: "en-US", SSML: true, Rate: 1}); err != nil || a != got[0] {
			t.Errorf("mark-up that changes nothing is spoken anew: %v", err)
		}
	})
}

func TestOnlySoManyAreSpokenAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := &voiceOf{takes: time.Second}
		s := NewSpeaker(v, encoders(), SpeakerOptions{Concurrent: 3})
		var wg sync.WaitGroup
		start := time.Now()
		for i := range 9 {
			wg.Go(func() {
				if _, err := s.Speak(t.Context(), Speech{Text: strings.Repeat("x", i+1)}); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		check(t, int32(3), v.most.Load())
		check(t, 3*time.Second, time.Since(start))
	})
}

func TestWorkThatHasBegunIsFinishedAndKeptWhoeverLeaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := &voiceOf{takes: 10 * time.Second}
		s := NewSpeaker(v, encoders(), SpeakerOptions{})
		speak := func(wait time.Duration, want error) {
			ctx, cancel := context.WithTimeout(t.Context(), wait)
			defer cancel()
			if _, err := s.Speak(ctx, Speech{Text: "hello"}); !errors.Is(err, want) {
				t.Errorf("after %v: %v", wait, err)
			}
		}
		var wg sync.WaitGroup
		wg.Go(func() { speak(2*time.Second, context.DeadlineExceeded) }) // the first, who began it
		wg.Go(func() { speak(20*time.Second, nil) })
		wg.Wait()
		check(t, int32(1), v.calls.Load())
		check(t, int32(0), v.ended.Load())

		s = NewSpeaker(v, encoders(), SpeakerOptions{})
		wg.Go(func() { speak(2*time.Second, context.DeadlineExceeded) })
		wg.Go(func() { speak(3*time.Second, context.DeadlineExceeded) })
		wg.Wait()
		time.Sleep(10 * time.Second)
		check(t, int32(0), v.ended.Load())
		speak(time.Millisecond, nil) // there already
		check(t, int32(2), v.calls.Load())
	})
}

func TestWorkThatHasNotBegunEndsWithTheLastWhoWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := &voiceOf{takes: 10 * time.Second}
		s := NewSpeaker(v, encoders(), SpeakerOptions{Concurrent: 1})
		var wg sync.WaitGroup
		wg.Go(func() { _, _ = s.Speak(t.Context(), Speech{Text: "takes the only slot"}) })
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := s.Speak(ctx, Speech{Text: "hello"}); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		wg.Wait()
		check(t, int32(1), v.calls.Load())
	})
}

func TestFailuresAreNotRemembered(t *testing.T) {
	v := &voiceOf{}
	s := NewSpeaker(v, encoders(), SpeakerOptions{})
	v.fail = func(Speech) error { return errBroken }
	if _, err := s.Speak(t.Context(), Speech{Text: "x"}); !errors.Is(err, errBroken) {
		t.Fatal(err)
	}
	v.fail = func(Speech) error { panic("boom") }
	if _, err := s.Speak(t.Context(), Speech{Text: "x"}); err == nil || !strings.Contains(err.Error(), "boom") {
		t.Fatal(err)
	}
	v.fail = nil
	if _, err := s.Speak(t.Context(), Speech{Text: "x"}); err != nil {
		t.Fatal(err)
	}
	check(t, uint64(2), s.Stats().Failures)
}

func TestTheCacheForgetsWhatWasNotUsedForLongest(t *testing.T) {
	v := &voiceOf{}
	one := NewAudio("speech/123456789012", make([]int16, 8*800), Rate, encoders()).bytes() // 16 characters
	s := NewSpeaker(v, encoders(), SpeakerOptions{CacheBytes: 5 * one})
	text := func(i int) string { return strings.Repeat(string(rune('a'+i)), 16) }
	speak := func(i int, calls int32) {
		t.Helper()
		before := v.calls.Load()
		if _, err := s.Speak(t.Context(), Speech{Text: text(i)}); err != nil {
			t.Fatal(err)
		}
		check(t, calls, v.calls.Load()-before)
	}
	for i := range 5 {
		speak(i, 1)
	}
	speak(0, 0) // used: now 1 is the oldest
	speak(5, 1)
	speak(0, 0)
	speak(1, 1)
	if st := s.Stats(); st.Entries != 5 || st.Bytes != 5*one {
		t.Errorf("%+v, want 5 of %d bytes", st, one)
	}
	long := Speech{Text: strings.Repeat("z", 64)} // more than a quarter of the room
	for range 2 {
		if _, err := s.Speak(t.Context(), long); err != nil {
			t.Fatal(err)
		}
	}
	check(t, 5, s.Stats().Entries)
}

func TestLimitsOfText(t *testing.T) {
	v := &voiceOf{}
	s := NewSpeaker(v, encoders(), SpeakerOptions{})
	for name, tt := range map[string]struct {
		speech Speech
		ok     bool
	}{
		"3,000 characters":                {Speech{Text: strings.Repeat("가", 3000)}, true},
		"3,001 characters":                {Speech{Text: strings.Repeat("가", 3001)}, false},
		"3,000 heard and 6,000 in all":    {Speech{SSML: true, Text: strings.Repeat("<s>xxxxxxxx</s>", 375) + strings.Repeat("<s></s>", 3)}, true},
		"3,001 heard in mark-up":          {Speech{SSML: true, Text: "<p>" + strings.Repeat("x", 3001) + "</p>"}, false},
		"2,900 heard and 5,900 in all":    {Speech{SSML: true, Text: strings.Repeat("x", 2900) + strings.Repeat("<s></s>", 3000/7)}, true},
		"2,900 heard and too much markup": {Speech{SSML: true, Text: strings.Repeat("x", 2900) + strings.Repeat("<s></s>", 3200/7)}, false},
		"nothing":                         {Speech{}, false},
		"spaces":                          {Speech{Text: " \n\t "}, false},
		"control characters":              {Speech{Text: "\x00\x07"}, false},
		"bytes that are not text":         {Speech{Text: "a\xff"}, false},
		"broken mark-up":                  {Speech{SSML: true, Text: "<speak>a<p></speak>"}, false},
		"silent mark-up":                  {Speech{SSML: true, Text: "<speak></speak>"}, false},
		"a pause":                         {Speech{SSML: true, Text: `<speak><break time="1s"/></speak>`}, true},
	} {
		_, err := s.Speak(t.Context(), tt.speech)
		if (err == nil) != tt.ok || err != nil && !errs.Is(err, errs.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestTheLanguageIsGuessedByScriptOnlyWhenNobodySaysIt(t *testing.T) {
	var heard []string
	v := &voiceOf{fail: func(s Speech) error { heard = append(heard, s.Language); return nil }}
	s := NewSpeaker(v, encoders(), SpeakerOptions{})
	for _, sp := range []Speech{
		{Text: "hello"},
		{Text: "KT 고객센터"},
		{Text: "こんにちは世界"},
		{Text: "你好"},
		{Text: "안녕", Language: "en-US"},
		{Text: "hello", Voice: "Seoyeon"},
		{Text: "<p>안녕</p>", SSML: true},
	} {
		if _, err := s.Speak(t.Context(), sp); err != nil {
			t.Fatal(err)
		}
	}
	check(t, []string{"en-US", "ko-KR", "ja-JP", "zh-CN", "en-US", "ko-KR", "ko-KR"}, heard)
}

func TestTheTestVoiceIsDeterministicDistinctAndAsLongAsItsText(t *testing.T) {
	say := func(text string) []int16 {
		pcm, rate, err := ToneSynthesizer{}.Synthesize(t.Context(), Speech{Text: text})
		if err != nil || rate != Rate {
			t.Fatal(rate, err)
		}
		return pcm
	}
	check(t, say("hello there"), say("hello there"))
	if string(raw(say("hello there"))) == string(raw(say("hello where"))) {
		t.Error("two texts sound the same")
	}
	check(t, 50*Rate/20, len(say(strings.Repeat("x", 50)))) // 50 ms each
	check(t, Rate/5, len(say("x")))
	check(t, 30*Rate, len(say(strings.Repeat("x", 5000))))
}

func TestAWholeTextOfManySentencesIsPutTogetherOnceAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewSpeaker(ToneSynthesizer{}, encoders(), SpeakerOptions{})
		speech := Speech{Text: strings.Repeat("This is one sentence of the many that a long text has. ", 12), Language: "en-US"}
		speak := func() *Audio {
			t.Helper()
			a, err := s.Speak(t.Context(), speech)
			if err != nil {
				t.Fatal(err)
			}
			if _, err = a.Wait(t.Context()); err != nil {
				t.Fatal(err)
			}
			return a
		}
		speak() // it grows: the sentences are kept
		first := speak()
		if first != speak() {
			t.Error("a text that is there is put together again")
		}
		time.Sleep(time.Minute)
		if again := speak(); again == first || again.Length != first.Length {
			t.Error("a text is kept longer than what it is made of may be")
		}
	})
}
