package sip

import (
	"ullim/internal/call"
	"ullim/internal/resource"
)

// Trunk is a carrier: where its calls come from, how calls go out to it, and what it may use. It is recognised by source
// address, by digest, or both if both are set, and by its registration if we register with it.
type Trunk struct {
	resource.Meta
	Description string   `json:"description,omitempty"`
	Addresses   []string `json:"addresses,omitempty"` // IP or CIDR the carrier sends from, with an optional :port
	Username    string   `json:"username,omitempty"`  // digest, for a carrier that authenticates to us
	HA1MD5      string   `json:"ha1Md5,omitempty"`    // H(user:realm:password); the password itself is not kept
	HA1SHA256   string   `json:"ha1Sha256,omitempty"`
	Codecs      []string `json:"codecs,omitempty"`      // PCMU, PCMA, G722, OPUS; empty: all of ours
	Region      string   `json:"region,omitempty"`      // ISO 3166, for numbers without country code
	MaxChannels int      `json:"maxChannels,omitempty"` // calls at once, both directions together; 0: no limit of its own
	MaxCPS      int      `json:"maxCps,omitempty"`      // new calls a second, each direction; 0: no limit of its own
	Disabled    bool     `json:"disabled,omitempty"`

	Gateways      []Gateway       `json:"gateways,omitempty"`      // where calls go; none: incoming only
	OutboundProxy *Gateway        `json:"outboundProxy,omitempty"` // everything goes through it
	Login         Login           `json:"login,omitzero"`
	Register      Register        `json:"register,omitzero"`
	TLSInsecure   bool            `json:"tlsInsecure,omitempty"` // the certificate is not checked (threat 8)
	Encryption    call.Encryption `json:"encryption,omitempty"`
	Digits        call.DigitMode  `json:"digits,omitempty"`
	Noise         bool            `json:"comfortNoise,omitempty"`
	// AllowRefer lets the carrier transfer calls by REFER. RedirectHosts are the hosts to which a 3xx of it may send a call,
	// and with FollowRedirects its own gateways; neither: a 3xx is a refusal.
	AllowRefer      bool            `json:"allowRefer,omitempty"`
	RedirectHosts   []string        `json:"redirectHosts,omitempty"`
	FollowRedirects bool            `json:"followRedirects,omitempty"`
	ProbeSeconds    int             `json:"probeSeconds,omitempty"`  // between OPTIONS; 0: 60; -1: none
	CampaignShare   int             `json:"campaignShare,omitempty"` // percent of MaxChannels and MaxCPS; 0: all of them
	Identity        IdentityProfile `json:"identity,omitzero"`
	Routes          []Route         `json:"routes,omitempty"` // the numbers it is for; none: all
}

// Gateway is a host of the carrier. A name without a port is looked up by SRV (RFC 3263 §4.2).
type Gateway struct {
	Host      string `json:"host"` // name or IP address
	Port      int    `json:"port,omitempty"`
	Transport string `json:"transport,omitempty"` // UDP (default), TCP, TLS
	Priority  int    `json:"priority,omitempty"`  // lower is tried first
	Weight    int    `json:"weight,omitempty"`    // share among those of the same priority; 0: 1
}

// Login is what the carrier has given us to authenticate with.
type Login struct {
	Username string `json:"username,omitempty"`
	Secret   string `json:"secret,omitempty"` // sealed
	Realm    string `json:"realm,omitempty"`  // the only realm that is answered; empty: the first that the carrier names
}

// Register says that we register with the carrier, and how.
type Register struct {
	Enabled bool   `json:"enabled,omitempty"`
	User    string `json:"user,omitempty"`    // of the address of record; empty: Login.Username
	Domain  string `json:"domain,omitempty"`  // of the address of record; empty: the first gateway's host
	Expires int    `json:"expires,omitempty"` // seconds asked for; 0: 3600
}

// Route says that a trunk carries numbers that begin with Prefix or belong to Country; both empty: every number.
type Route struct {
	Prefix   string `json:"prefix,omitempty"`   // + and digits, or digits of a short number
	Country  string `json:"country,omitempty"`  // ISO 3166
	Priority int    `json:"priority,omitempty"` // lower first, among trunks with an equally good match
	Weight   int    `json:"weight,omitempty"`   // share among those of the same priority; 0: 1
}

// NumberFormat is how a carrier writes numbers.
type NumberFormat string

// Number formats.
const (
	FormatE164          NumberFormat = ""              // +821012345678
	FormatE164NoPlus    NumberFormat = "digits"        // 821012345678
	FormatNational      NumberFormat = "national"      // 01012345678 in Region, else as FormatInternational
	FormatInternational NumberFormat = "international" // 00821012345678, with the international prefix of Region
)

// IdentityHeader names where the caller's number stands.
type IdentityHeader string

// Identity headers.
const (
	IdentityFrom IdentityHeader = "From"
	IdentityPAI  IdentityHeader = "P-Asserted-Identity"  // RFC 3325
	IdentityPPI  IdentityHeader = "P-Preferred-Identity" // RFC 3325
	IdentityRPID IdentityHeader = "Remote-Party-ID"
)

// IdentityProfile is how a carrier wants to be told who calls, and how it tells us.
type IdentityProfile struct {
	Assert    IdentityHeader `json:"assert,omitempty"`    // beside From: PAI, PPI or RPID; empty: none
	FromUser  string         `json:"fromUser,omitempty"`  // fixed user of From, as sipgate wants; the number stands in Assert only
	Domain    string         `json:"domain,omitempty"`    // host of From and of the identity headers; empty: ours
	UserPhone bool           `json:"userPhone,omitempty"` // user=phone on URIs that hold numbers (RFC 3261 §19.1.6)
	Numbers   NumberFormat   `json:"numbers,omitempty"`   // of the caller, Diversion and History-Info
	Called    NumberFormat   `json:"called,omitempty"`    // of the called number
	Default   string         `json:"default,omitempty"`   // shown if the call has no number of its own
	Anonymous Anonymous      `json:"anonymous,omitempty"`
	Diverted  DivertedBy     `json:"diverted,omitempty"`
	Trust     IdentityHeader `json:"trust,omitempty"`    // where an incoming call's number is; empty: From
	PassSTIR  bool           `json:"passStir,omitempty"` // the Identity header of a forwarded call is passed on (RFC 8224)
}

// Anonymous is how a call hides its number.
type Anonymous string

// Ways to be anonymous.
const (
	AnonymousRFC3323 Anonymous = ""     // From anonymous.invalid, Privacy: id, the number in Assert if there is one
	AnonymousPrivacy Anonymous = "from" // Privacy: id; From keeps the number
)

// DivertedBy is how a forwarded call says by which numbers it came.
type DivertedBy string

// Ways to tell of a diversion.
const (
	DivertedNone      DivertedBy = ""
	DivertedDiversion DivertedBy = "Diversion"    // RFC 5806
	DivertedHistory   DivertedBy = "History-Info" // RFC 7044
)

// SecretOwner is for whom the password of a trunk's Login is sealed.
func SecretOwner(trunkID string) string { return "trunk/" + trunkID }

// Kind is trunk.
func (*Trunk) Kind() resource.Kind { return resource.KindTrunk }

// Refs is empty.
func (*Trunk) Refs() []resource.Ref { return nil }
