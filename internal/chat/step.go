package chat

import (
	"encoding/json"
	"reflect"
	"time"

	"ullim/internal/contact"
	"ullim/internal/errs"
)

// EventKind is what can happen to a contact.
type EventKind int

// Events.
const (
	EvConnected EventKind = iota // ParticipantID has connected
	EvMessage                    // ParticipantID says Content
	EvEvent                      // ParticipantID sends the event ContentType
	EvAdd                        // Participant joins by the API
	EvLeave                      // ParticipantID leaves
	EvStop                       // the API ends the contact
	EvTimers                     // Timers are changed
	EvUpload                     // Attachment is announced
	EvUploaded                   // Attachment.ID has arrived
	EvComplete                   // IDs are shown to everybody
	EvUpdate                     // Update changes the contact
	EvSay                        // the flow says Content
	EvQueue                      // the flow asks for Queue
	EvRequeue                    // the contact has a place in Queue as the new segment ContactID
	EvEnqueued                   // the ACD has answered: Err
	EvFlowEnded                  // the flow Gen has ended: Outcome
	EvOffer                      // the ACD offers Offer
	EvAccept                     // the agent UserID accepts
	EvReject                     // the agent UserID refuses
	EvTick                       // time has passed
	EvPause                      // a task is put aside
	EvResume                     // ... and taken up again
	EvResumed                    // the process has started again
	EvSilent                     // only for a test of the loop: nothing happens
)

// Event is something that happened at a moment.
type Event struct {
	Kind          EventKind
	At            time.Time
	ParticipantID string
	ContactID     string
	UserID        string
	Content       string
	ContentType   string
	ClientToken   string
	IDs           []string
	Participant   *Participant
	Attachment    *Attachment
	Timers        []Timer
	Queue         Queue
	Gen           int64
	Outcome       FlowOutcome
	Offer         *Offer
	Update        func(*State) error // changes its argument, which is the new state
	Reason        contact.DisconnectReason
	Detail        string
	Err           error
}

// ActionKind is what is to be done once an event is stored.
type ActionKind int

// Actions.
const (
	DoRunFlow     ActionKind = iota // run the flow of State.Run
	DoStopFlow                      // end the one that runs
	DoHear                          // the customer has written Text of ContentType: to the flow
	DoReturned                      // the customer is back: flows that wait for that
	DoBotGone                       // the last bot has left: flows that wait for that
	DoForget                        // what was typed ahead is not for flows any more
	DoEnqueue                       // ask the ACD for a place in line; EvEnqueued follows
	DoLeave                         // leave the line
	DoReorder                       // priority or age have changed
	DoResult                        // Offer came out as Result
	DoJoined                        // agent and customer are together
	DoAgentDone                     // the agent's part is over
	DoParticipant                   // ParticipantID is gone: their sockets are closed
	DoTell                          // only tells watchers
)

// Action is one thing to do.
type Action struct {
	Kind          ActionKind
	Text          string
	ContentType   string
	OfferID       string
	ContactID     string
	ParticipantID string
	Result        OfferResult
	Timeline      string // what watchers are told, with the action
}

// Effects are what an event brings about: what is stored with the state, then told, then done.
type Effects struct {
	Items   []Item
	Marks   []Mark
	Create  *contact.Record
	Update  bool // the record has changed
	Close   []contact.Record
	Live    []Item // told and not kept
	Actions []Action
	Quiet   bool   // nothing is to be stored
	ItemID  string // of the message, for who sent it
	At      Time
}

// machine is one step in progress.
type machine struct {
	s  *State
	e  Event
	fx Effects
	id func() string
}

// Step decides what an event does to a contact. It reads no clock and changes nothing but what it gives back; newID is
// where new ids come from. An error means that nothing has happened.
func Step(s *State, e Event, newID func() string) (*State, Effects, error) {
	if s.Phase == Ended {
		if e.Kind == EvOffer {
			return s, Effects{Actions: []Action{{Kind: DoResult, OfferID: e.Offer.ID, Result: OfferCallerLeft}}}, nil
		}
		if e.Kind == EvFlowEnded || e.Kind == EvTick || e.Kind == EvEnqueued || e.Kind == EvStop {
			return s, Effects{}, nil
		}
		return nil, Effects{}, errEnded()
	}
	m := &machine{s: s.clone(), e: e, id: newID}
	if err := m.step(); err != nil {
		return nil, Effects{}, err
	}
	if m.fx.Create != nil {
		created := cloneRecord(m.s.Record)
		m.fx.Create, m.fx.Update = &created, false
	}
	return m.s, m.fx, nil
}

func errEnded() error { return errs.New(errs.Denied, "the contact has ended") }

//nolint:gocyclo // a table: one line an event
func (m *machine) step() error {
	switch m.e.Kind {
	case EvConnected:
		return m.connected()
	case EvMessage:
		return m.message()
	case EvEvent:
		return m.event()
	case EvAdd:
		return m.add()
	case EvLeave:
		return m.leave()
	case EvStop:
		m.end(m.e.Reason, m.e.Detail)
	case EvTimers:
		return m.timers()
	case EvUpload:
		return m.upload()
	case EvUploaded:
		return m.uploaded()
	case EvComplete:
		return m.complete()
	case EvUpdate:
		return m.update()
	case EvSay:
		return m.say()
	case EvQueue:
		return m.queue()
	case EvRequeue:
		return m.requeue()
	case EvEnqueued:
		m.enqueued()
	case EvFlowEnded:
		m.flowEnded()
	case EvOffer:
		m.offer()
	case EvAccept:
		return m.accept()
	case EvReject:
		return m.reject()
	case EvTick:
		m.tick()
	case EvPause:
		return m.pause()
	case EvResume:
		return m.resume()
	case EvResumed:
		m.resumed()
	case EvSilent:
	}
	return nil
}

// update changes the contact; a change of routing reaches the queue that it waits in.
func (m *machine) update() error {
	before := m.s.Routing
	if err := m.e.Update(m.s); err != nil {
		return err
	}
	m.touch()
	if (m.s.Phase == Queued || m.s.Phase == Offered) && !reflect.DeepEqual(before, m.s.Routing) {
		m.do(Action{Kind: DoReorder, ContactID: m.s.Record.ID})
	}
	return nil
}

func (m *machine) do(a Action) { m.fx.Actions = append(m.fx.Actions, a) }

// touch has the contact record written.
func (m *machine) touch() {
	m.fx.Update = true
	m.s.Record.LastUpdateTimestamp = m.e.At
}

// put adds an item. Times in a chat never go back, whatever the clock does, so that the order of time is the order.
func (m *machine) put(it Item) {
	at := m.e.At.UTC().Truncate(time.Millisecond)
	if at.Before(m.s.LastItem) {
		at = m.s.LastItem
	}
	m.s.LastItem = at
	m.s.Seq++
	it.AbsoluteTime, it.Seq, it.ChatID = Time{at}, m.s.Seq, m.s.ID
	if it.ID == "" {
		it.ID = m.id()
	}
	it.ContactID, it.InitialContactID, it.RelatedContactID = m.s.Record.ID, m.s.ID, m.s.Related
	if it.Type == TypeMessage {
		it.MessageMetadata = &Metadata{MessageID: it.ID}
	}
	m.fx.Items = append(m.fx.Items, it)
	m.fx.ItemID, m.fx.At = it.ID, it.AbsoluteTime
}

// event item of a participant.
func (m *machine) note(contentType string, p *Participant) {
	it := Item{Type: TypeEvent, ContentType: contentType}
	if p != nil {
		it.ParticipantID, it.ParticipantRole, it.DisplayName = p.ID, p.Role, p.DisplayName
	}
	m.put(it)
}

// who finds the participant that an event is about.
func (m *machine) who() (*Participant, error) {
	p := m.s.Participant(m.e.ParticipantID)
	if p == nil || !p.Present() {
		return nil, errs.New(errs.Denied, "the participant is not in the chat any more")
	}
	return p, nil
}

func (m *machine) connected() error {
	p, err := m.who()
	if err != nil {
		return err
	}
	if !p.Joined.IsZero() {
		return nil
	}
	p.Joined = m.e.At
	m.note(eventJoined, p)
	if p.Role == Customer && m.s.Phase == Waiting {
		m.s.ConnectBy = time.Time{}
		m.begin()
	}
	return nil
}

// begin runs the contact's flow.
func (m *machine) begin() {
	m.s.StartAt = time.Time{}
	m.s.Record.ConnectedToSystemTimestamp = m.e.At
	m.touch()
	m.phase(Flowing)
	m.run(FlowInbound, m.s.FlowID)
	m.do(Action{Kind: DoTell, Timeline: "CONNECTED_TO_SYSTEM"})
}

func (m *machine) phase(p Phase) { m.s.Phase = p }

func (m *machine) message() error {
	p, err := m.who()
	if err != nil {
		return err
	}
	if err = CheckMessage(m.e.ContentType, m.e.Content); err != nil {
		return err
	}
	if m.e.ClientToken != "" {
		for _, old := range m.s.Sent {
			if old.ParticipantID == p.ID && old.Token == m.e.ClientToken {
				m.fx.ItemID, m.fx.At = old.ItemID, old.At
				return nil
			}
		}
	}
	if m.s.Seq >= maxItems {
		return errs.New(errs.Limit, "a chat has at most %d messages", maxItems)
	}
	m.heardFrom(p)
	m.count(p.Role)
	m.put(Item{
		Type: TypeMessage, Content: m.shown(p), ContentType: m.e.ContentType, ParticipantID: p.ID, ParticipantRole: p.Role,
		DisplayName: p.DisplayName,
	})
	if m.e.ClientToken != "" {
		m.s.Sent = append(m.s.Sent, sent{p.ID, m.e.ClientToken, m.fx.ItemID, m.fx.At})
		if len(m.s.Sent) > maxRemembered {
			m.s.Sent = m.s.Sent[len(m.s.Sent)-maxRemembered:]
		}
	}
	if p.Role == Customer && m.s.Phase != Talking {
		m.do(Action{Kind: DoHear, Text: m.e.Content, ContentType: m.e.ContentType})
	}
	return nil
}

// heardFrom notes that a participant is not silent.
func (m *machine) heardFrom(p *Participant) {
	if m.s.Activity == nil {
		m.s.Activity = map[Role]time.Time{}
	}
	m.s.Activity[p.Role] = m.e.At
	if m.s.Idle[p.Role] {
		delete(m.s.Idle, p.Role)
		m.note(eventReturned, p)
	}
	if p.Role == Customer {
		m.do(Action{Kind: DoReturned})
	}
}

func (m *machine) event() error {
	p, err := m.who()
	if err != nil {
		return err
	}
	at := Time{m.e.At.UTC().Truncate(time.Millisecond)}
	live := Item{
		AbsoluteTime: at, ID: m.id(), Type: TypeEvent, ContentType: m.e.ContentType, ParticipantID: p.ID, ParticipantRole: p.Role,
		DisplayName: p.DisplayName, ContactID: m.s.Record.ID, InitialContactID: m.s.ID, ChatID: m.s.ID,
	}
	m.fx.ItemID, m.fx.At = live.ID, at
	switch m.e.ContentType {
	case EventAcknowledged:
		m.fx.Quiet = true
		return nil
	case EventTyping:
		m.fx.Quiet = true
		m.fx.Live = append(m.fx.Live, live)
		return nil
	case EventDelivered, EventRead:
	default:
		return errs.Field("ContentType", "must be %s, %s, %s or %s", EventTyping, EventDelivered, EventRead, EventAcknowledged)
	}
	var about struct {
		MessageID string `json:"messageId"`
	}
	if err = json.Unmarshal([]byte(m.e.Content), &about); err != nil || about.MessageID == "" || len(about.MessageID) > 256 {
		return errs.Field("Content", `must be {"messageId":"..."} for the content type %s`, m.e.ContentType)
	}
	r := Receipt{RecipientParticipantID: p.ID}
	if m.e.ContentType == EventRead {
		r.ReadTimestamp = at
	} else {
		r.DeliveredTimestamp = at
	}
	m.fx.Marks = append(m.fx.Marks, Mark{about.MessageID, r})
	live.Type, live.ContentType = TypeMetadata, eventMetadata
	live.MessageMetadata = &Metadata{MessageID: about.MessageID, Receipts: []Receipt{r}}
	m.fx.Live = append(m.fx.Live, live)
	return nil
}

func (m *machine) add() error {
	if len(m.s.Participants) >= maxParticipants {
		return errs.New(errs.Limit, "a chat has at most %d participants", maxParticipants)
	}
	if m.s.Channel != contact.Chat {
		return errs.New(errs.InvalidRequest, "only a chat takes participants")
	}
	m.s.Participants = append(m.s.Participants, *m.e.Participant)
	return nil
}

func (m *machine) leave() error {
	p, err := m.who()
	if err != nil {
		return err
	}
	switch p.Role {
	case Customer:
		m.gone(p)
		m.end(contact.CustomerDisconnect, "the customer has left")
	case Agent:
		m.agentGone(p)
	case CustomBot:
		m.gone(p)
		if m.present(CustomBot) == nil {
			m.do(Action{Kind: DoBotGone})
		}
	case Supervisor, System:
		m.gone(p)
	}
	return nil
}

// gone notes that a participant has left.
func (m *machine) gone(p *Participant) {
	p.Left = m.e.At
	m.note(eventLeft, p)
	m.do(Action{Kind: DoParticipant, ParticipantID: p.ID})
}

// end is the end of the contact, whatever its phase.
func (m *machine) end(reason contact.DisconnectReason, detail string) {
	r := &m.s.Record
	for i := range m.s.Participants {
		p := &m.s.Participants[i]
		if p.Role == Agent && p.Present() {
			p.Left = m.e.At
			m.do(Action{Kind: DoParticipant, ParticipantID: p.ID})
		}
	}
	switch m.s.Phase {
	case Offered:
		m.do(Action{Kind: DoResult, OfferID: m.s.Offer.ID, Result: OfferCallerLeft})
		m.do(Action{Kind: DoLeave, ContactID: r.ID})
	case Enqueueing, Queued:
		m.do(Action{Kind: DoLeave, ContactID: r.ID})
	case Talking:
		m.agentEnds()
	case Scheduled, Waiting, Flowing, Remaining, Ended:
	}
	m.s.Run.On = false
	m.do(Action{Kind: DoStopFlow})
	if m.s.Channel == contact.Chat {
		m.note(eventEnded, nil)
	}
	m.closeSegment(reason, detail)
	m.phase(Ended)
	m.s.Offer, m.s.OfferUntil, m.s.ConnectBy, m.s.StartAt = nil, time.Time{}, time.Time{}, time.Time{}
	m.do(Action{Kind: DoTell, Timeline: "DISCONNECTED"})
}

// closeSegment makes the present record final.
func (m *machine) closeSegment(reason contact.DisconnectReason, detail string) {
	r := &m.s.Record
	if r.Queue != nil && r.Queue.DequeueTimestamp.IsZero() {
		r.Queue.DequeueTimestamp = m.e.At
	}
	if r.Agent != nil && !r.Agent.ConnectedToAgentTimestamp.IsZero() && r.Agent.AgentInteractionEndTimestamp.IsZero() {
		r.Agent.AgentInteractionEndTimestamp = m.e.At
	}
	r.DisconnectTimestamp, r.LastUpdateTimestamp = m.e.At, m.e.At
	r.DisconnectReason, r.DisconnectDetail = reason, detail
	if m.s.Channel == contact.Chat {
		m.metrics()
		r.Recordings = append(r.Recordings, contact.Recording{
			Media: contact.MediaChat, Location: transcriptKey(m.s.Alias, r.ID, r.InitiationTimestamp),
			Start: r.InitiationTimestamp, Stop: m.e.At, Status: contact.RecordingSpooled,
		})
	}
	m.fx.Close = append(m.fx.Close, cloneRecord(*r))
	m.fx.Update = false
}
