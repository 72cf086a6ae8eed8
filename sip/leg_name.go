package sip

import "ullim/internal/call"

// Dialog names the dialog. The other side's tag belongs to the leg's goroutine, and Call-ID with our tag is unique.
func (l *Leg) Dialog() call.DialogID { return call.DialogID{CallID: l.callID, OurTag: l.localTag} }
