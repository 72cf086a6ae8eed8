package resource

import "strings"

// Region and account of our ARNs. Any other region or account is accepted when an ARN is read: only ids count, so a flow
// exported from Amazon Connect names what was imported with its id.
const (
	Region  = "local"
	Account = "000000000000"
)

// ARN names a resource as Amazon Connect does:
// arn:aws:connect:local:000000000000:instance/<instance>/<kind>/<id>. Phone numbers stand outside the instance there.
func ARN(instanceID string, kind Kind, id string) string {
	head := "arn:aws:connect:" + Region + ":" + Account + ":"
	switch kind {
	case KindInstance:
		return head + "instance/" + instanceID
	case KindPhoneNumber:
		return head + "phone-number/" + id
	default:
		return head + "instance/" + instanceID + "/" + string(kind) + "/" + id
	}
}

// IsARN reports whether a reference looks like an ARN of Connect.
func IsARN(ref string) bool {
	parts := strings.SplitN(ref, ":", 6)
	return len(parts) == 6 && parts[0] == "arn" && parts[2] == "connect"
}

// IDInARN takes the id out of an ARN of a resource of this kind in this instance. ok is false for anything else.
func IDInARN(instanceID string, kind Kind, arn string) (id string, ok bool) {
	if !IsARN(arn) {
		return "", false
	}
	path := strings.Split(strings.SplitN(arn, ":", 6)[5], "/")
	switch {
	case kind == KindInstance:
		if len(path) == 2 && path[0] == "instance" {
			return path[1], path[1] != ""
		}
	case kind == KindPhoneNumber && len(path) == 2 && path[0] == string(kind):
		return path[1], path[1] != ""
	case len(path) == 4 && path[0] == "instance" && path[1] == instanceID && path[2] == string(kind):
		return path[3], path[3] != ""
	}
	return "", false
}
