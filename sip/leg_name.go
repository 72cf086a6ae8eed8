package sip

import "ullim/internal/call"

// Dialog names the dialog. The other side's tag belongs to who works for the leg, and Call-ID with our tag is unique.
func (l *Leg) Dialog() call.DialogID { return call.DialogID{CallID: l.callID, OurTag: l.localTag} }

// Dialog names the dialog of the branch that has the call; before that there is none that could be replaced.
func (f *fork) Dialog() call.DialogID {
	if l := f.named.Load(); l != nil {
		return l.Dialog()
	}
	return call.DialogID{}
}
