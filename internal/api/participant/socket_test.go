package participant

import (
	"encoding/json"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"ullim/internal/chat"
)

func TestFramesAreAnsweredAsChatJSWantsIt(t *testing.T) {
	for _, row := range []struct {
		frame, want string
		subscribe   bool
	}{
		{`{"topic":"aws/subscribe","content":{"topics":["aws/chat"]}}`, `{"content":{"status":"success","topics":["aws/chat"]},"topic":"aws/subscribe"}`, true},
		{`{"topic":"aws/subscribe","content":{"topics":["other"]}}`, `{"content":{"status":"failure","topics":["other"]},"topic":"aws/subscribe"}`, false},
		{`{"topic":"aws/subscribe","content":"x"}`, `{"topic":"aws/subscribe","content":{"status":"failure","topics":[]}}`, false},
		{`{"topic":"aws/heartbeat"}`, `{"topic":"aws/heartbeat"}`, false},
		{`{"topic":"aws/ping"}`, `{"topic":"aws/ping","statusCode":200,"statusContent":"OK"}`, false},
		{`{"topic":"aws/other"}`, ``, false},
		{`{`, ``, false},
		{``, ``, false},
		{`[]`, ``, false},
		{`null`, ``, false},
		{`{"topic":"aws/ping","x":"` + strings.Repeat("y", maxFrame) + `"}`, ``, false},
	} {
		if got, sub := answer([]byte(row.frame)); string(got) != row.want || sub != row.subscribe {
			t.Errorf("%.80s is answered %s, %v", row.frame, got, sub)
		}
	}
}

// FuzzFrame: whatever comes, the answer is small JSON with a topic of ours.
func FuzzFrame(f *testing.F) {
	for _, s := range []string{
		`{"topic":"aws/subscribe","content":{"topics":["aws/chat"]}}`, `{"topic":"aws/heartbeat"}`, `{"topic":"aws/ping"}`, `{"topic":1}`, "\x00",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		reply, subscribe := answer(data)
		if reply == nil {
			if subscribe {
				t.Fatal("subscribed without an answer")
			}
			return
		}
		var got frame
		if err := json.Unmarshal(reply, &got); err != nil || !strings.HasPrefix(got.Topic, "aws/") || len(reply) > 8*maxFrame {
			t.Fatalf("%q is answered %q: %v", data, reply, err)
		}
	})
}

// FuzzItem: whatever somebody writes, its frame holds it, whole.
func FuzzItem(f *testing.F) {
	f.Add("hello", "김철수")
	f.Add("\u2028<script>\x01", "\xff")
	f.Fuzz(func(t *testing.T, content, name string) {
		if chat.CheckMessage(chat.Plain, content) != nil {
			return
		}
		it := chat.Item{Content: content, DisplayName: name, AbsoluteTime: chat.Time{Time: time.Unix(1, 0)}}
		b, err := itemFrame(&it)
		if err != nil {
			t.Fatal(err)
		}
		var outer struct{ Topic, Content, ContentType string }
		var inner chat.Item
		if json.Unmarshal(b, &outer) != nil || json.Unmarshal([]byte(outer.Content), &inner) != nil || inner.Content != content || outer.Topic != topicChat {
			t.Fatalf("%q became %s", content, b)
		}
	})
}

func TestALimiterForgetsWhoIsFullAndKeepsItsBound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLimiter(1, 2)
		l.most = 3
		for i, want := range []bool{true, true, false} {
			if l.take("a") != want {
				t.Errorf("take %d", i)
			}
		}
		l.take("b")
		l.take("c")
		if l.take("d") {
			t.Error("a fourth key was let in")
		}
		time.Sleep(2 * time.Second)
		if !l.take("d") || !l.take("a") {
			t.Error("those who are full were not forgotten")
		}
	})
}
