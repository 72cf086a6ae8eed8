package acd

import (
	"strings"

	"ullim/internal/contact"
)

// agentQueuePrefix begins the ids of agent queues.
const agentQueuePrefix = "agent/"

// maxAgentQueue is how many contacts may wait for one agent (A2.1).
const maxAgentQueue = 10

// AgentQueueID is the id of the queue of one agent: everybody has one, of type AGENT. It has no hours of operation, and
// the agent serves it on every channel of the routing profile before all other queues, without delay (A2.1).
func AgentQueueID(userID string) string { return agentQueuePrefix + userID }

// OfAgentQueue is the agent whose queue it is; ok is false for a standard queue.
func OfAgentQueue(queueID string) (userID string, ok bool) {
	return strings.CutPrefix(queueID, agentQueuePrefix)
}

// queueOf finds a standard queue, or makes up the one of an agent; nil: there is none.
func (a *actor) queueOf(id string) *Queue {
	if userID, ok := OfAgentQueue(id); ok {
		g, known := a.setup.Agents[userID]
		if !known {
			return nil
		}
		q := &Queue{MaxContacts: maxAgentQueue, Status: QueueEnabled}
		q.ID, q.Name = id, g.Username
		return q
	}
	return a.setup.Queues[id]
}

// ownLines are the lines of an agent's own queue, one for each channel of the profile.
func (p *Profile) ownLines(userID string) []ProfileQueue {
	var out []ProfileQueue
	for _, m := range p.Concurrencies {
		out = append(out, ProfileQueue{QueueID: AgentQueueID(userID), Channel: m.Channel})
	}
	return out
}

// line is how an agent serves a queue on a channel; ok is false if not at all.
func (a *Candidate) line(queueID string, ch contact.Channel) (q ProfileQueue, ok bool) {
	if userID, own := OfAgentQueue(queueID); own {
		_, ok = a.Profile.channels[ch]
		return ProfileQueue{QueueID: queueID, Channel: ch}, ok && userID == a.UserID
	}
	q, ok = a.Profile.byKey[lineKey{queueID, ch}]
	return q, ok
}

// awaited are the agents for whom somebody waits in their own queue; nil for nobody.
func awaited(waiting []Waiting) map[string]bool {
	var out map[string]bool
	for i := range waiting {
		if userID, own := OfAgentQueue(waiting[i].QueueID); own {
			if out == nil {
				out = make(map[string]bool)
			}
			out[userID] = true
		}
	}
	return out
}

// linesOf are the lines that an agent serves, the best first; own are the agents for whom somebody waits.
func linesOf(a *Candidate, own map[string]bool) []ProfileQueue {
	if !own[a.UserID] {
		return a.Profile.lines
	}
	return append(a.Profile.ownLines(a.UserID), a.Profile.lines...)
}
