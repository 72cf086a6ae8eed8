package recording

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"ullim/internal/contact"
	"ullim/internal/errs"
	"ullim/internal/resource"
)

func TestTheMostParticularRuleCounts(t *testing.T) {
	p := &Policy{Rules: []Rule{
		{Days: 100}, {Channel: contact.Chat, Days: 50}, {QueueID: "q1", Days: 10}, {QueueID: "q1", Channel: contact.Chat, Days: 5}, {QueueID: "q2", Days: 7},
	}}
	for _, tt := range []struct {
		queue   string
		channel contact.Channel
		want    int
	}{
		{"", contact.Voice, 100},
		{"", contact.Chat, 50},
		{"q1", contact.Voice, 10},
		{"q1", contact.Chat, 5},
		{"q2", contact.Chat, 7}, // the queue goes before the channel
		{"q3", contact.Chat, 50},
	} {
		if days, ok := p.Period(tt.queue, tt.channel); !ok || days != tt.want {
			t.Errorf("%q %s: %d %v, want %d", tt.queue, tt.channel, days, ok, tt.want)
		}
	}
	if days, ok := (&Policy{Rules: []Rule{{QueueID: "q", Days: 1}}}).Period("other", contact.Voice); ok {
		t.Errorf("kept %d days, though no rule speaks of it", days)
	}
}

// TestSelectionsAreWhatPeriodsSay compares, for policies by chance, the selections with the period of each recording.
func TestSelectionsAreWhatPeriodsSay(t *testing.T) {
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	queues := []string{"", "q1", "q2", "q3"}
	channels := []contact.Channel{"", contact.Voice, contact.Chat}
	for seed := range uint64(300) {
		random := rand.New(rand.NewPCG(seed, 1))
		p := &Policy{Meta: resource.Meta{Name: PolicyName}}
		for _, q := range queues[:3] {
			for _, ch := range channels {
				if random.IntN(2) == 0 {
					p.Rules = append(p.Rules, Rule{QueueID: q, Channel: ch, Days: 1 + random.IntN(30)})
				}
			}
		}
		if err := p.Validate(); err != nil {
			t.Fatal(err)
		}
		for _, q := range queues {
			for _, ch := range channels[1:] {
				ended := now.Add(-time.Duration(random.IntN(40*24)) * time.Hour)
				days, limited := p.Period(q, ch)
				want := 0
				if limited && ended.Before(now.AddDate(0, 0, -days)) {
					want = 1
				}
				got := 0
				for _, s := range p.Selections(now) {
					if s.Channel == ch && ended.Before(s.Before) && (s.NotQueues == nil && s.QueueID == q || s.NotQueues != nil && !slices.Contains(s.NotQueues, q)) {
						got++
					}
				}
				if got != want {
					t.Fatalf("seed %d, queue %q, %s, %s old: selected %d times, want %d\n%+v", seed, q, ch, now.Sub(ended), got, want, p.Rules)
				}
			}
		}
	}
}

func TestBadPoliciesAndPlacesAreRefused(t *testing.T) {
	for _, rules := range [][]Rule{{{}}, {{Days: 40000}}, {{Days: 1, Channel: "TASK"}}, {{Days: 1}, {Days: 2}}, make([]Rule, 501)} {
		p := &Policy{Meta: resource.Meta{Name: PolicyName}, Rules: rules}
		if err := p.Validate(); !errs.Is(err, errs.Invalid) {
			t.Errorf("%+v: %v", rules, err)
		}
	}
	good := StorageConfig{Meta: resource.Meta{Name: string(CallRecordings)}, Bucket: "acme", Prefix: "connect/acme"}
	if err := good.Validate(); err != nil {
		t.Error(err)
	}
	for name, change := range map[string]func(*StorageConfig){
		"type":         func(c *StorageConfig) { c.Name = "SCREEN_RECORDINGS" },
		"bucket":       func(c *StorageConfig) { c.Bucket = "UP" },
		"no prefix":    func(c *StorageConfig) { c.Prefix = "" },
		"out of it":    func(c *StorageConfig) { c.Prefix = "a/../b" },
		"slash":        func(c *StorageConfig) { c.Prefix = "/a" },
		"slash behind": func(c *StorageConfig) { c.Prefix = "a/" },
		"space":        func(c *StorageConfig) { c.Prefix = "a b" },
		"long":         func(c *StorageConfig) { c.Prefix = strings.Repeat("a/", 300) + "a" },
		"key":          func(c *StorageConfig) { c.KMSKeyID = "a\nb" },
	} {
		c := good
		change(&c)
		if err := c.Validate(); !errs.Is(err, errs.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestNobodyWritesWhereAnotherInstanceKeepsItsFiles(t *testing.T) {
	for prefix, ok := range map[string]bool{
		"connect/acme": true, "connect/acme/more": true, "calls": true, "connect": false, "connect/other": false, "connect/acme2": false,
	} {
		err := (&StorageConfig{Prefix: prefix}).CheckOwner("acme")
		if (err == nil) != ok {
			t.Errorf("%s: %v", prefix, err)
		}
	}
}

func TestAKeyMovesWithItsPrefix(t *testing.T) {
	const key = "connect/acme/CallRecordings/2026/11/22/c1_20261122T08:30_UTC.wav"
	c := &StorageConfig{Bucket: "theirs", Prefix: "calls/kr", KMSKeyID: "k"}
	for _, tt := range []struct {
		c    *StorageConfig
		want Place
	}{
		{nil, Place{Key: key}},
		{c, Place{Bucket: "theirs", Key: "calls/kr/CallRecordings/2026/11/22/c1_20261122T08:30_UTC.wav", KMSKey: "k"}},
		{&StorageConfig{Bucket: "operators", Prefix: "connect/acme"}, Place{Key: key}},
	} {
		if got := PlaceOf(tt.c, "acme", key, "operators"); got != tt.want {
			t.Errorf("%+v, want %+v", got, tt.want)
		}
	}
	if got, want := WaveformKey(key), "connect/acme/Waveforms/2026/11/22/c1_20261122T08:30_UTC.json"; got != want {
		t.Error(got)
	}
	if got := WaveformKey("a.b/c"); got != "a.b/c.json" {
		t.Error(fmt.Sprint(got))
	}
}
