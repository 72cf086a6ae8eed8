package g711

import (
	"testing"

	reference "github.com/zaf/g711"
)

func TestEverySampleIsEncodedAsTheReferenceDoes(t *testing.T) {
	pcm, u, a := make([]int16, 1<<16), make([]byte, 1<<16), make([]byte, 1<<16)
	for i := range pcm {
		pcm[i] = int16(i)
	}
	if EncodeULaw(u, pcm) != len(pcm) || EncodeALaw(a, pcm) != len(pcm) {
		t.Fatal("not all samples encoded")
	}
	for i, v := range pcm {
		if u[i] != reference.EncodeUlawFrame(v) || a[i] != reference.EncodeAlawFrame(v) {
			t.Fatalf("sample %d: %#02x %#02x", v, u[i], a[i])
		}
	}
}

// A sample that went through a codec keeps its sign and is off by at most half a step: 1/32 of its size, or the
// smallest step.
func TestWhatIsEncodedComesBackNearlyTheSame(t *testing.T) {
	for v := -32000; v <= 32000; v += 7 {
		for name, back := range map[string]int16{"µ-law": throughULaw(int16(v)), "A-law": throughALaw(int16(v))} {
			off := int(back) - v
			if limit := max(v, -v)/28 + 16; off > limit || off < -limit {
				t.Fatalf("%s: %d came back as %d", name, v, back)
			}
		}
	}
}

func throughULaw(v int16) int16 {
	var b [1]byte
	var out [1]int16
	EncodeULaw(b[:], []int16{v})
	DecodeULaw(out[:], b[:])
	return out[0]
}

func throughALaw(v int16) int16 {
	var b [1]byte
	var out [1]int16
	EncodeALaw(b[:], []int16{v})
	DecodeALaw(out[:], b[:])
	return out[0]
}

func TestTranscodingKeepsTheSound(t *testing.T) {
	for i := range 256 {
		b := []byte{byte(i)}
		var before, after [1]int16
		DecodeULaw(before[:], b)
		ULawToALaw(b)
		DecodeALaw(after[:], b)
		v, off := int(before[0]), int(after[0])-int(before[0])
		if limit := max(v, -v)/28 + 16; off > limit || off < -limit {
			t.Errorf("µ-law %#02x is %d, as A-law %d", i, v, after[0])
		}
		b = []byte{byte(i)}
		DecodeALaw(before[:], b)
		ALawToULaw(b)
		DecodeULaw(after[:], b)
		v, off = int(before[0]), int(after[0])-int(before[0])
		if limit := max(v, -v)/28 + 16; off > limit || off < -limit {
			t.Errorf("A-law %#02x is %d, as µ-law %d", i, v, after[0])
		}
	}
}

func TestSilenceIsSilent(t *testing.T) {
	var out [1]int16
	if DecodeULaw(out[:], []byte{ULawSilence}); out[0] != 0 {
		t.Errorf("µ-law silence is %d", out[0])
	}
	if DecodeALaw(out[:], []byte{ALawSilence}); out[0] > 8 || out[0] < -8 {
		t.Errorf("A-law silence is %d", out[0])
	}
}

func TestTheShorterSliceDecides(t *testing.T) {
	if n := EncodeULaw(make([]byte, 2), make([]int16, 5)); n != 2 {
		t.Errorf("%d samples encoded into room for 2", n)
	}
	if n := DecodeALaw(make([]int16, 5), make([]byte, 3)); n != 3 {
		t.Errorf("%d samples decoded from 3", n)
	}
}

func TestNothingIsAllocated(t *testing.T) {
	pcm, b := make([]int16, 160), make([]byte, 160)
	if n := testing.AllocsPerRun(100, func() {
		EncodeULaw(b, pcm)
		ULawToALaw(b)
		DecodeALaw(pcm, b)
	}); n != 0 {
		t.Errorf("%v allocations a frame", n)
	}
}
