//go:build !opus

package opus

import "errors"

// errNone says what to do about a build without Opus.
var errNone = errors.New("opus: this program was built without Opus: build it with -tags opus,nolibopusfile and libopus-dev")

// Available reports whether this build can encode and decode Opus.
func Available() bool { return false }

// Encoder is the sending half of one stream; not in this build.
type Encoder struct{}

// NewEncoder fails in this build.
func NewEncoder() (*Encoder, error) { return nil, errNone }

// NewTapeEncoder fails in this build.
func NewTapeEncoder() (*Encoder, error) { return nil, errNone }

// Encode writes nothing.
func (e *Encoder) Encode(dst []byte, pcm []int16) int { return 0 }

// Decoder is the receiving half of one stream; not in this build.
type Decoder struct{}

// NewDecoder fails in this build.
func NewDecoder() (*Decoder, error) { return nil, errNone }

// Decode writes nothing.
func (d *Decoder) Decode(dst []int16, data []byte) int { return 0 }
