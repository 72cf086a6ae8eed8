package records

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"time"
)

// Limits of files and objects.
const (
	maxFile   = 64 << 20 // a file of lines is rotated beyond
	maxObject = 16 << 20 // an object ends beyond, at a whole line
	settle    = 2 * time.Second
	current   = "current.jsonl"
)

// lines are items as JSON lines.
func lines(page []Logged) ([]byte, error) {
	var b bytes.Buffer
	for i := range page {
		line, err := page[i].Envelope()
		if err != nil {
			return nil, err
		}
		b.Write(line)
		b.WriteByte('\n')
	}
	return b.Bytes(), nil
}

func all(w *window, page []Logged) {
	for i := range page {
		w.done[page[i].Seq] = true
	}
}

// file is the sink that appends to a file and rotates it, by size and by day (UTC).
type file struct {
	dir  string
	f    *os.File
	size int64
	day  string // of what is in it
	now  func() time.Time
}

func (s *file) page() int                            { return pageLines }
func (s *file) ready(page []Logged, _ time.Time) int { return len(page) }
func (s *file) every() (time.Duration, bool)         { return pumpEvery, true }

func (s *file) close() error {
	if s.f == nil {
		return nil
	}
	err := s.f.Close()
	s.f = nil
	return err
}

func (s *file) take(_ context.Context, w *window, page []Logged) (err error) {
	b, err := lines(page)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil { // what is in the file is not known: it is looked at again
			err = errors.Join(err, s.close())
		}
	}()
	if err = s.open(); err != nil {
		return err
	}
	if day := s.now().UTC().Format("20060102"); s.size > 0 && (s.size > maxFile || day != s.day) {
		if err = s.rotate(); err != nil {
			return err
		}
	}
	if _, err = s.f.Write(b); err != nil {
		return err
	}
	if err = s.f.Sync(); err != nil {
		return err
	}
	s.size += int64(len(b))
	all(w, page)
	return nil
}

// open opens the file, and cuts off what a process that died has left of a line: its items come again.
func (s *file) open() error {
	if s.f != nil {
		return nil
	}
	if err := os.MkdirAll(s.dir, 0o750); err != nil {
		return err
	}
	f, err := os.OpenFile(path.Join(s.dir, current), os.O_CREATE|os.O_RDWR, 0o640) //nolint:gosec // a folder of ours, named by an id
	if err != nil {
		return err
	}
	size, err := wholeLines(f)
	if err == nil {
		err = f.Truncate(size)
	}
	if err == nil {
		_, err = f.Seek(size, io.SeekStart)
	}
	info, statErr := f.Stat()
	if err = errors.Join(err, statErr); err != nil {
		return errors.Join(err, f.Close())
	}
	s.f, s.size, s.day = f, size, info.ModTime().UTC().Format("20060102")
	if size == 0 {
		s.day = s.now().UTC().Format("20060102")
	}
	return nil
}

// wholeLines is the size of a file up to its last line feed.
func wholeLines(f *os.File) (int64, error) {
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	buf := make([]byte, 64<<10)
	for end := info.Size(); end > 0; {
		n := min(end, int64(len(buf)))
		if _, err = f.ReadAt(buf[:n], end-n); err != nil {
			return 0, err
		}
		if i := bytes.LastIndexByte(buf[:n], '\n'); i >= 0 {
			return end - n + int64(i) + 1, nil
		}
		end -= n
	}
	return 0, nil
}

// rotate gives the file a name that sorts by time, and begins a new one.
func (s *file) rotate() error {
	if err := s.close(); err != nil {
		return err
	}
	at := s.now().UTC()
	for n := 0; ; n++ {
		name := path.Join(s.dir, fmt.Sprintf("%s-%03d.jsonl", at.Format("20060102T150405Z"), n))
		if _, err := os.Lstat(name); err == nil {
			continue
		}
		if err := os.Rename(path.Join(s.dir, current), name); err != nil {
			return err
		}
		break
	}
	if err := s.open(); err != nil {
		return err
	}
	s.day = at.Format("20060102")
	return nil
}

// objects is the sink that puts an object for each minute, named by date. The items of a minute are those that came into
// the log in it, so an object that is put again after a crash is the same.
type objects struct {
	d     *Destination
	blobs Blobs
}

func (s *objects) page() int    { return pageLines }
func (s *objects) close() error { return nil }

func (s *objects) every() (time.Duration, bool) { return objectsEvery, false }

// ready are the items of one minute that is over, as far as they fit an object.
func (s *objects) ready(page []Logged, now time.Time) int {
	if len(page) == 0 {
		return 0
	}
	minute := page[0].Added.Truncate(time.Minute)
	if now.Before(minute.Add(time.Minute + settle)) {
		return 0
	}
	size := 0
	for i := range page {
		if size += len(page[i].Body) + 512; i > 0 && (!page[i].Added.Truncate(time.Minute).Equal(minute) || size > maxObject) {
			return i
		}
	}
	return len(page)
}

func (s *objects) take(ctx context.Context, w *window, page []Logged) error {
	b, err := lines(page)
	if err != nil {
		return err
	}
	if err = s.blobs.PutLines(ctx, s.key(&page[0]), b); err != nil {
		return err
	}
	all(w, page)
	return nil
}

// key is <prefix>/YYYY/MM/DD/<name>-YYYYMMDDTHHMMZ-<first>.jsonl; the first item's id tells objects of a minute apart.
func (s *objects) key(first *Logged) string {
	at := first.Added.UTC()
	name := fmt.Sprintf("%s-%s-%s.jsonl", s.d.Name, at.Format("20060102T1504Z"), first.ID)
	prefix := s.d.Prefix
	if prefix == "" {
		prefix = "records"
	}
	return path.Join(prefix, at.Format("2006/01/02"), name)
}
