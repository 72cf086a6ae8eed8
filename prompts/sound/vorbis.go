package sound

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"

	"github.com/jfreymuth/oggvorbis"
)

func decodeVorbis(m *mixer, data []byte) error {
	if err := checkVorbis(data); err != nil {
		return err
	}
	r, err := oggvorbis.NewReader(&stream{data})
	if err != nil {
		return err
	}
	if err = m.begin(r.SampleRate(), r.Channels()); err != nil {
		return err
	}
	buf := make([]float32, 4096*m.channels)
	for {
		n, rerr := r.Read(buf)
		for i := 0; i+m.channels <= n; i += m.channels {
			sum := 0.0
			for _, v := range buf[i : i+m.channels] {
				sum += float64(v)
			}
			if err = m.frame(sum); err != nil {
				return err
			}
		}
		if errors.Is(rerr, io.EOF) {
			return nil
		}
		if rerr != nil {
			return rerr
		}
	}
}

// Limits of the headers of a Vorbis stream. Encoders make codebooks of at most some thousand entries in a few dimensions; a
// header may claim 16 million in 65,535.
const (
	maxHeader  = 1 << 20
	maxEntries = 1 << 16
	maxValues  = 1 << 20 // entries times dimensions, of one codebook
	maxAll     = 1 << 22 // of all
)

var errHeader = errors.New("its headers are not those of a Vorbis stream")

// checkVorbis reads the three headers as far as they say how much memory the decoder will ask for.
func checkVorbis(data []byte) error {
	packets, err := headerPackets(data)
	if err != nil {
		return err
	}
	first, setup := packets[0], packets[2]
	if len(first) < 30 || !bytes.HasPrefix(first, []byte("\x01vorbis")) || !bytes.HasPrefix(setup, []byte("\x05vorbis")) {
		return errHeader
	}
	b := &bitReader{data: setup[7:]}
	all := 0
	for range int(b.read(8)) + 1 {
		values, err := b.codebook()
		if err != nil {
			return err
		}
		if all += values; all > maxAll {
			return errors.New("its codebooks are too large")
		}
	}
	return nil
}

// headerPackets puts the first three packets of the first stream together from the pages of the Ogg file (RFC 3533 §6).
func headerPackets(data []byte) ([3][]byte, error) {
	var packets [3][]byte
	k, serial, total := 0, uint32(0), 0
	for page := 0; k < 3; page++ {
		if len(data) < 27 || string(data[:4]) != "OggS" {
			return packets, errHeader
		}
		segments := int(data[26])
		if len(data) < 27+segments {
			return packets, errHeader
		}
		table, body := data[27:27+segments], data[27+segments:]
		of := binary.LittleEndian.Uint32(data[14:])
		if page == 0 {
			serial = of
		}
		for _, n := range table {
			if int(n) > len(body) {
				return packets, errHeader
			}
			if of == serial && k < 3 {
				if total += int(n); total > maxHeader {
					return packets, errors.New("its headers are too large")
				}
				packets[k] = append(packets[k], body[:n]...)
				if n < 255 {
					k++
				}
			}
			body = body[n:]
		}
		data = body
	}
	return packets, nil
}

// bitReader reads numbers of any width, least significant bit first; beyond the end it reads zeros and remembers it.
type bitReader struct {
	data []byte
	at   int // bit
	over bool
}

func (b *bitReader) read(bits int) uint32 {
	var v uint32
	for i := range bits {
		if b.at >= 8*len(b.data) {
			b.over = true
			return v
		}
		v |= uint32(b.data[b.at/8]>>(b.at%8)&1) << i
		b.at++
	}
	return v
}

// codebook walks over one codebook (Vorbis I specification §3.2.1) and tells how many values it holds.
func (b *bitReader) codebook() (int, error) {
	if b.read(24) != 0x564342 {
		return 0, errHeader
	}
	dimensions, entries := int(b.read(16)), int(b.read(24))
	if dimensions < 1 || entries < 1 || entries > maxEntries || dimensions*entries > maxValues {
		return 0, errors.New("a codebook of it is too large")
	}
	if ordered := b.read(1) == 1; ordered {
		b.read(5)
		for done := 0; done < entries && !b.over; {
			n := int(b.read(width(entries - done)))
			if done += n; done > entries {
				return 0, errHeader
			}
		}
	} else {
		sparse := b.read(1) == 1
		for range entries {
			if !sparse || b.read(1) == 1 {
				b.read(5)
			}
		}
	}
	lookup := b.read(4)
	if lookup > 2 || b.over {
		return 0, errHeader
	}
	if lookup > 0 {
		b.read(32)
		b.read(32)
		bits := int(b.read(4)) + 1
		b.read(1)
		n := dimensions * entries
		if lookup == 1 {
			n = root(entries, dimensions)
		}
		b.at += n * bits
		if b.at > 8*len(b.data) {
			return 0, errHeader
		}
	}
	return dimensions * entries, nil
}

// width is how many bits a number needs.
func width(n int) int {
	bits := 0
	for ; n > 0; n >>= 1 {
		bits++
	}
	return bits
}

// root is the greatest number that, multiplied with itself so often, is not over n.
func root(n, power int) int {
	r := 1
	for {
		product := 1
		for range power {
			if product *= r + 1; product > n {
				return r
			}
		}
		r++
	}
}
