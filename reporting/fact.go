package reporting

import (
	"maps"
	"slices"
	"strings"
	"time"

	"ullim/internal/contact"
)

// agentQueuePrefix begins the ids of the queues that agents have of their own (package acd).
const agentQueuePrefix = "agent/"

// Who says where an agent stands: of agents whom a record does not describe, those that did not answer.
type Who func(userID string) (profileID string, groups []contact.Group)

// Complete reports whether a record counts: it has ended, and so has the agent's after-contact work. A record whose
// agent's work is not known to have begun waits for it.
func Complete(r *contact.Record) bool {
	return !r.DisconnectTimestamp.IsZero() && (!joined(r) || !r.Agent.AfterContactWorkEnd.IsZero())
}

func joined(r *contact.Record) bool {
	return r.Agent != nil && !r.Agent.ConnectedToAgentTimestamp.IsZero()
}

// ContactFacts are what a complete record counts as: one line of Contacts, and its offers and routing steps.
func ContactFacts(r *contact.Record, who Who) map[Table][]Fact {
	c := counter{r: r, at: r.DisconnectTimestamp.UTC()}
	c.common = map[Dim]string{
		Channel: string(r.Channel), Subtype: subtypeOf(r), Method: string(r.InitiationMethod), Queue: "",
	}
	if r.Queue != nil {
		c.common[Queue] = r.Queue.ID
	}
	c.own = flag(strings.HasPrefix(c.common[Queue], agentQueuePrefix))
	return map[Table][]Fact{Contacts: {c.contact()}, Offers: c.offers(who), Steps: c.steps()}
}

// subtypeOf is the subtype of a contact, by its channel if the record has none.
func subtypeOf(r *contact.Record) string {
	if r.Subtype != "" {
		return r.Subtype
	}
	switch r.Channel {
	case contact.Voice:
		return "connect:Telephony"
	case contact.Chat:
		return "connect:Chat"
	case contact.Task:
		return "connect:Task"
	}
	return ""
}

// counter counts one record.
type counter struct {
	r      *contact.Record
	at     time.Time
	common map[Dim]string
	own    int64
}

// fact begins a line.
func (c *counter) fact(n int, numbers map[Column]int64) Fact {
	f := Fact{ContactID: c.r.ID, N: n, At: c.at, Dims: make(map[Dim]string, len(c.common)+10), Numbers: numbers}
	maps.Copy(f.Dims, c.common)
	f.Numbers[agentQueue] = c.own
	return f
}

// contact is the line of the contact itself.
func (c *counter) contact() Fact {
	r := c.r
	isQueued := r.Queue != nil && !r.Queue.EnqueueTimestamp.IsZero()
	isHandled := joined(r)
	isAbandoned := r.Abandoned()
	isTransferred := !r.TransferCompletedTimestamp.IsZero()
	f := c.fact(0, map[Column]int64{
		Initiated: micros(r.InitiationTimestamp), queued: flag(isQueued), handled: flag(isHandled), abandoned: flag(isAbandoned),
		answered: flag(isQueued && isHandled), removed: flag(isQueued && (isHandled || isAbandoned || r.Callback)),
		durationUS:    between(r.InitiationTimestamp, c.at),
		transferred:   flag(isTransferred),
		transferredTo: flag(isTransferred && r.TransferredTo != nil && r.TransferredTo.Type == contact.TelephoneNumber),
		retry:         flag(r.InitiationMethod == contact.Callback && !r.AttemptTimestamp.IsZero() && r.ConnectedToSystemTimestamp.IsZero()),
	})
	f.Dims[Reason], f.Dims[Campaign], f.Dims[AnsweringMachine] = string(r.DisconnectReason), r.CampaignID, r.AnsweringMachineDetection
	n := f.Numbers
	if isQueued {
		n[Enqueued] = micros(r.Queue.EnqueueTimestamp)
		left := r.Queue.DequeueTimestamp
		if left.IsZero() {
			left = c.at
		}
		n[queueUS] = between(r.Queue.EnqueueTimestamp, left)
	}
	c.flowTime(n, isQueued, isHandled)
	n[resolutionUS] = n[durationUS]
	if a := r.Agent; isHandled {
		c.place(&f, a.ID, a.RoutingProfileID, a.HierarchyGroups)
		c.work(n)
		if isQueued {
			n[answerUS] = between(r.Queue.EnqueueTimestamp, a.ConnectedToAgentTimestamp)
		}
		n[resolutionUS] = max(n[resolutionUS], between(r.InitiationTimestamp, a.AfterContactWorkEnd))
	}
	if m := r.ChatMetrics; m != nil {
		n[isChat], n[agentMessages], n[customerMsgs], n[botMessages] = 1, int64(m.AgentMessages), int64(m.CustomerMessages), int64(m.BotMessages)
		n[allMessages] = n[agentMessages] + n[customerMsgs] + n[botMessages]
		n[firstUS], n[firstKnown] = m.FirstAgentResponse.Microseconds(), flag(m.FirstAgentResponse > 0)
		n[agentReplyUS], n[agentReplies] = m.TotalAgentResponse.Microseconds(), int64(m.AgentResponses)
		n[custReplyUS], n[custReplies] = m.TotalCustomerResponse.Microseconds(), int64(m.CustomerResponses)
	}
	return f
}

// flowTime is how long the contact was in flows before it waited for, or had, an agent. What we place begins with a
// person, not with a flow.
func (c *counter) flowTime(n map[Column]int64, isQueued, isHandled bool) {
	r := c.r
	if r.InitiationMethod == contact.Outbound || r.InitiationMethod == contact.Callback {
		return
	}
	from, to := r.ConnectedToSystemTimestamp, c.at
	if from.IsZero() {
		from = r.InitiationTimestamp
	}
	switch {
	case isQueued:
		to = r.Queue.EnqueueTimestamp
	case isHandled:
		to = r.Agent.ConnectedToAgentTimestamp
	}
	n[flowUS] = between(from, to)
}

// work is the agent's part: interaction, hold, pause and after-contact work are the handle time, and do not overlap.
func (c *counter) work(n map[Column]int64) {
	r, a := c.r, c.r.Agent
	end := a.AgentInteractionEndTimestamp
	if end.IsZero() {
		end = c.at
	}
	n[AgentJoined] = micros(a.ConnectedToAgentTimestamp)
	total := between(a.ConnectedToAgentTimestamp, end)
	n[holdUS] = min(max(a.Holds.Duration.Microseconds(), 0), total)
	n[agentHoldUS] = max(a.Holds.ByAgent.Microseconds(), 0)
	n[holds], n[heldAtEnd] = int64(a.Holds.Count), flag(a.Holds.AtEnd)
	if p := r.LastPausedTimestamp; r.Channel == contact.Task && p.After(a.ConnectedToAgentTimestamp) {
		resumed := r.LastResumedTimestamp
		if resumed.Before(p) {
			resumed = end
		}
		n[pauseUS] = min(between(p, resumed), total-n[holdUS])
	}
	n[interactionUS] = total - n[holdUS] - n[pauseUS]
	n[acwUS] = between(a.AfterContactWorkStart, a.AfterContactWorkEnd)
	n[handleUS] = total + n[acwUS]
	n[activeUS], n[talkHoldUS] = n[handleUS]-n[pauseUS], n[interactionUS]+n[holdUS]
	if !a.RingStartTimestamp.IsZero() {
		n[connecting], n[connectingUS] = 1, between(a.RingStartTimestamp, a.ConnectedToAgentTimestamp)
	}
}

// place says where an agent stands.
func (c *counter) place(f *Fact, userID, profileID string, groups []contact.Group) {
	f.Dims[Agent], f.Dims[RoutingProfile] = userID, profileID
	for i, d := range levels() {
		if i < len(groups) {
			f.Dims[d] = groups[i].ID
		}
	}
}

// offers are the lines of the offers to agents. One without an outcome had none when the record ended: the customer left.
func (c *counter) offers(who Who) []Fact {
	var out []Fact
	for i, o := range c.r.Offers {
		took := o.Outcome == "ANSWERED"
		left := o.Outcome == "ABANDONED" || o.Outcome == ""
		f := c.fact(i, map[Column]int64{offerAnswered: flag(took), offerAbandoned: flag(left), offerMissed: flag(!took && !left)})
		if a := c.r.Agent; a != nil && a.ID == o.UserID {
			c.place(&f, a.ID, a.RoutingProfileID, a.HierarchyGroups)
		} else if who != nil {
			profile, groups := who(o.UserID)
			c.place(&f, o.UserID, profile, groups)
		} else {
			c.place(&f, o.UserID, "", nil)
		}
		out = append(out, f)
	}
	return out
}

// steps are the lines of the steps of routing criteria that were reached.
func (c *counter) steps() []Fact {
	var out []Fact
	for i, s := range c.r.Criteria {
		if !slices.Contains([]string{"ACTIVE", "JOINED", "EXPIRED"}, s.Status) {
			continue
		}
		f := c.fact(i, map[Column]int64{stepJoined: flag(s.Status == "JOINED"), stepExpired: flag(s.Status == "EXPIRED")})
		f.Dims[Step] = s.Expression
		out = append(out, f)
	}
	return out
}

func flag(is bool) int64 {
	if is {
		return 1
	}
	return 0
}

// between is the time from a to b in microseconds as they are stored, 0 if either did not happen or b is before a.
func between(a, b time.Time) int64 {
	if a.IsZero() || b.IsZero() {
		return 0
	}
	return max(b.UnixMicro()-a.UnixMicro(), 0)
}
