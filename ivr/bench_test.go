package ivr

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"ullim/internal/resource"
)

// longFlow is a flow of n actions of the usual sorts: menus, messages, attributes, comparisons, queues.
func longFlow(n int) string {
	actions := make([]string, 0, n)
	for i := 0; len(actions) < n-1; i++ {
		id := func(k int) string { return fmt.Sprintf("step %d.%d", i, k) }
		next := fmt.Sprintf("step %d.1", i+1)
		if len(actions)+5 > n-1 {
			for len(actions) < n-1 { // the rest is plain
				k := len(actions)
				actions = append(actions, mark(fmt.Sprint("rest ", k), fmt.Sprint("rest ", k+1)))
			}
			last := fmt.Sprint("rest ", n-1)
			actions = append(actions, act(last, "DisconnectParticipant", ""))
			actions[0] = strings.ReplaceAll(actions[0], "!none", last)
			break
		}
		if len(actions)+10 > n-1 {
			next = fmt.Sprint("rest ", len(actions)+5)
		}
		actions = append(actions,
			act(id(1), "GetParticipantInput", `"Text":"Press 1 for $.Attributes.product, press 2 for anything else","InputTimeLimitSeconds":"8"`,
				"=1>"+id(2), "=2>"+id(3), "!NoMatchingError>"+id(5), "!NoMatchingCondition>"+id(1), "!InputTimeLimitExceeded>"+id(5)),
			act(id(2), "UpdateContactAttributes", `"Attributes":{"choice":"1","path":"$.Attributes.path / 1"}`, id(4), "!NoMatchingError>"+id(5)),
			act(id(3), "Compare", `"ComparisonValue":"$.Attributes.plan"`, "=gold>"+id(4), "=silver>"+id(5), "!NoMatchingCondition>"+id(5)),
			act(id(4), "UpdateContactTargetQueue", `"QueueId":"BasicQueue"`, id(5), "!NoMatchingError>"+id(5)),
			act(id(5), "MessageParticipant", `"SSML":"<speak>One moment <break time=\"500ms\"/> please, $.Attributes.name</speak>"`, next, "!NoMatchingError>"+next))
	}
	return doc(actions...)
}

// BenchmarkPublish500 publishes a flow of 500 actions, from its bytes to the version that contacts get, over a store in
// memory. The target is that nobody waits for it: 50 ms.
func BenchmarkPublish500(b *testing.B) {
	content := longFlow(500)
	if d, err := Parse(content); err != nil || len(d.Actions) != 500 {
		b.Fatal(err)
	}
	s := NewService(newMemory())
	s.Finders = map[resource.Kind]Finder{resource.KindQueue: func(context.Context, string, string) (*Target, error) {
		return &Target{ID: "q-1", Name: "BasicQueue"}, nil
	}}
	f := &Flow{Meta: resource.Meta{InstanceID: "i-1", Name: "long"}, Type: TypeInbound, Content: "{}"}
	if err := s.Create(b.Context(), f, Saved); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	b.SetBytes(int64(len(content)))
	for b.Loop() {
		if _, err := s.UpdateContent(b.Context(), "i-1", f.ID, content, Published); err != nil {
			b.Fatal(err)
		}
		if _, err := s.Published(b.Context(), "i-1", f.ID); err != nil {
			b.Fatal(err)
		}
	}
}
