package view

import (
	"context"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"ullim/internal/errs"
	"ullim/internal/resource"
)

// Qualifiers of a reference.
const (
	QualifierSaved  = "$SAVED"
	QualifierLatest = "$LATEST"
)

// Edition is one edition of a view: a draft, what was published last, or a version.
type Edition struct {
	View        *View // the resource; of a managed view one that is nowhere stored
	Managed     bool
	Number      int // 0: the draft, or what was published last and is no version
	Description string
	Status      Status
	Content     Content
}

// ARN names the edition's view.
func (e *Edition) ARN() string {
	if e.Managed {
		return managedARN(e.View.ID)
	}
	return resource.ARN(e.View.InstanceID, resource.KindView, e.View.ID)
}

// Store is where views are.
type Store = resource.Store[*View]

// Find gives what a reference names: an id, a name or an ARN, with ":3", ":$SAVED" or ":$LATEST" after it. version is the same
// without the colon where it is given apart, or "". errs.NotFound.
func Find(ctx context.Context, s Store, instanceID, ref, version string) (*Edition, error) {
	base, qualifier := split(ref)
	if version != "" {
		qualifier = version
	}
	if id, ok := managedID(base); ok {
		return managed(id, ref)
	}
	v, err := stored(ctx, s, instanceID, base)
	if errs.Is(err, errs.NotFound) {
		if m, managedErr := managed(base, ref); managedErr == nil {
			return m, nil
		}
	}
	if err != nil {
		return nil, err
	}
	return v.edition(qualifier)
}

func stored(ctx context.Context, s Store, instanceID, base string) (*View, error) {
	if strings.HasPrefix(base, "arn:") {
		id, ok := resource.IDInARN(instanceID, resource.KindView, base)
		if !ok {
			return nil, errs.New(errs.NotFound, "there is no view %.200q in this instance", base)
		}
		return s.Get(ctx, instanceID, id)
	}
	if uuid.Validate(base) == nil {
		return s.Get(ctx, instanceID, base)
	}
	return s.GetByName(ctx, instanceID, base)
}

// edition is one of the view. qualifier is a number, $SAVED, $LATEST or "".
func (v *View) edition(qualifier string) (*Edition, error) {
	switch qualifier {
	case QualifierSaved:
		return &Edition{View: v, Status: v.Status(), Content: v.Draft}, nil
	case "", QualifierLatest:
		if v.Shown == nil {
			return nil, errs.New(errs.NotFound, "view %q has not been published", v.Name)
		}
		e := &Edition{View: v, Status: Published, Content: *v.Shown}
		if n := len(v.Versions); n > 0 && v.Versions[n-1].Content.Sum() == v.Shown.Sum() {
			e.Number, e.Description = v.Versions[n-1].Number, v.Versions[n-1].Description
		}
		return e, nil
	}
	number, err := strconv.Atoi(qualifier)
	if err != nil {
		return nil, errs.New(errs.NotFound, "view %q has no version %.40q", v.Name, qualifier)
	}
	one := v.Version(number)
	if one == nil {
		return nil, errs.New(errs.NotFound, "view %q has no version %d", v.Name, number)
	}
	return &Edition{View: v, Number: number, Description: one.Description, Status: Published, Content: one.Content}, nil
}

// split takes the version off a reference.
func split(ref string) (base, qualifier string) {
	i := strings.LastIndexByte(ref, ':')
	if i < 0 || strings.ContainsRune(ref[i:], '/') {
		return ref, ""
	}
	q := ref[i+1:]
	if _, err := strconv.Atoi(q); err == nil || q == QualifierSaved || q == QualifierLatest {
		return ref[:i], q
	}
	return ref, ""
}
