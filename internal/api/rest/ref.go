package rest

import (
	"strings"

	"ullim/internal/errs"
	"ullim/internal/resource"
)

// Region and account of our ARNs. Any other region or account is accepted in a request: only ids count.
const (
	Region  = "local"
	Account = "000000000000"
)

// KindContact is the ARN name of a contact, which is no resource.
const KindContact resource.Kind = "contact"

// ARN names a resource as Amazon Connect does:
// arn:aws:connect:local:000000000000:instance/<instance>/<kind>/<id>. Phone numbers stand outside the instance there.
func ARN(instanceID string, kind resource.Kind, id string) string {
	head := "arn:aws:connect:" + Region + ":" + Account + ":"
	switch kind {
	case resource.KindInstance:
		return head + "instance/" + instanceID
	case resource.KindPhoneNumber:
		return head + "phone-number/" + id
	default:
		return head + "instance/" + instanceID + "/" + string(kind) + "/" + id
	}
}

// ResolveRef gives the bare id of a resource named by id or by ARN. An ARN of another instance or of another kind
// names nothing: errs.NotFound, the same as for an id that does not exist.
func ResolveRef(instanceID string, kind resource.Kind, ref string) (string, error) {
	id := ref
	if strings.HasPrefix(ref, "arn:") {
		parts := strings.SplitN(ref, ":", 6)
		if len(parts) != 6 || parts[2] != "connect" {
			return "", errs.New(errs.Invalid, "not an ARN of Connect: %q", shorten(ref))
		}
		var ok bool
		if id, ok = idInARN(instanceID, kind, strings.Split(parts[5], "/")); !ok {
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

// idInARN reads the resource part of an ARN: instance/<id>[/<kind>/<id>] or phone-number/<id>.
func idInARN(instanceID string, kind resource.Kind, path []string) (string, bool) {
	switch {
	case kind == resource.KindInstance:
		if len(path) == 2 && path[0] == "instance" {
			return path[1], true
		}
	case kind == resource.KindPhoneNumber && len(path) == 2 && path[0] == string(kind):
		return path[1], true
	case len(path) == 4 && path[0] == "instance" && path[1] == instanceID && path[2] == string(kind):
		return path[3], true
	}
	return "", false
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
