package media

import "testing"

func TestNewCallsFillOneLoopBeforeTheNext(t *testing.T) {
	for _, c := range []struct {
		name  string
		stats []LoopStats
		want  int
	}{
		{"nobody is there", make([]LoopStats, 3), 0},
		{"the first has room", []LoopStats{{Ports: 900, Busy: 0.3}, {}}, 0},
		{"the first has many ports", []LoopStats{{Ports: fullPorts}, {Ports: 3}}, 1},
		{"the first is busy with few", []LoopStats{{Ports: 100, Busy: 0.7}, {Ports: 900, Busy: 0.2}}, 1},
		{"all are full: the least busy", []LoopStats{{Ports: 3000, Busy: 0.9}, {Ports: 3000, Busy: 0.6}, {Ports: 3000, Busy: 0.8}}, 1},
		{"all are full and as busy: the fewest ports", []LoopStats{{Ports: 3000, Busy: 1}, {Ports: 2000, Busy: 1}}, 1},
	} {
		if got := choose(c.stats); got != c.want {
			t.Errorf("%s: loop %d, want %d", c.name, got, c.want)
		}
	}
}
