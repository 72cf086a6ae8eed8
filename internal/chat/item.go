package chat

import (
	"encoding/json"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"ullim/internal/errs"
)

// Role is what a participant is in a chat.
type Role string

// Roles, as in the participant service.
const (
	Customer   Role = "CUSTOMER"
	Agent      Role = "AGENT"
	System     Role = "SYSTEM"
	CustomBot  Role = "CUSTOM_BOT"
	Supervisor Role = "SUPERVISOR"
)

// ItemType is the kind of an item.
type ItemType string

// Item types.
const (
	TypeMessage    ItemType = "MESSAGE"
	TypeEvent      ItemType = "EVENT"
	TypeAttachment ItemType = "ATTACHMENT"
	TypeMetadata   ItemType = "MESSAGEMETADATA" // told to those connected, never an item of a transcript
)

// Content types of messages.
const (
	Plain               = "text/plain"
	Markdown            = "text/markdown"
	JSON                = "application/json"
	Interactive         = "application/vnd.amazonaws.connect.message.interactive"
	InteractiveResponse = "application/vnd.amazonaws.connect.message.interactive.response"
)

// Content types of events.
const (
	eventPrefix         = "application/vnd.amazonaws.connect.event."
	EventTyping         = eventPrefix + "typing"
	EventAcknowledged   = eventPrefix + "connection.acknowledged"
	EventDelivered      = eventPrefix + "message.delivered"
	EventRead           = eventPrefix + "message.read"
	eventMetadata       = eventPrefix + "message.metadata"
	eventJoined         = eventPrefix + "participant.joined"
	eventLeft           = eventPrefix + "participant.left"
	eventIdle           = eventPrefix + "participant.idle"
	eventReturned       = eventPrefix + "participant.returned"
	eventAutoDisconnect = eventPrefix + "participant.autodisconnection"
	eventEnded          = eventPrefix + "chat.ended"
	eventRehydrated     = eventPrefix + "chat.rehydrated"
	eventTransferred    = eventPrefix + "transfer.succeeded"
)

// Bounds of what a chat holds.
const (
	MaxText         = 1024
	MaxJSON         = 12000
	maxItems        = 10_000
	maxParticipants = 10
	MaxAttachments  = 35
	MaxAttachment   = 20 << 20
	maxRemembered   = 64 // client tokens
)

// Item is one thing said or done in a chat. Its JSON is that of the participant service.
type Item struct {
	AbsoluteTime     Time             `json:"AbsoluteTime"`
	Content          string           `json:"Content,omitempty"`
	ContentType      string           `json:"ContentType,omitempty"`
	ID               string           `json:"Id"`
	Type             ItemType         `json:"Type"`
	ParticipantID    string           `json:"ParticipantId,omitempty"`
	DisplayName      string           `json:"DisplayName,omitempty"`
	ParticipantRole  Role             `json:"ParticipantRole,omitempty"`
	Attachments      []AttachmentItem `json:"Attachments,omitempty"`
	MessageMetadata  *Metadata        `json:"MessageMetadata,omitempty"`
	ContactID        string           `json:"ContactId,omitempty"`
	InitialContactID string           `json:"InitialContactId,omitempty"`
	RelatedContactID string           `json:"RelatedContactId,omitempty"`

	ChatID   string `json:"-"`
	Seq      int64  `json:"-"` // place in its chat, from 1
	Audience Role   `json:"-"` // who alone sees it (a whisper); empty: everybody
}

// AttachmentItem is a file in an item.
type AttachmentItem struct {
	AttachmentID   string `json:"AttachmentId"`
	AttachmentName string `json:"AttachmentName"`
	ContentType    string `json:"ContentType"`
	Status         string `json:"Status"`
}

// Metadata are the receipts of a message.
type Metadata struct {
	MessageID string    `json:"MessageId"`
	Receipts  []Receipt `json:"Receipts,omitempty"`
}

// Receipt tells that somebody has got, or read, a message.
type Receipt struct {
	DeliveredTimestamp     Time   `json:"DeliveredTimestamp,omitzero"`
	ReadTimestamp          Time   `json:"ReadTimestamp,omitzero"`
	RecipientParticipantID string `json:"RecipientParticipantId"`
}

// VisibleTo reports whether a role sees the item.
func (it *Item) VisibleTo(r Role) bool { return it.Audience == "" || it.Audience == r }

// Mark adds a receipt to the item's metadata, and reports whether it says something new. The first time counts.
func (it *Item) Mark(r Receipt) bool {
	m := &Metadata{MessageID: it.ID}
	if it.MessageMetadata != nil {
		m.Receipts = slices.Clone(it.MessageMetadata.Receipts)
	}
	i := slices.IndexFunc(m.Receipts, func(o Receipt) bool { return o.RecipientParticipantID == r.RecipientParticipantID })
	if i < 0 {
		m.Receipts = append(m.Receipts, Receipt{RecipientParticipantID: r.RecipientParticipantID})
		i = len(m.Receipts) - 1
	}
	had := m.Receipts[i]
	if had.DeliveredTimestamp.IsZero() {
		m.Receipts[i].DeliveredTimestamp = r.DeliveredTimestamp
	}
	if had.ReadTimestamp.IsZero() {
		m.Receipts[i].ReadTimestamp = r.ReadTimestamp
	}
	it.MessageMetadata = m
	return m.Receipts[i] != had
}

// Time is a moment as items show it: ISO 8601 in UTC with milliseconds.
type Time struct{ time.Time }

// timeForm is the form of times on the wire.
const timeForm = "2006-01-02T15:04:05.000Z"

// String is the moment on the wire.
func (t Time) String() string { return t.UTC().Format(timeForm) }

// MarshalJSON implements json.Marshaler.
func (t Time) MarshalJSON() ([]byte, error) { return json.Marshal(t.String()) }

// UnmarshalJSON implements json.Unmarshaler.
func (t *Time) UnmarshalJSON(b []byte) error {
	var s string
	if err := json.Unmarshal(b, &s); err != nil {
		return err
	}
	at, err := ParseTime(s)
	t.Time = at
	return err
}

// ParseTime reads a moment from the wire.
func ParseTime(s string) (time.Time, error) {
	at, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return time.Time{}, errs.Field("AbsoluteTime", "must be a time as 2026-01-31T09:30:00.000Z")
	}
	return at.UTC().Truncate(time.Millisecond), nil
}

// CheckMessage says what is wrong with a message; nil if it can be said.
func CheckMessage(contentType, content string) error {
	most := MaxText
	switch contentType {
	case Plain, Markdown:
	case JSON, Interactive, InteractiveResponse:
		most = MaxJSON
		if !json.Valid([]byte(content)) {
			return errs.Field("Content", "must be JSON for the content type %s", contentType)
		}
	default:
		return errs.Field("ContentType", "must be %s, %s, %s, %s or %s", Plain, Markdown, JSON, Interactive, InteractiveResponse)
	}
	if n := utf8.RuneCountInString(content); n < 1 || n > most {
		return errs.Field("Content", "must have 1 to %d characters; has %d", most, n)
	}
	if !utf8.ValidString(content) || strings.ContainsRune(content, 0) {
		return errs.Field("Content", "must be text")
	}
	return nil
}

// checkName says what is wrong with a display name.
func checkName(name string) error {
	if n := utf8.RuneCountInString(name); n < 1 || n > 256 || !utf8.ValidString(name) || strings.ContainsFunc(name, func(r rune) bool { return r < ' ' }) {
		return errs.Field("ParticipantDetails.DisplayName", "must have 1 to 256 characters, without control characters")
	}
	return nil
}
