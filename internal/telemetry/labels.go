package telemetry

import (
	"slices"
	"strings"
	"sync"
	"unicode/utf8"

	"ullim/internal/contact"
)

// Refusal is why a call was not admitted.
type Refusal string

// The refusals, in the order in which they are looked for.
const (
	RefusedMalformed   Refusal = "malformed"   // the request breaks a rule of the protocol
	RefusedDraining    Refusal = "draining"    // the node is stopping
	RefusedRate        Refusal = "rate"        // too many requests from the source
	RefusedUnknown     Refusal = "unknown"     // neither a trunk nor a device
	RefusedPassword    Refusal = "password"    // digest credentials were wrong
	RefusedNoNumber    Refusal = "no_number"   // nobody has the number
	RefusedNoFlow      Refusal = "no_flow"     // the number has no published flow
	RefusedChannels    Refusal = "channels"    // all channels of the trunk, or all calls of the node, are in use
	RefusedTrunkRate   Refusal = "trunk_rate"  // too many new calls a second on the trunk
	RefusedMedia       Refusal = "media"       // no codec in common, or an SDP that cannot be answered
	RefusedNoPort      Refusal = "no_port"     // no RTP port is free
	RefusedStorage     Refusal = "storage"     // the contact could not be written
	RefusedLoop        Refusal = "loop"        // the call came back
	RefusedOverload    Refusal = "overloaded"  // the call could not keep up with its own events
	RefusedPermission  Refusal = "permission"  // the device may not call there
	RefusedUnavailable Refusal = "unavailable" // a part that is needed is away
	RefusedOther       Refusal = "other"
)

func refusals() []Refusal {
	return []Refusal{
		RefusedMalformed, RefusedDraining, RefusedRate, RefusedUnknown, RefusedPassword, RefusedNoNumber, RefusedNoFlow,
		RefusedChannels, RefusedTrunkRate, RefusedMedia, RefusedNoPort, RefusedStorage, RefusedLoop, RefusedOverload,
		RefusedPermission, RefusedUnavailable, RefusedOther,
	}
}

func disconnectReasons() []contact.DisconnectReason {
	return []contact.DisconnectReason{
		contact.CustomerDisconnect, contact.AgentDisconnect, contact.ThirdPartyDisconnect, contact.TelecomProblem,
		contact.ContactFlowDisconnect, contact.Expired, contact.OutboundDestinationError, contact.OutboundAttemptFailed,
		contact.Other,
	}
}

// ContactClosed counts a contact that ended.
func (m *Metrics) ContactClosed(reason contact.DisconnectReason) {
	if m != nil {
		m.closed.WithLabelValues(string(known(reason, disconnectReasons(), contact.Other))).Inc()
	}
}

// known is v if it is one of the values, else other.
func known[T comparable](v T, values []T, other T) T {
	if slices.Contains(values, v) {
		return v
	}
	return other
}

// sipMethod keeps the methods of the RFCs; a stranger can write anything there.
func sipMethod(method string) string {
	return known(method, []string{
		"INVITE", "ACK", "BYE", "CANCEL", "REGISTER", "OPTIONS", "PRACK", "UPDATE", "INFO", "REFER", "NOTIFY", "SUBSCRIBE",
		"MESSAGE", "PUBLISH",
	}, "other")
}

func sipClass(status int) string {
	if status < 100 || status > 699 {
		return "none"
	}
	return string(rune('0'+status/100)) + "xx"
}

// bounded is a set of label values that only grows up to a size; the rest is "other".
type bounded struct {
	most int
	mu   *sync.Mutex
	seen map[string]bool
}

// maxLabel is the longest label value, in bytes.
const maxLabel = 127

func newBounded(most int) bounded {
	return bounded{most: most, mu: &sync.Mutex{}, seen: make(map[string]bool)}
}

func (b bounded) value(s string) string {
	s = label(s)
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.seen[s]:
		return s
	case len(b.seen) < b.most:
		b.seen[s] = true
		return s
	default:
		return "other"
	}
}

// label makes a text fit to be a label value: valid UTF-8 of bounded length.
func label(s string) string {
	s = strings.ToValidUTF8(s, "?")
	if len(s) <= maxLabel {
		return s
	}
	s = s[:maxLabel]
	for !utf8.ValidString(s) {
		s = s[:len(s)-1]
	}
	return s
}
