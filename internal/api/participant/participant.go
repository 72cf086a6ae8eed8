package participant

import (
	"context"
	"errors"
	"io"
	"net/http"
	"time"

	"ullim/internal/api/rest"
	"ullim/internal/chat"
	"ullim/internal/errs"
	"ullim/internal/identity"
	"ullim/internal/view"
)

// Chats is what participants do. *chat.Manager implements it.
type Chats interface {
	Connect(ctx context.Context, participantToken string) (chat.Connection, error)
	Who(ctx context.Context, connectionToken string) (chat.Who, error)
	Say(ctx context.Context, w chat.Who, content, contentType, clientToken string) (chat.Said, error)
	Signal(ctx context.Context, w chat.Who, contentType, content string) (chat.Said, error)
	Leave(ctx context.Context, w chat.Who) error
	Page(ctx context.Context, w chat.Who, q chat.TranscriptQuery) (chat.TranscriptPage, error)
	Open(ctx context.Context, socketToken string) (*chat.Subscription, error)
	StartUpload(ctx context.Context, w chat.Who, name, contentType string, size int64) (chat.Upload, error)
	CompleteUpload(ctx context.Context, w chat.Who, ids []string) error
	Download(ctx context.Context, w chat.Who, attachmentID string, life time.Duration) (string, chat.Attachment, time.Time, error)
	Receive(ctx context.Context, uploadToken string, body io.Reader) error
	File(ctx context.Context, downloadToken string) (io.ReadCloser, chat.Attachment, error)
	View(ctx context.Context, w chat.Who, token string) (instanceID string, v chat.Shown, err error)
}

var _ Chats = (*chat.Manager)(nil)

// Options of the face. Chats is required.
type Options struct {
	Chats Chats
	// Views are what flows show; nil: none are found.
	Views view.Store
	// Origins are the web pages that may read answers, beside those of this host: hosts, or origins with scheme; "*": all.
	Origins []string
	// Requests a second of one participant, and at once after a pause; 0: 10 and 20.
	Rate, Burst float64
}

// service has the handlers.
type service struct {
	o      Options
	asks   *limiter // by participant
	wrongs *limiter // by address
}

// maxBody bounds the body of an operation: JSON of 12,000 characters, escaped.
const maxBody = 128 << 10

// newTable registers the operations.
func (s *service) table() *rest.Table {
	t := &rest.Table{Authenticate: s.authenticate, Faults: faultOf}
	// They are not audited: what people write to each other is in the transcript, not in the log.
	opts := []rest.Option{rest.ReadOnly, rest.Body(maxBody)}
	rest.Op(t, connectName, "POST", "/participant/connection", "", s.connect, opts...)
	rest.Op(t, "SendMessage", "POST", "/participant/message", "", s.sendMessage, opts...)
	rest.Op(t, "SendEvent", "POST", "/participant/event", "", s.sendEvent, opts...)
	rest.Op(t, "DisconnectParticipant", "POST", "/participant/disconnect", "", s.disconnect, opts...)
	rest.Op(t, "GetTranscript", "POST", "/participant/transcript", "", s.transcript, opts...)
	rest.Op(t, "StartAttachmentUpload", "POST", "/participant/start-attachment-upload", "", s.startUpload, opts...)
	rest.Op(t, "CompleteAttachmentUpload", "POST", "/participant/complete-attachment-upload", "", s.completeUpload, opts...)
	rest.Op(t, "GetAttachment", "POST", "/participant/attachment", "", s.attachment, opts...)
	rest.Op(t, "DescribeView", "GET", "/participant/views/{ViewToken}", "", s.describeView, opts...)
	return t
}

// connectName is the one operation whose token is the participant's, not the connection's.
const connectName = "CreateParticipantConnection"

// caller is who calls an operation.
type caller struct {
	token string // of connectName
	who   chat.Who
	base  func(scheme string) string // address of this server as the client used it
}

// authenticate tells who calls, by X-Amz-Bearer.
func (s *service) authenticate(o *rest.Operation, r *http.Request) (*identity.Principal, any, error) {
	source := identity.Source(r)
	token := r.Header.Get("X-Amz-Bearer")
	if token == "" {
		return nil, nil, errs.New(errs.Denied, "the header X-Amz-Bearer is missing")
	}
	c := &caller{token: token, base: func(scheme string) string { return baseOf(r, scheme) }}
	if o.Name == connectName {
		// It is looked at by the handler: it is another kind of token. Wrong ones are counted there.
		if !s.asks.take("c/" + source) {
			return nil, nil, errs.New(errs.Throttled, "too many connections from this address: wait a moment")
		}
		return &identity.Principal{Username: "participant"}, c, nil
	}
	var err error
	if c.who, err = s.o.Chats.Who(r.Context(), token); err != nil {
		return nil, nil, s.wrong(source, err)
	}
	if !s.asks.take(c.who.ParticipantID) {
		return nil, nil, errs.New(errs.Throttled, "too many requests: wait a moment")
	}
	return &identity.Principal{Username: "participant", UserID: c.who.ParticipantID}, c, nil
}

// wrong counts a wrong token against the address that it came from, and gives what is answered. A right one is never made
// to wait: it cannot be guessed, and others behind the same address must not lock it out.
func (s *service) wrong(source string, err error) error {
	if errs.Is(err, errs.Denied) && !s.wrongs.take(source) {
		return errs.New(errs.Throttled, "too many requests with a wrong token: wait a moment")
	}
	return err
}

func callerOf(c *rest.Call) (*caller, error) {
	if who, ok := c.Who.(*caller); ok {
		return who, nil
	}
	return nil, errors.New("participant: an operation without a caller")
}

type connectInput struct {
	Type               []string `json:"Type,omitempty"`
	ConnectParticipant bool     `json:"ConnectParticipant,omitempty"`
}

type websocketOutput struct {
	URL              string    `json:"Url"`
	ConnectionExpiry chat.Time `json:"ConnectionExpiry"`
}

type credentialsOutput struct {
	ConnectionToken string    `json:"ConnectionToken"`
	Expiry          chat.Time `json:"Expiry"`
}

type connectOutput struct {
	Websocket             *websocketOutput   `json:"Websocket,omitempty"`
	ConnectionCredentials *credentialsOutput `json:"ConnectionCredentials,omitempty"`
}

func (s *service) connect(ctx context.Context, c *rest.Call, in *connectInput) (*connectOutput, error) {
	me, err := callerOf(c)
	if err != nil {
		return nil, err
	}
	socket, credentials := false, false
	for _, t := range in.Type {
		switch t {
		case "WEBSOCKET":
			socket = true
		case "CONNECTION_CREDENTIALS":
			credentials = true
		default:
			return nil, errs.Field("Type", "must be WEBSOCKET or CONNECTION_CREDENTIALS; WebRTC is not for chats")
		}
	}
	if !socket && !credentials && !in.ConnectParticipant {
		return nil, errs.Field("Type", "must have WEBSOCKET or CONNECTION_CREDENTIALS, or ConnectParticipant must be true")
	}
	conn, err := s.o.Chats.Connect(ctx, me.token)
	if err != nil {
		return nil, s.wrong(c.Source, err)
	}
	out := &connectOutput{}
	if socket {
		out.Websocket = &websocketOutput{me.base("ws") + socketPath + conn.SocketToken, chat.Time{Time: conn.SocketExpires}}
	}
	if credentials {
		out.ConnectionCredentials = &credentialsOutput{conn.Token, chat.Time{Time: conn.Expires}}
	}
	return out, nil
}

type sendMessageInput struct {
	Content     string `json:"Content"`
	ContentType string `json:"ContentType"`
	ClientToken string `json:"ClientToken,omitempty"`
}

type saidOutput struct {
	ID           string    `json:"Id"`
	AbsoluteTime chat.Time `json:"AbsoluteTime"`
}

func (s *service) sendMessage(ctx context.Context, c *rest.Call, in *sendMessageInput) (*saidOutput, error) {
	me, err := callerOf(c)
	if err != nil {
		return nil, err
	}
	said, err := s.o.Chats.Say(ctx, me.who, in.Content, in.ContentType, in.ClientToken)
	if err != nil {
		return nil, err
	}
	return &saidOutput{said.ID, said.At}, nil
}

type sendEventInput struct {
	Content     string `json:"Content,omitempty"`
	ContentType string `json:"ContentType"`
	ClientToken string `json:"ClientToken,omitempty"`
}

func (s *service) sendEvent(ctx context.Context, c *rest.Call, in *sendEventInput) (*saidOutput, error) {
	me, err := callerOf(c)
	if err != nil {
		return nil, err
	}
	said, err := s.o.Chats.Signal(ctx, me.who, in.ContentType, in.Content)
	if err != nil {
		return nil, err
	}
	return &saidOutput{said.ID, said.At}, nil
}

type disconnectInput struct {
	ClientToken string `json:"ClientToken,omitempty"`
	SessionID   string `json:"SessionId,omitempty"`
}

func (s *service) disconnect(ctx context.Context, c *rest.Call, _ *disconnectInput) (*rest.Empty, error) {
	me, err := callerOf(c)
	if err != nil {
		return nil, err
	}
	return &rest.Empty{}, s.o.Chats.Leave(ctx, me.who)
}

type startPosition struct {
	ID           string `json:"Id,omitempty"`
	AbsoluteTime string `json:"AbsoluteTime,omitempty"`
	MostRecent   int    `json:"MostRecent,omitempty"`
}

type transcriptInput struct {
	ContactID     string         `json:"ContactId,omitempty"`
	MaxResults    int            `json:"MaxResults,omitempty"`
	NextToken     string         `json:"NextToken,omitempty"`
	ScanDirection string         `json:"ScanDirection,omitempty"`
	SortOrder     string         `json:"SortOrder,omitempty"`
	StartPosition *startPosition `json:"StartPosition,omitempty"`
}

type transcriptOutput struct {
	InitialContactID string      `json:"InitialContactId"`
	Transcript       []chat.Item `json:"Transcript"`
	NextToken        string      `json:"NextToken,omitempty"`
}

func (s *service) transcript(ctx context.Context, c *rest.Call, in *transcriptInput) (*transcriptOutput, error) {
	me, err := callerOf(c)
	if err != nil {
		return nil, err
	}
	q := chat.TranscriptQuery{
		ContactID: in.ContactID, Max: in.MaxResults, Token: in.NextToken, Forward: in.ScanDirection == "FORWARD",
		Ascending: in.SortOrder == "ASCENDING",
	}
	switch {
	case in.ScanDirection != "" && in.ScanDirection != "FORWARD" && in.ScanDirection != "BACKWARD":
		return nil, errs.Field("ScanDirection", "must be FORWARD or BACKWARD")
	case in.SortOrder != "" && in.SortOrder != "ASCENDING" && in.SortOrder != "DESCENDING":
		return nil, errs.Field("SortOrder", "must be ASCENDING or DESCENDING")
	}
	if p := in.StartPosition; p != nil {
		q.StartID, q.MostRecent = p.ID, p.MostRecent
		if p.AbsoluteTime != "" {
			if q.StartTime, err = chat.ParseTime(p.AbsoluteTime); err != nil {
				return nil, err
			}
		}
	}
	page, err := s.o.Chats.Page(ctx, me.who, q)
	if err != nil {
		return nil, err
	}
	out := &transcriptOutput{InitialContactID: page.InitialContactID, Transcript: page.Items, NextToken: page.Next}
	if out.Transcript == nil {
		out.Transcript = []chat.Item{}
	}
	return out, nil
}

type startUploadInput struct {
	AttachmentName        string `json:"AttachmentName"`
	AttachmentSizeInBytes int    `json:"AttachmentSizeInBytes"`
	ContentType           string `json:"ContentType"`
	ClientToken           string `json:"ClientToken,omitempty"`
}

type uploadMetadata struct {
	URL              string            `json:"Url"`
	URLExpiry        chat.Time         `json:"UrlExpiry"`
	HeadersToInclude map[string]string `json:"HeadersToInclude"`
}

type startUploadOutput struct {
	AttachmentID   string         `json:"AttachmentId"`
	UploadMetadata uploadMetadata `json:"UploadMetadata"`
}

func (s *service) startUpload(ctx context.Context, c *rest.Call, in *startUploadInput) (*startUploadOutput, error) {
	me, err := callerOf(c)
	if err != nil {
		return nil, err
	}
	up, err := s.o.Chats.StartUpload(ctx, me.who, in.AttachmentName, in.ContentType, int64(in.AttachmentSizeInBytes))
	if err != nil {
		return nil, err
	}
	return &startUploadOutput{up.AttachmentID, uploadMetadata{
		URL: me.base("http") + uploadPath + up.Token, URLExpiry: chat.Time{Time: up.Expires},
		HeadersToInclude: map[string]string{"Content-Type": in.ContentType},
	}}, nil
}

type completeUploadInput struct {
	AttachmentIDs []string `json:"AttachmentIds"`
	ClientToken   string   `json:"ClientToken,omitempty"`
}

func (s *service) completeUpload(ctx context.Context, c *rest.Call, in *completeUploadInput) (*rest.Empty, error) {
	me, err := callerOf(c)
	if err != nil {
		return nil, err
	}
	return &rest.Empty{}, s.o.Chats.CompleteUpload(ctx, me.who, in.AttachmentIDs)
}

type attachmentInput struct {
	AttachmentID       string `json:"AttachmentId"`
	URLExpiryInSeconds int    `json:"UrlExpiryInSeconds,omitempty"`
}

type attachmentOutput struct {
	URL                   string    `json:"Url"`
	URLExpiry             chat.Time `json:"UrlExpiry"`
	AttachmentSizeInBytes int64     `json:"AttachmentSizeInBytes"`
}

func (s *service) attachment(ctx context.Context, c *rest.Call, in *attachmentInput) (*attachmentOutput, error) {
	me, err := callerOf(c)
	if err != nil {
		return nil, err
	}
	if n := in.URLExpiryInSeconds; n != 0 && (n < 5 || n > 300) {
		return nil, errs.Field("UrlExpiryInSeconds", "must be 5 to 300")
	}
	token, a, expires, err := s.o.Chats.Download(ctx, me.who, in.AttachmentID, time.Duration(in.URLExpiryInSeconds)*time.Second)
	if err != nil {
		return nil, err
	}
	return &attachmentOutput{me.base("http") + filePath + token, chat.Time{Time: expires}, a.Size}, nil
}
