package cassandra

import (
	"testing"
	"time"
)

// hints returns a node with settings.
func hints(settings ...string) node {
	n := node{settings: map[string]string{
		"hinted_handoff_enabled": "true", "hinted_handoff_disabled_datacenters": "[]", "max_hint_window": "3h",
		"hints_flush_period": "10s", "max_hints_size_per_host": "0B",
	}}
	for i := 0; i < len(settings); i += 2 {
		n.settings[settings[i]] = settings[i+1]
	}
	return n
}

func TestHintSettings(t *testing.T) {
	for _, c := range []struct {
		node           node
		window, hidden time.Duration
	}{
		{hints(), 3 * time.Hour, 35 * time.Second},
		{hints("max_hint_window", "10800000ms", "hints_flush_period", "1000ms"), 3 * time.Hour, 26 * time.Second},
		{hints("max_hint_window", "1d"), 24 * time.Hour, 35 * time.Second},
		{hints("max_hint_window", "soon"), 0, 35 * time.Second},
		{hints("hinted_handoff_enabled", "false"), 0, 35 * time.Second},
		{hints("hinted_handoff_disabled_datacenters", "[dc3, dc1]"), 0, 35 * time.Second},
		{hints("hinted_handoff_disabled_datacenters", "[dc3, dc11]"), 3 * time.Hour, 35 * time.Second},
		{hints("max_hints_size_per_host", "100MiB"), 0, 35 * time.Second},
		{node{}, 0, 25 * time.Second},
	} {
		if window, hidden := c.node.hintWindow("dc1"), c.node.hintsHidden(); window != c.window || hidden != c.hidden {
			t.Errorf("%v: kept for %v, hidden for %v, want %v and %v", c.node.settings, window, hidden, c.window, c.hidden)
		}
	}
}

// The state of several nodes is the worst state of all.
func TestHandoffOfSeveral(t *testing.T) {
	a := handoff{window: 3 * time.Hour, hidden: 10 * time.Second}
	b := handoff{pending: true, window: time.Hour, hidden: 35 * time.Second}
	if got := a.and(b); got != b || got != b.and(a) {
		t.Errorf("%+v", got)
	}
}

// A node that considers another node down keeps hints for the absent node without listing them. Proof
// of the contrary is the advancing heartbeat of every node.
func TestHearing(t *testing.T) {
	var h hearing
	now := time.Now()
	nodes := []string{"10.1.0.1", "10.1.0.2"}
	beats := func(a, b int) map[string]nodeBeat {
		return map[string]nodeBeat{"10.1.0.1": {1, a}, "10.1.0.2": {1, b}}
	}
	for i, c := range []struct {
		listener string
		beats    map[string]nodeBeat
		after    time.Duration
		all      bool
	}{
		{"x", beats(1, 1), 0, false},
		{"x", beats(2, 1), time.Second, false},
		{"x", beats(2, 2), 2 * time.Second, true},
		{"y", beats(2, 2), 2 * time.Second, false},
		{"x", beats(2, 3), 12 * time.Second, false}, // the first node is silent
		{"x", beats(1, 3), 13 * time.Second, true},
		{"x", map[string]nodeBeat{"10.1.0.1": {1, 2}}, 24 * time.Second, false},
	} {
		if got := h.all(c.listener, c.beats, nodes, now.Add(c.after)); got != c.all {
			t.Errorf("%d: heard of all: %v", i, got)
		}
	}
}
