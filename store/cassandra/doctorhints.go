package cassandra

import (
	"fmt"
	"slices"
	"time"
)

const (
	// shortHints is the shortest recommended time to keep hints. A datacenter that was away for longer
	// has to be repaired.
	shortHints = time.Hour
	// slowHints is the longest recommended time before hints are written to disk. A server that has
	// returned to its own datacenter waits for that time.
	slowHints = time.Minute
)

// judgeHints checks the settings of hints.
func judgeHints(nodes []node) []Finding {
	known := having(asked(nodes), func(n node) bool {
		return n.setting("max_hint_window") != "" && n.setting("hinted_handoff_enabled") == "true"
	})
	if len(known) == 0 {
		return nil
	}
	var found []Finding
	warn := func(some []node, hint, format string, args ...any) {
		if len(some) > 0 {
			found = append(found, Finding{Level: FindingWarning, Check: "hints", Text: fmt.Sprintf(format, args...) + " on " + nodeNames(some), Hint: hint})
		}
	}
	shortest := slices.MinFunc(known, func(a, b node) int { return int(a.period("max_hint_window") - b.period("max_hint_window")) })
	warn(having(known, func(n node) bool { return n.period("max_hint_window") < shortHints }),
		"set max_hint_window: 3h in cassandra.yaml; until then repair whatever was away for longer",
		"max_hint_window is %v: what a node misses later while it is away it does not get before the next repair;", shortest.period("max_hint_window"))
	for _, datacenter := range datacentersOf(nodes) {
		warn(having(known, func(n node) bool { return slices.Contains(n.hintsDisabled(), datacenter) }),
			"take it out of hinted_handoff_disabled_datacenters in cassandra.yaml (nodetool enablehintsfordc "+datacenter+")",
			"hints for datacenter %s are disabled: after a cut it lacks mail until it is repaired;", datacenter)
	}
	warn(having(known, node.hintsLimited),
		"set max_hints_size_per_host: 0MiB in cassandra.yaml, and watch the disks",
		"max_hints_size_per_host limits hints: beyond it they are thrown away;")
	warn(having(known, func(n node) bool { return n.period("hints_flush_period") > slowHints }),
		"set hints_flush_period: 10s in cassandra.yaml",
		"hints_flush_period is longer than %v: a crash loses that many hints, and servers wait for it after a failover;", slowHints)
	if len(found) == 0 {
		found = append(found, Finding{Level: FindingOK, Check: "hints", Text: fmt.Sprintf("what a node misses is kept for it for %v", shortest.period("max_hint_window"))})
	}
	return found
}

// datacentersOf lists the datacenters of nodes.
func datacentersOf(nodes []node) []string {
	named := map[string]bool{}
	for _, n := range nodes {
		named[n.datacenter] = true
	}
	return sortedKeys(named)
}
