package app

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"ullim/internal/contact"
	"ullim/internal/resource"
	"ullim/internal/wav"
	"ullim/media/g711"
	"ullim/prompts"
	"ullim/sip/siptest"
)

const recordingBytes = 64 << 20 // no recording of ours is larger

// report checks what every side heard and what was stored, prints it, and gives the number of checks that failed.
func (t *trial) report(ctx context.Context) int {
	records, err := t.records(ctx)
	if err != nil {
		t.print("contact records cannot be read: %v\n", err)
		return 1
	}
	for _, a := range t.acts {
		t.examine(ctx, a, records[a.number])
	}
	t.printRecords(records)
	t.printTimes(records)
	failed := t.printChecks()
	t.print("\nRecordings lie under %s\n", filepath.Join(t.o.Dir, "blobs"))
	return failed
}

// records finds each act's contact records by the number that was called.
func (t *trial) records(ctx context.Context) (map[string][]*contact.Record, error) {
	all, _, err := t.app.db.Contacts(ctx, t.stage.id, t.start, time.Now().Add(time.Second), resource.Page{Max: 1000})
	out := map[string][]*contact.Record{}
	for _, r := range all {
		out[r.SystemEndpoint.Address] = append(out[r.SystemEndpoint.Address], r)
	}
	return out, err
}

// examine adds the checks of an act that can only be made when all is over.
func (t *trial) examine(ctx context.Context, a *act, rs []*contact.Record) {
	a.check("one contact record", len(rs) == 1, "%d", len(rs))
	if len(rs) == 0 || a.call == nil {
		return
	}
	r := rs[0]
	a.check("the greeting is heard", t.heard(ctx, a, "Greeting"), "by correlation with the spoken text")
	switch a.label {
	case "call 2":
		a.check("the closed message is heard", t.heard(ctx, a, "Closed"), "by correlation with the spoken text")
		a.check("reason", r.DisconnectReason == contact.ContactFlowDisconnect, "%s", r.DisconnectReason)
	case "call 3", "call 5":
		a.check("counts as abandoned", r.Abandoned() && r.DisconnectReason == contact.CustomerDisconnect, "%s", r.DisconnectReason)
	case "call 1", "call 4":
		t.examineTalk(ctx, a, r)
	}
	if a.label == "call 1" {
		music := a.call.HeardBetween(a.when("QUEUED"), a.when("accepted"))
		a.check("music is heard in the queue", siptest.Contains(music, prompts.Music()[:2*prompts.Rate]), "by correlation")
	}
	if a.label == "call 4" {
		a.check("two agents were asked", r.AgentConnectionAttempts == 2, "%d", r.AgentConnectionAttempts)
	}
}

// examineTalk checks both sides' sound and the recording of an act in which an agent answered.
func (t *trial) examineTalk(ctx context.Context, a *act, r *contact.Record) {
	name := a.agents[len(a.agents)-1]
	a.check("reason", r.DisconnectReason == contact.CustomerDisconnect, "%s", r.DisconnectReason)
	a.check("agent", r.Agent != nil && r.Agent.Username == name, "%s", name)
	if a.agent == nil {
		a.check("the agent's phone was called", false, "no call")
		return
	}
	from, to := a.when("CONNECTED_TO_AGENT").Add(200*time.Millisecond), a.when("DISCONNECTED")
	caller, agent := siptest.Voice("caller "+a.label), t.agents[name].phone.Voice()
	heard := siptest.Share(a.call.HeardBetween(from, to), agent)
	a.check("the caller hears the agent", heard > t.share, "%.0f %% of the talk", 100*heard)
	heard = siptest.Share(a.agent.HeardBetween(from, to), caller)
	a.check("the agent hears the caller", heard > t.share, "%.0f %% of the talk", 100*heard)
	t.examineRecording(ctx, a, r, caller, agent)
}

func (t *trial) examineRecording(ctx context.Context, a *act, r *contact.Record, caller, agent siptest.Source) {
	if len(r.Recordings) != 1 || r.Recordings[0].Status != contact.RecordingAvailable {
		a.check("recording is stored", false, "%+v", r.Recordings)
		return
	}
	rec := r.Recordings[0]
	body, _, err := t.app.blobs.Get(ctx, rec.Location)
	if err != nil {
		a.check("recording is stored", false, "%v", err)
		return
	}
	defer body.Close()
	sound, err := wav.Decode(body, recordingBytes)
	if err != nil || sound.Channels != 2 {
		a.check("recording is stereo", false, "%v", err)
		return
	}
	var side [2][]int16
	for i, v := range sound.PCM {
		side[i%2] = append(side[i%2], v)
	}
	left, right := siptest.Share(side[0], caller), siptest.Share(side[1], agent)
	a.check("recording: caller left, agent right", left > t.share && right > t.share, "%.0f %% and %.0f %% of %.1f s, %s",
		100*left, 100*right, sound.Length().Seconds(), rec.Location)
}

// heard reports whether the caller heard the text that an action of the act's flow speaks.
func (t *trial) heard(ctx context.Context, a *act, action string) bool {
	flow, err := t.app.flows.Published(ctx, t.stage.id, a.queue+" flow")
	if err != nil {
		return false
	}
	var doc struct {
		Actions []struct {
			Identifier string
			Parameters struct{ Text, TextToSpeechVoice string }
		}
	}
	if json.Unmarshal([]byte(flow.Published), &doc) != nil {
		return false
	}
	speech := prompts.Speech{Language: t.o.Language}
	for _, act := range doc.Actions {
		if v := act.Parameters.TextToSpeechVoice; v != "" {
			speech.Voice = v
		}
		if act.Identifier == action {
			speech.Text = act.Parameters.Text
		}
	}
	audio, err := t.app.speaker.Speak(ctx, speech)
	if err != nil {
		return false
	}
	var reference []int16
	for _, frame := range audio.Frames("PCMU") {
		pcm := make([]int16, len(frame))
		g711.DecodeULaw(pcm, frame)
		reference = append(reference, pcm...)
	}
	return siptest.Contains(a.call.Heard(), reference)
}

func (t *trial) table(header string, rows func(row func(cells ...string))) {
	t.out.Lock()
	defer t.out.Unlock()
	fmt.Fprintln(t.o.Out)
	w := tabwriter.NewWriter(t.o.Out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, strings.ReplaceAll(header, "|", "\t"))
	rows(func(cells ...string) { fmt.Fprintln(w, strings.Join(cells, "\t")) })
	_ = w.Flush()
}

func (t *trial) printRecords(records map[string][]*contact.Record) {
	t.table("CONTACT RECORDS|customer|number|queue|waited|agent|tries|talked|recording|reason", func(row func(...string)) {
		for _, a := range t.acts {
			for _, r := range records[a.number] {
				queue, waited, agent, talked, recording := "-", "-", "-", "-", "-"
				if r.Queue != nil {
					queue, waited = r.Queue.Name, seconds(r.Queue.Duration())
				}
				if r.Agent != nil {
					agent, talked = r.Agent.Username, seconds(r.DisconnectTimestamp.Sub(r.Agent.ConnectedToAgentTimestamp))
				}
				if len(r.Recordings) > 0 {
					recording = fmt.Sprintf("%s, %d KiB", r.Recordings[0].Status, r.Recordings[0].Bytes>>10)
				}
				row(a.label, r.CustomerEndpoint.Address, r.SystemEndpoint.Address, queue, waited, agent,
					fmt.Sprint(r.AgentConnectionAttempts), talked, recording, string(r.DisconnectReason))
			}
		}
	})
}

func (t *trial) printTimes(records map[string][]*contact.Record) {
	t.table("TIMES|set-up (INVITE to 200)|agent's answer to talk|audio gaps p50 / p99 / max|packets lost", func(row func(...string)) {
		for _, a := range t.acts {
			if a.call == nil {
				continue
			}
			times, gaps, joined := a.call.Times(), a.call.Gaps(), "-"
			for _, r := range records[a.number] {
				if r.Agent != nil {
					joined = seconds(r.Agent.ConnectedToAgentTimestamp.Sub(r.Agent.AcceptedByAgentTimestamp)) + " (whispers)"
				}
			}
			row(a.label, millis(times.Answered.Sub(times.Invite)), joined,
				fmt.Sprintf("%s / %s / %s", millis(gaps.P50), millis(gaps.P99), millis(gaps.Max)),
				fmt.Sprint(a.call.RTPStats().Lost))
		}
	})
}

func (t *trial) printChecks() (failed int) {
	for _, a := range t.acts {
		t.print("\n%s: %s\n", a.label, a.title)
		for _, c := range a.checks {
			mark := "ok    "
			if !c.ok {
				mark = "FAILED"
				failed++
			}
			t.print("  %s  %s (%s)\n", mark, c.what, c.detail)
		}
	}
	return failed
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.1f s", d.Seconds()) }
func millis(d time.Duration) string  { return fmt.Sprintf("%.1f ms", float64(d.Microseconds())/1000) }
