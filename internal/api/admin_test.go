package api_test

import (
	"bytes"
	"io"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ullim/internal/contact"
	"ullim/internal/errs"
	"ullim/internal/identity"
	"ullim/internal/trace"
	"ullim/sip"
)

func TestTrunksAreKeptWithoutTheirPassword(t *testing.T) {
	w := newWorld(t)
	var created struct{ TrunkId string }
	w.admin("admin", "POST", "/trunks", `{"Name":"carrier","Addresses":["192.0.2.0/24"],"Username":"acme",`+
		`"Password":"a-long-enough-password","Codecs":["PCMA"],"Region":"KR","MaxChannels":30}`, &created)
	stored, err := w.o.Admin.Trunks.Get(t.Context(), ours, created.TrunkId)
	must(t, err)
	md5Hex, shaHex := sip.HA1("acme", "ullim", "a-long-enough-password")
	if stored.HA1MD5 != md5Hex || stored.HA1SHA256 != shaHex {
		t.Error("stored hash is not that of the password")
	}
	_, _, answer := w.do("admin", "GET", "/admin/v1/trunks/"+created.TrunkId, "")
	for _, secret := range []string{"a-long-enough-password", md5Hex, shaHex, "HA1"} {
		if bytes.Contains(answer, []byte(secret)) || strings.Contains(w.log.String(), secret) {
			t.Errorf("%q is shown or logged", secret)
		}
	}
	// Without a password the stored one stays.
	w.admin("admin", "PUT", "/trunks/"+created.TrunkId, `{"Name":"carrier 2","Username":"acme","Disabled":true}`, nil)
	if stored, err = w.o.Admin.Trunks.Get(t.Context(), ours, created.TrunkId); err != nil || stored.HA1MD5 != md5Hex ||
		stored.Name != "carrier 2" || !stored.Disabled || len(stored.Addresses) != 0 {
		t.Errorf("%+v %v", stored, err)
	}
	for name, body := range map[string]string{
		"another user needs a password": `{"Name":"carrier 2","Username":"other"}`,
		"short password":                `{"Name":"carrier 2","Username":"acme","Password":"short"}`,
		"unknown member":                `{"Name":"carrier 2","Username":"acme","HA1MD5":"00"}`,
		"no name":                       `{"Username":"acme"}`,
		"nothing to recognise it by":    `{"Name":"carrier 2"}`,
	} {
		if status, code, _ := w.do("admin", "PUT", "/admin/v1/trunks/"+created.TrunkId, body); status != http.StatusBadRequest {
			t.Errorf("%s: %d %s", name, status, code)
		}
	}
	var list struct{ Trunks []struct{ Name string } }
	w.admin("admin", "GET", "/trunks", "", &list)
	if len(list.Trunks) != 1 || list.Trunks[0].Name != "carrier 2" {
		t.Errorf("%+v", list)
	}
	w.admin("admin", "DELETE", "/trunks/"+created.TrunkId, "", nil)
	if _, err = w.o.Admin.Trunks.Get(t.Context(), ours, created.TrunkId); !errs.Is(err, errs.NotFound) {
		t.Errorf("after delete: %v", err)
	}
}

func TestADevicePasswordIsShownOnce(t *testing.T) {
	w := newWorld(t)
	anna := w.person(ours, w.routing, "anna", w.profile[identity.ProfileAgent])
	var made struct{ DeviceId, Username, Realm, Password string }
	w.admin("admin", "POST", "/devices", `{"Name":"anna-desk","UserId":"`+anna.ID+`"}`, &made)
	if len(made.Password) < 20 || made.Username != "anna-desk" || made.Realm != "ullim" {
		t.Errorf("%+v", made)
	}
	fits := func(password string) bool {
		t.Helper()
		d, err := w.o.Connect.Devices.Get(t.Context(), ours, made.DeviceId)
		must(t, err)
		_, sha := sip.HA1("anna-desk", "ullim", password)
		return d.HA1SHA256 == sha
	}
	if !fits(made.Password) {
		t.Error("the password does not fit the stored hash")
	}
	_, _, answer := w.do("admin", "GET", "/admin/v1/devices/"+made.DeviceId, "")
	if bytes.Contains(answer, []byte(made.Password)) || bytes.Contains(answer, []byte("HA1")) ||
		!bytes.Contains(answer, []byte("192.0.2.1:5060")) {
		t.Errorf("%s", answer)
	}
	before := made.Password
	w.admin("admin", "POST", "/devices/"+made.DeviceId+"/password", "", &made)
	if made.Password == before || !fits(made.Password) || fits(before) {
		t.Error("the password was not changed")
	}
	w.admin("admin", "PUT", "/devices/"+made.DeviceId, `{"Disabled":true}`, nil)
	var list struct {
		Devices []struct {
			Name, UserId string
			Disabled     bool
		}
	}
	w.admin("admin", "GET", "/devices", "", &list)
	if len(list.Devices) != 1 || !list.Devices[0].Disabled || list.Devices[0].UserId != anna.ID {
		t.Errorf("%+v", list)
	}
	w.admin("admin", "DELETE", "/devices/"+made.DeviceId, "", nil)
	if strings.Contains(w.log.String(), before) || strings.Contains(w.log.String(), made.Password) {
		t.Error("a password is in the log")
	}
}

func TestAccessKeysWorkUntilTheyAreDeleted(t *testing.T) {
	w := newWorld(t)
	anna := w.person(ours, w.routing, "anna", w.profile[identity.ProfileAgent])
	var made struct{ AccessKeyId, SecretAccessKey, BearerToken string }
	w.admin("admin", "POST", "/users/"+anna.ID+"/access-keys", "", &made)
	w.keys["anna-2"] = &identity.NewKey{ID: made.AccessKeyId, Secret: made.SecretAccessKey, Token: made.BearerToken}
	_, err := w.client("anna-2").ListInstances(t.Context(), nil)
	must(t, err)
	var list struct {
		AccessKeys []struct{ AccessKeyId string }
	}
	w.admin("anna-2", "GET", "/users/"+anna.ID+"/access-keys", "", &list)
	if len(list.AccessKeys) != 2 {
		t.Errorf("%+v", list)
	}
	w.admin("anna", "DELETE", "/users/"+anna.ID+"/access-keys/"+made.AccessKeyId, "", nil)
	if status, name, _ := w.do("anna-2", "GET", "/instance", ""); status != 403 || name != "UnrecognizedClientException" {
		t.Errorf("after delete: %d %s", status, name)
	}
	for range 4 {
		w.admin("anna", "POST", "/users/"+anna.ID+"/access-keys", "", nil)
	}
	if status, name, _ := w.do("anna", "POST", "/admin/v1/users/"+anna.ID+"/access-keys", ""); status != 429 || name != "LimitExceededException" {
		t.Errorf("the sixth key: %d %s", status, name)
	}
	for _, secret := range []string{made.SecretAccessKey, made.BearerToken} {
		if strings.Contains(w.log.String(), secret) {
			t.Error("a secret is in the log")
		}
	}
}

func TestRecordingsAreListedAndDownloaded(t *testing.T) {
	w := newWorld(t)
	w.records.records = []*contact.Record{
		{ID: "c1", InstanceID: ours, Recordings: []contact.Recording{
			{Location: "k1", Status: contact.RecordingAvailable, Bytes: 5},
			{Location: "k2", Status: contact.RecordingDeleted},
			{Location: "k3", Status: contact.RecordingSpooled},
		}},
		{ID: "c2", InstanceID: theirs, Recordings: []contact.Recording{{Location: "k1", Status: contact.RecordingAvailable}}},
	}
	w.blobs.files["k1"] = []byte("audio")
	w.blobs.files["k2"] = []byte("gone")
	var list struct {
		Recordings []struct {
			Number           int
			Location, Status string
		}
	}
	w.admin("admin", "GET", "/contacts/c1/recordings", "", &list)
	if len(list.Recordings) != 3 || list.Recordings[2].Status != "SPOOLED" || list.Recordings[0].Number != 1 {
		t.Errorf("%+v", list)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.server.URL+"/admin/v1/contacts/c1/recordings/1/audio", nil)
	must(t, err)
	req.Header.Set("Authorization", "Bearer "+w.keys["admin"].Token)
	resp, err := w.server.Client().Do(req)
	must(t, err)
	body, err := io.ReadAll(resp.Body)
	must(t, err)
	must(t, resp.Body.Close())
	if string(body) != "audio" || resp.Header.Get("Content-Type") != "audio/wav" || resp.ContentLength != 5 ||
		resp.Header.Get("Content-Disposition") != `attachment; filename="c1-1.wav"` {
		t.Errorf("%s %+v", body, resp.Header)
	}
	if !strings.Contains(w.log.String(), `"msg":"audit","request_id":`) || !strings.Contains(w.log.String(), "DownloadRecording") {
		t.Error("the download is not audited")
	}
	for _, path := range []string{"c1/recordings/2/audio", "c1/recordings/3/audio", "c1/recordings/0/audio", "c1/recordings/x/audio", "c2/recordings/1/audio"} {
		if status, name, _ := w.do("admin", "GET", "/admin/v1/contacts/"+path, ""); status != 404 || name != "ResourceNotFoundException" {
			t.Errorf("%s: %d %s", path, status, name)
		}
	}
}

func TestInstanceSettingsAndSystem(t *testing.T) {
	w := newWorld(t)
	w.admin("admin", "PUT", "/instance", `{"DisplayName":"울림","OutboundCallsEnabled":true,"Language":"ko-KR"}`, nil)
	var got map[string]any
	w.admin("admin", "GET", "/instance", "", &got)
	if got["DisplayName"] != "울림" || got["OutboundCallsEnabled"] != true || got["InboundCallsEnabled"] != true ||
		got["Alias"] != "acme" || got["Language"] != "ko-KR" {
		t.Errorf("%v", got)
	}
	for _, body := range []string{`{"Alias":"new"}`, `{"IdentityMode":"SAML"}`, `{"Region":"Korea"}`} {
		if status, name, _ := w.do("admin", "PUT", "/admin/v1/instance", body); status != http.StatusBadRequest {
			t.Errorf("%s: %d %s", body, status, name)
		}
	}
	var system map[string]any
	w.admin("admin", "GET", "/system", "", &system)
	if d := cmp.Diff(map[string]any{"Version": "test", "Node": "n1", "Ready": false, "Calls": 3.0}, system); d != "" {
		t.Error(d)
	}
}

func TestTraceOfAContactIsShownToItsInstanceOnly(t *testing.T) {
	w := newWorld(t)
	w.records.records = []*contact.Record{
		{ID: "c1", InstanceID: ours}, {ID: "c2", InstanceID: ours, InitialContactID: "c1"}, {ID: "c3", InstanceID: ours},
	}
	invite := "INVITE sip:x SIP/2.0\r\nCall-ID: call-1\r\nCSeq: 1 INVITE\r\n\r\n"
	at := netip.MustParseAddrPort("192.0.2.7:5060")
	w.traces.Add(trace.Message{At: time.Now(), Network: "UDP", Local: at, Remote: at, Raw: []byte(invite)})
	w.traces.Bind("call-1", "c1")
	var got struct {
		Legs     []struct{ CallId, Direction, Remote string }
		Messages []struct{ Summary, Direction, Text string }
	}
	for _, id := range []string{"c1", "c2"} { // the second segment of the same call
		w.admin("admin", "GET", "/contacts/"+id+"/trace", "", &got)
		if len(got.Legs) != 1 || got.Legs[0].Direction != "INCOMING" || len(got.Messages) != 1 || got.Messages[0].Summary != "INVITE" {
			t.Errorf("%s: %+v", id, got)
		}
	}
	for path, want := range map[string]string{"text": "seconds", "svg": "<svg"} {
		status, _, body := w.do("admin", "GET", "/admin/v1/contacts/c1/trace/"+path, "")
		if status != 200 || !strings.Contains(string(body), want) {
			t.Errorf("%s: %d %s", path, status, body)
		}
	}
	for _, path := range []string{"c3/trace", "nobody/trace/text"} {
		if status, kind, _ := w.do("admin", "GET", "/admin/v1/contacts/"+path, ""); status != 404 || kind != "ResourceNotFoundException" {
			t.Errorf("%s: %d %s", path, status, kind)
		}
	}
	if status, _, _ := w.do("boss", "GET", "/admin/v1/contacts/c1/trace/svg", ""); status != 404 {
		t.Errorf("another instance sees it: %d", status)
	}
}
