package mix

import (
	"math"
	"math/rand/v2"
	"testing"

	"ullim/media/g711"
)

const frame = 160

// constant is a frame that is easy to find in a sum: its samples are all the same.
func constant(v int16) []int16 {
	out := make([]int16, frame)
	for i := range out {
		out[i] = v
	}
	return out
}

// mixed mixes the same frames often enough for nobody to be fading, and returns what each member hears, by the last sample.
func mixed(r *Room, in [][]int16) []int {
	var which []int
	for range 2 {
		which = r.Mix(in)
	}
	out := make([]int, len(which))
	for m, i := range which {
		if i >= 0 {
			out[m] = int(r.Sum(i)[frame-1])
		}
	}
	return out
}

func equal(t *testing.T, what string, got []int, want ...int) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %v, want %v", what, got, want)
	}
	for i := range got {
		if got[i] != want[i] {
			t.Errorf("%s: %v, want %v", what, got, want)
			return
		}
	}
}

func TestEverybodyHearsAllOthersAndNotHimself(t *testing.T) {
	r := NewRoom(frame)
	for m := range 4 {
		r.Set(m, Speaker, 0)
	}
	equal(t, "nobody speaks", mixed(r, [][]int16{nil, constant(3), nil, constant(-2)}), 0, 0, 0, 0)
	equal(t, "one speaks", mixed(r, [][]int16{constant(1000), nil, nil, nil}), 0, 1000, 1000, 1000)
	if r.Sums() != 1 {
		t.Errorf("one speaker makes %d sums", r.Sums())
	}
	equal(t, "two speak", mixed(r, [][]int16{constant(1000), constant(200), nil, nil}), 200, 1000, 1200, 1200)
	if r.Sums() != 3 {
		t.Errorf("two speakers make %d sums", r.Sums())
	}
	equal(t, "all speak", mixed(r, [][]int16{constant(1000), constant(2000), constant(3000), constant(4000)}), 9000, 8000, 7000, 6000)
	equal(t, "too loud", mixed(r, [][]int16{constant(30000), constant(30000), constant(-30000), constant(30000)}), 30000, 30000, 32767, 30000)
	equal(t, "as low as can be", mixed(r, [][]int16{constant(-30000), constant(-30000), constant(-30000), constant(-1000)}), -32768, -32768, -32768, -32768)
}

func TestRolesSayWhoHearsWhom(t *testing.T) {
	r := NewRoom(frame)
	r.Set(0, Speaker, 0) // the customer
	r.Set(1, Speaker, 0) // the agent
	r.Set(2, Coach, 1)   // the agent's supervisor
	r.Set(3, Monitor, 0)
	in := [][]int16{constant(1000), constant(2000), constant(4000), constant(8000)}
	equal(t, "coach and monitor", mixed(r, in), 2000, 5000, 3000, 7000)
	r.Set(2, Speaker, 0) // barges in
	equal(t, "barged in", mixed(r, in), 6000, 5000, 3000, 7000)
	r.Set(2, Monitor, 0)
	equal(t, "two monitors", mixed(r, in), 2000, 1000, 3000, 3000)
	if r.Sums() != 3 {
		t.Errorf("two monitors need %d sums", r.Sums())
	}
	r.Set(1, Absent, 0)
	equal(t, "the agent left", mixed(r, in), 0, 0, 1000, 1000)
	if r.Set(64, Speaker, 0) || r.Set(-1, Speaker, 0) || r.Set(2, Coach, 2) || r.Set(2, Coach, 99) {
		t.Error("a member who cannot be was taken")
	}
}

func TestMuteAndGain(t *testing.T) {
	r := NewRoom(frame)
	for m := range 3 {
		r.Set(m, Speaker, 0)
	}
	in := [][]int16{constant(1000), constant(2000), nil}
	r.Gain(0, 2*Unity)
	equal(t, "louder", mixed(r, in), 2000, 2000, 4000)
	r.Gain(0, Unity/2)
	equal(t, "quieter", mixed(r, in), 2000, 500, 2500)
	r.Mute(1, true)
	equal(t, "muted", mixed(r, in), 0, 500, 500)
	r.Mute(1, false)
	equal(t, "again", mixed(r, in), 2000, 500, 2500)
	r.Gain(0, 1<<20)
	equal(t, "as loud as can be", mixed(r, in), 2000, 16000, 18000)
	r.Set(0, Absent, 0)
	r.Set(0, Speaker, 0)
	equal(t, "a new member is as he is", mixed(r, in), 2000, 1000, 3000)
}

func TestTheNoiseOfListenersIsLeftOutAndWordsAreNot(t *testing.T) {
	r := NewRoom(frame)
	for m := range 6 {
		r.Set(m, Speaker, 0)
	}
	in := make([][]int16, 6)
	noise := func(level int) []int16 {
		out := make([]int16, frame)
		for i := range out {
			out[i] = int16(rand.IntN(2*level+1) - level)
		}
		return out
	}
	spoken := 0
	for i := range 1000 {
		for m := range in {
			in[m] = noise(100)
		}
		talking := i >= 200 && i%100 < 60
		if talking {
			in[2] = noise(3000)
		}
		which := r.Mix(in)
		if talking && !r.Speaking(2) {
			t.Fatalf("frame %d of a word is left out", i)
		}
		if i > 200 && r.Speaking(2) {
			spoken++
			if r.Sums() != 1 || which[0] != which[5] || which[2] != -1 {
				t.Fatalf("frame %d: %v, %d sums", i, which, r.Sums())
			}
		}
	}
	if spoken < 500 || spoken > 700 {
		t.Errorf("speaking for %d frames of 800, half a second after each word", spoken)
	}
}

func TestAToneThatNeverPausesIsHeardForEver(t *testing.T) {
	r := NewRoom(frame)
	r.Set(0, Speaker, 0)
	r.Set(1, Speaker, 0)
	in := [][]int16{constant(2000), nil}
	for i := range 50 * 60 * 5 {
		if r.Mix(in); !r.Speaking(0) {
			t.Fatalf("gone after %d frames", i)
		}
	}
}

func TestAVoiceComesAndGoesWithoutAClick(t *testing.T) {
	r := NewRoom(frame)
	r.Set(0, Speaker, 0)
	r.Set(1, Speaker, 0)
	at, last, most := 0, int16(0), 0
	sine := func(level float64) []int16 {
		out := make([]int16, frame)
		for i := range out {
			out[i] = int16(level * math.Sin(2*math.Pi*440*float64(at)/8000))
			at++
		}
		return out
	}
	for i := range 200 {
		level := 9.0
		if i > 50 && i < 60 {
			level = 5000
		}
		r.Mute(0, i > 55)
		which := r.Mix([][]int16{sine(level), nil})
		for k := range frame {
			var v int16
			if which[1] >= 0 {
				v = r.Sum(which[1])[k]
			}
			most = max(most, int(v)-int(last), int(last)-int(v))
			last = v
		}
	}
	if most > 1900 { // the tone itself steps by 1,700
		t.Errorf("a step of %d", most)
	}
}

func TestShortAndMissingFramesAreSilence(t *testing.T) {
	r := NewRoom(frame)
	r.Set(0, Speaker, 0)
	r.Set(1, Speaker, 0)
	r.Set(5, Monitor, 0)
	equal(t, "half a frame", mixed(r, [][]int16{constant(1000)[:80], {}}), 0, 0, 0, 0, 0, 0)
	if got := r.Mix([][]int16{constant(1000)[:80]}); r.Sum(got[1])[79] != 1000 {
		t.Error("the half that was there is gone")
	}
	if r.Sum(7) != nil || r.Sum(-1) != nil {
		t.Error("a sum that is not")
	}
}

// Whatever the roles, what a member hears is what adding up one by one gives.
func TestSumsAreRightInAnyRoom(t *testing.T) {
	for range 300 {
		r := NewRoom(frame)
		n := 2 + rand.IntN(10)
		roles, coached := make([]Role, n), make([]int, n)
		in := make([][]int16, n)
		for m := range n {
			roles[m], coached[m] = Role(rand.IntN(4)), (m+1)%n
			r.Set(m, roles[m], coached[m])
			if rand.IntN(3) > 0 {
				in[m] = constant(int16(rand.IntN(2000) + 200))
			}
		}
		got := mixed(r, in)
		for m := range got {
			want := 0
			for o := range n {
				hears := o != m && roles[m] != Absent && (roles[o] == Speaker || roles[o] == Coach && (roles[m] == Monitor || roles[m] == Speaker && coached[o] == m))
				if hears && in[o] != nil {
					want += int(in[o][0])
				}
			}
			if got[m] != want {
				t.Fatalf("member %d of %v hears %d, want %d", m, roles, got[m], want)
			}
		}
	}
}

func TestMixingAllocatesNothing(t *testing.T) {
	r := NewRoom(frame)
	for m := range 6 {
		r.Set(m, Speaker, 0)
	}
	in := [][]int16{constant(1000), constant(2000), constant(3000), nil, constant(1), constant(2)}
	r.Gain(1, 200)
	if n := testing.AllocsPerRun(100, func() { r.Mix(in) }); n != 0 {
		t.Errorf("%v allocations a frame", n)
	}
}

// six is a conference of six in G.711: decoded, mixed and encoded once for each sum that is heard.
func six(b *testing.B, speakers int) {
	b.Helper()
	r := NewRoom(frame)
	var coded [6][frame]byte
	var pcm [6][frame]int16
	in := make([][]int16, 6)
	for m := range 6 {
		r.Set(m, Speaker, 0)
		in[m] = pcm[m][:]
		loud := 2
		if m < speakers {
			loud = 4000
		}
		for i := range coded[m] {
			g711.EncodeULaw(coded[m][i:], []int16{int16(rand.IntN(2*loud+1) - loud)})
		}
	}
	var out [frame]byte
	for b.Loop() {
		for m := range 6 {
			g711.DecodeULaw(pcm[m][:], coded[m][:])
		}
		r.Mix(in)
		for i := range r.Sums() {
			g711.EncodeULaw(out[:], r.Sum(i))
		}
	}
}

func BenchmarkConferenceOfSixOneSpeaks(b *testing.B) { six(b, 1) }
func BenchmarkConferenceOfSixTwoSpeak(b *testing.B)  { six(b, 2) }
func BenchmarkConferenceOfSixAllShout(b *testing.B)  { six(b, 6) }
func BenchmarkMixAloneTwoSpeak(b *testing.B)         { mixOnly(b, 2) }

func mixOnly(b *testing.B, speakers int) {
	b.Helper()
	r := NewRoom(frame)
	in := make([][]int16, 6)
	for m := range 6 {
		r.Set(m, Speaker, 0)
		in[m] = constant(int16(1 + 3000*min(1, max(0, speakers-m))))
	}
	for b.Loop() {
		r.Mix(in)
	}
}

// BenchmarkSixTranscodings is the yardstick: the same six listeners, each with a transcoding of his own.
func BenchmarkSixTranscodings(b *testing.B) {
	var coded, out [frame]byte
	var pcm [frame]int16
	for i := range coded {
		coded[i] = byte(rand.IntN(256))
	}
	for b.Loop() {
		for range 6 {
			g711.DecodeULaw(pcm[:], coded[:])
			g711.EncodeULaw(out[:], pcm[:])
		}
	}
}
