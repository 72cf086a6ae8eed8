package chat

import (
	"context"
	"encoding/json"
	"time"

	"ullim/internal/contact"
)

// transcriptKey is where the transcript of a segment lies in the blob store (A5).
func transcriptKey(alias, contactID string, at time.Time) string {
	at = at.UTC()
	return "connect/" + alias + "/ChatTranscripts/" + at.Format("2006/01/02") + "/" + contactID + "_" + at.Format("20060102T15:04") + "_UTC.json"
}

// transcriptFile is the file of A6.2.
type transcriptFile struct {
	Version          string            `json:"Version"`
	AWSAccountID     string            `json:"AWSAccountId"`
	InstanceID       string            `json:"InstanceId"`
	InitialContactID string            `json:"InitialContactId"`
	ContactID        string            `json:"ContactId"`
	Participants     []transcriptParty `json:"Participants"`
	Transcript       []Item            `json:"Transcript"`
}

type transcriptParty struct {
	ParticipantID string `json:"ParticipantId"`
}

// transcriptAccount stands for the AWS account, which we have none of.
const transcriptAccount = "000000000000"

// Transcript is the file of one segment: everything that was said but whispers.
func Transcript(ctx context.Context, store Store, r *contact.Record) ([]byte, error) {
	chatID := r.InitialContactID
	if chatID == "" {
		chatID = r.ID
	}
	f := transcriptFile{
		Version: "2019-08-26", AWSAccountID: transcriptAccount, InstanceID: r.InstanceID, InitialContactID: chatID, ContactID: r.ID,
		Participants: []transcriptParty{}, Transcript: []Item{},
	}
	seen := map[string]bool{}
	q := ItemQuery{Sources: []Source{{ChatID: chatID, ContactID: r.ID}}, Role: System, Limit: 500}
	for {
		items, err := store.ChatItems(ctx, q)
		if err != nil {
			return nil, err
		}
		for i := range items {
			it := items[i]
			if it.ParticipantID != "" && !seen[it.ParticipantID] {
				seen[it.ParticipantID] = true
				f.Participants = append(f.Participants, transcriptParty{it.ParticipantID})
			}
			f.Transcript = append(f.Transcript, it)
		}
		if len(items) < q.Limit {
			break
		}
		q.From = placeOf(&items[len(items)-1])
	}
	return json.Marshal(f)
}

func placeOf(it *Item) *Place { return &Place{At: it.AbsoluteTime.Time, Seq: it.Seq, ID: it.ID} }
