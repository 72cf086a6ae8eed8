package sip

import (
	"errors"

	sipgo "github.com/emiago/sipgo/sip"
	"github.com/icholy/digest"
)

// answer is the header field that answers a challenge (401 or 407) to a request of ours. RFC 3261 §22, RFC 8760: of
// several challenges the first that we can answer.
func (l *login) answer(req *sipgo.Request, res *sipgo.Response) (sipgo.Header, error) {
	ask, reply := "WWW-Authenticate", "Authorization"
	if res.StatusCode == 407 {
		ask, reply = "Proxy-Authenticate", "Proxy-Authorization"
	}
	for _, h := range res.GetHeaders(ask) {
		c, err := digest.ParseChallenge(h.Value())
		if err != nil || !digest.CanDigest(c) || l.realm != "" && c.Realm != l.realm {
			continue
		}
		cred, err := digest.Digest(c, digest.Options{
			Method: string(req.Method), URI: req.Recipient.String(), Count: 1, Username: l.username, Password: l.password,
		})
		if err != nil {
			return nil, err
		}
		return sipgo.NewHeader(reply, cred.String()), nil
	}
	return nil, errors.New("sip: no challenge that could be answered")
}
