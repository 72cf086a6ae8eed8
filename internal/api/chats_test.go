package api_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsconnect "github.com/aws/aws-sdk-go-v2/service/connect"
	"github.com/aws/aws-sdk-go-v2/service/connect/types"
	"github.com/coder/websocket"

	"ullim/internal/chat"
)

// person is a participant of a chat, who speaks the protocol by hand.
type person struct {
	t           *testing.T
	base, token string // token of the connection
	socketURL   string
}

// post calls an operation of the participant service and gives status, error and body.
func (p *person) post(token, path string, body any) (int, string, []byte) {
	p.t.Helper()
	b, err := json.Marshal(body)
	must(p.t, err)
	req, err := http.NewRequestWithContext(p.t.Context(), http.MethodPost, p.base+path, bytes.NewReader(b))
	must(p.t, err)
	req.Header.Set("X-Amz-Bearer", token)
	resp, err := http.DefaultClient.Do(req)
	must(p.t, err)
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	must(p.t, err)
	return resp.StatusCode, resp.Header.Get("X-Amzn-Errortype"), answer
}

// call wants 200 and decodes the answer.
func (p *person) call(path string, body, into any) {
	p.t.Helper()
	status, name, answer := p.post(p.token, path, body)
	if status != http.StatusOK {
		p.t.Fatalf("%s: %d %s %s", path, status, name, answer)
	}
	if into != nil {
		must(p.t, json.Unmarshal(answer, into))
	}
}

// refused wants an error.
func (p *person) refused(want, path string, body any) {
	p.t.Helper()
	if status, name, answer := p.post(p.token, path, body); name != want {
		p.t.Errorf("%s: %d %s %s, want %s", path, status, name, answer, want)
	}
}

func (p *person) say(text string) (id string) {
	p.t.Helper()
	var out struct{ ID string }
	p.call("/participant/message", map[string]string{"ContentType": "text/plain", "Content": text}, &out)
	return out.ID
}

// connect takes a participant token.
func (w *world) connect(t *testing.T, participantToken string) *person {
	t.Helper()
	p := &person{t: t, base: w.server.URL, token: participantToken}
	var out struct {
		Websocket             struct{ URL, ConnectionExpiry string }
		ConnectionCredentials struct{ ConnectionToken, Expiry string }
	}
	p.call("/participant/connection", map[string]any{"Type": []string{"WEBSOCKET", "CONNECTION_CREDENTIALS"}, "ConnectParticipant": true}, &out)
	p.token, p.socketURL = out.ConnectionCredentials.ConnectionToken, out.Websocket.URL
	return p
}

// start begins a chat with the AWS SDK.
func (w *world) start(t *testing.T, change func(*awsconnect.StartChatContactInput)) *awsconnect.StartChatContactOutput {
	t.Helper()
	in := &awsconnect.StartChatContactInput{
		InstanceId: aws.String(ours), ContactFlowId: &w.flow, ParticipantDetails: &types.ParticipantDetails{DisplayName: aws.String("김철수")},
	}
	if change != nil {
		change(in)
	}
	out, err := w.client("admin").StartChatContact(t.Context(), in)
	must(t, err)
	return out
}

type page struct {
	InitialContactID string
	NextToken        string
	Transcript       []chat.Item
}

func (p *person) texts(query map[string]any) []string {
	p.t.Helper()
	var out page
	p.call("/participant/transcript", query, &out)
	var list []string
	for _, it := range out.Transcript {
		if it.Type == chat.TypeMessage {
			list = append(list, it.Content)
		}
	}
	return list
}

func TestACustomerChatsThroughTheParticipantService(t *testing.T) {
	w := newWorld(t)
	started := w.start(t, func(in *awsconnect.StartChatContactInput) {
		in.InitialMessage = &types.ChatMessage{Content: aws.String("안녕하세요"), ContentType: aws.String("text/plain")}
		in.Attributes = map[string]string{"plan": "gold"}
		in.ClientToken = aws.String("once")
	})
	again := w.start(t, func(in *awsconnect.StartChatContactInput) { in.ClientToken = aws.String("once") })
	if *again.ContactId != *started.ContactId || *again.ParticipantId != *started.ParticipantId {
		t.Fatalf("the same client token gave another chat: %s, %s", *started.ContactId, *again.ContactId)
	}
	p := w.connect(t, *started.ParticipantToken)
	conn, _, err := websocket.Dial(t.Context(), p.socketURL, nil)
	must(t, err)
	defer conn.CloseNow()
	exchange := func(frame, want string) {
		t.Helper()
		if frame != "" {
			must(t, conn.Write(t.Context(), websocket.MessageText, []byte(frame)))
		}
		_, got, readErr := conn.Read(t.Context())
		must(t, readErr)
		if !strings.Contains(string(got), want) {
			t.Fatalf("frame %s was answered with %s, want %s in it", frame, got, want)
		}
	}
	exchange(`{"topic":"aws/subscribe","content":{"topics":["aws/chat"]}}`, `"status":"success"`)
	exchange(`{"topic":"aws/heartbeat"}`, `aws/heartbeat`)
	exchange(`{"topic":"aws/ping"}`, `"statusCode":200`)
	id := p.say("무엇을 도와드릴까요?")
	exchange("", id)

	if got := p.texts(map[string]any{"SortOrder": "ASCENDING"}); !slices.Equal(got, []string{"안녕하세요", "무엇을 도와드릴까요?"}) {
		t.Errorf("transcript is %q", got)
	}
	p.call("/participant/event", map[string]string{"ContentType": chat.EventTyping}, nil) // for the others
	p.base += "/participant"                                                              // a client with BASE/participant as its endpoint
	p.say("again")
	exchange("", "again")
	p.call("/participant/disconnect", map[string]string{}, nil)
	exchange("", "participant.left")
	exchange("", "chat.ended")
	if _, _, err = conn.Read(t.Context()); websocket.CloseStatus(err) != websocket.StatusNormalClosure {
		t.Errorf("the socket of an ended chat: %v", err)
	}
	p.refused("AccessDeniedException", "/participant/message", map[string]string{"ContentType": "text/plain", "Content": "late"})
	if n := len(p.texts(map[string]any{})); n != 3 {
		t.Errorf("the transcript of an ended chat has %d messages", n)
	}
}

func TestTheTranscriptIsReadInPagesAndFromAnyPlace(t *testing.T) {
	w := newWorld(t)
	p := w.connect(t, *w.start(t, nil).ParticipantToken)
	var ids []string
	for i := range 12 {
		ids = append(ids, p.say(fmt.Sprint("m", i)))
	}
	want := func(query map[string]any, want ...string) {
		t.Helper()
		if got := p.texts(query); !slices.Equal(got, want) {
			t.Errorf("%v gives %q, want %q", query, got, want)
		}
	}
	want(map[string]any{"MaxResults": 2}, "m11", "m10")
	want(map[string]any{"MaxResults": 2, "SortOrder": "ASCENDING"}, "m10", "m11")
	want(map[string]any{"MaxResults": 3, "ScanDirection": "FORWARD", "SortOrder": "ASCENDING", "StartPosition": map[string]any{"Id": ids[4]}}, "m4", "m5", "m6")
	want(map[string]any{"MaxResults": 2, "ScanDirection": "BACKWARD", "StartPosition": map[string]any{"Id": ids[4]}}, "m4", "m3")
	want(map[string]any{"MaxResults": 1, "StartPosition": map[string]any{"MostRecent": 3}}, "m9")
	want(map[string]any{"StartPosition": map[string]any{"AbsoluteTime": "2001-01-01T00:00:00.000Z"}})
	want(map[string]any{"MaxResults": 2, "ScanDirection": "FORWARD", "SortOrder": "ASCENDING", "StartPosition": map[string]any{"AbsoluteTime": "2001-01-01T00:00:00.000Z"}}, "m0")

	var seen []string
	for token := ""; ; {
		var out page
		p.call("/participant/transcript", map[string]any{"MaxResults": 5, "NextToken": token}, &out)
		for _, it := range out.Transcript {
			seen = append(seen, it.ID)
		}
		if token = out.NextToken; token == "" {
			break
		}
	}
	if len(seen) != 13 || len(slices.Compact(slices.Sorted(slices.Values(seen)))) != 13 { // and one who joined
		t.Errorf("pages gave %d items", len(seen))
	}
	for _, bad := range []map[string]any{
		{"MaxResults": 101},
		{"MaxResults": -1},
		{"ScanDirection": "UP"},
		{"SortOrder": "x"},
		{"NextToken": "x"},
		{"StartPosition": map[string]any{"Id": ids[0], "MostRecent": 2}},
		{"StartPosition": map[string]any{"Id": "none"}},
		{"StartPosition": map[string]any{"AbsoluteTime": "yesterday"}},
	} {
		p.refused("ValidationException", "/participant/transcript", bad)
	}
}

func TestWhatAParticipantMayNotDo(t *testing.T) {
	w := newWorld(t)
	started := w.start(t, nil)
	p := w.connect(t, *started.ParticipantToken)
	text := func(kind, content string) map[string]string {
		return map[string]string{"ContentType": kind, "Content": content}
	}
	p.refused("ValidationException", "/participant/message", text("text/plain", strings.Repeat("가", 1025)))
	p.refused("ValidationException", "/participant/message", text("text/html", "<b>"))
	p.refused("ValidationException", "/participant/message", text("application/json", "{"))
	p.refused("ValidationException", "/participant/event", text(chat.EventRead, "{}"))
	p.refused("ValidationException", "/participant/start-attachment-upload", map[string]any{"AttachmentName": "a.exe", "AttachmentSizeInBytes": 1, "ContentType": "text/plain"})
	p.refused("ValidationException", "/participant/start-attachment-upload", map[string]any{"AttachmentName": "a.pdf", "AttachmentSizeInBytes": 20<<20 + 1, "ContentType": "application/pdf"})
	p.refused("ResourceNotFoundException", "/participant/attachment", map[string]any{"AttachmentId": "none"})
	for _, token := range []string{"", "x", *started.ParticipantToken, strings.Repeat("A", 43)} {
		if _, name, _ := p.post(token, "/participant/message", text("text/plain", "hello")); name != "AccessDeniedException" {
			t.Errorf("token %q: %s", token, name)
		}
	}
	if _, name, _ := p.post(p.token, "/participant/connection", map[string]any{"Type": []string{"WEBSOCKET"}}); name != "AccessDeniedException" {
		t.Errorf("a connection token connects again: %s", name)
	}
	// The socket's token is good once.
	conn, _, err := websocket.Dial(t.Context(), p.socketURL, nil)
	must(t, err)
	defer conn.CloseNow()
	if _, resp, dialErr := websocket.Dial(t.Context(), p.socketURL, nil); dialErr == nil || resp.StatusCode != http.StatusForbidden {
		t.Errorf("a socket was opened twice by one token: %v", dialErr)
	}
}

func TestAFileGoesFromOneParticipantToTheOthers(t *testing.T) {
	w := newWorld(t)
	p := w.connect(t, *w.start(t, nil).ParticipantToken)
	data := []byte("%PDF-1.7 not really")
	var up struct {
		AttachmentID   string
		UploadMetadata struct {
			URL              string
			HeadersToInclude map[string]string
		}
	}
	file := map[string]any{"AttachmentName": "영수증.pdf", "AttachmentSizeInBytes": len(data), "ContentType": "application/pdf"}
	p.call("/participant/start-attachment-upload", file, &up)
	complete := map[string]any{"AttachmentIds": []string{up.AttachmentID}}
	p.refused("ConflictException", "/participant/complete-attachment-upload", complete)
	put := func(body []byte) int {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, up.UploadMetadata.URL, bytes.NewReader(body))
		must(t, err)
		resp, err := http.DefaultClient.Do(req)
		must(t, err)
		defer resp.Body.Close()
		return resp.StatusCode
	}
	if got := put(append(data, 'x')); got != http.StatusBadRequest {
		t.Errorf("a file that is longer than announced: %d", got)
	}
	if got := put(data); got != http.StatusOK {
		t.Fatalf("upload: %d", got)
	}
	p.call("/participant/complete-attachment-upload", complete, nil)
	var at struct {
		URL                   string
		AttachmentSizeInBytes int
	}
	p.call("/participant/attachment", map[string]any{"AttachmentId": up.AttachmentID, "UrlExpiryInSeconds": 60}, &at)
	resp, err := http.Get(at.URL)
	must(t, err)
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	must(t, err)
	if !bytes.Equal(got, data) || at.AttachmentSizeInBytes != len(data) || !strings.HasPrefix(resp.Header.Get("Content-Disposition"), "attachment") {
		t.Errorf("the file came back as %d bytes, %v", len(got), resp.Header)
	}
	var out page
	p.call("/participant/transcript", map[string]any{"MaxResults": 1}, &out)
	if it := out.Transcript[0]; it.Type != chat.TypeAttachment || it.Attachments[0].AttachmentName != "영수증.pdf" || it.Attachments[0].Status != "APPROVED" {
		t.Errorf("the item is %+v", it)
	}
}

func TestOnlyConfiguredPagesReadAnswers(t *testing.T) {
	w := newWorld(t)
	for origin, allowed := range map[string]bool{
		"https://www.example.com": true, "https://evil.example.net": false, "https://www.example.com.evil.net": false, "null": false, w.server.URL: true,
	} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodOptions, w.server.URL+"/participant/message", http.NoBody)
		must(t, err)
		req.Header.Set("Origin", origin)
		resp, err := http.DefaultClient.Do(req)
		must(t, err)
		resp.Body.Close()
		if got := resp.Header.Get("Access-Control-Allow-Origin") == origin; got != allowed || resp.StatusCode != http.StatusNoContent {
			t.Errorf("page %s: %v, %d", origin, got, resp.StatusCode)
		}
	}
}

func TestAPersistentChatShowsWhatWasSaidBefore(t *testing.T) {
	w := newWorld(t)
	first := w.start(t, nil)
	p := w.connect(t, *first.ParticipantToken)
	p.say("before")
	source := func(in *awsconnect.StartChatContactInput) {
		in.PersistentChat = &types.PersistentChat{RehydrationType: types.RehydrationTypeEntirePastSession, SourceContactId: first.ContactId}
	}
	if _, err := w.client("admin").StartChatContact(t.Context(), func() *awsconnect.StartChatContactInput {
		in := &awsconnect.StartChatContactInput{
			InstanceId: aws.String(ours), ContactFlowId: &w.flow, ParticipantDetails: &types.ParticipantDetails{DisplayName: aws.String("d")},
		}
		source(in)
		return in
	}()); err == nil {
		t.Error("a chat goes on from one that has not ended")
	}
	p.call("/participant/disconnect", map[string]string{}, nil)
	second := w.start(t, source)
	if aws.ToString(second.ContinuedFromContactId) != *first.ContactId {
		t.Errorf("continued from %s", aws.ToString(second.ContinuedFromContactId))
	}
	q := w.connect(t, *second.ParticipantToken)
	q.say("after")
	if got := q.texts(map[string]any{"MaxResults": 100, "SortOrder": "ASCENDING"}); !slices.Equal(got, []string{"before", "after"}) {
		t.Errorf("the transcript is %q", got)
	}
	if got := q.texts(map[string]any{"MaxResults": 100, "ContactId": *first.ContactId}); !slices.Equal(got, []string{"before"}) {
		t.Errorf("the transcript of the first contact is %q", got)
	}
}

func TestChatsAndTasksThroughTheConnectAPI(t *testing.T) {
	w := newWorld(t)
	c, ctx := w.client("admin"), t.Context()
	started := w.start(t, func(in *awsconnect.StartChatContactInput) { in.ChatDurationInMinutes = aws.Int32(60) })
	bot, err := c.CreateParticipant(ctx, &awsconnect.CreateParticipantInput{
		InstanceId: aws.String(ours), ContactId: started.ContactId,
		ParticipantDetails: &types.ParticipantDetailsToAdd{ParticipantRole: types.ParticipantRoleCustomBot, DisplayName: aws.String("봇")},
	})
	must(t, err)
	customer := w.connect(t, *started.ParticipantToken)
	helper := w.connect(t, *bot.ParticipantCredentials.ParticipantToken)
	id := helper.say("I am a machine")
	customer.call("/participant/event", map[string]string{"ContentType": chat.EventRead, "Content": `{"messageId":"` + id + `"}`}, nil)
	var out page
	helper.call("/participant/transcript", map[string]any{"MaxResults": 1}, &out)
	if m := out.Transcript[0].MessageMetadata; m == nil || len(m.Receipts) != 1 || m.Receipts[0].RecipientParticipantID != *started.ParticipantId || m.Receipts[0].ReadTimestamp.IsZero() {
		t.Errorf("the receipt is %+v", m)
	}
	timers := func(minutes int32) error {
		_, err = c.UpdateParticipantRoleConfig(ctx, &awsconnect.UpdateParticipantRoleConfigInput{
			InstanceId: aws.String(ours), ContactId: started.ContactId,
			ChannelConfiguration: &types.UpdateParticipantRoleConfigChannelInfoMemberChat{Value: types.ChatParticipantRoleConfig{
				ParticipantTimerConfigList: []types.ParticipantTimerConfiguration{{
					ParticipantRole: types.TimerEligibleParticipantRolesCustomer, TimerType: types.ParticipantTimerTypeIdle,
					TimerValue: &types.ParticipantTimerValueMemberParticipantTimerDurationInMinutes{Value: minutes},
				}},
			}},
		})
		return err
	}
	must(t, timers(2))
	wantCode(t, timers(1), "InvalidParameterException")
	for _, minutes := range []int32{59, 10081} {
		_, err = c.StartChatContact(ctx, &awsconnect.StartChatContactInput{
			InstanceId: aws.String(ours), ContactFlowId: &w.flow, ParticipantDetails: &types.ParticipantDetails{DisplayName: aws.String("d")}, ChatDurationInMinutes: &minutes,
		})
		wantCode(t, err, "InvalidParameterException")
	}
	_, err = c.StopContact(ctx, &awsconnect.StopContactInput{InstanceId: aws.String(ours), ContactId: started.ContactId})
	must(t, err)
	customer.refused("AccessDeniedException", "/participant/message", map[string]string{"ContentType": "text/plain", "Content": "late"})

	task, err := c.StartTaskContact(ctx, &awsconnect.StartTaskContactInput{
		InstanceId: aws.String(ours), ContactFlowId: &w.flow, Name: aws.String("Call back"), ScheduledTime: aws.Time(time.Now().Add(time.Hour)),
		References: map[string]types.Reference{"page": {Type: types.ReferenceTypeUrl, Value: aws.String("https://example.com")}},
	})
	must(t, err)
	_, err = c.PauseContact(ctx, &awsconnect.PauseContactInput{InstanceId: aws.String(ours), ContactId: task.ContactId})
	wantCode(t, err, "InvalidRequestException") // it has not begun
	_, err = c.ResumeContact(ctx, &awsconnect.ResumeContactInput{InstanceId: aws.String(ours), ContactId: task.ContactId})
	wantCode(t, err, "InvalidRequestException")
	now, err := c.StartTaskContact(ctx, &awsconnect.StartTaskContactInput{InstanceId: aws.String(ours), ContactFlowId: &w.flow, Name: aws.String("Now")})
	must(t, err)
	for w.o.Connect.Chats.Pause(ctx, ours, *now.ContactId) != nil { // until its flow has begun
		time.Sleep(time.Millisecond)
	}
	_, err = c.PauseContact(ctx, &awsconnect.PauseContactInput{InstanceId: aws.String(ours), ContactId: now.ContactId})
	wantCode(t, err, "InvalidRequestException") // paused already
	_, err = c.ResumeContact(ctx, &awsconnect.ResumeContactInput{InstanceId: aws.String(ours), ContactId: now.ContactId})
	must(t, err)
	_, err = c.StopContact(ctx, &awsconnect.StopContactInput{InstanceId: aws.String(ours), ContactId: task.ContactId})
	must(t, err)
	_, err = c.StopContact(ctx, &awsconnect.StopContactInput{InstanceId: aws.String(ours), ContactId: aws.String("none")})
	wantCode(t, err, "ResourceNotFoundException")
}

func TestAParticipantWhoHurriesIsSlowedDown(t *testing.T) {
	w := newWorld(t)
	p := w.connect(t, *w.start(t, nil).ParticipantToken)
	for range 100 {
		if _, name, _ := p.post(p.token, "/participant/event", map[string]string{"ContentType": chat.EventTyping}); name == "ThrottlingException" {
			return
		}
	}
	t.Error("a hundred events at once were all taken")
}
