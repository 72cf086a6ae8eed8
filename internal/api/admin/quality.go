package admin

import (
	"context"
	"time"

	"ullim/internal/api/rest"
	"ullim/internal/contact"
	"ullim/internal/errs"
	"ullim/internal/identity"
)

func (s *service) quality(t *rest.Table) {
	rest.Op(t, "DescribeContactQuality", "GET", "/contacts/{ContactId}/quality", identity.ContactSearch, s.describeQuality)
}

// legQuality is how a leg sounds, and how it is protected. Times are in milliseconds. What the far end heard is as it
// reports it by RTCP.
type legQuality struct {
	Role       string `json:"Role"`             // CUSTOMER, AGENT; while the contact is live THIRD_PARTY and those who listen, too
	Number     int    `json:"Number,omitempty"` // of the participant, while the contact is live
	Codec      string `json:"Codec,omitempty"`
	Encryption string `json:"Encryption"` // the suite of SRTP, or NONE

	PacketsSent     uint64  `json:"PacketsSent"`
	PacketsReceived uint64  `json:"PacketsReceived"`
	PacketsLost     uint64  `json:"PacketsLost"`
	PacketsLate     uint64  `json:"PacketsLate,omitempty"`    // where the sound was decoded
	PacketsForeign  uint64  `json:"PacketsForeign,omitempty"` // dropped: from a stranger
	PacketsRefused  uint64  `json:"PacketsRefused,omitempty"` // dropped: forged or repeated
	LongestGap      float64 `json:"LongestGap"`
	Jitter          float64 `json:"Jitter"`
	MaxJitter       float64 `json:"MaxJitter"`
	RemoteLost      uint64  `json:"RemoteLost,omitempty"`
	RemoteJitter    float64 `json:"RemoteJitter,omitempty"`
	RoundTrip       float64 `json:"RoundTrip,omitempty"`
	Mos             float64 `json:"Mos,omitempty"` // 1 to 4.5, an estimate; missing: too little was heard
}

type contactQuality struct {
	ContactID string       `json:"ContactId"`
	Live      bool         `json:"Live"`
	Legs      []legQuality `json:"Legs"`
}

// describeQuality shows the legs of a contact: of a live one as they are now, else as its record has them.
func (s *service) describeQuality(ctx context.Context, c *rest.Call, in *contactInput) (*contactQuality, error) {
	out := &contactQuality{ContactID: in.ContactID, Legs: []legQuality{}}
	list, err := s.Calls.Participants(c.Instance(), in.ContactID)
	if err == nil {
		out.Live = true
		for _, p := range list {
			if p.Quality != nil {
				leg := qualityOf(roleName(p), p.Quality)
				leg.Number = p.ID
				out.Legs = append(out.Legs, leg)
			}
		}
		return out, nil
	}
	if !errs.Is(err, errs.NotFound) {
		return nil, err
	}
	r, err := s.Contacts.Contact(ctx, c.Instance(), in.ContactID)
	if err != nil {
		return nil, err
	}
	for _, leg := range []struct {
		role string
		q    *contact.Quality
	}{{"CUSTOMER", r.CustomerQuality}, {"AGENT", r.AgentQuality}} {
		if leg.q != nil {
			out.Legs = append(out.Legs, qualityOf(leg.role, leg.q))
		}
	}
	return out, nil
}

func qualityOf(role string, q *contact.Quality) legQuality {
	ms := func(d time.Duration) float64 {
		return float64(d.Round(10*time.Microsecond)) / float64(time.Millisecond)
	}
	out := legQuality{
		Role: role, Codec: q.Codec, Encryption: q.Encryption, PacketsSent: q.Sent, PacketsReceived: q.Received, PacketsLost: q.Lost,
		PacketsLate: q.Late, PacketsForeign: q.Foreign, PacketsRefused: q.Refused, LongestGap: ms(q.MaxGap), Jitter: ms(q.Jitter),
		MaxJitter: ms(q.MaxJitter), RemoteLost: q.RemoteLost, RemoteJitter: ms(q.RemoteJitter), RoundTrip: ms(q.RoundTrip), Mos: q.MOS,
	}
	if out.Encryption == "" {
		out.Encryption = "NONE"
	}
	return out
}
