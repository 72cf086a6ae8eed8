package chat

import (
	"context"
	"maps"
	"time"
	"unicode/utf8"

	"ullim/internal/contact"
	"ullim/internal/errs"
)

// StartTask is a task to be started.
type StartTask struct {
	InstanceID, FlowID, Name, Description, ClientToken, Related, Previous string
	Attributes                                                            map[string]string
	References                                                            map[string]contact.Reference
	At                                                                    time.Time // zero: now
}

// StartTask begins a task, or schedules it, and gives its contact id.
func (m *Manager) StartTask(ctx context.Context, r StartTask) (string, error) {
	now := time.Now()
	if err := r.check(now); err != nil {
		return "", err
	}
	if old, err := m.again(ctx, r.InstanceID, contact.Task, r.ClientToken); err != nil || old != nil {
		if err != nil {
			return "", err
		}
		return old.ID, nil
	}
	if m.o.MaxTasks > 0 && m.live(r.InstanceID, contact.Task) >= m.o.MaxTasks {
		m.counts.Refused.Add(1)
		return "", errs.New(errs.Limit, "the instance has %d tasks at once", m.o.MaxTasks)
	}
	s, err := m.fresh(r.InstanceID, contact.Task, r.FlowID, r.ClientToken, now)
	if err != nil {
		return "", err
	}
	s.Phase, s.StartAt = Scheduled, now
	if r.At.After(now) {
		s.StartAt = r.At
	}
	s.Expires = s.StartAt.Add(taskDuration)
	s.Record.Name, s.Record.Description, s.Record.References, s.Related = r.Name, r.Description, maps.Clone(r.References), r.Related
	s.Record.Attributes, s.Record.PreviousContactID, s.Record.RelatedContactID = maps.Clone(r.Attributes), r.Previous, r.Related
	if r.At.After(now) {
		s.Record.ScheduledTimestamp = r.At
	}
	_, err = m.create(ctx, s, nil)
	if errs.Is(err, errs.Duplicate) {
		old, againErr := m.again(ctx, r.InstanceID, contact.Task, r.ClientToken)
		if againErr != nil || old == nil {
			return "", err
		}
		return old.ID, nil
	}
	return s.ID, err
}

func (r *StartTask) check(now time.Time) error {
	if n := utf8.RuneCountInString(r.Name); n < 1 || n > 512 {
		return errs.Field("Name", "must have 1 to 512 characters")
	}
	if utf8.RuneCountInString(r.Description) > 4096 {
		return errs.Field("Description", "must have at most 4096 characters")
	}
	if r.At.After(now.Add(maxAhead)) {
		return errs.Field("ScheduledTime", "must be within six days")
	}
	return CheckStart(r.ClientToken, r.Attributes, r.References)
}

// CheckStart says what is wrong with what a contact is to begin with.
func CheckStart(clientToken string, attributes map[string]string, references map[string]contact.Reference) error {
	if len(references) > 50 {
		return errs.Field("References", "must be at most 50")
	}
	for name, ref := range references {
		if len(name) > 4096 || len(ref.Value) > 4096 {
			return errs.Field("References", "must have names and values of at most 4096 bytes")
		}
	}
	return checkStart(clientToken, attributes)
}
