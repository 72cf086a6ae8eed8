package dtmf

import (
	"encoding/binary"
	"testing"
	"time"
)

// sent is what a Sender makes of keys, with a packet time in ticks, until it is no longer busy.
func sent(t *testing.T, s *Sender, keys string, from uint32) (events []Event, stamps []uint32) {
	t.Helper()
	if !s.Press(keys) {
		t.Fatalf("%q refused", keys)
	}
	for stamp := from; s.Busy(); stamp += uint32(either(s.Frame, 160)) {
		if e, ok := s.Next(stamp); ok {
			events, stamps = append(events, e), append(stamps, stamp)
		}
		if len(events) > 50000 {
			t.Fatal("no end")
		}
	}
	return events, stamps
}

func TestAPressIsSentAsTheRFCHasIt(t *testing.T) {
	var s Sender
	events, stamps := sent(t, &s, "5", 8000)
	want := []struct {
		end      bool
		duration uint16
	}{{false, 160}, {false, 320}, {false, 480}, {false, 640}, {true, 800}, {true, 800}, {true, 800}}
	if len(events) != len(want) {
		t.Fatalf("%d packets, want %d", len(events), len(want))
	}
	for i, e := range events {
		end, duration := e.Payload[1]&endBit != 0, binary.BigEndian.Uint16(e.Payload[2:])
		if end != want[i].end || duration != want[i].duration || e.Marker != (i == 0) || e.Stamp != 8000 || e.Payload[0] != 5 ||
			e.Payload[1]&63 != 10 || stamps[i] != 8000+uint32(i)*160 {
			t.Errorf("packet %d at %d: %+v, want %+v", i, stamps[i], e, want[i])
		}
	}
	if _, ok := s.Next(10000); ok || s.Busy() {
		t.Error("something is left")
	}
}

// through is what our detector hears of what our sender sends.
func through(t *testing.T, s *Sender, keys string) string {
	t.Helper()
	events, stamps := sent(t, s, keys, 0xFFFFFFFF-4000) // the timestamps wrap
	var d Detector
	var got []byte
	start := time.Now()
	for i, e := range events {
		at := start.Add(time.Duration(stamps[i]-stamps[0]) * time.Second / 8000)
		if digit, ok := d.Packet(e.Payload[:], e.Stamp, at); ok {
			got = append(got, digit)
		}
	}
	return string(got)
}

func TestM06WhatIsSentIsHeardOnceAtAnyPacketTime(t *testing.T) {
	for _, frame := range []int{80, 160, 240, 320, 480, 800} { // to ptime 100
		for _, length := range []int{320, 800, 1600, 70000, 200000} {
			s := Sender{Frame: frame, Length: length, Gap: 320}
			if got := through(t, &s, "1144*#ADD"); got != "1144*#ADD" {
				t.Errorf("packets of %d, presses of %d: %q", frame, length, got)
			}
		}
	}
}

func TestALongPressIsSentInParts(t *testing.T) {
	s := Sender{Length: 3*fullSpan + 100}
	events, _ := sent(t, &s, "7", 0)
	parts, ends, markers, full := map[uint32]bool{}, 0, 0, 0
	for _, e := range events {
		parts[e.Stamp] = true
		if e.Payload[1]&endBit != 0 {
			ends++
		}
		if e.Marker {
			markers++
		}
		if binary.BigEndian.Uint16(e.Payload[2:]) == fullSpan {
			full++
		}
	}
	if len(parts) != 4 || !parts[fullSpan] || !parts[3*fullSpan] || ends != 3 || markers != 1 || full != 3 {
		t.Errorf("parts %v, %d ends, %d markers, %d full", parts, ends, markers, full)
	}
}

func TestKeysThatCannotBeSentAreRefused(t *testing.T) {
	var s Sender
	if s.Press("12x") || s.Busy() {
		t.Error("x was taken")
	}
	for range 64 {
		if !s.Press("1") {
			t.Fatal("refused")
		}
	}
	if s.Press("1") {
		t.Error("more than the queue holds")
	}
}

func TestM06OnePressIsOneHoweverManyWaysItIsHeard(t *testing.T) {
	type report struct {
		digit byte
		how   How
		ms    int
	}
	for name, c := range map[string]struct {
		in   []report
		want string
	}{
		"all three ways":            {[]report{{'5', ByEvent, 0}, {'5', ByTone, 60}, {'5', ByInfo, 300}}, "5"},
		"tone first":                {[]report{{'5', ByTone, 0}, {'5', ByEvent, 40}, {'5', ByInfo, 100}}, "5"},
		"one way only":              {[]report{{'1', ByInfo, 0}, {'1', ByInfo, 100}, {'2', ByInfo, 200}}, "112"},
		"the same key twice fast":   {[]report{{'7', ByEvent, 0}, {'7', ByTone, 60}, {'7', ByEvent, 140}, {'7', ByTone, 200}}, "77"},
		"one way lags behind":       {[]report{{'7', ByEvent, 0}, {'7', ByEvent, 140}, {'7', ByTone, 150}, {'7', ByTone, 290}, {'7', ByInfo, 300}, {'7', ByInfo, 400}}, "77"},
		"a number, two ways":        {[]report{{'1', ByEvent, 0}, {'2', ByEvent, 150}, {'1', ByInfo, 160}, {'1', ByEvent, 300}, {'2', ByInfo, 310}, {'1', ByInfo, 460}}, "121"},
		"one way missed one":        {[]report{{'1', ByEvent, 0}, {'1', ByEvent, 200}, {'1', ByTone, 260}, {'2', ByEvent, 400}, {'2', ByTone, 460}}, "112"},
		"only heard in band":        {[]report{{'1', ByEvent, 0}, {'2', ByTone, 200}, {'3', ByEvent, 400}}, "123"},
		"long after":                {[]report{{'1', ByEvent, 0}, {'1', ByInfo, 1600}}, "11"},
		"INFO when the key went up": {[]report{{'1', ByEvent, 0}, {'1', ByInfo, 1400}}, "1"},
	} {
		var m Merge
		var got []byte
		start := time.Now()
		for _, r := range c.in {
			if m.Press(r.digit, r.how, start.Add(time.Duration(r.ms)*time.Millisecond)) {
				got = append(got, r.digit)
			}
		}
		if string(got) != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

func TestSendingAndMergingAllocateNothing(t *testing.T) {
	var s Sender
	var m Merge
	stamp, now := uint32(0), time.Now()
	if n := testing.AllocsPerRun(200, func() {
		if !s.Busy() {
			s.Press("1")
		}
		s.Next(stamp)
		stamp += 160
		m.Press('1', ByEvent, now)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
