package jobs

import (
	"context"
	"encoding/json"
	"time"
)

// Job is durable work: enqueued in the transaction of what needs it, done at least once. Key is unique per Kind while
// the job lives: enqueueing it again changes nothing.
type Job struct {
	ID       int64
	Kind     string // "recording.upload"
	Key      string
	Payload  json.RawMessage
	Due      time.Time
	Attempts int // claims so far, this one included
	LastErr  string
}

// Store keeps jobs. Every method commits before it returns.
type Store interface {
	// Enqueue adds a job; one of the same Kind and Key that is still alive is left as it is.
	Enqueue(ctx context.Context, j Job) error
	// Claim takes up to n due jobs until now+lease; a claim that runs out makes the job due again.
	Claim(ctx context.Context, kinds []string, n int, now time.Time, lease time.Duration) ([]Job, error)
	// Extend moves the end of a claim's lease, for a job that takes long.
	Extend(ctx context.Context, id int64, until time.Time) error
	// Complete removes a job that is done.
	Complete(ctx context.Context, id int64) error
	// Retry makes a claimed job due again at a time, with the reason.
	Retry(ctx context.Context, id int64, at time.Time, reason string) error
	// Bury keeps a job that can never succeed, out of the way, with the reason.
	Bury(ctx context.Context, id int64, reason string) error
	// NextDue is when the earliest live job is due; ok is false if there is none.
	NextDue(ctx context.Context, kinds []string) (at time.Time, ok bool, err error)
	// Count is how many jobs of a kind are alive and how many buried.
	Count(ctx context.Context, kind string) (alive, buried int, err error)
}
