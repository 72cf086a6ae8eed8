package storagetest

import (
	"testing"
	"time"

	"ullim/internal/chat"
	"ullim/internal/contact"
	"ullim/internal/errs"
)

func chatKeep(t *testing.T, open Open) {
	t.Helper()
	db, ctx := open(t, nil), t.Context()
	for i, id := range []string{"c1", "c2", "c3"} {
		s := chatState(id)
		s.Record.InitiationTimestamp = day().AddDate(0, 0, i)
		must(t, db.CreateChat(ctx, chat.Commit{State: s, Create: &s.Record, Items: []chat.Item{chatItem(id, 1, day())}}))
		if id == "c2" {
			continue // it goes on
		}
		s.Version, s.Phase = 2, chat.Ended
		s.Record.DisconnectTimestamp, s.Record.DisconnectReason = day().AddDate(0, 0, i+1), contact.CustomerDisconnect
		must(t, db.SaveChat(ctx, chat.Commit{State: s, Close: []contact.Record{s.Record}}))
	}
	find := func(instance string, from, before time.Time) (ids []string) {
		t.Helper()
		list, err := db.EndedChats(ctx, instance, from, before, 10)
		must(t, err)
		for _, s := range list {
			ids = append(ids, s.ID)
		}
		return ids
	}
	if got := find("i1", time.Time{}, day().AddDate(0, 0, 9)); len(got) != 2 || got[0] != "c1" || got[1] != "c3" {
		t.Errorf("ended are %v", got)
	}
	if got := find("i1", time.Time{}, day().AddDate(0, 0, 2)); len(got) != 1 || got[0] != "c1" {
		t.Errorf("ended and old are %v", got)
	}
	if got := append(find("i2", time.Time{}, day().AddDate(0, 0, 9)), find("i1", day().AddDate(0, 0, 3), day().AddDate(0, 0, 9))...); got != nil {
		t.Errorf("of others, or later: %v", got)
	}
	for _, id := range []string{"c1", "c2", "nobody"} {
		must(t, db.DeleteChat(ctx, id))
	}
	_, err := db.Chat(ctx, "c1")
	wantKind(t, err, errs.NotFound)
	_, err = db.ChatItem(ctx, "c1", "c1-1")
	wantKind(t, err, errs.NotFound)
	if _, err = db.Chat(ctx, "c2"); err != nil {
		t.Errorf("a live chat was forgotten: %v", err)
	}
	if _, err = db.Contact(ctx, "i1", "c1"); err != nil {
		t.Errorf("the record is gone too: %v", err)
	}
}
