package chat_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"ullim/internal/chat"
	"ullim/internal/contact"
	"ullim/internal/errs"
)

func TestACustomerWhoDoesNotConnectInFiveMinutesIsGone(t *testing.T) {
	inWorld(t, func(ctx context.Context, w *world) {
		s := w.begin(ctx)
		time.Sleep(5*time.Minute - time.Nanosecond)
		synctest.Wait()
		if !w.m.Has("i", s.ContactID) {
			t.Fatal("gone too early")
		}
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		if r := w.record(s.ContactID); w.m.Has("i", s.ContactID) || r.DisconnectReason != contact.Other {
			t.Errorf("the chat goes on: %+v", r)
		}
		if _, err := w.m.Connect(ctx, s.Token); !errs.Is(err, errs.Denied) {
			t.Errorf("connected too late: %v", err)
		}
	})
}

func TestAChatEndsWhenItsTimeIsOver(t *testing.T) {
	inWorld(t, func(ctx context.Context, w *world) {
		s, _, _ := w.talk(ctx)
		time.Sleep(25 * time.Hour)
		synctest.Wait()
		if w.m.Has("i", s.ContactID) || w.queues.last() != "done o1" {
			t.Errorf("the chat goes on; the ACD was told %q", w.queues.last())
		}
	})
}

func TestAMissedOfferGoesBackInLine(t *testing.T) {
	inWorld(t, func(ctx context.Context, w *world) {
		s := w.begin(ctx)
		w.connect(ctx, s.Token)
		w.offer(s.ContactID, "o1")
		time.Sleep(20*time.Second - time.Nanosecond)
		synctest.Wait()
		if got := w.queues.last(); got != "" {
			t.Fatalf("too early: %s", got)
		}
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		if got, want := w.queues.last(), fmt.Sprint("result o1 ", int(chat.OfferMissed)); got != want {
			t.Errorf("the ACD is told %q, want %q", got, want)
		}
		if _, err := w.m.Accept(ctx, "i", s.ContactID, "lee"); !errs.Is(err, errs.InvalidRequest) {
			t.Errorf("accepted too late: %v", err)
		}
	})
}

func TestWhatIsSaidReachesTheOthersAndTheTranscript(t *testing.T) {
	inWorld(t, func(ctx context.Context, w *world) {
		s := w.begin(ctx)
		customer, sub := w.connect(ctx, s.Token)
		w.must(w.say(ctx, customer, "안녕하세요"))
		if it := <-sub.Items; it.Content != "안녕하세요" || it.ParticipantRole != chat.Customer || it.InitialContactID != s.ContactID {
			t.Errorf("the socket shows %+v", it)
		}
		w.offer(s.ContactID, "o1")
		c, err := w.m.Accept(ctx, "i", s.ContactID, "lee")
		w.must(err)
		agent, _ := w.connect(ctx, c.Token)
		w.must(w.say(ctx, agent, "hello"))
		w.must(w.m.Leave(ctx, customer))
		synctest.Wait()
		r := w.record(s.ContactID)
		if r.DisconnectReason != contact.CustomerDisconnect || r.Agent == nil || r.Queue == nil || r.Queue.DequeueTimestamp.IsZero() || r.Attributes["a"] != "b" {
			t.Errorf("the record is %+v", r)
		}
		text, err := chat.Transcript(ctx, w.db, r)
		w.must(err)
		var f struct {
			Version    string
			Transcript []struct{ Content, ContentType, ParticipantRole string }
		}
		w.must(json.Unmarshal(text, &f))
		var got []string
		for _, it := range f.Transcript {
			got = append(got, it.ParticipantRole+" "+it.Content+strings.TrimPrefix(it.ContentType, "application/vnd.amazonaws.connect.event."))
		}
		want := []string{
			"CUSTOMER participant.joined", "CUSTOMER 안녕하세요text/plain", "AGENT participant.joined", "AGENT hellotext/plain",
			"CUSTOMER participant.left", " chat.ended",
		}
		if f.Version != "2019-08-26" || !slices.Equal(got, want) {
			t.Errorf("the transcript is %q, want %q", got, want)
		}
		if n, _, err := w.db.Count(ctx, "chat.transcript"); err != nil || n != 1 {
			t.Errorf("%d transcripts are to be written, %v", n, err)
		}
	})
}

func TestNothingIsSeenThatIsNotStored(t *testing.T) {
	inWorld(t, func(ctx context.Context, w *world) {
		s := w.begin(ctx)
		customer, sub := w.connect(ctx, s.Token)
		w.store.down.Store(true)
		if err := w.say(ctx, customer, "lost"); !errs.Is(err, errs.Unavailable) {
			t.Fatalf("said without a database: %v", err)
		}
		synctest.Wait()
		select {
		case it := <-sub.Items:
			t.Fatalf("seen and not stored: %+v", it)
		default:
		}
		time.AfterFunc(30*time.Second, func() { w.store.down.Store(false) })
		w.m.Offer("i", chat.Offer{ID: "o1", ContactID: s.ContactID, Agent: contact.AgentInfo{ID: "lee"}, RingTime: time.Minute}) // waits until it can be stored
		time.Sleep(40 * time.Second)
		if _, err := w.m.Accept(ctx, "i", s.ContactID, "lee"); err != nil {
			t.Errorf("the offer was lost: %v", err)
		}
		w.must(w.say(ctx, customer, "kept"))
		if got := w.texts(ctx, customer); !slices.Equal(got, []string{"kept"}) {
			t.Errorf("the transcript is %q", got)
		}
	})
}

func TestAfterARestartEverybodyIsWhereTheyWere(t *testing.T) {
	inWorld(t, func(ctx context.Context, w *world) {
		waiting := w.begin(ctx)
		w.connect(ctx, waiting.Token)
		since, _ := w.queues.waits(waiting.ContactID)
		talking, customer, agent := w.talk(ctx)
		w.must(w.say(ctx, customer, "before"))
		fresh := w.begin(ctx)
		time.Sleep(time.Minute)
		w.again()
		if e, ok := w.queues.waits(waiting.ContactID); !ok || !e.Since.Equal(since.Since) || !e.Owed {
			t.Errorf("in line: %v %+v, was %+v", ok, e, since)
		}
		if _, ok := w.queues.waits(talking.ContactID); ok || !w.m.Keeps(talking.ContactID, "o1") || w.m.Keeps(waiting.ContactID, "o1") {
			t.Error("who talked with an agent does not any more")
		}
		customer, _ = w.connect(ctx, talking.Token)
		c, err := w.m.Accept(ctx, "i", talking.ContactID, "lee") // a panel that was reloaded
		w.must(err)
		if c.ParticipantID != agent.ParticipantID {
			t.Errorf("the agent is somebody else: %s, %s", c.ParticipantID, agent.ParticipantID)
		}
		w.must(w.say(ctx, customer, "after"))
		if got := w.texts(ctx, customer); !slices.Equal(got, []string{"before", "after"}) {
			t.Errorf("the transcript is %q", got)
		}
		time.Sleep(4 * time.Minute)
		synctest.Wait()
		if w.m.Has("i", fresh.ContactID) {
			t.Error("who has not connected has more time after a restart")
		}
	})
}

func TestAnswersTypedAheadAreReadInOrder(t *testing.T) {
	inWorld(t, func(ctx context.Context, w *world) {
		got := make(chan string, 3)
		w.flows.by[chat.FlowInbound] = func(ctx context.Context, c *chat.Control) chat.FlowOutcome {
			if c.Say(ctx, "name?", chat.Plain) != nil {
				return chat.FlowLeft
			}
			for range 3 {
				text, ok, err := c.Next(ctx, 10*time.Second)
				if err != nil {
					return chat.FlowLeft
				}
				got <- fmt.Sprint(text.Text, ok)
			}
			return chat.FlowDisconnected
		}
		s := w.begin(ctx)
		customer, _ := w.connect(ctx, s.Token)
		w.must(w.say(ctx, customer, "one"))
		w.must(w.say(ctx, customer, "two"))
		for _, want := range []string{"onetrue", "twotrue", "false"} {
			if text := <-got; text != want {
				t.Errorf("the flow reads %q, want %q", text, want)
			}
		}
		synctest.Wait()
		if r := w.record(s.ContactID); r.DisconnectReason != contact.ContactFlowDisconnect {
			t.Errorf("the record is %+v", r)
		}
	})
}

func TestAFlowMovesAWaitingContactOnlyIfThereIsRoom(t *testing.T) {
	inWorld(t, func(ctx context.Context, w *world) {
		move := make(chan error)
		w.flows.by[chat.FlowCustomerQueue] = func(ctx context.Context, c *chat.Control) chat.FlowOutcome {
			if c.Snapshot().Target.ID != "q" {
				<-ctx.Done()
				return chat.FlowLeft
			}
			for range 2 {
				time.Sleep(time.Minute)
				err := c.Requeue(ctx, chat.Queue{ID: "q2", Name: "Q2"})
				move <- err
				if err == nil {
					return chat.FlowQueued
				}
			}
			return chat.FlowEnded
		}
		s := w.begin(ctx)
		w.connect(ctx, s.Token)
		w.queues.mu.Lock()
		w.queues.err = errs.New(errs.Limit, "full")
		w.queues.mu.Unlock()
		if err := <-move; !errs.Is(err, errs.Limit) {
			t.Fatalf("moved to a full queue: %v", err)
		}
		if _, ok := w.queues.waits(s.ContactID); !ok {
			t.Error("the contact has lost its place")
		}
		w.queues.mu.Lock()
		w.queues.err = nil
		w.queues.mu.Unlock()
		w.must(<-move)
		synctest.Wait()
		if _, ok := w.queues.waits(s.ContactID); ok {
			t.Error("the contact waits twice")
		}
		next := w.record(s.ContactID).NextContactID
		if e, ok := w.queues.waits(next); !ok || e.QueueID != "q2" || w.record(next).InitiationMethod != contact.QueueTransfer {
			t.Errorf("the new segment %q: %+v", next, e)
		}
		w.offer(next, "o9")
		if _, err := w.m.Accept(ctx, "i", next, "lee"); err != nil {
			t.Error(err)
		}
	})
}

func TestABoundIsABound(t *testing.T) {
	inWorld(t, func(ctx context.Context, w *world) {
		s := w.begin(ctx)
		w.begin(ctx)
		w.begin(ctx)
		if _, err := w.m.StartChat(ctx, chat.StartChat{InstanceID: "i", DisplayName: "x"}); !errs.Is(err, errs.Limit) {
			t.Errorf("a fourth chat: %v", err)
		}
		var subs []*chat.Subscription
		for range 6 {
			_, sub := w.connect(ctx, s.Token)
			subs = append(subs, sub)
		}
		open := 0
		for _, sub := range subs {
			select {
			case _, ok := <-sub.Items:
				if ok {
					open++
				}
			default:
				open++
			}
		}
		if open != 5 {
			t.Errorf("%d of six sockets are open", open)
		}
		customer, slow := w.connect(ctx, s.Token)
		for i := range 300 {
			w.must(w.say(ctx, customer, fmt.Sprint(i)))
		}
		n := 0
		for range slow.Items { // closed when it did not keep up
			n++
		}
		if n != 256 {
			t.Errorf("a slow socket got %d items before it was closed", n)
		}
		slow.Close()
		slow.Close()
	})
}

func TestATaskRunsItsFlowAndIsDoneByAnAgent(t *testing.T) {
	inWorld(t, func(ctx context.Context, w *world) {
		at := time.Now().Add(time.Hour)
		task := chat.StartTask{InstanceID: "i", FlowID: "main", Name: "Call", ClientToken: "t", At: at}
		id, err := w.m.StartTask(ctx, task)
		w.must(err)
		if again, againErr := w.m.StartTask(ctx, task); againErr != nil || again != id {
			t.Errorf("the same client token makes another task: %s %s %v", id, again, againErr)
		}
		time.Sleep(30 * time.Minute)
		w.again()
		time.Sleep(30*time.Minute - time.Nanosecond)
		synctest.Wait()
		if w.flows.runs(chat.FlowInbound) != 0 {
			t.Fatal("the task came too early")
		}
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		w.offer(id, "o1")
		if _, err = w.m.Accept(ctx, "i", id, "lee"); err != nil {
			t.Fatal(err)
		}
		if list := w.m.AgentContacts("i", "lee"); len(list) != 1 || list[0].Name != "Call" || list[0].Channel != contact.Task || list[0].Offered {
			t.Errorf("the agent has %+v", list)
		}
		w.must(w.m.Complete(ctx, "i", id, "lee"))
		if r := w.record(id); r.DisconnectReason != contact.AgentDisconnect || w.queues.last() != "done o1" || len(r.Recordings) != 0 {
			t.Errorf("the record is %+v, the ACD was told %q", r, w.queues.last())
		}
		if _, err = w.m.StartTask(ctx, chat.StartTask{InstanceID: "i", Name: "x", At: time.Now().Add(7 * 24 * time.Hour)}); !errs.Is(err, errs.Invalid) {
			t.Errorf("a task in a week: %v", err)
		}
	})
}

func TestTheDisconnectFlowWaitsForTheCustomerToComeBack(t *testing.T) {
	inWorld(t, func(ctx context.Context, w *world) {
		back := make(chan string, 1)
		w.flows.by[chat.FlowInbound] = func(ctx context.Context, c *chat.Control) chat.FlowOutcome {
			_ = c.Update(ctx, func(s *chat.State) error {
				s.Hooks = map[chat.FlowKind]string{chat.FlowDisconnect: "bye"}
				return nil
			})
			if c.Queue(ctx, chat.Queue{ID: "q"}) != nil {
				return chat.FlowFailed
			}
			return chat.FlowQueued
		}
		w.flows.by[chat.FlowDisconnect] = func(ctx context.Context, c *chat.Control) chat.FlowOutcome {
			got, err := c.Wait(ctx, time.Hour, chat.Await{Returned: true})
			returned := got.Returned
			back <- fmt.Sprint(returned, err)
			if !returned || c.Queue(ctx, chat.Queue{}) != nil {
				return chat.FlowDisconnected
			}
			return chat.FlowQueued
		}
		s, customer, agent := w.talk(ctx)
		w.must(w.m.Leave(ctx, agent))
		time.Sleep(10 * time.Minute)
		w.must(w.say(ctx, customer, "one more thing"))
		if got := <-back; got != "true <nil>" {
			t.Fatalf("the flow hears %s", got)
		}
		synctest.Wait()
		next := w.record(s.ContactID).NextContactID
		if e, ok := w.queues.waits(next); !ok || e.Method != contact.Disconnect {
			t.Errorf("not in line again: %+v", e)
		}
		if w.record(s.ContactID).DisconnectReason != contact.AgentDisconnect {
			t.Errorf("the first segment: %+v", w.record(s.ContactID))
		}
	})
}

func TestAFullQueueIsTheFlowsToDealWith(t *testing.T) {
	inWorld(t, func(ctx context.Context, w *world) {
		w.queues.err = errs.New(errs.Limit, "full")
		w.flows.by[chat.FlowInbound] = func(ctx context.Context, c *chat.Control) chat.FlowOutcome {
			if err := c.Queue(ctx, chat.Queue{ID: "q"}); !errs.Is(err, errs.Limit) {
				t.Errorf("the flow is told %v", err)
			}
			if err := c.Say(ctx, "try again tomorrow", chat.Plain); err != nil {
				t.Error(err)
			}
			time.Sleep(time.Second)
			return chat.FlowDisconnected
		}
		s := w.begin(ctx)
		customer, _ := w.connect(ctx, s.Token)
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if got := w.texts(ctx, customer); !slices.Equal(got, []string{"try again tomorrow"}) {
			t.Errorf("the chat reads %q", got)
		}
		if r := w.record(s.ContactID); r.Queue != nil || r.DisconnectReason != contact.ContactFlowDisconnect {
			t.Errorf("the record is %+v", r)
		}
	})
}

func TestAContactThatLostItsPlaceInARestartGetsItBackWhenItCan(t *testing.T) {
	inWorld(t, func(ctx context.Context, w *world) {
		s := w.begin(ctx)
		w.connect(ctx, s.Token)
		w.queues.mu.Lock()
		w.queues.err = errs.New(errs.Unavailable, "routing is not up yet")
		w.queues.mu.Unlock()
		w.again()
		time.Sleep(12 * time.Second)
		w.queues.mu.Lock()
		w.queues.err = nil
		w.queues.mu.Unlock()
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if e, ok := w.queues.waits(s.ContactID); !ok || !e.Owed {
			t.Errorf("not in line: %+v", e)
		}
	})
}
