package connect

import (
	"context"
	"strings"
	"unicode/utf8"

	"ullim/internal/api/rest"
	"ullim/internal/errs"
	"ullim/internal/resource"
)

// listInput is the request of the lists that take nothing but pages.
type listInput struct {
	InstanceID string `json:"-" path:"InstanceId" ref:"instance"`
	MaxResults int    `json:"-" query:"maxResults"`
	NextToken  string `json:"-" query:"nextToken"`
}

// summary is a line of most lists.
type summary struct {
	ID                 string    `json:"Id"`
	ARN                string    `json:"Arn"`
	Name               string    `json:"Name,omitempty"`
	LastModifiedTime   rest.Time `json:"LastModifiedTime,omitzero"`
	LastModifiedRegion string    `json:"LastModifiedRegion,omitempty"`
}

func summaryOf(v resource.Object) summary {
	m := v.Head()
	return summary{
		ID: m.ID, ARN: resource.ARN(m.InstanceID, v.Kind(), m.ID), Name: m.Name,
		LastModifiedTime: rest.At(m.ModifiedAt), LastModifiedRegion: resource.Region,
	}
}

// page reads one page of a store, most at the maximum.
func page[T resource.Object](
	ctx context.Context, s resource.Store[T], c *rest.Call, maxResults, most int, token string,
) ([]T, string, error) {
	p, err := pageOf(maxResults, most, token)
	if err != nil {
		return nil, "", err
	}
	return s.List(ctx, c.Instance(), p)
}

func pageOf(maxResults, most int, token string) (resource.Page, error) {
	if maxResults < 0 || maxResults > most {
		return resource.Page{}, errs.Field("MaxResults", "must be 1 to %d; is %d", most, maxResults)
	}
	if maxResults == 0 {
		maxResults = min(100, most)
	}
	if len(token) > 4096 {
		return resource.Page{}, errs.Field("NextToken", "is not one of ours")
	}
	return resource.Page{Max: maxResults, Token: token}, nil
}

// head is the Meta of a new resource.
func head(c *rest.Call, name string, tags map[string]string) (resource.Meta, error) {
	if len(tags) > 50 {
		return resource.Meta{}, errs.Field("Tags", "must be at most 50; are %d", len(tags))
	}
	for k, v := range tags {
		if n := utf8.RuneCountInString(k); n < 1 || n > 128 || strings.HasPrefix(k, "aws:") {
			return resource.Meta{}, errs.Field("Tags", `a key must have 1 to 128 characters and not begin with "aws:"`)
		}
		if utf8.RuneCountInString(v) > 256 {
			return resource.Meta{}, errs.Field("Tags", "a value must have at most 256 characters")
		}
	}
	return resource.Meta{InstanceID: c.Instance(), Name: name, Tags: tags}, nil
}

// set writes a member that was sent.
func set[T any](field *T, sent *T) {
	if sent != nil {
		*field = *sent
	}
}

// done is the answer of operations that give nothing back.
func done(err error) (*rest.Empty, error) {
	if err != nil {
		return nil, err
	}
	return &rest.Empty{}, nil
}
