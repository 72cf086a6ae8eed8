package participant

import (
	"context"

	"ullim/internal/api/rest"
	"ullim/internal/errs"
	"ullim/internal/view"
)

type shownViewInput struct {
	ViewToken string `json:"-" path:"ViewToken"`
}

type shownViewContent struct {
	InputSchema string   `json:"InputSchema"`
	Template    string   `json:"Template"`
	Actions     []string `json:"Actions"`
}

type shownView struct {
	ID      string           `json:"Id"`
	ARN     string           `json:"Arn"`
	Name    string           `json:"Name"`
	Version int              `json:"Version,omitempty"`
	Content shownViewContent `json:"Content"`
}

type shownViewOutput struct {
	View shownView `json:"View"`
}

// describeView tells how a view looks that a flow has shown in this chat.
func (s *service) describeView(ctx context.Context, c *rest.Call, in *shownViewInput) (*shownViewOutput, error) {
	me, err := callerOf(c)
	if err != nil {
		return nil, err
	}
	instanceID, shown, err := s.o.Chats.View(ctx, me.who, in.ViewToken)
	if err != nil {
		return nil, err
	}
	if s.o.Views == nil {
		return nil, errs.New(errs.NotFound, "there are no views")
	}
	e, err := view.Find(ctx, s.o.Views, instanceID, shown.ViewID, shown.Version)
	if err != nil {
		return nil, err
	}
	return &shownViewOutput{shownView{
		ID: e.View.ID, ARN: e.ARN(), Name: e.View.Name, Version: e.Number,
		Content: shownViewContent{e.Content.InputSchema(), e.Content.Template, e.Content.Actions},
	}}, nil
}
