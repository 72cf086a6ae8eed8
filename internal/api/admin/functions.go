package admin

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/google/uuid"

	"ullim/internal/api/rest"
	"ullim/internal/egress"
	"ullim/internal/errs"
	"ullim/internal/identity"
	"ullim/internal/resource"
	"ullim/internal/webhook"
)

func (s *service) functions(t *rest.Table) {
	const one = "/functions/{FunctionId}"
	rest.Op(t, "CreateFunction", "POST", "/functions", identity.InstanceEdit, s.createFunction)
	rest.Op(t, "ListFunctions", "GET", "/functions", identity.InstanceView, s.listFunctions)
	rest.Op(t, "DescribeFunction", "GET", one, identity.InstanceView, s.describeFunction)
	rest.Op(t, "UpdateFunction", "PUT", one, identity.InstanceEdit, s.updateFunction)
	rest.Op(t, "RotateFunctionSecret", "POST", one+"/secret", identity.InstanceEdit, s.rotateFunctionSecret)
	rest.Op(t, "DeleteFunction", "DELETE", one, identity.InstanceEdit, s.deleteFunction)
}

// defaultOverlap is how long a secret that was replaced still signs.
const defaultOverlap = 24 * time.Hour

// functionConfig is what a function is set up with. Headers are written and never read.
type functionConfig struct {
	Name           string            `json:"Name"`
	Description    string            `json:"Description,omitempty"`
	FunctionARNs   []string          `json:"FunctionArns,omitempty"`
	URL            string            `json:"Url,omitempty"`
	TimeoutSeconds int               `json:"TimeoutSeconds,omitempty"`
	HoldAudio      string            `json:"HoldAudio,omitempty"`
	Headers        map[string]string `json:"Headers,omitempty"` // missing: as they are; a value that is empty removes the header
}

// updateFunctionInput is functionConfig with the function's id.
type updateFunctionInput struct {
	FunctionID     string            `json:"-" path:"FunctionId" ref:"function"`
	Name           string            `json:"Name"`
	Description    string            `json:"Description,omitempty"`
	FunctionARNs   []string          `json:"FunctionArns,omitempty"`
	URL            string            `json:"Url,omitempty"`
	TimeoutSeconds int               `json:"TimeoutSeconds,omitempty"`
	HoldAudio      string            `json:"HoldAudio,omitempty"`
	Headers        map[string]string `json:"Headers,omitempty"`
}

func (in *updateFunctionInput) config() *functionConfig {
	return &functionConfig{
		Name: in.Name, Description: in.Description, FunctionARNs: in.FunctionARNs, URL: in.URL, TimeoutSeconds: in.TimeoutSeconds,
		HoldAudio: in.HoldAudio, Headers: in.Headers,
	}
}

// apply puts it into a function, whose id must be known: its secrets are sealed for it.
func (s *service) applyFunction(in *functionConfig, f *webhook.Function) error {
	f.Name, f.Description, f.ARNs, f.URL, f.HoldAudio = in.Name, in.Description, in.FunctionARNs, in.URL, in.HoldAudio
	f.Timeout = time.Duration(in.TimeoutSeconds) * time.Second
	if f.URL != "" {
		if err := s.CheckURL(webhook.Sample(f.URL)); err != nil {
			return err
		}
	}
	if in.Headers == nil {
		return nil
	}
	owner, values := webhook.SecretOwner(f.ID), map[string]string{}
	if f.HeaderValues != "" {
		text, err := s.Sealer.Open(owner, f.HeaderValues)
		if err != nil {
			return err
		}
		if err = json.Unmarshal([]byte(text), &values); err != nil {
			return err
		}
	}
	for name, v := range in.Headers {
		if err := egress.CheckHeader(name, v); err != nil {
			return err
		}
		name = http.CanonicalHeaderKey(name)
		if values[name] = v; v == "" {
			delete(values, name)
		}
	}
	text, err := json.Marshal(values)
	if err != nil {
		return err
	}
	f.HeaderNames = slices.Sorted(maps.Keys(values))
	f.HeaderValues, err = s.Sealer.Seal(owner, string(text))
	return err
}

// functionSecret is shown once, in the answer that makes it.
type functionSecret struct {
	FunctionID string `json:"FunctionId"`
	Secret     string `json:"Secret"`
}

func (s *service) createFunction(ctx context.Context, c *rest.Call, in *functionConfig) (*functionSecret, error) {
	id, err := uuid.NewV7() // now, because the secret is sealed for it
	if err != nil {
		return nil, err
	}
	f := &webhook.Function{Meta: resource.Meta{ID: id.String(), InstanceID: c.Instance()}}
	if err = s.applyFunction(in, f); err != nil {
		return nil, err
	}
	secret := webhook.NewSecret()
	if f.Secret, err = s.Sealer.Seal(webhook.SecretOwner(f.ID), secret); err != nil {
		return nil, err
	}
	if err = s.Functions.Create(ctx, f); err != nil {
		return nil, err
	}
	c.Note("function_id", f.ID)
	return &functionSecret{FunctionID: f.ID, Secret: secret}, nil
}

type functionInput struct {
	FunctionID string `json:"-" path:"FunctionId" ref:"function"`
}

// function is one without its secrets.
type function struct {
	FunctionID       string    `json:"FunctionId"`
	ARN              string    `json:"Arn"`
	Name             string    `json:"Name"`
	Description      string    `json:"Description,omitempty"`
	FunctionARNs     []string  `json:"FunctionArns"`
	URL              string    `json:"Url,omitempty"`
	Mapped           bool      `json:"Mapped"`
	TimeoutSeconds   int       `json:"TimeoutSeconds,omitempty"`
	HoldAudio        string    `json:"HoldAudio,omitempty"`
	HeaderNames      []string  `json:"HeaderNames"`
	Signed           bool      `json:"Signed"`
	PreviousUntil    rest.Time `json:"PreviousSecretUntil,omitzero"`
	LastModifiedTime rest.Time `json:"LastModifiedTime,omitzero"`
}

func functionOf(f *webhook.Function) function {
	return function{
		FunctionID: f.ID, ARN: resource.ARN(f.InstanceID, resource.KindFunction, f.ID), Name: f.Name, Description: f.Description,
		FunctionARNs: append([]string{}, f.ARNs...), URL: f.URL, Mapped: f.URL != "", TimeoutSeconds: int(f.Timeout / time.Second),
		HoldAudio: f.HoldAudio, HeaderNames: append([]string{}, f.HeaderNames...), Signed: f.Secret != "",
		PreviousUntil: rest.At(f.PreviousUntil), LastModifiedTime: rest.At(f.ModifiedAt),
	}
}

type listFunctionsOutput struct {
	Functions []function `json:"Functions"`
	NextToken string     `json:"NextToken,omitempty"`
}

func (s *service) listFunctions(ctx context.Context, c *rest.Call, in *listInput) (*listFunctionsOutput, error) {
	p, err := in.page()
	if err != nil {
		return nil, err
	}
	list, next, err := s.Functions.List(ctx, c.Instance(), p)
	if err != nil {
		return nil, err
	}
	out := &listFunctionsOutput{Functions: make([]function, 0, len(list)), NextToken: next}
	for _, f := range list {
		out.Functions = append(out.Functions, functionOf(f))
	}
	return out, nil
}

type describeFunctionOutput struct {
	Function function `json:"Function"`
}

func (s *service) describeFunction(ctx context.Context, c *rest.Call, in *functionInput) (*describeFunctionOutput, error) {
	f, err := s.Functions.Get(ctx, c.Instance(), in.FunctionID)
	if err != nil {
		return nil, err
	}
	return &describeFunctionOutput{Function: functionOf(f)}, nil
}

// updateFunction replaces the configuration but the secrets, and the headers if none are named.
func (s *service) updateFunction(ctx context.Context, c *rest.Call, in *updateFunctionInput) (*rest.Empty, error) {
	config := in.config()
	_, err := resource.Edit(ctx, s.Functions, c.Instance(), in.FunctionID, func(f *webhook.Function) error {
		return s.applyFunction(config, f)
	})
	return done(err)
}

type rotateFunctionSecretInput struct {
	FunctionID     string `json:"-" path:"FunctionId" ref:"function"`
	Secret         string `json:"Secret,omitempty"`         // empty: one is made
	OverlapSeconds *int   `json:"OverlapSeconds,omitempty"` // how long the one before signs too; missing: a day
}

// rotateFunctionSecret gives a function a new secret. For a while both sign, so that nothing is refused meanwhile.
func (s *service) rotateFunctionSecret(ctx context.Context, c *rest.Call, in *rotateFunctionSecretInput) (*functionSecret, error) {
	overlap, secret := defaultOverlap, in.Secret
	if in.OverlapSeconds != nil {
		if *in.OverlapSeconds < 0 || *in.OverlapSeconds > 30*24*3600 {
			return nil, errs.Field("OverlapSeconds", "must be 0 to 2592000 (30 days)")
		}
		overlap = time.Duration(*in.OverlapSeconds) * time.Second
	}
	if secret == "" {
		secret = webhook.NewSecret()
	} else if err := webhook.CheckSecret(secret); err != nil {
		return nil, err
	}
	_, err := resource.Edit(ctx, s.Functions, c.Instance(), in.FunctionID, func(f *webhook.Function) (err error) {
		f.PreviousSecret, f.PreviousUntil = f.Secret, time.Now().Add(overlap)
		f.Secret, err = s.Sealer.Seal(webhook.SecretOwner(f.ID), secret)
		return err
	})
	if err != nil {
		return nil, err
	}
	return &functionSecret{FunctionID: in.FunctionID, Secret: secret}, nil
}

func (s *service) deleteFunction(ctx context.Context, c *rest.Call, in *functionInput) (*rest.Empty, error) {
	return done(s.Functions.Delete(ctx, c.Instance(), in.FunctionID))
}
