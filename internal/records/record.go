package records

import (
	"cmp"
	"encoding/json"
	"maps"
	"slices"
	"time"

	"ullim/internal/contact"
	"ullim/internal/resource"
)

// FormatVersion is the version of the record's shape.
const FormatVersion = "2017-03-10"

// Stamp is a time in UTC with whole seconds, as records have it; null when it did not happen.
type Stamp time.Time

// MarshalJSON implements json.Marshaler.
func (s Stamp) MarshalJSON() ([]byte, error) {
	t := time.Time(s)
	if t.IsZero() {
		return []byte("null"), nil
	}
	return []byte(`"` + t.UTC().Format("2006-01-02T15:04:05Z") + `"`), nil
}

// Record is a contact record in Connect's exported shape (ContactTraceRecord, A3 of the specification). What did not
// happen is null, durations are whole seconds.
type Record struct {
	AWSAccountID  string `json:"AWSAccountId"`
	FormatVersion string `json:"AWSContactTraceRecordFormatVersion"`

	Agent                         *Agent                  `json:"Agent"`
	AgentConnectionAttempts       int                     `json:"AgentConnectionAttempts"`
	AnsweringMachineDetection     *string                 `json:"AnsweringMachineDetectionStatus"`
	Attributes                    map[string]string       `json:"Attributes"`
	Campaign                      Campaign                `json:"Campaign"`
	Channel                       contact.Channel         `json:"Channel"`
	ChatMetrics                   *ChatMetrics            `json:"ChatMetrics,omitempty"`
	ConnectedToSystemTimestamp    Stamp                   `json:"ConnectedToSystemTimestamp"`
	ContactAssociationID          string                  `json:"ContactAssociationId"`
	ContactDetails                Details                 `json:"ContactDetails"`
	ContactEvaluations            map[string]any          `json:"ContactEvaluations"`
	ContactID                     string                  `json:"ContactId"`
	CustomerEndpoint              *Endpoint               `json:"CustomerEndpoint"`
	CustomerID                    *string                 `json:"CustomerId"`
	CustomerVoiceActivity         *VoiceActivity          `json:"CustomerVoiceActivity"`
	DisconnectDetails             *DisconnectDetails      `json:"DisconnectDetails,omitempty"`
	DisconnectReason              *string                 `json:"DisconnectReason"`
	DisconnectTimestamp           Stamp                   `json:"DisconnectTimestamp"`
	InitialContactID              *string                 `json:"InitialContactId"`
	InitiationMethod              string                  `json:"InitiationMethod"`
	InitiationTimestamp           Stamp                   `json:"InitiationTimestamp"`
	InstanceARN                   string                  `json:"InstanceARN"`
	LastPausedTimestamp           Stamp                   `json:"LastPausedTimestamp"`
	LastResumedTimestamp          Stamp                   `json:"LastResumedTimestamp"`
	LastUpdateTimestamp           Stamp                   `json:"LastUpdateTimestamp"`
	MediaStreams                  []MediaStream           `json:"MediaStreams"`
	NextContactID                 *string                 `json:"NextContactId"`
	PreviousContactID             *string                 `json:"PreviousContactId"`
	QualityMetrics                *QualityMetrics         `json:"QualityMetrics,omitempty"`
	Queue                         *Queue                  `json:"Queue"`
	QueuePriority                 *int64                  `json:"QueuePriority,omitempty"`
	QueueTimeAdjustmentSeconds    *int64                  `json:"QueueTimeAdjustmentSeconds,omitempty"`
	Recording                     *Recording              `json:"Recording"`
	Recordings                    []Recording             `json:"Recordings"`
	References                    []Reference             `json:"References"`
	RelatedContactID              *string                 `json:"RelatedContactId"`
	RingStartTimestamp            Stamp                   `json:"RingStartTimestamp"`
	RoutingCriteria               *RoutingCriteria        `json:"RoutingCriteria"`
	ScheduledTimestamp            Stamp                   `json:"ScheduledTimestamp"`
	SegmentAttributes             map[string]SegmentValue `json:"SegmentAttributes"`
	SystemEndpoint                *Endpoint               `json:"SystemEndpoint"`
	Tags                          map[string]string       `json:"Tags"`
	TaskTemplateInfo              *struct{}               `json:"TaskTemplateInfo"`
	TransferCompletedTimestamp    Stamp                   `json:"TransferCompletedTimestamp"`
	TransferredToEndpoint         *Endpoint               `json:"TransferredToEndpoint"`
	AgentConnectionAttemptDetails []Attempt               `json:"AgentConnectionAttemptDetails,omitempty"` // ours
	Disposition                   *Disposed               `json:"Disposition,omitempty"`                   // ours
}

// Campaign is the outbound campaign that placed the contact.
type Campaign struct {
	CampaignID *string `json:"CampaignId"`
}

// Details are what a task says of itself, and any contact may.
type Details struct {
	Name        *string `json:"Name,omitempty"`
	Description *string `json:"Description,omitempty"`
}

// Endpoint is one end of the contact.
type Endpoint struct {
	Address     string `json:"Address"`
	Type        string `json:"Type"`
	DisplayName string `json:"DisplayName,omitempty"`
}

// VoiceActivity is when a customer who was called said their greeting.
type VoiceActivity struct {
	GreetingStartTimestamp Stamp `json:"GreetingStartTimestamp"`
	GreetingEndTimestamp   Stamp `json:"GreetingEndTimestamp"`
}

// DisconnectDetails says what may have ended the contact.
type DisconnectDetails struct {
	PotentialDisconnectIssue string `json:"PotentialDisconnectIssue"`
}

// SegmentValue is the value of a segment attribute.
type SegmentValue struct {
	ValueString string `json:"ValueString"`
}

// Disposed is the code and the words that the agent left. It is ours; Connect has no such member.
type Disposed struct {
	Code  string `json:"Code,omitempty"`
	Notes string `json:"Notes,omitempty"`
}

// Complete reports whether nothing more will be added to a record, by itself: it has ended, and the agent's after-contact
// work too. working tells whether an agent is known to be at it.
func Complete(r *contact.Record, working bool) bool {
	if r.DisconnectTimestamp.IsZero() {
		return false
	}
	a := r.Agent
	return a == nil || a.ConnectedToAgentTimestamp.IsZero() || !a.AfterContactWorkEnd.IsZero() || !working
}

// RecordOf gives a contact record in the exported shape.
func RecordOf(r *contact.Record) *Record {
	out := &Record{
		AWSAccountID: resource.Account, FormatVersion: FormatVersion, AgentConnectionAttempts: attempts(r),
		AnsweringMachineDetection: text(r.AnsweringMachineDetection), Attributes: orEmpty(r.Attributes),
		Campaign: Campaign{CampaignID: text(r.CampaignID)}, Channel: r.Channel, ChatMetrics: chatOf(r.ChatMetrics),
		ConnectedToSystemTimestamp: Stamp(r.ConnectedToSystemTimestamp), ContactAssociationID: AssociationOf(r),
		ContactDetails:     Details{Name: text(r.Name), Description: text(r.Description)},
		ContactEvaluations: map[string]any{}, ContactID: r.ID, CustomerEndpoint: endpointOf(&r.CustomerEndpoint),
		CustomerID: text(r.CustomerID), DisconnectReason: text(string(r.DisconnectReason)), DisconnectTimestamp: Stamp(r.DisconnectTimestamp),
		InitialContactID: text(r.InitialContactID), InitiationMethod: string(r.InitiationMethod),
		InitiationTimestamp: Stamp(r.InitiationTimestamp), InstanceARN: resource.ARN(r.InstanceID, resource.KindInstance, r.InstanceID),
		LastPausedTimestamp: Stamp(r.LastPausedTimestamp), LastResumedTimestamp: Stamp(r.LastResumedTimestamp),
		LastUpdateTimestamp: Stamp(r.LastUpdateTimestamp), MediaStreams: streamsOf(r), NextContactID: text(r.NextContactID),
		PreviousContactID: text(r.PreviousContactID), QualityMetrics: qualityOf(r), Queue: queueOf(r), Recordings: recordingsOf(r),
		References: referencesOf(r), RelatedContactID: text(r.RelatedContactID), RingStartTimestamp: Stamp(ringStart(r)),
		RoutingCriteria: criteriaOf(r.Criteria), ScheduledTimestamp: Stamp(r.ScheduledTimestamp), SegmentAttributes: SegmentOf(r),
		SystemEndpoint: endpointOf(&r.SystemEndpoint), Tags: tagsOf(r), TransferCompletedTimestamp: Stamp(r.TransferCompletedTimestamp),
		TransferredToEndpoint: endpointOf(r.TransferredTo), Agent: agentOf(r), AgentConnectionAttemptDetails: attemptsOf(r),
	}
	if len(out.Recordings) > 0 {
		out.Recording = &out.Recordings[0]
	}
	if r.QueuePriority != 0 {
		out.QueuePriority = &r.QueuePriority
	}
	if r.QueueTimeAdjustment != 0 {
		out.QueueTimeAdjustmentSeconds = new(int64(r.QueueTimeAdjustment / time.Second))
	}
	if !r.GreetingStart.IsZero() || !r.GreetingEnd.IsZero() {
		out.CustomerVoiceActivity = &VoiceActivity{Stamp(r.GreetingStart), Stamp(r.GreetingEnd)}
	}
	if issue := PotentialIssue(r); issue != "" {
		out.DisconnectDetails = &DisconnectDetails{issue}
	}
	if r.Disposition != "" || r.Notes != "" {
		out.Disposition = &Disposed{r.Disposition, r.Notes}
	}
	return out
}

// JSON is the record of a contact in its exported shape.
func JSON(r *contact.Record) (json.RawMessage, error) { return json.Marshal(RecordOf(r)) }

// AssociationOf is the id that all contacts of one matter share, whatever their channel: the first of them.
func AssociationOf(r *contact.Record) string {
	return cmp.Or(r.ContactAssociationID, r.InitialContactID, r.RelatedContactID, r.ID)
}

// SubtypeOf is the segment attribute connect:Subtype.
func SubtypeOf(r *contact.Record) string {
	switch {
	case r.Subtype != "":
		return r.Subtype
	case r.Channel == contact.Voice && r.CustomerEndpoint.Type == contact.VoIP:
		return "connect:WebRTC"
	case r.Channel == contact.Voice:
		return "connect:Telephony"
	case r.Channel == contact.Chat:
		return "connect:Chat"
	case r.Channel == contact.Task:
		return "connect:Task"
	}
	return ""
}

// SegmentOf are the attributes that the system sets on a segment.
func SegmentOf(r *contact.Record) map[string]SegmentValue {
	out := map[string]SegmentValue{}
	if s := SubtypeOf(r); s != "" {
		out["connect:Subtype"] = SegmentValue{s}
	}
	if a := r.Attestation; a != nil && a.Level != "" {
		out["connect:X-SIP-Attestation"] = SegmentValue{a.Level}
	}
	return out
}

func tagsOf(r *contact.Record) map[string]string {
	out := map[string]string{"aws:connect:instanceId": r.InstanceID}
	if r.SystemEndpoint.Address != "" {
		out["aws:connect:systemEndpoint"] = r.SystemEndpoint.Address
	}
	maps.Copy(out, r.Tags)
	return out
}

func endpointOf(e *contact.Endpoint) *Endpoint {
	if e == nil || e.Address == "" {
		return nil
	}
	return &Endpoint{Address: cut(e.Address, 256), Type: string(e.Type), DisplayName: cut(e.DisplayName, 256)}
}

func orEmpty(m map[string]string) map[string]string {
	if m == nil {
		return map[string]string{}
	}
	return m
}

// text is a string that is null when it is empty.
func text(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// cut shortens to n characters.
func cut(s string, n int) string {
	if runes := []rune(s); len(runes) > n {
		return string(runes[:n])
	}
	return s
}

// seconds are whole seconds of a duration, never negative.
func seconds(d time.Duration) int64 { return int64(max(d, 0) / time.Second) }

// between is the whole seconds from one time to another as they stand in the record, so that whoever subtracts the
// two gets the same; 0 if either did not happen.
func between(from, to time.Time) int64 {
	if from.IsZero() || to.IsZero() {
		return 0
	}
	return max(to.Unix()-from.Unix(), 0)
}

func referencesOf(r *contact.Record) []Reference {
	out := make([]Reference, 0, len(r.References))
	for _, name := range slices.Sorted(maps.Keys(r.References)) {
		ref := r.References[name]
		out = append(out, Reference{Name: name, Type: ref.Type, Value: ref.Value})
	}
	return out
}

// Reference is a link or a fact that travels with the contact.
type Reference struct {
	Name  string `json:"Name"`
	Type  string `json:"Type"`
	Value string `json:"Value"`
}
