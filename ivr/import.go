package ivr

import (
	"context"
	"fmt"
	"slices"

	"ullim/internal/errs"
	"ullim/internal/resource"
)

// Results of importing one item.
const (
	ImportCreated   = "created"
	ImportUpdated   = "updated"
	ImportUnchanged = "unchanged"
	ImportFailed    = "failed"
)

// Imported is what became of one item: Result, and Status of what is there now. A flow that cannot be published as it is
// is there as a draft, and the report says why.
type Imported struct {
	Name   string   `json:"Name"`
	Type   FlowType `json:"Type"`
	File   string   `json:"File,omitempty"`
	ID     string   `json:"Id,omitempty"`
	Result string   `json:"Result"`
	Status Status   `json:"Status,omitempty"`
	Error  string   `json:"Error,omitempty"`
	Report
}

// Library is all flows and modules of the instances.
type Library struct {
	Flows   *Service
	Modules *ModuleService
}

func (l Library) of(t FlowType) *Service {
	if t == TypeModule {
		return l.Modules.Service
	}
	return l.Flows
}

// Import brings items into an instance. All are stored as drafts first and published after that, modules before flows, so
// that they may refer to each other in any order. An item of the name of a flow that is there replaces it by a new
// version. One that fails does not stop the others; the error is only for a store that does not answer.
func (l Library) Import(ctx context.Context, instanceID string, items []Item) ([]Imported, error) {
	out := make([]Imported, len(items))
	items = slices.Clone(items)
	old := make([][]Problem, len(items))
	for i, item := range items {
		out[i] = Imported{Name: item.Name, Type: item.Type, File: item.File, Report: Report{Findings: []Finding{}}}
		var err error
		if items[i].Content, old[i], _, err = FromDesigner(item.Content); err == nil {
			err = l.draft(ctx, instanceID, items[i], &out[i])
		}
		if err != nil {
			if !theirs(err) {
				return nil, err
			}
			out[i].Result, out[i].Error = ImportFailed, err.Error()
		}
	}
	for _, modules := range []bool{true, false} {
		for i, item := range items {
			if out[i].Result == ImportFailed || modules != (item.Type == TypeModule) {
				continue
			}
			if err := l.publish(ctx, instanceID, item, &out[i]); err != nil {
				if !theirs(err) {
					return nil, err
				}
				out[i].Error = err.Error()
			}
			out[i].Converted(old[i])
		}
	}
	return out, nil
}

// theirs tells that an error is about the item, not about us.
func theirs(err error) bool {
	switch errs.KindOf(err) { //nolint:exhaustive // the others are not about the item
	case errs.Invalid, errs.InvalidRequest, errs.Duplicate, errs.Conflict, errs.NotFound, errs.Limit, errs.InUse:
		return true
	}
	return false
}

// draft stores an item as a draft.
func (l Library) draft(ctx context.Context, instanceID string, item Item, out *Imported) error {
	if err := checkImport(item); err != nil {
		return err
	}
	s := l.of(item.Type)
	old, err := s.store.GetByName(ctx, instanceID, item.Name)
	switch {
	case errs.Is(err, errs.NotFound):
		f := &Flow{
			Meta: resource.Meta{InstanceID: instanceID, Name: item.Name, Tags: item.Tags}, Type: item.Type,
			Description: item.Description, Content: item.Content,
		}
		if err = s.Create(ctx, f, Saved); err != nil {
			return err
		}
		out.ID, out.Result, out.Status = f.ID, ImportCreated, Saved
		return nil
	case err != nil:
		return err
	case old.Type != item.Type:
		return errs.New(errs.InvalidRequest, "there is a flow %q of type %s: the type of a flow cannot be changed", item.Name, old.Type)
	}
	out.ID, out.Status = old.ID, statusOf(old)
	if old.Content == item.Content {
		out.Result = ImportUnchanged
		return nil
	}
	out.Result = ImportUpdated
	_, err = s.UpdateContent(ctx, instanceID, old.ID, item.Content, Saved)
	return err
}

func statusOf(f *Flow) Status {
	if f.Published == "" {
		return Saved
	}
	return Published
}

// checkImport says what keeps an item out altogether.
func checkImport(item Item) error {
	if item.Type == "" {
		return errs.Field("Type", "is not told by the file: give it, or put the file into a folder of the type's name (CUSTOMER_QUEUE/...)")
	}
	return checkDraft(item.Content)
}

// publish publishes a draft if it can be, and reports on it.
func (l Library) publish(ctx context.Context, instanceID string, item Item, out *Imported) error {
	s := l.of(item.Type)
	r, err := s.Inspect(ctx, instanceID, out.ID, item.Content, item.Type)
	if err != nil {
		return err
	}
	out.Report = *r
	f, err := s.store.Get(ctx, instanceID, out.ID)
	if err != nil {
		return err
	}
	switch {
	case item.Status == Saved || f.Published == item.Content:
		out.Status = statusOf(f)
		if item.Status == Saved {
			out.Status = Saved
		}
		return nil
	case r.Count(Error) > 0:
		out.Status = Saved
		out.Error = fmt.Sprintf("is kept as a draft: %s", (&ProblemsError{Problems: r.Errors()}).Error())
		return nil
	}
	if out.Result == ImportUnchanged { // the draft was the same, what contacts run was not
		out.Result = ImportUpdated
	}
	if _, err = s.UpdateContent(ctx, instanceID, out.ID, item.Content, Published); err != nil {
		return err
	}
	out.Status = Published
	return nil
}

// Export gives every flow and module of an instance: what contacts run, or with drafts the draft.
func (l Library) Export(ctx context.Context, instanceID string, drafts bool) ([]Item, error) {
	var out []Item
	for _, s := range []*Service{l.Flows, l.Modules.Service} {
		all, err := resource.All(ctx, s.store, instanceID)
		if err != nil {
			return nil, err
		}
		for _, f := range all {
			item := Item{Name: f.Name, Type: f.Type, Description: f.Description, Tags: f.Tags, Status: Saved, Content: f.Content}
			if f.Published != "" && !drafts {
				item.Status, item.Content = Published, f.Published
			}
			out = append(out, item)
		}
	}
	return out, nil
}
