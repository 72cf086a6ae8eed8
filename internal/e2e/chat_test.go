package e2e

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/connect"
	"github.com/aws/aws-sdk-go-v2/service/connect/types"
)

// chatter is one participant, by ChatJS in a Node of its own (chatjs/session.js).
type chatter struct {
	t     testing.TB
	who   [4]string // kind, contact, participant, token
	child *child
	in    io.Writer

	mu      sync.Mutex
	last    int
	answers map[int]chan answer
	events  []chatEvent
}

type chatEvent struct {
	Event string
	Data  struct {
		ID              string `json:"Id"`
		Content         string
		ContentType     string
		ParticipantRole string
		Type            string
		Attachments     []struct{ AttachmentID string }
		MessageMetadata struct{ MessageID string }
	}
}

// newChatter connects a participant.
func newChatter(t testing.TB, kind, endpoint, contactID, participantID, token string) *chatter {
	t.Helper()
	if _, err := os.Stat("chatjs/node_modules/amazon-connect-chatjs"); err != nil {
		t.Fatal("this test needs ChatJS: make browser")
	}
	p := &chatter{t: t, who: [4]string{kind, contactID, participantID, token}, answers: map[int]chan answer{}}
	cmd := exec.Command(program(t, "node", "nodejs"), "chatjs/session.js", kind, endpoint, contactID, participantID, token)
	complaints := &buffer{}
	cmd.Stderr = complaints
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.in = in
	out, lines := io.Pipe()
	cmd.Stdout = lines
	if p.child, err = start(cmd); err != nil {
		t.Fatal(err)
	}
	go p.read(out)
	t.Cleanup(func() {
		_ = in.Close() // it ends then
		select {
		case <-p.child.ended:
		case <-time.After(10 * time.Second):
			p.child.kill()
		}
		_ = lines.Close()
		if t.Failed() {
			t.Logf("%s heard:\n%+v\n%s", kind, p.heard(), complaints)
		}
	})
	p.do("connect", nil, nil)
	p.awaits("onConnectionEstablished", "")
	return p
}

// again is the same participant in a page that was loaded again.
func (p *chatter) again(t testing.TB, endpoint string) *chatter {
	t.Helper()
	return newChatter(t, p.who[0], endpoint, p.who[1], p.who[2], p.who[3])
}

func (p *chatter) read(out io.Reader) {
	sc := bufio.NewScanner(out)
	sc.Buffer(nil, 1<<20)
	for sc.Scan() {
		var line struct {
			N int
			answer
			chatEvent
		}
		if json.Unmarshal(sc.Bytes(), &line) != nil {
			continue
		}
		p.mu.Lock()
		if line.N > 0 {
			p.answers[line.N] <- line.answer
		} else {
			p.events = append(p.events, line.chatEvent)
		}
		p.mu.Unlock()
	}
}

func (p *chatter) heard() []chatEvent {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.events)
}

// do runs a command, which must work.
func (p *chatter) do(op string, args, result any) {
	p.t.Helper()
	got := p.try(op, args)
	if got.Error != "" {
		p.t.Fatalf("%s %v: %s", op, args, got.Error)
	}
	if result != nil {
		if err := json.Unmarshal(got.Result, result); err != nil {
			p.t.Fatalf("%s: %v\n%s", op, err, got.Result)
		}
	}
}

func (p *chatter) try(op string, args any) answer {
	p.t.Helper()
	p.mu.Lock()
	p.last++
	n, ch := p.last, make(chan answer, 1)
	p.answers[n] = ch
	p.mu.Unlock()
	b, err := json.Marshal(map[string]any{"n": n, "op": op, "args": args})
	if err != nil {
		p.t.Fatal(err)
	}
	if _, err = fmt.Fprintf(p.in, "%s\n", b); err != nil {
		p.t.Fatalf("%s: %v", op, err)
	}
	select {
	case got := <-ch:
		return got
	case <-time.After(patience):
		p.t.Fatalf("%s was not answered within %s", op, patience)
		return answer{}
	}
}

// say sends a message and gives its id.
func (p *chatter) say(text string) string {
	p.t.Helper()
	var out struct {
		ID string `json:"Id"`
	}
	p.do("send", map[string]string{"text": text}, &out)
	return out.ID
}

// awaits waits for an event with a content or a content type.
func (p *chatter) awaits(event, content string) chatEvent {
	p.t.Helper()
	var found chatEvent
	until(p.t, patience, event+" "+content, func() bool {
		for _, e := range p.heard() {
			if e.Event == event && (content == "" || e.Data.Content == content || e.Data.ContentType == content || e.Data.MessageMetadata.MessageID == content) {
				found = e
				return true
			}
		}
		return false
	})
	return found
}

func (p *chatter) count(event string) int {
	n := 0
	for _, e := range p.heard() {
		if e.Event == event {
			n++
		}
	}
	return n
}

// chatCenter is a centre with a queue for chats and tasks, and one agent at a panel.
type chatCenter struct {
	*center
	flow, agent string
}

func newChatCenter(t testing.TB, extra ...string) *chatCenter {
	t.Helper()
	c := &chatCenter{center: newCenter(t, extra...)}
	ctx := t.Context()
	q, err := c.aws.CreateQueue(ctx, &connect.CreateQueueInput{InstanceId: &c.instance, Name: aws.String("Chats"), HoursOfOperationId: &c.hours})
	c.must(err)
	in := &connect.CreateRoutingProfileInput{
		InstanceId: &c.instance, Name: aws.String("Chats agents"), Description: aws.String("serves chats"), DefaultOutboundQueueId: q.QueueId,
	}
	for _, ch := range []types.Channel{types.ChannelChat, types.ChannelTask} {
		in.MediaConcurrencies = append(in.MediaConcurrencies, types.MediaConcurrency{Channel: ch, Concurrency: aws.Int32(2), CrossChannelBehavior: &types.CrossChannelBehavior{BehaviorType: types.BehaviorTypeRouteAnyChannel}})
		in.QueueConfigs = append(in.QueueConfigs, types.RoutingProfileQueueConfig{
			Delay: aws.Int32(0), Priority: aws.Int32(1), QueueReference: &types.RoutingProfileQueueReference{Channel: ch, QueueId: q.QueueId},
		})
	}
	profile, err := c.aws.CreateRoutingProfile(ctx, in)
	c.must(err)
	u, err := c.aws.CreateUser(ctx, &connect.CreateUserInput{
		InstanceId: &c.instance, Username: aws.String("kim"), Password: aws.String("Correct-horse-battery-9"), RoutingProfileId: profile.RoutingProfileId,
		SecurityProfileIds: []string{c.agentRole}, IdentityInfo: &types.UserIdentityInfo{FirstName: aws.String("Kim"), LastName: aws.String("Agent")},
		PhoneConfig: &types.UserPhoneConfig{PhoneType: types.PhoneTypeSoftPhone, AfterContactWorkTimeLimit: 1},
	})
	c.must(err)
	c.agent = *u.UserId
	content := queueFlow(*q.QueueId)
	f, err := c.aws.CreateContactFlow(ctx, &connect.CreateContactFlowInput{
		InstanceId: &c.instance, Name: aws.String("Chat flow"), Type: types.ContactFlowTypeContactFlow, Content: &content,
	})
	c.must(err)
	c.flow = *f.ContactFlowId
	return c
}

// begin starts a chat, whose customer connects.
func (c *chatCenter) begin(t testing.TB) (contactID string, customer *chatter) {
	t.Helper()
	out, err := c.aws.StartChatContact(t.Context(), &connect.StartChatContactInput{
		InstanceId: &c.instance, ContactFlowId: &c.flow, ParticipantDetails: &types.ParticipantDetails{DisplayName: aws.String("김철수")},
		Attributes: map[string]string{"plan": "gold"},
	})
	c.must(err)
	return *out.ContactId, newChatter(t, "CUSTOMER", c.url, *out.ContactId, *out.ParticipantId, *out.ParticipantToken)
}

type agentContacts struct {
	Contacts []struct{ ContactID, InitialContactID, Channel, State string }
}

// offered waits until the agent is offered a contact, and gives its id.
func (c *chatCenter) offered() string {
	c.t.Helper()
	var id string
	c.until("the agent is offered a contact", func() bool {
		var list agentContacts
		c.admin(http.MethodGet, "/agents/"+c.agent+"/contacts", nil, &list)
		for _, k := range list.Contacts {
			if k.State == "CONNECTING" {
				id = k.ContactID
			}
		}
		return id != ""
	})
	return id
}

type accepted struct{ ContactID, ParticipantID, ParticipantToken string }

// accept is the agent who takes what is offered.
func (c *chatCenter) accept(contactID string) accepted {
	c.t.Helper()
	var a accepted
	c.admin(http.MethodPost, "/agents/"+c.agent+"/contacts/"+contactID+"/accept", nil, &a)
	return a
}

// described waits for the final record.
func (c *chatCenter) described(contactID string) *types.Contact {
	c.t.Helper()
	var r *types.Contact
	c.until("the contact has ended, its agent's work too", func() bool {
		out, err := c.aws.DescribeContact(c.t.Context(), &connect.DescribeContactInput{InstanceId: &c.instance, ContactId: &contactID})
		c.must(err)
		r = out.Contact
		return r.DisconnectTimestamp != nil && (r.AgentInfo == nil || r.AgentInfo.AfterContactWorkEndTimestamp != nil)
	})
	return r
}

// TestACustomerAndAnAgentChatByChatJS has both ends of a chat in amazon-connect-chatjs as it is: messages, typing,
// receipts, files and the transcript; then the network goes, then the process is killed, and nothing is lost.
func TestACustomerAndAnAgentChatByChatJS(t *testing.T) {
	t.Parallel()
	c := newChatCenter(t)
	contactID, customer := c.begin(t)
	customer.say("배송이 언제 되나요?")
	c.setAvailable(c.agent)
	if got := c.offered(); got != contactID {
		t.Fatalf("offered is %s, not %s", got, contactID)
	}
	a := c.accept(contactID)
	agent := newChatter(t, "AGENT", c.url, contactID, a.ParticipantID, a.ParticipantToken)
	customer.awaits("onMessage", "application/vnd.amazonaws.connect.event.participant.joined")

	id := agent.say("내일 도착합니다.")
	customer.awaits("onMessage", "내일 도착합니다.")
	customer.do("event", map[string]string{"contentType": "application/vnd.amazonaws.connect.event.message.read", "content": `{"messageId":"` + id + `"}`}, nil)
	agent.awaits("onReadReceipt", id)
	agent.do("event", map[string]string{"contentType": "application/vnd.amazonaws.connect.event.typing"}, nil)
	customer.awaits("onTyping", "")
	customer.awaits("onDeepHeartbeatSuccess", "")
	customer.do("file", map[string]string{"name": "receipt.txt", "type": "text/plain", "text": "영수증 1234"}, nil)
	var file string
	until(t, patience, "the agent sees the file", func() bool {
		for _, e := range agent.heard() {
			if len(e.Data.Attachments) == 1 {
				file = e.Data.Attachments[0].AttachmentID
			}
		}
		return file != ""
	})
	var text string
	agent.do("download", map[string]string{"id": file}, &text)
	if text != "영수증 1234" {
		t.Errorf("the file is %q", text)
	}

	connected := customer.count("onConnectionEstablished")
	customer.do("cut", nil, nil)
	until(t, patience, "the customer is connected again", func() bool { return customer.count("onConnectionEstablished") > connected })
	agent.say("after the network")
	customer.awaits("onMessage", "after the network")

	c.child.kill()
	c.start()
	// ChatJS gives up when nobody answers its first try (onConnectionBroken): the pages are loaded again, with what they have.
	customer, agent = customer.again(t, c.url), agent.again(t, c.url)
	customer.say("after the crash")
	agent.awaits("onMessage", "after the crash")
	agent.say("still here")
	customer.awaits("onMessage", "still here")

	want := []string{"배송이 언제 되나요?", "내일 도착합니다.", "after the network", "after the crash", "still here"}
	if got := customer.texts(); !slices.Equal(got, want) {
		t.Errorf("the transcript is %q, want %q", got, want)
	}
	customer.do("disconnect", nil, nil)
	agent.awaits("onEnded", "")
	r := c.described(contactID)
	if r.Channel != types.ChannelChat || r.DisconnectReason == nil || *r.DisconnectReason != "CUSTOMER_DISCONNECT" || *r.AgentInfo.Id != c.agent || r.QueueInfo == nil {
		t.Errorf("the record is %+v", r)
	}
	c.wantTranscript(contactID, want)
}

// texts are the messages of people, by the transcript.
func (p *chatter) texts() []string {
	p.t.Helper()
	var out struct {
		Transcript []struct{ Type, Content, ParticipantRole string }
	}
	p.do("transcript", map[string]any{"maxResults": 100, "sortOrder": "ASCENDING"}, &out)
	var list []string
	for _, it := range out.Transcript {
		if it.Type == "MESSAGE" && it.ParticipantRole != "SYSTEM" {
			list = append(list, it.Content)
		}
	}
	return list
}

// wantTranscript looks at the file that is left of a chat.
func (c *chatCenter) wantTranscript(contactID string, want []string) {
	c.t.Helper()
	var path string
	c.until("the transcript is stored", func() bool {
		found, err := filepath.Glob(filepath.Join(c.dir, "recordings", "connect", "*", "ChatTranscripts", "*", "*", "*", contactID+"_*_UTC.json"))
		c.must(err)
		if len(found) == 1 {
			path = found[0]
		}
		return path != ""
	})
	b, err := os.ReadFile(path)
	c.must(err)
	var f struct {
		Version, InstanceID, InitialContactID, ContactID string
		Participants                                     []struct{ ParticipantID string }
		Transcript                                       []struct{ Type, Content, ParticipantRole, ContentType string }
	}
	c.must(json.Unmarshal(b, &f))
	var got []string
	for _, it := range f.Transcript {
		if it.Type == "MESSAGE" && it.ParticipantRole != "SYSTEM" {
			got = append(got, it.Content)
		}
	}
	if f.Version != "2019-08-26" || f.ContactID != contactID || f.InstanceID != c.instance || len(f.Participants) < 2 || !slices.Equal(got, want) {
		c.t.Errorf("the transcript is %s", b)
	}
	if !strings.Contains(string(b), "chat.ended") {
		c.t.Error("the transcript has no end")
	}
}

// TestATaskReachesAnAgentAtItsTime schedules a task, kills the process before its time, and has an agent do it.
func TestATaskReachesAnAgentAtItsTime(t *testing.T) {
	t.Parallel()
	c := newChatCenter(t)
	c.setAvailable(c.agent)
	at := time.Now().Add(6 * time.Second)
	out, err := c.aws.StartTaskContact(t.Context(), &connect.StartTaskContactInput{
		InstanceId: &c.instance, ContactFlowId: &c.flow, Name: aws.String("Call Mr Kim"), ScheduledTime: &at,
		References: map[string]types.Reference{"page": {Type: types.ReferenceTypeUrl, Value: aws.String("https://example.com/kim")}},
	})
	c.must(err)
	c.child.kill()
	c.start()
	if got := c.offered(); got != *out.ContactId {
		t.Fatalf("offered is %s, not %s", got, *out.ContactId)
	}
	if time.Now().Before(at.Truncate(time.Second)) {
		t.Error("the task came before its time")
	}
	c.accept(*out.ContactId)
	c.admin(http.MethodPost, "/agents/"+c.agent+"/contacts/"+*out.ContactId+"/complete", nil, nil)
	if r := c.described(*out.ContactId); r.Channel != types.ChannelTask || *r.DisconnectReason != "AGENT_DISCONNECT" {
		t.Errorf("the record is %+v", r)
	}
}

// TestTheAWSSDKTakesPartInAChat has a customer who uses the AWS SDK for JavaScript, with both endpoints that clients may have.
func TestTheAWSSDKTakesPartInAChat(t *testing.T) {
	t.Parallel()
	c := newChatCenter(t)
	for _, endpoint := range []string{c.url, c.url + "/participant"} {
		started, err := c.aws.StartChatContact(t.Context(), &connect.StartChatContactInput{
			InstanceId: &c.instance, ContactFlowId: &c.flow, ParticipantDetails: &types.ParticipantDetails{DisplayName: aws.String("d")},
		})
		c.must(err)
		cmd := exec.CommandContext(t.Context(), program(t, "node", "nodejs"), "chatjs/sdk.js", endpoint, *started.ParticipantToken)
		b, err := cmd.Output()
		if err != nil {
			var text string
			if exit, ok := errors.AsType[*exec.ExitError](err); ok {
				text = string(exit.Stderr)
			}
			t.Fatalf("%s: %v\n%s", endpoint, err, text)
		}
		var got struct {
			Socket        string
			Once          bool
			Texts, Faults []string
		}
		c.must(json.Unmarshal(b, &got))
		if !got.Once || !slices.Equal(got.Texts, []string{"안녕하세요", "**bold**"}) || !strings.HasPrefix(got.Socket, "ws://127.0.0.1:") {
			t.Errorf("%s: %s", endpoint, b)
		}
		if want := []string{"ValidationException", "AccessDeniedException", "ResourceNotFoundException", "AccessDeniedException"}; !slices.Equal(got.Faults, want) {
			t.Errorf("%s: faults are %q, want %q", endpoint, got.Faults, want)
		}
		if r := c.described(*started.ContactId); *r.DisconnectReason != "CUSTOMER_DISCONNECT" {
			t.Errorf("the record is %+v", r)
		}
	}
}
