package sound

import (
	"errors"
	"io"

	mp3 "github.com/hajimehoshi/go-mp3"
)

// withoutID3 cuts ID3v2 tags off the front: they may claim any size, and hold pictures and words that nobody hears.
func withoutID3(data []byte) []byte {
	for len(data) >= 10 && string(data[:3]) == "ID3" {
		size := int(data[6]&0x7f)<<21 | int(data[7]&0x7f)<<14 | int(data[8]&0x7f)<<7 | int(data[9]&0x7f)
		if data[5]&0x10 != 0 {
			size += 10 // a footer
		}
		data = data[min(10+size, len(data)):]
	}
	return data
}

// stream hides that bytes could be sought in: the decoder would read all of them twice.
type stream struct {
	data []byte
}

// Read gives the next bytes.
func (s *stream) Read(b []byte) (int, error) {
	if len(s.data) == 0 {
		return 0, io.EOF
	}
	n := copy(b, s.data)
	s.data = s.data[n:]
	return n, nil
}

// misread reports whether the decoder would take frames of MPEG-2 for a byte shorter than they are: those of 22,050 Hz with padding, at
// some bit rates. It would play noise.
func misread(data []byte) bool {
	rates := [16]int{0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160, 0} // kbit/s of MPEG-2, layer III
	for len(data) >= 4 {
		if data[0] != 0xff || data[1]&0xfe != 0xf2 || data[2]&0x0c != 0 { // MPEG-2, layer III, 22,050 Hz
			return false
		}
		size := 72_000 * rates[data[2]>>4] / 22_050
		if size == 0 {
			return false
		}
		if data[2]&0x02 != 0 {
			if 144_000*rates[data[2]>>4]/22_050%2 == 0 {
				return true
			}
			size++
		}
		data = data[min(size, len(data)):]
	}
	return false
}

func decodeMP3(m *mixer, data []byte) error {
	if misread(data) {
		return invalid("is an MP3 at 22,050 Hz of a kind that cannot be read: make it a WAV, or an MP3 at 24,000 or 44,100 Hz")
	}
	d, err := mp3.NewDecoder(&stream{data})
	if err != nil {
		return err
	}
	if err = m.begin(d.SampleRate(), 2); err != nil { // one channel is given twice
		return err
	}
	buf := make([]byte, 16<<10)
	held := 0
	for {
		n, rerr := d.Read(buf[held:])
		n += held
		for i := 0; i+4 <= n; i += 4 {
			left, right := int16(uint16(buf[i])|uint16(buf[i+1])<<8), int16(uint16(buf[i+2])|uint16(buf[i+3])<<8)
			if err = m.frame((float64(left) + float64(right)) / 32768); err != nil {
				return err
			}
		}
		held = copy(buf, buf[n-n%4:n])
		switch {
		case errors.Is(rerr, io.EOF):
			return nil
		case rerr != nil && len(m.pcm) > m.rate && len(data) > 0: // what follows the last frame is often something else
			return nil
		case rerr != nil:
			return rerr
		}
	}
}
