package ivr

import (
	"encoding/json"
	"strconv"
	"sync"
	"time"
)

// Memory is what the flows of one contact leave for those that come after them: the last stored input, the last answer
// of a function, a program and a view, the last queue metrics, the last task, and whether actions are logged. The
// inbound flow, its transfers, the queue, hold, whisper and disconnect flows of a contact share one, also two that run at
// once (the customer's and the agent's). It is never stored and ends with the contact: what was typed is kept nowhere
// else.
type Memory struct {
	mu       sync.Mutex
	stored   string
	external any // a JSON object, decoded
	bot      BotResult
	view     any            // as external, with Action
	module   map[string]any // what the last module returned: Result, ResultData
	metrics  *measured
	task     string
	verbose  *bool
}

// NewMemory makes an empty Memory.
func NewMemory() *Memory { return &Memory{} }

// measured are the metrics of a queue when they were asked for.
type measured struct {
	queue QueueRef
	QueueMetrics

	position int           // of the contact itself, from 1; 0: it is not in line
	wait     time.Duration // that it has before it, as the queue goes; 0: nobody can tell
}

func (m *Memory) store(input string)    { m.set(func() { m.stored = input }) }
func (m *Memory) answered(external any) { m.set(func() { m.external = external }) }
func (m *Memory) talked(r BotResult)    { m.set(func() { m.bot = r }) }
func (m *Memory) viewed(view any)       { m.set(func() { m.view = view }) }
func (m *Memory) returned(result string, data any) {
	m.set(func() { m.module = map[string]any{"Result": result, "ResultData": data} })
}
func (m *Memory) measure(q measured)  { m.set(func() { m.metrics = &q }) }
func (m *Memory) created(task string) { m.set(func() { m.task = task }) }
func (m *Memory) log(on bool)         { m.set(func() { m.verbose = &on }) }

func (m *Memory) set(f func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	f()
}

// logging tells whether actions are logged; absent if no flow has said so.
func (m *Memory) logging(absent *bool) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case m.verbose != nil:
		return *m.verbose
	case absent != nil:
		return *absent
	}
	return false
}

// lookup answers the data paths that live here: a string, a number, a boolean, or a part of a JSON tree.
func (m *Memory) lookup(path []string) (any, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	rest := path[1:]
	switch path[0] {
	case "StoredCustomerInput":
		return m.stored, len(rest) == 0
	case "External":
		return within(m.external, rest)
	case "Views":
		return within(m.view, rest)
	case "Modules":
		return within(m.module, rest)
	case "Lex":
		return m.bot.lookup(rest)
	case "Metrics":
		return m.metrics.lookup(rest)
	case "Task":
		return m.task, len(rest) == 1 && rest[0] == "ContactId" && m.task != ""
	}
	return nil, false
}

// within walks into a JSON tree by keys and, in lists, by positions.
func within(tree any, path []string) (any, bool) {
	for _, key := range path {
		switch t := tree.(type) {
		case map[string]any:
			next, ok := t[key]
			if !ok {
				return nil, false
			}
			tree = next
		case []any:
			i, err := strconv.Atoi(key)
			if err != nil || i < 0 || i >= len(t) {
				return nil, false
			}
			tree = t[i]
		default:
			return nil, false
		}
	}
	return tree, tree != nil
}

// lookup answers $.Lex: a program that talked with the participant stands in the place of a bot.
func (r BotResult) lookup(path []string) (any, bool) {
	switch {
	case len(path) == 1 && path[0] == "IntentName":
		return r.Intent, r.Intent != ""
	case len(path) == 2 && (path[0] == "SessionAttributes" || path[0] == "Slots"):
		v, ok := r.Attributes[path[1]]
		return v, ok
	}
	return nil, false
}

// lookup answers $.Metrics. Figures have no value before they were asked for, and while the queue is idle: nobody waits
// and no agent is there.
func (m *measured) lookup(path []string) (any, bool) {
	if m == nil || len(path) < 2 {
		return nil, false
	}
	idle := m.QueueMetrics == QueueMetrics{}
	switch {
	case path[0] == "Queue" && len(path) == 2:
		switch path[1] {
		case "Name":
			return m.queue.Name, true
		case "ARN":
			return m.queue.ARN, true
		case "Size":
			return strconv.Itoa(m.Size), !idle
		case "OldestContactAge":
			return seconds(m.Oldest), !idle && m.Size > 0
		case "Position":
			return strconv.Itoa(m.position), m.position > 0
		case "EstimatedWait":
			return seconds(m.wait), m.wait > 0
		case "EstimatedWaitMinutes":
			return strconv.Itoa(int((m.wait + time.Minute - 1) / time.Minute)), m.wait > 0
		}
	case path[0] == "Agents" && len(path) == 3 && path[2] == "Count":
		n, ok := map[string]int{
			"Online": m.Online, "Available": m.Available, "Staffed": m.Staffed, "AfterContactWork": m.AfterContactWork,
			"Busy": m.Busy, "Missed": m.Missed, "NonProductive": m.NonProductive,
		}[path[1]]
		return strconv.Itoa(n), ok && !idle
	}
	return nil, false
}

func seconds(d time.Duration) string { return strconv.FormatInt(int64(d/time.Second), 10) }

// written is a part of a JSON tree as text: scalars as they are, the rest as JSON.
func written(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	case json.Number:
		return v.String()
	case bool:
		return strconv.FormatBool(v)
	}
	b, err := json.Marshal(v)
	if err != nil {
		return "" // cannot be: it came from JSON
	}
	return string(b)
}
