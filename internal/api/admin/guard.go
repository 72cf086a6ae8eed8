package admin

import (
	"context"
	"net/netip"
	"strings"
	"time"

	"ullim/internal/api/rest"
	"ullim/internal/errs"
	"ullim/internal/identity"
	"ullim/sip"
)

// Guard is what keeps strangers out of the node. *sip.Endpoint is one.
type Guard interface {
	Bans() []sip.Ban
	AddBan(prefix netip.Prefix, reason string, life time.Duration) (sip.Ban, error)
	RemoveBan(prefix netip.Prefix) error
	Explain(q sip.Question) (sip.Answer, error)
	OutboundUsage(instanceID string) []sip.OutboundUsage
}

// WaitingMessages is what phones are told of. *sip.Endpoint is one.
type WaitingMessages interface {
	Waiting(userID string) (fresh, old int)
	SetWaiting(userID string, fresh, old int)
}

func (s *service) guard(t *rest.Table) {
	rest.Op(t, "ListBans", "GET", "/bans", identity.SecurityView, s.listBans)
	rest.Op(t, "CreateBan", "POST", "/bans", identity.SecurityEdit, s.createBan)
	rest.Op(t, "DeleteBan", "DELETE", "/bans", identity.SecurityEdit, s.deleteBan)
	rest.Op(t, "ExplainInvite", "POST", "/explain-invite", identity.SecurityView, s.explainInvite)
	rest.Op(t, "GetOutboundPolicy", "GET", "/outbound-policy", identity.SecurityView, s.getOutboundPolicy)
	rest.Op(t, "PutOutboundPolicy", "PUT", "/outbound-policy", identity.SecurityEdit, s.putOutboundPolicy)
	rest.Op(t, "GetOutboundUsage", "GET", "/outbound-usage", identity.SecurityView, s.getOutboundUsage)
	rest.Op(t, "GetWaitingMessages", "GET", "/users/{UserId}/waiting-messages", identity.DevicesView, s.getWaiting)
	rest.Op(t, "SetWaitingMessages", "PUT", "/users/{UserId}/waiting-messages", identity.DevicesEdit, s.setWaiting)
}

type ban struct {
	Address string    `json:"Address"`
	Reason  string    `json:"Reason"`
	Manual  bool      `json:"Manual"`
	Since   rest.Time `json:"Since,omitzero"`
	Until   rest.Time `json:"Until,omitzero"` // missing: until it is deleted
	Dropped int64     `json:"Dropped"`        // messages since then
}

func banOf(b sip.Ban) ban {
	out := ban{Address: b.Prefix.String(), Reason: b.Reason, Manual: b.Manual, Since: rest.At(b.Since), Dropped: int64(b.Dropped)} //nolint:gosec // a count
	if !b.Until.IsZero() {
		out.Until = rest.At(b.Until)
	}
	return out
}

type listBansOutput struct {
	Bans []ban `json:"Bans"`
}

func (s *service) listBans(_ context.Context, _ *rest.Call, _ *rest.Empty) (*listBansOutput, error) {
	out := &listBansOutput{Bans: []ban{}}
	for _, b := range s.Guard.Bans() {
		out.Bans = append(out.Bans, banOf(b))
	}
	return out, nil
}

type createBanInput struct {
	Address string `json:"Address"`
	Reason  string `json:"Reason,omitempty"`
	Seconds int    `json:"Seconds,omitempty"` // 0: until it is deleted
}

func (s *service) createBan(_ context.Context, c *rest.Call, in *createBanInput) (*ban, error) {
	p, err := banAddress(in.Address)
	if err != nil {
		return nil, err
	}
	if in.Seconds < 0 || in.Seconds > 10*365*86400 {
		return nil, errs.Field("Seconds", "must be 0 (until it is deleted) to ten years; is %d", in.Seconds)
	}
	b, err := s.Guard.AddBan(p, in.Reason, time.Duration(in.Seconds)*time.Second)
	if err != nil {
		return nil, err
	}
	c.Note("address", b.Prefix.String())
	out := banOf(b)
	return &out, nil
}

type deleteBanInput struct {
	Address string `json:"-" query:"address"`
}

func (s *service) deleteBan(_ context.Context, _ *rest.Call, in *deleteBanInput) (*rest.Empty, error) {
	p, err := banAddress(in.Address)
	if err != nil {
		return nil, err
	}
	return done(s.Guard.RemoveBan(p))
}

func banAddress(text string) (netip.Prefix, error) {
	if p, err := netip.ParsePrefix(text); err == nil {
		return p, nil
	}
	a, err := netip.ParseAddr(text)
	if err != nil || a.Zone() != "" {
		return netip.Prefix{}, errs.Field("Address", "must be an IP address or CIDR prefix, as 203.0.113.9 or 203.0.113.0/24; got %q", text)
	}
	a = a.Unmap()
	return netip.PrefixFrom(a, a.BitLen()), nil
}

type explainInviteInput struct {
	Message       string `json:"Message"`             // the whole INVITE, as traced
	SourceAddress string `json:"SourceAddress"`       // where it comes from: ip:port
	Transport     string `json:"Transport,omitempty"` // UDP, TCP, TLS, WS, WSS; missing: UDP
	As            string `json:"As,omitempty"`        // take the credentials of this user as right
}

type explainedRule struct {
	Rule   string `json:"Rule"`
	Passed bool   `json:"Passed"`
	Detail string `json:"Detail,omitempty"`
}

type explainInviteOutput struct {
	Admitted   bool            `json:"Admitted"`
	StatusCode int             `json:"StatusCode"` // SIP status of the refusal; 0: admitted, or no answer at all
	Status     string          `json:"Status,omitempty"`
	FailedRule string          `json:"FailedRule,omitempty"`
	Reason     string          `json:"Reason,omitempty"`
	Nearest    string          `json:"Nearest,omitempty"` // what would have matched
	Trust      string          `json:"Trust"`
	Rules      []explainedRule `json:"Rules"`
	TrunkID    string          `json:"TrunkId,omitempty"`
	TrunkName  string          `json:"TrunkName,omitempty"`
	DeviceID   string          `json:"DeviceId,omitempty"`
	DeviceName string          `json:"DeviceName,omitempty"`
	UserID     string          `json:"UserId,omitempty"`
	From       string          `json:"From,omitempty"`
	Called     string          `json:"Called,omitempty"` // in its one form
	Number     string          `json:"PhoneNumber,omitempty"`
	FlowID     string          `json:"ContactFlowId,omitempty"`
}

func (s *service) explainInvite(_ context.Context, c *rest.Call, in *explainInviteInput) (*explainInviteOutput, error) {
	src, err := netip.ParseAddrPort(in.SourceAddress)
	if err != nil {
		a, addrErr := netip.ParseAddr(in.SourceAddress)
		if addrErr != nil {
			return nil, errs.Field("SourceAddress", "must be an IP address with a port, as 192.0.2.7:5060; got %q", in.SourceAddress)
		}
		src = netip.AddrPortFrom(a, 5060)
	}
	network := strings.ToUpper(in.Transport)
	switch network {
	case "", "UDP", "TCP", "TLS", "WS", "WSS":
	default:
		return nil, errs.Field("Transport", "must be UDP, TCP, TLS, WS or WSS; got %q", in.Transport)
	}
	a, err := s.Guard.Explain(sip.Question{Message: []byte(in.Message), Source: src, Network: network, As: in.As})
	if err != nil {
		return nil, err
	}
	out := &explainInviteOutput{
		StatusCode: a.Code, Status: a.Phrase, FailedRule: a.Failed(), Reason: a.Why, Nearest: a.Nearest, Trust: a.Trust,
		From: a.From, Called: a.Called, Number: a.Target.Number, FlowID: a.Target.FlowID, Rules: []explainedRule{},
	}
	out.Admitted = out.FailedRule == ""
	for _, r := range a.Rules {
		out.Rules = append(out.Rules, explainedRule{Rule: r.Name, Passed: r.OK, Detail: r.Detail})
	}
	if t := a.Trunk; t != nil {
		out.TrunkID, out.TrunkName = t.ID, t.Name
	}
	if d := a.Device; d != nil {
		out.DeviceID, out.DeviceName, out.UserID = d.ID, d.Name, d.UserID
	}
	if owner := ownerOf(a); owner != "" && owner != c.Instance() { // nobody learns another instance's names
		return &explainInviteOutput{
			Admitted: out.Admitted, StatusCode: out.StatusCode, Status: out.Status, FailedRule: out.FailedRule,
			Reason: "the call belongs to another instance of this node", Trust: out.Trust, Rules: []explainedRule{},
		}, nil
	}
	return out, nil
}

// ownerOf is the instance that an answer is about, if it is about one.
func ownerOf(a sip.Answer) string {
	switch {
	case a.Target.InstanceID != "":
		return a.Target.InstanceID
	case a.Device != nil:
		return a.Device.InstanceID
	case a.Trunk != nil:
		return a.Trunk.InstanceID
	}
	return ""
}

type waitingInput struct {
	UserID string `json:"-" path:"UserId" ref:"agent"`
}

type waitingMessages struct {
	New int `json:"New"`
	Old int `json:"Old"`
}

func (s *service) getWaiting(ctx context.Context, c *rest.Call, in *waitingInput) (*waitingMessages, error) {
	if _, err := s.Users.Get(ctx, c.Instance(), in.UserID); err != nil {
		return nil, err
	}
	fresh, old := s.Waiting.Waiting(in.UserID)
	return &waitingMessages{New: fresh, Old: old}, nil
}

type setWaitingInput struct {
	UserID string `json:"-" path:"UserId" ref:"agent"`
	New    int    `json:"New"`
	Old    int    `json:"Old"`
}

func (s *service) setWaiting(ctx context.Context, c *rest.Call, in *setWaitingInput) (*rest.Empty, error) {
	if _, err := s.Users.Get(ctx, c.Instance(), in.UserID); err != nil {
		return nil, err
	}
	if in.New < 0 || in.Old < 0 || in.New > 100_000 || in.Old > 100_000 {
		return nil, errs.Field("New", "New and Old must be 0 to 100000; are %d and %d", in.New, in.Old)
	}
	s.Waiting.SetWaiting(in.UserID, in.New, in.Old)
	return &rest.Empty{}, nil
}
