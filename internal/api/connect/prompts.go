package connect

import (
	"bytes"
	"context"
	"encoding/base64"
	"strings"

	"github.com/google/uuid"

	"ullim/internal/api/rest"
	"ullim/internal/errs"
	"ullim/internal/identity"
	"ullim/internal/resource"
	"ullim/prompts"
)

// Two forms of S3Uri that we take instead of an object in somebody's S3. Fetching addresses that a caller chooses is
// what we do not do.
const (
	// uploadURI says that the audio follows by PUT /admin/v1/prompts/{PromptId}/audio.
	uploadURI = "upload:"
	dataURI   = "data:"
	// maxInline is the largest audio inside a request.
	maxInline = 4 << 20
)

func (s *service) prompts(t *rest.Table) {
	const (
		all = "/prompts/{InstanceId}"
		one = all + "/{PromptId}"
	)
	rest.Op(t, "CreatePrompt", "PUT", all, identity.PromptsCreate, s.createPrompt, rest.Body(2*maxInline))
	rest.Op(t, "DescribePrompt", "GET", one, identity.PromptsView, s.describePrompt)
	rest.Op(t, "ListPrompts", "GET", "/prompts-summary/{InstanceId}", identity.PromptsView, s.listPrompts)
	rest.Op(t, "UpdatePrompt", "POST", one, identity.PromptsEdit, s.updatePrompt, rest.Body(2*maxInline))
	rest.Op(t, "DeletePrompt", "DELETE", one, identity.PromptsDelete, s.deletePrompt)
}

// audioOf reads the S3Uri: nil for uploadURI, else a checked WAV.
func audioOf(uri string) ([]byte, error) {
	if uri == uploadURI {
		return nil, nil
	}
	data, ok := strings.CutPrefix(uri, dataURI)
	if !ok {
		return nil, errs.Field("S3Uri", "must be %q, with the audio to follow by PUT /admin/v1/prompts/{PromptId}/audio, "+
			"or a WAV as data:audio/wav;base64,...; other addresses are not fetched", uploadURI)
	}
	media, text, ok := strings.Cut(data, ",")
	if media = strings.ToLower(media); !ok || !strings.HasPrefix(media, "audio/") || !strings.HasSuffix(media, ";base64") {
		return nil, errs.Field("S3Uri", "must be data:audio/wav;base64,...")
	}
	wav, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil, errs.Field("S3Uri", "holds something that is not base64")
	}
	if len(wav) > maxInline {
		return nil, errs.Field("S3Uri", "holds more than %d bytes: use %q", maxInline, uploadURI)
	}
	_, err = prompts.CheckUpload(bytes.NewReader(wav))
	return wav, err
}

// putAudio stores audio for a prompt and gives its key.
func (s *service) putAudio(ctx context.Context, c *rest.Call, promptID string, wav []byte) (string, error) {
	instance, err := s.Instances.Get(ctx, c.Instance(), c.Instance())
	if err != nil {
		return "", err
	}
	key := rest.PromptKey(instance.Name, promptID)
	if wav == nil {
		return key, nil
	}
	return key, s.PromptAudio.PutAudio(ctx, key, wav)
}

type createPromptInput struct {
	InstanceID  string            `json:"-" path:"InstanceId" ref:"instance"`
	Name        string            `json:"Name"`
	Description string            `json:"Description,omitempty"`
	S3URI       string            `json:"S3Uri"`
	Tags        map[string]string `json:"Tags,omitempty"`
}

type promptOutput struct {
	PromptARN string `json:"PromptARN"`
	PromptID  string `json:"PromptId"`
}

func (s *service) createPrompt(ctx context.Context, c *rest.Call, in *createPromptInput) (*promptOutput, error) {
	meta, err := head(c, in.Name, in.Tags)
	if err != nil {
		return nil, err
	}
	wav, err := audioOf(in.S3URI)
	if err != nil {
		return nil, err
	}
	p := &prompts.Prompt{Meta: meta, Description: in.Description}
	p.ID = uuid.NewString()
	if p.Key, err = s.putAudio(ctx, c, p.ID, wav); err != nil {
		return nil, err
	}
	if err = s.Prompts.Create(ctx, p); err != nil {
		s.dropAudio(ctx, c, p.Key)
		return nil, err
	}
	c.Note("prompt_id", p.ID)
	return &promptOutput{PromptARN: resource.ARN(p.InstanceID, p.Kind(), p.ID), PromptID: p.ID}, nil
}

// dropAudio removes audio that nothing refers to any more. A failure costs disk, not correctness.
func (s *service) dropAudio(ctx context.Context, c *rest.Call, key string) {
	if err := s.PromptAudio.DeleteAudio(ctx, key); err != nil {
		c.Log.Warn("audio of a prompt not removed", "key", key, "error", err)
	}
}

type promptInput struct {
	InstanceID string `json:"-" path:"InstanceId" ref:"instance"`
	PromptID   string `json:"-" path:"PromptId" ref:"prompt"`
}

type prompt struct {
	PromptARN          string            `json:"PromptARN"`
	PromptID           string            `json:"PromptId"`
	Name               string            `json:"Name"`
	Description        string            `json:"Description,omitempty"`
	Tags               map[string]string `json:"Tags,omitempty"`
	LastModifiedTime   rest.Time         `json:"LastModifiedTime,omitzero"`
	LastModifiedRegion string            `json:"LastModifiedRegion"`
}

type describePromptOutput struct {
	Prompt prompt `json:"Prompt"`
}

func (s *service) describePrompt(ctx context.Context, c *rest.Call, in *promptInput) (*describePromptOutput, error) {
	p, err := s.Prompts.Get(ctx, c.Instance(), in.PromptID)
	if err != nil {
		return nil, err
	}
	return &describePromptOutput{Prompt: prompt{
		PromptARN: resource.ARN(p.InstanceID, p.Kind(), p.ID), PromptID: p.ID, Name: p.Name, Description: p.Description,
		Tags: p.Tags, LastModifiedTime: rest.At(p.ModifiedAt), LastModifiedRegion: resource.Region,
	}}, nil
}

type listPromptsOutput struct {
	List      []summary `json:"PromptSummaryList"`
	NextToken string    `json:"NextToken,omitempty"`
}

func (s *service) listPrompts(ctx context.Context, c *rest.Call, in *listInput) (*listPromptsOutput, error) {
	ps, next, err := page(ctx, s.Prompts, c, in.MaxResults, 1000, in.NextToken)
	if err != nil {
		return nil, err
	}
	return &listPromptsOutput{List: summaries(ps), NextToken: next}, nil
}

type updatePromptInput struct {
	InstanceID  string  `json:"-" path:"InstanceId" ref:"instance"`
	PromptID    string  `json:"-" path:"PromptId" ref:"prompt"`
	Name        *string `json:"Name,omitempty"`
	Description *string `json:"Description,omitempty"`
	S3URI       string  `json:"S3Uri,omitempty"`
}

func (s *service) updatePrompt(ctx context.Context, c *rest.Call, in *updatePromptInput) (*promptOutput, error) {
	if _, err := s.Prompts.Get(ctx, c.Instance(), in.PromptID); err != nil {
		return nil, err
	}
	var key, before string
	if in.S3URI != "" {
		wav, err := audioOf(in.S3URI)
		if err != nil {
			return nil, err
		}
		if wav != nil { // with uploadURI the audio stays what it is until the upload
			if key, err = s.putAudio(ctx, c, in.PromptID, wav); err != nil {
				return nil, err
			}
		}
	}
	p, err := resource.Edit(ctx, s.Prompts, c.Instance(), in.PromptID, func(p *prompts.Prompt) error {
		set(&p.Name, in.Name)
		set(&p.Description, in.Description)
		if before = p.Key; key != "" {
			p.Key = key
		}
		return nil
	})
	switch {
	case err != nil && key != "":
		s.dropAudio(ctx, c, key)
		return nil, err
	case err != nil:
		return nil, err
	case key != "":
		s.dropAudio(ctx, c, before)
	}
	return &promptOutput{PromptARN: resource.ARN(p.InstanceID, p.Kind(), p.ID), PromptID: p.ID}, nil
}

func (s *service) deletePrompt(ctx context.Context, c *rest.Call, in *promptInput) (*rest.Empty, error) {
	p, err := s.Prompts.Get(ctx, c.Instance(), in.PromptID)
	if err != nil {
		return nil, err
	}
	if err = s.Prompts.Delete(ctx, c.Instance(), p.ID); err != nil {
		return nil, err
	}
	s.dropAudio(ctx, c, p.Key)
	return &rest.Empty{}, nil
}
