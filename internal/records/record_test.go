package records

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ullim/internal/contact"
)

// day is when the records of the tests begin.
func day(seconds float64) time.Time {
	return time.Date(2026, 11, 22, 8, 30, 0, 0, time.FixedZone("KST", 9*3600)).Add(time.Duration(seconds * float64(time.Second)))
}

// full is a record in which everything has happened.
func full() *contact.Record {
	return &contact.Record{
		ID: "c2", InstanceID: "i1", InitialContactID: "c1", PreviousContactID: "c1", NextContactID: "c3", RelatedContactID: "c0",
		Channel: contact.Voice, InitiationMethod: contact.Transfer, Name: "이름", Description: "무엇", CustomerID: "cust-1",
		CustomerEndpoint: contact.Endpoint{Type: contact.TelephoneNumber, Address: "+821012345678", DisplayName: "홍길동"},
		SystemEndpoint:   contact.Endpoint{Type: contact.TelephoneNumber, Address: "+82215778000"},
		TransferredTo:    &contact.Endpoint{Type: contact.TelephoneNumber, Address: "+82215779999"},

		InitiationTimestamp: day(0), ConnectedToSystemTimestamp: day(0.9), DisconnectTimestamp: day(100.1), LastUpdateTimestamp: day(130),
		TransferCompletedTimestamp: day(99), RingStartTimestamp: day(0.5), ScheduledTimestamp: day(-60),
		LastPausedTimestamp: day(50), LastResumedTimestamp: day(55),
		Queue: &contact.QueueInfo{ID: "q1", Name: "주문", EnqueueTimestamp: day(1.9), DequeueTimestamp: day(11.1)},
		Agent: &contact.AgentInfo{
			ID: "u1", Username: "kim", RoutingProfileID: "r1", RoutingProfileName: "기본", RingStartTimestamp: day(9),
			AcceptedByAgentTimestamp: day(10.5), ConnectedToAgentTimestamp: day(11.1), AgentInteractionEndTimestamp: day(100.1),
			AfterContactWorkStart: day(100.1), AfterContactWorkEnd: day(130), DeviceID: "d1",
			HierarchyGroups: []contact.Group{{ID: "g1", Name: "서울"}, {ID: "g2", Name: "1팀"}},
			Holds:           contact.Holds{Count: 2, Duration: 12 * time.Second, Longest: 9 * time.Second, ByAgent: 9 * time.Second},
			Transitions:     []contact.Transition{{State: "SILENT_MONITOR", UserID: "u9", Start: day(20), End: day(30)}},
		},
		AgentConnectionAttempts: 2, Attributes: map[string]string{"tier": "gold"}, DisconnectReason: contact.AgentDisconnect,
		Recordings: []contact.Recording{
			{Location: "connect/a/1.wav", Start: day(11.1), Stop: day(60), Status: contact.RecordingAvailable},
			{Location: "connect/a/2.wav", Status: contact.RecordingSpooled},
			{Location: "connect/a/3.wav", Status: contact.RecordingDeleted, Reason: "요청"},
		},
		CustomerQuality: &contact.Quality{Sent: 4000, Received: 3000, Lost: 1000, Jitter: 40 * time.Millisecond, MOS: 2.123},
		AgentQuality:    &contact.Quality{Sent: 4000, Received: 4000, RoundTrip: 400 * time.Millisecond, MOS: 4.4},
		Attestation:     &contact.Attestation{Level: "A"}, Tags: map[string]string{"team": "one"},
		References: map[string]contact.Reference{"b": {Type: "URL", Value: "https://b"}, "a": {Type: "STRING", Value: "x"}},

		QueuePriority: 3, QueueTimeAdjustment: -30 * time.Second,
		Criteria: []contact.Step{{Expression: "ko >= 3", Expiry: 30 * time.Second, Status: "EXPIRED"}, {Expression: "ko >= 1", Status: "JOINED"}},
		Offers: []contact.Offer{
			{UserID: "u2", Start: day(2), End: day(8), Outcome: "MISSED"}, {UserID: "u1", Start: day(9), End: day(10.5), Outcome: "ANSWERED"},
		},
		Streams: []contact.MediaStream{{Type: "STREAM", Destination: "bot", Start: day(1), End: day(2)}},
		ChatMetrics: &contact.ChatMetrics{
			AgentMessages: 3, CustomerMessages: 2, BotMessages: 1, FirstAgentResponse: 1500 * time.Millisecond,
			TotalAgentResponse: 4 * time.Second, AgentResponses: 2,
		},
		CampaignID: "k1", AnsweringMachineDetection: "HUMAN_ANSWERED", GreetingStart: day(1), GreetingEnd: day(2),
		Disposition: "sold", Notes: "잘 됨",
	}
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	var out bytes.Buffer
	if err := json.Indent(&out, got, "", "  "); err != nil {
		t.Fatal(err)
	}
	out.WriteByte('\n')
	path := filepath.Join("testdata", name)
	if os.Getenv("ULLIM_UPDATE") != "" {
		if err := os.WriteFile(path, out.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), out.String()); d != "" {
		t.Errorf("%s (-want +got):\n%s", name, d)
	}
}

func TestARecordHasTheExportedShape(t *testing.T) {
	for name, r := range map[string]*contact.Record{
		"full.json": full(),
		"abandoned.json": {
			ID: "c1", InstanceID: "i1", Channel: contact.Voice, InitiationMethod: contact.Inbound, InitiationTimestamp: day(0),
			ConnectedToSystemTimestamp: day(0), DisconnectTimestamp: day(31), LastUpdateTimestamp: day(31),
			Queue:            &contact.QueueInfo{ID: "q1", Name: "주문", EnqueueTimestamp: day(1), DequeueTimestamp: day(31)},
			DisconnectReason: contact.CustomerDisconnect,
		},
	} {
		got, err := JSON(r)
		if err != nil {
			t.Fatal(err)
		}
		golden(t, name, got)
	}
}

// A3 names these; a field that is lost from the shape is lost here.
func TestEveryFieldOfTheSpecificationIsThere(t *testing.T) {
	b, err := JSON(full())
	if err != nil {
		t.Fatal(err)
	}
	var shape map[string]any
	if err = json.Unmarshal(b, &shape); err != nil {
		t.Fatal(err)
	}
	for path := range strings.FieldsSeq(`AWSAccountId AWSContactTraceRecordFormatVersion Agent.ARN Agent.Username Agent.RoutingProfile.ARN
		Agent.RoutingProfile.Name Agent.HierarchyGroups.Level1.GroupName Agent.ConnectedToAgentTimestamp Agent.AcceptedByAgentTimestamp
		Agent.PreviewEndTimestamp Agent.AgentInteractionDuration Agent.CustomerHoldDuration Agent.NumberOfHolds Agent.LongestHoldDuration
		Agent.AgentInitiatedHoldDuration Agent.AfterContactWorkStartTimestamp Agent.AfterContactWorkEndTimestamp
		Agent.AfterContactWorkDuration Agent.AgentPauseDuration Agent.DeviceInfo.DeviceId Agent.Capabilities Agent.StateTransitions
		AgentConnectionAttempts AnsweringMachineDetectionStatus Attributes.tier Campaign.CampaignId Channel ChatMetrics
		ConnectedToSystemTimestamp ContactAssociationId ContactDetails.Name ContactDetails.Description ContactEvaluations ContactId
		CustomerEndpoint.Type CustomerEndpoint.Address CustomerEndpoint.DisplayName CustomerId CustomerVoiceActivity.GreetingStartTimestamp
		CustomerVoiceActivity.GreetingEndTimestamp DisconnectDetails.PotentialDisconnectIssue DisconnectReason DisconnectTimestamp
		InitialContactId InitiationMethod InitiationTimestamp InstanceARN LastPausedTimestamp LastResumedTimestamp LastUpdateTimestamp
		MediaStreams NextContactId PreviousContactId QualityMetrics.Agent QualityMetrics.Customer Queue.ARN Queue.Name
		Queue.EnqueueTimestamp Queue.DequeueTimestamp Queue.Duration QueuePriority QueueTimeAdjustmentSeconds Recording.Location Recordings
		References RelatedContactId RingStartTimestamp RoutingCriteria.Steps ScheduledTimestamp SegmentAttributes.connect:Subtype
		SystemEndpoint.Address Tags TaskTemplateInfo TransferCompletedTimestamp TransferredToEndpoint.Address`) {
		at, found := any(shape), false
		for part := range strings.SplitSeq(path, ".") {
			m, _ := at.(map[string]any)
			at, found = m[part]
		}
		if !found {
			t.Errorf("%s is missing", path)
		}
	}
}

func TestDurationsAreThoseBetweenTheTimesAsTheyAreShown(t *testing.T) {
	r := RecordOf(full())
	// 1.9 s to 11.1 s are shown as :01 and :11: 10 s for whoever subtracts them.
	if r.Queue.Duration != 10 || r.Agent.AfterContactWorkDuration != 30 || r.Agent.AgentInteractionDuration != 89-12 {
		t.Errorf("queue %d, after-contact work %d, interaction %d", r.Queue.Duration, r.Agent.AfterContactWorkDuration, r.Agent.AgentInteractionDuration)
	}
}

func TestWhatMayHaveEndedACallIsToldFromItsQuality(t *testing.T) {
	ended := func(change func(*contact.Record)) *contact.Record {
		r := &contact.Record{Channel: contact.Voice, DisconnectTimestamp: day(1), DisconnectReason: contact.CustomerDisconnect}
		change(r)
		return r
	}
	for want, r := range map[string]*contact.Record{
		"":                        ended(func(*contact.Record) {}),
		"AGENT_NO_AUDIO_RECEIVED": ended(func(r *contact.Record) { r.AgentQuality = &contact.Quality{Sent: 100} }),
		"CUSTOMER_CONNECTIVITY_ISSUE": ended(func(r *contact.Record) {
			r.CustomerQuality = &contact.Quality{Sent: 1, Received: 1, MaxGap: 3 * time.Second}
		}),
		"TELECOM_CONNECTIVITY_ISSUE": ended(func(r *contact.Record) { r.DisconnectReason = contact.TelecomProblem }),
	} {
		if got := PotentialIssue(r); got != want {
			t.Errorf("issue %q, want %q", got, want)
		}
	}
	if PotentialIssue(&contact.Record{Channel: contact.Voice, AgentQuality: &contact.Quality{Sent: 9}}) != "" {
		t.Error("a call that goes on has ended by something")
	}
}

func types(items []Item) string {
	out := make([]string, 0, len(items))
	for _, i := range items {
		if i.Kind == KindRecord {
			out = append(out, "record")
			continue
		}
		out = append(out, i.Type)
	}
	return strings.Join(out, " ")
}

func TestEventsAreToldOnceAndInOrderAndTheRecordWhenItIsComplete(t *testing.T) {
	r := &contact.Record{ID: "c1", InstanceID: "i1", Channel: contact.Voice, InitiationMethod: contact.Inbound, InitiationTimestamp: day(0), LastUpdateTimestamp: day(0)}
	var told Told
	number := int64(0)
	ids := map[string]bool{}
	step := func(want string, working, wantWaiting bool, change func()) []Item {
		t.Helper()
		change()
		items, now, waiting, err := Follow(told, r, working)
		if err != nil {
			t.Fatal(err)
		}
		if got := types(items); got != want || waiting != wantWaiting {
			t.Errorf("told %q, want %q; waiting %v", got, want, waiting)
		}
		again, _, _, err := Follow(told, r, working)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(items, again); d != "" {
			t.Errorf("the same told again is not the same: %s", d)
		}
		for _, i := range items {
			if number++; i.Number != number || ids[i.ID] {
				t.Errorf("item %s has number %d, want %d, and the id %s", i.Type, i.Number, number, i.ID)
			}
			ids[i.ID] = true
		}
		told = now
		if more, _, _, _ := Follow(told, r, working); len(more) != 0 {
			t.Errorf("told again without a change: %s", types(more))
		}
		return items
	}
	step("INITIATED", false, false, func() { r.Attributes = map[string]string{"a": "1"} })
	step("CONNECTED_TO_SYSTEM", false, false, func() { r.ConnectedToSystemTimestamp = day(1) })
	items := step("CONTACT_DATA_UPDATED", false, false, func() { r.Attributes = map[string]string{"a": "2"}; r.LastUpdateTimestamp = day(2) })
	if !strings.Contains(string(items[0].Body), `"updatedProperties":["ContactDetails.UserDefinedAttributes"]`) {
		t.Errorf("updated: %s", items[0].Body)
	}
	step("QUEUED CONNECTED_TO_AGENT", true, false, func() {
		r.Queue = &contact.QueueInfo{ID: "q1", EnqueueTimestamp: day(3)}
		r.Agent = &contact.AgentInfo{ID: "u1", ConnectedToAgentTimestamp: day(5)}
	})
	step("PAUSED", true, false, func() { r.LastPausedTimestamp = day(6) })
	step("RESUMED", true, false, func() { r.LastResumedTimestamp = day(7) })
	step("DISCONNECTED", true, true, func() { r.DisconnectTimestamp, r.DisconnectReason = day(9), contact.AgentDisconnect })
	step("COMPLETED record", true, false, func() { r.Agent.AfterContactWorkEnd, r.LastUpdateTimestamp = day(20), day(20) })
	step("", false, false, func() { r.LastUpdateTimestamp = day(21) })
	step("record", false, false, func() {
		r.Recordings, r.LastUpdateTimestamp = []contact.Recording{{Location: "x", Status: contact.RecordingAvailable}}, day(22)
	})
	step("CONTACT_DATA_UPDATED record", false, false, func() { r.Disposition, r.LastUpdateTimestamp = "sold", day(23) })
}

func TestAContactThatIsSeenLateIsToldWhole(t *testing.T) {
	items, told, waiting, err := Follow(Told{}, full(), false)
	if err != nil || waiting || !told.Completed {
		t.Fatalf("waiting %v, told %+v, %v", waiting, told, err)
	}
	want := "INITIATED CONNECTED_TO_SYSTEM QUEUED CONNECTED_TO_AGENT PAUSED RESUMED DISCONNECTED COMPLETED record"
	if got := types(items); got != want {
		t.Errorf("told %s, want %s", got, want)
	}
	last := items[len(items)-1]
	again, _, err := RecordItem(full())
	if err != nil || again.ID != last.ID {
		t.Errorf("a replay has the id %s, the record had %s: %v", again.ID, last.ID, err)
	}
	for i, name := range []string{"initiated.json", "", "", "connected_to_agent.json", "", "", "", "completed.json"} {
		if name != "" {
			body, err := items[i].Envelope()
			if err != nil {
				t.Fatal(err)
			}
			golden(t, name, body)
		}
	}
}

func TestACallbackBeginsWithItsBeginning(t *testing.T) {
	r := &contact.Record{ID: "c1", InstanceID: "i1", InitiationTimestamp: day(100), Queue: &contact.QueueInfo{ID: "q", EnqueueTimestamp: day(1)}}
	items, _, _, err := Follow(Told{}, r, false)
	if err != nil || types(items) != "INITIATED QUEUED" {
		t.Errorf("told %s, %v", types(items), err)
	}
}

func TestAWindowMovesOnlyOverWhatIsDone(t *testing.T) {
	d, now := &Destination{}, day(0)
	page := make([]Logged, 5)
	for i := range page {
		page[i] = Logged{Item: Item{Seq: int64(10 + i)}, Added: now}
	}
	w := newWindow()
	w.done[11], w.done[12] = true, true
	if seq := w.advance(9, page); seq != 9 {
		t.Errorf("moved to %d", seq)
	}
	for i := 1; i < maxRefusals; i++ {
		if w.failed(d, &page[0], true, "400", now) {
			t.Fatalf("given up after %d refusals", i)
		}
	}
	if !w.failed(d, &page[0], true, "400", now) {
		t.Fatal("never given up")
	}
	if seq := w.advance(9, page); seq != 12 {
		t.Errorf("moved to %d, want 12", seq)
	}
	if l := w.letters(12); len(l) != 1 || l[0].Item.Seq != 10 || l[0].Tries != maxRefusals {
		t.Errorf("letters: %+v", l)
	}
	// What passes is tried until it is too old, however often.
	for range 100 {
		if w.failed(d, &page[3], false, "503", now.Add(DefaultGiveUp-1)) {
			t.Fatal("given up too early")
		}
	}
	if !w.failed(d, &page[3], false, "503", now.Add(DefaultGiveUp)) || len(w.letters(12)) != 0 || len(w.letters(13)) != 1 {
		t.Error("too old and not given up, or the letter is written too early")
	}
}

func TestPausesGrowAndEnd(t *testing.T) {
	last := time.Duration(0)
	for n := 1; n < 40; n++ {
		d := pause(n, 1)
		if d < last || d > maxPause {
			t.Errorf("pause %d is %v after %v", n, d, last)
		}
		last = d
	}
	if last != maxPause || pause(1, 0) <= 0 {
		t.Errorf("the longest is %v", last)
	}
}

func TestADestinationIsValid(t *testing.T) {
	for _, bad := range []Destination{
		{},
		{Type: "X"},
		{Type: Webhook},
		{Type: File, URL: "https://x"},
		{Type: File, Prefix: "x"},
		{Type: S3, Prefix: "/x"},
		{Type: S3, Prefix: "a/../b"},
		{Type: S3, Prefix: "a//b"},
		{Type: File, Kinds: []Kind{"X"}},
		{Type: File, Kinds: []Kind{KindRecord, KindRecord}},
		{Type: File, GiveUp: -1},
	} {
		bad.Name = "n"
		if bad.Validate() == nil {
			t.Errorf("%+v is valid", bad)
		}
	}
	for _, name := range []string{"", "../x", "a b", strings.Repeat("x", 65)} {
		bad := Destination{Type: File}
		bad.Name = name
		if bad.Validate() == nil {
			t.Errorf("the name %q is valid", name)
		}
	}
	good := Destination{Type: S3, Prefix: "a/b.c/d_e"}
	good.Name = "crm"
	if err := good.Validate(); err != nil || !good.Wants(KindEvent) {
		t.Error(err)
	}
	good.Kinds = slices.Clone([]Kind{KindRecord})
	if good.Wants(KindEvent) {
		t.Error("it wants what it does not want")
	}
}
