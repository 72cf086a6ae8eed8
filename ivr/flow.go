package ivr

import (
	"encoding/json"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"ullim/internal/errs"
	"ullim/internal/resource"
)

// FlowType is what a flow may be used for (A1.3). It never changes.
type FlowType string

// Flow types, by their name in the Connect API.
const (
	TypeInbound         FlowType = "CONTACT_FLOW"
	TypeCustomerQueue   FlowType = "CUSTOMER_QUEUE"
	TypeCustomerHold    FlowType = "CUSTOMER_HOLD"
	TypeCustomerWhisper FlowType = "CUSTOMER_WHISPER"
	TypeOutboundWhisper FlowType = "OUTBOUND_WHISPER"
	TypeAgentHold       FlowType = "AGENT_HOLD"
	TypeAgentWhisper    FlowType = "AGENT_WHISPER"
	TypeAgentTransfer   FlowType = "AGENT_TRANSFER"
	TypeQueueTransfer   FlowType = "QUEUE_TRANSFER"
	TypeCampaign        FlowType = "CAMPAIGN" // TypeModule is in action.go
)

// Flow is a contact flow or a flow module: a draft (Content, not validated) and what was published last (validated; what
// contacts run). Each publication is kept as a Version too.
type Flow struct {
	resource.Meta
	Type               FlowType  `json:"type"`
	Description        string    `json:"description,omitempty"`
	Archived           bool      `json:"archived,omitempty"`
	Default            bool      `json:"default,omitempty"` // the instance's default of its type
	Content            string    `json:"content"`           // the draft
	Published          string    `json:"published,omitempty"`
	PublishedAt        time.Time `json:"publishedAt,omitzero"`
	PublishedVersion   int       `json:"publishedVersion,omitempty"` // 1 for the first publication
	VersionDescription string    `json:"versionDescription,omitempty"`

	// Of modules only.
	Settings string  `json:"settings,omitempty"` // JSON, kept for who sent it
	External bool    `json:"external,omitempty"` // may be called from outside flows; kept, not used
	Aliases  []Alias `json:"aliases,omitempty"`
}

// Kind is contact-flow, or flow-module.
func (f *Flow) Kind() resource.Kind {
	if f.Type == TypeModule {
		return resource.KindFlowModule
	}
	return resource.KindFlow
}

// what is the word for it in messages.
func (f *Flow) what() string {
	if f.Type == TypeModule {
		return "module"
	}
	return "flow"
}

// Refs is empty: flows name others inside their content, by id, ARN or name, and a missing one is an error branch.
func (*Flow) Refs() []resource.Ref { return nil }

// MaxContent is the largest flow document, in characters (A1.1).
const MaxContent = 256_000

// FlowTypes lists every type of flow; modules are not flows.
func FlowTypes() []FlowType {
	return []FlowType{
		TypeInbound, TypeCustomerQueue, TypeCustomerHold, TypeCustomerWhisper, TypeOutboundWhisper, TypeAgentHold,
		TypeAgentWhisper, TypeAgentTransfer, TypeQueueTransfer, TypeCampaign,
	}
}

// Validate refuses what is neither a type of flow nor TypeModule.
func (t FlowType) Validate() error {
	if t != TypeModule && !slices.Contains(FlowTypes(), t) {
		return errs.Field("Type", "%.40q is not a flow type", string(t))
	}
	return nil
}

// Validate checks what every stored flow must be: drafts need only be JSON of the right size. What is published was
// checked by Check when it was published; rules that came later do not make it unreadable.
func (f *Flow) Validate() error {
	if n := utf8.RuneCountInString(f.Name); n < 1 || n > 127 || strings.TrimSpace(f.Name) != f.Name {
		return errs.Field("Name", "must have 1 to 127 characters and no space at its ends")
	}
	if strings.ContainsFunc(f.Name, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return errs.Field("Name", "must not have control characters")
	}
	if n := utf8.RuneCountInString(f.Description); n > 500 {
		return errs.Field("Description", "has %d characters, at most 500 are allowed", n)
	}
	if err := f.Type.Validate(); err != nil {
		return err
	}
	if err := f.validateModule(); err != nil {
		return err
	}
	if f.Published == "" && f.PublishedVersion != 0 {
		return errs.Field("PublishedVersion", "needs a published flow")
	}
	if f.Archived && f.Default {
		return errs.New(errs.InvalidRequest, "a default flow cannot be archived")
	}
	return checkDraft(f.Content)
}

// checkDraft is what a draft must be: JSON, of the right size.
func checkDraft(content string) error {
	if n := utf8.RuneCountInString(content); n < 1 || n > MaxContent {
		return errs.Field("Content", "must have 1 to %d characters, it has %d", MaxContent, n)
	}
	if !utf8.ValidString(content) || !json.Valid([]byte(content)) {
		return errs.Field("Content", "is not JSON")
	}
	return nil
}
