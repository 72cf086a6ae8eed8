package recording

import "time"

// Hold says that what was recorded of a contact must not be deleted, neither by retention nor by anybody, until it is
// released. Who placed and who released it, and why, is in the audit trail.
type Hold struct {
	InstanceID string
	ContactID  string
	Reason     string
	UserID     string
	Since      time.Time
}
