package app

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"ullim/acd"
	"ullim/internal/chat"
	"ullim/internal/contact"
	"ullim/internal/egress"
	"ullim/internal/identity"
	"ullim/internal/resource"
	"ullim/ivr"
	"ullim/prompts"
	"ullim/sip/siptest"
	"ullim/storage"
)

// office is an App with one agent who takes chats and tasks, in virtual time.
type office struct {
	t     *testing.T
	app   *App
	id    string // instance
	agent string
	queue string

	network *siptest.Network
	port    int
}

func inOffice(t *testing.T, f func(ctx context.Context, o *office)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		network := siptest.NewNetwork(siptest.NetworkOptions{Seed: 1})
		conn, err := network.Listen("10.0.0.1:5060")
		if err != nil {
			t.Fatal(err)
		}
		a, err := New(t.Context(), Options{
			DataDir: t.TempDir(), Instance: InstanceSpec{Alias: "acme", Zone: "UTC", Language: "en-US"},
			Database: storage.Options{URL: storage.Memory}, Log: slog.New(slog.DiscardHandler), Packets: []net.PacketConn{conn},
			RTPBind: netip.MustParseAddr("10.0.0.1"), RTPFirst: 20000, RTPLast: 20198, MaxCalls: 10, RequestRate: 100,
			RTPListen:   func(p netip.AddrPort) (net.PacketConn, error) { return network.Listen(p.String()) },
			Synthesizer: prompts.ToneSynthesizer{},
			Egress: egress.Options{Allow: []string{outsideHost}, Dial: func(ctx context.Context, _, address string) (net.Conn, error) {
				to, parseErr := netip.ParseAddrPort(address)
				if parseErr != nil {
					return nil, parseErr
				}
				return network.DialStream(ctx, netip.MustParseAddr("10.0.0.1"), to)
			}},
		})
		if err != nil {
			t.Fatal(err)
		}
		a.Start()
		o := &office{t: t, app: a, id: a.Instance.ID, network: network}
		defer func() {
			o.must(a.Close())
			o.must(network.Close())
		}()
		o.setUp(t.Context())
		f(t.Context(), o)
	})
}

func (o *office) must(err error) {
	o.t.Helper()
	if err != nil {
		o.t.Fatal(err)
	}
}

func (o *office) setUp(ctx context.Context) {
	o.t.Helper()
	q, err := o.app.stores.queues.GetByName(ctx, o.id, basicQueue)
	o.must(err)
	o.queue = q.ID
	p := &acd.RoutingProfile{
		Meta: resource.Meta{InstanceID: o.id, Name: "chats"}, DefaultOutboundQueueID: q.ID, AvailabilityTimer: acd.SinceLastActivity,
	}
	for _, c := range []contact.Channel{contact.Chat, contact.Task} {
		p.Concurrencies = append(p.Concurrencies, acd.Concurrency{Channel: c, Limit: 2, CrossChannel: acd.AnyChannel})
		p.Queues = append(p.Queues, acd.ProfileQueue{QueueID: q.ID, Channel: c, Priority: 1})
	}
	o.must(o.app.stores.routing.Create(ctx, p))
	role, err := o.app.stores.profiles.GetByName(ctx, o.id, identity.ProfileAgent)
	o.must(err)
	u := &identity.User{
		SecurityProfileIDs: []string{role.ID},
		Meta:               resource.Meta{ID: uuid.NewString(), InstanceID: o.id, Name: "lee"}, FirstName: "Lee", RoutingProfileID: p.ID,
		Phone: identity.PhoneConfig{PhoneType: identity.SoftPhone, AfterContactWorkTimeLimit: 5},
	}
	o.must(o.app.stores.users.Create(ctx, u))
	o.agent = u.ID
	synctest.Wait()
}

// available has the agent take contacts.
func (o *office) available(ctx context.Context) {
	o.t.Helper()
	st, err := o.app.stores.statuses.GetByName(ctx, o.id, availableName)
	o.must(err)
	center, err := o.app.centers.of(o.id)
	o.must(err)
	o.must(center.SetStatus(ctx, o.agent, st.ID, time.Now()))
	synctest.Wait()
}

// flow publishes a flow of actions, written as `id type {parameters} {transitions}`.
func (o *office) flow(ctx context.Context, name string, t ivr.FlowType, actions ...string) string {
	o.t.Helper()
	content := fmt.Sprintf(`{"Version":"2019-10-30","StartAction":"1","Metadata":{},"Actions":[%s]}`, strings.Join(actions, ","))
	f := &ivr.Flow{Meta: resource.Meta{InstanceID: o.id, Name: name}, Type: t, Content: content}
	o.must(o.app.flows.Create(ctx, f, ivr.Published))
	return f.ID
}

func action(id, kind, parameters, next string, more ...string) string {
	conditions, failures := "", ""
	for _, m := range more {
		to, what, _ := strings.Cut(m, "<-")
		if rest, ok := strings.CutPrefix(what, "="); ok {
			conditions += fmt.Sprintf(`,{"NextAction":%q,"Condition":{"Operator":"Equals","Operands":[%q]}}`, to, rest)
		} else {
			failures += fmt.Sprintf(`,{"NextAction":%q,"ErrorType":%q}`, to, what)
		}
	}
	t := fmt.Sprintf(`"Conditions":[%s],"Errors":[%s]`, strings.TrimPrefix(conditions, ","), strings.TrimPrefix(failures, ","))
	if next != "" {
		t = fmt.Sprintf(`"NextAction":%q,%s`, next, t)
	}
	if kind == "DisconnectParticipant" || kind == "EndFlowExecution" {
		t = ""
	}
	return fmt.Sprintf(`{"Identifier":%q,"Type":%q,"Parameters":%s,"Transitions":{%s}}`, id, kind, parameters, t)
}

func (o *office) begin(ctx context.Context, flow string) (id string, who chat.Who) {
	o.t.Helper()
	s, err := o.app.chats.StartChat(ctx, chat.StartChat{InstanceID: o.id, FlowID: flow, DisplayName: "김철수"})
	o.must(err)
	return s.ContactID, o.connect(ctx, s.Token)
}

func (o *office) connect(ctx context.Context, token string) chat.Who {
	o.t.Helper()
	c, err := o.app.chats.Connect(ctx, token)
	o.must(err)
	who, err := o.app.chats.Who(ctx, c.Token)
	o.must(err)
	synctest.Wait()
	return who
}

func (o *office) say(ctx context.Context, who chat.Who, text string) {
	o.t.Helper()
	_, err := o.app.chats.Say(ctx, who, text, chat.Plain, "")
	o.must(err)
	o.settle()
}

// settle lets what comes of it be written: commits wait a little for each other.
func (o *office) settle() {
	time.Sleep(100 * time.Millisecond)
	synctest.Wait()
}

// texts is what a participant has read.
func (o *office) texts(ctx context.Context, who chat.Who) []string {
	o.t.Helper()
	page, err := o.app.chats.Page(ctx, who, chat.TranscriptQuery{Max: 100, Ascending: true})
	o.must(err)
	var list []string
	for _, it := range page.Items {
		if it.Type == chat.TypeMessage {
			list = append(list, it.Content)
		}
	}
	return list
}

func (o *office) want(ctx context.Context, who chat.Who, want ...string) {
	o.t.Helper()
	if got := o.texts(ctx, who); !slices.Equal(got, want) {
		o.t.Fatalf("the chat reads %q, want %q", got, want)
	}
}

// accept has the agent take the one contact that is offered.
func (o *office) accept(ctx context.Context) (id string, who chat.Who) {
	o.t.Helper()
	for _, c := range o.app.chats.AgentContacts(o.id, o.agent) {
		if c.Offered {
			got, err := o.app.chats.Accept(ctx, o.id, c.ContactID, o.agent)
			o.must(err)
			return c.ContactID, o.connect(ctx, got.Token)
		}
	}
	o.t.Fatal("nothing is offered")
	return "", who
}

func TestAFlowTalksByText(t *testing.T) {
	inOffice(t, func(ctx context.Context, o *office) {
		flow := o.flow(ctx, "menu", ivr.TypeInbound,
			action("1", "MessageParticipant", `{"Text":"안녕하세요"}`, "2", "bye<-NoMatchingError"),
			action("2", "GetParticipantInput", `{"Text":"1: 배송, 2: 환불","StoreInput":"False","InputTimeLimitSeconds":"60"}`, "", "3<-=1", "bye<-NoMatchingError", "again<-NoMatchingCondition", "late<-InputTimeLimitExceeded"),
			action("again", "MessageParticipant", `{"Text":"다시"}`, "2", "bye<-NoMatchingError"),
			action("3", "UpdateContactAttributes", `{"Attributes":{"topic":"delivery"},"TargetContact":"Current"}`, "4", "bye<-NoMatchingError"),
			action("4", "MessageParticipant", `{"Text":"$.Attributes.topic $.Channel"}`, "bye", "bye<-NoMatchingError"),
			action("late", "MessageParticipant", `{"Text":"late"}`, "bye", "bye<-NoMatchingError"),
			action("bye", "DisconnectParticipant", `{}`, ""))
		id, who := o.begin(ctx, flow)
		o.want(ctx, who, "안녕하세요", "1: 배송, 2: 환불")
		o.say(ctx, who, "7")
		o.want(ctx, who, "안녕하세요", "1: 배송, 2: 환불", "7", "다시", "1: 배송, 2: 환불")
		o.say(ctx, who, " 1 ")
		o.want(ctx, who, "안녕하세요", "1: 배송, 2: 환불", "7", "다시", "1: 배송, 2: 환불", " 1 ", "delivery CHAT")
		r, err := o.app.db.Contact(ctx, o.id, id)
		o.must(err)
		if r.DisconnectReason != contact.ContactFlowDisconnect || r.Attributes["topic"] != "delivery" {
			t.Errorf("the record is %+v", r)
		}
		_, who = o.begin(ctx, flow)
		time.Sleep(time.Minute)
		synctest.Wait()
		o.want(ctx, who, "안녕하세요", "1: 배송, 2: 환불", "late")
	})
}

func TestAChatWaitsIsAnsweredAndGoesOnWithTheDisconnectFlow(t *testing.T) {
	inOffice(t, func(ctx context.Context, o *office) {
		bye := o.flow(ctx, "bye", ivr.TypeInbound,
			action("1", "MessageParticipant", `{"Text":"Are you still there?"}`, "2", "end<-NoMatchingError"),
			action("2", "Wait", `{"TimeLimitSeconds":"600","Events":["CustomerReturned"]}`, "", "end<-=WaitCompleted", "q<-=CustomerReturned", "end<-NoMatchingError"),
			action("q", "UpdateContactTargetQueue", fmt.Sprintf(`{"QueueId":%q}`, o.queue), "t", "end<-NoMatchingError"),
			action("t", "TransferContactToQueue", `{}`, "", "end<-QueueAtCapacity", "end<-NoMatchingError"),
			action("end", "DisconnectParticipant", `{}`, ""))
		flow := o.flow(ctx, "main", ivr.TypeInbound,
			action("1", "UpdateContactEventHooks", fmt.Sprintf(`{"EventHooks":{"CustomerRemaining":%q}}`, bye), "2", "end<-NoMatchingError"),
			action("2", "UpdateContactTargetQueue", fmt.Sprintf(`{"QueueId":%q}`, o.queue), "3", "end<-NoMatchingError"),
			action("3", "TransferContactToQueue", `{}`, "", "end<-QueueAtCapacity", "end<-NoMatchingError"),
			action("end", "DisconnectParticipant", `{}`, ""))
		first, customer := o.begin(ctx, flow)
		time.Sleep(10 * time.Second)
		o.available(ctx)
		if id, agent := o.accept(ctx); id != first {
			t.Fatalf("accepted %s", id)
		} else {
			o.say(ctx, agent, "hello")
			o.must(o.app.chats.Leave(ctx, agent))
		}
		synctest.Wait()
		o.say(ctx, customer, "one more thing")
		time.Sleep(6 * time.Second) // after-contact work
		synctest.Wait()
		second, agent := o.accept(ctx)
		o.say(ctx, agent, "yes?")
		got := o.texts(ctx, customer)
		if len(got) == 0 {
			t.Fatal("nothing was said")
		}
		waiting := got[0] // the default flow of those who wait
		o.want(ctx, customer, waiting, "hello", "Are you still there?", "one more thing", waiting, "yes?")
		o.must(o.app.chats.Leave(ctx, customer))
		time.Sleep(time.Minute)
		synctest.Wait()
		a, err := o.app.db.Contact(ctx, o.id, first)
		o.must(err)
		b, err := o.app.db.Contact(ctx, o.id, second)
		o.must(err)
		if a.NextContactID != second || b.PreviousContactID != first || b.InitialContactID != first || b.InitiationMethod != contact.Disconnect {
			t.Errorf("the segments are not linked: %+v %+v", a, b)
		}
		if a.DisconnectReason != contact.AgentDisconnect || b.DisconnectReason != contact.CustomerDisconnect || a.Agent.AfterContactWorkEnd.IsZero() || b.Agent.AfterContactWorkEnd.IsZero() {
			t.Errorf("the records are %+v %+v", a, b)
		}
		if d := a.Queue.Duration(); d < 9*time.Second || d > 11*time.Second {
			t.Errorf("in the queue for %s", d)
		}
		for _, r := range []*contact.Record{a, b} { // each segment has its transcript
			if len(r.Recordings) != 1 || r.Recordings[0].Status != contact.RecordingAvailable {
				t.Errorf("the transcript of %s: %+v", r.ID, r.Recordings)
				continue
			}
			body, _, err := o.app.blobs.Get(ctx, r.Recordings[0].Location)
			o.must(err)
			text, err := io.ReadAll(body)
			o.must(err)
			var f struct{ ContactID string }
			if json.Unmarshal(text, &f) != nil || f.ContactID != r.ID {
				t.Errorf("the transcript of %s is %s", r.ID, text)
			}
			_ = body.Close()
		}
		if left, err := o.app.db.Reservations(ctx, o.id); err != nil || len(left) != 0 {
			t.Errorf("reservations left: %+v %v", left, err)
		}
	})
}

func TestATaskOfAFlowRunsItsOwnFlow(t *testing.T) {
	inOffice(t, func(ctx context.Context, o *office) {
		work := o.flow(ctx, "work", ivr.TypeInbound,
			action("1", "MessageParticipant", `{"Text":"nobody reads this"}`, "2", "end<-NoMatchingError"),
			action("2", "UpdateContactTargetQueue", fmt.Sprintf(`{"QueueId":%q}`, o.queue), "3", "end<-NoMatchingError"),
			action("3", "TransferContactToQueue", `{}`, "", "end<-QueueAtCapacity", "end<-NoMatchingError"),
			action("end", "DisconnectParticipant", `{}`, ""))
		flow := o.flow(ctx, "asks", ivr.TypeInbound,
			action("1", "CreateTask", fmt.Sprintf(`{"ContactFlowId":%q,"Name":"Call back","Attributes":{"from":"$.ContactId"},"DelaySeconds":"60"}`, work), "end", "end<-NoMatchingError"),
			action("end", "DisconnectParticipant", `{}`, ""))
		o.available(ctx)
		id, _ := o.begin(ctx, flow)
		time.Sleep(59 * time.Second)
		synctest.Wait()
		if list := o.app.chats.AgentContacts(o.id, o.agent); len(list) != 0 {
			t.Fatalf("too early: %+v", list)
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		list := o.app.chats.AgentContacts(o.id, o.agent)
		if len(list) != 1 || list[0].Name != "Call back" || list[0].Attributes["from"] != id || list[0].Channel != contact.Task {
			t.Fatalf("the agent is offered %+v", list)
		}
		task, _ := o.accept(ctx)
		o.must(o.app.chats.Complete(ctx, o.id, task, o.agent))
		time.Sleep(10 * time.Second)
		synctest.Wait()
		r, err := o.app.db.Contact(ctx, o.id, task)
		o.must(err)
		if r.DisconnectReason != contact.AgentDisconnect || r.Channel != contact.Task || r.Agent.AfterContactWorkEnd.IsZero() {
			t.Errorf("the record is %+v", r)
		}
	})
}

func TestLongTextsAreSaidInParts(t *testing.T) {
	got := parts(strings.Repeat("가나다 ", 600), 1024)
	if len(got) != 3 || strings.ReplaceAll(strings.Join(got, ""), " ", "") != strings.Repeat("가나다", 600) {
		t.Errorf("%d parts", len(got))
	}
	for _, p := range got {
		if chat.CheckMessage(chat.Plain, p) != nil {
			t.Errorf("a part of %d bytes cannot be said", len(p))
		}
	}
	if got := parts(" \n", 5); got != nil {
		t.Errorf("nothing is %q", got)
	}
}
