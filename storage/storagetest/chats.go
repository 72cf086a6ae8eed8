package storagetest

import (
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ullim/acd"
	"ullim/internal/chat"
	"ullim/internal/contact"
	"ullim/internal/errs"
	"ullim/storage"
)

func testChats(t *testing.T, open Open) {
	t.Helper()
	t.Run("life of a chat", func(t *testing.T) { lifeOfChat(t, open) })
	t.Run("one start for each client token", func(t *testing.T) { chatClientTokens(t, open) })
	t.Run("items in the order of time, from any place", func(t *testing.T) { chatItems(t, open) })
	t.Run("receipts", func(t *testing.T) { chatReceipts(t, open) })
	t.Run("tokens", func(t *testing.T) { chatTokens(t, open) })
	t.Run("all or nothing", func(t *testing.T) { chatWhole(t, open) })
	t.Run("what has ended long ago is forgotten", func(t *testing.T) { chatKeep(t, open) })
}

func chatState(id string) *chat.State {
	r := record(id)
	r.Channel = contact.Chat
	return &chat.State{
		ID: id, InstanceID: "i1", Alias: "acme", Node: "n1", Channel: contact.Chat, Version: 1, Phase: chat.Queued, Record: *r,
		Expires: day().Add(time.Hour), Participants: []chat.Participant{{ID: "p1", Role: chat.Customer, DisplayName: "김철수", Joined: day()}},
		Hooks: map[chat.FlowKind]string{chat.FlowDisconnect: "bye"}, Target: chat.Queue{ID: "q1", Name: "BasicQueue"},
		Offer:  &chat.Offer{ID: "o1", ContactID: id, Agent: contact.AgentInfo{ID: "a1"}, RingTime: 20 * time.Second},
		Timers: []chat.Timer{{Role: chat.Customer, Type: chat.TimerIdle, After: 2 * time.Minute}},
	}
}

func chatItem(chatID string, seq int64, at time.Time) chat.Item {
	return chat.Item{
		ChatID: chatID, Seq: seq, ID: fmt.Sprint(chatID, "-", seq), AbsoluteTime: chat.Time{Time: at.Truncate(time.Millisecond)}, Type: chat.TypeMessage,
		Content: "빈 \x01", ContentType: chat.Plain, ContactID: chatID, InitialContactID: chatID, ParticipantID: "p1", ParticipantRole: chat.Customer,
	}
}

func lifeOfChat(t *testing.T, open Open) {
	t.Helper()
	db, ctx := open(t, nil), t.Context()
	_, err := db.Chat(ctx, "c1")
	wantKind(t, err, errs.NotFound)
	s := chatState("c1")
	must(t, db.CreateChat(ctx, chat.Commit{State: s, Create: &s.Record}))
	wantKind(t, db.CreateChat(ctx, chat.Commit{State: s, Create: &s.Record}), errs.Duplicate)
	got, err := db.Chat(ctx, "c1")
	must(t, err)
	if d := cmp.Diff(s, got, cmp.Exporter(func(reflect.Type) bool { return true })); d != "" {
		t.Fatalf("chat (-want +got):\n%s", d)
	}
	wantRecord(t, db, &s.Record)
	for _, node := range []string{"n1", "n2"} {
		list, listErr := db.OpenChats(ctx, node)
		if must(t, listErr); len(list) != map[string]int{"n1": 1, "n2": 0}[node] {
			t.Fatalf("%d open chats of %s", len(list), node)
		}
	}
	wantKind(t, db.SaveChat(ctx, chat.Commit{State: s}), errs.Conflict) // the same version again
	s.Version = 2
	s.Record.Attributes = map[string]string{"k": "v"}
	must(t, db.SaveChat(ctx, chat.Commit{State: s, Update: &s.Record}))
	wantRecord(t, db, &s.Record)
	closeChat(t, db, s)
	if list, _ := db.OpenChats(ctx, "n1"); len(list) != 0 {
		t.Error("a chat that has ended is open")
	}
	gone := chatState("nobody")
	gone.Version = 2
	wantKind(t, db.SaveChat(ctx, chat.Commit{State: gone}), errs.Conflict)
}

// closeChat ends a chat with a segment that goes on: records, jobs and reservations follow.
func closeChat(t *testing.T, db *storage.DB, s *chat.State) {
	t.Helper()
	ctx := t.Context()
	_, ok, err := db.Reserve(ctx, acd.Reservation{OfferID: "o1", InstanceID: "i1", UserID: "a1", ContactID: s.ID, QueueID: "q1", Channel: contact.Chat, State: acd.SlotOffered, Node: "n1", Since: day()}, 0, 2)
	if must(t, err); !ok {
		t.Fatal("not reserved")
	}
	must(t, db.MoveReservation(ctx, "o1", acd.SlotConnected, day()))
	final := s.Record
	final.DisconnectTimestamp, final.DisconnectReason = day().Add(time.Minute), contact.AgentDisconnect
	final.Recordings = []contact.Recording{{Media: contact.MediaChat, Location: "connect/acme/x.json", Status: contact.RecordingSpooled}}
	next := *record("c1-next")
	next.Channel, next.PreviousContactID = contact.Chat, s.ID
	s.Version, s.Record = 3, next
	must(t, db.SaveChat(ctx, chat.Commit{State: s, Close: []contact.Record{final}, Create: &next}))
	wantRecord(t, db, &final)
	wantRecord(t, db, &next)
	list, err := db.Claim(ctx, []string{storage.JobTranscript, storage.JobUpload}, 10, time.Now().Add(time.Minute), time.Minute)
	if must(t, err); len(list) != 1 || list[0].Kind != storage.JobTranscript || list[0].Key != s.ID {
		t.Fatalf("jobs are %+v", list)
	}
	rs, err := db.Reservations(ctx, "i1")
	if must(t, err); len(rs) != 1 || rs[0].State != acd.SlotACW {
		t.Fatalf("reservations are %+v", rs)
	}
	s.Version, s.Phase = 4, chat.Ended
	must(t, db.SaveChat(ctx, chat.Commit{State: s, Close: []contact.Record{next}}))
}

func chatClientTokens(t *testing.T, open Open) {
	t.Helper()
	db, ctx := open(t, nil), t.Context()
	start := func(id, instance string, channel contact.Channel, token string) error {
		s := chatState(id)
		s.InstanceID, s.Channel, s.ClientToken, s.Record.InstanceID = instance, channel, token, instance
		return db.CreateChat(ctx, chat.Commit{State: s, Create: &s.Record})
	}
	must(t, start("c1", "i1", contact.Chat, "t"))
	wantKind(t, start("c2", "i1", contact.Chat, "t"), errs.Duplicate)
	_, err := db.Contact(ctx, "i1", "c2")
	wantKind(t, err, errs.NotFound)
	must(t, start("c3", "i1", contact.Task, "t"))
	must(t, start("c4", "i2", contact.Chat, "t"))
	must(t, start("c5", "i1", contact.Chat, ""))
	must(t, start("c6", "i1", contact.Chat, ""))
	s, err := db.ChatByClientToken(ctx, "i2", contact.Chat, "t")
	if must(t, err); s.ID != "c4" {
		t.Errorf("found %s", s.ID)
	}
	_, err = db.ChatByClientToken(ctx, "i1", contact.Chat, "")
	wantKind(t, err, errs.NotFound)
}

func chatItems(t *testing.T, open Open) {
	t.Helper()
	db, ctx := open(t, nil), t.Context()
	for i, id := range []string{"a", "b"} { // b goes on from a
		s := chatState(id)
		c := chat.Commit{State: s, Create: &s.Record}
		for n := range int64(4) {
			it := chatItem(id, n+1, day().Add(time.Duration(i)*time.Hour+time.Duration(n/2)*time.Second)) // two at the same time
			if n == 3 {
				it.Audience = chat.Agent
			}
			c.Items = append(c.Items, it)
		}
		must(t, db.CreateChat(ctx, c))
	}
	want := func(q chat.ItemQuery, ids ...string) {
		t.Helper()
		items, err := db.ChatItems(ctx, q)
		must(t, err)
		var got []string
		for _, it := range items {
			got = append(got, it.ID)
		}
		if d := cmp.Diff(ids, got); d != "" {
			t.Errorf("%+v (-want +got):\n%s", q, d)
		}
	}
	both := []chat.Source{{ChatID: "a"}, {ChatID: "b"}}
	want(chat.ItemQuery{Sources: both, Role: chat.Customer, Limit: 10}, "a-1", "a-2", "a-3", "b-1", "b-2", "b-3")
	want(chat.ItemQuery{Sources: both, Role: chat.Agent, Limit: 3, Backward: true}, "b-4", "b-3", "b-2")
	want(chat.ItemQuery{Sources: []chat.Source{{ChatID: "a", ContactID: "a"}, {ChatID: "b", ContactID: "x"}}, Role: chat.Customer, Limit: 10}, "a-1", "a-2", "a-3")
	it, err := db.ChatItem(ctx, "a", "a-2")
	must(t, err)
	if d := cmp.Diff(chatItem("a", 2, day()), it); d != "" {
		t.Fatalf("item (-want +got):\n%s", d)
	}
	at := &chat.Place{At: it.AbsoluteTime.Time, Seq: it.Seq, ID: it.ID}
	want(chat.ItemQuery{Sources: both, Role: chat.Customer, From: at, Limit: 2}, "a-3", "b-1")
	want(chat.ItemQuery{Sources: both, Role: chat.Customer, From: at, Inclusive: true, Limit: 2}, "a-2", "a-3")
	want(chat.ItemQuery{Sources: both, Role: chat.Customer, From: at, Backward: true, Inclusive: true, Limit: 9}, "a-2", "a-1")
	want(chat.ItemQuery{Sources: both, Role: chat.Customer, From: at, Backward: true, Limit: 9}, "a-1")
	want(chat.ItemQuery{Sources: []chat.Source{{ChatID: "\x00"}}, Limit: 9})
	want(chat.ItemQuery{Limit: 9})
	_, err = db.ChatItem(ctx, "b", "a-2")
	wantKind(t, err, errs.NotFound)
}

func chatReceipts(t *testing.T, open Open) {
	t.Helper()
	db, ctx := open(t, nil), t.Context()
	s := chatState("c1")
	must(t, db.CreateChat(ctx, chat.Commit{State: s, Create: &s.Record, Items: []chat.Item{chatItem("c1", 1, day())}}))
	mark := func(itemID string, r chat.Receipt) {
		t.Helper()
		s.Version++
		must(t, db.SaveChat(ctx, chat.Commit{State: s, Marks: []chat.Mark{{ItemID: itemID, Receipt: r}}}))
	}
	delivered, read := chat.Time{Time: day().Truncate(time.Millisecond)}, chat.Time{Time: day().Add(time.Second).Truncate(time.Millisecond)}
	mark("c1-1", chat.Receipt{RecipientParticipantID: "p2", DeliveredTimestamp: delivered})
	mark("c1-1", chat.Receipt{RecipientParticipantID: "p2", ReadTimestamp: read})
	mark("c1-1", chat.Receipt{RecipientParticipantID: "p2", DeliveredTimestamp: read}) // the first counts
	mark("none", chat.Receipt{RecipientParticipantID: "p2", ReadTimestamp: read})
	it, err := db.ChatItem(ctx, "c1", "c1-1")
	must(t, err)
	want := &chat.Metadata{MessageID: "c1-1", Receipts: []chat.Receipt{{RecipientParticipantID: "p2", DeliveredTimestamp: delivered, ReadTimestamp: read}}}
	if d := cmp.Diff(want, it.MessageMetadata); d != "" {
		t.Errorf("receipts (-want +got):\n%s", d)
	}
}

func chatTokens(t *testing.T, open Open) {
	t.Helper()
	db, ctx := open(t, nil), t.Context()
	s := chatState("c1")
	must(t, db.CreateChat(ctx, chat.Commit{State: s, Create: &s.Record}))
	soon := time.Now().Add(time.Hour).UTC().Truncate(time.Microsecond)
	put := func(n int, kind chat.TokenKind) chat.Token {
		t.Helper()
		k := chat.Token{Hash: fmt.Sprintf("%s-%02d", kind, n), Kind: kind, ChatID: "c1", ParticipantID: "p1", Subject: "s", Expires: soon.Add(time.Duration(n) * time.Second)}
		must(t, db.PutChatToken(ctx, k))
		return k
	}
	var first, last chat.Token
	for n := range 20 {
		last = put(n, chat.TokenConnection)
		if n == 0 {
			first = last
		}
	}
	other := put(0, chat.TokenSocket)
	got, err := db.ChatToken(ctx, last.Hash, time.Now())
	must(t, err)
	if d := cmp.Diff(last, got); d != "" {
		t.Errorf("token (-want +got):\n%s", d)
	}
	_, err = db.ChatToken(ctx, first.Hash, time.Now())
	wantKind(t, err, errs.NotFound) // the newest sixteen stay
	_, err = db.ChatToken(ctx, last.Hash, last.Expires)
	wantKind(t, err, errs.NotFound)
	if got, err = db.TakeChatToken(ctx, other.Hash, time.Now()); err != nil || got != other {
		t.Errorf("taken %+v, %v", got, err)
	}
	_, err = db.TakeChatToken(ctx, other.Hash, time.Now())
	wantKind(t, err, errs.NotFound)
}

func chatWhole(t *testing.T, open Open) {
	t.Helper()
	db, ctx := open(t, nil), t.Context()
	s := chatState("c1")
	must(t, db.CreateChat(ctx, chat.Commit{State: s, Create: &s.Record, Items: []chat.Item{chatItem("c1", 1, day())}}))
	s.Version = 2
	err := db.SaveChat(ctx, chat.Commit{State: s, Items: []chat.Item{chatItem("c1", 2, day()), chatItem("c1", 1, day())}}) // the same place twice
	if err == nil {
		t.Fatal("two items have one place")
	}
	if _, err = db.ChatItem(ctx, "c1", "c1-2"); !errs.Is(err, errs.NotFound) {
		t.Errorf("half of a commit is there: %v", err)
	}
	got, err := db.Chat(ctx, "c1")
	if must(t, err); got.Version != 1 {
		t.Errorf("the version is %d", got.Version)
	}
	bad := chatState("bad\x00id")
	wantKind(t, db.CreateChat(ctx, chat.Commit{State: bad}), errs.Invalid)
}
