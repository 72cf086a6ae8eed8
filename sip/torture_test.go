package sip

import (
	"encoding/json"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// tortureFolder holds the messages of RFC 4475 and RFC 5118; its README says what a strict pass is.
const tortureFolder = "testdata/torture"

type tortureCase struct {
	Name, File, Kind, Klass, Note string
	UDP, TCP                      bool
	Expect                        struct{ Pass, Tolerate []any }
	data                          []byte
}

func tortureCases(t *testing.T) []tortureCase {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(tortureFolder, "manifest.json"))
	if err != nil {
		t.Fatal(err)
	}
	var cases []tortureCase
	if err = json.Unmarshal(raw, &cases); err != nil {
		t.Fatal(err)
	}
	for i := range cases {
		if cases[i].data, err = os.ReadFile(filepath.Join(tortureFolder, cases[i].File)); err != nil {
			t.Fatal(err)
		}
	}
	return cases
}

// strictly is how many of the messages must be answered as the RFC asks for, and not only tolerably.
const strictly = 50

// tortureScore counts and reports.
func tortureScore(t *testing.T, fits func(tortureCase) bool, run func(t *testing.T, tc tortureCase) []int) {
	t.Helper()
	strict, ran, cases := 0, 0, tortureCases(t)
	var loose []string
	for _, tc := range cases {
		t.Run(tc.Name, func(t *testing.T) {
			codes := run(t, tc)
			ran++
			switch {
			case !fits(tc): // it must not hurt, that is all
			case tortureOK(codes, tc.Expect.Pass):
				strict++
			case tortureOK(codes, tc.Expect.Tolerate):
				loose = append(loose, fmt.Sprint(tc.Name, codes))
			default:
				t.Errorf("answers %v, want %v or %v: %s", codes, tc.Expect.Pass, tc.Expect.Tolerate, tc.Note)
			}
		})
	}
	t.Logf("%d of %d strictly; tolerated: %v", strict, ran, loose)
	if ran == len(cases) && strict < strictly {
		t.Errorf("%d messages pass strictly, want at least %d", strict, strictly)
	}
}

// Every message of the two RFCs over UDP: the answer is one that the RFC allows, and the next ping is answered.
func TestTortureMessages(t *testing.T) {
	overUDP := func(tc tortureCase) bool { return tc.UDP }
	tortureScore(t, overUDP, func(t *testing.T, tc tortureCase) (codes []int) {
		t.Helper()
		synctest.Test(t, func(t *testing.T) {
			s := newStage(t)
			defer s.close()
			codes = tortured(s, tc.data)
			s.net.lose = nil
			s.trunk.send(message("Content-Length: 0", "-Call-ID", "Call-ID: after", "-Via", "Via: SIP/2.0/UDP "+trunkAddr+";branch=z9hG4bKafter"))
			s.trunk.settle()
			same(t, "the ping after it", s.trunk.responses("1 OPTIONS"), []int{200})
			same(t, "panics", s.ep.Stats().Panics, 0)
		})
		return codes
	})
}

// tortured sends a message from the trunk and gives the final answers, wherever they go.
func tortured(s *stage, data []byte) []int {
	var codes []int
	s.net.lose = func(from, _ string, data []byte) bool {
		if from != ourAddr {
			return false
		}
		// Not parsed: the answer to a bad header has that header.
		if rest, ok := strings.CutPrefix(string(data), "SIP/2.0 "); ok {
			if code, err := strconv.Atoi(rest[:3]); err == nil && code >= 200 {
				codes = append(codes, code)
			}
		}
		return true
	}
	s.owner.onCall = func(c *ownedCall) { c.leg.Answer([]byte(sdpAnswer)) }
	_, _ = s.trunk.conn.WriteTo(data, net.UDPAddrFromAddrPort(netip.MustParseAddrPort(ourAddr)))
	time.Sleep(400 * time.Millisecond)
	synctest.Wait()
	return codes
}

func tortureOK(codes []int, rules []any) bool {
	if len(rules) == 0 {
		return false
	}
	allowed := false
	for _, rule := range rules {
		no, negative := strings.CutPrefix(fmt.Sprint(rule), "!")
		match := false
		switch no {
		case "any":
			match = len(codes) > 0
		case "none", "silence":
			match = len(codes) == 0
		default:
			if n, err := strconv.Atoi(no); err == nil {
				match = len(codes) > 0 && codes[0] == n
			} else if strings.HasSuffix(no, "xx") {
				match = len(codes) > 0 && strconv.Itoa(codes[0])[0] == no[0]
			}
		}
		if negative && match {
			return false
		}
		allowed = allowed || !negative && match
	}
	return allowed
}

// The same over a stream: the answer is one that the RFC allows. Where the message has no end that can be told, the
// connection is closed; else the ping behind it on the same connection is answered, and on a new one in any case.
func TestTortureMessagesOverAStream(t *testing.T) {
	overTCP := func(tc tortureCase) bool { return tc.TCP } // three are about the ends of datagrams
	tortureScore(t, overTCP, func(t *testing.T, tc tortureCase) (codes []int) {
		t.Helper()
		runTCP(t, func(s *stage, p *pipes) {
			t := s.t
			s.owner.onCall = func(c *ownedCall) { c.leg.Answer([]byte(sdpAnswer)) }
			c := p.dial(t, "192.0.2.10:1000")
			c.put(t, string(tc.data))
			time.Sleep(400 * time.Millisecond)
			codes = c.statuses()
			open := !c.over()
			time.Sleep(streamMessage + time.Second)
			if open && !c.over() {
				c.put(t, ping(7))
				if got := c.statuses(); !slices.Contains(got, 200) {
					t.Errorf("the ping behind it got %v", got)
				}
			}
			_ = c.Close()
			c = p.dial(t, "192.0.2.10:1001")
			c.put(t, ping(1))
			same(t, "next connection", c.codes(), []int{200})
			same(t, "panics", s.ep.Stats().Panics, 0)
			_ = c.Close()
		})
		return codes
	})
}
