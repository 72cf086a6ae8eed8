package app

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"ullim/internal/chat"
	"ullim/internal/contact"
	"ullim/internal/errs"
	"ullim/internal/resource"
	"ullim/internal/view"
	"ullim/internal/webhook"
	"ullim/ivr"
)

// host serves something outside until the test ends, and gives its URL.
func (o *office) host(h http.HandlerFunc) string {
	o.t.Helper()
	o.port++
	l, err := o.network.ListenStream(fmt.Sprintf("%s:%d", outsideHost, 8000+o.port))
	o.must(err)
	s := &http.Server{Handler: h, ReadHeaderTimeout: time.Minute}
	go func() { _ = s.Serve(l) }()
	o.t.Cleanup(func() { _ = s.Close() })
	return "http://" + l.Addr().String()
}

// last is the newest item of a kind that a participant sees.
func (o *office) last(ctx context.Context, who chat.Who, contentType string) chat.Item {
	o.t.Helper()
	page, err := o.app.chats.Page(ctx, who, chat.TranscriptQuery{Max: 100})
	o.must(err)
	for _, it := range page.Items {
		if it.ContentType == contentType {
			return it
		}
	}
	o.t.Fatalf("no item is %s", contentType)
	return chat.Item{}
}

func (o *office) record(ctx context.Context, id string) *contact.Record {
	o.t.Helper()
	r, err := o.app.db.Contact(ctx, o.id, id)
	o.must(err)
	return r
}

// survey publishes a view and a flow that shows it and says what was chosen.
func (o *office) survey(ctx context.Context, parameters string) string {
	o.t.Helper()
	v := &view.View{Meta: resource.Meta{InstanceID: o.id, Name: "Survey"}}
	o.must(v.Set(view.Content{Actions: []string{"Send", "Skip"}, Template: `{"Body":[{"Label":"$.Heading"}]}`}, view.Published))
	o.must(o.app.stores.views.Create(ctx, v))
	return o.flow(ctx, "asks", ivr.TypeInbound,
		action("1", "ShowView", `{"ViewResource":{"Id":"Survey","Version":"$LATEST"},"InvocationTimeLimitSeconds":"60","ViewData":{"Heading":"$.Attributes.topic"}`+parameters+`}`,
			"", "sent<-=Send", "skipped<-=Skip", "bad<-NoMatchingError", "other<-NoMatchingCondition", "late<-TimeLimitExceeded"),
		action("sent", "MessageParticipant", `{"Text":"Thanks: $.Views.Action $.Views.ViewResultData.score"}`, "bye", "bye<-NoMatchingError"),
		action("skipped", "MessageParticipant", `{"Text":"skipped"}`, "bye", "bye<-NoMatchingError"),
		action("bad", "MessageParticipant", `{"Text":"bad"}`, "bye", "bye<-NoMatchingError"),
		action("other", "MessageParticipant", `{"Text":"other"}`, "bye", "bye<-NoMatchingError"),
		action("late", "MessageParticipant", `{"Text":"late"}`, "bye", "bye<-NoMatchingError"),
		action("bye", "DisconnectParticipant", `{}`, ""))
}

func (o *office) start(ctx context.Context, s chat.StartChat) (string, chat.Who) {
	o.t.Helper()
	s.InstanceID, s.DisplayName = o.id, "김철수"
	got, err := o.app.chats.StartChat(ctx, s)
	o.must(err)
	who := o.connect(ctx, got.Token)
	time.Sleep(100 * time.Millisecond) // commits wait for each other a moment
	synctest.Wait()
	return got.ContactID, who
}

func TestAViewIsShownAndItsAnswerComesBackToTheFlow(t *testing.T) {
	inOffice(t, func(ctx context.Context, o *office) {
		flow := o.survey(ctx, "")
		_, who := o.start(ctx, chat.StartChat{FlowID: flow, Attributes: map[string]string{"topic": "배송"}})
		shown := o.last(ctx, who, chat.Interactive)
		var m viewMessage
		o.must(json.Unmarshal([]byte(shown.Content), &m))
		c := m.Data.Content
		if m.TemplateType != "ViewResource" || c.Title != "배송" || !slices.Equal(c.Actions, []string{"Send", "Skip"}) || string(c.InputData) != `{"Heading":"배송"}` {
			t.Errorf("the message is %s", shown.Content)
		}
		instance, v, err := o.app.chats.View(ctx, who, c.ViewToken)
		o.must(err)
		if e, findErr := view.Find(ctx, o.app.stores.views, instance, v.ViewID, v.Version); findErr != nil || e.View.Name != "Survey" {
			t.Errorf("the token leads to %+v, %v", e, findErr)
		}
		if _, _, err = o.app.chats.View(ctx, who, "forged"); !errs.Is(err, errs.NotFound) {
			t.Errorf("a forged token: %v", err)
		}
		o.say(ctx, who, "what is this?") // nobody's answer to the view
		_, err = o.app.chats.Say(ctx, who, `{"templateType":"ViewResource","data":{"action":"Send","data":{"score":"5"}}}`, chat.InteractiveResponse, "")
		o.must(err)
		synctest.Wait()
		if got := o.last(ctx, who, chat.Plain); got.Content != "Thanks: Send 5" {
			t.Errorf("the flow says %q", got.Content)
		}
	})
}

func TestAViewIsAnsweredByTextToo(t *testing.T) {
	inOffice(t, func(ctx context.Context, o *office) {
		flow := o.survey(ctx, "")
		_, who := o.start(ctx, chat.StartChat{FlowID: flow, Accepts: []string{chat.Plain}})
		o.want(ctx, who, "Survey\n1. Send\n2. Skip")
		o.say(ctx, who, " 2 ")
		o.want(ctx, who, "Survey\n1. Send\n2. Skip", " 2 ", "skipped")
		_, who = o.start(ctx, chat.StartChat{FlowID: flow})
		o.say(ctx, who, "skip")
		if got := o.last(ctx, who, chat.Plain); got.Content != "skipped" {
			t.Errorf("the flow says %q", got.Content)
		}
		_, who = o.start(ctx, chat.StartChat{FlowID: flow})
		time.Sleep(59 * time.Second)
		o.say(ctx, who, "hello?") // does not begin the time anew
		time.Sleep(time.Second)
		synctest.Wait()
		if got := o.last(ctx, who, chat.Plain); got.Content != "late" {
			t.Errorf("the flow says %q", got.Content)
		}
		_, who = o.start(ctx, chat.StartChat{FlowID: flow})
		_, err := o.app.chats.Say(ctx, who, `{"action":"Unheard"}`, chat.InteractiveResponse, "")
		o.must(err)
		synctest.Wait()
		if got := o.last(ctx, who, chat.Plain); got.Content != "other" {
			t.Errorf("the flow says %q", got.Content)
		}
	})
}

func TestAHiddenAnswerIsInNoTranscript(t *testing.T) {
	inOffice(t, func(ctx context.Context, o *office) {
		flow := o.survey(ctx, `,"SensitiveDataConfiguration":{"HideResponseOn":["TRANSCRIPT"]}`)
		id, who := o.start(ctx, chat.StartChat{FlowID: flow})
		_, err := o.app.chats.Say(ctx, who, `{"action":"Skip","data":{"pin":"4711"}}`, chat.InteractiveResponse, "")
		o.must(err)
		synctest.Wait()
		if got := o.last(ctx, who, chat.Plain); got.Content != "skipped" {
			t.Errorf("the flow says %q", got.Content)
		}
		if got := o.last(ctx, who, chat.InteractiveResponse); got.Content != `{"hidden":true}` {
			t.Errorf("the transcript has %q", got.Content)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		body, _, err := o.app.blobs.Get(ctx, o.record(ctx, id).Recordings[0].Location)
		o.must(err)
		text, err := io.ReadAll(body)
		o.must(err)
		o.must(body.Close())
		if strings.Contains(string(text), "4711") {
			t.Errorf("the file has the answer: %s", text)
		}
	})
}

func TestAViewThatIsNotThereTakesTheErrorBranch(t *testing.T) {
	inOffice(t, func(ctx context.Context, o *office) {
		flow := o.survey(ctx, "")
		v, err := o.app.stores.views.GetByName(ctx, o.id, "Survey")
		o.must(err)
		o.must(o.app.stores.views.Delete(ctx, o.id, v.ID))
		_, who := o.start(ctx, chat.StartChat{FlowID: flow})
		o.want(ctx, who, "bad")
	})
}

func TestAFlowWaitsUntilTheBotHasLeft(t *testing.T) {
	inOffice(t, func(ctx context.Context, o *office) {
		flow := o.flow(ctx, "waits", ivr.TypeInbound,
			action("1", "Wait", `{"TimeLimitSeconds":"60","Events":[]}`, "", "2<-=WaitCompleted", "none<-NoMatchingError"),
			action("2", "Wait", `{"TimeLimitSeconds":"600","Events":["BotParticipantDisconnected"]}`, "", "late<-=WaitCompleted", "left<-=BotParticipantDisconnected", "none<-ParticipantNotFound", "none<-NoMatchingError"),
			action("late", "MessageParticipant", `{"Text":"late"}`, "bye", "bye<-NoMatchingError"),
			action("left", "MessageParticipant", `{"Text":"the bot has left"}`, "bye", "bye<-NoMatchingError"),
			action("none", "MessageParticipant", `{"Text":"no bot"}`, "bye", "bye<-NoMatchingError"),
			action("bye", "DisconnectParticipant", `{}`, ""))
		_, who := o.start(ctx, chat.StartChat{FlowID: flow})
		time.Sleep(61 * time.Second)
		synctest.Wait()
		o.want(ctx, who, "no bot")
		id, who := o.start(ctx, chat.StartChat{FlowID: flow})
		c, err := o.app.chats.AddParticipant(ctx, o.id, id, chat.CustomBot, "bot")
		o.must(err)
		bot := o.connect(ctx, c.Token)
		time.Sleep(2 * time.Minute)
		o.must(o.app.chats.Leave(ctx, bot))
		synctest.Wait()
		o.want(ctx, who, "the bot has left")
	})
}

func TestFlowsChangeTheContactThatTheirsIsRelatedTo(t *testing.T) {
	inOffice(t, func(ctx context.Context, o *office) {
		idle := o.flow(ctx, "idle", ivr.TypeInbound,
			action("1", "Wait", `{"TimeLimitSeconds":"600","Events":[]}`, "", "bye<-=WaitCompleted", "bye<-NoMatchingError"),
			action("bye", "DisconnectParticipant", `{}`, ""))
		flow := o.flow(ctx, "changes", ivr.TypeInbound,
			action("1", "UpdateContactAttributes", `{"Attributes":{"answer":"$.Attributes.say"},"TargetContact":"Related"}`, "2", "bad<-NoMatchingError"),
			action("2", "UpdateContactData", `{"Name":"$.Attributes.say","References":{"form":{"Type":"URL","Value":"https://x.example"}},"TargetContact":"Related"}`, "ok", "bad<-NoMatchingError"),
			action("ok", "MessageParticipant", `{"Text":"ok"}`, "bye", "bye<-NoMatchingError"),
			action("bad", "MessageParticipant", `{"Text":"bad"}`, "bye", "bye<-NoMatchingError"),
			action("bye", "DisconnectParticipant", `{}`, ""))
		first, _ := o.start(ctx, chat.StartChat{FlowID: idle, Attributes: map[string]string{"own": "1"}})
		_, who := o.start(ctx, chat.StartChat{FlowID: flow, Related: first, Attributes: map[string]string{"say": "while it is live"}})
		o.want(ctx, who, "ok")
		if r := o.record(ctx, first); r.Attributes["answer"] != "while it is live" || r.Attributes["own"] != "1" || r.Name != "while it is live" || r.References["form"].Type != "URL" {
			t.Errorf("the related contact is %+v", r)
		}
		o.must(o.app.chats.Stop(ctx, o.id, first, "enough"))
		synctest.Wait()
		_, who = o.start(ctx, chat.StartChat{FlowID: flow, Related: first, Attributes: map[string]string{"say": "when it is over"}})
		o.want(ctx, who, "ok")
		if r := o.record(ctx, first); r.Attributes["answer"] != "when it is over" || r.Attributes["own"] != "1" || r.DisconnectTimestamp.IsZero() {
			t.Errorf("the related contact is %+v", r)
		}
		for _, related := range []string{"", "11111111-1111-4111-8111-111111111111"} {
			_, who = o.start(ctx, chat.StartChat{FlowID: flow, Related: related, Attributes: map[string]string{"say": "x"}})
			o.want(ctx, who, "bad")
		}
	})
}

func TestMessagesGoThroughTheFunctionThatTheFlowNames(t *testing.T) {
	inOffice(t, func(ctx context.Context, o *office) {
		var asked []processorEvent
		url := o.host(func(w http.ResponseWriter, r *http.Request) {
			var e processorEvent
			_ = json.NewDecoder(r.Body).Decode(&e)
			asked = append(asked, e)
			switch text := e.Chat.Content; {
			case strings.Contains(text, "swear"):
				_, _ = io.WriteString(w, `{"status":"REJECTED"}`)
			case strings.Contains(text, "fine"):
				_, _ = io.WriteString(w, `{"status":"APPROVED"}`)
			case strings.Contains(text, "broken"):
				w.WriteHeader(http.StatusBadRequest)
			default:
				_ = json.NewEncoder(w).Encode(map[string]any{"status": "PROCESSED", "result": map[string]any{"processedChatContent": map[string]string{
					"content": strings.ReplaceAll(text, "4711", "****"), "contentType": chat.Plain,
				}}})
			}
		})
		o.must(o.app.stores.functions.Create(ctx, &webhook.Function{Meta: resource.Meta{InstanceID: o.id, Name: "redact"}, URL: url}))
		const arn = "arn:aws:lambda:us-east-1:123456789012:function:redact"
		flow := o.flow(ctx, "redacts", ivr.TypeInbound,
			action("1", "UpdateContactMediaProcessing", fmt.Sprintf(`{"ChatProcessor":{"ProcessingEnabled":"True","LambdaProcessorARN":%q}}`, arn), "2", "bye<-NoMatchingError", "bye<-ChannelMismatch"),
			action("2", "Wait", `{"TimeLimitSeconds":"600","Events":[]}`, "", "bye<-=WaitCompleted", "bye<-NoMatchingError"),
			action("bye", "DisconnectParticipant", `{}`, ""))
		id, who := o.start(ctx, chat.StartChat{FlowID: flow})
		o.say(ctx, who, "my pin is 4711")
		o.say(ctx, who, "fine 4711")
		if _, err := o.app.chats.Say(ctx, who, "swear words", chat.Plain, ""); !errs.Is(err, errs.Denied) {
			t.Errorf("rejected: %v", err)
		}
		if _, err := o.app.chats.Say(ctx, who, "broken", chat.Plain, ""); !errs.Is(err, errs.Unavailable) {
			t.Errorf("failed: %v", err)
		}
		o.want(ctx, who, "my pin is ****", "fine 4711")
		if len(asked) < 4 || asked[0].InstanceID != o.id || asked[0].Chat.ContactID != id || asked[0].Chat.ParticipantRole != "CUSTOMER" {
			t.Errorf("the function was asked %+v", asked)
		}
		o.must(o.app.chats.Leave(ctx, who))
		if n := o.record(ctx, id).ChatMetrics; n == nil || n.CustomerMessages != 2 {
			t.Errorf("counted %+v", n)
		}
	})
}

func TestAPausedTaskIsOfferedWhenItsFlowResumesIt(t *testing.T) {
	inOffice(t, func(ctx context.Context, o *office) {
		resumes := o.flow(ctx, "resumes", ivr.TypeInbound,
			action("1", "Wait", `{"TimeLimitSeconds":"120","Events":[]}`, "", "2<-=WaitCompleted", "bye<-NoMatchingError"),
			action("2", "ResumeContact", `{}`, "bye", "bye<-NoMatchingError"), // it ends this flow
			action("bye", "DisconnectParticipant", `{}`, ""))
		flow := o.flow(ctx, "task", ivr.TypeInbound,
			action("1", "ResumeContact", `{}`, "bye", "h<-NoMatchingError"), // it is not paused
			action("h", "UpdateContactEventHooks", fmt.Sprintf(`{"EventHooks":{"PauseContact":%q}}`, resumes), "2", "bye<-NoMatchingError"),
			action("2", "UpdateContactTargetQueue", fmt.Sprintf(`{"QueueId":%q}`, o.queue), "3", "bye<-NoMatchingError"),
			action("3", "TransferContactToQueue", `{}`, "", "bye<-QueueAtCapacity", "bye<-NoMatchingError"),
			action("bye", "DisconnectParticipant", `{}`, ""))
		id, err := o.app.chats.StartTask(ctx, chat.StartTask{InstanceID: o.id, FlowID: flow, Name: "later"})
		o.must(err)
		synctest.Wait()
		time.Sleep(10 * time.Second)
		o.must(o.app.chats.Pause(ctx, o.id, id))
		if err = o.app.chats.Pause(ctx, o.id, id); !errs.Is(err, errs.InvalidRequest) {
			t.Errorf("paused twice: %v", err)
		}
		o.available(ctx)
		time.Sleep(119 * time.Second)
		synctest.Wait()
		if list := o.app.chats.AgentContacts(o.id, o.agent); len(list) != 0 {
			t.Fatalf("a paused task is offered: %+v", list)
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if got, _ := o.accept(ctx); got != id {
			t.Fatalf("the agent accepted %s", got)
		}
		r := o.record(ctx, id)
		if r.LastResumedTimestamp.Sub(r.LastPausedTimestamp) != 2*time.Minute || r.Agent == nil {
			t.Errorf("the record is %+v", r)
		}
		if d := r.Queue.Duration(); d < 130*time.Second {
			t.Errorf("its place in line is of %s ago", d)
		}
		o.must(o.app.chats.Complete(ctx, o.id, id, o.agent))
	})
}

func TestTheDefaultQueueFlowHasNothingToWarnOfInAChat(t *testing.T) {
	inOffice(t, func(ctx context.Context, o *office) {
		flow := o.flow(ctx, "queue", ivr.TypeInbound,
			action("1", "UpdateContactTargetQueue", fmt.Sprintf(`{"QueueId":%q}`, o.queue), "2", "bye<-NoMatchingError"),
			action("2", "TransferContactToQueue", `{}`, "", "bye<-QueueAtCapacity", "bye<-NoMatchingError"),
			action("bye", "DisconnectParticipant", `{}`, ""))
		id, _ := o.start(ctx, chat.StartChat{FlowID: flow})
		time.Sleep(5 * time.Second)
		synctest.Wait()
		runs, _, err := o.app.db.Runs(ctx, ivr.RunQuery{InstanceID: o.id, ContactID: id, Failed: true}, resource.Page{})
		if err != nil || len(runs) != 0 {
			t.Errorf("failed: %+v %v", runs, err)
		}
	})
}

func TestChatsThatEndedLongAgoAreForgotten(t *testing.T) {
	inOffice(t, func(ctx context.Context, o *office) {
		flow := o.survey(ctx, "")
		id, who := o.start(ctx, chat.StartChat{FlowID: flow})
		up, err := o.app.chats.StartUpload(ctx, who, "a.txt", "text/plain", 2)
		o.must(err)
		o.must(o.app.chats.Receive(ctx, up.Token, strings.NewReader("hi")))
		o.must(o.app.chats.CompleteUpload(ctx, who, []string{up.AttachmentID}))
		o.must(o.app.chats.Leave(ctx, who))
		s, err := o.app.db.Chat(ctx, id)
		o.must(err)
		k := &chatKeeper{a: o.app, days: 30, done: map[string]time.Time{}}
		time.Sleep(time.Minute) // the transcript is written
		begun := s.Record.InitiationTimestamp
		for _, before := range []time.Time{begun, begun.Add(time.Second)} {
			if _, err = o.app.db.Chat(ctx, id); err != nil {
				t.Fatalf("forgotten too early: %v", err)
			}
			k.sweep(ctx) // it is not that old
			_, err = k.instance(ctx, o.id, before)
			o.must(err)
		}
		if _, err = o.app.db.Chat(ctx, id); !errs.Is(err, errs.NotFound) {
			t.Errorf("not forgotten: %v", err)
		}
		if _, _, err = o.app.blobs.Get(ctx, s.Attachments[0].Key); !errs.Is(err, errs.NotFound) {
			t.Errorf("the file is still there: %v", err)
		}
		r := o.record(ctx, id)
		if _, _, err = o.app.blobs.Get(ctx, r.Recordings[0].Location); err != nil {
			t.Errorf("the transcript is gone: %v", err)
		}
	})
}

func TestARecordCountsMessagesAndHowLongAnswersTook(t *testing.T) {
	inOffice(t, func(ctx context.Context, o *office) {
		flow := o.flow(ctx, "queue", ivr.TypeInbound,
			action("1", "MessageParticipant", `{"Text":"welcome"}`, "2", "bye<-NoMatchingError"),
			action("2", "UpdateContactTargetQueue", fmt.Sprintf(`{"QueueId":%q}`, o.queue), "3", "bye<-NoMatchingError"),
			action("3", "TransferContactToQueue", `{}`, "", "bye<-QueueAtCapacity", "bye<-NoMatchingError"),
			action("bye", "DisconnectParticipant", `{}`, ""))
		id, customer := o.start(ctx, chat.StartChat{FlowID: flow})
		o.say(ctx, customer, "anybody?") // nobody is there to answer yet
		o.available(ctx)
		_, agent := o.accept(ctx)
		time.Sleep(4 * time.Second)
		o.say(ctx, agent, "hello")
		time.Sleep(6 * time.Second)
		o.say(ctx, customer, "hi")
		time.Sleep(time.Second)
		o.say(ctx, customer, "a question")
		time.Sleep(9 * time.Second)
		o.say(ctx, agent, "an answer")
		o.say(ctx, agent, "and more")
		o.must(o.app.chats.Leave(ctx, customer))
		got := o.record(ctx, id).ChatMetrics
		want := contact.ChatMetrics{
			AgentMessages: 3, CustomerMessages: 3, BotMessages: 2, FirstAgentResponse: 4 * time.Second,
			TotalAgentResponse: 10 * time.Second, AgentResponses: 1, TotalCustomerResponse: 6 * time.Second, CustomerResponses: 1,
		}
		if got != nil {
			got.TotalAgentResponse, got.TotalCustomerResponse = got.TotalAgentResponse.Round(time.Second), got.TotalCustomerResponse.Round(time.Second)
		}
		if got == nil || *got != want { // by the second: what is said waits for its commit
			t.Errorf("counted %+v, want %+v", got, want)
		}
	})
}

func FuzzViewReply(f *testing.F) {
	f.Add(`{"templateType":"ViewResource","data":{"content":{"action":"Send","viewResultData":{"a":1}}}}`)
	f.Add(`{"Action":"x","data":[]}`)
	f.Fuzz(func(t *testing.T, text string) {
		reply, ok := readViewReply(text)
		if ok != (reply.Action != "") {
			t.Fatalf("%t with the action %q", ok, reply.Action)
		}
		var data map[string]any
		if ok && (json.Unmarshal(reply.Data, &data) != nil || data == nil) {
			t.Fatalf("the data are %s", reply.Data)
		}
	})
}
