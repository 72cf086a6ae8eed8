package app

import (
	"strings"
	"testing"
	"time"

	"ullim/internal/contact"
	"ullim/internal/resource"
	"ullim/internal/stream"
	"ullim/internal/wav"
	"ullim/sip/siptest"
)

// sides reads a stereo recording of the store.
func (y *yard) sides(rec contact.Recording) (left, right []int16) {
	y.t.Helper()
	body, _, err := y.app.blobs.Get(y.ctx, rec.Location)
	y.must(err)
	defer body.Close()
	sound, err := wav.Decode(body, recordingBytes)
	y.must(err)
	if sound.Channels != 2 {
		y.t.Fatalf("%s has %d channels", rec.Location, sound.Channels)
	}
	for i, v := range sound.PCM {
		if i%2 == 0 {
			left = append(left, v)
		} else {
			right = append(right, v)
		}
	}
	return left, right
}

func TestThePartWithFlowsIsARecordingOfItsOwn(t *testing.T) {
	inYard(t, func(t *testing.T, y *yard) {
		t.Helper()
		customer := y.call(`{"Identifier":"a","Type":"UpdateContactRecordingBehavior","Parameters":{"RecordingBehavior":{"RecordedParticipants":["Agent","Customer"],
			"IVRRecordingBehavior":"Enabled","ScreenRecordedParticipants":["Agent"]}},"Transitions":{"NextAction":"b"}},
		{"Identifier":"b","Type":"MessageParticipant","Parameters":{"Text":"Welcome. This takes a while to say, so that there is something to be heard."},"Transitions":{"NextAction":"c","Errors":[{"NextAction":"end","ErrorType":"NoMatchingError"}]}},
		{"Identifier":"c","Type":"UpdateContactTargetQueue","Parameters":{"QueueId":"Sales"},"Transitions":{"NextAction":"d","Errors":[{"NextAction":"end","ErrorType":"NoMatchingError"}]}},
		{"Identifier":"d","Type":"TransferContactToQueue","Parameters":{},"Transitions":{"NextAction":"end","Errors":[{"NextAction":"end","ErrorType":"QueueAtCapacity"},{"NextAction":"end","ErrorType":"NoMatchingError"}]}}`)
		time.Sleep(10 * time.Second)
		y.must(y.stage.status(y.ctx, y.agents["kim"].userID, "Available"))
		agent, err := y.agents["kim"].phone.NextCall(y.ctx)
		y.must(err)
		y.must(agent.WaitConfirmed(y.ctx))
		kim := y.agents["kim"].phone.Voice()
		y.eventually("the customer hears the agent", func() bool {
			return siptest.Share(customer.HeardBetween(time.Now().Add(-time.Second), time.Now()), kim) > 0.6
		})
		time.Sleep(5 * time.Second)
		customer.Hangup()
		y.record()
		y.eventually("the recordings are stored", func() bool {
			for _, r := range contactsOf(t, y.trial)[0].Recordings {
				if r.Status != contact.RecordingAvailable {
					return false
				}
			}
			return true
		})
		r := contactsOf(t, y.trial)[0]
		if len(r.Recordings) != 2 || r.Recordings[0].Media != contact.MediaIVR || r.Recordings[1].Media != "" {
			t.Fatalf("the recordings are %+v", r.Recordings)
		}
		ivr, talk := r.Recordings[0], r.Recordings[1]
		if !strings.Contains(ivr.Location, "/CallRecordings/") || !strings.Contains(ivr.Location, r.ID+"_ivr_") {
			t.Errorf("the key is %s", ivr.Location)
		}
		if d := talk.Start.Sub(ivr.Stop).Abs(); ivr.Stop.Sub(ivr.Start) < 10*time.Second || d > time.Second {
			t.Errorf("of the flow from %s to %s, of the talk from %s", ivr.Start, ivr.Stop, talk.Start)
		}
		left, right := y.sides(ivr)
		if share := siptest.Share(left, siptest.Voice("caller")); share < 0.8 {
			t.Errorf("%.2f of the left side is the caller", share)
		}
		if siptest.RMS(right[:3*8000]) < 100 {
			t.Error("the flow is not heard on the right")
		}
		if share := siptest.Share(right, kim); share > 0.1 {
			t.Errorf("%.2f of the right side is the agent", share)
		}
	})
}

func TestLiveAudioIsInTheRecord(t *testing.T) {
	inYard(t, func(t *testing.T, y *yard) {
		t.Helper()
		listener := y.bot(nil)
		talker := y.bot(func(b *bot) {
			b.mark("x")
			b.await("mark x")
			b.send(`{"event":"stop","streamSid":"x"}`)
			b.conn.CloseNow()
		})
		y.must(y.app.stores.audio.Create(y.ctx, &stream.Destination{Meta: resource.Meta{InstanceID: y.stage.id, Name: "default"}, URL: listener.url}))
		customer := y.call(`{"Identifier":"a","Type":"UpdateContactMediaStreamingBehavior","Parameters":{"MediaStreamingState":"Enabled","MediaStreamType":"Audio",
			"Participants":[{"ParticipantType":"Customer","MediaDirections":["To","From"]}]},"Transitions":{"NextAction":"b","Errors":[{"NextAction":"end","ErrorType":"NoMatchingError"}]}},
		{"Identifier":"b","Type":"Ullim.ConnectParticipantWithBot","Parameters":{"Url":"` + talker.url + `"},
			"Transitions":{"NextAction":"end","Errors":[{"NextAction":"end","ErrorType":"NoMatchingError"},{"NextAction":"end","ErrorType":"NoMatchingCondition"}]}}`)
		_, err := customer.WaitEnded(y.ctx)
		y.must(err)
		r := y.record()
		if len(r.Streams) != 2 {
			t.Fatalf("the streams are %+v", r.Streams)
		}
		for i, want := range []contact.MediaStream{{Type: "STREAM", Destination: "default"}, {Type: "AUTOMATED_INTERACTION"}} {
			s := r.Streams[i]
			if s.Type != want.Type || s.Destination == "" || want.Destination != "" && s.Destination != want.Destination || strings.Contains(s.Destination, "/") {
				t.Errorf("stream %d is %+v", i, s)
			}
			if s.Start.IsZero() || s.End.Before(s.Start) {
				t.Errorf("stream %d is from %s to %s", i, s.Start, s.End)
			}
		}
	})
}
