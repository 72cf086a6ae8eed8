package admin

import (
	"context"
	"encoding/json"
	"time"

	"github.com/google/uuid"

	"ullim/internal/api/rest"
	"ullim/internal/errs"
	"ullim/internal/identity"
	"ullim/internal/records"
	"ullim/internal/resource"
	"ullim/internal/webhook"
)

// StreamLog is where destinations of records and events are, and what they did not take.
type StreamLog interface {
	StreamState(ctx context.Context, instanceID, destinationID string) (records.State, error)
	ReplayStream(ctx context.Context, instanceID, destinationID string, from time.Time) error
	SeekStream(ctx context.Context, instanceID, destinationID string, seq int64) error
	DeadLetters(ctx context.Context, destinationID string, after int64, n int) ([]records.DeadLetter, error)
	RemoveDeadLetters(ctx context.Context, destinationID string, ids []int64) error
	DropStream(ctx context.Context, destinationID string) error
}

// Redeliverer sends a dead letter again.
type Redeliverer interface {
	Redeliver(ctx context.Context, d *records.Destination, item *records.Item) error
}

func (s *service) streams(t *rest.Table) {
	const one = "/record-streams/{RecordStreamId}"
	rest.Op(t, "CreateRecordStream", "POST", "/record-streams", identity.StreamsEdit, s.createStream)
	rest.Op(t, "ListRecordStreams", "GET", "/record-streams", identity.StreamsView, s.listStreams)
	rest.Op(t, "DescribeRecordStream", "GET", one, identity.StreamsView, s.describeStream)
	rest.Op(t, "UpdateRecordStream", "PUT", one, identity.StreamsEdit, s.updateStream)
	rest.Op(t, "DeleteRecordStream", "DELETE", one, identity.StreamsEdit, s.deleteStream)
	rest.Op(t, "RotateRecordStreamSecret", "POST", one+"/secret", identity.StreamsEdit, s.rotateStreamSecret)
	rest.Op(t, "ReplayRecordStream", "POST", one+"/replay", identity.StreamsEdit, s.replayStream)
	rest.Op(t, "ListDeadLetters", "GET", one+"/dead-letters", identity.StreamsView, s.listDeadLetters)
	rest.Op(t, "RedeliverDeadLetters", "POST", one+"/dead-letters/redeliver", identity.StreamsEdit, s.redeliverDeadLetters)
	rest.Op(t, "DeleteDeadLetters", "POST", one+"/dead-letters/delete", identity.StreamsEdit, s.deleteDeadLetters)
}

type createStreamInput struct {
	Name             string         `json:"Name"`
	Type             string         `json:"Type"`
	Kinds            []records.Kind `json:"Kinds,omitempty"`
	URL              string         `json:"Url,omitempty"`
	Prefix           string         `json:"Prefix,omitempty"`
	Paused           bool           `json:"Paused,omitempty"`
	GiveUpAfterHours int            `json:"GiveUpAfterHours,omitempty"`
}

type updateStreamInput struct {
	RecordStreamID   string         `json:"-" path:"RecordStreamId" ref:"record-stream"`
	Name             string         `json:"Name"`
	Kinds            []records.Kind `json:"Kinds,omitempty"`
	URL              string         `json:"Url,omitempty"`
	Prefix           string         `json:"Prefix,omitempty"`
	Paused           bool           `json:"Paused,omitempty"`
	GiveUpAfterHours int            `json:"GiveUpAfterHours,omitempty"`
}

// streamSecret is shown once, in the answer that makes it. Only web services have one.
type streamSecret struct {
	RecordStreamID string `json:"RecordStreamId"`
	Secret         string `json:"Secret,omitempty"`
}

func (s *service) createStream(ctx context.Context, c *rest.Call, in *createStreamInput) (*streamSecret, error) {
	id, err := uuid.NewV7() // now, because the secret is sealed for it
	if err != nil {
		return nil, err
	}
	d := &records.Destination{
		Meta: resource.Meta{ID: id.String(), InstanceID: c.Instance(), Name: in.Name}, Type: in.Type, Kinds: in.Kinds, URL: in.URL,
		Prefix: in.Prefix, Paused: in.Paused, GiveUp: time.Duration(in.GiveUpAfterHours) * time.Hour,
	}
	out := &streamSecret{RecordStreamID: d.ID}
	if err = s.checkStream(d); err != nil {
		return nil, err
	}
	if d.Type == records.Webhook {
		out.Secret = webhook.NewSecret()
		if d.Secret, err = s.Sealer.Seal(records.SecretOwner(d.ID), out.Secret); err != nil {
			return nil, err
		}
	}
	if err = s.RecordStreams.Create(ctx, d); err != nil {
		return nil, err
	}
	c.Note("record_stream_id", d.ID)
	return out, nil
}

// checkStream refuses what may never be called.
func (s *service) checkStream(d *records.Destination) error {
	if err := d.Validate(); err != nil || d.Type != records.Webhook {
		return err
	}
	return s.CheckURL(d.URL)
}

type streamInput struct {
	RecordStreamID string `json:"-" path:"RecordStreamId" ref:"record-stream"`
}

// recordStream is a destination, and where it is.
type recordStream struct {
	RecordStreamID   string         `json:"RecordStreamId"`
	ARN              string         `json:"Arn"`
	Name             string         `json:"Name"`
	Type             string         `json:"Type"`
	Kinds            []records.Kind `json:"Kinds"`
	URL              string         `json:"Url,omitempty"`
	Prefix           string         `json:"Prefix,omitempty"`
	Paused           bool           `json:"Paused"`
	GiveUpAfterHours int            `json:"GiveUpAfterHours"`
	Signed           bool           `json:"Signed"`
	PreviousUntil    rest.Time      `json:"PreviousSecretUntil,omitzero"`
	Cursor           int64          `json:"Cursor"`                      // everything up to here is delivered, or a dead letter
	Waiting          int            `json:"Waiting"`                     // behind the cursor, counted up to 10,000
	LagSeconds       int64          `json:"LagSeconds"`                  // age of the oldest that waits
	DeadLetters      int            `json:"DeadLetters"`                 //
	ReplayedUpTo     rest.Time      `json:"ReplayingRecordsOf,omitzero"` // a replay from the records is on its way, and here
	LastModifiedTime rest.Time      `json:"LastModifiedTime,omitzero"`
}

func (s *service) recordStreamOf(ctx context.Context, d *records.Destination) (recordStream, error) {
	state, err := s.StreamLog.StreamState(ctx, d.InstanceID, d.ID)
	out := recordStream{
		RecordStreamID: d.ID, ARN: resource.ARN(d.InstanceID, resource.KindRecordStream, d.ID), Name: d.Name, Type: d.Type,
		Kinds: append([]records.Kind{}, d.Kinds...), URL: d.URL, Prefix: d.Prefix, Paused: d.Paused,
		GiveUpAfterHours: int(d.GiveUp / time.Hour), Signed: d.Secret != "", PreviousUntil: rest.At(d.PreviousUntil),
		Cursor: state.Cursor.Seq, Waiting: state.Waiting, DeadLetters: state.DeadLetters, ReplayedUpTo: rest.At(state.Cursor.RefillFrom),
		LastModifiedTime: rest.At(d.ModifiedAt),
	}
	if d.GiveUp == 0 {
		out.GiveUpAfterHours = int(records.DefaultGiveUp / time.Hour)
	}
	if !state.Oldest.IsZero() {
		out.LagSeconds = int64(max(time.Since(state.Oldest), 0) / time.Second)
	}
	return out, err
}

type listStreamsOutput struct {
	RecordStreams []recordStream `json:"RecordStreams"`
	NextToken     string         `json:"NextToken,omitempty"`
}

func (s *service) listStreams(ctx context.Context, c *rest.Call, in *listInput) (*listStreamsOutput, error) {
	p, err := in.page()
	if err != nil {
		return nil, err
	}
	list, next, err := s.RecordStreams.List(ctx, c.Instance(), p)
	if err != nil {
		return nil, err
	}
	out := &listStreamsOutput{RecordStreams: make([]recordStream, 0, len(list)), NextToken: next}
	for _, d := range list {
		v, err := s.recordStreamOf(ctx, d)
		if err != nil {
			return nil, err
		}
		out.RecordStreams = append(out.RecordStreams, v)
	}
	return out, nil
}

func (s *service) describeStream(ctx context.Context, c *rest.Call, in *streamInput) (*recordStream, error) {
	d, err := s.RecordStreams.Get(ctx, c.Instance(), in.RecordStreamID)
	if err != nil {
		return nil, err
	}
	v, err := s.recordStreamOf(ctx, d)
	return &v, err
}

func (s *service) updateStream(ctx context.Context, c *rest.Call, in *updateStreamInput) (*rest.Empty, error) {
	_, err := resource.Edit(ctx, s.RecordStreams, c.Instance(), in.RecordStreamID, func(d *records.Destination) error {
		d.Name, d.Kinds, d.URL, d.Prefix, d.Paused = in.Name, in.Kinds, in.URL, in.Prefix, in.Paused
		d.GiveUp = time.Duration(in.GiveUpAfterHours) * time.Hour
		return s.checkStream(d)
	})
	return done(err)
}

func (s *service) deleteStream(ctx context.Context, c *rest.Call, in *streamInput) (*rest.Empty, error) {
	if err := s.RecordStreams.Delete(ctx, c.Instance(), in.RecordStreamID); err != nil {
		return nil, err
	}
	return done(s.StreamLog.DropStream(ctx, in.RecordStreamID))
}

func (s *service) rotateStreamSecret(ctx context.Context, c *rest.Call, in *streamInput) (*streamSecret, error) {
	out := &streamSecret{RecordStreamID: in.RecordStreamID, Secret: webhook.NewSecret()}
	_, err := resource.Edit(ctx, s.RecordStreams, c.Instance(), in.RecordStreamID, func(d *records.Destination) error {
		if d.Type != records.Webhook {
			return errs.New(errs.InvalidRequest, "only a web service has a secret")
		}
		sealed, err := s.Sealer.Seal(records.SecretOwner(d.ID), out.Secret)
		d.PreviousSecret, d.PreviousUntil, d.Secret = d.Secret, time.Now().Add(defaultOverlap), sealed
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

type replayStreamInput struct {
	RecordStreamID string    `json:"-" path:"RecordStreamId" ref:"record-stream"`
	From           rest.Time `json:"From,omitzero"`    // everything since then again; what is no longer in the log: the records
	Cursor         *int64    `json:"Cursor,omitempty"` // everything behind this place in the log
}

func (s *service) replayStream(ctx context.Context, c *rest.Call, in *replayStreamInput) (*rest.Empty, error) {
	d, err := s.RecordStreams.Get(ctx, c.Instance(), in.RecordStreamID)
	if err != nil {
		return nil, err
	}
	switch {
	case in.From.IsZero() == (in.Cursor == nil):
		return nil, errs.Field("From", "or Cursor must be set, and not both")
	case in.Cursor != nil && *in.Cursor < 0:
		return nil, errs.Field("Cursor", "must not be negative")
	case in.Cursor != nil:
		return done(s.StreamLog.SeekStream(ctx, c.Instance(), d.ID, *in.Cursor))
	}
	return done(s.StreamLog.ReplayStream(ctx, c.Instance(), d.ID, in.From.Time))
}

type listDeadLettersInput struct {
	RecordStreamID string `json:"-" path:"RecordStreamId" ref:"record-stream"`
	After          int    `json:"-" query:"after"`
	MaxResults     int    `json:"-" query:"maxResults"`
}

type deadLetter struct {
	DeadLetterID int64           `json:"DeadLetterId"`
	ItemID       string          `json:"ItemId"`
	Kind         records.Kind    `json:"Kind"`
	Type         string          `json:"Type,omitempty"`
	Key          string          `json:"Key"` // contact or user
	Reason       string          `json:"Reason"`
	Attempts     int             `json:"Attempts"`
	Time         rest.Time       `json:"Time,omitzero"`
	Detail       json.RawMessage `json:"Detail"`
}

type listDeadLettersOutput struct {
	DeadLetters []deadLetter `json:"DeadLetters"`
}

func (s *service) listDeadLetters(ctx context.Context, c *rest.Call, in *listDeadLettersInput) (*listDeadLettersOutput, error) {
	p, err := (&listInput{MaxResults: in.MaxResults}).page()
	if err != nil {
		return nil, err
	}
	if p.Max == 0 {
		p.Max = 100
	}
	d, err := s.RecordStreams.Get(ctx, c.Instance(), in.RecordStreamID)
	if err != nil {
		return nil, err
	}
	list, err := s.StreamLog.DeadLetters(ctx, d.ID, int64(in.After), p.Max)
	if err != nil {
		return nil, err
	}
	out := &listDeadLettersOutput{DeadLetters: make([]deadLetter, 0, len(list))}
	for i := range list {
		l := &list[i]
		out.DeadLetters = append(out.DeadLetters, deadLetter{
			DeadLetterID: l.ID, ItemID: l.Item.ID, Kind: l.Item.Kind, Type: l.Item.Type, Key: l.Item.Key, Reason: l.Reason,
			Attempts: l.Tries, Time: rest.At(l.At), Detail: l.Item.Body,
		})
	}
	return out, nil
}

type deadLettersInput struct {
	RecordStreamID string  `json:"-" path:"RecordStreamId" ref:"record-stream"`
	DeadLetterIDs  []int64 `json:"DeadLetterIds"` // at most 100
}

type deadLettersOutput struct {
	Delivered []int64          `json:"Delivered"`
	Failed    map[int64]string `json:"Failed,omitempty"`
}

func (s *service) redeliverDeadLetters(ctx context.Context, c *rest.Call, in *deadLettersInput) (*deadLettersOutput, error) {
	d, err := s.RecordStreams.Get(ctx, c.Instance(), in.RecordStreamID)
	if err != nil {
		return nil, err
	}
	if len(in.DeadLetterIDs) > 100 {
		return nil, errs.Field("DeadLetterIds", "must be at most 100")
	}
	out := &deadLettersOutput{Delivered: []int64{}, Failed: map[int64]string{}}
	for _, id := range in.DeadLetterIDs {
		list, err := s.StreamLog.DeadLetters(ctx, d.ID, id-1, 1)
		if err != nil {
			return nil, err
		}
		if len(list) == 0 || list[0].ID != id {
			out.Failed[id] = "there is no such dead letter"
			continue
		}
		if err = s.Redeliverer.Redeliver(ctx, d, &list[0].Item); err != nil {
			out.Failed[id] = err.Error()
			continue
		}
		if err = s.StreamLog.RemoveDeadLetters(ctx, d.ID, []int64{id}); err != nil {
			return nil, err
		}
		out.Delivered = append(out.Delivered, id)
	}
	return out, nil
}

func (s *service) deleteDeadLetters(ctx context.Context, c *rest.Call, in *deadLettersInput) (*rest.Empty, error) {
	d, err := s.RecordStreams.Get(ctx, c.Instance(), in.RecordStreamID)
	if err != nil {
		return nil, err
	}
	return done(s.StreamLog.RemoveDeadLetters(ctx, d.ID, in.DeadLetterIDs))
}
