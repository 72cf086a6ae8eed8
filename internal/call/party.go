package call

import (
	"slices"

	"ullim/internal/contact"
)

// PartyRole is what somebody is in a call.
type PartyRole int

// Party roles.
const (
	RoleCustomer   PartyRole = iota // the contact is about this one: when the customer leaves, it ends
	RoleAgent                       // a user of the instance who serves the contact, or placed the call
	RoleThird                       // brought in beside them, or in the place of the agent
	RoleSupervisor                  // listens, coaches or barges in
)

// String is the role as shown in the API and in logs.
func (r PartyRole) String() string {
	return [...]string{"CUSTOMER", "AGENT", "THIRD_PARTY", "SUPERVISOR"}[r]
}

// partyStage is where the leg of a party is.
type partyStage int

const (
	partyComing  partyStage = iota // called us, not answered yet
	partyDialled                   // we call them
	partyRinging                   // they ring
	partyUp                        // answered
	partyLent                      // on the way to another call of ours, which has not said yet whether it takes them
	partyGone                      // the leg is over, its media is being closed
	partyPlanned                   // has yet to be called: a customer who is called back when an agent is there
)

// String is the stage as shown in the API.
func (s partyStage) String() string {
	return [...]string{"CONNECTING", "DIALING", "RINGING", "CONNECTED", "TRANSFERRING", "DISCONNECTED", "SCHEDULED"}[s]
}

// firstParty is the id of the party whose INVITE began the call, or who was dialled first. Later ones are generations.
const firstParty = -1

// How many may be in a call: those of a conference, and supervisors beside them (A2.4).
const (
	maxParties     = 6
	maxSupervisors = 5
)

// Party is somebody in a call: a leg, its media and what is known about them. The id is never used twice, so that late
// events of a leg are recognised.
type Party struct {
	ID      int
	Role    PartyRole
	Hears   Role // in a conference; a Coach speaks to the agent
	Stage   partyStage
	Person  Person           // of a user of the instance; its ID is empty for everybody else
	Address contact.Endpoint // how records name them
	Device  string           // the id of the device of a user's that answered, or called

	Media   bool   // open
	Held    bool   // they have put us on hold: they do not listen
	OnHold  bool   // we have put them on hold
	ByFlow  bool   // a flow has, not an agent
	Muted   bool   // we let nobody hear them
	Barges  bool   // of a supervisor: may join, not only listen
	Early   bool   // early media: sent to one who calls us, received from one we call
	Flowing bool   // the early media of one we call can be heard
	Packets uint64 // received when it was last looked at
	Told    int    // the last provisional status passed on
	Segment string // of one who is gone: the id of the record that their quality belongs to
}

// talks reports whether the party is one of those whom a conversation is between.
func (p *Party) talks() bool { return p.Stage == partyUp && p.Role != RoleSupervisor }

// present reports whether the party can be in a conversation now.
func (p *Party) present() bool { return p.Stage == partyUp && !p.Held && !p.OnHold }

// party finds a party; nil if there is none. The pointer is good until a party is added or removed.
func (s *State) party(id int) *Party {
	for i := range s.Parties {
		if s.Parties[i].ID == id {
			return &s.Parties[i]
		}
	}
	return nil
}

// another is a party that could hold a conversation with the customer without those named; 0 if there is none.
func (s *State) another(without ...int) int {
	for i := range s.Parties {
		if p := &s.Parties[i]; p.talks() && p.ID != s.Customer && !slices.Contains(without, p.ID) {
			return p.ID
		}
	}
	return 0
}

// count is how many parties are there, or on their way: supervisors are counted apart.
func (s *State) count(supervisors bool) int {
	n := 0
	for i := range s.Parties {
		if p := &s.Parties[i]; p.Stage != partyGone && (p.Role == RoleSupervisor) == supervisors {
			n++
		}
	}
	return n
}

func (s *step) add(p Party) { s.Parties = append(s.Parties, p) }

func (s *step) remove(id int) {
	s.Parties = slices.DeleteFunc(s.Parties, func(p Party) bool { return p.ID == id })
}

// drop ends a party's leg and media. It is safe for one that is gone.
func (s *step) drop(id int, cause string) {
	p := s.party(id)
	if p == nil || p.Stage == partyLent {
		return
	}
	if p.Stage != partyGone {
		p.Stage, p.Segment = partyGone, s.Record.ID
		if id == s.Aside.To && s.Aside.Stage == asideTalks {
			p.Segment = s.Aside.Record.ID
		}
		s.do(hangup{Party: id, Cause: cause})
		if p.Media {
			s.do(closeMedia{Party: id})
			return
		}
	}
	if !p.Media {
		s.remove(id)
	}
}

// qualityKnown: the media of a party is closed.
func (s *step) qualityKnown(e qualityKnown) {
	p := s.party(e.Party)
	if p == nil {
		return
	}
	q := e.Quality
	r := s.record(p.Segment)
	switch {
	case r == nil:
	case p.Role == RoleCustomer:
		r.CustomerQuality = &q
	case p.Person.ID != "" && r.Agent != nil && r.Agent.ID == p.Person.ID:
		r.AgentQuality = &q
	}
	s.remove(e.Party)
}

// record finds the record of a segment that is not closed yet.
func (s *step) record(id string) *contact.Record {
	if id == "" || id == s.Record.ID {
		return &s.Record
	}
	if id == s.Aside.Record.ID {
		return &s.Aside.Record
	}
	for i := range s.Settling {
		if s.Settling[i].ID == id {
			return &s.Settling[i]
		}
	}
	return nil
}
