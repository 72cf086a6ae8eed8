package api_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/uuid"

	"ullim/internal/chat"
	"ullim/internal/errs"
	"ullim/storage"
)

// newChats are real chats over a database in memory, whose flows do nothing until the chat ends, and whose queues have no
// agents.
func newChats(t *testing.T, log *slog.Logger) *chat.Manager {
	t.Helper()
	db, err := storage.Open(t.Context(), storage.Options{Driver: storage.SQLite, URL: storage.Memory, SyncOff: true, Log: log})
	must(t, err)
	m := chat.NewManager(chat.Options{
		Node: "n1", Store: db, Flows: idleFlows{}, Queues: noQueues{}, Blobs: &folder{t.TempDir()}, Instances: twoInstances{}, Log: log,
		NewID: uuid.NewString,
	})
	t.Cleanup(func() {
		m.Close()
		must(t, db.Close())
	})
	return m
}

type idleFlows struct{}

func (idleFlows) Run(ctx context.Context, _ chat.FlowRun) chat.FlowOutcome {
	<-ctx.Done()
	return chat.FlowLeft
}

type noQueues struct{}

func (noQueues) Enqueue(context.Context, chat.Enqueue) error {
	return errs.New(errs.NotFound, "there are no queues here")
}
func (noQueues) Leave(string)                                 {}
func (noQueues) Reorder(string, chat.Routing)                 {}
func (noQueues) OfferResult(string, string, chat.OfferResult) {}
func (noQueues) Joined(string, string)                        {}
func (noQueues) AgentDone(string, string)                     {}

type twoInstances struct{}

func (twoInstances) Alias(id string) (string, bool) { return "acme", id == ours || id == theirs }

// folder is chat.Blobs on a temporary folder.
type folder struct{ dir string }

func (f *folder) path(key string) string { return filepath.Join(f.dir, filepath.Base(key)) }

func (f *folder) Put(_ context.Context, key string, body io.Reader, _ int64, _ string) error {
	b, err := io.ReadAll(body)
	return errors.Join(err, os.WriteFile(f.path(key), b, 0o600))
}

func (f *folder) Open(_ context.Context, key string) (io.ReadCloser, int64, error) {
	file, err := os.Open(f.path(key))
	if err != nil {
		return nil, 0, err
	}
	info, err := file.Stat()
	return file, info.Size(), err
}
