package sip

import (
	"context"
	"errors"
	"net/netip"
	"strconv"
	"strings"
	"time"

	sipgo "github.com/emiago/sipgo/sip"

	"ullim/internal/errs"
)

// outside is a request to a carrier that belongs to no call: REGISTER, OPTIONS.
type outside struct {
	method      sipgo.RequestMethod
	target      sipgo.Uri
	routes      []sipgo.Uri
	from, to    sipgo.Uri
	callID, tag string
	seq         uint32
	headers     []sipgo.Header
	contact     string // user part of a Contact; empty: none
}

// errNoReply is for a far end that says nothing.
var errNoReply = errors.New("no answer")

// exchange sends a request and gives the final answer. It also gives our face towards that place, which the
// Contact had. The error is for what got no answer: of the far end, of the network, or in time.
func (ep *Endpoint) exchange(ctx context.Context, p hop, o outside) (res *sipgo.Response, face sipgo.Uri, err error) {
	laddr, via, err := ep.reach(ctx, p)
	if err != nil {
		return nil, via, err
	}
	d := dialog{network: p.network, laddr: laddr, via: via, source: p.addr}
	req := sipgo.NewRequest(o.method, o.target)
	req.AppendHeader(ep.newVia(&d))
	for _, r := range o.routes {
		req.AppendHeader(&sipgo.RouteHeader{Address: *r.Clone()})
	}
	forwards := sipgo.MaxForwardsHeader(70)
	req.AppendHeader(&forwards)
	from := &sipgo.FromHeader{Address: o.from}
	from.Params.Add("tag", o.tag)
	req.AppendHeader(from)
	req.AppendHeader(&sipgo.ToHeader{Address: o.to})
	callID := sipgo.CallIDHeader(o.callID)
	req.AppendHeader(&callID)
	req.AppendHeader(&sipgo.CSeqHeader{SeqNo: o.seq, MethodName: o.method})
	if o.contact != "" {
		c := sipgo.Uri{Scheme: "sip", User: o.contact, Host: via.Host, Port: via.Port}
		if p.network != "UDP" {
			c.UriParams = sipgo.HeaderParams{{K: "transport", V: strings.ToLower(p.network)}}
		}
		req.AppendHeader(&sipgo.ContactHeader{Address: c})
	}
	req.AppendHeader(header("User-Agent", ep.opt.UserAgent))
	for _, h := range o.headers {
		req.AppendHeader(h)
	}
	req.SetBody(nil)
	req.SetTransport(p.network)
	req.SetDestination(p.addr.String())
	if p.network == "UDP" {
		req.Laddr = sipgoAddr(laddr)
	}
	res, err = ep.roundTrip(ctx, req)
	return res, via, err
}

// roundTrip waits for the final answer.
func (ep *Endpoint) roundTrip(ctx context.Context, req *sipgo.Request) (*sipgo.Response, error) {
	tx, err := ep.transactions.Request(ctx, req)
	if err != nil {
		return nil, errs.Wrap(err, errs.Unavailable, "the request could not be sent")
	}
	for {
		select {
		case res := <-tx.Responses():
			if !res.IsProvisional() {
				return res, nil
			}
		case <-tx.Done():
			return nil, errNoReply
		case <-ctx.Done():
			tx.Terminate()
			return nil, errNoReply
		}
	}
}

// sourceIs reports that an answer came from a host.
func sourceIs(res *sipgo.Response, a netip.Addr) bool {
	src, err := netip.ParseAddrPort(res.Source())
	return err == nil && src.Addr().Unmap() == a
}

// secondsIn reads a number of seconds at the beginning of a header field: Retry-After: 120 (overload);duration=60.
func secondsIn(value string) (time.Duration, bool) {
	value = strings.TrimSpace(value)
	end := 0
	for end < len(value) && end < 10 && value[end] >= '0' && value[end] <= '9' {
		end++
	}
	n, err := strconv.ParseUint(value[:end], 10, 32)
	return time.Duration(n) * time.Second, err == nil
}

// retryWait is the Retry-After of an answer; 0 if there is none.
func retryWait(res *sipgo.Response) time.Duration {
	if h := res.GetHeader("Retry-After"); h != nil {
		d, _ := secondsIn(h.Value())
		return d
	}
	return 0
}

// outcomeOf is what an exchange says about the far end.
func outcomeOf(res *sipgo.Response, err error) outcome {
	if res == nil {
		return outcome{err: err}
	}
	return outcome{status: res.StatusCode, retryAfter: retryWait(res)}
}
