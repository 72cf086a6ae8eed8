// Package archive turns finished recordings into the form in which they are kept: smaller files of the same length, with
// the agent right and everybody else left, and the peaks that a player draws. It runs off the path of calls, reads a file
// from its beginning to its end, and holds a block of it at a time.
//
//	archive.go  Format, Convert
//	flac.go     FLAC: every sample as it was, about half the size
//	ogg.go      Opus in Ogg (RFC 7845), a tenth of the size; needs the build tag opus
//	peaks.go    Peaks: what a player draws
//
//	WAV, 16 bit    256 kbit/s
//	WAV, mu-law    128 kbit/s
//	FLAC           about 130 kbit/s for speech, far less for silence
//	Opus            32 kbit/s at most
//
// The same recording makes the same file every time, so work that was cut off can be done again without leaving two.
package archive
