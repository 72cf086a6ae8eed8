package admin

import (
	"context"
	"strings"

	"github.com/google/uuid"

	"ullim/internal/api/rest"
	"ullim/internal/errs"
	"ullim/internal/identity"
	"ullim/internal/resource"
	"ullim/internal/stream"
	"ullim/internal/webhook"
)

func (s *service) audioDestinations(t *rest.Table) {
	const one = "/audio-destinations/{AudioDestinationId}"
	rest.Op(t, "CreateAudioDestination", "POST", "/audio-destinations", identity.InstanceEdit, s.createAudioDestination)
	rest.Op(t, "ListAudioDestinations", "GET", "/audio-destinations", identity.InstanceView, s.listAudioDestinations)
	rest.Op(t, "DescribeAudioDestination", "GET", one, identity.InstanceView, s.describeAudioDestination)
	rest.Op(t, "UpdateAudioDestination", "PUT", one, identity.InstanceEdit, s.updateAudioDestination)
	rest.Op(t, "DeleteAudioDestination", "DELETE", one, identity.InstanceEdit, s.deleteAudioDestination)
}

// audioDestinationConfig is what one is set up with. Secret and token are written and never read.
type audioDestinationConfig struct {
	Name        string            `json:"Name"`
	Description string            `json:"Description,omitempty"`
	URL         string            `json:"Url"`
	Secret      string            `json:"Secret,omitempty"` // signs the handshake; missing: as it is
	Token       string            `json:"Token,omitempty"`  // sent as a bearer token; missing: as it is
	Parameters  map[string]string `json:"Parameters,omitempty"`
}

// updateAudioDestinationInput is audioDestinationConfig with an id.
type updateAudioDestinationInput struct {
	AudioDestinationID string            `json:"-" path:"AudioDestinationId" ref:"audio-destination"`
	Name               string            `json:"Name"`
	Description        string            `json:"Description,omitempty"`
	URL                string            `json:"Url"`
	Secret             string            `json:"Secret,omitempty"`
	Token              string            `json:"Token,omitempty"`
	Parameters         map[string]string `json:"Parameters,omitempty"`
}

func (in *updateAudioDestinationInput) config() *audioDestinationConfig {
	return &audioDestinationConfig{
		Name: in.Name, Description: in.Description, URL: in.URL, Secret: in.Secret, Token: in.Token, Parameters: in.Parameters,
	}
}

func (s *service) applyDestination(in *audioDestinationConfig, d *stream.Destination) (err error) {
	d.Name, d.Description, d.URL, d.Parameters = in.Name, in.Description, in.URL, in.Parameters
	if !strings.HasPrefix(d.URL, "ws") {
		return errs.Field("Url", "must begin with wss:// (ws:// only where the operator allows it)")
	}
	if err = s.CheckURL(d.URL); err != nil {
		return err
	}
	owner := stream.SecretOwner(d.ID)
	if in.Secret != "" {
		if err = webhook.CheckSecret(in.Secret); err != nil {
			return err
		}
		if d.Secret, err = s.Sealer.Seal(owner, in.Secret); err != nil {
			return err
		}
	}
	if in.Token == "" {
		return nil
	}
	if len(in.Token) > 4096 || strings.ContainsFunc(in.Token, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return errs.Field("Token", "must have at most 4096 printable ASCII characters without spaces")
	}
	d.Token, err = s.Sealer.Seal(owner, in.Token)
	return err
}

type createAudioDestinationOutput struct {
	AudioDestinationID string `json:"AudioDestinationId"`
}

func (s *service) createAudioDestination(ctx context.Context, c *rest.Call, in *audioDestinationConfig) (*createAudioDestinationOutput, error) {
	id, err := uuid.NewV7() // now, because the secrets are sealed for it
	if err != nil {
		return nil, err
	}
	d := &stream.Destination{Meta: resource.Meta{ID: id.String(), InstanceID: c.Instance()}}
	if err = s.applyDestination(in, d); err != nil {
		return nil, err
	}
	if err = s.AudioDestinations.Create(ctx, d); err != nil {
		return nil, err
	}
	c.Note("audio_destination_id", d.ID)
	return &createAudioDestinationOutput{AudioDestinationID: d.ID}, nil
}

type audioDestinationInput struct {
	AudioDestinationID string `json:"-" path:"AudioDestinationId" ref:"audio-destination"`
}

// audioDestination is one without its secrets.
type audioDestination struct {
	AudioDestinationID string            `json:"AudioDestinationId"`
	ARN                string            `json:"Arn"`
	Name               string            `json:"Name"`
	Description        string            `json:"Description,omitempty"`
	URL                string            `json:"Url"`
	Signed             bool              `json:"Signed"`
	HasToken           bool              `json:"HasToken"`
	Parameters         map[string]string `json:"Parameters,omitempty"`
	LastModifiedTime   rest.Time         `json:"LastModifiedTime,omitzero"`
}

func audioDestinationOf(d *stream.Destination) audioDestination {
	return audioDestination{
		AudioDestinationID: d.ID, ARN: resource.ARN(d.InstanceID, resource.KindAudioDestination, d.ID), Name: d.Name,
		Description: d.Description, URL: d.URL, Signed: d.Secret != "", HasToken: d.Token != "", Parameters: d.Parameters,
		LastModifiedTime: rest.At(d.ModifiedAt),
	}
}

type listAudioDestinationsOutput struct {
	AudioDestinations []audioDestination `json:"AudioDestinations"`
	NextToken         string             `json:"NextToken,omitempty"`
}

func (s *service) listAudioDestinations(ctx context.Context, c *rest.Call, in *listInput) (*listAudioDestinationsOutput, error) {
	p, err := in.page()
	if err != nil {
		return nil, err
	}
	list, next, err := s.AudioDestinations.List(ctx, c.Instance(), p)
	if err != nil {
		return nil, err
	}
	out := &listAudioDestinationsOutput{AudioDestinations: make([]audioDestination, 0, len(list)), NextToken: next}
	for _, d := range list {
		out.AudioDestinations = append(out.AudioDestinations, audioDestinationOf(d))
	}
	return out, nil
}

type describeAudioDestinationOutput struct {
	AudioDestination audioDestination `json:"AudioDestination"`
}

func (s *service) describeAudioDestination(ctx context.Context, c *rest.Call, in *audioDestinationInput) (*describeAudioDestinationOutput, error) {
	d, err := s.AudioDestinations.Get(ctx, c.Instance(), in.AudioDestinationID)
	if err != nil {
		return nil, err
	}
	return &describeAudioDestinationOutput{AudioDestination: audioDestinationOf(d)}, nil
}

// updateAudioDestination replaces the configuration but the secret and the token, which stay if none are given.
func (s *service) updateAudioDestination(ctx context.Context, c *rest.Call, in *updateAudioDestinationInput) (*rest.Empty, error) {
	config := in.config()
	_, err := resource.Edit(ctx, s.AudioDestinations, c.Instance(), in.AudioDestinationID, func(d *stream.Destination) error {
		return s.applyDestination(config, d)
	})
	return done(err)
}

func (s *service) deleteAudioDestination(ctx context.Context, c *rest.Call, in *audioDestinationInput) (*rest.Empty, error) {
	return done(s.AudioDestinations.Delete(ctx, c.Instance(), in.AudioDestinationID))
}
