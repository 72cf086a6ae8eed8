package rest

import (
	"strings"

	"ullim/internal/errs"
	"ullim/internal/resource"
)

// KindContact is the ARN name of a contact, which is no resource.
const KindContact resource.Kind = "contact"

// ResolveRef gives the bare id of a resource named by id or by ARN. An ARN of another instance or of another kind
// names nothing: errs.NotFound, the same as for an id that does not exist.
func ResolveRef(instanceID string, kind resource.Kind, ref string) (string, error) {
	id := ref
	if strings.HasPrefix(ref, "arn:") {
		if !resource.IsARN(ref) {
			return "", errs.New(errs.Invalid, "not an ARN of Connect: %q", shorten(ref))
		}
		var ok bool
		if id, ok = resource.IDInARN(instanceID, kind, ref); !ok {
			return "", notFound(kind)
		}
	}
	if kind == resource.KindInstance && id != instanceID {
		return "", notFound(kind)
	}
	// Ids are ours, but a flow id may carry an alias (":$SAVED").
	if id == "" || len(id) > 256 || strings.ContainsFunc(id, func(r rune) bool { return r <= ' ' || r > '~' || r == '/' }) {
		return "", errs.New(errs.Invalid, "not an id: %q", shorten(ref))
	}
	return id, nil
}

func notFound(kind resource.Kind) error {
	return errs.New(errs.NotFound, "%s not found", kind)
}

func shorten(s string) string {
	if len(s) > 100 {
		return s[:100] + "..."
	}
	return s
}
