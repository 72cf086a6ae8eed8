package media_test

import (
	"math"
	"net/netip"
	"testing"
	"time"

	"ullim/media/g711"
	"ullim/media/g722"
	"ullim/media/mediatest"
)

// sine is a tone of n samples, from sample number at on.
func sine(hertz, rate, at, n int) []int16 {
	out := make([]int16, n)
	for i := range out {
		out[i] = int16(8000 * math.Sin(2*math.Pi*float64(hertz)*float64(at+i)/float64(rate)))
	}
	return out
}

// mouth encodes what one phone says.
type mouth struct {
	codec string
	enc   g722.Encoder
	at    int
}

// frame is the next 20 ms of a tone.
func (m *mouth) frame(hertz int) []byte {
	out := make([]byte, 160)
	switch m.codec {
	case "G722":
		m.enc.Encode(out, sine(hertz, 16000, 2*m.at, 320))
	case "PCMA":
		g711.EncodeALaw(out, sine(hertz, 8000, m.at, 160))
	default:
		g711.EncodeULaw(out, sine(hertz, 8000, m.at, 160))
	}
	m.at += 160
	return out
}

// hum says a tone for n frames of 20 ms.
func hum(p *mediatest.Phone, to netip.AddrPort, payload uint8, codec string, hertz, n int) {
	m := mouth{codec: codec}
	for range n {
		p.Send(to, payload, m.frame(hertz))
		time.Sleep(20 * ms)
	}
}

// decoded is what was heard, as samples of 8,000 a second.
func decoded(codec string, heard []mediatest.Heard) []int16 {
	var dec g722.Decoder
	var out []int16
	for _, h := range heard {
		pcm := make([]int16, 2*len(h.Data))
		switch codec {
		case "G722":
			n := dec.Decode(pcm, h.Data)
			for i := 0; i+1 < n; i += 2 {
				pcm[i/2] = int16((int32(pcm[i]) + int32(pcm[i+1])) / 2)
			}
			pcm = pcm[:n/2]
		case "PCMA":
			pcm = pcm[:g711.DecodeALaw(pcm, h.Data)]
		default:
			pcm = pcm[:g711.DecodeULaw(pcm, h.Data)]
		}
		out = append(out, pcm...)
	}
	return out
}

// share is how much of the power of samples at 8,000 a second is at a frequency.
func share(pcm []int16, hertz int) float64 {
	var re, im, all float64
	for i, v := range pcm {
		a := 2 * math.Pi * float64(hertz) * float64(i) / 8000
		re += float64(v) * math.Cos(a)
		im += float64(v) * math.Sin(a)
		all += float64(v) * float64(v)
	}
	if all == 0 {
		return 0
	}
	return 2 * (re*re + im*im) / float64(len(pcm)) / all
}

// loud is the mean power.
func loud(pcm []int16) float64 {
	all := 0.0
	for _, v := range pcm {
		all += float64(v) * float64(v)
	}
	return math.Sqrt(all / float64(max(len(pcm), 1)))
}

// isTone checks that samples are a tone and next to nothing else, piece by piece of 100 ms.
func isTone(t *testing.T, what string, pcm []int16, hertz int) {
	t.Helper()
	if len(pcm) < 800 {
		t.Fatalf("%s: %d samples", what, len(pcm))
	}
	for at := 0; at+800 <= len(pcm); at += 800 {
		if s := share(pcm[at:at+800], hertz); s < 0.97 {
			t.Errorf("%s: at %d ms only %.3f of the power is at %d Hz, level %.0f", what, at/8, s, hertz, loud(pcm[at:at+800]))
		}
	}
}
