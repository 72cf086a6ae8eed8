package sound

import (
	"errors"
	"io"

	"github.com/mewkiz/flac"
)

func decodeFLAC(m *mixer, data []byte) error {
	// The decoder reads the first block whatever it is, and would give a picture in its place all the memory that it claims. The
	// blocks behind it are skipped unread.
	if len(data) < 8 || data[4]&0x7f != 0 || data[5] != 0 || data[6] != 0 || data[7] != 34 {
		return errors.New("it does not begin with STREAMINFO (RFC 9639 §8.2)")
	}
	s, err := flac.New(&stream{data})
	if err != nil {
		return err
	}
	if err = m.begin(int(s.Info.SampleRate), int(s.Info.NChannels)); err != nil {
		return err
	}
	for {
		f, err := s.ParseNext()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		bits := f.BitsPerSample
		if bits == 0 {
			bits = s.Info.BitsPerSample
		}
		if len(f.Subframes) != m.channels || bits < 1 || bits > 32 {
			return errors.New("its frames differ from its header")
		}
		scale := 1 / float64(int64(1)<<(bits-1))
		for i := range f.Subframes[0].Samples {
			sum := 0.0
			for _, sub := range f.Subframes {
				sum += float64(sub.Samples[i]) * scale
			}
			if err = m.frame(sum); err != nil {
				return err
			}
		}
	}
}
