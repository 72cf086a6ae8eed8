package jobs

import (
	"testing"
	"time"
)

func TestBackoffDoublesUpToTheMost(t *testing.T) {
	b := Backoff{First: 2 * time.Second, Most: 15 * time.Minute}
	tests := []struct {
		attempt int
		chance  float64
		want    time.Duration
	}{
		{0, 0, time.Second},
		{1, 0, time.Second},
		{1, 0.5, 1500 * time.Millisecond},
		{2, 0, 2 * time.Second},
		{5, 0, 16 * time.Second},
		{9, 0, 256 * time.Second},
		{10, 0, 450 * time.Second}, // 1,024 s would be over 15 minutes
		{11, 0.5, 675 * time.Second},
		{1 << 40, 0, 450 * time.Second},
	}
	for _, tt := range tests {
		if got := b.delay(tt.attempt, tt.chance); got != tt.want {
			t.Errorf("attempt %d, chance %v: %v, want %v", tt.attempt, tt.chance, got, tt.want)
		}
	}
	if got := (Backoff{}).orDefault(); got != b {
		t.Errorf("default is %+v", got)
	}
}
