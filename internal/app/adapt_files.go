package app

import (
	"context"
	"strings"

	"ullim/internal/errs"
	"ullim/ivr"
	"ullim/prompts"
)

// mediaFiles finds the audio that flows name by an address (MessageParticipant's Media): a file elsewhere by https, through
// the guard, or s3://bucket/key, a file of our own store. Whatever the bucket is called in the flow, there is one store, and a
// flow hears the files of its own instance alone: connect/<alias>/Prompts/...
type mediaFiles struct {
	dir     *directory
	prompts *prompts.Catalogue
	speaker *prompts.Speaker
}

var _ ivr.MediaFiles = mediaFiles{}

// File is the audio at an address. errs.NotFound; errs.Denied for another instance's file.
func (m mediaFiles) File(ctx context.Context, instanceID, uri string) (*prompts.Audio, error) {
	rest, ours := strings.CutPrefix(uri, "s3://")
	if !ours {
		return m.speaker.Fetched(ctx, instanceID, uri)
	}
	_, key, _ := strings.Cut(rest, "/")
	t, err := m.dir.tenant(instanceID)
	if err != nil {
		return nil, err
	}
	if folder := "connect/" + t.instance.Name + "/Prompts/"; !strings.HasPrefix(key, folder) || strings.Contains(key, "..") {
		return nil, errs.New(errs.Denied, "a flow of this instance plays files whose key begins with %s", folder)
	}
	return m.prompts.Stored(ctx, key)
}
