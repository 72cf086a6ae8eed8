package chat

import (
	"path"
	"strings"
	"unicode/utf8"

	"ullim/internal/contact"
	"ullim/internal/errs"
)

// attachmentTypes are the media types of a kind of file that may be sent (A6.2), by extension; nil for others.
func attachmentTypes(extension string) []string {
	return map[string][]string{
		".csv": {"text/csv", "application/vnd.ms-excel"}, ".doc": {"application/msword"},
		".docx": {"application/vnd.openxmlformats-officedocument.wordprocessingml.document"},
		".jpeg": {"image/jpeg", "image/jpg"}, ".jpg": {"image/jpeg", "image/jpg"}, ".pdf": {"application/pdf"}, ".png": {"image/png"},
		".ppt":  {"application/vnd.ms-powerpoint"},
		".pptx": {"application/vnd.openxmlformats-officedocument.presentationml.presentation"},
		".txt":  {"text/plain"}, ".wav": {"audio/wav", "audio/x-wav", "audio/vnd.wave", "audio/wave"},
		".xls":  {"application/vnd.ms-excel"},
		".xlsx": {"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"},
	}[extension]
}

// checkAttachment says what is wrong with a file that somebody wants to send.
func checkAttachment(a *Attachment) error {
	switch {
	case a.Size < 1 || a.Size > MaxAttachment:
		return errs.Field("AttachmentSizeInBytes", "must be 1 to %d", MaxAttachment)
	case a.Name == "" || utf8.RuneCountInString(a.Name) > 256 || !utf8.ValidString(a.Name) || strings.ContainsFunc(a.Name, func(r rune) bool { return r < ' ' || r == '/' || r == '\\' }):
		return errs.Field("AttachmentName", "must have 1 to 256 characters, no slash and no control characters")
	}
	types := attachmentTypes(strings.ToLower(path.Ext(a.Name)))
	if types == nil {
		return errs.Field("AttachmentName", "must end in .csv, .doc, .docx, .jpeg, .jpg, .pdf, .png, .ppt, .pptx, .txt, .wav, .xls or .xlsx")
	}
	base, _, _ := strings.Cut(a.ContentType, ";")
	for _, t := range types {
		if strings.EqualFold(strings.TrimSpace(base), t) {
			return nil
		}
	}
	return errs.Field("ContentType", "must be %s for a file named %s", types[0], path.Ext(a.Name))
}

// upload announces a file.
func (m *machine) upload() error {
	p, err := m.who()
	if err != nil {
		return err
	}
	a := *m.e.Attachment
	if m.s.Channel != contact.Chat {
		return errs.New(errs.InvalidRequest, "only a chat takes files")
	}
	if err = checkAttachment(&a); err != nil {
		return err
	}
	if len(m.s.Attachments) >= MaxAttachments {
		return errs.New(errs.Limit, "a chat has at most %d attachments", MaxAttachments)
	}
	a.ParticipantID, a.Uploaded, a.Completed = p.ID, false, false
	m.s.Attachments = append(m.s.Attachments, a)
	return nil
}

// uploaded notes that a file has arrived.
func (m *machine) uploaded() error {
	a := m.s.Attachment(m.e.Attachment.ID)
	if a == nil || a.Completed {
		return errs.New(errs.InvalidRequest, "the attachment is not awaited")
	}
	a.Uploaded = true
	return nil
}

// complete shows files to everybody.
func (m *machine) complete() error {
	p, err := m.who()
	if err != nil {
		return err
	}
	if len(m.e.IDs) != 1 {
		return errs.Field("AttachmentIds", "must have one id")
	}
	a := m.s.Attachment(m.e.IDs[0])
	switch {
	case a == nil || a.ParticipantID != p.ID:
		return errs.New(errs.NotFound, "there is no such attachment")
	case a.Completed:
		return nil
	case !a.Uploaded:
		return errs.New(errs.Conflict, "the file has not been uploaded yet")
	}
	a.Completed = true
	m.heardFrom(p)
	m.count(p.Role)
	m.put(Item{
		Type: TypeAttachment, ContentType: a.ContentType, ParticipantID: p.ID, ParticipantRole: p.Role, DisplayName: p.DisplayName,
		Attachments: []AttachmentItem{{AttachmentID: a.ID, AttachmentName: a.Name, ContentType: a.ContentType, Status: "APPROVED"}},
	})
	return nil
}
