package telemetry

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"ullim/internal/contact"
	"ullim/internal/errs"
)

func compare(t *testing.T, m *Metrics, want string, names ...string) {
	t.Helper()
	if err := testutil.GatherAndCompare(m.registry, strings.NewReader(want), names...); err != nil {
		t.Error(err)
	}
}

func TestWhatIsToldIsCounted(t *testing.T) {
	m := New()
	m.SIPRequest("INVITE", 200)
	m.SIPRequest("INVITE", 603)
	m.SIPRequest("ACK", 0)
	m.SIPRequest("EVIL\nMETHOD", 405)
	m.SIPRequest("WORSE", 405)
	m.InviteRefused(RefusedChannels)
	m.InviteRefused("made up")
	m.ContactClosed(contact.CustomerDisconnect)
	m.ContactClosed("")
	m.FlowAction("MessageParticipant", "ok")
	m.FlowAction("MessageParticipant", "ok")
	m.Commit(3 * time.Millisecond)

	compare(t, m, `
# HELP ullim_sip_requests_total SIP requests received, by method and class of the final response.
# TYPE ullim_sip_requests_total counter
ullim_sip_requests_total{class="2xx",method="INVITE"} 1
ullim_sip_requests_total{class="4xx",method="other"} 2
ullim_sip_requests_total{class="6xx",method="INVITE"} 1
ullim_sip_requests_total{class="none",method="ACK"} 1
# HELP ullim_contacts_closed_total Contacts closed, by disconnect reason.
# TYPE ullim_contacts_closed_total counter
ullim_contacts_closed_total{reason="AGENT_DISCONNECT"} 0
ullim_contacts_closed_total{reason="CONTACT_FLOW_DISCONNECT"} 0
ullim_contacts_closed_total{reason="CUSTOMER_DISCONNECT"} 1
ullim_contacts_closed_total{reason="EXPIRED"} 0
ullim_contacts_closed_total{reason="OTHER"} 1
ullim_contacts_closed_total{reason="OUTBOUND_ATTEMPT_FAILED"} 0
ullim_contacts_closed_total{reason="OUTBOUND_DESTINATION_ENDPOINT_ERROR"} 0
ullim_contacts_closed_total{reason="TELECOM_PROBLEM"} 0
ullim_contacts_closed_total{reason="THIRD_PARTY_DISCONNECT"} 0
# HELP ullim_flow_actions_total Flow actions run, by type and outcome.
# TYPE ullim_flow_actions_total counter
ullim_flow_actions_total{outcome="ok",type="MessageParticipant"} 2
# HELP ullim_db_commit_seconds Time of database commits, with the wait for the writer.
# TYPE ullim_db_commit_seconds histogram
ullim_db_commit_seconds_bucket{le="0.0005"} 0
ullim_db_commit_seconds_bucket{le="0.001"} 0
ullim_db_commit_seconds_bucket{le="0.0025"} 0
ullim_db_commit_seconds_bucket{le="0.005"} 1
ullim_db_commit_seconds_bucket{le="0.01"} 1
ullim_db_commit_seconds_bucket{le="0.025"} 1
ullim_db_commit_seconds_bucket{le="0.05"} 1
ullim_db_commit_seconds_bucket{le="0.1"} 1
ullim_db_commit_seconds_bucket{le="0.25"} 1
ullim_db_commit_seconds_bucket{le="0.5"} 1
ullim_db_commit_seconds_bucket{le="1"} 1
ullim_db_commit_seconds_bucket{le="2.5"} 1
ullim_db_commit_seconds_bucket{le="10"} 1
ullim_db_commit_seconds_bucket{le="+Inf"} 1
ullim_db_commit_seconds_sum 0.003
ullim_db_commit_seconds_count 1
`, "ullim_sip_requests_total", "ullim_contacts_closed_total", "ullim_flow_actions_total", "ullim_db_commit_seconds")
	for name, v := range map[string]float64{
		string(RefusedChannels): testutil.ToFloat64(m.invitesRefused.WithLabelValues("channels")),
		string(RefusedOther):    testutil.ToFloat64(m.invitesRefused.WithLabelValues("other")),
	} {
		if v != 1 {
			t.Errorf("%s: %v", name, v)
		}
	}
}

func all() Sources {
	n := func(v float64) func() float64 { return func() float64 { return v } }
	return Sources{
		ActiveCalls: n(1), Registrations: n(2), MediaSessions: n(3), MediaPorts: n(4), RTPReceived: n(5), RTPSent: n(6),
		RTPLost: n(7), RTPForeign: n(8), SpooledBytes: n(9), EventsDropped: n(10),
		QueueWaiting: func() map[QueueKey]float64 {
			return map[QueueKey]float64{{"main", "Basic"}: 3, {"main", "예약"}: 0, {"other tenant", "Basic"}: 1}
		},
		Agents:     func() map[string]float64 { return map[string]float64{"ROUTABLE": 2, "OFFLINE": 5} },
		JobsAlive:  func() map[string]float64 { return map[string]float64{"recording.upload": 4} },
		JobsBuried: func() map[string]float64 { return map[string]float64{} },
		SIPLegs:    n(11), SIPStreams: n(12), InvitesAdmitted: n(13), SIPDropped: n(14), SIPRateLimited: n(15),
		RecordingsUploaded: n(16), UploadFailures: n(17), RTPLate: n(18), SRTPRefused: n(19), RTCPSent: n(20),
		RecordingsFailed: n(21), Conferences: n(22), Recordings: n(23), CallsOutgoing: n(24), CallTransfers: n(25), CallMoves: n(26),
		AgentEventsLost: n(27), Estimates: n(28), EstimateError: n(29), EstimateBias: n(-30),
		Offers: func() map[string]float64 { return map[string]float64{"answered": 20, "missed": 1} },
		Panics: func() map[string]float64 { return map[string]float64{"sip": 0} },
	}
}

func TestSourcesAreReadWhenAsked(t *testing.T) {
	m := newMetrics()
	if err := m.Observe(all()); err != nil {
		t.Fatal(err)
	}
	compare(t, m, `
# HELP ullim_calls_active Calls now.
# TYPE ullim_calls_active gauge
ullim_calls_active 1
# HELP ullim_rtp_packets_foreign_total Packets on RTP ports from an address that was not negotiated.
# TYPE ullim_rtp_packets_foreign_total counter
ullim_rtp_packets_foreign_total 8
# HELP ullim_queue_waiting Contacts waiting, by queue.
# TYPE ullim_queue_waiting gauge
ullim_queue_waiting{instance="main",queue="Basic"} 3
ullim_queue_waiting{instance="main",queue="예약"} 0
ullim_queue_waiting{instance="other tenant",queue="Basic"} 1
# HELP ullim_agents Agents, by type of their status.
# TYPE ullim_agents gauge
ullim_agents{status="OFFLINE"} 5
ullim_agents{status="ROUTABLE"} 2
# HELP ullim_agent_events_lost_total Events of agents that were dropped because the store was away for too long.
# TYPE ullim_agent_events_lost_total counter
ullim_agent_events_lost_total 27
# HELP ullim_wait_estimate_bias_seconds Sum of what waits were longer than estimated, less what they were shorter.
# TYPE ullim_wait_estimate_bias_seconds gauge
ullim_wait_estimate_bias_seconds -30
# HELP ullim_wait_estimate_error_seconds_total By how much those estimates were wrong, either way.
# TYPE ullim_wait_estimate_error_seconds_total counter
ullim_wait_estimate_error_seconds_total 29
# HELP ullim_wait_estimates_total Contacts that were answered and had an estimate of their wait when they came.
# TYPE ullim_wait_estimates_total counter
ullim_wait_estimates_total 28
# HELP ullim_offers_total Contacts offered to agents, by what came of it.
# TYPE ullim_offers_total counter
ullim_offers_total{result="answered"} 20
ullim_offers_total{result="missed"} 1
# HELP ullim_panics_recovered_total Panics that were contained, by the part they happened in.
# TYPE ullim_panics_recovered_total counter
ullim_panics_recovered_total{part="sip"} 0
# HELP ullim_jobs_alive Jobs to be done, by kind.
# TYPE ullim_jobs_alive gauge
ullim_jobs_alive{kind="recording.upload"} 4
`, "ullim_calls_active", "ullim_rtp_packets_foreign_total", "ullim_queue_waiting", "ullim_agents", "ullim_jobs_alive", "ullim_jobs_buried",
		"ullim_offers_total", "ullim_panics_recovered_total", "ullim_agent_events_lost_total", "ullim_wait_estimate_bias_seconds",
		"ullim_wait_estimate_error_seconds_total", "ullim_wait_estimates_total")
	if err := m.Observe(all()); err == nil {
		t.Error("registered twice")
	}
	if err := newMetrics().Observe(Sources{}); err != nil {
		t.Errorf("no sources: %v", err)
	}
}

func TestNamesFollowPrometheus(t *testing.T) {
	m := newMetrics()
	if err := m.Observe(all()); err != nil {
		t.Fatal(err)
	}
	m.SIPRequest("INVITE", 200)
	m.FlowAction("Wait", "ok")
	problems, err := testutil.GatherAndLint(m.registry)
	if err != nil || len(problems) > 0 {
		t.Error(problems, err)
	}
}

func TestLabelsAreBounded(t *testing.T) {
	m := newMetrics()
	for i := range 1000 {
		m.FlowAction(fmt.Sprintf("Type%d", i), fmt.Sprintf("outcome %d", i))
		m.SIPRequest(fmt.Sprintf("M%d", i), i)
	}
	m.FlowAction("Type1", "\xff"+strings.Repeat("가", 100)) // the sets are full: "other", whatever it is
	if n := testutil.CollectAndCount(m.flowActions); n > 64+2 {
		t.Errorf("%d flow series", n)
	}
	if n := testutil.CollectAndCount(m.sipRequests); n > 7 {
		t.Errorf("%d SIP series", n)
	}
	if err := m.Observe(Sources{QueueWaiting: func() map[QueueKey]float64 {
		all := make(map[QueueKey]float64)
		for i := range maxSeries + 500 {
			all[QueueKey{"i", fmt.Sprintf("\xffq%05d %s", i, strings.Repeat("가", 60))}] = 1
		}
		all[QueueKey{"i", "\xfe"}], all[QueueKey{"i", "\xff"}] = 1, 1 // the same label
		return all
	}}); err != nil {
		t.Fatal(err)
	}
	families, err := m.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() != "ullim_queue_waiting" {
			continue
		}
		sum := 0.0
		for _, s := range f.GetMetric() {
			sum += s.GetGauge().GetValue()
			for _, l := range s.GetLabel() {
				if len(l.GetValue()) > maxLabel {
					t.Errorf("a label of %d bytes", len(l.GetValue()))
				}
			}
		}
		if len(f.GetMetric()) > maxSeries+1 || sum != maxSeries+502 {
			t.Errorf("%d series with %v contacts", len(f.GetMetric()), sum)
		}
		return
	}
	t.Error("no queues")
}

func TestTheHandlerAnswers(t *testing.T) {
	w := httptest.NewRecorder()
	New().Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	body, _ := io.ReadAll(w.Body)
	for _, want := range []string{"ullim_build_info{", "go_goroutines", "ullim_sip_invites_refused_total{reason=\"draining\"} 0"} {
		if !strings.Contains(string(body), want) {
			t.Errorf("no %s", want)
		}
	}
}

func TestNilMetricsCountNothing(*testing.T) {
	var m *Metrics
	m.SIPRequest("INVITE", 200)
	m.InviteRefused(RefusedOther)
	m.ContactClosed(contact.Other)
	m.FlowAction("a", "b")
	m.Commit(1)
}

func TestCountingAtTheSameTime(t *testing.T) {
	m := newMetrics()
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for i := range 200 {
				m.FlowAction(fmt.Sprint(i), "ok")
				m.SIPRequest("INVITE", 200)
				_, _ = m.registry.Gather()
			}
		})
	}
	wg.Wait()
	if v := testutil.ToFloat64(m.sipRequests.WithLabelValues("INVITE", "2xx")); v != 1600 {
		t.Errorf("%v", v)
	}
}

func TestLoggers(t *testing.T) {
	var b strings.Builder
	log, err := NewLogger(&b, "warn", "json")
	if err != nil {
		t.Fatal(err)
	}
	log.Info("quiet")
	log.Warn("loud", "from", "<sip:a\n\x1b[31m>")
	var line map[string]any
	if err = json.Unmarshal([]byte(b.String()), &line); err != nil || line["msg"] != "loud" || line["from"] != "<sip:a\n\x1b[31m>" {
		t.Errorf("%q: %v", b.String(), err)
	}
	b.Reset()
	if log, err = NewLogger(&b, "", ""); err != nil {
		t.Fatal(err)
	}
	log.Debug("quiet")
	log.Info("loud", "from", "a\n\x1b[31mb")
	if n := strings.Count(b.String(), "\n"); n != 1 || strings.Contains(b.String(), "\x1b") || strings.Contains(b.String(), "quiet") {
		t.Errorf("%q", b.String())
	}
	for level, want := range map[string]slog.Level{"debug": slog.LevelDebug, "INFO": slog.LevelInfo, "error": slog.LevelError} {
		log, err = NewLogger(&b, level, "text")
		if err != nil || !log.Enabled(t.Context(), want) || log.Enabled(t.Context(), want-1) {
			t.Errorf("%s: %v", level, err)
		}
	}
	for _, bad := range [][2]string{{"loud", "text"}, {"info", "xml"}} {
		if _, err = NewLogger(&b, bad[0], bad[1]); !errs.Is(err, errs.Invalid) {
			t.Errorf("%v: %v", bad, err)
		}
	}
}
