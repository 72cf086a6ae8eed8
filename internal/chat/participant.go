package chat

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"io"
	"math"
	"slices"
	"time"

	"ullim/internal/errs"
)

// Connection is what a participant needs to take part.
type Connection struct {
	Token         string // for all other operations
	Expires       time.Time
	SocketToken   string // opens a WebSocket once
	SocketExpires time.Time
}

// Connect lets a participant take part, by the token that they were given.
func (m *Manager) Connect(ctx context.Context, participantToken string) (Connection, error) {
	t, err := m.token(ctx, participantToken, TokenParticipant)
	if err != nil {
		return Connection{}, err
	}
	a := m.chat(t.ChatID)
	if a == nil {
		return Connection{}, errEnded()
	}
	if _, err = a.ask(ctx, Event{Kind: EvConnected, ParticipantID: t.ParticipantID}); err != nil {
		return Connection{}, err
	}
	now := time.Now()
	c := Connection{Expires: now.Add(connectionLife), SocketExpires: now.Add(socketLife)}
	if t.Expires.Before(c.Expires) {
		c.Expires = t.Expires
	}
	c.Token, err = m.newToken(ctx, Token{Kind: TokenConnection, ChatID: t.ChatID, ParticipantID: t.ParticipantID, Expires: c.Expires})
	if err != nil {
		return Connection{}, err
	}
	c.SocketToken, err = m.newToken(ctx, Token{Kind: TokenSocket, ChatID: t.ChatID, ParticipantID: t.ParticipantID, Expires: c.SocketExpires})
	return c, err
}

// Who is a participant, as a token says.
type Who struct {
	ChatID, ParticipantID string
	a                     *actor // nil: the chat has ended
}

// Who finds the participant of a connection token.
func (m *Manager) Who(ctx context.Context, connectionToken string) (Who, error) {
	t, err := m.token(ctx, connectionToken, TokenConnection)
	if err != nil {
		return Who{}, err
	}
	return Who{t.ChatID, t.ParticipantID, m.chat(t.ChatID)}, nil
}

func (w Who) ask(ctx context.Context, e Event) (Effects, error) {
	if w.a == nil {
		return Effects{}, errEnded()
	}
	e.ParticipantID = w.ParticipantID
	return w.a.ask(ctx, e)
}

// Said is an item that a participant has brought about.
type Said struct {
	ID string
	At Time
}

// Say sends a message. It is stored when Say returns, and said once for each client token.
func (m *Manager) Say(ctx context.Context, w Who, content, contentType, clientToken string) (Said, error) {
	if len(clientToken) > 500 {
		return Said{}, errs.Field("ClientToken", "must have at most 500 characters")
	}
	content, contentType, err := m.processed(ctx, w, content, contentType)
	if err != nil {
		return Said{}, err
	}
	fx, err := w.ask(ctx, Event{Kind: EvMessage, Content: content, ContentType: contentType, ClientToken: clientToken})
	return Said{fx.ItemID, fx.At}, err
}

// Signal sends an event: typing, or a receipt.
func (m *Manager) Signal(ctx context.Context, w Who, contentType, content string) (Said, error) {
	fx, err := w.ask(ctx, Event{Kind: EvEvent, Content: content, ContentType: contentType})
	return Said{fx.ItemID, fx.At}, err
}

// Leave is a participant who goes.
func (m *Manager) Leave(ctx context.Context, w Who) error {
	_, err := w.ask(ctx, Event{Kind: EvLeave})
	return err
}

// Subscription is an open socket: the items for one participant, as they happen. Items is closed when the chat has ended,
// the participant has left, a sixth socket was opened, or the socket did not keep up.
type Subscription struct {
	Items <-chan Item

	items         chan Item
	participantID string
	role          Role
	a             *actor
}

// Open opens a socket by its token.
func (m *Manager) Open(ctx context.Context, socketToken string) (*Subscription, error) {
	t, err := m.token(ctx, socketToken, TokenSocket)
	if err != nil {
		return nil, err
	}
	a := m.chat(t.ChatID)
	if a == nil {
		return nil, errEnded()
	}
	s := &Subscription{items: make(chan Item, socketRoom), participantID: t.ParticipantID, a: a}
	s.Items = s.items
	err = a.look(ctx, func(a *actor) error { return a.subscribe(s) })
	if err != nil {
		return nil, err
	}
	m.counts.Sockets.Add(1)
	return s, nil
}

func (a *actor) subscribe(s *Subscription) error {
	p := a.state.Participant(s.participantID)
	if p == nil || !p.Present() {
		return errs.New(errs.Denied, "the participant is not in the chat any more")
	}
	s.role = p.Role
	first, n := -1, 0
	for i, o := range a.subs {
		if o.participantID == s.participantID {
			if first < 0 {
				first = i
			}
			n++
		}
	}
	if n >= maxSockets {
		a.drop(first)
	}
	a.subs = append(a.subs, s)
	if p.Role == Customer && n == 0 {
		a.typed.back()
	}
	return nil
}

// Close ends a subscription. Safe twice.
func (s *Subscription) Close() {
	ctx, cancel := context.WithTimeout(context.Background(), commitTime)
	defer cancel()
	_ = s.a.look(ctx, func(a *actor) error { // an actor that has ended has closed it already
		if i := slices.Index(a.subs, s); i >= 0 {
			a.drop(i)
		}
		return nil
	})
}

// TranscriptQuery asks for a page of what was said.
type TranscriptQuery struct {
	ContactID  string // only this segment; empty: everything that the participant may see
	Max        int    // 0: 10; at most 100
	Forward    bool   // the scan goes from older to newer
	Ascending  bool   // the page is sorted from older to newer
	Token      string // NextToken of the page before
	StartID    string // at most one of the three
	StartTime  time.Time
	MostRecent int // the n-th newest item
}

// TranscriptPage is a page of it.
type TranscriptPage struct {
	InitialContactID string
	Items            []Item
	Next             string
}

// Page reads a page of the transcript, also when the chat has ended.
func (m *Manager) Page(ctx context.Context, w Who, q TranscriptQuery) (TranscriptPage, error) {
	s, err := m.stateOf(ctx, w)
	if err != nil {
		return TranscriptPage{}, err
	}
	p := s.Participant(w.ParticipantID)
	if p == nil {
		return TranscriptPage{}, errs.New(errs.Denied, "the participant is not in the chat")
	}
	if q.Max == 0 {
		q.Max = 10
	}
	if q.Max < 1 || q.Max > 100 {
		return TranscriptPage{}, errs.Field("MaxResults", "must be 0 to 100")
	}
	iq := ItemQuery{Sources: s.sources(q.ContactID), Role: p.Role, Backward: !q.Forward, Limit: q.Max + 1}
	if iq.From, iq.Inclusive, err = m.start(ctx, iq, q); err != nil {
		return TranscriptPage{}, err
	}
	items, err := m.o.Store.ChatItems(ctx, iq)
	if err != nil {
		return TranscriptPage{}, err
	}
	out := TranscriptPage{InitialContactID: s.ID}
	if len(items) > q.Max {
		items = items[:q.Max]
		out.Next = placeOf(&items[q.Max-1]).token()
	}
	if q.Ascending == iq.Backward {
		slices.Reverse(items)
	}
	out.Items = items
	return out, nil
}

func (m *Manager) stateOf(ctx context.Context, w Who) (*State, error) {
	if w.a != nil {
		return w.a.snap.Load(), nil
	}
	return m.o.Store.Chat(ctx, w.ChatID)
}

// sources are the chats whose items a transcript shows.
func (s *State) sources(contactID string) []Source {
	var list []Source
	for i, id := range s.Sources {
		src := Source{ChatID: id, ContactID: contactID}
		if i == len(s.Sources)-1 && s.SourceSegment != "" {
			if contactID != "" && contactID != s.SourceSegment {
				continue
			}
			src.ContactID = s.SourceSegment
		}
		list = append(list, src)
	}
	return append(list, Source{ChatID: s.ID, ContactID: contactID})
}

// start is where a page begins.
func (m *Manager) start(ctx context.Context, iq ItemQuery, q TranscriptQuery) (from *Place, inclusive bool, err error) {
	given := 0
	for _, is := range []bool{q.StartID != "", !q.StartTime.IsZero(), q.MostRecent != 0} {
		if is {
			given++
		}
	}
	switch {
	case q.Token != "":
		from, err = parsePlace(q.Token)
		return from, false, err
	case given > 1:
		return nil, false, errs.Field("StartPosition", "must have at most one of Id, AbsoluteTime and MostRecent")
	case q.StartID != "":
		for _, src := range iq.Sources {
			it, findErr := m.o.Store.ChatItem(ctx, src.ChatID, q.StartID)
			if findErr == nil {
				return placeOf(&it), true, nil
			}
			if !errs.Is(findErr, errs.NotFound) {
				return nil, false, findErr
			}
		}
		return nil, false, errs.Field("StartPosition.Id", "names no item of this chat")
	case !q.StartTime.IsZero() && q.Forward:
		return &Place{At: q.StartTime}, false, nil
	case !q.StartTime.IsZero():
		return &Place{At: q.StartTime, Seq: math.MaxInt64}, false, nil
	case q.MostRecent < 0 || q.MostRecent > 100:
		return nil, false, errs.Field("StartPosition.MostRecent", "must be 0 to 100")
	case q.MostRecent > 0:
		iq.Backward, iq.Limit = true, q.MostRecent
		items, readErr := m.o.Store.ChatItems(ctx, iq)
		if readErr != nil || len(items) == 0 {
			return nil, false, readErr
		}
		return placeOf(&items[len(items)-1]), true, nil
	}
	return nil, false, nil
}

// token is a place as clients carry it. A forged one only moves the place within what its bearer may see anyway.
func (p *Place) token() string {
	b, err := json.Marshal(p)
	if err != nil {
		return "" // a time, a number and a string always encode
	}
	return base64.RawURLEncoding.EncodeToString(b)
}

func parsePlace(token string) (*Place, error) {
	bad := errs.Field("NextToken", "is not a token that this operation gave")
	if len(token) > 1000 {
		return nil, bad
	}
	b, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil {
		return nil, bad
	}
	var p Place
	if json.Unmarshal(b, &p) != nil || p.At.IsZero() || p.Seq < 0 {
		return nil, bad
	}
	return &p, nil
}

// Upload is where a file is to be sent.
type Upload struct {
	AttachmentID, Token string
	Expires             time.Time
}

// StartUpload announces a file.
func (m *Manager) StartUpload(ctx context.Context, w Who, name, contentType string, size int64) (Upload, error) {
	if w.a == nil {
		return Upload{}, errEnded()
	}
	s := w.a.snap.Load()
	id := m.o.NewID()
	at := Attachment{
		ID: id, Name: name, ContentType: contentType, Size: size,
		Key: "connect/" + s.Alias + "/Attachments/chat/" + time.Now().UTC().Format("2006/01/02") + "/" + s.ID + "/" + id,
	}
	if _, err := w.ask(ctx, Event{Kind: EvUpload, Attachment: &at}); err != nil {
		return Upload{}, err
	}
	u := Upload{AttachmentID: id, Expires: time.Now().Add(uploadLife)}
	var err error
	u.Token, err = m.newToken(ctx, Token{Kind: TokenUpload, ChatID: w.ChatID, ParticipantID: w.ParticipantID, Subject: id, Expires: u.Expires})
	return u, err
}

// Receive takes the bytes of a file. They lie in the blob store when it returns.
func (m *Manager) Receive(ctx context.Context, uploadToken string, body io.Reader) error {
	t, err := m.token(ctx, uploadToken, TokenUpload)
	if err != nil {
		return err
	}
	a := m.chat(t.ChatID)
	if a == nil {
		return errEnded()
	}
	at := a.snap.Load().Attachment(t.Subject)
	if at == nil || at.Completed {
		return errs.New(errs.Denied, "the attachment is not awaited")
	}
	select {
	case m.uploads <- struct{}{}:
		defer func() { <-m.uploads }()
	case <-ctx.Done():
		return errs.Wrap(ctx.Err(), errs.Throttled, "too many uploads at once")
	}
	data, err := io.ReadAll(io.LimitReader(body, at.Size+1))
	if err != nil {
		return errs.Wrap(err, errs.InvalidRequest, "the upload was cut off")
	}
	if int64(len(data)) != at.Size {
		return errs.Field("AttachmentSizeInBytes", "was %d, and another number of bytes came", at.Size)
	}
	sum := sha256.Sum256(data)
	if err = m.o.Blobs.Put(ctx, at.Key, bytes.NewReader(data), at.Size, hex.EncodeToString(sum[:])); err != nil {
		return errs.Wrap(err, errs.Unavailable, "the file could not be stored")
	}
	_, err = a.ask(ctx, Event{Kind: EvUploaded, Attachment: &Attachment{ID: at.ID}})
	return err
}

// CompleteUpload shows a file to everybody.
func (m *Manager) CompleteUpload(ctx context.Context, w Who, ids []string) error {
	_, err := w.ask(ctx, Event{Kind: EvComplete, IDs: ids})
	return err
}

// Download is a token for a file, for a while.
func (m *Manager) Download(ctx context.Context, w Who, attachmentID string, life time.Duration) (token string, a Attachment, expires time.Time, err error) {
	s, err := m.stateOf(ctx, w)
	if err != nil {
		return "", a, expires, err
	}
	at := s.Attachment(attachmentID)
	if at == nil || !at.Completed {
		return "", a, expires, errs.New(errs.NotFound, "there is no such attachment")
	}
	if life <= 0 || life > downloadLife {
		life = downloadLife
	}
	expires = time.Now().Add(life)
	token, err = m.newToken(ctx, Token{Kind: TokenDownload, ChatID: w.ChatID, ParticipantID: w.ParticipantID, Subject: attachmentID, Expires: expires})
	return token, *at, expires, err
}

// File opens a file by its token.
func (m *Manager) File(ctx context.Context, downloadToken string) (io.ReadCloser, Attachment, error) {
	t, err := m.token(ctx, downloadToken, TokenDownload)
	if err != nil {
		return nil, Attachment{}, err
	}
	s, err := m.stateOf(ctx, Who{ChatID: t.ChatID, a: m.chat(t.ChatID)})
	if err != nil {
		return nil, Attachment{}, err
	}
	at := s.Attachment(t.Subject)
	if at == nil {
		return nil, Attachment{}, errs.New(errs.NotFound, "there is no such attachment")
	}
	body, _, err := m.o.Blobs.Open(ctx, at.Key)
	return body, *at, err
}
