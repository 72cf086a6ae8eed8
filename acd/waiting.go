package acd

import "ullim/internal/errs"

// MaxOverflow is how many rules of overflow a queue may have.
const MaxOverflow = 10

// Overflow moves contacts of a queue to another one when a condition holds; the first rule that applies counts. Fields
// that are zero do not count; those that are set must all hold.
type Overflow struct {
	QueueID     string `json:"queueId"`               // where to
	Size        int    `json:"size,omitempty"`        // so many wait, this one included
	WaitSeconds int    `json:"waitSeconds,omitempty"` // this one has waited for so long
	NoStaff     bool   `json:"noStaff,omitempty"`     // no agent of the queue is staffed
}

// Announce tells those who wait how it stands.
type Announce struct {
	EverySeconds int  `json:"everySeconds,omitempty"` // 0: never
	Position     bool `json:"position,omitempty"`
	Wait         bool `json:"wait,omitempty"`
}

func (r *Routing) checkOverflow() error {
	if len(r.Overflow) > MaxOverflow {
		return errs.New(errs.Limit, "Overflow: must have at most %d rules; has %d", MaxOverflow, len(r.Overflow))
	}
	for _, o := range r.Overflow {
		switch {
		case o.QueueID == "":
			return errs.Field("Overflow.QueueId", "is required")
		case o.Size < 0 || o.WaitSeconds < 0:
			return errs.Field("Overflow", "Size and WaitSeconds must not be negative")
		case o.Size == 0 && o.WaitSeconds == 0 && !o.NoStaff:
			return errs.Field("Overflow", "a rule needs Size, WaitSeconds or NoStaff")
		}
	}
	return nil
}

func (a Announce) validate() error {
	switch {
	case a.EverySeconds != 0 && (a.EverySeconds < 15 || a.EverySeconds > 600):
		return errs.Field("Announce.EverySeconds", "must be 15 to 600, or 0 for never; is %d", a.EverySeconds)
	case a.EverySeconds != 0 && !a.Position && !a.Wait:
		return errs.Field("Announce", "needs Position or Wait")
	}
	return nil
}
