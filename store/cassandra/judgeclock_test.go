package cassandra

import (
	"testing"
	"time"
)

func TestJudgeClock(t *testing.T) {
	const m, days = time.Minute, 24 * time.Hour
	for _, c := range []struct {
		name         string
		nodes, peers []time.Duration
		want         time.Duration
	}{
		{"a node", []time.Duration{3 * m}, nil, 3 * m},
		{"one node of three is wrong", []time.Duration{-100 * days, 0, 1}, nil, 0},
		{"two of three are wrong", []time.Duration{100 * days, 0, 100 * days}, nil, 100 * days},
		{"another server is wrong, and there is one node", []time.Duration{0}, []time.Duration{100 * days}, 0},
		{"another server is behind, and there is one node", []time.Duration{0}, []time.Duration{-100 * days}, 0},
		{"the one node is wrong", []time.Duration{100 * days}, []time.Duration{0}, 100 * days},
		{"we are ahead, another server is behind", []time.Duration{4 * m}, []time.Duration{8 * m}, 4 * m},
		{"the nodes are wrong with us", []time.Duration{0}, []time.Duration{-3 * days, -3 * days}, -3 * days},
		{"as many nodes as servers", []time.Duration{0, 0, 0}, []time.Duration{9 * m, 9 * m, 9 * m}, 0},
		{"no node answers", nil, []time.Duration{6 * m}, 6 * m},
	} {
		if got, ok := judgeClock(c.nodes, c.peers); !ok || got != c.want {
			t.Errorf("%s: %v, %t, want %v", c.name, got, ok, c.want)
		}
	}
	if _, ok := judgeClock(nil, nil); ok {
		t.Error("nobody answers, but the clock is known")
	}
}
