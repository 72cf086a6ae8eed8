package admin

import (
	"bytes"
	"io"
	"net/http"
	"time"

	"ullim/internal/api/rest"
	"ullim/internal/errs"
	"ullim/internal/identity"
	"ullim/internal/resource"
	"ullim/prompts"
)

func (s *service) audio(t *rest.Table) {
	rest.RawOp(t, "PutPromptAudio", "PUT", "/prompts/{PromptId}/audio", identity.PromptsEdit, s.putPromptAudio,
		rest.Body(prompts.MaxUpload), rest.Media("audio/wav", ""))
}

// putPromptAudio replaces the audio of a prompt by a WAV. Each upload gets a key of its own, made by us.
func (s *service) putPromptAudio(c *rest.Call, w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	id, err := rest.ResolveRef(c.Instance(), resource.KindPrompt, c.Label("PromptId"))
	if err != nil {
		return err
	}
	if _, err = s.Prompts.Get(ctx, c.Instance(), id); err != nil {
		return err
	}
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(transferTime))
	wav, err := io.ReadAll(io.LimitReader(r.Body, prompts.MaxUpload+1))
	if err != nil {
		return errs.Wrap(err, errs.InvalidRequest, "the body cannot be read")
	}
	if len(wav) > prompts.MaxUpload {
		return errs.Wrap(identity.ErrTooLarge, errs.Invalid, "the audio must have at most %d bytes", prompts.MaxUpload)
	}
	if _, err = prompts.CheckUpload(bytes.NewReader(wav)); err != nil {
		return err
	}
	instance, err := s.Instances.Get(ctx, c.Instance(), c.Instance())
	if err != nil {
		return err
	}
	key := rest.PromptKey(instance.Name, id)
	if err = s.PromptAudio.PutAudio(ctx, key, wav); err != nil {
		return err
	}
	before := ""
	_, err = resource.Edit(ctx, s.Prompts, c.Instance(), id, func(p *prompts.Prompt) error {
		before, p.Key = p.Key, key
		return nil
	})
	if err != nil {
		before = key // nothing refers to what was just stored
	}
	if derr := s.PromptAudio.DeleteAudio(ctx, before); derr != nil {
		c.Log.Warn("audio of a prompt not removed", "key", before, "error", derr)
	}
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	_, err = io.WriteString(w, "{}")
	return err
}
