package app

import (
	"context"
	"sync"
	"time"

	"ullim/internal/chat"
	"ullim/internal/errs"
)

// How often chats that were kept long enough are looked for, and how many at a time.
const (
	chatKeepEvery = time.Hour
	chatKeepBatch = 200
)

// chatKeeper forgets what was written in chats that ended long ago: the database's copy, and the files that were sent. Records
// and the transcripts in the store stay.
type chatKeeper struct {
	a    *App
	days int
	done map[string]time.Time // by instance: what began before has been looked at
	work sync.WaitGroup
}

// keepChats begins to look.
func (a *App) keepChats() {
	if a.o.Chat.KeepDays <= 0 {
		return
	}
	k := &chatKeeper{a: a, days: a.o.Chat.KeepDays, done: map[string]time.Time{}}
	ctx, cancel := context.WithCancel(context.Background())
	k.work.Go(func() {
		tick := time.NewTicker(chatKeepEvery)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				k.sweep(ctx)
			}
		}
	})
	a.life.onStopDo("old chats", func() {
		cancel()
		k.work.Wait()
	})
}

// sweep forgets what is due. What began so many days ago, and as long before as a chat may last, has ended by then.
func (k *chatKeeper) sweep(ctx context.Context) {
	before := time.Now().AddDate(0, 0, -k.days).Add(-chat.MaxDuration)
	forgotten := 0
	for instanceID := range k.a.dir.snap.Load().tenants {
		n, err := k.instance(ctx, instanceID, before)
		if forgotten += n; err != nil && ctx.Err() == nil {
			k.a.log.Error("old chats are not forgotten", "instance_id", instanceID, "error", err)
		}
	}
	if forgotten > 0 {
		k.a.log.Info("old chats are forgotten", "chats", forgotten)
	}
}

func (k *chatKeeper) instance(ctx context.Context, instanceID string, before time.Time) (n int, err error) {
	for ctx.Err() == nil {
		old, err := k.a.db.EndedChats(ctx, instanceID, k.done[instanceID], before, chatKeepBatch)
		if err != nil {
			return n, err
		}
		for _, s := range old {
			if err = k.forget(ctx, s); err != nil {
				return n, err
			}
			n++
		}
		if len(old) < chatKeepBatch {
			k.done[instanceID] = before
			return n, nil
		}
	}
	return n, ctx.Err()
}

// forget deletes the files first: who knows of them is the chat.
func (k *chatKeeper) forget(ctx context.Context, s *chat.State) error {
	for _, at := range s.Attachments {
		if err := k.a.blobs.Delete(ctx, at.Key); err != nil && !errs.Is(err, errs.NotFound) {
			return err
		}
	}
	return k.a.db.DeleteChat(ctx, s.ID)
}
