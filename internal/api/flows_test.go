package api_test

import (
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
