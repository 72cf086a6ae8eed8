package api_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsconnect "github.com/aws/aws-sdk-go-v2/service/connect"
	"github.com/aws/aws-sdk-go-v2/service/connect/types"

	"ullim/internal/contact"
	"ullim/internal/errs"
	"ullim/internal/identity"
	"ullim/internal/recording"
	"ullim/internal/resource"
)

// fakePlaces offer two buckets.
type fakePlaces struct{}

func (fakePlaces) Own() string { return "operators" }

func (fakePlaces) Allowed(bucket, _ string) error {
	if bucket != "operators" && bucket != "acme-calls" {
		return errs.Field("StorageConfig.S3Config.BucketName", "must be one that the operator offers")
	}
	return nil
}

// fakeRecordings are files in memory; "linked/" lies in a store that gives links.
type fakeRecordings struct {
	blobs   *fakeBlobs
	records *fakeContacts
}

type nopSeekCloser struct{ io.ReadSeeker }

func (nopSeekCloser) Close() error { return nil }

func (f fakeRecordings) open(key string) (io.ReadSeekCloser, int64, error) {
	f.blobs.mu.Lock()
	defer f.blobs.mu.Unlock()
	b, ok := f.blobs.files[key]
	if !ok {
		return nil, 0, errs.New(errs.NotFound, "no such recording")
	}
	return nopSeekCloser{bytes.NewReader(b)}, int64(len(b)), nil
}

func (f fakeRecordings) OpenRecording(_ context.Context, r contact.Recording) (io.ReadSeekCloser, int64, error) {
	return f.open(r.Location)
}

func (f fakeRecordings) Waveform(_ context.Context, r contact.Recording) (io.ReadSeekCloser, int64, error) {
	return f.open(r.Waveform)
}

func (f fakeRecordings) Link(_ context.Context, r contact.Recording, valid time.Duration, answer url.Values) (string, error) {
	if !strings.HasPrefix(r.Location, "linked/") {
		return "", errs.New(errs.InvalidRequest, "no links")
	}
	return "https://s3.example.com/" + r.Location + "?" + answer.Encode() + "&for=" + valid.String(), nil
}

func (f fakeRecordings) Delete(ctx context.Context, ref recording.Ref, reason string) (contact.RecordingStatus, error) {
	r, err := f.records.Contact(ctx, ref.InstanceID, ref.ContactID)
	if err != nil {
		return "", err
	}
	rec := &r.Recordings[ref.Index]
	if strings.Contains(rec.Location, "locked") {
		return "", errs.New(errs.Conflict, "the bucket's object lock keeps it until 2030")
	}
	rec.Status, rec.Reason = contact.RecordingDeleted, reason
	return rec.Status, nil
}

// fakeHolds are the holds of contacts that there are.
type fakeHolds struct {
	contacts *fakeContacts
	held     map[string]*recording.Hold
}

func (f *fakeHolds) PutHold(ctx context.Context, h recording.Hold) error {
	if _, err := f.contacts.Contact(ctx, h.InstanceID, h.ContactID); err != nil {
		return err
	}
	if f.held[h.ContactID] != nil {
		return errs.New(errs.Duplicate, "on hold already")
	}
	f.held[h.ContactID] = &h
	return nil
}

func (f *fakeHolds) Hold(_ context.Context, instanceID, contactID string) (*recording.Hold, error) {
	if h := f.held[contactID]; h != nil && h.InstanceID == instanceID {
		return h, nil
	}
	return nil, errs.New(errs.NotFound, "not on hold")
}

func (f *fakeHolds) DropHold(ctx context.Context, instanceID, contactID string) (*recording.Hold, error) {
	h, err := f.Hold(ctx, instanceID, contactID)
	if err == nil {
		delete(f.held, contactID)
	}
	return h, err
}

func (f *fakeHolds) Holds(_ context.Context, instanceID string, _ resource.Page) ([]*recording.Hold, string, error) {
	var out []*recording.Hold
	for _, h := range f.held {
		if h.InstanceID == instanceID {
			out = append(out, h)
		}
	}
	return out, "", nil
}

func TestStorageConfigurationsAreMadeAsTheSDKDoesIt(t *testing.T) {
	w := newWorld(t)
	ctx, c := t.Context(), w.client("admin")
	s3 := func(bucket, prefix, key string) *types.InstanceStorageConfig {
		out := &types.InstanceStorageConfig{StorageType: types.StorageTypeS3, S3Config: &types.S3Config{BucketName: &bucket, BucketPrefix: &prefix}}
		if key != "" {
			out.S3Config.EncryptionConfig = &types.EncryptionConfig{EncryptionType: types.EncryptionTypeKms, KeyId: &key}
		}
		return out
	}
	associate := func(kind types.InstanceStorageResourceType, config *types.InstanceStorageConfig) (string, error) {
		out, err := c.AssociateInstanceStorageConfig(ctx, &awsconnect.AssociateInstanceStorageConfigInput{
			InstanceId: aws.String(ours), ResourceType: kind, StorageConfig: config,
		})
		if err != nil {
			return "", err
		}
		return *out.AssociationId, nil
	}
	const calls = types.InstanceStorageResourceTypeCallRecordings
	id, err := associate(calls, s3("acme-calls", "connect/acme", "arn:aws:kms:x:1:key/k"))
	must(t, err)
	if _, err = associate(calls, s3("acme-calls", "other", "")); !isFault[*types.ResourceConflictException](err) {
		t.Errorf("a second one: %v", err)
	}
	for name, config := range map[string]*types.InstanceStorageConfig{
		"a bucket that is not offered": s3("somebody-elses", "calls", ""), "another's prefix": s3("acme-calls", "connect/other", ""),
		"out of it": s3("acme-calls", "../x", ""), "no S3": {StorageType: types.StorageTypeKinesisStream},
		"Kinesis": {StorageType: types.StorageTypeKinesisStream, KinesisStreamConfig: &types.KinesisStreamConfig{StreamArn: aws.String("arn:aws:kinesis:x")}},
	} {
		if _, err = associate(types.InstanceStorageResourceTypeChatTranscripts, config); !isFault[*types.InvalidParameterException](err) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err = associate(types.InstanceStorageResourceTypeScheduledReports, s3("acme-calls", "x", "")); !isFault[*types.InvalidParameterException](err) {
		t.Errorf("a sort that is not stored: %v", err)
	}
	found, err := c.DescribeInstanceStorageConfig(ctx, &awsconnect.DescribeInstanceStorageConfigInput{InstanceId: aws.String(ours), AssociationId: &id, ResourceType: calls})
	must(t, err)
	if got := found.StorageConfig; *got.AssociationId != id || *got.S3Config.BucketName != "acme-calls" || *got.S3Config.EncryptionConfig.KeyId != "arn:aws:kms:x:1:key/k" {
		t.Errorf("%+v", got.S3Config)
	}
	_, err = c.UpdateInstanceStorageConfig(ctx, &awsconnect.UpdateInstanceStorageConfigInput{
		InstanceId: aws.String(ours), AssociationId: &id, ResourceType: calls, StorageConfig: s3("operators", "calls/kr/", ""),
	})
	must(t, err)
	list, err := c.ListInstanceStorageConfigs(ctx, &awsconnect.ListInstanceStorageConfigsInput{InstanceId: aws.String(ours), ResourceType: calls})
	must(t, err)
	if len(list.StorageConfigs) != 1 || *list.StorageConfigs[0].S3Config.BucketPrefix != "calls/kr" || list.StorageConfigs[0].S3Config.EncryptionConfig != nil {
		t.Errorf("%+v", list.StorageConfigs)
	}
	const chats = types.InstanceStorageResourceTypeChatTranscripts
	if _, err = c.DescribeInstanceStorageConfig(ctx, &awsconnect.DescribeInstanceStorageConfigInput{InstanceId: aws.String(ours), AssociationId: &id, ResourceType: chats}); !isFault[*types.ResourceNotFoundException](err) {
		t.Errorf("as another sort: %v", err)
	}
	_, err = c.DisassociateInstanceStorageConfig(ctx, &awsconnect.DisassociateInstanceStorageConfigInput{InstanceId: aws.String(ours), AssociationId: &id, ResourceType: calls})
	must(t, err)
	list, err = c.ListInstanceStorageConfigs(ctx, &awsconnect.ListInstanceStorageConfigsInput{InstanceId: aws.String(ours), ResourceType: calls})
	must(t, err)
	if len(list.StorageConfigs) != 0 {
		t.Errorf("%+v", list.StorageConfigs)
	}
}

func isFault[T error](err error) bool {
	_, ok := errors.AsType[T](err)
	return ok
}

// recorded puts contacts with recordings into a world, and gives a way to ask.
func recorded(t *testing.T) (*world, func(user, method, path, byteRange string) (*http.Response, string)) {
	t.Helper()
	w := newWorld(t)
	w.records.records = []*contact.Record{{ID: "c1", InstanceID: ours, Recordings: []contact.Recording{
		{Location: "a/k1.wav", Status: contact.RecordingAvailable, SHA256: "abc", Waveform: "w/k1.json"},
		{Location: "linked/k2.flac", Status: contact.RecordingAvailable},
		{Location: "a/locked.wav", Status: contact.RecordingAvailable},
		{Location: "t/k4.json", Status: contact.RecordingAvailable, Media: contact.MediaChat},
		{Location: "a/k5.flac", Status: contact.RecordingSpooled},
		{Location: "a/k6.wav", Status: contact.RecordingDeleting},
	}}}
	for key, text := range map[string]string{"a/k1.wav": "0123456789", "w/k1.json": "{}", "t/k4.json": `{"Transcript":[]}`, "a/k5.flac": "RIFF", "linked/k2.flac": "fLaC"} {
		w.blobs.files[key] = []byte(text)
	}
	for name, permission := range map[string]string{"listener": identity.ListenRecordings, "downloader": identity.DownloadRecordings, "deleter": identity.DeleteRecordings} {
		w.person(ours, w.routing, name, w.customProfile(name, permission))
	}
	return w, func(user, method, path, byteRange string) (*http.Response, string) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), method, w.server.URL+"/admin/v1/contacts/c1/"+path, nil)
		must(t, err)
		req.Header.Set("Authorization", "Bearer "+w.keys[user].Token)
		if byteRange != "" {
			req.Header.Set("Range", byteRange)
		}
		resp, err := w.server.Client().Do(req)
		must(t, err)
		b, err := io.ReadAll(resp.Body)
		must(t, errors.Join(err, resp.Body.Close()))
		return resp, string(b)
	}
}

func TestAPlayerReadsAnyPartOfARecording(t *testing.T) {
	w, ask := recorded(t)
	for _, tt := range []struct {
		path, byteRange string
		status          int
		body, media     string
	}{
		{"recordings/1/play", "", 200, "0123456789", "audio/wav"},
		{"recordings/1/play", "bytes=2-4", 206, "234", "audio/wav"},
		{"recordings/1/play", "bytes=-3", 206, "789", "audio/wav"},
		{"recordings/1/play", "bytes=5-", 206, "56789", "audio/wav"},
		{"recordings/1/play", "bytes=20-", 416, "", ""},
		{"recordings/2/play", "", 200, "fLaC", "audio/flac"},
		{"recordings/4/play", "", 200, `{"Transcript":[]}`, "application/json"},
		{"recordings/5/play", "", 200, "RIFF", "audio/wav"}, // in the spool it is not converted yet
		{"recordings/1/waveform", "", 200, "{}", "application/json"},
		{"recordings/2/waveform", "", 404, "", ""},
		{"recordings/6/play", "", 404, "", ""},
	} {
		resp, body := ask("listener", "GET", tt.path, tt.byteRange)
		if resp.StatusCode != tt.status || tt.body != "" && body != tt.body || tt.media != "" && resp.Header.Get("Content-Type") != tt.media {
			t.Errorf("%s %s: %d %s %q", tt.path, tt.byteRange, resp.StatusCode, resp.Header.Get("Content-Type"), body)
		}
	}
	resp, _ := ask("listener", "GET", "recordings/1/play", "")
	if resp.Header.Get("Content-Disposition") != `inline; filename="c1-1.wav"` || resp.Header.Get("ETag") != `"abc"` || resp.Header.Get("Accept-Ranges") != "bytes" {
		t.Errorf("%v", resp.Header)
	}
	if n := strings.Count(w.log.String(), `"operation":"PlayRecording"`); n < 10 {
		t.Errorf("%d of the accesses are in the log", n)
	}
	if !strings.Contains(w.log.String(), `"range":"bytes=2-4"`) {
		t.Error("the audit does not say which part was heard")
	}
}

func TestListeningDownloadingAndDeletingAreThreePermissions(t *testing.T) {
	_, ask := recorded(t)
	for what, who := range map[string]string{
		"GET recordings/1/play": "listener", "GET recordings/1/waveform": "listener", "GET recordings/1/url": "listener",
		"GET recordings/1/audio": "downloader", "DELETE recordings/4?reason=x": "deleter", "PUT legal-hold": "deleter",
	} {
		method, path, _ := strings.Cut(what, " ")
		for _, user := range []string{"listener", "downloader", "deleter"} {
			resp, body := ask(user, method, path, "")
			if denied := resp.StatusCode == http.StatusForbidden; denied == (user == who) {
				t.Errorf("%s %s as %s: %d %s", method, path, user, resp.StatusCode, body)
			}
		}
	}
	if resp, _ := ask("listener", "GET", "recordings/1/url?download=true", ""); resp.StatusCode != http.StatusForbidden {
		t.Errorf("a link to download, for one who may only listen: %d", resp.StatusCode)
	}
}

func TestALinkLeadsToTheBucketWhereThereIsOne(t *testing.T) {
	w, _ := recorded(t)
	var got struct {
		URL       string `json:"Url"`
		Presigned bool
		MediaType string
		Expires   float64
	}
	w.admin("admin", "GET", "/contacts/c1/recordings/2/url?download=true", "", &got)
	if !got.Presigned || !strings.HasPrefix(got.URL, "https://s3.example.com/linked/k2.flac?") || !strings.Contains(got.URL, "attachment") ||
		got.MediaType != "audio/flac" || got.Expires < float64(time.Now().Unix()) {
		t.Errorf("%+v", got)
	}
	got.Presigned = true
	w.admin("admin", "GET", "/contacts/c1/recordings/1/url", "", &got)
	if got.Presigned || got.URL != "/admin/v1/contacts/c1/recordings/1/play" {
		t.Errorf("%+v", got)
	}
}

func TestADeletionNeedsAReasonAndKeepsIt(t *testing.T) {
	w, ask := recorded(t)
	if resp, body := ask("admin", "DELETE", "recordings/1", ""); resp.StatusCode != 400 || !strings.Contains(body, "reason") {
		t.Errorf("without a reason: %d %s", resp.StatusCode, body)
	}
	if resp, body := ask("admin", "DELETE", "recordings/3?reason=x", ""); resp.StatusCode != 409 || !strings.Contains(body, "object lock") {
		t.Errorf("a locked one: %d %s", resp.StatusCode, body)
	}
	if resp, body := ask("admin", "DELETE", "recordings/1?reason=the+customer+asked", ""); resp.StatusCode != 200 || !strings.Contains(body, `"DELETED"`) {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
	if rec := w.records.records[0].Recordings[0]; rec.Reason != "the customer asked (admin)" {
		t.Errorf("the record says %+v", rec)
	}
	if !strings.Contains(w.log.String(), `"reason":"the customer asked"`) {
		t.Error("the audit does not say why")
	}
	if resp, _ := ask("admin", "GET", "recordings/1/play", ""); resp.StatusCode != 404 {
		t.Errorf("played after it was deleted: %d", resp.StatusCode)
	}
}

func TestHoldsArePlacedAndReleasedWithAReason(t *testing.T) {
	w, ask := recorded(t)
	if status, _, _ := w.do("admin", "PUT", "/admin/v1/contacts/c1/legal-hold", `{"Reason":" "}`); status != 400 {
		t.Errorf("without a reason: %d", status)
	}
	w.admin("admin", "PUT", "/contacts/c1/legal-hold", `{"Reason":"dispute 17"}`, nil)
	var held struct {
		LegalHold struct{ Reason, UserID string }
	}
	w.admin("admin", "GET", "/contacts/c1/legal-hold", "", &held)
	var all struct {
		LegalHolds []struct{ ContactID, Reason string }
	}
	w.admin("admin", "GET", "/legal-holds", "", &all)
	var list struct{ LegalHold bool }
	w.admin("admin", "GET", "/contacts/c1/recordings", "", &list)
	if held.LegalHold.Reason != "dispute 17" || len(all.LegalHolds) != 1 || !list.LegalHold {
		t.Errorf("%+v %+v %+v", held, all, list)
	}
	if resp, _ := ask("admin", "DELETE", "legal-hold", ""); resp.StatusCode != 400 {
		t.Errorf("released without a reason: %d", resp.StatusCode)
	}
	if resp, body := ask("admin", "DELETE", "legal-hold?reason=settled", ""); resp.StatusCode != 200 {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
	for _, want := range []string{`"reason":"dispute 17"`, `"reason":"settled"`, `"placed_because":"dispute 17"`} {
		if !strings.Contains(w.log.String(), want) {
			t.Errorf("the audit does not have %s", want)
		}
	}
	if resp, _ := ask("admin", "GET", "legal-hold", ""); resp.StatusCode != 404 {
		t.Errorf("still there: %d", resp.StatusCode)
	}
}

func TestTheRetentionPolicyIsReplacedAsAWhole(t *testing.T) {
	w := newWorld(t)
	var p struct {
		Rules []struct {
			QueueID string `json:"QueueId"`
			Channel string
			Days    int
		}
	}
	w.admin("admin", "GET", "/retention-policy", "", &p)
	if len(p.Rules) != 0 {
		t.Errorf("at first: %+v", p)
	}
	for range 2 {
		w.admin("admin", "PUT", "/retention-policy", `{"Rules":[{"Days":365},{"QueueId":"`+w.queue+`","Channel":"VOICE","Days":30}]}`, nil)
		w.admin("admin", "GET", "/retention-policy", "", &p)
		if len(p.Rules) != 2 || p.Rules[1].Days != 30 || p.Rules[1].QueueID != w.queue {
			t.Errorf("%+v", p)
		}
	}
	for _, body := range []string{`{"Rules":[{"Days":0}]}`, `{"Rules":[{"Days":1},{"Days":2}]}`, `{"Rules":[{"Days":1,"Channel":"TASK"}]}`, `{"Days":1}`} {
		if status, _, _ := w.do("admin", "PUT", "/admin/v1/retention-policy", body); status != 400 {
			t.Errorf("%s: %d", body, status)
		}
	}
	w.admin("admin", "PUT", "/retention-policy", `{}`, nil)
	w.admin("admin", "GET", "/retention-policy", "", &p)
	if len(p.Rules) != 0 {
		t.Errorf("at the end: %+v", p)
	}
}
