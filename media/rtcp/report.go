// Package rtcp is the arithmetic and the format of RTCP (RFC 3550 §6) for legs of one source each way: what was received
// (reception.go), what is said of it and heard from the far end (report.go), when (interval.go), and what it means for the
// ear (quality.go). It has no clock, and allocates nothing.
package rtcp

import "encoding/binary"

// RFC 3550 §6.4.1; SR has all, RR lacks the sender's five words:
//
//	 0                   1                   2                   3
//	 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|V=2|P|    RC   |      PT       |  length in words, less one    |
//	|                         SSRC of sender                        |
//	+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+
//	|   NTP timestamp, 64 bits; RTP timestamp; packets; octets      |
//	+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+
//	|                 SSRC that a block is about                    |
//	| fraction lost |       cumulative number of packets lost       |
//	|           extended highest sequence number received           |
//	|                      interarrival jitter                      |
//	|                         last SR (LSR)                         |
//	|                   delay since last SR (DLSR)                  |
const (
	version     = 2 << 6
	versionMask = 3 << 6
	paddingBit  = 1 << 5
	countMask   = 31

	typeSR   = 200
	typeRR   = 201
	typeSDES = 202
	typeBye  = 203

	headerSize = 8
	senderSize = 20
	blockSize  = 24
	cnameItem  = 1

	maxParts = 16  // packets in a compound one that are looked at
	maxCNAME = 255 // RFC 3550 §6.5: an item has a length of 8 bits
)

// Block is a reception report (RFC 3550 §6.4.1).
type Block struct {
	SSRC     uint32
	Fraction uint8  // of packets lost since the last report, in 256ths
	Lost     int32  // since the beginning, 24 bits signed
	Highest  uint32 // extended highest sequence number
	Jitter   uint32 // ticks
	LastSR   uint32 // middle 32 bits of the NTP time of the last sender report; 0: none came
	DelaySR  uint32 // since then, in 65536ths of a second
}

// Report is what one compound packet says: of ours to build, of theirs as parsed.
type Report struct {
	SSRC     uint32
	Sender   bool // with the four fields that follow (SR), else RR
	NTP      uint64
	Stamp    uint32
	Packets  uint32
	Octets   uint32
	HasBlock bool // a reception report is there: theirs about us
	Block    Block
	CNAME    string // to build only; a parsed one is not kept
	Bye      bool
}

// Size is how many bytes Build needs.
func (r *Report) Size() int {
	n := headerSize
	if r.Sender {
		n += senderSize
	}
	if r.HasBlock {
		n += blockSize
	}
	n += headerSize + (2+min(len(r.CNAME), maxCNAME)+1+3)/4*4 // the list of items ends with a zero: RFC 3550 §6.5
	if r.Bye {
		n += headerSize
	}
	return n
}

// Build writes a compound packet into dst and returns its length; 0 if it does not fit. The order is that of RFC 3550 §6.1: a
// report, the name, and the farewell last.
func Build(dst []byte, r *Report) int {
	size := r.Size()
	if len(dst) < size {
		return 0
	}
	p := dst[:size]
	clear(p)
	be := binary.BigEndian
	blocks, n := 0, headerSize
	kind := byte(typeRR)
	if r.Sender {
		kind = typeSR
		be.PutUint64(p[8:], r.NTP)
		be.PutUint32(p[16:], r.Stamp)
		be.PutUint32(p[20:], r.Packets)
		be.PutUint32(p[24:], r.Octets)
		n += senderSize
	}
	if r.HasBlock {
		b, in := &r.Block, p[n:]
		be.PutUint32(in, b.SSRC)
		be.PutUint32(in[4:], uint32(min(max(b.Lost, -1<<23), 1<<23-1))&0xFFFFFF|uint32(b.Fraction)<<24)
		be.PutUint32(in[8:], b.Highest)
		be.PutUint32(in[12:], b.Jitter)
		be.PutUint32(in[16:], b.LastSR)
		be.PutUint32(in[20:], b.DelaySR)
		blocks, n = 1, n+blockSize
	}
	head(p, blocks, kind, n, r.SSRC)
	p = p[n:]

	name := r.CNAME[:min(len(r.CNAME), maxCNAME)]
	n = headerSize + (2+len(name)+1+3)/4*4
	head(p, 1, typeSDES, n, r.SSRC)
	p[8], p[9] = cnameItem, byte(len(name))
	copy(p[10:], name)
	p = p[n:]

	if r.Bye {
		head(p, 1, typeBye, headerSize, r.SSRC)
	}
	return size
}

func head(p []byte, count int, kind byte, size int, ssrc uint32) {
	p[0], p[1] = version|byte(count), kind
	binary.BigEndian.PutUint16(p[2:], uint16(size/4-1))
	binary.BigEndian.PutUint32(p[4:], ssrc)
}

// Parse reads a compound packet. about is our SSRC: the block about it is kept, and any other is not. False: it is not RTCP, or
// lengths do not fit; then r holds nothing. Parts that are not known are passed over.
func Parse(p []byte, about uint32, r *Report) bool {
	*r = Report{}
	if len(p) == 0 {
		return false
	}
	for range maxParts {
		if len(p) == 0 {
			break
		}
		if len(p) < 4 || p[0]&versionMask != version {
			*r = Report{}
			return false
		}
		size := 4 * (int(binary.BigEndian.Uint16(p[2:])) + 1)
		if size > len(p) || !r.part(p[:size], size == len(p), about) {
			*r = Report{}
			return false
		}
		p = p[size:]
	}
	return true
}

// part reads one packet of a compound one.
func (r *Report) part(p []byte, last bool, about uint32) bool {
	count := int(p[0] & countMask)
	body := p[4:]
	if p[0]&paddingBit != 0 { // the last one only: RFC 3550 §6.4.1
		padding := int(p[len(p)-1])
		if !last || padding == 0 || padding%4 != 0 || padding > len(body) {
			return false
		}
		body = body[:len(body)-padding]
	}
	be := binary.BigEndian
	switch p[1] {
	case typeSR:
		if len(body) < 4+senderSize+count*blockSize {
			return false
		}
		r.SSRC, r.Sender = be.Uint32(body), true
		r.NTP, r.Stamp, r.Packets, r.Octets = be.Uint64(body[4:]), be.Uint32(body[12:]), be.Uint32(body[16:]), be.Uint32(body[20:])
		r.blocks(body[4+senderSize:], count, about)
	case typeRR:
		if len(body) < 4+count*blockSize {
			return false
		}
		r.SSRC = be.Uint32(body)
		r.blocks(body[4:], count, about)
	case typeBye:
		if len(body) < 4*count {
			return false
		}
		r.Bye = r.Bye || count > 0
		if count > 0 && r.SSRC == 0 {
			r.SSRC = be.Uint32(body)
		}
	}
	return true
}

func (r *Report) blocks(p []byte, count int, about uint32) {
	be := binary.BigEndian
	for ; count > 0; count, p = count-1, p[blockSize:] {
		if be.Uint32(p) != about {
			continue
		}
		r.HasBlock = true
		r.Block = Block{
			SSRC: about, Fraction: p[4], Lost: int32(be.Uint32(p[4:])<<8) >> 8,
			Highest: be.Uint32(p[8:]), Jitter: be.Uint32(p[12:]), LastSR: be.Uint32(p[16:]), DelaySR: be.Uint32(p[20:]),
		}
	}
}
