// Package opus is Opus at 16 kHz mono (RTP clock 48,000, RFC 7587), if the program was built with the tag opus; see Available.
package opus

import "errors"

// errNone says what to do about a build without Opus.
var errNone = errors.New("opus: this program was built without Opus: build it with -tags opus,nolibopusfile and libopus-dev")
