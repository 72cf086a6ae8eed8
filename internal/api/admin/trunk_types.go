package admin

import (
	"ullim/internal/api/rest"
	"ullim/internal/call"
	"ullim/internal/identity"
	"ullim/sip"
)

// trunkConfig is what a trunk is set up with. Passwords are written and never read.
type trunkConfig struct {
	Name            string         `json:"Name"`
	Description     string         `json:"Description,omitempty"`
	Addresses       []string       `json:"Addresses,omitempty"`
	Username        string         `json:"Username,omitempty"`
	Password        string         `json:"Password,omitempty"`
	Codecs          []string       `json:"Codecs,omitempty"`
	Region          string         `json:"Region,omitempty"`
	MaxChannels     int            `json:"MaxChannels,omitempty"`
	MaxCPS          int            `json:"MaxCps,omitempty"`
	Disabled        bool           `json:"Disabled,omitempty"`
	Gateways        []gateway      `json:"Gateways,omitempty"`
	OutboundProxy   *gateway       `json:"OutboundProxy,omitempty"`
	Login           *trunkLogin    `json:"Login,omitempty"`
	Register        *trunkRegister `json:"Register,omitempty"`
	TLSInsecure     bool           `json:"TlsInsecure,omitempty"`
	Encryption      string         `json:"Encryption,omitempty"`
	Digits          string         `json:"Digits,omitempty"`
	Noise           bool           `json:"ComfortNoise,omitempty"`
	AllowRefer      bool           `json:"AllowRefer,omitempty"`
	FollowRedirects bool           `json:"FollowRedirects,omitempty"`
	RedirectHosts   []string       `json:"RedirectHosts,omitempty"`
	ProbeSeconds    int            `json:"ProbeSeconds,omitempty"`
	CampaignShare   int            `json:"CampaignShare,omitempty"`
	Identity        *trunkIdentity `json:"Identity,omitempty"`
	Routes          []trunkRoute   `json:"Routes,omitempty"`
}

// updateTrunkInput is trunkConfig with the trunk's id. A password that is missing stays as it is.
type updateTrunkInput struct {
	TrunkID         string         `json:"-" path:"TrunkId" ref:"trunk"`
	Name            string         `json:"Name"`
	Description     string         `json:"Description,omitempty"`
	Addresses       []string       `json:"Addresses,omitempty"`
	Username        string         `json:"Username,omitempty"`
	Password        string         `json:"Password,omitempty"`
	Codecs          []string       `json:"Codecs,omitempty"`
	Region          string         `json:"Region,omitempty"`
	MaxChannels     int            `json:"MaxChannels,omitempty"`
	MaxCPS          int            `json:"MaxCps,omitempty"`
	Disabled        bool           `json:"Disabled,omitempty"`
	Gateways        []gateway      `json:"Gateways,omitempty"`
	OutboundProxy   *gateway       `json:"OutboundProxy,omitempty"`
	Login           *trunkLogin    `json:"Login,omitempty"`
	Register        *trunkRegister `json:"Register,omitempty"`
	TLSInsecure     bool           `json:"TlsInsecure,omitempty"`
	Encryption      string         `json:"Encryption,omitempty"`
	Digits          string         `json:"Digits,omitempty"`
	Noise           bool           `json:"ComfortNoise,omitempty"`
	AllowRefer      bool           `json:"AllowRefer,omitempty"`
	FollowRedirects bool           `json:"FollowRedirects,omitempty"`
	RedirectHosts   []string       `json:"RedirectHosts,omitempty"`
	ProbeSeconds    int            `json:"ProbeSeconds,omitempty"`
	CampaignShare   int            `json:"CampaignShare,omitempty"`
	Identity        *trunkIdentity `json:"Identity,omitempty"`
	Routes          []trunkRoute   `json:"Routes,omitempty"`
}

func (in *updateTrunkInput) config() *trunkConfig {
	return &trunkConfig{
		Name:            in.Name,
		Description:     in.Description,
		Addresses:       in.Addresses,
		Username:        in.Username,
		Password:        in.Password,
		Codecs:          in.Codecs,
		Region:          in.Region,
		MaxChannels:     in.MaxChannels,
		MaxCPS:          in.MaxCPS,
		Disabled:        in.Disabled,
		Gateways:        in.Gateways,
		OutboundProxy:   in.OutboundProxy,
		Login:           in.Login,
		Register:        in.Register,
		TLSInsecure:     in.TLSInsecure,
		Encryption:      in.Encryption,
		Digits:          in.Digits,
		Noise:           in.Noise,
		AllowRefer:      in.AllowRefer,
		FollowRedirects: in.FollowRedirects,
		RedirectHosts:   in.RedirectHosts,
		ProbeSeconds:    in.ProbeSeconds,
		CampaignShare:   in.CampaignShare,
		Identity:        in.Identity,
		Routes:          in.Routes,
	}
}

type gateway struct {
	Host      string `json:"Host"`
	Port      int    `json:"Port,omitempty"`
	Transport string `json:"Transport,omitempty"`
	Priority  int    `json:"Priority,omitempty"`
	Weight    int    `json:"Weight,omitempty"`
}

type trunkLogin struct {
	Username string `json:"Username"`
	Password string `json:"Password,omitempty"`
	Realm    string `json:"Realm,omitempty"`
}

// trunkLoginView is trunkLogin without its password.
type trunkLoginView struct {
	Username string `json:"Username"`
	Realm    string `json:"Realm,omitempty"`
}

type trunkRegister struct {
	Enabled bool   `json:"Enabled,omitempty"`
	User    string `json:"User,omitempty"`
	Domain  string `json:"Domain,omitempty"`
	Expires int    `json:"Expires,omitempty"`
}

type trunkIdentity struct {
	Assert    string `json:"Assert,omitempty"`
	FromUser  string `json:"FromUser,omitempty"`
	Domain    string `json:"Domain,omitempty"`
	UserPhone bool   `json:"UserPhone,omitempty"`
	Numbers   string `json:"Numbers,omitempty"`
	Called    string `json:"Called,omitempty"`
	Default   string `json:"Default,omitempty"`
	Anonymous string `json:"Anonymous,omitempty"`
	Diverted  string `json:"Diverted,omitempty"`
	Trust     string `json:"Trust,omitempty"`
	PassSTIR  bool   `json:"PassStir,omitempty"`
}

type trunkRoute struct {
	Prefix   string `json:"Prefix,omitempty"`
	Country  string `json:"Country,omitempty"`
	Priority int    `json:"Priority,omitempty"`
	Weight   int    `json:"Weight,omitempty"`
}

// applyOutgoing sets the outgoing side but the login, which needs the key.
func (in *trunkConfig) applyOutgoing(t *sip.Trunk) {
	t.Gateways = make([]sip.Gateway, 0, len(in.Gateways))
	for _, g := range in.Gateways {
		t.Gateways = append(t.Gateways, sip.Gateway(g))
	}
	t.OutboundProxy = nil
	if in.OutboundProxy != nil {
		p := sip.Gateway(*in.OutboundProxy)
		t.OutboundProxy = &p
	}
	t.Register = sip.Register{}
	if in.Register != nil {
		t.Register = sip.Register(*in.Register)
	}
	t.TLSInsecure, t.Encryption, t.Digits = in.TLSInsecure, call.Encryption(in.Encryption), call.DigitMode(in.Digits)
	t.Noise = in.Noise
	t.AllowRefer, t.FollowRedirects, t.RedirectHosts = in.AllowRefer, in.FollowRedirects, in.RedirectHosts
	t.ProbeSeconds, t.CampaignShare = in.ProbeSeconds, in.CampaignShare
	t.Identity = sip.IdentityProfile{}
	if i := in.Identity; i != nil {
		t.Identity = sip.IdentityProfile{
			Assert: sip.IdentityHeader(i.Assert), FromUser: i.FromUser, Domain: i.Domain, UserPhone: i.UserPhone,
			Numbers: sip.NumberFormat(i.Numbers), Called: sip.NumberFormat(i.Called), Default: i.Default,
			Anonymous: sip.Anonymous(i.Anonymous), Diverted: sip.DivertedBy(i.Diverted), Trust: sip.IdentityHeader(i.Trust),
			PassSTIR: i.PassSTIR,
		}
	}
	t.Routes = make([]sip.Route, 0, len(in.Routes))
	for _, r := range in.Routes {
		t.Routes = append(t.Routes, sip.Route(r))
	}
}

// applyLogin seals a new password for this trunk, and keeps the one there is if none is given.
func (in *trunkConfig) applyLogin(t *sip.Trunk, sealer *identity.Sealer) error {
	l := in.Login
	if l == nil {
		t.Login = sip.Login{}
		return nil
	}
	t.Login.Username, t.Login.Realm = l.Username, l.Realm
	if l.Password == "" {
		return nil
	}
	sealed, err := sealer.Seal(sip.SecretOwner(t.ID), l.Password)
	if err != nil {
		return err
	}
	t.Login.Secret = sealed
	return nil
}

type trunk struct {
	TrunkID          string            `json:"TrunkId"`
	Name             string            `json:"Name"`
	Description      string            `json:"Description,omitempty"`
	Addresses        []string          `json:"Addresses"`
	Username         string            `json:"Username,omitempty"`
	Codecs           []string          `json:"Codecs"`
	Region           string            `json:"Region,omitempty"`
	MaxChannels      int               `json:"MaxChannels"`
	MaxCPS           int               `json:"MaxCps"`
	Disabled         bool              `json:"Disabled"`
	Gateways         []gateway         `json:"Gateways"`
	OutboundProxy    *gateway          `json:"OutboundProxy,omitempty"`
	Login            *trunkLoginView   `json:"Login,omitempty"`
	Register         trunkRegister     `json:"Register"`
	TLSInsecure      bool              `json:"TlsInsecure"`
	Encryption       string            `json:"Encryption,omitempty"`
	Digits           string            `json:"Digits,omitempty"`
	Noise            bool              `json:"ComfortNoise,omitempty"`
	AllowRefer       bool              `json:"AllowRefer,omitempty"`
	FollowRedirects  bool              `json:"FollowRedirects,omitempty"`
	RedirectHosts    []string          `json:"RedirectHosts,omitempty"`
	ProbeSeconds     int               `json:"ProbeSeconds,omitempty"`
	CampaignShare    int               `json:"CampaignShare,omitempty"`
	Identity         trunkIdentity     `json:"Identity"`
	Routes           []trunkRoute      `json:"Routes"`
	Tags             map[string]string `json:"Tags,omitempty"`
	LastModifiedTime rest.Time         `json:"LastModifiedTime,omitzero"`
}

func trunkOf(t *sip.Trunk) trunk {
	out := trunk{
		TrunkID: t.ID, Name: t.Name, Description: t.Description, Addresses: append([]string{}, t.Addresses...),
		Username: t.Username, Codecs: append([]string{}, t.Codecs...), Region: t.Region, MaxChannels: t.MaxChannels,
		MaxCPS: t.MaxCPS, Disabled: t.Disabled, Tags: t.Tags, LastModifiedTime: rest.At(t.ModifiedAt),
		Gateways: make([]gateway, 0, len(t.Gateways)), Register: trunkRegister(t.Register), TLSInsecure: t.TLSInsecure,
		Encryption: string(t.Encryption), Digits: string(t.Digits), Noise: t.Noise, AllowRefer: t.AllowRefer, FollowRedirects: t.FollowRedirects,
		RedirectHosts: t.RedirectHosts, ProbeSeconds: t.ProbeSeconds, CampaignShare: t.CampaignShare, Routes: make([]trunkRoute, 0, len(t.Routes)),
	}
	for _, g := range t.Gateways {
		out.Gateways = append(out.Gateways, gateway(g))
	}
	if t.OutboundProxy != nil {
		p := gateway(*t.OutboundProxy)
		out.OutboundProxy = &p
	}
	if t.Login.Username != "" {
		out.Login = &trunkLoginView{Username: t.Login.Username, Realm: t.Login.Realm}
	}
	i := t.Identity
	out.Identity = trunkIdentity{
		Assert: string(i.Assert), FromUser: i.FromUser, Domain: i.Domain, UserPhone: i.UserPhone, Numbers: string(i.Numbers),
		Called: string(i.Called), Default: i.Default, Anonymous: string(i.Anonymous), Diverted: string(i.Diverted),
		Trust: string(i.Trust), PassSTIR: i.PassSTIR,
	}
	for _, r := range t.Routes {
		out.Routes = append(out.Routes, trunkRoute(r))
	}
	return out
}
