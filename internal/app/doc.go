// Package app puts the house together. Only it knows everybody.
//
// # Layout
//
//   - app.go: App, from a configuration to a running engine: New wires and rolls back, Start, Drain, Close.
//   - stores.go: one resource.Store for each kind, over package storage.
//   - directory.go: what is configured, of all instances, as one immutable snapshot behind an atomic pointer.
//   - bootstrap.go: the first start: an instance with everything a first call needs.
//   - recover.go: what a process that died has left: open contacts, reservations, recordings cut off.
//   - upload.go: the durable job that brings a recording to the blob store.
//   - adapt_*.go: packages that must not know each other, joined: media to call, acd to call, call to ivr, and all of
//     them to the API.
//   - metrics.go, http.go: the faces for operators and programs.
package app
