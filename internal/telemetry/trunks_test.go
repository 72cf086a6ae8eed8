package telemetry

import (
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestR23TrunkSeriesAreBoundedAndAgree(t *testing.T) {
	m := New()
	var read []TrunkReading
	if err := m.ObserveTrunks(func() []TrunkReading { return read }); err != nil {
		t.Fatal(err)
	}
	text := func() string {
		w := httptest.NewRecorder()
		m.Handler().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "GET", "/metrics", nil))
		if w.Code != 200 {
			t.Fatalf("%d: %s", w.Code, w.Body)
		}
		return w.Body.String()
	}
	read = []TrunkReading{{
		Instance: "acme", Trunk: "carrier", Registration: "registered", Channels: 3, Waiting: 2, Calls: 10, Answered: 6, Short: 1,
		Refused: map[string]uint64{"busy": 4}, DelayBuckets: map[float64]uint64{1: 5, 2: 6}, DelaySum: 7, DelayCount: 6,
		Gateways: []GatewayReading{{"1 UDP 192.0.2.1:5060", true}, {"2 UDP 192.0.2.2:5060", false}},
	}}
	got := text()
	for _, line := range []string{
		`ullim_trunk_registration{instance="acme",state="registered",trunk="carrier"} 1`,
		`ullim_trunk_registration{instance="acme",state="failing",trunk="carrier"} 0`,
		`ullim_trunk_gateway_up{gateway="2 UDP 192.0.2.2:5060",instance="acme",trunk="carrier"} 0`,
		`ullim_trunk_calls_refused_total{class="busy",instance="acme",trunk="carrier"} 4`,
		`ullim_trunk_post_dial_delay_seconds_bucket{instance="acme",trunk="carrier",le="2"} 6`,
		`ullim_trunk_calls_answered_total{instance="acme",trunk="carrier"} 6`,
	} {
		if !strings.Contains(got, line+"\n") {
			t.Errorf("no %s", line)
		}
	}
	read = nil
	for i := range 1000 { // and each twice
		one := TrunkReading{Instance: "acme", Trunk: fmt.Sprintf("trunk %d", i/2)}
		for g := range 100 {
			one.Gateways = append(one.Gateways, GatewayReading{Gateway: fmt.Sprint(g)})
		}
		read = append(read, one)
	}
	got = text()
	if n := strings.Count(got, "\nullim_trunk_calls_total{"); n != maxTrunks {
		t.Errorf("%d trunks are shown, want %d", n, maxTrunks)
	}
	if n := strings.Count(got, "\nullim_trunk_gateway_up{"); n != maxTrunks*maxGatewaysShown {
		t.Errorf("%d gateways are shown, want %d", n, maxTrunks*maxGatewaysShown)
	}
	read = nil
	if strings.Contains(text(), "ullim_trunk") {
		t.Error("trunks that are gone are still shown")
	}
}
