package resource

import "strings"

// The parts of our ARNs that never vary: there is one region and one account, ours.
const (
	arnPrefix = "arn:aws:connect:local:" + Account + ":"
	// Account is the account id in every ARN.
	Account = "000000000000"
)

// ARN is the Amazon resource name of a resource:
// arn:aws:connect:local:000000000000:instance/<instance>/<kind>/<id>.
func ARN(o Object) string {
	h := o.Head()
	if o.Kind() == KindInstance {
		return InstanceARN(h.ID)
	}
	return InstanceARN(h.InstanceID) + "/" + string(o.Kind()) + "/" + h.ID
}

// InstanceARN is the Amazon resource name of an instance.
func InstanceARN(instanceID string) string { return arnPrefix + "instance/" + instanceID }

// IDFromARN takes the id out of an ARN of a resource of this instance. Region and account are not looked at, so that a
// flow exported from Amazon Connect names what was imported with its id.
func IDFromARN(instanceID, arn string) (id string, ok bool) {
	rest, ok := strings.CutPrefix(arn, "arn:")
	if !ok {
		return "", false
	}
	parts := strings.SplitN(rest, ":", 5)
	if len(parts) != 5 || parts[1] != "connect" {
		return "", false
	}
	path := strings.Split(parts[4], "/")
	if len(path) < 4 || path[0] != "instance" || path[1] != instanceID {
		return "", false
	}
	return strings.Join(path[3:], "/"), true
}
