package rest

import (
	"fmt"

	"github.com/google/uuid"
)

// PromptKey makes a blob key for the audio of a prompt: a new one for each upload, so that audio in use never changes
// under a call. Keys are made by us of ids and the instance's alias, never of what a caller sends.
func PromptKey(alias, promptID string) string {
	return fmt.Sprintf("connect/%s/Prompts/%s/%s.wav", alias, promptID, uuid.NewString())
}
