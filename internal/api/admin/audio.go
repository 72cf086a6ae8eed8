package admin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"ullim/internal/api/rest"
	"ullim/internal/errs"
	"ullim/internal/identity"
	"ullim/internal/resource"
	"ullim/prompts"
)

func (s *service) audio(t *rest.Table) {
	const (
		one  = "/prompts/{PromptId}/audio"
		each = one + "/{Language}"
	)
	rest.RawOp(t, "PutPromptAudio", "PUT", one, identity.PromptsEdit, s.putPromptAudio, rest.Body(prompts.MaxUpload), rest.Media("audio/wav", ""))
	rest.RawOp(t, "GetPromptAudio", "GET", one, identity.PromptsView, s.getPromptAudio, rest.Media("", "audio/wav"))
	rest.RawOp(t, "PutPromptVariant", "PUT", each, identity.PromptsEdit, s.putPromptAudio, rest.Body(prompts.MaxUpload), rest.Media("audio/wav", ""))
	rest.RawOp(t, "GetPromptVariant", "GET", each, identity.PromptsView, s.getPromptAudio, rest.Media("", "audio/wav"))
	rest.Op(t, "DeletePromptVariant", "DELETE", each, identity.PromptsEdit, s.deletePromptVariant)
	rest.Op(t, "DescribePromptFiles", "GET", "/prompts/{PromptId}/files", identity.PromptsView, s.describePromptFiles)
	rest.RawOp(t, "UploadPrompts", "POST", "/prompts-bulk", identity.PromptsCreate, s.uploadPrompts, rest.Body(maxBulk), rest.Media("application/zip", ""))
}

// promptOf is the prompt and the language that a path names.
func (s *service) promptOf(c *rest.Call, r *http.Request) (p *prompts.Prompt, language string, err error) {
	id, err := rest.ResolveRef(c.Instance(), resource.KindPrompt, c.Label("PromptId"))
	if err != nil {
		return nil, "", err
	}
	if p, err = s.Prompts.Get(r.Context(), c.Instance(), id); err != nil {
		return nil, "", err
	}
	if tag := c.Label("Language"); tag != "" {
		language, err = prompts.LanguageTag(tag)
	}
	return p, language, err
}

// putPromptAudio replaces the file of a prompt, or of its variant in a language.
func (s *service) putPromptAudio(c *rest.Call, w http.ResponseWriter, r *http.Request) error {
	p, language, err := s.promptOf(c, r)
	if err != nil {
		return err
	}
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(transferTime))
	data, err := io.ReadAll(io.LimitReader(r.Body, prompts.MaxUpload+1))
	if err != nil {
		if _, large := errors.AsType[*http.MaxBytesError](err); large {
			return errs.Wrap(identity.ErrTooLarge, errs.Invalid, "the audio must have at most %d bytes", prompts.MaxUpload)
		}
		return errs.Wrap(err, errs.InvalidRequest, "the body cannot be read")
	}
	if len(data) > prompts.MaxUpload {
		return errs.Wrap(identity.ErrTooLarge, errs.Invalid, "the audio must have at most %d bytes", prompts.MaxUpload)
	}
	instance, err := s.Instances.Get(r.Context(), c.Instance(), c.Instance())
	if err != nil {
		return err
	}
	file, err := s.PromptFiles.Check(r.Context(), instance.Name, data)
	if err != nil {
		return err
	}
	if err = s.useFile(r.Context(), c.Instance(), p.ID, language, file); err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	_, err = io.WriteString(w, "{}")
	return err
}

// useFile lets a file be that of a prompt for a language.
func (s *service) useFile(ctx context.Context, instanceID, promptID, language string, file *prompts.Upload) error {
	var before []string
	err := s.PromptFiles.Use(ctx, instanceID, file, func() error {
		_, err := resource.Edit(ctx, s.Prompts, instanceID, promptID, func(p *prompts.Prompt) error {
			before = p.Put(language, file.File)
			return nil
		})
		return err
	})
	if err == nil {
		s.PromptFiles.Sweep(ctx, instanceID, before...)
	}
	return err
}

// getPromptAudio gives a file as it was uploaded.
func (s *service) getPromptAudio(c *rest.Call, w http.ResponseWriter, r *http.Request) error {
	p, language, err := s.promptOf(c, r)
	if err != nil {
		return err
	}
	key := p.Key
	if language != "" {
		f, ok := p.Variants[language]
		if !ok {
			return errs.New(errs.NotFound, "the prompt has no file for %s", language)
		}
		key = f.Key
	}
	data, err := s.PromptFiles.Open(r.Context(), key)
	if err != nil {
		return err
	}
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(transferTime))
	h := w.Header()
	h.Set("Content-Type", prompts.ContentTypeOf(data))
	h.Set("Content-Length", strconv.Itoa(len(data)))
	h.Set("Content-Disposition", "attachment")
	h.Set("X-Content-Type-Options", "nosniff")
	if _, err = w.Write(data); err != nil {
		return fmt.Errorf("admin: audio of %s: %w", p.ID, err)
	}
	return nil
}

type promptVariantInput struct {
	PromptID string `json:"-" path:"PromptId" ref:"prompt"`
	Language string `json:"-" path:"Language"`
}

// deletePromptVariant takes a language away; contacts of it hear what fits next.
func (s *service) deletePromptVariant(ctx context.Context, c *rest.Call, in *promptVariantInput) (*rest.Empty, error) {
	language, err := prompts.LanguageTag(in.Language)
	if err != nil {
		return nil, err
	}
	err = s.PromptFiles.Drop(ctx, c.Instance(), func() (keys []string, err error) {
		_, err = resource.Edit(ctx, s.Prompts, c.Instance(), in.PromptID, func(p *prompts.Prompt) error {
			f, ok := p.Variants[language]
			if !ok {
				return errs.New(errs.NotFound, "the prompt has no file for %s", language)
			}
			keys = []string{f.Key}
			delete(p.Variants, language)
			return nil
		})
		return keys, err
	})
	if err != nil {
		return nil, err
	}
	return &rest.Empty{}, nil
}

type promptFilesInput struct {
	PromptID string `json:"-" path:"PromptId" ref:"prompt"`
}

type promptFile struct {
	Format   string `json:"Format"`
	Bytes    int64  `json:"Bytes"`
	Rate     int    `json:"SampleRate"`
	Channels int    `json:"Channels"`
	Millis   int64  `json:"Milliseconds"`
	SHA256   string `json:"Sha256"`
}

type promptFilesOutput struct {
	PromptID string                `json:"PromptId"`
	Name     string                `json:"Name"`
	File     *promptFile           `json:"File,omitempty"`
	Variants map[string]promptFile `json:"Variants"` // by language
}

func (s *service) describePromptFiles(ctx context.Context, c *rest.Call, in *promptFilesInput) (*promptFilesOutput, error) {
	p, err := s.Prompts.Get(ctx, c.Instance(), in.PromptID)
	if err != nil {
		return nil, err
	}
	out := &promptFilesOutput{PromptID: p.ID, Name: p.Name, Variants: map[string]promptFile{}}
	if p.File != nil {
		f := fileOf(*p.File)
		out.File = &f
	}
	for tag, f := range p.Variants {
		out.Variants[tag] = fileOf(f)
	}
	return out, nil
}

func fileOf(f prompts.File) promptFile {
	return promptFile{Format: string(f.Format), Bytes: f.Bytes, Rate: f.Rate, Channels: f.Channels, Millis: f.Millis, SHA256: f.SHA256}
}
