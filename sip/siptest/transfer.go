package siptest

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/emiago/sipgo/sip"
)

// Request sends any request within the dialog and waits for the final response. It is for what has no method of its own:
// MESSAGE, OPTIONS, INFO, UPDATE with a body of the test's.
func (c *Call) Request(ctx context.Context, method, bodyType string, body []byte, headers ...string) (*sip.Response, error) {
	type result struct {
		res *sip.Response
		err error
	}
	done := make(chan result, 1)
	c.p.mu.Lock()
	if c.status.State == Over {
		c.p.mu.Unlock()
		return nil, ErrEnded
	}
	r := c.inDialog(method)
	r.bodyType, r.body, r.headers = bodyType, body, append(r.headers, headers...)
	c.challenged(r, func(res *sip.Response) {
		if res == nil {
			done <- result{err: errors.New("siptest: no response")}
			return
		}
		done <- result{res: res}
	})
	c.p.mu.Unlock()
	select {
	case out := <-done:
		return out.res, out.err
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// Refer asks the other side to call somebody else in our place: a blind transfer, or an attended one if other is the call
// that we have with the target already. It returns when that is accepted; Transfer and WaitTransferred tell the rest.
func (c *Call) Refer(ctx context.Context, target string, other *Call) error {
	to := c.p.uri(target)
	if other != nil {
		c.p.mu.Lock() // both are calls of this phone
		replaces := fmt.Sprintf("%s;to-tag=%s;from-tag=%s", other.id, other.farTag, other.localTag)
		c.p.mu.Unlock()
		to += "?Replaces=" + url.QueryEscape(replaces)
	}
	res, err := c.Request(ctx, "REFER", "", nil, "Refer-To: <"+to+">", "Contact: "+c.p.contact(), "Referred-By: <"+c.p.aor()+">")
	if err != nil {
		return err
	}
	return statusError(res)
}

// Transfer are the NOTIFYs of our transfer so far: the subscription's state and the status line, such as
// "terminated SIP/2.0 200 OK".
func (c *Call) Transfer() []string {
	c.p.mu.Lock()
	defer c.p.mu.Unlock()
	return append([]string(nil), c.notices...)
}

// WaitTransferred waits for the last NOTIFY of our transfer and gives its status line. It works after the call has ended.
func (c *Call) WaitTransferred(ctx context.Context) (string, error) {
	var last string
	err := c.wait(ctx, func() (bool, error) {
		if n := len(c.notices); n > 0 {
			state, line, _ := strings.Cut(c.notices[n-1], " ")
			last = line
			return state == "terminated", nil
		}
		return false, nil
	})
	return last, err
}

// notified takes a NOTIFY, also after the call has ended.
func (c *Call) notified(tx *serverTx) {
	tx.respond(200, "OK", nil)
	h := tx.req.GetHeader("subscription-state")
	if h == nil {
		return
	}
	state, _, _ := strings.Cut(h.Value(), ";")
	line, _, _ := strings.Cut(string(tx.req.Body()), "\r\n")
	c.notices = append(c.notices, state+" "+line)
	c.change()
}

// Offer offers a session of the test's own by re-INVITE and waits for the answer; nil asks for their offer and answers it in
// the ACK.
func (c *Call) Offer(ctx context.Context, sdp []byte) error {
	return c.reinvite(ctx, "sendrecv", func(r *request) { r.body = sdp })
}

// Texts are the text messages (MESSAGE) that came in the call.
func (c *Call) Texts() []string {
	c.p.mu.Lock()
	defer c.p.mu.Unlock()
	return append([]string(nil), c.texts...)
}
