package call

import (
	"ullim/internal/errs"
	"ullim/internal/resource"
)

// Number is a claimed telephone number: the DID of a trunk, or an internal number for devices, bound to a flow. Its
// Name is the number itself, E.164 with plus or an internal short number of digits.
type Number struct {
	resource.Meta
	TrunkID     string `json:"trunkId,omitempty"` // empty: whatever trunk it comes by
	FlowID      string `json:"flowId,omitempty"`  // empty: not associated, calls are refused
	Description string `json:"description,omitempty"`
	Type        string `json:"type"`        // DID, TOLL_FREE, UIFN, SHARED, THIRD_PARTY_TF, THIRD_PARTY_DID, SHORT_CODE
	CountryCode string `json:"countryCode"` // ISO 3166
}

var _ resource.Object = (*Number)(nil)

// Kind is phone-number.
func (*Number) Kind() resource.Kind { return resource.KindPhoneNumber }

// Refs are the flow and the trunk.
func (n *Number) Refs() []resource.Ref {
	var refs []resource.Ref
	if n.FlowID != "" {
		refs = append(refs, resource.Ref{Kind: resource.KindFlow, ID: n.FlowID})
	}
	if n.TrunkID != "" {
		refs = append(refs, resource.Ref{Kind: resource.KindTrunk, ID: n.TrunkID})
	}
	return refs
}

// Validate checks the number's form: "+" and 8 to 15 digits, or 2 to 15 digits.
func (n *Number) Validate() error {
	digits := n.Name
	least := 2
	if len(digits) > 0 && digits[0] == '+' {
		digits, least = digits[1:], 8
	}
	if len(digits) < least || len(digits) > 15 {
		return errs.Field("PhoneNumber", "must be + and 8 to 15 digits (E.164), or 2 to 15 digits for an internal number; got %q", n.Name)
	}
	for _, c := range digits {
		if c < '0' || c > '9' {
			return errs.Field("PhoneNumber", "must hold digits only after the +; got %q", n.Name)
		}
	}
	return nil
}
