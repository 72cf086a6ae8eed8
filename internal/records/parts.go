package records

import (
	"cmp"
	"fmt"
	"math"
	"time"

	"ullim/internal/contact"
	"ullim/internal/resource"
)

// Agent is the part of a record about the agent who had the contact.
type Agent struct {
	ARN                            string            `json:"ARN"`
	Username                       string            `json:"Username"`
	RoutingProfile                 Named             `json:"RoutingProfile"`
	HierarchyGroups                map[string]*Group `json:"HierarchyGroups"` // Level1 to Level5
	AcceptedByAgentTimestamp       Stamp             `json:"AcceptedByAgentTimestamp"`
	ConnectedToAgentTimestamp      Stamp             `json:"ConnectedToAgentTimestamp"`
	PreviewEndTimestamp            Stamp             `json:"PreviewEndTimestamp"`
	AgentInteractionDuration       int64             `json:"AgentInteractionDuration"`
	CustomerHoldDuration           int64             `json:"CustomerHoldDuration"`
	NumberOfHolds                  int               `json:"NumberOfHolds"`
	LongestHoldDuration            int64             `json:"LongestHoldDuration"`
	AgentInitiatedHoldDuration     int64             `json:"AgentInitiatedHoldDuration"`
	AfterContactWorkStartTimestamp Stamp             `json:"AfterContactWorkStartTimestamp"`
	AfterContactWorkEndTimestamp   Stamp             `json:"AfterContactWorkEndTimestamp"`
	AfterContactWorkDuration       int64             `json:"AfterContactWorkDuration"`
	AgentPauseDuration             *int64            `json:"AgentPauseDuration"`
	DeviceInfo                     *Device           `json:"DeviceInfo"`
	Capabilities                   *struct{}         `json:"Capabilities"`
	StateTransitions               []Transition      `json:"StateTransitions"`
	RingStartTimestamp             Stamp             `json:"RingStartTimestamp"`
}

// Named is a resource by ARN and name.
type Named struct {
	ARN  string `json:"ARN"`
	Name string `json:"Name"`
}

// Group is one level of an agent's hierarchy.
type Group struct {
	ARN       string `json:"ARN"`
	GroupName string `json:"GroupName"`
}

// Device is what the agent talked with. Connect tells browser and system; we tell the device that answered.
type Device struct {
	PlatformName    *string `json:"PlatformName"`
	PlatformVersion *string `json:"PlatformVersion"`
	OperatingSystem *string `json:"OperatingSystem"`
	DeviceID        string  `json:"DeviceId"` // ours
}

// Transition is a time in which somebody listened, or joined.
type Transition struct {
	State         string `json:"State"`
	StateStart    Stamp  `json:"StateStartTimestamp"`
	StateEnd      Stamp  `json:"StateEndTimestamp"`
	SupervisorARN string `json:"SupervisorARN,omitempty"` // ours
	Duration      int64  `json:"Duration"`
}

func agentOf(r *contact.Record) *Agent {
	a := r.Agent
	if a == nil {
		return nil
	}
	out := &Agent{
		ARN: resource.ARN(r.InstanceID, resource.KindUser, a.ID), Username: a.Username,
		RoutingProfile:  Named{resource.ARN(r.InstanceID, resource.KindRoutingProfile, a.RoutingProfileID), a.RoutingProfileName},
		HierarchyGroups: groupsOf(r), AcceptedByAgentTimestamp: Stamp(a.AcceptedByAgentTimestamp),
		ConnectedToAgentTimestamp: Stamp(a.ConnectedToAgentTimestamp), AgentInteractionDuration: interaction(r),
		CustomerHoldDuration: seconds(a.Holds.Duration), NumberOfHolds: a.Holds.Count, LongestHoldDuration: seconds(a.Holds.Longest),
		AgentInitiatedHoldDuration:     seconds(a.Holds.ByAgent),
		AfterContactWorkStartTimestamp: Stamp(a.AfterContactWorkStart), AfterContactWorkEndTimestamp: Stamp(a.AfterContactWorkEnd),
		AfterContactWorkDuration: between(a.AfterContactWorkStart, a.AfterContactWorkEnd), StateTransitions: []Transition{},
		RingStartTimestamp: Stamp(a.RingStartTimestamp),
	}
	if r.Channel == contact.Task && !r.LastPausedTimestamp.IsZero() {
		out.AgentPauseDuration = new(between(r.LastPausedTimestamp, r.LastResumedTimestamp))
	}
	if a.DeviceID != "" {
		out.DeviceInfo = &Device{DeviceID: a.DeviceID}
	}
	for _, t := range a.Transitions {
		tr := Transition{State: t.State, StateStart: Stamp(t.Start), StateEnd: Stamp(t.End), Duration: between(t.Start, t.End)}
		if t.UserID != "" {
			tr.SupervisorARN = resource.ARN(r.InstanceID, resource.KindUser, t.UserID)
		}
		out.StateTransitions = append(out.StateTransitions, tr)
	}
	return out
}

func groupsOf(r *contact.Record) map[string]*Group {
	if len(r.Agent.HierarchyGroups) == 0 {
		return nil
	}
	out := map[string]*Group{}
	for i, g := range r.Agent.HierarchyGroups[:min(len(r.Agent.HierarchyGroups), 5)] {
		out[fmt.Sprintf("Level%d", i+1)] = &Group{resource.ARN(r.InstanceID, resource.KindHierarchyGroup, g.ID), g.Name}
	}
	return out
}

// interaction is how long agent and customer were together, holds not counted.
func interaction(r *contact.Record) int64 {
	end := r.Agent.AgentInteractionEndTimestamp
	if end.IsZero() {
		end = r.DisconnectTimestamp
	}
	return max(between(r.Agent.ConnectedToAgentTimestamp, end)-seconds(r.Agent.Holds.Duration), 0)
}

// Queue is the part of a record about the queue that the contact waited in.
type Queue struct {
	ARN              string `json:"ARN"`
	Name             string `json:"Name"`
	EnqueueTimestamp Stamp  `json:"EnqueueTimestamp"`
	DequeueTimestamp Stamp  `json:"DequeueTimestamp"`
	Duration         int64  `json:"Duration"`
}

func queueOf(r *contact.Record) *Queue {
	q := r.Queue
	if q == nil {
		return nil
	}
	return &Queue{
		ARN: resource.ARN(r.InstanceID, resource.KindQueue, q.ID), Name: q.Name, EnqueueTimestamp: Stamp(q.EnqueueTimestamp),
		DequeueTimestamp: Stamp(q.DequeueTimestamp), Duration: between(q.EnqueueTimestamp, q.DequeueTimestamp),
	}
}

// Attempt is one offer of the contact to an agent. It is ours; Connect has only the number.
type Attempt struct {
	AgentARN string `json:"AgentARN"`
	Start    Stamp  `json:"StartTimestamp"`
	End      Stamp  `json:"EndTimestamp"`
	Outcome  string `json:"Outcome"`
}

func attemptsOf(r *contact.Record) []Attempt {
	out := make([]Attempt, 0, len(r.Offers))
	for _, o := range r.Offers {
		out = append(out, Attempt{resource.ARN(r.InstanceID, resource.KindUser, o.UserID), Stamp(o.Start), Stamp(o.End), o.Outcome})
	}
	return out
}

func attempts(r *contact.Record) int { return max(r.AgentConnectionAttempts, len(r.Offers)) }

// ringStart is when the customer began to ring who was called, else when the agent did who accepted.
func ringStart(r *contact.Record) time.Time {
	if r.RingStartTimestamp.IsZero() && r.Agent != nil {
		return r.Agent.RingStartTimestamp
	}
	return r.RingStartTimestamp
}

// Recording is a file of the contact.
type Recording struct {
	StorageType     string  `json:"StorageType"`
	Location        string  `json:"Location"`
	MediaStreamType string  `json:"MediaStreamType"`
	ParticipantType string  `json:"ParticipantType"`
	StartTimestamp  Stamp   `json:"StartTimestamp"`
	StopTimestamp   Stamp   `json:"StopTimestamp"`
	Status          *string `json:"Status"`
	DeletionReason  *string `json:"DeletionReason"`
	Transcript      *string `json:"UnprocessedTranscriptLocation,omitempty"`
}

// recordingsOf are the files that are in the store, and those that were. One that is still being uploaded is not there
// yet: the record comes again when it is.
func recordingsOf(r *contact.Record) []Recording {
	out := []Recording{}
	for _, rec := range r.Recordings {
		if rec.Status != contact.RecordingAvailable && rec.Status != contact.RecordingDeleted {
			continue
		}
		item := Recording{
			StorageType: "S3", Location: cut(rec.Location, 1024), MediaStreamType: cmp.Or(rec.Media, "AUDIO"), ParticipantType: "ALL",
			StartTimestamp: Stamp(rec.Start), StopTimestamp: Stamp(rec.Stop), Status: text(string(rec.Status)),
		}
		if rec.Status == contact.RecordingDeleted {
			item.DeletionReason = text(rec.Reason)
		}
		out = append(out, item)
	}
	return out
}

// MediaStream is media that the contact had, or live audio that went somewhere.
type MediaStream struct {
	Type        string `json:"Type"`
	Destination string `json:"Destination,omitempty"` // ours
	Start       *Stamp `json:"StartTimestamp,omitempty"`
	End         *Stamp `json:"EndTimestamp,omitempty"`
}

func streamsOf(r *contact.Record) []MediaStream {
	out := []MediaStream{}
	switch r.Channel {
	case contact.Voice:
		out = append(out, MediaStream{Type: "AUDIO"})
	case contact.Chat:
		out = append(out, MediaStream{Type: "CHAT"})
	case contact.Task:
	}
	for _, s := range r.Streams {
		out = append(out, MediaStream{Type: s.Type, Destination: s.Destination, Start: new(Stamp(s.Start)), End: new(Stamp(s.End))})
	}
	return out
}

// QualityMetrics says how well agent and customer heard each other. QualityScore is from 1 to 5.
type QualityMetrics struct {
	Agent    *Side `json:"Agent,omitempty"`
	Customer *Side `json:"Customer,omitempty"`
}

// Side is one side of the quality.
type Side struct {
	Audio Audio `json:"Audio"`
}

// Audio is the quality of one side's sound.
type Audio struct {
	QualityScore           float64  `json:"QualityScore"`
	PotentialQualityIssues []string `json:"PotentialQualityIssues"`
}

func qualityOf(r *contact.Record) *QualityMetrics {
	out := &QualityMetrics{Agent: sideOf(r.AgentQuality), Customer: sideOf(r.CustomerQuality)}
	if out.Agent == nil && out.Customer == nil {
		return nil
	}
	return out
}

// Bounds from which quality is worth a word (ITU-T G.114 and usual practice).
const (
	muchLoss   = 0.03
	muchJitter = 30 * time.Millisecond
	longTrip   = 300 * time.Millisecond
	longGap    = 2 * time.Second
)

func sideOf(q *contact.Quality) *Side {
	if q == nil || q.MOS == 0 {
		return nil
	}
	return &Side{Audio{QualityScore: math.Round(q.MOS*100) / 100, PotentialQualityIssues: Issues(q)}}
}

// Issues names what may have been wrong with a leg's sound, as Connect does.
func Issues(q *contact.Quality) []string {
	out := []string{}
	if total := q.Received + q.Lost; total > 0 && float64(q.Lost) > muchLoss*float64(total) ||
		q.Sent > 0 && float64(q.RemoteLost) > muchLoss*float64(q.Sent) {
		out = append(out, "HighPacketLoss")
	}
	if q.RoundTrip > longTrip {
		out = append(out, "HighRoundTripTime")
	}
	if q.Jitter > muchJitter || q.RemoteJitter > muchJitter {
		out = append(out, "HighJitterBuffer")
	}
	return out
}

// PotentialIssue says what may have ended a voice contact that its parties did not end on purpose; empty: nothing did.
func PotentialIssue(r *contact.Record) string {
	if r.Channel != contact.Voice || r.DisconnectTimestamp.IsZero() {
		return ""
	}
	for _, leg := range []struct {
		q    *contact.Quality
		name string
	}{{r.AgentQuality, "AGENT"}, {r.CustomerQuality, "CUSTOMER"}} {
		if q := leg.q; q != nil && q.Sent > 0 && q.Received == 0 {
			return leg.name + "_NO_AUDIO_RECEIVED"
		} else if q != nil && (q.MaxGap > longGap || len(Issues(q)) > 0 && q.MOS > 0 && q.MOS < 2.5) {
			return leg.name + "_CONNECTIVITY_ISSUE"
		}
	}
	switch r.DisconnectReason { //nolint:exhaustive // the others are nobody's fault
	case contact.TelecomProblem:
		return "TELECOM_CONNECTIVITY_ISSUE"
	case contact.OutboundDestinationError, contact.OutboundAttemptFailed:
		return "DESTINATION_ISSUE"
	}
	return ""
}

// ChatMetrics are the figures of a chat.
type ChatMetrics struct {
	ChatContactMetrics ChatContact `json:"ChatContactMetrics"`
	AgentMetrics       ChatSide    `json:"AgentMetrics"`
	CustomerMetrics    ChatSide    `json:"CustomerMetrics"`
}

// ChatContact are the figures of the whole chat.
type ChatContact struct {
	TotalMessages                int    `json:"TotalMessages"`
	TotalBotMessages             int    `json:"TotalBotMessages"`
	AgentFirstResponseTimeMillis *int64 `json:"AgentFirstResponseTimeInMillis,omitempty"`
}

// ChatSide are the figures of one side of a chat.
type ChatSide struct {
	MessagesSent              int    `json:"MessagesSent"`
	TotalResponseTimeInMillis *int64 `json:"TotalResponseTimeInMillis,omitempty"`
	NumberOfResponses         int    `json:"NumberOfResponses"`
}

func chatOf(m *contact.ChatMetrics) *ChatMetrics {
	if m == nil {
		return nil
	}
	millis := func(d time.Duration) *int64 {
		if d == 0 {
			return nil
		}
		return new(d.Milliseconds())
	}
	return &ChatMetrics{
		ChatContactMetrics: ChatContact{m.AgentMessages + m.CustomerMessages + m.BotMessages, m.BotMessages, millis(m.FirstAgentResponse)},
		AgentMetrics:       ChatSide{m.AgentMessages, millis(m.TotalAgentResponse), m.AgentResponses},
		CustomerMetrics:    ChatSide{m.CustomerMessages, millis(m.TotalCustomerResponse), m.CustomerResponses},
	}
}

// RoutingCriteria is how the contact looked for an agent with skills.
type RoutingCriteria struct {
	ActivationTimestamp *Stamp `json:"ActivationTimestamp,omitempty"`
	Index               int    `json:"Index"`
	Steps               []Step `json:"Steps"`
}

// Step is one step of it.
type Step struct {
	Status     string  `json:"Status"`
	Expression string  `json:"Expression"`
	Expiry     *Expiry `json:"Expiry,omitempty"`
}

// Expiry is how long a step was to last.
type Expiry struct {
	DurationInSeconds int64 `json:"DurationInSeconds"`
}

func criteriaOf(steps []contact.Step) *RoutingCriteria {
	if len(steps) == 0 {
		return nil
	}
	out := &RoutingCriteria{}
	for i, s := range steps {
		st := Step{Status: s.Status, Expression: s.Expression}
		if s.Expiry > 0 {
			st.Expiry = &Expiry{seconds(s.Expiry)}
		}
		if s.Status == "ACTIVE" || s.Status == "JOINED" {
			out.Index = i
		}
		out.Steps = append(out.Steps, st)
	}
	return out
}
