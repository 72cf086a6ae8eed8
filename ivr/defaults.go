package ivr

import (
	"embed"
	"strings"

	"ullim/internal/resource"
)

//go:embed defaults/*.json
var defaultFiles embed.FS

// Defaults are the flows that every instance starts with, one of each type (A1.3), named as Connect names them. Text is
// in the language: "ko" and its variants are Korean, everything else English. They are ready to be stored once they have
// an instance: published, with empty ids.
func Defaults(language string) []*Flow {
	suffix := ".en"
	if base, _, _ := strings.Cut(strings.ToLower(language), "-"); base == "ko" {
		suffix = ".ko"
	}
	var out []*Flow
	for _, d := range []struct {
		file, description string
		t                 FlowType
	}{
		{"inbound" + suffix, "Greets, checks the opening hours, offers a menu and puts the caller into BasicQueue", TypeInbound},
		{"customer-queue" + suffix, "What a customer hears while waiting in a queue", TypeCustomerQueue},
		{"customer-hold", "What a customer hears on hold", TypeCustomerHold},
		{"customer-whisper", "What a customer hears just before being joined to an agent", TypeCustomerWhisper},
		{"outbound" + suffix, "What a called customer hears just before being joined to an agent", TypeOutboundWhisper},
		{"agent-hold" + suffix, "What an agent hears on hold", TypeAgentHold},
		{"agent-whisper", "What an agent hears just before being joined to a customer: the queue's name", TypeAgentWhisper},
		{"agent-transfer" + suffix, "What an agent hears who transfers to another agent", TypeAgentTransfer},
		{"queue-transfer" + suffix, "What an agent hears who transfers to a queue", TypeQueueTransfer},
	} {
		content, err := defaultFiles.ReadFile("defaults/" + d.file + ".json")
		if err != nil {
			continue // cannot be: a test reads all of them
		}
		out = append(out, &Flow{
			Meta: resource.Meta{Name: DefaultName(d.t)}, Type: d.t, Description: d.description, Default: true,
			Content: string(content), Published: string(content), PublishedVersion: 1,
		})
	}
	return out
}

// DefaultName is the name of the default flow of a type; empty if there is none.
func DefaultName(t FlowType) string {
	switch t {
	case TypeInbound:
		return "Sample inbound flow (first contact experience)"
	case TypeCustomerQueue:
		return "Default customer queue"
	case TypeCustomerHold:
		return "Default customer hold"
	case TypeCustomerWhisper:
		return "Default customer whisper"
	case TypeOutboundWhisper:
		return "Default outbound"
	case TypeAgentHold:
		return "Default agent hold"
	case TypeAgentWhisper:
		return "Default agent whisper"
	case TypeAgentTransfer:
		return "Default agent transfer"
	case TypeQueueTransfer:
		return "Default queue transfer"
	case TypeCampaign, TypeModule:
	}
	return ""
}
