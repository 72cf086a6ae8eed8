// Package recording is what can be said of recordings without touching one: where an instance wants them, and how long
// they are kept. All of it is plain data and pure functions; package app does what they say.
//
//	storage.go    StorageConfig: bucket and prefix of one sort of file of an instance, as Amazon Connect calls it
//	retention.go  Policy: how long recordings and transcripts are kept, by queue
//	hold.go       Hold: a contact whose recordings nobody may delete
//
// Life of a recording (contact.RecordingStatus):
//
//	(call) ──> SPOOLED ── upload job ──> AVAILABLE ── decided, with a reason ──> DELETING ── erased, verified ──> DELETED
//	              │                          ^                                      │
//	              └──> FAILED                └──── the store has locked it ─────────┘
//
// A hold stands between AVAILABLE and DELETING: the decision and the hold are made in transactions that exclude each other.
package recording
