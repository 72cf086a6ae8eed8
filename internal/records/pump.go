package records

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"ullim/internal/errs"
)

// pumpEvery is how often a pump looks that nobody wakes; objectsEvery how often it looks for a minute that is over.
const (
	pumpEvery    = time.Second
	objectsEvery = 15 * time.Second
	flakyPause   = 200 * time.Millisecond // after a round in which some items were taken and some were not
)

// sink takes a page of items. It notes in the window what is done, and gives an error if something is not: then the pump
// pauses. More may be left out on purpose, without an error.
type sink interface {
	take(ctx context.Context, w *window, page []Logged) error
	// page is how many items it takes at once.
	page() int
	// ready tells how many of a page may be taken now, from its beginning.
	ready(page []Logged, now time.Time) int
	// every is how often it is worth while to look; prompt: also when somebody wakes us.
	every() (d time.Duration, prompt bool)
	close() error
}

// Counts are what a pump has done since it began.
type Counts struct {
	Delivered, Failures, Dead atomic.Uint64
}

// pump brings the items of an instance to one destination.
type pump struct {
	d      *Destination
	store  PumpStore
	owner  string
	sink   sink
	log    *slog.Logger
	counts *Counts

	wake     chan struct{} // room for one
	fails    int
	progress bool      // something was delivered in the last round
	until    time.Time // we lead
}

// run works until ctx ends.
func (p *pump) run(ctx context.Context) {
	defer func() {
		if err := p.sink.close(); err != nil {
			p.log.Warn("closing a destination", "destination", p.d.Name, "error", err)
		}
	}()
	timer := time.NewTimer(time.Nanosecond)
	defer timer.Stop()
	w, at := newWindow(), Cursor{Seq: -1}
	every, prompt := p.sink.every()
	for {
		select {
		case <-timer.C:
		case <-p.wake:
			if p.fails > 0 || !prompt { // the pause is kept, whatever comes in
				continue
			}
		case <-ctx.Done():
			return
		}
		more, err := p.once(ctx, &w, &at)
		wait := every
		switch {
		case ctx.Err() != nil:
			return
		case errs.Is(err, errs.Conflict): // another node, or a replay: begin anew
			w, at, p.until = newWindow(), Cursor{Seq: -1}, time.Time{}
		case err != nil:
			p.fails++
			p.counts.Failures.Add(1)
			wait = pause(p.fails, jitter())
			if p.progress { // it is not away
				p.fails, wait = 1, flakyPause
			}
			if p.fails == 1 && !p.progress || p.fails%20 == 0 {
				p.log.Warn("records are not delivered", "destination", p.d.Name, "destination_id", p.d.ID, "times", p.fails, "again_in", wait, "error", err)
			}
		default:
			p.fails = 0
			if more {
				wait = time.Nanosecond
			}
		}
		timer.Reset(wait)
	}
}

// lead makes sure that this process serves the destination.
func (p *pump) lead(ctx context.Context) error {
	now := time.Now()
	if now.Before(p.until) {
		return nil
	}
	ours, err := p.store.Lead(ctx, LeadPump(p.d.ID), p.owner, now.Add(leadTime))
	if err == nil && !ours {
		return errs.New(errs.Conflict, "another node serves this destination")
	}
	if err == nil {
		p.until = now.Add(leadTime / 2)
	}
	return err
}

// once delivers a page and moves the cursor. more: there is another page.
func (p *pump) once(ctx context.Context, w **window, at *Cursor) (more bool, err error) {
	p.progress = false
	if err = p.lead(ctx); err != nil {
		return false, err
	}
	now, err := p.store.Cursor(ctx, p.d.InstanceID, p.d.ID, p.d.CreatedAt)
	if err != nil {
		return false, err
	}
	if now != *at { // the beginning, or a replay
		*w, *at = newWindow(), now
	}
	if !at.RefillTo.IsZero() {
		return p.refill(ctx, w, at)
	}
	page, err := p.store.Items(ctx, p.d.InstanceID, at.Seq, p.sink.page())
	if err != nil {
		return false, err
	}
	full := len(page) == p.sink.page()
	page = page[:p.sink.ready(page, time.Now())]
	if len(page) == 0 {
		return false, nil
	}
	before := len((*w).dead)
	failure := p.deliver(ctx, *w, page)
	to := *at
	to.Seq = (*w).advance(at.Seq, page)
	p.counts.Dead.Add(uint64(max(len((*w).dead)-before, 0)))
	if to.Seq != at.Seq {
		dead := (*w).letters(to.Seq)
		if err = p.store.Advance(ctx, p.owner, p.d.InstanceID, p.d.ID, *at, to, dead); err != nil {
			(*w).dead = append(dead, (*w).dead...)
			return false, errors.Join(err, failure)
		}
		*at = to
	}
	return full || to.Seq != at.Seq, failure
}

// deliver hands a page to the sink, without what it has had and what it does not want.
func (p *pump) deliver(ctx context.Context, w *window, page []Logged) error {
	todo := make([]Logged, 0, len(page))
	for i := range page {
		switch {
		case w.done[page[i].Seq]:
		case !p.d.Wants(page[i].Kind):
			w.done[page[i].Seq] = true
		default:
			todo = append(todo, page[i])
		}
	}
	if len(todo) == 0 {
		return nil
	}
	had := len(w.done)
	err := p.sink.take(ctx, w, todo)
	p.progress = len(w.done) > had
	p.counts.Delivered.Add(uint64(max(len(w.done)-had, 0)))
	return err
}

// refill tells records again that are no longer in the log. They come from the contacts themselves, with the ids that
// they had.
func (p *pump) refill(ctx context.Context, w **window, at *Cursor) (more bool, err error) {
	to := *at
	list, err := p.store.Ended(ctx, p.d.InstanceID, at.RefillFrom, at.RefillTo, at.RefillID, p.sink.page())
	if err != nil {
		return false, err
	}
	if len(list) == 0 {
		to.RefillFrom, to.RefillTo, to.RefillID = time.Time{}, time.Time{}, ""
	}
	page := make([]Logged, 0, len(list))
	for i, r := range list {
		to.RefillFrom, to.RefillID = r.DisconnectTimestamp, r.ID
		item, _, itemErr := RecordItem(r)
		if itemErr != nil {
			p.log.Error("a contact cannot be told", "contact_id", r.ID, "error", itemErr)
			continue
		}
		item.Seq = int64(i) + 1
		page = append(page, Logged{Item: item, Added: time.Now()})
	}
	if failure := p.deliver(ctx, *w, page); failure != nil {
		return false, failure // what is left of the page comes again
	}
	if err = p.store.Advance(ctx, p.owner, p.d.InstanceID, p.d.ID, *at, to, (*w).dead); err != nil {
		return false, err
	}
	p.counts.Dead.Add(uint64(len((*w).dead)))
	*w, *at = newWindow(), to
	return true, nil
}

// hook is the sink of web services: an item a request, in the order of each contact, several contacts at once.
type hook struct {
	d    *Destination
	send Sender
}

func (h *hook) page() int                            { return pageItems }
func (h *hook) ready(page []Logged, _ time.Time) int { return len(page) }
func (h *hook) close() error                         { return nil }
func (h *hook) every() (time.Duration, bool)         { return pumpEvery, true }

func (h *hook) take(ctx context.Context, w *window, page []Logged) error {
	byKey := map[string][]*Logged{}
	var keys []string
	for i := range page {
		k := page[i].Key
		if byKey[k] == nil {
			keys = append(keys, k)
		}
		byKey[k] = append(byKey[k], &page[i])
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var mu sync.Mutex // of w, failure and next
	var failure error
	next := 0
	var wg sync.WaitGroup
	for range min(parallel, len(keys)) {
		wg.Go(func() {
			for {
				mu.Lock()
				if next == len(keys) || failure != nil && !isRefusal(failure) { // a service that is away is asked no more
					mu.Unlock()
					return
				}
				items := byKey[keys[next]]
				next++
				mu.Unlock()
				err := h.row(ctx, w, &mu, items)
				mu.Lock()
				if err != nil && (failure == nil || isRefusal(failure)) {
					failure = err
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	return failure
}

// row delivers the items of one key until one is not taken.
func (h *hook) row(ctx context.Context, w *window, mu *sync.Mutex, items []*Logged) error {
	for _, l := range items {
		body, err := l.Envelope()
		if err == nil {
			err = h.send.Send(ctx, h.d, &l.Item, body)
		}
		mu.Lock()
		if err == nil {
			w.done[l.Seq] = true
			mu.Unlock()
			continue
		}
		over := ctx.Err() == nil && w.failed(h.d, l, isRefusal(err), err.Error(), time.Now())
		mu.Unlock()
		if !over {
			return fmt.Errorf("item %s: %w", l.ID, err)
		}
	}
	return nil
}

// isRefusal tells that the same item will be refused again.
func isRefusal(err error) bool { return errs.Is(err, errs.Invalid) || errs.Is(err, errs.Denied) }
