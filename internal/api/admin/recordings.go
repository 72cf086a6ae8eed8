package admin

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path"
	"strconv"
	"strings"
	"time"

	"ullim/internal/api/rest"
	"ullim/internal/contact"
	"ullim/internal/errs"
	"ullim/internal/identity"
	"ullim/internal/recording"
)

// Recordings reads and deletes what was recorded, wherever it lies: spool folder, folder, or bucket.
type Recordings interface {
	// OpenRecording opens a recording or transcript to be read from any place on. The size is in bytes. errs.NotFound.
	OpenRecording(ctx context.Context, r contact.Recording) (io.ReadSeekCloser, int64, error)
	// Waveform opens the peaks of a recording. errs.NotFound.
	Waveform(ctx context.Context, r contact.Recording) (io.ReadSeekCloser, int64, error)
	// Link is a URL by which anybody can read a recording for a while. errs.InvalidRequest: its store gives none.
	Link(ctx context.Context, r contact.Recording, valid time.Duration, answer url.Values) (string, error)
	// Delete deletes a recording and tells how far it came: DELETED, or DELETING while the store is away.
	// errs.Conflict: a hold, or a lock of the store, keeps it.
	Delete(ctx context.Context, ref recording.Ref, reason string) (contact.RecordingStatus, error)
}

func (s *service) recordings(t *rest.Table) {
	const all = "/contacts/{ContactId}/recordings"
	const one = all + "/{Number}"
	rest.Op(t, "ListRecordings", "GET", all, identity.ContactSearch, s.listRecordings)
	rest.RawOp(t, "PlayRecording", "GET", one+"/play", identity.ListenRecordings, s.playRecording, rest.Audited, rest.Media("", "audio/wav"))
	rest.RawOp(t, "DownloadRecording", "GET", one+"/audio", identity.DownloadRecordings, s.downloadRecording, rest.Audited, rest.Media("", "audio/wav"))
	rest.RawOp(t, "GetRecordingWaveform", "GET", one+"/waveform", identity.ListenRecordings, s.recordingWaveform, rest.Media("", "application/json"))
	rest.Op(t, "GetRecordingUrl", "GET", one+"/url", identity.ListenRecordings, s.recordingURL, rest.Audited)
	rest.Op(t, "DeleteRecording", "DELETE", one, identity.DeleteRecordings, s.deleteRecording)
}

type contactInput struct {
	ContactID string `json:"-" path:"ContactId" ref:"contact"`
}

type recordingView struct {
	Number    int                     `json:"Number"` // from 1: names it in the other operations
	Location  string                  `json:"Location"`
	Bucket    string                  `json:"Bucket,omitempty"` // missing: the operator's own place
	MediaType string                  `json:"MediaType"`
	Status    contact.RecordingStatus `json:"Status"`
	StartTime rest.Time               `json:"StartTime,omitzero"`
	StopTime  rest.Time               `json:"StopTime,omitzero"`
	Bytes     int64                   `json:"Bytes,omitempty"`
	SHA256    string                  `json:"Sha256,omitempty"`
	Reason    string                  `json:"Reason,omitempty"` // of a deletion or a failure
	Waveform  bool                    `json:"Waveform"`
}

type listRecordingsOutput struct {
	ContactID  string          `json:"ContactId"`
	LegalHold  bool            `json:"LegalHold"`
	Recordings []recordingView `json:"Recordings"`
}

func (s *service) listRecordings(ctx context.Context, c *rest.Call, in *contactInput) (*listRecordingsOutput, error) {
	r, err := s.Contacts.Contact(ctx, c.Instance(), in.ContactID)
	if err != nil {
		return nil, err
	}
	out := &listRecordingsOutput{ContactID: r.ID, Recordings: make([]recordingView, 0, len(r.Recordings))}
	for i, rec := range r.Recordings {
		out.Recordings = append(out.Recordings, recordingView{
			Number: i + 1, Location: rec.Location, Bucket: rec.Bucket, MediaType: mediaTypeOf(rec), Status: rec.Status, StartTime: rest.At(rec.Start),
			StopTime: rest.At(rec.Stop), Bytes: rec.Bytes, SHA256: rec.SHA256, Reason: rec.Reason, Waveform: rec.Waveform != "",
		})
	}
	switch _, err = s.Holds.Hold(ctx, c.Instance(), r.ID); {
	case err == nil:
		out.LegalHold = true
	case !errs.Is(err, errs.NotFound):
		return nil, err
	}
	return out, nil
}

// mediaTypeOf is the media type of what is stored; what is still in the spool is WAV.
func mediaTypeOf(r contact.Recording) string {
	if r.Media == contact.MediaChat {
		return "application/json"
	}
	if r.Status != contact.RecordingSpooled {
		switch path.Ext(r.Location) {
		case ".flac":
			return "audio/flac"
		case ".opus":
			return "audio/ogg"
		}
	}
	return "audio/wav"
}

// extensionOf is the ending of a file name.
func extensionOf(media string) string {
	switch media {
	case "application/json":
		return "json"
	case "audio/ogg":
		return "opus"
	}
	return strings.TrimPrefix(media, "audio/")
}

// recordingOf finds a recording that can be read. What is opened is named by the contact's record alone; the caller names a
// contact of their instance and a number.
func (s *service) recordingOf(ctx context.Context, c *rest.Call, contactID, number string) (*contact.Record, int, error) {
	id, err := rest.ResolveRef(c.Instance(), rest.KindContact, contactID)
	if err != nil {
		return nil, 0, err
	}
	record, err := s.Contacts.Contact(ctx, c.Instance(), id)
	if err != nil {
		return nil, 0, err
	}
	n, err := strconv.Atoi(number)
	if err != nil || n < 1 || n > len(record.Recordings) {
		return nil, 0, errs.New(errs.NotFound, "the contact has no recording %q", number)
	}
	return record, n, nil
}

// readable refuses what has no content any more.
func readable(r contact.Recording) error {
	switch r.Status {
	case contact.RecordingDeleted, contact.RecordingFailed, contact.RecordingDeleting:
		return errs.New(errs.NotFound, "the recording is %s", r.Status)
	case contact.RecordingSpooled, contact.RecordingAvailable:
	}
	return nil
}

// playRecording gives the audio to a player, which may ask for any part of it.
func (s *service) playRecording(c *rest.Call, w http.ResponseWriter, r *http.Request) error {
	return s.serveRecording(c, w, r, "inline")
}

// downloadRecording gives the audio as a file.
func (s *service) downloadRecording(c *rest.Call, w http.ResponseWriter, r *http.Request) error {
	return s.serveRecording(c, w, r, "attachment")
}

func (s *service) serveRecording(c *rest.Call, w http.ResponseWriter, r *http.Request, disposition string) error {
	record, n, err := s.recordingOf(r.Context(), c, c.Label("ContactId"), c.Label("Number"))
	if err != nil {
		return err
	}
	rec := record.Recordings[n-1]
	if err = readable(rec); err != nil {
		return err
	}
	body, _, err := s.Recordings.OpenRecording(r.Context(), rec)
	if err != nil {
		return err
	}
	if asked := r.Header.Get("Range"); asked != "" {
		c.Note("range", asked)
	}
	h, media := w.Header(), mediaTypeOf(rec)
	h.Set("Content-Type", media)
	h.Set("Content-Disposition", fmt.Sprintf(`%s; filename="%s-%d.%s"`, disposition, record.ID, n, extensionOf(media)))
	if rec.Status == contact.RecordingAvailable && rec.SHA256 != "" {
		h.Set("ETag", `"`+rec.SHA256+`"`) // what is stored never changes: a part belongs to the same whole
	}
	return serve(w, r, body)
}

// serve sends a file or the part of it that was asked for (RFC 9110 §14), and closes it.
func serve(w http.ResponseWriter, r *http.Request, body io.ReadSeekCloser) error {
	// A recording may take longer than the server allows an answer; where the writer cannot, it keeps its limit.
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(transferTime))
	http.ServeContent(w, r, "", time.Time{}, body)
	_ = body.Close() // it was only read
	return nil
}

func (s *service) recordingWaveform(c *rest.Call, w http.ResponseWriter, r *http.Request) error {
	record, n, err := s.recordingOf(r.Context(), c, c.Label("ContactId"), c.Label("Number"))
	if err == nil {
		err = readable(record.Recordings[n-1])
	}
	if err != nil {
		return err
	}
	body, _, err := s.Recordings.Waveform(r.Context(), record.Recordings[n-1])
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	return serve(w, r, body)
}

// linkTime is how long a link is good for: a player that was started may go on reading it for as long.
const linkTime = 15 * time.Minute

type recordingURLInput struct {
	ContactID string `json:"-" path:"ContactId" ref:"contact"`
	Number    string `json:"-" path:"Number"`
	Download  bool   `json:"-" query:"download"`
}

type recordingURLOutput struct {
	URL       string    `json:"Url"`
	Presigned bool      `json:"Presigned"` // it needs no credentials; else it is a path of this API
	MediaType string    `json:"MediaType"`
	Expires   rest.Time `json:"Expires,omitzero"`
}

// recordingURL says where the audio can be read: in the bucket if the store gives links and encrypts nothing that only we
// can read, else here.
func (s *service) recordingURL(ctx context.Context, c *rest.Call, in *recordingURLInput) (*recordingURLOutput, error) {
	if in.Download && !c.Principal.Can(identity.DownloadRecordings) {
		return nil, errs.New(errs.Denied, "user %s may not download recordings (permission %s)", c.Principal.Username, identity.DownloadRecordings)
	}
	record, n, err := s.recordingOf(ctx, c, in.ContactID, in.Number)
	if err != nil {
		return nil, err
	}
	rec := record.Recordings[n-1]
	if err = readable(rec); err != nil {
		return nil, err
	}
	out := &recordingURLOutput{MediaType: mediaTypeOf(rec)}
	answer := url.Values{"response-content-type": {out.MediaType}}
	kind := "play"
	if in.Download {
		kind = "audio"
		answer.Set("response-content-disposition", fmt.Sprintf(`attachment; filename="%s-%d.%s"`, record.ID, n, extensionOf(out.MediaType)))
	}
	out.URL, err = s.Recordings.Link(ctx, rec, linkTime, answer)
	switch {
	case err == nil:
		out.Presigned, out.Expires = true, rest.At(time.Now().Add(linkTime))
	case errs.Is(err, errs.InvalidRequest):
		out.URL = fmt.Sprintf("/admin/v1/contacts/%s/recordings/%d/%s", url.PathEscape(record.ID), n, kind)
	default:
		return nil, err
	}
	return out, nil
}

type deleteRecordingInput struct {
	ContactID string `json:"-" path:"ContactId" ref:"contact"`
	Number    string `json:"-" path:"Number"`
	Reason    string `json:"-" query:"reason"`
}

type deleteRecordingOutput struct {
	Status contact.RecordingStatus `json:"Status"` // DELETING: the store is away, and it is done later
}

// deleteRecording erases the audio; the record keeps that it was there, and why it is gone.
func (s *service) deleteRecording(ctx context.Context, c *rest.Call, in *deleteRecordingInput) (*deleteRecordingOutput, error) {
	record, n, err := s.recordingOf(ctx, c, in.ContactID, in.Number)
	if err == nil {
		err = checkReason(in.Reason)
	}
	if err != nil {
		return nil, err
	}
	c.Note("reason", in.Reason)
	ref := recording.Ref{InstanceID: c.Instance(), ContactID: record.ID, Index: n - 1}
	status, err := s.Recordings.Delete(ctx, ref, in.Reason+" ("+c.Principal.Username+")")
	if err != nil {
		return nil, err
	}
	return &deleteRecordingOutput{Status: status}, nil
}

// checkReason wants one: it is what is left to say why something is gone, or why it must stay.
func checkReason(reason string) error {
	if strings.TrimSpace(reason) == "" || len(reason) > 500 {
		return errs.Field("reason", "must be given, with at most 500 bytes")
	}
	return nil
}
