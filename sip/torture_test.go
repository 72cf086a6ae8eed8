package sip

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// tortureFolder holds the messages of RFC 4475 and RFC 5118, where they have been fetched.
const tortureFolder = "../../shared/data/sip-torture"

type tortureCase struct {
	Name, File, Kind, Klass, Note string
	UDP                           bool
	Expect                        struct{ Pass, Tolerate []any }
}

// Every message of the two RFCs over UDP: the answer is one that the RFC allows.
func TestTortureMessages(t *testing.T) {
	raw, err := os.ReadFile(filepath.Join(tortureFolder, "manifest.json"))
	if errors.Is(err, fs.ErrNotExist) {
		t.Skip("SKIPPED: the RFC 4475 messages are not here (" + tortureFolder + "); TestMessagesOfEveryForm has our own")
	}
	if err != nil {
		t.Fatal(err)
	}
	var cases []tortureCase
	if err = json.Unmarshal(raw, &cases); err != nil {
		t.Fatal(err)
	}
	for _, tc := range cases {
		if !tc.UDP {
			continue
		}
		t.Run(tc.Name, func(t *testing.T) {
			data, err := os.ReadFile(filepath.Join(tortureFolder, tc.File))
			if err != nil {
				t.Fatal(err)
			}
			synctest.Test(t, func(t *testing.T) {
				s := newStage(t)
				defer s.close()
				codes := tortured(s, data)
				if !tortureOK(codes, tc.Expect.Pass) && !tortureOK(codes, tc.Expect.Tolerate) {
					t.Errorf("answers %v, want %v or %v: %s", codes, tc.Expect.Pass, tc.Expect.Tolerate, tc.Note)
				}
				if p := s.ep.Stats().Panics; p != 0 {
					t.Errorf("%d panics", p)
				}
			})
		})
	}
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

// The same over a stream: whatever comes, the connection is answered or closed, and the next one is served.
func TestTortureMessagesOverAStream(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(tortureFolder, "messages", "*.sip"))
	if err != nil {
		t.Fatal(err)
	}
	if len(files) == 0 {
		t.Skip("SKIPPED: the RFC 4475 messages are not here (" + tortureFolder + ")")
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			runTCP(t, func(s *stage, p *pipes) {
				t := s.t
				s.owner.onCall = func(c *ownedCall) { c.leg.Reject(486, "Busy Here", 0) }
				c := p.dial(t, "192.0.2.10:1000")
				c.put(t, string(data))
				time.Sleep(streamMessage + time.Second)
				if c.bytes.Load() == 0 && !c.over() && !strings.HasPrefix(string(data), "SIP/2.0") {
					t.Error("neither answered nor closed")
				}
				_ = c.Close()
				c = p.dial(t, "192.0.2.10:1001")
				c.put(t, ping(1))
				same(t, "next connection", c.codes(), []int{200})
				same(t, "panics", s.ep.Stats().Panics, 0)
				_ = c.Close()
			})
		})
	}
}
