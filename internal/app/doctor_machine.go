package app

import (
	"context"
	"fmt"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"ullim/prompts"
)

// openFiles compares the limit of open files with what the calls may take: a socket for each leg, a file for each
// recording, and what the rest needs.
func (d *doctor) openFiles(context.Context) []finding {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return warn("", "the limit is not known: %v", err)
	}
	return judgeFiles(limit.Max, d.cfg.SIP.MaxCalls) // Go raises the soft limit to the hard one by itself
}

// judgeFiles is the rule of openFiles.
func judgeFiles(limit uint64, calls int) []finding {
	need := uint64(3*calls + 500) // config checks the range
	if limit < need {
		return fail(fmt.Sprintf("raise it (systemd: LimitNOFILE=%d; shell: ulimit -n %d), or lower sip.max_calls", need, need),
			"the limit is %d, and sip.max_calls %d may need %d", limit, calls, need)
	}
	return fine("the limit is %d, sip.max_calls %d may need %d", limit, calls, need)
}

// speech lets every provider say something in both languages of the built-in texts.
func (d *doctor) speech(ctx context.Context) []finding {
	var found []finding
	for i, name := range d.cfg.Speech.Providers {
		voice, err := providerOf(name, d.cfg.Speech)
		if err != nil {
			return fail("see speech in the configuration", "%v", err)
		}
		found = append(found, d.speaks(ctx, voice, i == 0)...)
	}
	return found
}

// speaks judges one provider. One that is only asked when another fails is not needed to start.
func (d *doctor) speaks(ctx context.Context, voice prompts.Synthesizer, first bool) []finding {
	bad := warn
	if first {
		bad = fail
	}
	name := voice.Name()
	if e, ok := voice.(*prompts.Espeak); ok {
		version, err := e.Version(ctx)
		if err != nil {
			return bad("install it, or set speech.command; until then flows that speak take their error branch", "%v", err)
		}
		name, _, _ = strings.Cut(version, "  ") // the folder of the voices follows
	}
	var slowest time.Duration
	for _, s := range []prompts.Speech{
		{Text: "Thank you for calling. Please hold the line.", Language: "en-US"},
		{Text: "전화해 주셔서 감사합니다. 잠시만 기다려 주십시오.", Language: "ko-KR"},
	} {
		start := time.Now()
		limited, cancel := context.WithTimeout(ctx, d.cfg.Speech.Timeout)
		pcm, rate, err := voice.Synthesize(limited, s)
		cancel()
		if err != nil {
			return bad("see speech in the configuration, install its voices, or raise speech.timeout", "%s cannot speak %s: %v", name, s.Language, err)
		}
		if len(pcm) < rate {
			return bad("install its voices (espeak-ng: espeak-ng-data)", "%s says nothing in %s", name, s.Language)
		}
		slowest = max(slowest, time.Since(start))
	}
	text := fmt.Sprintf("%s speaks English and Korean, a sentence in %d ms", name, slowest.Milliseconds())
	if slowest > d.cfg.Speech.Timeout/2 {
		return warn("raise speech.timeout, or see what burdens this machine", "%s, and speech.timeout is %s", text, d.cfg.Speech.Timeout)
	}
	return fine("%s", text)
}

// builtIn is a year in which this program was written: a clock before it is wrong.
const builtIn = 2026

// clock looks at the year, at jumps, and at whether the kernel's clock is kept in step by NTP.
func (d *doctor) clock(context.Context) []finding {
	now := time.Now()
	jump := now.Round(0).Sub(d.began.Round(0)) - now.Sub(d.began) // the wall clock's time less the monotonic one's
	var t unix.Timex
	state, err := unix.Adjtimex(&t)
	return judgeClock(now, jump, err == nil, err == nil && state != unix.TIME_ERROR && t.Status&unix.STA_UNSYNC == 0)
}

// judgeClock is the rule of clock. known: the kernel tells whether its clock is synchronised.
func judgeClock(now time.Time, jump time.Duration, known, synchronised bool) []finding {
	text := now.UTC().Format("2006-01-02 15:04:05 UTC")
	switch {
	case now.Year() < builtIn:
		return fail("set the clock, and let NTP keep it (chrony or systemd-timesyncd)", "%s cannot be right: signed requests would be refused", text)
	case jump.Abs() > 200*time.Millisecond:
		return warn("let one program alone keep the clock", "%s; it jumped by %s while the doctor looked", text, jump.Round(time.Millisecond))
	case known && !synchronised:
		return warn("install chrony or systemd-timesyncd: Amazon's signatures allow five minutes, and records of several machines should agree",
			"%s, not kept in step by NTP", text)
	case !known:
		return fine("%s; this system does not tell whether NTP keeps it", text)
	}
	return fine("%s, kept in step by NTP", text)
}
