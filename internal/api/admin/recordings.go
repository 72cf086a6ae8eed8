package admin

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"ullim/internal/api/rest"
	"ullim/internal/contact"
	"ullim/internal/errs"
	"ullim/internal/identity"
)

func (s *service) recordings(t *rest.Table) {
	const all = "/contacts/{ContactId}/recordings"
	rest.Op(t, "ListRecordings", "GET", all, identity.ContactSearch, s.listRecordings)
	rest.RawOp(t, "DownloadRecording", "GET", all+"/{Number}/audio", identity.DownloadRecordings, s.downloadRecording,
		rest.Audited, rest.Media("", "audio/wav"))
}

type contactInput struct {
	ContactID string `json:"-" path:"ContactId" ref:"contact"`
}

type recording struct {
	Number    int                     `json:"Number"` // from 1: names it in DownloadRecording
	Location  string                  `json:"Location"`
	Status    contact.RecordingStatus `json:"Status"`
	StartTime rest.Time               `json:"StartTime,omitzero"`
	StopTime  rest.Time               `json:"StopTime,omitzero"`
	Bytes     int64                   `json:"Bytes,omitempty"`
	SHA256    string                  `json:"Sha256,omitempty"`
	Reason    string                  `json:"Reason,omitempty"`
}

type listRecordingsOutput struct {
	ContactID  string      `json:"ContactId"`
	Recordings []recording `json:"Recordings"`
}

func (s *service) listRecordings(ctx context.Context, c *rest.Call, in *contactInput) (*listRecordingsOutput, error) {
	r, err := s.Contacts.Contact(ctx, c.Instance(), in.ContactID)
	if err != nil {
		return nil, err
	}
	out := &listRecordingsOutput{ContactID: r.ID, Recordings: make([]recording, 0, len(r.Recordings))}
	for i, rec := range r.Recordings {
		out.Recordings = append(out.Recordings, recording{
			Number: i + 1, Location: rec.Location, Status: rec.Status, StartTime: rest.At(rec.Start),
			StopTime: rest.At(rec.Stop), Bytes: rec.Bytes, SHA256: rec.SHA256, Reason: rec.Reason,
		})
	}
	return out, nil
}

// downloadRecording streams the audio. What is opened is named by the contact's record alone; the caller names a
// contact of their instance and a number.
func (s *service) downloadRecording(c *rest.Call, w http.ResponseWriter, r *http.Request) error {
	id, err := rest.ResolveRef(c.Instance(), rest.KindContact, c.Label("ContactId"))
	if err != nil {
		return err
	}
	record, err := s.Contacts.Contact(r.Context(), c.Instance(), id)
	if err != nil {
		return err
	}
	n, err := strconv.Atoi(c.Label("Number"))
	if err != nil || n < 1 || n > len(record.Recordings) {
		return errs.New(errs.NotFound, "the contact has no recording %q", c.Label("Number"))
	}
	rec := record.Recordings[n-1]
	if rec.Status == contact.RecordingDeleted || rec.Status == contact.RecordingFailed {
		return errs.New(errs.NotFound, "the recording is %s", rec.Status)
	}
	audio, size, err := s.Recordings.OpenRecording(r.Context(), rec)
	if err != nil {
		return err
	}
	defer func() { _ = audio.Close() }()
	// A recording may take longer than the server allows an answer; where the writer cannot, it keeps its limit.
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(transferTime))
	h := w.Header()
	media, extension := "audio/wav", "wav"
	if rec.Media == contact.MediaChat {
		media, extension = "application/json", "json"
	}
	h.Set("Content-Type", media)
	h.Set("Content-Length", strconv.FormatInt(size, 10))
	h.Set("Content-Disposition", fmt.Sprintf(`attachment; filename="%s-%d.%s"`, record.ID, n, extension))
	w.WriteHeader(http.StatusOK)
	if _, err = io.CopyN(w, audio, size); err != nil {
		return fmt.Errorf("admin: recording of %s: %w", record.ID, err)
	}
	return nil
}
