package sip

import (
	"slices"
	"strings"

	sipgo "github.com/emiago/sipgo/sip"
)

// maxDivertedIn bounds the forwardings that are read of a call: no policy allows more (OutboundPolicy.MaxDiversions).
const maxDivertedIn = 20

// divertedBy are the numbers by which a call came to us, first to last: what it says in Diversion, else in History-Info. A
// call that we forward passes them on, and one that goes round in a ring is known by them.
func divertedBy(req *sipgo.Request, normalise func(string) string) []string {
	if list := numbersIn(req, "Diversion", normalise); len(list) > 0 {
		slices.Reverse(list) // RFC 5806 §4: the most recent first
		return list
	}
	list := numbersIn(req, "History-Info", normalise)
	return list[:max(len(list)-1, 0)] // RFC 7044 §5: the last one is the target, which is us
}

// numbersIn reads the users of a header field with a list of addresses. What cannot be read is passed over.
func numbersIn(req *sipgo.Request, name string, normalise func(string) string) (list []string) {
	for _, h := range req.GetHeaders(name) {
		for _, v := range splitValues(clip(h.Value(), 2048)) {
			var u sipgo.Uri
			params := sipgo.NewParams()
			if _, err := sipgo.ParseAddressValue(v, &u, &params); err != nil {
				continue
			}
			user, _, _ := strings.Cut(userPart(&u), ";")
			if user == "" {
				continue
			}
			if list = append(list, normalise(user)); len(list) == maxDivertedIn+1 {
				return list
			}
		}
	}
	return list
}
