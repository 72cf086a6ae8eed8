package app

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"
	"github.com/google/uuid"

	"ullim/internal/contact"
	"ullim/internal/egress"
	"ullim/internal/resource"
	"ullim/internal/stream"
	"ullim/internal/webhook"
	"ullim/ivr"
	"ullim/media/g711"
	"ullim/prompts"
	"ullim/sip/siptest"
	"ullim/storage"
)

// yard is the engine with a caller, an agent, and whatever is outside: in memory and virtual time, or on loopback.
type yard struct {
	*trial
	t       *testing.T
	ctx     context.Context
	network *siptest.Network // nil: loopback
	port    int
}

// inYard runs a test in virtual time, and proves that nothing is left.
func inYard(t *testing.T, f func(t *testing.T, y *yard)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		tr, network := newVirtualTrial(t, siptest.NetworkOptions{Seed: 7, Delay: 2 * time.Millisecond})
		y := &yard{trial: tr, t: t, network: network}
		var cancel context.CancelFunc
		y.ctx, cancel = context.WithTimeout(t.Context(), 10*time.Minute)
		defer cancel()
		y.furnish()
		f(t, y)
		tr.carrier.HangupAll()
		for _, a := range tr.agents {
			a.phone.HangupAll()
		}
		time.Sleep(time.Minute)
		for _, a := range tr.agents {
			y.must(a.phone.Unregister(y.ctx))
		}
		finish(t, tr, network)
	})
}

// newYard is on real sockets.
func newYard(t *testing.T) *yard {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	t.Cleanup(cancel)
	tr := newTrial(TryOptions{Out: &bytes.Buffer{}, Dir: t.TempDir(), Language: "en-US", Log: slog.New(slog.DiscardHandler)})
	conn, err := new(net.ListenConfig).ListenPacket(ctx, "udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	err = tr.serve(ctx, Options{
		Packets: []net.PacketConn{conn}, RTPBind: netip.MustParseAddr("127.0.0.1"), Synthesizer: prompts.ToneSynthesizer{},
		Database: storage.Options{URL: storage.Memory}, Egress: egress.Options{Allow: []string{"127.0.0.1"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	y := &yard{trial: tr, t: t, ctx: ctx}
	y.furnish()
	t.Cleanup(func() {
		tr.carrier.HangupAll()
		tr.close()
	})
	return y
}

func (y *yard) furnish() {
	y.t.Helper()
	y.acts = []*act{{
		label: "call 1", number: "+8215880001", queue: "Sales", ring: 20, agents: []string{"kim"}, seen: map[string]time.Time{}, news: make(chan struct{}),
	}}
	y.must(y.setUp(y.ctx))
}

// host serves something outside until the test ends, and gives its address.
func (y *yard) host(h http.HandlerFunc) string {
	y.t.Helper()
	var l net.Listener
	var err error
	if y.network == nil {
		l, err = new(net.ListenConfig).Listen(y.ctx, "tcp", "127.0.0.1:0")
	} else {
		y.port++
		l, err = y.network.ListenStream(fmt.Sprintf("%s:%d", outsideHost, 8000+y.port))
	}
	y.must(err)
	s := &http.Server{Handler: h, ReadHeaderTimeout: time.Minute}
	go func() { _ = s.Serve(l) }()
	y.t.Cleanup(func() { _ = s.Close() })
	return l.Addr().String()
}

// call publishes a flow and calls its number.
func (y *yard) call(actions string) *siptest.Call {
	y.t.Helper()
	f := &ivr.Flow{Meta: resource.Meta{ID: uuid.NewString(), InstanceID: y.stage.id, Name: "flow under test"}, Type: ivr.TypeInbound}
	f.Content = `{"Version":"2019-10-30","StartAction":"a","Actions":[` + actions + `,
		{"Identifier":"end","Type":"DisconnectParticipant","Parameters":{},"Transitions":{}}]}`
	y.must(y.app.flows.Create(y.ctx, f, ivr.Published))
	y.must(y.stage.number(y.ctx, "+8215880099", f.ID))
	c, err := y.carrier.Call(y.ctx, "+8215880099", "01012340001", siptest.CallOptions{Voice: siptest.Voice("caller")})
	y.must(err)
	y.must(c.WaitConfirmed(y.ctx))
	return c
}

func (y *yard) must(err error) {
	y.t.Helper()
	if err != nil {
		y.t.Fatal(err)
	}
}

// record waits until the only contact is closed.
func (y *yard) record() *contact.Record {
	y.t.Helper()
	y.eventually("the contact is closed", func() bool { return y.app.calls.Count() == 0 })
	return contactsOf(y.t, y.trial)[0]
}

// eventually waits for a condition.
func (y *yard) eventually(what string, ok func() bool) {
	y.t.Helper()
	for !ok() {
		select {
		case <-y.ctx.Done():
			y.t.Fatalf("never: %s", what)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// bot is a program behind a WebSocket on loopback, as people write them for Twilio Media Streams.
type bot struct {
	url    string
	header http.Header
	script func(b *bot) // runs when the stream has started

	mu     sync.Mutex
	conn   *websocket.Conn
	start  map[string]any
	tracks map[string][]int16
	events []string
	over   chan struct{}
	news   chan string
}

func (y *yard) bot(script func(b *bot)) *bot {
	y.t.Helper()
	b := &bot{script: script, tracks: map[string][]int16{}, over: make(chan struct{}), news: make(chan string, 1000)}
	b.url = "ws://" + y.host(func(w http.ResponseWriter, r *http.Request) {
		conn, err := websocket.Accept(w, r, nil)
		if err != nil {
			return
		}
		defer conn.CloseNow()
		b.header, b.conn = r.Header.Clone(), conn
		b.serve(r.Context())
	}) + "/agent"
	return b
}

func (b *bot) serve(ctx context.Context) {
	defer close(b.over)
	for {
		_, data, err := b.conn.Read(ctx)
		if err != nil {
			return
		}
		var m struct {
			Event string
			Start map[string]any
			Media struct{ Track, Payload string }
			Mark  struct{ Name string }
			DTMF  struct{ Digit string }
		}
		_ = json.Unmarshal(data, &m)
		name := m.Event
		switch m.Event {
		case "start":
			b.start = m.Start
			if b.script != nil {
				go b.script(b)
			}
		case "media":
			raw, _ := base64.StdEncoding.DecodeString(m.Media.Payload)
			pcm := make([]int16, len(raw))
			g711.DecodeULaw(pcm, raw)
			b.mu.Lock()
			b.tracks[m.Media.Track] = append(b.tracks[m.Media.Track], pcm...)
			b.mu.Unlock()
			continue
		case "mark":
			name += " " + m.Mark.Name
		case "dtmf":
			name += " " + m.DTMF.Digit
		}
		b.mu.Lock()
		b.events = append(b.events, name)
		b.mu.Unlock()
		b.news <- name
	}
}

func (b *bot) send(text string) {
	_ = b.conn.Write(context.Background(), websocket.MessageText, []byte(text))
}

// say sends so much of a voice at once, as synthesizers do.
func (b *bot) say(voice siptest.Source, frames int) {
	all := voice.Frames("PCMU")
	var raw []byte
	for i := range frames {
		raw = append(raw, all[i%len(all)]...)
	}
	b.send(fmt.Sprintf(`{"event":"media","streamSid":"x","media":{"payload":%q}}`, base64.StdEncoding.EncodeToString(raw)))
}

func (b *bot) mark(name string) {
	b.send(fmt.Sprintf(`{"event":"mark","streamSid":"x","mark":{"name":%q}}`, name))
}

// await waits for an event from ullim.
func (b *bot) await(name string) {
	for got := range b.news {
		if got == name {
			return
		}
	}
}

func (b *bot) heard(track string) []int16 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.tracks[track])
}

func (b *bot) told() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.events)
}

func TestABotTakesACallIsInterruptedAndHandsItToAQueue(t *testing.T) {
	inYard(t, func(_ *testing.T, y *yard) { y.conversation(0.8) })
}

// On a machine that has other things to do as well, what is heard has holes; what is said does not change.
func TestABotTakesACallOnLoopback(t *testing.T) {
	newYard(t).conversation(0.25)
}

// conversation is one with a bot; share is how much of a voice must be heard as it was said.
func (y *yard) conversation(share float64) {
	t := y.t
	t.Helper()
	one, two := siptest.Voice("bot one"), siptest.Voice("bot two")
	b := y.bot(func(b *bot) {
		b.say(one, 100) // 2 s
		b.mark("one")
		b.say(one, 1000) // and much more
		b.mark("never")
		b.await("mark one")
		b.await("dtmf 5") // they interrupt
		b.send(`{"event":"clear","streamSid":"x"}`)
		b.await("mark never")
		b.say(two, 100)
		b.mark("two")
		b.await("mark two")
		b.send(`{"event":"ullim","ullim":{"action":"transfer","queue":"Sales","attributes":{"reason":"refund"}}}`)
	})
	dest := &stream.Destination{Meta: resource.Meta{ID: uuid.NewString(), InstanceID: y.stage.id, Name: "agent"}, URL: b.url, Parameters: map[string]string{"lang": "ko"}}
	var err error
	dest.Secret, err = y.app.sealer.Seal(stream.SecretOwner(dest.ID), "the secret of the bot is long")
	y.must(err)
	dest.Token, err = y.app.sealer.Seal(stream.SecretOwner(dest.ID), "tok")
	y.must(err)
	y.must(y.app.stores.audio.Create(y.ctx, dest))
	customer := y.call(`{"Identifier":"a","Type":"Ullim.ConnectParticipantWithBot","Parameters":{"Url":"agent","TimeLimitSeconds":"50","Parameters":{"plan":"gold"}},
		"Transitions":{"NextAction":"end","Errors":[{"NextAction":"end","ErrorType":"NoMatchingError"},{"NextAction":"end","ErrorType":"NoMatchingCondition"}],
		"Conditions":[{"NextAction":"b","Condition":{"Operator":"Equals","Operands":["TransferToQueue"]}}]}},
		{"Identifier":"b","Type":"UpdateContactAttributes","Parameters":{"Attributes":{"reason":"$.Lex.SessionAttributes.reason"}},"Transitions":{"NextAction":"c","Errors":[{"NextAction":"end","ErrorType":"NoMatchingError"}]}},
		{"Identifier":"c","Type":"TransferContactToQueue","Parameters":{},"Transitions":{"NextAction":"end","Errors":[{"NextAction":"end","ErrorType":"QueueAtCapacity"},{"NextAction":"end","ErrorType":"NoMatchingError"}]}}`)
	y.must(y.stage.status(y.ctx, y.agents["kim"].userID, "Available"))
	begun := time.Now()
	y.eventually("the first mark", func() bool { return slices.Contains(b.told(), "mark one") })
	first := time.Now()
	y.must(customer.SendDigits("5"))
	y.eventually("the second mark", func() bool { return slices.Contains(b.told(), "mark two") })
	second := time.Now()
	agent, err := y.agents["kim"].phone.NextCall(y.ctx)
	y.must(err)
	y.must(agent.WaitConfirmed(y.ctx))
	<-b.over

	if got := siptest.Share(customer.HeardBetween(begun, first), one); got < share {
		t.Errorf("the caller heard %.2f of the bot", got)
	}
	if got := siptest.Share(customer.HeardBetween(second.Add(-1500*time.Millisecond), second), two); got < share {
		t.Errorf("after clear the caller heard %.2f of the bot's other voice", got)
	}
	if got := siptest.Share(b.heard("inbound"), siptest.Voice("caller")); got < share {
		t.Errorf("the bot heard %.2f of the caller", got)
	}
	if len(b.heard("outbound")) > 0 {
		t.Error("the bot hears itself")
	}
	if got := strings.Join(b.told(), ", "); got != "connected, start, mark one, dtmf 5, mark never, mark two, stop" {
		t.Errorf("the bot was told %s", got)
	}
	if p, _ := json.Marshal(b.start["customParameters"]); string(p) != `{"lang":"ko","plan":"gold"}` {
		t.Errorf("parameters %s", p)
	}
	if b.header.Get("Authorization") != "Bearer tok" || webhook.Verify(b.header.Get("Ullim-Signature"), "the secret of the bot is long", time.Now(), time.Minute,
		[]byte(b.header.Get("Ullim-Stream"))) != nil || b.start["streamSid"] != b.header.Get("Ullim-Stream") {
		t.Errorf("shown: %v", b.header)
	}
	customer.Hangup()
	r := y.record()
	if r.Attributes["reason"] != "refund" || r.Queue == nil || r.Queue.Name != "Sales" {
		t.Errorf("attributes %v, queue %+v", r.Attributes, r.Queue)
	}
	if y.app.outside.streams.Transferred.Load() != 1 || y.app.outside.streams.Bots.Load() != 0 {
		t.Error("counted wrongly")
	}
}

func TestADeadBotGivesTheCallBack(t *testing.T) {
	inYard(t, func(t *testing.T, y *yard) {
		t.Helper()
		b := y.bot(func(b *bot) { b.conn.CloseNow() })
		say := func(what string) string {
			return fmt.Sprintf(`{"Identifier":%q,"Type":"UpdateContactAttributes","Parameters":{"Attributes":{"went":%q}},"Transitions":{"NextAction":"end","Errors":[{"NextAction":"end","ErrorType":"NoMatchingError"}]}}`, what, what)
		}
		from := time.Now()
		customer := y.call(`{"Identifier":"a","Type":"Ullim.ConnectParticipantWithBot","Parameters":{"Url":"` + b.url + `"},
		"Transitions":{"NextAction":"done","Errors":[{"NextAction":"failed","ErrorType":"NoMatchingError"},{"NextAction":"done","ErrorType":"NoMatchingCondition"}]}},` + say("done") + "," + say("failed"))
		_, err := customer.WaitEnded(y.ctx)
		y.must(err)
		if r := y.record(); r.Attributes["went"] != "failed" {
			t.Errorf("the flow went %v", r.Attributes)
		}
		if took := time.Since(from); took > 10*time.Second {
			t.Errorf("it took %s", took)
		}
	})
}

func TestACustomersAudioGoesOutWhileTheyTalkToAnAgent(t *testing.T) {
	inYard(t, func(t *testing.T, y *yard) {
		t.Helper()
		b := y.bot(nil)
		y.must(y.app.stores.audio.Create(y.ctx, &stream.Destination{Meta: resource.Meta{InstanceID: y.stage.id, Name: "default"}, URL: b.url}))
		customer := y.call(`{"Identifier":"a","Type":"UpdateContactMediaStreamingBehavior","Parameters":{"MediaStreamingState":"Enabled","MediaStreamType":"Audio",
		"Participants":[{"ParticipantType":"Customer","MediaDirections":["To","From"]}]},"Transitions":{"NextAction":"b","Errors":[{"NextAction":"end","ErrorType":"NoMatchingError"}]}},
		{"Identifier":"b","Type":"UpdateContactAttributes","Parameters":{"Attributes":{"arn":"$.MediaStreams.Customer.Audio.StreamARN","since":"$.MediaStreams.Customer.Audio.StartTimestamp"}},"Transitions":{"NextAction":"c","Errors":[{"NextAction":"end","ErrorType":"NoMatchingError"}]}},
		{"Identifier":"c","Type":"UpdateContactTargetQueue","Parameters":{"QueueId":"Sales"},"Transitions":{"NextAction":"d","Errors":[{"NextAction":"end","ErrorType":"NoMatchingError"}]}},
		{"Identifier":"d","Type":"TransferContactToQueue","Parameters":{},"Transitions":{"NextAction":"end","Errors":[{"NextAction":"end","ErrorType":"QueueAtCapacity"},{"NextAction":"end","ErrorType":"NoMatchingError"}]}}`)
		y.must(y.stage.status(y.ctx, y.agents["kim"].userID, "Available"))
		agent, err := y.agents["kim"].phone.NextCall(y.ctx)
		y.must(err)
		y.must(agent.WaitConfirmed(y.ctx))
		kim := y.agents["kim"].phone.Voice()
		y.eventually("the customer hears the agent", func() bool {
			return siptest.Share(customer.HeardBetween(time.Now().Add(-time.Second), time.Now()), kim) > 0.6
		})
		before := len(b.heard("inbound"))
		y.eventually("three seconds more", func() bool { return len(b.heard("inbound")) > before+3*8000 })
		in, out := b.heard("inbound"), b.heard("outbound")
		if share := siptest.Share(in[len(in)-3*8000:], siptest.Voice("caller")); share < 0.8 {
			t.Errorf("%.2f of the inbound track is the caller", share)
		}
		if share := siptest.Share(out[len(out)-2*8000:], kim); share < 0.8 {
			t.Errorf("%.2f of the outbound track is the agent", share)
		}
		if d := len(in) - len(out); d < -1600 || d > 1600 {
			t.Errorf("the tracks are %d samples apart", d)
		}
		customer.Hangup()
		<-b.over
		if got := strings.Join(b.told(), " "); got != "connected start stop" {
			t.Errorf("the program was told %s", got)
		}
		r := y.record()
		if !strings.Contains(r.Attributes["arn"], "media-stream/MZ") || len(r.Attributes["since"]) < 12 {
			t.Errorf("%v", r.Attributes)
		}
		y.eventually("it is forgotten", func() bool {
			y.app.outside.mu.Lock()
			defer y.app.outside.mu.Unlock()
			return len(y.app.outside.live) == 0
		})
	})
}

// invoke is a flow that calls a function and notes how it went.
func invoke(arn string, more string) string {
	note := func(id, value string) string {
		return fmt.Sprintf(`{"Identifier":%q,"Type":"UpdateContactAttributes","Parameters":{"Attributes":{"went":%q}},"Transitions":{"NextAction":"end","Errors":[{"NextAction":"end","ErrorType":"NoMatchingError"}]}}`, id, value)
	}
	return `{"Identifier":"a","Type":"InvokeLambdaFunction","Parameters":{"LambdaFunctionARN":"` + arn + `","LambdaInvocationAttributes":{"key":"42"}` + more + `},
		"Transitions":{"NextAction":"ok","Errors":[{"NextAction":"failed","ErrorType":"NoMatchingError"}]}},` + note("ok", "hello $.External.name") + "," + note("failed", "failed")
}

func TestAFlowCallsAFunctionAndTheCallerHearsMusicMeanwhile(t *testing.T) {
	inYard(t, func(t *testing.T, y *yard) {
		t.Helper()
		var mu sync.Mutex
		var got []*http.Request
		var bodies []string
		hook := "http://" + y.host(func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			mu.Lock()
			got, bodies = append(got, r), append(bodies, string(body))
			n := len(got)
			mu.Unlock()
			if n == 1 {
				w.WriteHeader(http.StatusServiceUnavailable)
				return
			}
			time.Sleep(3 * time.Second) // it is slow
			_, _ = io.WriteString(w, `{"name":"Kim"}`)
		})
		f := &webhook.Function{
			Meta: resource.Meta{ID: uuid.NewString(), InstanceID: y.stage.id, Name: "crm"}, URL: hook + "/crm", HoldAudio: webhook.HoldMusic,
			ARNs: []string{"arn:aws:lambda:us-east-1:123456789012:function:lookup"},
		}
		var err error
		f.Secret, err = y.app.sealer.Seal(webhook.SecretOwner(f.ID), "a secret of twenty-five chars")
		y.must(err)
		y.must(y.app.stores.functions.Create(y.ctx, f))
		begun := time.Now()
		customer := y.call(invoke("arn:aws:lambda:us-east-1:123456789012:function:lookup:prod", `,"InvocationTimeLimitSeconds":"8"`))
		_, err = customer.WaitEnded(y.ctx)
		y.must(err)
		if r := y.record(); r.Attributes["went"] != "hello Kim" {
			t.Errorf("%v", r.Attributes)
		}
		if rms := siptest.RMS(customer.HeardBetween(begun.Add(1500*time.Millisecond), begun.Add(2800*time.Millisecond))); rms < 100 {
			t.Errorf("the caller hears %.0f while waiting", rms)
		}
		if len(got) != 2 || got[0].Header.Get("Ullim-Delivery") != got[1].Header.Get("Ullim-Delivery") {
			t.Fatalf("%d requests", len(got))
		}
		if err := webhook.Verify(got[1].Header.Get("Ullim-Signature"), "a secret of twenty-five chars", time.Now(), time.Minute, []byte(bodies[1])); err != nil {
			t.Error(err)
		}
		var event struct {
			Name    string
			Details struct {
				Parameters  map[string]string
				ContactData struct{ ContactId, Channel string } //nolint:revive // as on the wire
			}
		}
		if err := json.Unmarshal([]byte(bodies[1]), &event); err != nil || event.Name != "ContactFlowEvent" || event.Details.Parameters["key"] != "42" || event.Details.ContactData.Channel != "VOICE" {
			t.Errorf("%s", bodies[1])
		}
	})
}

func TestAFunctionThatHangsNeverEndsACall(t *testing.T) {
	inYard(t, func(t *testing.T, y *yard) {
		t.Helper()
		hook := "http://" + y.host(func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.ReadAll(r.Body)
			<-r.Context().Done()
		})
		from := time.Now()
		customer := y.call(invoke(hook, `,"InvocationTimeLimitSeconds":"1"`))
		_, err := customer.WaitEnded(y.ctx)
		y.must(err)
		if r := y.record(); r.Attributes["went"] != "failed" || time.Since(from) > 5*time.Second {
			t.Errorf("%v after %s", r.Attributes, time.Since(from))
		}
		if y.app.outside.outcomes[webhook.TimedOut].Load() != 1 {
			t.Error("not counted")
		}
	})
}

func TestAnAsynchronousFunctionIsDeliveredByAJob(t *testing.T) {
	inYard(t, func(t *testing.T, y *yard) {
		t.Helper()
		ids := make(chan string, 10)
		hook := "http://" + y.host(func(w http.ResponseWriter, r *http.Request) {
			if ids <- r.Header.Get("Ullim-Delivery"); len(ids) < 3 {
				w.WriteHeader(http.StatusInternalServerError)
			}
		})
		y.must(y.app.stores.functions.Create(y.ctx, &webhook.Function{Meta: resource.Meta{InstanceID: y.stage.id, Name: webhook.CatchAll}, URL: hook + "/{name}"}))
		customer := y.call(invoke("arn:aws:lambda:us-east-1:1:function:notify", `,"InvocationType":"ASYNCHRONOUS"`))
		_, err := customer.WaitEnded(y.ctx)
		y.must(err)
		if r := y.record(); !strings.HasPrefix(r.Attributes["went"], "hello") {
			t.Errorf("%v", r.Attributes)
		}
		y.eventually("it is delivered", func() bool { alive, _, _ := y.app.db.Count(y.ctx, jobFunction); return alive == 0 })
		if a, b, c := <-ids, <-ids, <-ids; a == "" || a != b || b != c {
			t.Errorf("deliveries %s, %s, %s", a, b, c)
		}
		if _, err := y.app.outside.Invoke(y.ctx, ivr.Function{InstanceID: y.stage.id, Ref: "../x", Async: true, Event: json.RawMessage("{}")}); err == nil {
			t.Error("a function without address is queued")
		}
	})
}
