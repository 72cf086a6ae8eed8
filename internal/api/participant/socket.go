package participant

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"time"

	"github.com/coder/websocket"

	"ullim/internal/chat"
	"ullim/internal/identity"
)

// Bounds of a socket.
const (
	maxFrame       = 8 << 10
	subscribeWait  = 30 * time.Second // until the client says what it wants
	silence        = 2 * time.Minute  // without any frame of the client, which sends heartbeats every 10 s
	writeWait      = 10 * time.Second
	socketLifetime = 2 * time.Hour // clients open a new one every hour
	framesRate     = 5             // a second
	framesBurst    = 50
)

// Topics of frames.
const (
	topicSubscribe = "aws/subscribe"
	topicHeartbeat = "aws/heartbeat"
	topicPing      = "aws/ping"
	topicChat      = "aws/chat"
)

// frame is what comes from a client.
type frame struct {
	Topic   string          `json:"topic"`
	Content json.RawMessage `json:"content"`
}

// answer says what is sent back for a frame; nil for nothing. subscribe: it asks for the chat. What cannot be read, or has
// no topic that we know, is ignored, as the service does.
func answer(data []byte) (reply []byte, subscribe bool) {
	var f frame
	if len(data) > maxFrame || json.Unmarshal(data, &f) != nil {
		return nil, false
	}
	switch f.Topic {
	case topicHeartbeat:
		return []byte(`{"topic":"aws/heartbeat"}`), false
	case topicPing:
		return []byte(`{"topic":"aws/ping","statusCode":200,"statusContent":"OK"}`), false
	case topicSubscribe:
		var content struct {
			Topics []string `json:"topics"`
		}
		if json.Unmarshal(f.Content, &content) != nil || len(content.Topics) == 0 || len(content.Topics) > 20 {
			return []byte(`{"topic":"aws/subscribe","content":{"status":"failure","topics":[]}}`), false
		}
		ok := slices.Contains(content.Topics, topicChat)
		status := "failure"
		if ok {
			status = "success"
		}
		b, err := json.Marshal(map[string]any{
			"topic": topicSubscribe, "content": map[string]any{"status": status, "topics": content.Topics},
		})
		if err != nil {
			return nil, false
		}
		return b, ok
	}
	return nil, false
}

// itemFrame is an item on its way to a client: content is JSON in a string.
func itemFrame(it *chat.Item) ([]byte, error) {
	text, err := json.Marshal(it)
	if err != nil {
		return nil, err
	}
	return json.Marshal(map[string]string{"content": string(text), "contentType": "application/json", "topic": topicChat})
}

// socket serves one WebSocket.
func (s *service) socket(w http.ResponseWriter, r *http.Request, token string) {
	if origin := r.Header.Get("Origin"); origin != "" && !s.allowed(origin, r) {
		http.Error(w, "this page is not in chat.origins", http.StatusForbidden)
		return
	}
	if r.Header.Get("Upgrade") == "" { // the token is good for one use: it is not spent on what is no WebSocket
		http.Error(w, "this address is for a WebSocket", http.StatusUpgradeRequired)
		return
	}
	sub, err := s.o.Chats.Open(r.Context(), token)
	if err != nil {
		refuse(w, s.wrong(identity.Source(r), err))
		return
	}
	defer sub.Close()                                                                       //nolint:contextcheck // it is closed also when the request has ended
	conn, err := websocket.Accept(w, r, &websocket.AcceptOptions{InsecureSkipVerify: true}) // the origin was looked at above
	if err != nil {
		return // it has answered
	}
	defer func() { _ = conn.CloseNow() }()
	conn.SetReadLimit(maxFrame)
	ctx, cancel := context.WithTimeout(r.Context(), socketLifetime)
	defer cancel()
	serve(ctx, cancel, conn, sub)
}

// serve writes items and answers until either side is done. Reading has a goroutine of its own.
func serve(ctx context.Context, cancel context.CancelFunc, conn *websocket.Conn, sub *chat.Subscription) {
	replies := make(chan []byte, 8)
	subscribed := make(chan struct{})
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer cancel()
		listen(ctx, conn, replies, subscribed)
	}()
	defer func() { <-done }()
	defer cancel()
	items := (<-chan chat.Item)(nil) // none before they are asked for: they wait in the subscription
	asked := (<-chan struct{})(subscribed)
	for {
		var out []byte
		select {
		case <-ctx.Done():
			_ = conn.Close(websocket.StatusGoingAway, "")
			return
		case <-asked:
			items, asked = sub.Items, nil
			continue
		case out = <-replies:
		case it, ok := <-items:
			if !ok {
				_ = conn.Close(websocket.StatusNormalClosure, "")
				return
			}
			var err error
			if out, err = itemFrame(&it); err != nil {
				continue
			}
		}
		if send(ctx, conn, out) != nil {
			return
		}
	}
}

func send(ctx context.Context, conn *websocket.Conn, data []byte) error {
	ctx, cancel := context.WithTimeout(ctx, writeWait)
	defer cancel()
	return conn.Write(ctx, websocket.MessageText, data)
}

// listen reads frames and hands over what they are answered with.
func listen(ctx context.Context, conn *websocket.Conn, replies chan<- []byte, subscribed chan<- struct{}) {
	limit := newLimiter(framesRate, framesBurst)
	patience, first := subscribeWait, true
	for {
		readCtx, cancel := context.WithTimeout(ctx, patience)
		kind, data, err := conn.Read(readCtx)
		cancel()
		if err != nil || kind != websocket.MessageText || !limit.take("") {
			return
		}
		reply, wants := answer(data)
		if reply != nil {
			select {
			case replies <- reply:
			case <-ctx.Done():
				return
			}
		}
		if wants && first {
			first, patience = false, silence
			close(subscribed)
		}
	}
}
