package wav

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
)

// Info says what a file holds.
type Info struct {
	Rate     int
	Channels int
	Frames   int64 // samples of each channel
}

// Repair makes a file that was cut off by a crash playable: it cuts an incomplete last frame off and patches the sizes
// from the length of the file. A file that is in order is not touched. A file that ends before its first sample, or is
// no WAV file, gives ErrFormat.
func Repair(path string) (changed bool, err error) {
	_, changed, err = RepairInfo(path)
	return changed, err
}

// RepairInfo is Repair, and says what the file holds.
func RepairInfo(path string) (info Info, changed bool, err error) {
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return Info{}, false, fmt.Errorf("wav: %w", err)
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	stat, err := file.Stat()
	if err != nil {
		return Info{}, false, fmt.Errorf("wav: %w", err)
	}
	f, header, riff, size, err := scan(file)
	if err != nil {
		return Info{}, false, err
	}
	frame, room := int64(f.frame()), stat.Size()-int64(header)
	info = Info{Rate: f.rate, Channels: f.channels, Frames: size / frame}
	// In order: the RIFF size is that of the file, and the data chunk lies within it in whole frames.
	if riff == stat.Size()-8 && size <= room && size%frame == 0 {
		return info, false, nil
	}
	data := room - room%frame
	info.Frames = data / frame
	if err := file.Truncate(int64(header) + data + data%2); err != nil {
		return info, false, fmt.Errorf("wav: %w", err)
	}
	if err := patch(file, header, f, data); err != nil {
		return info, false, err
	}
	if err := file.Sync(); err != nil {
		return info, false, fmt.Errorf("wav: %w", err)
	}
	return info, true, nil
}

// scan reads up to the first sample: the format, where the samples begin, and the two sizes as written.
func scan(r io.ReadSeeker) (f format, header int, riff, data int64, err error) {
	b := make([]byte, riffHeader)
	if _, err = io.ReadFull(r, b); err != nil || string(b[:4]) != "RIFF" || string(b[8:]) != "WAVE" {
		return f, 0, 0, 0, wrapf(ErrFormat, "no RIFF WAVE header")
	}
	riff = int64(binary.LittleEndian.Uint32(b[4:]))
	known := false
	for at := int64(riffHeader); ; {
		if _, err = io.ReadFull(r, b[:chunkHeader]); err != nil {
			return f, 0, 0, 0, wrapf(ErrFormat, "no data chunk")
		}
		name, size := string(b[:4]), int64(binary.LittleEndian.Uint32(b[4:]))
		at += chunkHeader
		switch {
		case name == "data" && !known:
			return f, 0, 0, 0, wrapf(ErrFormat, "data before fmt")
		case name == "data":
			return f, int(at), riff, size, nil
		case name == "fmt ":
			if size > 256 {
				return f, 0, 0, 0, wrapf(ErrFormat, "fmt chunk of %d bytes", size)
			}
			body := make([]byte, size)
			if _, err = io.ReadFull(r, body); err != nil {
				return f, 0, 0, 0, wrapf(ErrFormat, "fmt chunk cut off")
			}
			if f, err = parseFormat(body); err != nil {
				return f, 0, 0, 0, err
			}
			known = true
		}
		at += size + size%2
		if _, err = r.Seek(at, io.SeekStart); err != nil {
			return f, 0, 0, 0, fmt.Errorf("wav: %w", err)
		}
	}
}
