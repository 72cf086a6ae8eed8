// Package mix is the arithmetic of a conference: who hears whom, in as few different sums as possible.
package mix

// Role is what a member may hear and be heard by.
type Role uint8

// Roles.
const (
	Absent  Role = iota
	Speaker      // heard by all, hears all other speakers and the coaches who coach him
	Monitor      // hears all, coaches too; is heard by nobody
	Coach        // hears all speakers; is heard by the member he coaches only, and by monitors
)

// Limits.
const (
	Members = 64 // of one room
	Unity   = 256
)

// Room is one conference. It is not safe for concurrent use.
type Room struct{}

// NewRoom makes a room for frames of so many samples (160 or 320).
func NewRoom(frame int) *Room { return &Room{} }

// Set gives a member, 0 to 63, a role. coached is the member whom a coach speaks to, and means nothing for others. False: no
// such member number.
func (r *Room) Set(member int, role Role, coached int) bool { return false }

// Mute silences a member, or lets him be heard again.
func (r *Room) Mute(member int, muted bool) {}

// Gain sets how loud a member is heard: Unity (256) is as he is.
func (r *Room) Gain(member int, gain int) {}

// Mix takes a frame of every member, in[m] nil if nothing was received, and returns for each member (up to the highest who
// has a role) which sum he hears: an index for Sum, or -1 for silence. Members with the same index hear the same samples,
// so one encoding per codec does for all of them. The result is valid until the next Mix.
func (r *Room) Mix(in [][]int16) []int { return nil }

// Sums is how many different sums the last Mix made.
func (r *Room) Sums() int { return 0 }

// Sum is the samples of one. It may be a frame of in itself (one speaker alone): read only, valid until the next Mix.
func (r *Room) Sum(i int) []int16 { return nil }

// Speaking reports whether a member was speaking in the last Mix.
func (r *Room) Speaking(member int) bool { return false }
