package connect

import (
	"context"
	"strconv"
	"time"

	"ullim/internal/api/rest"
	"ullim/internal/errs"
	"ullim/internal/identity"
	"ullim/internal/resource"
	"ullim/internal/view"
)

func (s *service) views(t *rest.Table) {
	const (
		all = "/views/{InstanceId}"
		one = all + "/{ViewId}"
	)
	rest.Op(t, "CreateView", "PUT", all, identity.ViewsEdit, s.createView)
	rest.Op(t, "DescribeView", "GET", one, identity.ViewsView, s.describeView)
	rest.Op(t, "ListViews", "GET", all, identity.ViewsView, s.listViews)
	rest.Op(t, "UpdateViewContent", "POST", one, identity.ViewsEdit, s.updateViewContent)
	rest.Op(t, "UpdateViewMetadata", "POST", one+"/metadata", identity.ViewsEdit, s.updateViewMetadata)
	rest.Op(t, "DeleteView", "DELETE", one, identity.ViewsEdit, s.deleteView)
	rest.Op(t, "CreateViewVersion", "PUT", one+"/versions", identity.ViewsEdit, s.createViewVersion)
	rest.Op(t, "ListViewVersions", "GET", one+"/versions", identity.ViewsView, s.listViewVersions)
	rest.Op(t, "DeleteViewVersion", "DELETE", one+"/versions/{ViewVersion}", identity.ViewsEdit, s.deleteViewVersion)
	rest.Op(t, "SearchViews", "POST", "/search-views", identity.ViewsView, s.searchViews, rest.ReadOnly)
}

// View types.
const (
	customerManaged = "CUSTOMER_MANAGED"
	awsManaged      = "AWS_MANAGED"
)

type viewInputContent struct {
	Template string   `json:"Template,omitempty"`
	Actions  []string `json:"Actions,omitempty"`
}

func (in *viewInputContent) read() view.Content {
	return view.Content{Actions: in.Actions, Template: in.Template}
}

type viewContent struct {
	InputSchema string   `json:"InputSchema"`
	Template    string   `json:"Template"`
	Actions     []string `json:"Actions"`
}

type viewBody struct {
	ID                 string            `json:"Id"`
	ARN                string            `json:"Arn"`
	Name               string            `json:"Name"`
	Status             string            `json:"Status"`
	Type               string            `json:"Type"`
	Description        string            `json:"Description,omitempty"`
	Version            int               `json:"Version,omitempty"`
	VersionDescription string            `json:"VersionDescription,omitempty"`
	Content            viewContent       `json:"Content"`
	Tags               map[string]string `json:"Tags,omitempty"`
	CreatedTime        rest.Time         `json:"CreatedTime,omitzero"`
	LastModifiedTime   rest.Time         `json:"LastModifiedTime,omitzero"`
	ViewContentSha256  string            `json:"ViewContentSha256"`
}

func viewOf(e *view.Edition) viewBody {
	v := e.View
	out := viewBody{
		ID: v.ID, ARN: e.ARN(), Name: v.Name, Status: string(e.Status), Type: customerManaged, Description: v.Description, Version: e.Number,
		VersionDescription: e.Description, Tags: v.Tags, ViewContentSha256: e.Content.Sum(),
		Content: viewContent{e.Content.InputSchema(), e.Content.Template, e.Content.Actions},
	}
	if e.Managed {
		out.Type = awsManaged
		return out
	}
	out.CreatedTime, out.LastModifiedTime = rest.At(v.CreatedAt), rest.At(v.ModifiedAt)
	return out
}

// draftOf is the view as whoever edits it sees it.
func draftOf(v *view.View) viewBody {
	return viewOf(&view.Edition{View: v, Status: v.Status(), Content: v.Draft})
}

type viewOutput struct {
	View viewBody `json:"View"`
}

type createViewInput struct {
	InstanceID  string            `json:"-" path:"InstanceId" ref:"instance"`
	Name        string            `json:"Name"`
	Description string            `json:"Description,omitempty"`
	Status      string            `json:"Status"`
	Content     *viewInputContent `json:"Content"`
	ClientToken string            `json:"ClientToken,omitempty"`
	Tags        map[string]string `json:"Tags,omitempty"`
}

func (s *service) createView(ctx context.Context, c *rest.Call, in *createViewInput) (*viewOutput, error) {
	meta, err := head(c, in.Name, in.Tags)
	if err != nil {
		return nil, err
	}
	v := &view.View{Meta: meta, Description: in.Description}
	if err = v.Set(in.Content.read(), view.Status(in.Status)); err != nil {
		return nil, err
	}
	if err = s.Views.Create(ctx, v); err != nil {
		return nil, err
	}
	c.Note("view_id", v.ID)
	return &viewOutput{draftOf(v)}, nil
}

type viewInput struct {
	InstanceID string `json:"-" path:"InstanceId" ref:"instance"`
	ViewID     string `json:"-" path:"ViewId"` // with ":3", ":$SAVED" or ":$LATEST", and ARNs of managed views
}

func (s *service) describeView(ctx context.Context, c *rest.Call, in *viewInput) (*viewOutput, error) {
	e, err := view.Find(ctx, s.Views, c.Instance(), in.ViewID, "")
	if err != nil {
		return nil, err
	}
	return &viewOutput{viewOf(e)}, nil
}

// own finds a view that can be changed.
func (s *service) own(ctx context.Context, c *rest.Call, ref string) (*view.View, error) {
	e, err := view.Find(ctx, s.Views, c.Instance(), ref, view.QualifierSaved)
	switch {
	case err != nil:
		return nil, err
	case e.Managed:
		return nil, errs.New(errs.Denied, "view %q is in every instance and cannot be changed", e.View.Name)
	}
	return e.View, nil
}

func (s *service) editView(ctx context.Context, c *rest.Call, ref string, change func(*view.View) error) (*view.View, error) {
	v, err := s.own(ctx, c, ref)
	if err != nil {
		return nil, err
	}
	return resource.Edit(ctx, s.Views, c.Instance(), v.ID, change)
}

type updateViewContentInput struct {
	InstanceID string            `json:"-" path:"InstanceId" ref:"instance"`
	ViewID     string            `json:"-" path:"ViewId"`
	Status     string            `json:"Status"`
	Content    *viewInputContent `json:"Content"`
}

func (s *service) updateViewContent(ctx context.Context, c *rest.Call, in *updateViewContentInput) (*viewOutput, error) {
	v, err := s.editView(ctx, c, in.ViewID, func(v *view.View) error { return v.Set(in.Content.read(), view.Status(in.Status)) })
	if err != nil {
		return nil, err
	}
	return &viewOutput{draftOf(v)}, nil
}

type updateViewMetadataInput struct {
	InstanceID  string  `json:"-" path:"InstanceId" ref:"instance"`
	ViewID      string  `json:"-" path:"ViewId"`
	Name        *string `json:"Name,omitempty"`
	Description *string `json:"Description,omitempty"`
}

func (s *service) updateViewMetadata(ctx context.Context, c *rest.Call, in *updateViewMetadataInput) (*rest.Empty, error) {
	_, err := s.editView(ctx, c, in.ViewID, func(v *view.View) error {
		set(&v.Name, in.Name)
		set(&v.Description, in.Description)
		return nil
	})
	return done(err)
}

func (s *service) deleteView(ctx context.Context, c *rest.Call, in *viewInput) (*rest.Empty, error) {
	v, err := s.own(ctx, c, in.ViewID)
	if err != nil {
		return nil, err
	}
	return done(s.Views.Delete(ctx, c.Instance(), v.ID))
}

type createViewVersionInput struct {
	InstanceID         string `json:"-" path:"InstanceId" ref:"instance"`
	ViewID             string `json:"-" path:"ViewId"`
	VersionDescription string `json:"VersionDescription,omitempty"`
	ViewContentSha256  string `json:"ViewContentSha256,omitempty"`
}

func (s *service) createViewVersion(ctx context.Context, c *rest.Call, in *createViewVersionInput) (*viewOutput, error) {
	number := 0
	v, err := s.editView(ctx, c, in.ViewID, func(v *view.View) error {
		made, err := v.AddVersion(in.ViewContentSha256, in.VersionDescription, time.Now())
		if err == nil {
			number = made.Number
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	e, err := view.Find(ctx, s.Views, c.Instance(), v.ID, strconv.Itoa(number))
	if err != nil {
		return nil, err
	}
	return &viewOutput{viewOf(e)}, nil
}

type viewVersionInput struct {
	InstanceID string `json:"-" path:"InstanceId" ref:"instance"`
	ViewID     string `json:"-" path:"ViewId"`
	Version    string `json:"-" path:"ViewVersion"`
}

func (s *service) deleteViewVersion(ctx context.Context, c *rest.Call, in *viewVersionInput) (*rest.Empty, error) {
	_, err := s.editView(ctx, c, in.ViewID, func(v *view.View) error {
		number, err := strconv.Atoi(in.Version)
		if err != nil || number < 1 {
			return errs.Field("ViewVersion", "must be the number of a version")
		}
		return v.RemoveVersion(number)
	})
	return done(err)
}
