package api_test

import (
	"bytes"
	"net/http"
	"strings"
	"testing"

	"ullim/sip"
)

func TestATrunkKeepsItsOutgoingSideAndNeverShowsItsSecret(t *testing.T) {
	w := newWorld(t)
	const outgoing = `"Gateways":[{"Host":"sip.carrier.example","Transport":"TLS","Priority":1},{"Host":"192.0.2.7","Port":5070}],` +
		`"OutboundProxy":{"Host":"proxy.example"},"Register":{"Enabled":true,"User":"acme","Expires":600},"TlsInsecure":true,` +
		`"Encryption":"sdes","Digits":"info","ComfortNoise":true,"AllowRefer":true,"FollowRedirects":true,"ProbeSeconds":30,"MaxChannels":30,"MaxCps":5,` +
		`"CampaignShare":80,"Identity":{"Assert":"P-Asserted-Identity","Numbers":"digits","Diverted":"History-Info","PassStir":true},` +
		`"Routes":[{"Prefix":"+822","Priority":1},{"Country":"KR"}]`
	var created struct{ TrunkId string }
	w.admin("admin", "POST", "/trunks", `{"Name":"carrier",`+outgoing+`,"Login":{"Username":"acme","Password":"their-secret","Realm":"r"}}`, &created)
	stored, err := w.o.Admin.Trunks.Get(t.Context(), ours, created.TrunkId)
	must(t, err)
	if secret, openErr := w.o.Admin.Sealer.Open(sip.SecretOwner(stored.ID), stored.Login.Secret); openErr != nil || secret != "their-secret" {
		t.Errorf("the secret opens as %q, %v", secret, openErr)
	}
	_, _, answer := w.do("admin", "GET", "/admin/v1/trunks/"+created.TrunkId, "")
	for _, part := range []string{`"Host":"sip.carrier.example"`, `"TlsInsecure":true`, `"Username":"acme"`, `"Country":"KR"`, `"PassStir":true`, `"ComfortNoise":true`, `"CampaignShare":80`} {
		if !bytes.Contains(answer, []byte(part)) {
			t.Errorf("%s is not shown: %s", part, answer)
		}
	}
	for _, secret := range []string{"their-secret", "sealed:"} {
		if bytes.Contains(answer, []byte(secret)) || strings.Contains(w.log.String(), secret) {
			t.Errorf("%q is shown or logged", secret)
		}
	}
	before := stored.Login.Secret
	w.admin("admin", "PUT", "/trunks/"+created.TrunkId, `{"Name":"carrier",`+outgoing+`,"Login":{"Username":"acme"}}`, nil)
	if stored, err = w.o.Admin.Trunks.Get(t.Context(), ours, created.TrunkId); err != nil || stored.Login.Secret != before || stored.Login.Realm != "" {
		t.Errorf("%+v %v", stored.Login, err)
	}
	for field, body := range map[string]string{
		"Gateways[0].Host":      `{"Name":"c","Gateways":[{"Host":"a b"}]}`,
		"Gateways[0].Transport": `{"Name":"c","Gateways":[{"Host":"a.example","Transport":"SCTP"}]}`,
		"Gateways":              `{"Name":"c","Addresses":["192.0.2.1"],"Register":{"Enabled":true,"User":"a"}}`,
		"Login.Password":        `{"Name":"c","Gateways":[{"Host":"a.example"}],"Login":{"Username":"a"}}`,
		"Register.Expires":      `{"Name":"c","Gateways":[{"Host":"a.example"}],"Register":{"Enabled":true,"User":"a","Expires":5}}`,
		"TlsInsecure":           `{"Name":"c","Gateways":[{"Host":"a.example"}],"TlsInsecure":true}`,
		"Encryption":            `{"Name":"c","Gateways":[{"Host":"a.example"}],"Encryption":"rot13"}`,
		"Routes[0].Prefix":      `{"Name":"c","Gateways":[{"Host":"a.example"}],"Routes":[{"Prefix":"+82x"}]}`,
		"Identity.Assert":       `{"Name":"c","Gateways":[{"Host":"a.example"}],"Identity":{"Assert":"Via"}}`,
		"CampaignShare":         `{"Name":"c","Gateways":[{"Host":"a.example"}],"CampaignShare":50}`,
	} {
		status, _, answer := w.do("admin", "POST", "/admin/v1/trunks", body)
		if status != http.StatusBadRequest || !bytes.Contains(answer, []byte(field)) {
			t.Errorf("%s: %d %s", field, status, answer)
		}
	}
	if status, _, _ := w.do("admin", "GET", "/admin/v1/trunks/"+created.TrunkId+"/state", ""); status != http.StatusServiceUnavailable {
		t.Errorf("without signalling: %d", status)
	}
}
