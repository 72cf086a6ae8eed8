package reporting

import "time"

// Dim is something to group and filter by, as the Connect API names it.
type Dim string

// Dimensions.
const (
	Queue            Dim = "QUEUE"
	Channel          Dim = "CHANNEL"
	RoutingProfile   Dim = "ROUTING_PROFILE"
	Agent            Dim = "AGENT"
	LevelOne         Dim = "AGENT_HIERARCHY_LEVEL_ONE"
	LevelTwo         Dim = "AGENT_HIERARCHY_LEVEL_TWO"
	LevelThree       Dim = "AGENT_HIERARCHY_LEVEL_THREE"
	LevelFour        Dim = "AGENT_HIERARCHY_LEVEL_FOUR"
	LevelFive        Dim = "AGENT_HIERARCHY_LEVEL_FIVE"
	Method           Dim = "INITIATION_METHOD"
	Reason           Dim = "DISCONNECT_REASON"
	Subtype          Dim = "contact/segmentAttributes/connect:Subtype"
	Campaign         Dim = "CAMPAIGN"
	AnsweringMachine Dim = "ANSWERING_MACHINE_DETECTION_STATUS"
	Step             Dim = "ROUTING_STEP_EXPRESSION"
	FlowType         Dim = "FLOW_TYPE"
	Flow             Dim = "FLOWS_RESOURCE_ID"
	FlowModule       Dim = "FLOWS_MODULE_RESOURCE_ID"
	FlowOutcome      Dim = "FLOWS_OUTCOME_TYPE"
	FlowNext         Dim = "FLOWS_NEXT_RESOURCE_ID"
	FlowNextQueue    Dim = "FLOWS_NEXT_RESOURCE_QUEUE_ID"
)

// levels are the levels of the hierarchy, the first first.
func levels() []Dim { return []Dim{LevelOne, LevelTwo, LevelThree, LevelFour, LevelFive} }

// Column is the name under which a database keeps a dimension; empty for what is none.
func (d Dim) Column() string {
	switch d {
	case Queue:
		return "queue_id"
	case Channel:
		return "channel"
	case RoutingProfile:
		return "profile_id"
	case Agent:
		return "agent_id"
	case LevelOne:
		return "level1_id"
	case LevelTwo:
		return "level2_id"
	case LevelThree:
		return "level3_id"
	case LevelFour:
		return "level4_id"
	case LevelFive:
		return "level5_id"
	case Method:
		return "method"
	case Reason:
		return "reason"
	case Subtype:
		return "subtype"
	case Campaign:
		return "campaign_id"
	case AnsweringMachine:
		return "machine"
	case Step:
		return "step"
	case FlowType:
		return "flow_type"
	case Flow:
		return "flow_id"
	case FlowModule:
		return "module_id"
	case FlowOutcome:
		return "outcome"
	case FlowNext:
		return "next_flow_id"
	case FlowNextQueue:
		return "next_queue_id"
	}
	return ""
}

// Column is a number of a fact, by its name in a database. What ends in _us is microseconds: At, Initiated, Enqueued and
// AgentJoined since 1970, the others a duration.
type Column string

// Numbers of facts.
const (
	At            Column = "at_us" // when it counts
	Initiated     Column = "initiated_us"
	Enqueued      Column = "enqueued_us"
	AgentJoined   Column = "joined_us"
	agentQueue    Column = "agent_queue" // 1: the queue is an agent's own
	queued        Column = "queued"
	abandoned     Column = "abandoned"
	answered      Column = "answered" // queued, and joined to an agent
	removed       Column = "removed"  // answered, abandoned or called back
	handled       Column = "handled"  // joined to an agent
	queueUS       Column = "queue_us"
	answerUS      Column = "answer_us" // from the queue's beginning to the agent
	interactionUS Column = "interaction_us"
	holdUS        Column = "hold_us"
	agentHoldUS   Column = "agent_hold_us"
	holds         Column = "holds"
	acwUS         Column = "acw_us"
	pauseUS       Column = "pause_us"
	handleUS      Column = "handle_us" // interaction, hold, pause and after-contact work
	activeUS      Column = "active_us" // the same without pause
	talkHoldUS    Column = "interaction_hold_us"
	connectingUS  Column = "connecting_us"
	connecting    Column = "connecting" // 1: connecting_us is known
	flowUS        Column = "flow_us"
	durationUS    Column = "duration_us"
	resolutionUS  Column = "resolution_us"
	heldAtEnd     Column = "held_at_end"
	transferred   Column = "transferred"
	transferredTo Column = "transferred_external"
	retry         Column = "callback_retry"
	agentMessages Column = "agent_messages"
	customerMsgs  Column = "customer_messages"
	botMessages   Column = "bot_messages"
	allMessages   Column = "messages"
	isChat        Column = "chat_metrics" // 1: messages were counted
	firstUS       Column = "first_response_us"
	firstKnown    Column = "first_response"
	agentReplyUS  Column = "agent_response_us"
	agentReplies  Column = "agent_responses"
	custReplyUS   Column = "customer_response_us"
	custReplies   Column = "customer_responses"

	offerAnswered  Column = "answered"
	offerMissed    Column = "missed"
	offerAbandoned Column = "abandoned"

	stepJoined  Column = "joined"
	stepExpired Column = "expired"

	onlineUS  Column = "online_us"
	contactUS Column = "contact_us"
	idleUS    Column = "idle_us"
	customUS  Column = "custom_us"

	contactOrIdleUS Column = "contact_or_idle_us"

	errorUS Column = "error_us"
	slotUS  Column = "slot_us" // each contact on its own

	flowEnded Column = "ended"
	tookUS    Column = "took_us"
)

// Table is a kind of facts.
type Table string

// Tables.
const (
	Contacts Table = "contact_fact"
	Offers   Table = "offer_fact"
	Steps    Table = "step_fact"
	Agents   Table = "agent_quarter"
	Flows    Table = "flow_fact"
)

// Dims are the dimensions of a table, in the order of its columns.
func (t Table) Dims() []Dim {
	switch t {
	case Contacts:
		return append([]Dim{Channel, Subtype, Method, Reason, Queue, Agent, RoutingProfile, Campaign, AnsweringMachine}, levels()...)
	case Offers:
		return append([]Dim{Channel, Subtype, Method, Queue, Agent, RoutingProfile}, levels()...)
	case Steps:
		return []Dim{Channel, Queue, Step}
	case Agents:
		return append([]Dim{Agent, RoutingProfile}, levels()...)
	case Flows:
		return []Dim{Channel, Subtype, Method, FlowType, Flow, FlowModule, FlowOutcome, FlowNext, FlowNextQueue}
	}
	return nil
}

// Columns are the numbers of a table without At, in the order of its columns.
func (t Table) Columns() []Column {
	switch t {
	case Contacts:
		return []Column{
			Initiated, Enqueued, AgentJoined, agentQueue, queued, abandoned, answered, removed, handled, queueUS, answerUS,
			interactionUS, holdUS, agentHoldUS, holds, acwUS, pauseUS, handleUS, activeUS, talkHoldUS, connectingUS, connecting, flowUS, durationUS,
			resolutionUS, heldAtEnd, transferred, transferredTo, retry, agentMessages, customerMsgs, botMessages, allMessages, isChat, firstUS,
			firstKnown, agentReplyUS, agentReplies, custReplyUS, custReplies,
		}
	case Offers:
		return []Column{agentQueue, offerAnswered, offerMissed, offerAbandoned}
	case Steps:
		return []Column{agentQueue, stepJoined, stepExpired}
	case Agents:
		return []Column{onlineUS, contactUS, idleUS, customUS, errorUS, slotUS, contactOrIdleUS}
	case Flows:
		return []Column{Initiated, flowEnded, tookUS}
	}
	return nil
}

// hasQueue reports whether a table knows which queues are agents' own.
func (t Table) hasQueue() bool { return t == Contacts || t == Offers || t == Steps }

// Fact is a line of a table.
type Fact struct {
	ContactID string // empty for spans of agents
	N         int    // among those of a contact
	At        time.Time
	Dims      map[Dim]string
	Numbers   map[Column]int64
}

// number gives a number, At included.
func (f *Fact) number(c Column) int64 {
	if c == At {
		return micros(f.At)
	}
	return f.Numbers[c]
}

// micros is a moment as a number; the zero time is 0.
func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}
