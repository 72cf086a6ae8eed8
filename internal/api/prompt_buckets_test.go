package api_test

import (
	"context"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsconnect "github.com/aws/aws-sdk-go-v2/service/connect"
	"github.com/aws/aws-sdk-go-v2/service/connect/types"

	"ullim/internal/errs"
)

// sounds is a bucket.
type sounds map[string][]byte

// Fetch reads an object of the only bucket that is allowed.
func (s sounds) Fetch(_ context.Context, bucket, key string) ([]byte, error) {
	if bucket != "sounds" {
		return nil, errs.New(errs.Denied, "the bucket %q is not allowed", bucket)
	}
	if data, ok := s[key]; ok {
		return data, nil
	}
	return nil, errs.New(errs.NotFound, "there is no object %q", key)
}

func TestPromptsAreFetchedFromTheBucketsThatTheOperatorAllows(t *testing.T) {
	w := newWorldWith(t, sounds{"a/welcome.wav": wav(), "a/bad.wav": []byte("no sound")})
	c, ctx := w.client("admin"), t.Context()
	create := func(name, uri string) error {
		_, err := c.CreatePrompt(ctx, &awsconnect.CreatePromptInput{InstanceId: aws.String(ours), Name: &name, S3Uri: &uri})
		return err
	}
	must(t, create("welcome", "s3://sounds/a/welcome.wav"))
	p, err := w.o.Connect.Prompts.GetByName(ctx, ours, "welcome")
	must(t, err)
	if p.File == nil || p.File.Bytes != int64(len(wav())) {
		t.Errorf("the prompt is %+v", p)
	}
	for uri, why := range map[string]string{
		"s3://others/a/welcome.wav": "not allowed", "s3://sounds/nothing.wav": "no object", "s3://sounds/a/bad.wav": "", "s3://sounds": "s3://bucket/key",
	} {
		refused := create("x", uri)
		wantError[*types.InvalidParameterException](t, refused)
		if !strings.Contains(refused.Error(), why) {
			t.Errorf("%s: %v, want one about %q", uri, err, why)
		}
	}
	if _, err = w.o.Connect.Prompts.GetByName(ctx, ours, "x"); !errs.Is(err, errs.NotFound) {
		t.Errorf("a prompt without its file: %v", err)
	}
	none := newWorld(t)
	_, err = none.client("admin").CreatePrompt(ctx, &awsconnect.CreatePromptInput{InstanceId: aws.String(ours), Name: aws.String("x"), S3Uri: aws.String("s3://sounds/a.wav")})
	wantError[*types.InvalidParameterException](t, err)
}
