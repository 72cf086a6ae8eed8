package sip

import (
	"context"
	"crypto/x509"
	"net/netip"
	"time"

	sipgo "github.com/emiago/sipgo/sip"

	"ullim/internal/call"
)

// plan is how a Target is called: where, in which order, and what is given back when the call is over.
type plan struct {
	hops     []hop
	together bool   // all at the same time (devices of a user), else one after the other (gateways of a trunk)
	release  func() // gives the trunk's channel and the user's allowance back; safe more than once, never nil
}

// hop is one place where a request outside a dialog goes.
type hop struct {
	network  string         // UDP, TCP, TLS, WS or WSS
	addr     netip.AddrPort // where it is sent
	server   string         // TLS: the name that the certificate must have
	insecure bool           // TLS: whatever the certificate, as set for the trunk
	roots    *x509.CertPool // TLS: who may have signed the certificate; nil: the system's
	flow     bool           // only over the connection that is there: a phone behind NAT, a browser
	target   sipgo.Uri      // Request-URI
	routes   []sipgo.Uri    // the Path of a registration, an outbound proxy
	from, to party
	headers  []sipgo.Header // identity and the like
	login    *login         // answers challenges of this hop; nil: there is nothing to answer with
	trunk    *Trunk         // whose gateway it is; nil: a device of our own
	device   string         // its id
	rang     func()         // told of the first 18x, for the post-dial delay; may be nil
	tell     func(outcome)  // how it went, for the health of a gateway; may be nil
}

// outcome is what a hop made of a request: the final status, or 0 if none came.
type outcome struct {
	status     int
	err        error
	retryAfter time.Duration // of a 503; 0: they do not say
}

// planFor decides how a target is called. It may wait: for a place on a trunk, for DNS. errs.NotFound: no such device or
// no trunk; errs.Denied: not permitted; errs.Limit, errs.Unavailable: no room, nobody reachable.
func (ep *Endpoint) planFor(ctx context.Context, t call.Target) (plan, error) {
	if t.UserID != "" {
		return ep.planDevices(t)
	}
	return ep.planTrunk(ctx, t)
}
