package app

import (
	"context"
	"io/fs"
	"log/slog"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"ullim/internal/errs"
)

// spoolEvery is how often the spool is looked at.
const spoolEvery = 5 * time.Second

// SpoolOptions say how much may wait on the local disk.
type SpoolOptions struct {
	Limit  int64 // bytes of recordings; 0: no limit
	Free   int64 // bytes that must be free
	Refuse bool  // new calls that would be recorded are refused; else they are not recorded
}

// spoolReading is what the spool looks like.
type spoolReading struct {
	Bytes  int64     // of all files, those being written included
	Files  int       // that wait to be uploaded
	Oldest time.Time // of these; zero if there are none
	Free   int64     // bytes on the disk; -1: unknown
}

// readSpool looks at the folder.
func readSpool(folder string) spoolReading {
	r := spoolReading{Free: -1}
	var s unix.Statfs_t
	if unix.Statfs(folder, &s) == nil {
		r.Free = int64(s.Bavail) * int64(s.Bsize) //nolint:unconvert // the types differ between systems
	}
	entries, err := os.ReadDir(folder)
	if err != nil {
		return r
	}
	for _, e := range entries {
		var info fs.FileInfo
		if info, err = e.Info(); err != nil || info.IsDir() {
			continue
		}
		r.Bytes += info.Size()
		if strings.HasSuffix(e.Name(), ".part") { // being written
			continue
		}
		r.Files++
		if at := info.ModTime(); r.Oldest.IsZero() || at.Before(r.Oldest) {
			r.Oldest = at
		}
	}
	return r
}

// full tells whether there is no room: below the low mark, until there is a quarter more than it asks for, so that it does
// not change with every recording.
func (o SpoolOptions) full(was bool, r spoolReading) bool {
	limit, free := o.Limit, o.Free
	if was {
		limit, free = limit-limit/10, free+free/4
	}
	return o.Limit > 0 && r.Bytes >= limit || r.Free >= 0 && o.Free > 0 && r.Free < free
}

// spoolGuard watches the spool, so that a full disk costs recordings and never a call.
type spoolGuard struct {
	o      SpoolOptions
	folder string
	log    *slog.Logger
	alarm  func(detail string)
	read   func(folder string) spoolReading // nil: readSpool

	isFull  atomic.Bool
	refused atomic.Uint64 // recordings and calls that there was no room for
}

// look decides anew.
func (g *spoolGuard) look() {
	read := g.read
	if read == nil {
		read = readSpool
	}
	r := read(g.folder)
	was := g.isFull.Load()
	now := g.o.full(was, r)
	if was == now {
		return
	}
	g.isFull.Store(now)
	if !now {
		g.log.Info("spool of recordings has room again", "bytes", r.Bytes, "free", r.Free)
		return
	}
	what := "new calls are not recorded"
	if g.o.Refuse {
		what = "new calls that would be recorded are refused"
	}
	g.log.Error("spool of recordings is full", "therefore", what, "bytes", r.Bytes, "free", r.Free, "limit", g.o.Limit, "least_free", g.o.Free)
	g.alarm("spool: the spool of recordings is full: " + what)
}

// run looks until ctx ends.
func (g *spoolGuard) run(ctx context.Context) {
	tick := time.NewTicker(spoolEvery)
	defer tick.Stop()
	for {
		g.look()
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// room is an error while no recording may be begun.
func (g *spoolGuard) room() error {
	if !g.isFull.Load() {
		return nil
	}
	g.refused.Add(1)
	return errs.New(errs.Unavailable, "the spool of recordings is full")
}

// admits is an error while a call that would be recorded must be refused.
func (g *spoolGuard) admits() error {
	if !g.o.Refuse {
		return nil
	}
	return g.room()
}

// ready is an error while calls are refused.
func (g *spoolGuard) ready() error {
	if g.o.Refuse && g.isFull.Load() {
		return errs.New(errs.Unavailable, "the spool of recordings is full: calls that would be recorded are refused")
	}
	return nil
}
