package cassandra

import "testing"

func TestJudgeHints(t *testing.T) {
	fresh := func(settings ...string) []node {
		nodes := append(three("dc1"), three("dc2")...)
		for i := range nodes {
			nodes[i].settings = hints().settings
		}
		nodes[4].settings = hints(settings...).settings
		return nodes
	}
	onlyOK(t, judgeHints(fresh()))
	say(t, judgeHints(fresh()), FindingOK, "3h0m0s")
	for _, c := range []struct{ name, value, text string }{
		{"max_hint_window", "30m", "max_hint_window is 30m0s"},
		{"hinted_handoff_disabled_datacenters", "[dc1]", "hints for datacenter dc1 are disabled"},
		{"max_hints_size_per_host", "512MiB", "thrown away"},
		{"hints_flush_period", "5m", "hints_flush_period is longer than 1m0s"},
	} {
		say(t, judgeHints(fresh(c.name, c.value)), FindingWarning, c.text, "10.0.2.2:9042")
	}
	onlyOK(t, judgeHints(fresh("hinted_handoff_disabled_datacenters", "[dc7]")))
	if found := judgeHints(fresh("hinted_handoff_enabled", "false")); len(found) != 1 || found[0].Level != FindingOK {
		t.Errorf("a finding of another check is repeated: %+v", found)
	}
}
