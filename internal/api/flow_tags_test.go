package api_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsconnect "github.com/aws/aws-sdk-go-v2/service/connect"
	"github.com/aws/aws-sdk-go-v2/service/connect/types"

	"ullim/internal/resource"
	"ullim/ivr"
)

func TestFlowsAndModulesAreTaggedThroughTheSDK(t *testing.T) {
	w := newWorld(t)
	c, ctx := w.client("admin"), t.Context()
	module := &ivr.Flow{Meta: resource.Meta{InstanceID: ours, Name: "M"}, Type: ivr.TypeModule, Content: goodModule}
	must(t, w.o.Connect.Modules.Create(ctx, module, ivr.Published))
	for _, arn := range []string{resource.ARN(ours, resource.KindFlow, w.flow), resource.ARN(ours, resource.KindFlowModule, module.ID)} {
		_, err := c.TagResource(ctx, &awsconnect.TagResourceInput{ResourceArn: aws.String(arn), Tags: map[string]string{"a": "1", "b": "가"}})
		must(t, err)
		_, err = c.UntagResource(ctx, &awsconnect.UntagResourceInput{ResourceArn: aws.String(arn), TagKeys: []string{"a", "x"}})
		must(t, err)
		got, err := c.ListTagsForResource(ctx, &awsconnect.ListTagsForResourceInput{ResourceArn: aws.String(arn)})
		must(t, err)
		if fmt.Sprint(got.Tags) != "map[b:가]" {
			t.Errorf("%s: %v", arn, got.Tags)
		}
	}
	_, err := c.TagResource(ctx, &awsconnect.TagResourceInput{ResourceArn: aws.String(resource.ARN(ours, resource.KindFlow, w.flow)), Tags: map[string]string{"aws:x": "1"}})
	wantError[*types.InvalidParameterException](t, err)
	_, err = c.TagResource(ctx, &awsconnect.TagResourceInput{ResourceArn: aws.String(resource.ARN(theirs, resource.KindFlow, w.flow)), Tags: map[string]string{"x": "1"}})
	wantError[*types.ResourceNotFoundException](t, err)
}

// TestContentComesBackByteForByteThroughTheSDK: through drafts and publication, whatever is in it.
func TestContentComesBackByteForByteThroughTheSDK(t *testing.T) {
	w := newWorld(t)
	c, ctx := w.client("admin"), t.Context()
	pieces := []string{"<", ">", "&", "가", "\\u0000", "\\\"", "\u2028", "😀", "\\/", " ", "%", "\\n", "é"}
	spaces := []string{"", " ", "\n", "\r\n", "\t"}
	random := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // the same each time
	pick := func(list []string) string { return list[random.IntN(len(list))] }
	for i := range 30 {
		var text strings.Builder
		for range random.IntN(20) {
			text.WriteString(pick(pieces))
		}
		content := pick(spaces) + strings.Replace(goodFlow, `"Version"`, `"X`+text.String()+`":`+pick([]string{"1.0", "1e5", "-0", "[ ]"})+pick(spaces)+`,"Version"`, 1) + pick(spaces)
		status := types.ContactFlowStatusPublished
		qualifier := ""
		if i%2 == 0 {
			status, qualifier = types.ContactFlowStatusSaved, ":$SAVED"
		}
		f, err := c.CreateContactFlow(ctx, &awsconnect.CreateContactFlowInput{
			InstanceId: aws.String(ours), Name: aws.String(fmt.Sprint("flow ", i)), Type: types.ContactFlowTypeContactFlow, Content: aws.String(content), Status: status,
		})
		must(t, err)
		got, err := c.DescribeContactFlow(ctx, &awsconnect.DescribeContactFlowInput{InstanceId: aws.String(ours), ContactFlowId: aws.String(*f.ContactFlowId + qualifier)})
		must(t, err)
		if *got.ContactFlow.Content != content || *got.ContactFlow.FlowContentSha256 != *f.FlowContentSha256 {
			t.Errorf("%q came back as %q", content, *got.ContactFlow.Content)
		}
	}
}
