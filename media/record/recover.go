package record

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"time"

	"ullim/internal/contact"
	"ullim/internal/errs"
	"ullim/internal/wav"
)

// Recovered is a recording found in the spool at start.
type Recovered struct {
	ContactID string
	CutOff    bool // it was being made when the process ended, and has been repaired
	contact.Recording
}

// Recover makes every recording in a spool folder complete and reports them all, for upload: those that a crash cut off,
// and those that were complete but perhaps never handed on. It must not run while a recording is made in the folder. A file
// that cannot be repaired (a crash before its header) is left where it is, reported as failed, and does not keep the
// others from being saved. Other files are not touched.
func Recover(dir string) ([]Recovered, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, errs.Wrap(err, errs.Unavailable, "the spool folder cannot be read")
	}
	var found []Recovered
	for _, e := range entries {
		name, cut := strings.CutSuffix(e.Name(), part)
		contactID, key, ok := parseName(name)
		if !ok || !e.Type().IsRegular() {
			continue
		}
		r := Recovered{ContactID: contactID, CutOff: cut}
		r.Location = key
		if err := r.complete(dir, name); err != nil {
			r.Status, r.Reason = contact.RecordingFailed, "cannot be repaired: "+err.Error()
		}
		found = append(found, r)
	}
	return found, nil
}

// complete repairs one file and fills in what its record says. Its end is when it was last written, its length what it
// holds, and so its start.
func (r *Recovered) complete(dir, name string) error {
	path := filepath.Join(dir, name)
	from := path
	if r.CutOff {
		from += part
		r.Reason = "cut off by a restart"
	}
	stat, err := os.Stat(from)
	if err != nil {
		return err
	}
	info, _, err := wav.RepairInfo(from)
	if err != nil {
		return err
	}
	if r.CutOff {
		if err = errors.Join(os.Rename(from, path), syncDir(dir)); err != nil {
			return err
		}
	}
	r.Stop = stat.ModTime()
	r.Start = r.Stop.Add(-time.Duration(info.Frames) * time.Second / time.Duration(info.Rate))
	r.Spool, r.Status = name, contact.RecordingSpooled
	r.Bytes, r.SHA256, err = sum(path)
	return err
}
