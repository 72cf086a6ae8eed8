package stream

import "sync/atomic"

// Stats are counters of all streams and conversations of a process, and two gauges.
type Stats struct {
	Streams, Bots            atomic.Int64  // now
	Started, Lost, Again     atomic.Uint64 // streams; connections lost; connections made again
	FramesSent               atomic.Uint64
	FramesDropped            atomic.Uint64 // the program was slow
	BytesRefused             atomic.Uint64 // the program said more than is kept
	BadMessages              atomic.Uint64
	Finished, Transferred    atomic.Uint64 // conversations, by how they ended
	Closed, Failed, TimeOver atomic.Uint64
	Left                     atomic.Uint64
}
