package connect

import (
	"context"
	"encoding/base64"
	"maps"
	"slices"
	"strings"

	"github.com/google/uuid"

	"ullim/internal/api/rest"
	"ullim/internal/errs"
	"ullim/internal/identity"
	"ullim/internal/resource"
	"ullim/prompts"
)

// Forms of S3Uri. Two of them are ours; an object of S3 is fetched from the buckets that the operator allows, with the
// operator's keys and from nowhere else.
const (
	// uploadURI says that the audio follows by PUT /admin/v1/prompts/{PromptId}/audio.
	uploadURI = "upload:"
	dataURI   = "data:"
	bucketURI = "s3://"
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
	rest.Op(t, "GetPromptFile", "GET", one+"/file", identity.PromptsView, s.getPromptFile)
	rest.Op(t, "SearchPrompts", "POST", "/search-prompts", identity.PromptsView, s.searchPrompts, rest.ReadOnly)
	rest.Op(t, "DeletePrompt", "DELETE", one, identity.PromptsDelete, s.deletePrompt)
}

// audioOf reads the S3Uri: nil for uploadURI, else a checked file.
func (s *service) audioOf(ctx context.Context, c *rest.Call, uri string) (*prompts.Upload, error) {
	if uri == uploadURI {
		return nil, nil //nolint:nilnil // a file that follows is neither here nor a failure
	}
	if rest, ok := strings.CutPrefix(uri, bucketURI); ok {
		return s.audioOfBucket(ctx, c, rest)
	}
	data, ok := strings.CutPrefix(uri, dataURI)
	if !ok {
		return nil, errs.Field("S3Uri", "must be %q, with the audio to follow by PUT /admin/v1/prompts/{PromptId}/audio, "+
			"s3://bucket/key of a bucket that the operator allows, or a WAV, MP3, Ogg Vorbis or FLAC as data:audio/wav;base64,...", uploadURI)
	}
	media, text, ok := strings.Cut(data, ",")
	if media = strings.ToLower(media); !ok || !strings.HasPrefix(media, "audio/") || !strings.HasSuffix(media, ";base64") {
		return nil, errs.Field("S3Uri", "must be data:audio/wav;base64,...")
	}
	file, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil, errs.Field("S3Uri", "holds something that is not base64")
	}
	if len(file) > maxInline {
		return nil, errs.Field("S3Uri", "holds more than %d bytes: use %q", maxInline, uploadURI)
	}
	alias, err := s.alias(ctx, c)
	if err != nil {
		return nil, err
	}
	return s.PromptFiles.Check(ctx, alias, file)
}

// audioOfBucket fetches bucket/key.
func (s *service) audioOfBucket(ctx context.Context, c *rest.Call, place string) (*prompts.Upload, error) {
	bucket, key, _ := strings.Cut(place, "/")
	if bucket == "" || key == "" {
		return nil, errs.Field("S3Uri", "must be s3://bucket/key")
	}
	if s.PromptBuckets == nil {
		return nil, errs.Field("S3Uri", "names a bucket, and the operator allows none (prompts.buckets of the configuration)")
	}
	alias, err := s.alias(ctx, c)
	if err != nil {
		return nil, err
	}
	file, err := s.PromptBuckets.Fetch(ctx, bucket, key)
	if err != nil {
		return nil, errs.Wrap(err, errs.Invalid, "S3Uri: %v", err)
	}
	return s.PromptFiles.Check(ctx, alias, file)
}

func (s *service) alias(ctx context.Context, c *rest.Call) (string, error) {
	instance, err := s.Instances.Get(ctx, c.Instance(), c.Instance())
	if err != nil {
		return "", err
	}
	return instance.Name, nil
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
	file, err := s.audioOf(ctx, c, in.S3URI)
	if err != nil {
		return nil, err
	}
	p := &prompts.Prompt{Meta: meta, Description: in.Description}
	p.ID = uuid.NewString()
	create := func() error { return s.Prompts.Create(ctx, p) }
	if file != nil {
		p.Put("", file.File)
		err = s.PromptFiles.Use(ctx, c.Instance(), file, create)
	} else {
		var alias string
		if alias, err = s.alias(ctx, c); err == nil {
			p.Key = prompts.Awaited(alias, p.ID)
			err = create()
		}
	}
	if err != nil {
		return nil, err
	}
	c.Note("prompt_id", p.ID)
	return &promptOutput{PromptARN: resource.ARN(p.InstanceID, p.Kind(), p.ID), PromptID: p.ID}, nil
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
	return &describePromptOutput{Prompt: promptOf(p)}, nil
}

func promptOf(p *prompts.Prompt) prompt {
	return prompt{
		PromptARN: resource.ARN(p.InstanceID, p.Kind(), p.ID), PromptID: p.ID, Name: p.Name, Description: p.Description,
		Tags: p.Tags, LastModifiedTime: rest.At(p.ModifiedAt), LastModifiedRegion: resource.Region,
	}
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
	var file *prompts.Upload
	if in.S3URI != "" { // with uploadURI the audio stays what it is until the upload
		var err error
		if file, err = s.audioOf(ctx, c, in.S3URI); err != nil {
			return nil, err
		}
	}
	var p *prompts.Prompt
	var before []string
	change := func() (err error) {
		p, err = resource.Edit(ctx, s.Prompts, c.Instance(), in.PromptID, func(p *prompts.Prompt) error {
			set(&p.Name, in.Name)
			set(&p.Description, in.Description)
			if file != nil {
				before = p.Put("", file.File)
			}
			return nil
		})
		return err
	}
	if file == nil {
		if err := change(); err != nil {
			return nil, err
		}
	} else {
		if err := s.PromptFiles.Use(ctx, c.Instance(), file, change); err != nil {
			return nil, err
		}
		s.PromptFiles.Sweep(ctx, c.Instance(), before...)
	}
	return &promptOutput{PromptARN: resource.ARN(p.InstanceID, p.Kind(), p.ID), PromptID: p.ID}, nil
}

func (s *service) deletePrompt(ctx context.Context, c *rest.Call, in *promptInput) (*rest.Empty, error) {
	err := s.PromptFiles.Drop(ctx, c.Instance(), func() ([]string, error) {
		p, err := s.Prompts.Get(ctx, c.Instance(), in.PromptID)
		if err != nil {
			return nil, err
		}
		return slices.Collect(maps.Keys(p.Keys())), s.Prompts.Delete(ctx, c.Instance(), p.ID)
	})
	if err != nil {
		return nil, err
	}
	return &rest.Empty{}, nil
}

type getPromptFileOutput struct {
	PromptPresignedURL string    `json:"PromptPresignedUrl"`
	LastModifiedTime   rest.Time `json:"LastModifiedTime,omitzero"`
	LastModifiedRegion string    `json:"LastModifiedRegion"`
}

// getPromptFile gives the file as CreatePrompt takes it: no address is open to those whom we do not know.
func (s *service) getPromptFile(ctx context.Context, c *rest.Call, in *promptInput) (*getPromptFileOutput, error) {
	p, err := s.Prompts.Get(ctx, c.Instance(), in.PromptID)
	if err != nil {
		return nil, err
	}
	if p.File != nil && p.File.Bytes > maxInline {
		return nil, errs.New(errs.Limit, "the file has %d bytes, more than %d: get it by GET /admin/v1/prompts/%s/audio", p.File.Bytes, maxInline, p.ID)
	}
	file, err := s.PromptFiles.Open(ctx, p.Key)
	if err != nil {
		return nil, err
	}
	return &getPromptFileOutput{
		PromptPresignedURL: dataURI + prompts.ContentTypeOf(file) + ";base64," + base64.StdEncoding.EncodeToString(file),
		LastModifiedTime:   rest.At(p.ModifiedAt), LastModifiedRegion: resource.Region,
	}, nil
}
