package ivr

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"ullim/internal/contact"
	"ullim/internal/errs"
)

// Bounds of calls to third parties (A1.5).
const (
	maxThirdPartyTime     = 600 // seconds
	defaultThirdPartyTime = 30
	maxThirdPartyDigits   = 50
)

// e164 tells whether text is a telephone number with its country code: + and 7 to 15 digits (E.164 §6).
func e164(number string) bool {
	digits, plus := strings.CutPrefix(number, "+")
	return plus && len(digits) >= 7 && len(digits) <= 15 && digits[0] != '0' && strings.Trim(digits, "0123456789") == ""
}

// thirdParty calls somebody outside and joins the two (Transfer to phone number).
type thirdParty struct {
	number, limit, digits    value
	callerNumber, callerName value
	resume                   bool
}

func (a *thirdParty) read(p *params) {
	p.rename("ThirdPartyConnectionTimeoutSeconds", "ThirdPartyConnectionTimeLimitSeconds")
	p.need("ThirdPartyPhoneNumber", "ContinueFlowExecution")
	a.number = p.whole("ThirdPartyPhoneNumber")
	if a.number.given() && a.number.isStatic() && !e164(a.number.raw) {
		p.problem("ThirdPartyPhoneNumber", "must be + and a number with its country code (E.164), or one data path")
	}
	a.limit = p.numberOrPath("ThirdPartyConnectionTimeLimitSeconds", 0, maxThirdPartyTime)
	a.resume = p.yes("ContinueFlowExecution")
	a.digits = p.whole("ThirdPartyDTMFDigits")
	if a.digits.isStatic() && badDigits(a.digits.raw) {
		p.problem("ThirdPartyDTMFDigits", "may have up to %d of 0 to 9, *, # and the comma, which is a pause", maxThirdPartyDigits)
	}
	caller := p.group("CallerId")
	a.callerNumber, a.callerName = caller.whole("Number"), caller.free("Name")
}

func badDigits(digits string) bool {
	return len(digits) > maxThirdPartyDigits || strings.Trim(digits, keys+",") != ""
}

func (a *thirdParty) rules() rules {
	r := rules{flows: inboundTransferQueue(), pauses: true, errors: []string{errNoMatch}}
	if a.resume { // without, Connect's designer has the Error branch alone
		r.next, r.errors = true, []string{errCallFailed, errNoMatch, errCallTime}
	}
	return r
}

func (a *thirdParty) run(ctx context.Context, s *session) step {
	caller, ok := s.participant.(ThirdPartyCaller)
	if err := s.only(contact.Voice); err != nil || !ok {
		return failedBy(ErrNotSupported)
	}
	t := ThirdParty{
		Number: s.text(a.number), CallerNumber: s.text(a.callerNumber), CallerName: s.text(a.callerName),
		Digits: s.text(a.digits), Resume: a.resume, Limit: defaultThirdPartyTime * time.Second,
	}
	n, isNumber := wholeNumber(s.text(a.limit), 0, maxThirdPartyTime)
	switch {
	case !e164(t.Number):
		return failedBy(errors.New("ivr: ThirdPartyPhoneNumber is not a number with its country code"))
	case badDigits(t.Digits):
		return failedBy(errors.New("ivr: ThirdPartyDTMFDigits has other characters than keys and commas, or too many"))
	case a.limit.given() && !isNumber:
		return failedBy(errors.New("ivr: ThirdPartyConnectionTimeLimitSeconds is not a number of seconds"))
	case n > 0:
		t.Limit = time.Duration(n) * time.Second
	}
	err := s.interact(func() error { return caller.CallThirdParty(ctx, t) })
	switch {
	case err == nil && a.resume:
		return done()
	case err == nil:
		return ended(Transferred)
	case s.left(ctx, err):
		return ended(Left)
	case errors.Is(err, ErrCallTimeout) && (a.resume || s.node.errorTarget(errCallTime) != ""):
		return step{errorType: errCallTime, why: err}
	case errors.Is(err, ErrCallFailed), errors.Is(err, ErrCallTimeout):
		return step{errorType: errCallFailed, why: err}
	}
	return failedBy(err)
}

// outboundCall calls the customer of a contact that has not been called yet (Call phone number).
type outboundCall struct{ caller, limit value }

func (a *outboundCall) read(p *params) {
	a.caller = p.group("CallerId").whole("Number")
	a.limit = p.numberOrPath("ConnectionTimeLimitSeconds", 1, maxThirdPartyTime)
}

func (a *outboundCall) rules() rules { return rules{next: true, pauses: true} }

func (a *outboundCall) run(ctx context.Context, s *session) step {
	caller, ok := s.participant.(OutboundCaller)
	if err := s.only(contact.Voice); err != nil || !ok {
		return s.lenient(ctx, fmt.Errorf("ivr: there is nobody to be called: %w", ErrNotSupported))
	}
	limit := defaultThirdPartyTime * time.Second
	if n, ok := wholeNumber(s.text(a.limit), 1, maxThirdPartyTime); ok {
		limit = time.Duration(n) * time.Second
	}
	err := s.interact(func() error { return caller.CompleteCall(ctx, s.text(a.caller), limit) })
	if err != nil {
		return s.lenient(ctx, err)
	}
	return done()
}

// lenient is the step for an error of an action that Connect gives no error branch: the branch if the flow has one, else
// the next action, with a line in the log that is never left out.
func (s *session) lenient(ctx context.Context, err error) step {
	switch {
	case s.left(ctx, err):
		return ended(Left)
	case s.node.errorTarget(errNoMatch) != "":
		return failedBy(err)
	}
	s.log.ErrorContext(ctx, "flow action failed, the flow goes on", "action_id", s.node.ID, "action_type", s.node.Type, "error", err)
	return done()
}

// holdState puts whoever was there before on hold, or takes them off (Hold customer or agent).
type holdState struct{ state HoldState }

func (a *holdState) read(p *params) {
	p.need("PreviousContactParticipantState")
	a.state = HoldState(p.oneOf("PreviousContactParticipantState", string(AgentOnHold), string(CustomerOnHold), string(OffHold)))
}

func (a *holdState) rules() rules {
	return rules{flows: append(inboundAndTransfer(), TypeOutboundWhisper), next: true, errors: []string{errNoMatch}}
}

func (a *holdState) run(ctx context.Context, s *session) step {
	h, ok := s.participant.(Holder)
	if err := s.only(contact.Voice); err != nil || !ok || a.state == "" {
		return failedBy(ErrNotSupported)
	}
	if err := h.SetHold(ctx, a.state); err != nil {
		return s.failure(ctx, err)
	}
	return done()
}

// dequeue moves a contact that waits to another queue, as a new segment (Transfer to queue, in a queue flow).
type dequeue struct{ at place }

func (a *dequeue) read(p *params) {
	a.at = readPlace(p)
	if !a.at.queue.given() && !a.at.agent.given() {
		p.problem("", "needs one of QueueId and AgentId")
	}
}

func (a *dequeue) rules() rules {
	return rules{flows: []FlowType{TypeCustomerQueue}, errors: []string{errQueueAtCapacity, errNoMatch}}
}

func (a *dequeue) run(ctx context.Context, s *session) step {
	r, ok := s.participant.(Requeuer)
	if !ok {
		return failedBy(ErrNotSupported)
	}
	q, err := a.at.find(ctx, s)
	if err != nil {
		return s.failure(ctx, err)
	}
	return s.enqueue(ctx, func() error { return r.Requeue(ctx, q) })
}

// enqueue hands the contact to a queue. What was pressed before was not meant for what the queue's flow asks.
func (s *session) enqueue(ctx context.Context, transfer func() error) step {
	s.dropKeys()
	err := transfer()
	switch {
	case err == nil:
		return ended(Queued)
	case errs.Is(err, errs.Limit):
		return step{errorType: errQueueAtCapacity, why: err}
	}
	return s.failure(ctx, err)
}

// transferToAgent hands the contact to the agent whom the transfer is for (Transfer to agent).
type transferToAgent struct{}

func (transferToAgent) read(*params) {}

func (transferToAgent) rules() rules {
	return rules{flows: []FlowType{TypeAgentTransfer, TypeQueueTransfer}}
}

// run: a busy agent ends the contact in Connect; here the flow's error branch is taken if it has one.
func (transferToAgent) run(ctx context.Context, s *session) step {
	c, ok := s.participant.(AgentCaller)
	if err := s.only(contact.Voice); err != nil || !ok {
		return failedBy(ErrNotSupported)
	}
	if err := c.CallAgent(ctx); err != nil {
		return s.failure(ctx, err)
	}
	return ended(Transferred)
}
