package dtmf

// Event is one packet of telephone-event to be sent.
type Event struct {
	Payload [4]byte
	Marker  bool
	Stamp   uint32 // RTP timestamp of the whole press
}

// Sender makes the packets of key presses (RFC 4733 §2.5.1). It has no clock: Next is called once per packet time with the RTP
// timestamp of now.
type Sender struct {
	Frame  int   // ticks per packet, default 160
	Length int   // ticks of a press, default 800 (100 ms)
	Gap    int   // ticks between presses, default 480 (60 ms)
	Volume uint8 // -dBm0, default 10
}

// Press queues keys: 0-9 * # A-D. False: another character, or too many wait; then none is queued.
func (s *Sender) Press(keys string) bool { return false }

// Next is the packet to send now. ok false: none, and audio may be sent unless Busy.
func (s *Sender) Next(stamp uint32) (e Event, ok bool) { return e, false }

// Busy reports whether a press is being sent or waits.
func (s *Sender) Busy() bool { return false }

// Tones appends the sound of keys, at 8,000 or 16,000 samples a second: 100 ms each and 60 ms between.
func Tones(dst []int16, keys string, rate int) []int16 { return dst }
