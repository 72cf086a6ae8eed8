package app

import (
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing/synctest"
	"time"

	"ullim/acd"
	"ullim/internal/contact"
)

// dayMenu is the flow of the number: %s is the flow for those who wait.
const dayMenu = `{"Version":"2019-10-30","StartAction":"hooks","Metadata":{},"Actions":[
{"Identifier":"hooks","Type":"UpdateContactEventHooks","Parameters":{"EventHooks":{"CustomerQueue":"%s"}},
 "Transitions":{"NextAction":"menu","Errors":[{"NextAction":"bye","ErrorType":"NoMatchingError"}],"Conditions":[]}},
{"Identifier":"menu","Type":"GetParticipantInput","Parameters":{"Text":"For orders press 1, for deliveries 2, for complaints 3.",
  "InputTimeLimitSeconds":"5","StoreInput":"False"},"Transitions":{"Errors":[{"NextAction":"bye","ErrorType":"NoMatchingError"},
  {"NextAction":"menu","ErrorType":"NoMatchingCondition"},{"NextAction":"menu","ErrorType":"InputTimeLimitExceeded"}],"Conditions":[
  {"NextAction":"q1","Condition":{"Operator":"Equals","Operands":["1"]}},{"NextAction":"q2","Condition":{"Operator":"Equals","Operands":["2"]}},
  {"NextAction":"q3","Condition":{"Operator":"Equals","Operands":["3"]}}]}},
{"Identifier":"q1","Type":"UpdateContactTargetQueue","Parameters":{"QueueId":"Orders"},
 "Transitions":{"NextAction":"queue","Errors":[{"NextAction":"bye","ErrorType":"NoMatchingError"}],"Conditions":[]}},
{"Identifier":"q2","Type":"UpdateContactTargetQueue","Parameters":{"QueueId":"Delivery"},
 "Transitions":{"NextAction":"queue","Errors":[{"NextAction":"bye","ErrorType":"NoMatchingError"}],"Conditions":[]}},
{"Identifier":"q3","Type":"UpdateContactTargetQueue","Parameters":{"QueueId":"Complaints"},
 "Transitions":{"NextAction":"queue","Errors":[{"NextAction":"bye","ErrorType":"NoMatchingError"}],"Conditions":[]}},
{"Identifier":"queue","Type":"TransferContactToQueue","Parameters":{},
 "Transitions":{"Errors":[{"NextAction":"bye","ErrorType":"QueueAtCapacity"},{"NextAction":"bye","ErrorType":"NoMatchingError"}],"Conditions":[]}},
{"Identifier":"bye","Type":"DisconnectParticipant","Parameters":{},"Transitions":{}}]}`

// dayWaiting offers a callback every half minute.
const dayWaiting = `{"Version":"2019-10-30","StartAction":"music","Metadata":{},"Actions":[
{"Identifier":"music","Type":"MessageParticipantIteratively","Parameters":{"Messages":[{"Text":"Please hold the line."}],
  "InterruptFrequencySeconds":"30"},"Transitions":{"Errors":[{"NextAction":"end","ErrorType":"NoMatchingError"}],
  "Conditions":[{"NextAction":"offer","Condition":{"Operator":"Equals","Operands":["MessagesInterrupted"]}}]}},
{"Identifier":"offer","Type":"GetParticipantInput","Parameters":{"Text":"Press 9 to be called back.","InputTimeLimitSeconds":"3","StoreInput":"False"},
 "Transitions":{"Errors":[{"NextAction":"music","ErrorType":"NoMatchingError"},{"NextAction":"music","ErrorType":"NoMatchingCondition"},
  {"NextAction":"music","ErrorType":"InputTimeLimitExceeded"}],"Conditions":[{"NextAction":"number","Condition":{"Operator":"Equals","Operands":["9"]}}]}},
{"Identifier":"number","Type":"UpdateContactCallbackNumber","Parameters":{"CallbackNumber":"$.CustomerEndpoint.Address"},
 "Transitions":{"NextAction":"callback","Errors":[{"NextAction":"music","ErrorType":"InvalidCallbackNumber"},
  {"NextAction":"music","ErrorType":"CallbackNumberNotDialable"}],"Conditions":[]}},
{"Identifier":"callback","Type":"CreateCallbackContact","Parameters":{"InitialCallDelaySeconds":"60","MaximumConnectionAttempts":"2","RetryDelaySeconds":"900"},
 "Transitions":{"NextAction":"bye","Errors":[{"NextAction":"music","ErrorType":"NoMatchingError"}],"Conditions":[]}},
{"Identifier":"bye","Type":"DisconnectParticipant","Parameters":{},"Transitions":{}},
{"Identifier":"end","Type":"EndFlowExecution","Parameters":{},"Transitions":{}}]}`

// dayTruth is what has happened, by those to whom it happened.
type dayTruth struct {
	d      *day
	mu     sync.Mutex
	talks  int
	losses map[int64]bool // Unix seconds at which a phone died that was in use
}

func (t *dayTruth) lost(at time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.losses == nil {
		t.losses = map[int64]bool{}
	}
	t.losses[at.Unix()], t.losses[at.Unix()+1] = true, true
}

func (t *dayTruth) talk(*dayAgent, *dayCaller) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.talks++
}

// stranded looks for a customer who waits while somebody who could serve them is idle (R6).
func (d *day) stranded() {
	app, _ := d.engine()
	center, err := app.centers.of(d.instance)
	if err != nil {
		d.t.Fatal(err)
	}
	synctest.Wait()
	for _, w := range center.Waiting() {
		if time.Since(w.Since) < 2*time.Second {
			continue
		}
		for _, v := range center.Explain(w.ContactID) {
			if v.Reason == "" || v.Reason == acd.WhyOfferedNow {
				d.wrong("%s waits for %s though agent %s could serve it: %q", w.ContactID, time.Since(w.Since), d.byUser[v.UserID].name(), v.Reason)
			}
		}
	}
}

// judge holds the records, and what is left, against what the people have lived through.
func (d *day) judge() {
	for time.Since(d.start) < dayLength+3*time.Hour { // callbacks that nobody takes
		time.Sleep(time.Minute)
	}
	synctest.Wait()
	d.atRest()
	records := d.records()
	byNumber := map[string][]*contact.Record{}
	for _, r := range records {
		d.complete(r)
		byNumber[r.CustomerEndpoint.Address] = append(byNumber[r.CustomerEndpoint.Address], r)
	}
	var answered, gaveUp, refused, killed, promised, backs, moved int
	for number, c := range d.people {
		list := byNumber[number]
		slices.SortFunc(list, func(a, b *contact.Record) int { return a.InitiationTimestamp.Compare(b.InitiationTimestamp) })
		delete(byNumber, number)
		switch {
		case c.refused != nil:
			refused++
		case c.killed:
			killed++
		case len(c.talked) > 0:
			answered++
		default:
			gaveUp++
		}
		if c.moved {
			moved++
		}
		backs += c.backs
		if slices.ContainsFunc(list, func(r *contact.Record) bool { return r.InitiationMethod == contact.Callback }) {
			promised++
		}
		d.lived(c, list)
	}
	for number, list := range byNumber {
		d.wrong("%d records of %s, who never called", len(list), number)
	}
	d.t.Logf("%d customers: %d served, %d gave up, %d refused, %d cut off by the kill; %d called back %d times, %d transferred; %d records, %d talks",
		len(d.people), answered, gaveUp, refused, killed, promised, backs, moved, len(records), d.truth.talks)
	if answered < d.calls/2 || moved == 0 || d.calls >= dayCalls && (killed == 0 || promised == 0) {
		d.wrong("the day proves nothing: too little happened in it")
	}
	d.figures(records)
	d.timelines()
	if err := d.app.Close(); err != nil {
		d.wrong("close: %v", err)
	}
	if err := d.net.Close(); err != nil {
		d.wrong("network: %v", err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.wrongs) > 0 {
		d.t.Errorf("%s", strings.Join(d.wrongs, "\n"))
	}
}

// atRest proves that nothing is left.
func (d *day) atRest() {
	if n := d.app.calls.Count(); n != 0 {
		d.wrong("%d calls are up", n)
	}
	if n := d.phones.open(); n != 0 {
		d.wrong("%d legs have their audio open", n)
	}
	if left, err := d.app.db.Reservations(d.ctx, d.instance); err != nil || len(left) != 0 {
		d.wrong("reservations left: %v, %v", left, err)
	}
	if open, err := d.app.db.OpenContacts(d.ctx, d.app.o.Node); err != nil || len(open) != 0 {
		d.wrong("%d contacts left open, %v", len(open), err)
	}
	if center, err := d.app.centers.of(d.instance); err != nil || len(center.Waiting()) != 0 {
		d.wrong("somebody waits: %v", err)
	}
	for _, a := range d.agents {
		if s, err := d.snapshotOf(a); err != nil || s.StatusName != offlineName || len(s.Slots) != 0 {
			d.wrong("%s is %s with %v in the evening, %v", a.name(), s.StatusName, s.Slots, err)
		}
	}
}

// complete holds what every record must have.
func (d *day) complete(r *contact.Record) {
	switch {
	case r.DisconnectTimestamp.IsZero():
		d.wrong("record %s of %s was never closed", r.ID, r.CustomerEndpoint.Address)
	case r.DisconnectReason == "":
		d.wrong("record %s of %s has no reason", r.ID, r.CustomerEndpoint.Address)
	}
	order := []time.Time{r.InitiationTimestamp}
	if r.Queue != nil && r.InitiationMethod != contact.Callback {
		order = append(order, r.Queue.EnqueueTimestamp, r.Queue.DequeueTimestamp)
	}
	order = append(order, r.DisconnectTimestamp)
	for i := 1; i < len(order); i++ {
		if order[i].Before(order[i-1]) {
			d.wrong("record %s of %s goes back in time: %v", r.ID, r.CustomerEndpoint.Address, order)
		}
	}
	if a := r.Agent; a != nil && !a.ConnectedToAgentTimestamp.IsZero() {
		if r.Queue != nil && a.ConnectedToAgentTimestamp.Before(r.Queue.EnqueueTimestamp) || a.AgentInteractionEndTimestamp.Before(a.ConnectedToAgentTimestamp) {
			d.wrong("record %s: the agent's times are %+v", r.ID, a)
		}
	}
}

// lived holds the records of a customer against what the customer has lived through.
func (d *day) lived(c *dayCaller, list []*contact.Record) {
	if c.refused != nil {
		if len(list) > 0 {
			d.wrong("%s was refused (%v) and has %d records", c.number, c.refused, len(list))
		}
		return
	}
	first := 0
	var joined []time.Time
	for _, r := range list {
		if r.InitiationMethod == contact.Inbound {
			first++
		}
		if r.Agent != nil && !r.Agent.ConnectedToAgentTimestamp.IsZero() {
			joined = append(joined, r.Agent.ConnectedToAgentTimestamp)
		}
	}
	if first != 1 {
		d.wrong("%s called once and has %d inbound records", c.number, first)
	}
	if c.killed {
		return
	}
	if len(joined) != len(c.talked) {
		d.wrong("%s talked with %d agents, the %d records say %d: %v %v", c.number, len(c.talked), len(list), len(joined), c.talked, joined)
		return
	}
	slices.SortFunc(joined, time.Time.Compare)
	for i, at := range joined {
		if off := at.Sub(c.talked[i]).Abs(); off > time.Second {
			d.wrong("%s talked at %s, the record says %s", c.number, c.talked[i], at)
		}
	}
	last := list[len(list)-1]
	want := contact.AgentDisconnect
	switch {
	case c.self:
		want = contact.CustomerDisconnect
	case d.truth.losses[last.DisconnectTimestamp.Unix()]:
		want = contact.TelecomProblem
	}
	if len(c.talked) > 0 && c.backs == 0 && last.DisconnectReason != want {
		d.wrong("%s: the record says %s (%s), it was %s", c.number, last.DisconnectReason, last.DisconnectDetail, want)
	}
	if c.backs > 2 {
		d.wrong("%s was called back %d times, two attempts were allowed", c.number, c.backs)
	}
}

// daySeeds are the days that are simulated: one, or as many as ULLIM_DAYS says.
func daySeeds() []uint64 {
	n, err := strconv.Atoi(os.Getenv("ULLIM_DAYS"))
	if err != nil || n < 1 {
		n = 1
	}
	var seeds []uint64
	for i := range n {
		seeds = append(seeds, uint64(i+1))
	}
	return seeds
}
