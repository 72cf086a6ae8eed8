package sip

import (
	"context"
	"time"
)

// flushBatch is how many refreshes go into one transaction.
const flushBatch = 2000

// dirtyLocked notes that times of a device's bindings are to be written.
func (r *Registrar) dirtyLocked(deviceID string) {
	r.table.dirty[deviceID] = struct{}{}
	r.soonLocked()
}

func (r *Registrar) soonLocked() {
	if r.table.flushAt.IsZero() {
		r.table.flushAt = time.Now().Add(r.opt.FlushEvery)
	}
}

func (r *Registrar) flushDue(now time.Time) bool {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return !r.table.flushAt.IsZero() && !r.table.flushAt.After(now)
}

// Flush writes what waits to be written. What cannot be written waits for the next time.
func (r *Registrar) Flush(ctx context.Context) {
	r.mu.Lock()
	r.table.flushAt = time.Time{}
	lost := r.table.rewrite
	r.table.rewrite = make(map[string]struct{})
	r.mu.Unlock()
	for deviceID := range lost {
		if err := r.store(ctx, deviceID); err != nil {
			r.opt.Log.WarnContext(ctx, "end of a registration not stored", "device_id", deviceID, "error", err)
			r.mu.Lock()
			r.table.rewrite[deviceID] = struct{}{}
			r.mu.Unlock()
		}
	}
	for {
		batch := r.takeDirty()
		if len(batch) == 0 {
			break
		}
		err := r.opt.Store.RefreshRegistrations(ctx, batch)
		r.flushed(batch, err == nil)
		if err != nil {
			r.opt.Log.WarnContext(ctx, "refreshed registrations not stored: they are written later", "count", len(batch), "error", err)
			break
		}
	}
	r.mu.Lock()
	if len(r.table.dirty)+len(r.table.rewrite) > 0 {
		r.soonLocked()
	}
	r.mu.Unlock()
}

// store writes the bindings of a device as they are.
func (r *Registrar) store(ctx context.Context, deviceID string) error {
	lock := r.lockOf(deviceID)
	lock.Lock()
	defer lock.Unlock()
	regs := r.bindings(deviceID, time.Now())
	if err := r.opt.Store.PutRegistrations(ctx, deviceID, regs); err != nil {
		return err
	}
	r.publish(deviceID, regs, true)
	return nil
}

func (r *Registrar) takeDirty() []RegistrationRefresh {
	r.mu.Lock()
	defer r.mu.Unlock()
	var batch []RegistrationRefresh
	for deviceID := range r.table.dirty {
		if len(batch) >= flushBatch {
			break
		}
		delete(r.table.dirty, deviceID)
		d := r.table.devices[deviceID]
		if d == nil {
			continue
		}
		for i := range d.list {
			if b := &d.list[i]; b.dirty && b.stored != 0 {
				batch = append(batch, RegistrationRefresh{Was: time.UnixMicro(b.stored), Registration: b.Registration})
			}
		}
	}
	return batch
}

// flushed notes what a batch came to. A binding that was written by somebody else meanwhile is left alone.
func (r *Registrar) flushed(batch []RegistrationRefresh, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range batch {
		d := r.table.devices[batch[i].DeviceID]
		if d == nil {
			continue
		}
		for j := range d.list {
			b := &d.list[j]
			if !sameBut(&b.Registration, &batch[i].Registration) {
				continue
			}
			if ok && b.stored == batch[i].Was.UnixMicro() {
				b.stored = batch[i].Expires.UnixMicro()
				b.dirty = !b.Expires.Equal(batch[i].Expires)
			}
			if b.dirty {
				r.table.dirty[batch[i].DeviceID] = struct{}{}
			}
		}
	}
}
