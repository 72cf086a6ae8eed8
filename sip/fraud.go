package sip

import "ullim/internal/call"

// permitOutbound says whether a call may leave by a trunk. release gives back what it counts against.
func (ep *Endpoint) permitOutbound(call.Target, *Trunk) (release func(), err error) {
	return func() {}, nil
}
