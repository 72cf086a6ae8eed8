package webhook

import (
	"cmp"
	"slices"
	"strings"

	"ullim/internal/errs"
	"ullim/internal/resource"
)

// Index finds the functions of one instance. It is never changed after it was made.
type Index struct {
	instanceID string
	byID       map[string]*Function
	byName     map[string]*Function
	byARN      map[string]*Function
	byURL      map[string]*Function
}

// NewIndex makes one. If two functions claim an ARN or a URL, the one with the lesser name has it.
func NewIndex(instanceID string, list []*Function) *Index {
	x := &Index{
		instanceID: instanceID, byID: map[string]*Function{}, byName: map[string]*Function{}, byARN: map[string]*Function{},
		byURL: map[string]*Function{},
	}
	list = slices.Clone(list)
	slices.SortFunc(list, func(a, b *Function) int { return cmp.Compare(b.Name, a.Name) }) // the last one stays
	for _, f := range list {
		x.byID[f.ID], x.byName[f.Name] = f, f
		for _, arn := range f.ARNs {
			x.byARN[arn] = f
		}
		if f.URL != "" && f.Name != CatchAll {
			x.byURL[f.URL] = f
		}
	}
	return x
}

// Target is where a call goes. Function is nil for a URL that no function has: such a call is not signed.
type Target struct {
	Function *Function
	URL      string
}

// Find resolves what a flow names: the ARN of a Lambda function (with its alias, without it, by its name), an id, ARN or
// name of ours, or a URL. errs.NotFound: no address is known for it.
func (x *Index) Find(ref string) (Target, error) {
	if strings.HasPrefix(ref, "https://") || strings.HasPrefix(ref, "http://") {
		return Target{Function: x.byURL[ref], URL: ref}, nil
	}
	name, lambda := LambdaName(ref)
	if !lambda {
		name = ref
		if id, ours := resource.IDInARN(x.instanceID, resource.KindFunction, ref); ours {
			name = id
		}
	}
	for _, f := range []*Function{x.byARN[ref], x.byARN[unqualified(ref)], x.byID[name], x.byName[name]} {
		if f == nil || f.Name == CatchAll {
			continue
		}
		if f.URL != "" {
			return Target{Function: f, URL: f.URL}, nil
		}
		name = f.Name // associated, and not mapped: the pattern may know
	}
	if all := x.byName[CatchAll]; all != nil && isFunctionName(name) {
		return Target{Function: all, URL: strings.Replace(all.URL, placeholder, name, 1)}, nil
	}
	return Target{}, errs.New(errs.NotFound, "no address is known for the function %q", short(ref))
}
