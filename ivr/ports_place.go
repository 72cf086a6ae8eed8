package ivr

import "time"

// Places is what Metrics can also be: it tells a contact where it stands in its queue, and how long that may take.
type Places interface {
	// Place is the position from 1, 0 if the contact is not in line, and the wait from now on, 0 if nobody can tell.
	Place(instanceID, contactID string) (position int, wait time.Duration)
}
