package media

import "encoding/binary"

// RFC 3550 §5.1:
//
//	 0                   1                   2                   3
//	 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|V=2|P|X|  CC   |M|     PT      |       sequence number         |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                           timestamp                           |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|           synchronization source (SSRC) identifier            |
//	+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+
//	|            contributing source (CSRC) identifiers, CC times   |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|  if X: profile (16 bits) and length in words (16 bits), words |
const (
	headerSize    = 12
	version       = 2 << 6
	versionMask   = 3 << 6
	paddingBit    = 1 << 5
	extensionBit  = 1 << 4
	csrcMask      = 0x0F
	markerBit     = 1 << 7
	payloadMask   = 0x7F
	firstRTCP     = 192 // RFC 5761 §4: what the second byte of RTCP on the same port can be
	lastRTCP      = 223
	comfortNoise  = 13 // RFC 3389
	samplesPerMs  = 8
	frameSamples  = 160
	sampleRateHz  = 8000
	maxPayload    = 60 * samplesPerMs // the largest packet time we send
	maxSplitBytes = MaxPacket         // the largest payload that is cut again
)

// header is what is used of an RTP packet; the payload is packet[from:to].
type header struct {
	marker   bool
	payload  uint8
	sequence uint16
	stamp    uint32
	ssrc     uint32
	from, to int
}

// parseHeader reads a packet. False: not RTP, or lengths that do not fit.
func parseHeader(p []byte) (h header, ok bool) {
	if len(p) < headerSize || p[0]&versionMask != version {
		return h, false
	}
	h = header{
		marker:   p[1]&markerBit != 0,
		payload:  p[1] & payloadMask,
		sequence: binary.BigEndian.Uint16(p[2:]),
		stamp:    binary.BigEndian.Uint32(p[4:]),
		ssrc:     binary.BigEndian.Uint32(p[8:]),
		from:     headerSize + 4*int(p[0]&csrcMask),
		to:       len(p),
	}
	if p[0]&extensionBit != 0 {
		if h.from+4 > len(p) {
			return h, false
		}
		h.from += 4 + 4*int(binary.BigEndian.Uint16(p[h.from+2:]))
	}
	if p[0]&paddingBit != 0 { // the last byte counts the padding, itself included
		padding := int(p[len(p)-1])
		if padding == 0 {
			return h, false
		}
		h.to -= padding
	}
	return h, h.from <= h.to
}

// isRTCP tells RTCP from RTP on one port (RFC 5761 §4).
func isRTCP(p []byte) bool {
	return len(p) >= 4 && p[0]&versionMask == version && p[1] >= firstRTCP && p[1] <= lastRTCP
}

// putHeader writes the first twelve bytes of p.
func putHeader(p []byte, marker bool, payload uint8, sequence uint16, stamp, ssrc uint32) {
	p[0], p[1] = version, payload
	if marker {
		p[1] |= markerBit
	}
	binary.BigEndian.PutUint16(p[2:], sequence)
	binary.BigEndian.PutUint32(p[4:], stamp)
	binary.BigEndian.PutUint32(p[8:], ssrc)
}
