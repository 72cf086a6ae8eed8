package connect

import (
	"context"
	"net/http"
	"strconv"

	"ullim/internal/api/rest"
	"ullim/internal/errs"
	"ullim/internal/resource"
	"ullim/ivr"
)

type createFlowVersionInput struct {
	InstanceID         string     `json:"-" path:"InstanceId" ref:"instance"`
	ContactFlowID      string     `json:"-" path:"ContactFlowId" ref:"contact-flow"`
	ContactFlowVersion int        `json:"ContactFlowVersion,omitempty"`
	Description        string     `json:"Description,omitempty"`
	FlowContentSha256  string     `json:"FlowContentSha256,omitempty"`
	LastModifiedRegion string     `json:"LastModifiedRegion,omitempty"`
	LastModifiedTime   *rest.Time `json:"LastModifiedTime,omitempty"`
}

type createFlowVersionOutput struct {
	ContactFlowARN string `json:"ContactFlowArn"`
	Version        int    `json:"Version"`
}

// createFlowVersion makes a version of what is published; with ContactFlowVersion it brings that one back (roll-back).
func (s *service) createFlowVersion(ctx context.Context, c *rest.Call, in *createFlowVersionInput) (*createFlowVersionOutput, error) {
	if err := sameTime(ctx, s.Flows, c, in); err != nil {
		return nil, err
	}
	f, err := s.Flows.PublishVersion(ctx, c.Instance(), in.ContactFlowID, in.ContactFlowVersion, in.FlowContentSha256, in.Description)
	if err != nil {
		return nil, notPublished(flowFault(err), "ContactFlowNotPublishedException")
	}
	c.Note("version", strconv.Itoa(f.PublishedVersion))
	return &createFlowVersionOutput{ContactFlowARN: versionARN(f, f.PublishedVersion), Version: f.PublishedVersion}, nil
}

// sameTime refuses when the flow is not as old as the caller believes.
func sameTime(ctx context.Context, flows Flows, c *rest.Call, in *createFlowVersionInput) error {
	if in.LastModifiedTime == nil {
		return nil
	}
	f, err := flows.Find(ctx, c.Instance(), in.ContactFlowID)
	if err != nil {
		return err
	}
	if rest.At(f.ModifiedAt).Unix() != in.LastModifiedTime.Unix() {
		return errs.New(errs.InvalidRequest, "the flow was changed at %s: describe it again", f.ModifiedAt.Format("2006-01-02T15:04:05Z"))
	}
	return nil
}

// notPublished is the service's own error for a flow that has only a draft.
func notPublished(err error, code string) error {
	if !isNotPublished(err) {
		return err
	}
	return &rest.Fault{Status: http.StatusNotFound, Code: code, Message: "It has not been published yet.", Err: err}
}

// versionARN names a version.
func versionARN(f *ivr.Flow, number int) string {
	return resource.ARN(f.InstanceID, f.Kind(), f.ID) + ":" + strconv.Itoa(number)
}

type listFlowVersionsInput struct {
	InstanceID    string `json:"-" path:"InstanceId" ref:"instance"`
	ContactFlowID string `json:"-" path:"ContactFlowId" ref:"contact-flow"`
	MaxResults    int    `json:"-" query:"maxResults"`
	NextToken     string `json:"-" query:"nextToken"`
}

type versionSummary struct {
	ARN                string `json:"Arn"`
	Version            int    `json:"Version"`
	VersionDescription string `json:"VersionDescription,omitempty"`
}

type listFlowVersionsOutput struct {
	List      []versionSummary `json:"ContactFlowVersionSummaryList"`
	NextToken string           `json:"NextToken,omitempty"`
}

func (s *service) listFlowVersions(ctx context.Context, c *rest.Call, in *listFlowVersionsInput) (*listFlowVersionsOutput, error) {
	list, next, err := versionPage(ctx, s.Flows, c, in.ContactFlowID, in.MaxResults, in.NextToken)
	return &listFlowVersionsOutput{List: list, NextToken: next}, err
}

func versionPage(ctx context.Context, flows Flows, c *rest.Call, ref string, maxResults int, token string) ([]versionSummary, string, error) {
	p, err := pageOf(maxResults, 1000, token)
	if err != nil {
		return nil, "", err
	}
	f, err := flows.Find(ctx, c.Instance(), ref)
	if err != nil {
		return nil, "", err
	}
	vs, next, err := flows.Versions(ctx, c.Instance(), ref, p)
	if err != nil {
		return nil, "", err
	}
	out := []versionSummary{}
	for _, v := range vs {
		out = append(out, versionSummary{ARN: versionARN(f, v.Number), Version: v.Number, VersionDescription: v.Description})
	}
	return out, next, nil
}

type deleteFlowVersionInput struct {
	InstanceID         string `json:"-" path:"InstanceId" ref:"instance"`
	ContactFlowID      string `json:"-" path:"ContactFlowId" ref:"contact-flow"`
	ContactFlowVersion string `json:"-" path:"ContactFlowVersion"`
}

func (s *service) deleteFlowVersion(ctx context.Context, c *rest.Call, in *deleteFlowVersionInput) (*rest.Empty, error) {
	return done(s.Flows.DeleteVersion(ctx, c.Instance(), in.ContactFlowID, versionLabel(in.ContactFlowVersion)))
}

// versionLabel is the number of a version; 0, which none has, for what is no number.
func versionLabel(label string) int {
	n, err := strconv.Atoi(label)
	if err != nil {
		return 0
	}
	return n
}
