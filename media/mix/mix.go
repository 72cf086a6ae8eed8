// Package mix is the arithmetic of a conference: who hears whom, in as few different sums as possible.
//
// Who speaks is found by loudness (voice.go). Each listener hears a set of the members who speak now. Listeners with the same set
// share one sum, and so one encoding per codec. In a conversation all who listen share one, and each of those who speak has
// one of his own: with one speaker there is nothing to add up at all, the sum is his frame itself.
package mix

import "math/bits"

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
	Members = 64  // of one room
	Unity   = 256 // the gain of a member who is heard as he is
	most    = 16 * Unity
)

// Room is one conference. It is not safe for concurrent use.
type Room struct {
	frame   int
	members [Members]member
	count   int // one more than the highest member with a role

	speakers uint64 // members by role
	coaches  uint64
	muted    uint64
	hears    [Members]uint64 // whom each member may hear

	spoke   uint64           // in the last Mix
	voices  [Members][]int16 // what is heard of each of those
	total   []int32          // of the speakers who speak
	totalOf uint64           // whom the total holds
	sums    [Members]uint64  // the sets, one for each sum
	made    int
	which   [Members]int
	pcm     [Members][]int16 // of the sums
	adding  []int32
}

type member struct {
	role    Role
	coached int
	gain    int32
	voice   voice
	scaled  []int16
	summed  []int16
}

// NewRoom makes a room for frames of so many samples (160 or 320).
func NewRoom(frame int) *Room {
	return &Room{frame: frame, total: make([]int32, frame), adding: make([]int32, frame)}
}

// Set gives a member, 0 to 63, a role. coached is the member whom a coach speaks to, and means nothing for others. False: no
// such member number, or a coach of himself. The gain and the mute of a member who was absent are as if he were new.
func (r *Room) Set(m int, role Role, coached int) bool {
	if m < 0 || m >= Members || role == Coach && (coached < 0 || coached >= Members || coached == m) {
		return false
	}
	p := &r.members[m]
	if p.role == Absent {
		*p = member{gain: Unity, scaled: p.scaled, summed: p.summed}
		r.muted &^= 1 << m
	}
	p.role, p.coached = role, coached
	if p.scaled == nil && role != Absent {
		p.scaled, p.summed = make([]int16, r.frame), make([]int16, r.frame)
	}
	r.arrange()
	return true
}

// arrange works out who may hear whom.
func (r *Room) arrange() {
	r.speakers, r.coaches, r.count = 0, 0, 0
	for m := range r.members {
		switch r.members[m].role {
		case Speaker:
			r.speakers |= 1 << m
		case Coach:
			r.coaches |= 1 << m
		case Absent:
			continue
		case Monitor:
		}
		r.count = m + 1
	}
	for m := range r.members {
		set := r.speakers &^ (1 << m)
		switch r.members[m].role {
		case Speaker:
			for c := range r.members {
				if r.members[c].role == Coach && r.members[c].coached == m {
					set |= 1 << c
				}
			}
		case Monitor:
			set |= r.coaches
		case Absent:
			set = 0
		case Coach:
		}
		r.hears[m] = set
	}
}

// Mute silences a member, or lets him be heard again.
func (r *Room) Mute(m int, muted bool) {
	if m < 0 || m >= Members {
		return
	}
	r.muted &^= 1 << m
	if muted {
		r.muted |= 1 << m
	}
}

// Gain sets how loud a member is heard: Unity (256) is as he is, 0 not at all, at most 16 times Unity.
func (r *Room) Gain(m, gain int) {
	if m >= 0 && m < Members {
		r.members[m].gain = int32(min(max(gain, 0), most))
	}
}

// Mix takes a frame of every member, in[m] nil if nothing was received, and returns for each member (up to the highest who
// has a role) which sum he hears: an index for Sum, or -1 for silence. Members with the same index hear the same samples,
// so one encoding per codec does for all of them. The result is valid until the next Mix.
func (r *Room) Mix(in [][]int16) []int {
	r.spoke = 0
	for m := range min(r.count, len(in)) {
		p := &r.members[m]
		if p.role != Speaker && p.role != Coach {
			continue
		}
		pcm, speaks := p.voice.hear(in[m], r.muted>>m&1 == 1)
		if !speaks {
			continue
		}
		r.spoke |= 1 << m
		r.voices[m] = p.voice.shape(p.scaled, pcm, p.gain, r.frame)
	}
	r.made, r.totalOf = 0, 0
	for m := range r.count {
		r.which[m] = r.sumOf(r.hears[m] & r.spoke)
	}
	return r.which[:r.count]
}

// sumOf is the index of the sum of a set.
func (r *Room) sumOf(set uint64) int {
	if set == 0 {
		return -1
	}
	for i, s := range r.sums[:r.made] {
		if s == set {
			return i
		}
	}
	i := r.made
	r.made++
	r.sums[i] = set
	r.pcm[i] = r.add(set, i)
	return i
}

// add makes the sum of a set: by adding up, or from the total if few are missing or more.
func (r *Room) add(set uint64, i int) []int16 {
	if set&(set-1) == 0 {
		return r.voices[bits.TrailingZeros64(set)]
	}
	all := r.speakers & r.spoke
	out := r.slot(i)[:r.frame]
	if rest := set & (set - 1); rest&(rest-1) == 0 { // the usual case: two speak at once
		a, b := r.voices[bits.TrailingZeros64(set)][:len(out)], r.voices[bits.TrailingZeros64(rest)][:len(out)]
		for k := range out {
			out[k] = int16(min(max(int32(a[k])+int32(b[k]), -32768), 32767))
		}
		return out
	}
	if bits.OnesCount64(set^all)+1 >= bits.OnesCount64(set) {
		clear(r.adding)
		r.accumulate(r.adding, set, 1)
	} else {
		if r.totalOf != all {
			clear(r.total)
			r.accumulate(r.total, all, 1)
			r.totalOf = all
		}
		copy(r.adding, r.total)
		r.accumulate(r.adding, all&^set, -1)
		r.accumulate(r.adding, set&^all, 1)
	}
	for k, v := range r.adding {
		out[k] = int16(min(max(v, -32768), 32767))
	}
	return out
}

// slot is room for a sum: there are never more sums than members with a role.
func (r *Room) slot(i int) []int16 {
	for m := range r.members[:r.count] {
		if r.members[m].role != Absent {
			if i == 0 {
				return r.members[m].summed
			}
			i--
		}
	}
	return nil
}

func (r *Room) accumulate(sum []int32, set uint64, sign int32) {
	for ; set != 0; set &= set - 1 {
		pcm := r.voices[bits.TrailingZeros64(set)][:len(sum)]
		for k, v := range pcm {
			sum[k] += sign * int32(v)
		}
	}
}

// Sums is how many different sums the last Mix made.
func (r *Room) Sums() int { return r.made }

// Sum is the samples of one. It may be a frame of in itself (one speaker alone): read only, valid until the next Mix.
func (r *Room) Sum(i int) []int16 {
	if i < 0 || i >= r.made {
		return nil
	}
	return r.pcm[i]
}

// Speaking reports whether a member was heard in the last Mix.
func (r *Room) Speaking(m int) bool { return m >= 0 && m < Members && r.spoke>>m&1 == 1 }
