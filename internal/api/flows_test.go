package api_test

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsconnect "github.com/aws/aws-sdk-go-v2/service/connect"
	"github.com/aws/aws-sdk-go-v2/service/connect/types"

	"ullim/internal/identity"
	"ullim/internal/resource"
)

func TestFlowsThroughTheSDK(t *testing.T) {
	w := newWorld(t)
	c, ctx := w.client("admin"), t.Context()
	draft := `{"not":"finished"}`
	created, err := c.CreateContactFlow(ctx, &awsconnect.CreateContactFlowInput{
		InstanceId: aws.String(ours), Name: aws.String("안내"), Type: types.ContactFlowTypeContactFlow,
		Content: aws.String(draft), Status: types.ContactFlowStatusSaved,
	})
	must(t, err)
	describe := func(id string) (*types.ContactFlow, error) {
		got, derr := c.DescribeContactFlow(ctx, &awsconnect.DescribeContactFlowInput{
			InstanceId: aws.String(ours), ContactFlowId: aws.String(id),
		})
		if derr != nil {
			return nil, derr
		}
		return got.ContactFlow, nil
	}
	_, err = describe(*created.ContactFlowId)
	wantError[*types.ContactFlowNotPublishedException](t, err)
	f, err := describe(*created.ContactFlowArn + ":$SAVED")
	must(t, err)
	if *f.Content != draft || f.Status != types.ContactFlowStatusSaved || f.State != types.ContactFlowStateActive ||
		*f.FlowContentSha256 != *created.FlowContentSha256 {
		t.Errorf("draft: %+v", f)
	}
	_, err = c.UpdateContactFlowContent(ctx, &awsconnect.UpdateContactFlowContentInput{
		InstanceId: aws.String(ours), ContactFlowId: created.ContactFlowId, Content: aws.String(draft),
	})
	if e := wantError[*types.InvalidContactFlowException](t, err); e != nil && (len(e.Problems) == 0 || *e.Problems[0].Message == "") {
		t.Errorf("no problems named: %+v", e)
	}
	_, err = c.UpdateContactFlowContent(ctx, &awsconnect.UpdateContactFlowContentInput{
		InstanceId: aws.String(ours), ContactFlowId: created.ContactFlowId, Content: aws.String(goodFlow),
	})
	must(t, err)
	f, err = describe(*created.ContactFlowId)
	must(t, err)
	if *f.Content != goodFlow || f.Status != types.ContactFlowStatusPublished || *f.Version != 1 {
		t.Errorf("published: %+v", f)
	}
	_, err = c.UpdateContactFlowContent(ctx, &awsconnect.UpdateContactFlowContentInput{
		InstanceId: aws.String(ours), ContactFlowId: aws.String(*created.ContactFlowArn + ":$SAVED"), Content: aws.String(draft),
	})
	must(t, err)
	if f, err = describe(*created.ContactFlowId); err != nil || *f.Content != goodFlow {
		t.Errorf("saving a draft changed what contacts run: %v %v", f, err)
	}
	_, err = c.UpdateContactFlowName(ctx, &awsconnect.UpdateContactFlowNameInput{
		InstanceId: aws.String(ours), ContactFlowId: created.ContactFlowId, Name: aws.String("Greeting"),
	})
	must(t, err)
	_, err = c.UpdateContactFlowMetadata(ctx, &awsconnect.UpdateContactFlowMetadataInput{
		InstanceId: aws.String(ours), ContactFlowId: created.ContactFlowId, Description: aws.String("says hello"),
		ContactFlowState: types.ContactFlowStateArchived,
	})
	must(t, err)
	f, err = describe(*created.ContactFlowId)
	must(t, err)
	if *f.Name != "Greeting" || *f.Description != "says hello" || f.State != types.ContactFlowStateArchived {
		t.Errorf("after metadata: %+v", f)
	}
	list, err := c.ListContactFlows(ctx, &awsconnect.ListContactFlowsInput{
		InstanceId: aws.String(ours), ContactFlowTypes: []types.ContactFlowType{types.ContactFlowTypeContactFlow},
	})
	must(t, err)
	if l := list.ContactFlowSummaryList; len(l) != 2 || *l[0].Name != "Greeting" ||
		l[0].ContactFlowStatus != types.ContactFlowStatusPublished || l[0].ContactFlowState != types.ContactFlowStateArchived {
		t.Errorf("list: %+v", l)
	}
	_, err = c.CreateContactFlow(ctx, &awsconnect.CreateContactFlowInput{
		InstanceId: aws.String(ours), Name: aws.String("Bad"), Type: types.ContactFlowTypeContactFlow, Content: aws.String(draft),
	})
	wantError[*types.InvalidContactFlowException](t, err)
	_, err = c.CreateContactFlow(ctx, &awsconnect.CreateContactFlowInput{
		InstanceId: aws.String(ours), Name: aws.String("Greeting"), Type: types.ContactFlowTypeContactFlow, Content: aws.String(goodFlow),
	})
	wantError[*types.DuplicateResourceException](t, err)
	_, err = c.DeleteContactFlow(ctx, &awsconnect.DeleteContactFlowInput{InstanceId: aws.String(ours), ContactFlowId: created.ContactFlowId})
	must(t, err)
	_, err = describe(*created.ContactFlowId)
	wantError[*types.ResourceNotFoundException](t, err)
}

func TestPublishingNeedsItsOwnPermission(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	editor := w.customProfile("Editor", identity.FlowsEdit, identity.FlowsCreate)
	w.person(ours, w.routing, "editor", editor)
	c := w.client("editor")
	_, err := c.UpdateContactFlowContent(ctx, &awsconnect.UpdateContactFlowContentInput{
		InstanceId: aws.String(ours), ContactFlowId: aws.String(w.flow), Content: aws.String(goodFlow),
	})
	wantCode(t, err, "AccessDeniedException")
	_, err = c.CreateContactFlow(ctx, &awsconnect.CreateContactFlowInput{
		InstanceId: aws.String(ours), Name: aws.String("F"), Type: types.ContactFlowTypeContactFlow, Content: aws.String(goodFlow),
	})
	wantCode(t, err, "AccessDeniedException")
	_, err = c.UpdateContactFlowContent(ctx, &awsconnect.UpdateContactFlowContentInput{
		InstanceId: aws.String(ours), ContactFlowId: aws.String(w.flow + ":$SAVED"), Content: aws.String(goodFlow),
	})
	must(t, err)
}

// customProfile makes a security profile of ours.
func (w *world) customProfile(name string, permissions ...string) string {
	w.t.Helper()
	p := &identity.SecurityProfile{Meta: resource.Meta{InstanceID: ours, Name: name}, Permissions: permissions}
	must(w.t, w.o.Connect.SecurityProfiles.Create(w.t.Context(), p))
	return p.ID
}

// wav is a WAV of a tenth of a second.
func wav() []byte {
	var b bytes.Buffer
	pcm := make([]byte, 1600)
	b.WriteString("RIFF")
	_ = binary.Write(&b, binary.LittleEndian, uint32(36+len(pcm)))
	b.WriteString("WAVEfmt ")
	for _, v := range []any{uint32(16), uint16(1), uint16(1), uint32(8000), uint32(16000), uint16(2), uint16(16)} {
		_ = binary.Write(&b, binary.LittleEndian, v)
	}
	b.WriteString("data")
	_ = binary.Write(&b, binary.LittleEndian, uint32(len(pcm)))
	b.Write(pcm)
	return b.Bytes()
}

func TestPromptsThroughTheSDK(t *testing.T) {
	w := newWorld(t)
	c, ctx := w.client("admin"), t.Context()
	inline := "data:audio/wav;base64," + base64.StdEncoding.EncodeToString(wav())
	create := func(name, uri string) (*awsconnect.CreatePromptOutput, error) {
		return c.CreatePrompt(ctx, &awsconnect.CreatePromptInput{
			InstanceId: aws.String(ours), Name: aws.String(name), S3Uri: aws.String(uri), Description: aws.String("d"),
		})
	}
	_, err := create("x", "s3://bucket/key.wav")
	wantError[*types.InvalidParameterException](t, err)
	_, err = create("x", "http://169.254.169.254/latest")
	wantError[*types.InvalidParameterException](t, err)
	_, err = create("x", "data:audio/wav;base64,"+base64.StdEncoding.EncodeToString([]byte("not a wav")))
	wantError[*types.InvalidParameterException](t, err)
	first, err := create("Inline", inline)
	must(t, err)
	if w.blobs.count() != 1 {
		t.Errorf("%d files", w.blobs.count())
	}
	_, err = create("Inline", inline)
	wantError[*types.DuplicateResourceException](t, err)
	if w.blobs.count() != 1 {
		t.Error("the audio of a refused prompt was kept")
	}
	second, err := create("Later", "upload:")
	must(t, err)
	w.admin("admin", "PUT", "/prompts/"+*second.PromptId+"/audio", string(wav()), nil)
	if w.blobs.count() != 2 {
		t.Errorf("%d files after the upload", w.blobs.count())
	}
	stored, err := w.o.Connect.Prompts.Get(ctx, ours, *second.PromptId)
	must(t, err)
	if !strings.HasPrefix(stored.Key, "connect/acme/Prompts/"+*second.PromptId+"/") || !bytes.Equal(w.blobs.files[stored.Key], wav()) {
		t.Errorf("key %s", stored.Key)
	}
	if status, name, _ := w.do("admin", "PUT", "/admin/v1/prompts/"+*second.PromptId+"/audio", "noise"); status != 400 ||
		name != "InvalidParameterException" {
		t.Errorf("noise was taken: %d %s", status, name)
	}
	_, err = c.UpdatePrompt(ctx, &awsconnect.UpdatePromptInput{
		InstanceId: aws.String(ours), PromptId: second.PromptARN, Name: aws.String("Now"), S3Uri: aws.String(inline),
	})
	must(t, err)
	if w.blobs.count() != 2 {
		t.Errorf("%d files after the change: the old audio should go", w.blobs.count())
	}
	got, err := c.DescribePrompt(ctx, &awsconnect.DescribePromptInput{InstanceId: aws.String(ours), PromptId: second.PromptId})
	must(t, err)
	if p := got.Prompt; *p.Name != "Now" || *p.Description != "d" || *p.PromptARN != resource.ARN(ours, resource.KindPrompt, *p.PromptId) {
		t.Errorf("%+v", p)
	}
	list, err := c.ListPrompts(ctx, &awsconnect.ListPromptsInput{InstanceId: aws.String(ours)})
	must(t, err)
	if len(list.PromptSummaryList) != 2 {
		t.Errorf("list %+v", list.PromptSummaryList)
	}
	for _, id := range []*string{first.PromptId, second.PromptId} {
		_, err = c.DeletePrompt(ctx, &awsconnect.DeletePromptInput{InstanceId: aws.String(ours), PromptId: id})
		must(t, err)
	}
	if w.blobs.count() != 0 {
		t.Error("audio outlived its prompt")
	}
}
