package cassandra

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"popelago/store/cassandra/driver"
)

// setting returns the value of the first name that a node knows.
func (n node) setting(names ...string) string {
	for _, name := range names {
		if v := n.settings[name]; v != "" {
			return v
		}
	}
	return ""
}

// period returns a setting as a duration, such as "10s", "10000ms" or "1d"; zero if the setting is not a
// duration.
func (n node) period(name string) time.Duration {
	text := n.setting(name)
	if days, ok := strings.CutSuffix(text, "d"); ok {
		count, err := strconv.Atoi(days)
		if err != nil || count > 36500 {
			return 0
		}
		return time.Duration(count) * 24 * time.Hour
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		return 0
	}
	return d
}

// hintWindow returns for how long a node keeps hints for the nodes of a datacenter. Zero: the node
// keeps none for some of them, or its settings are unknown.
func (n node) hintWindow(datacenter string) time.Duration {
	if n.setting("hinted_handoff_enabled") != "true" || n.hintsLimited() || slices.Contains(n.hintsDisabled(), datacenter) {
		return 0
	}
	return n.period("max_hint_window")
}

// hintsDisabled lists the datacenters for which a node keeps no hints. The setting looks like
// "[dc1, dc2]".
func (n node) hintsDisabled() []string {
	return strings.FieldsFunc(n.setting("hinted_handoff_disabled_datacenters"), func(r rune) bool { return strings.ContainsRune("[]{}, ", r) })
}

// hintsLimited reports whether a node discards hints beyond some size.
func (n node) hintsLimited() bool {
	limit := n.setting("max_hints_size_per_host")
	return strings.Trim(limit, "0BKMGi") != ""
}

// hintsHidden returns the longest time before a node shows a hint.
func (n node) hintsHidden() time.Duration {
	return n.period("hints_flush_period") + 2*dispatchEvery + 5*time.Second
}

// readSettings reads the settings that Doctor judges.
func readSettings(ctx context.Context, session driver.Session) (map[string]string, error) {
	settings := map[string]string{}
	err := readPairs(ctx, session, atNode(selectSettings), settings)
	return settings, err
}

// dispatchEvery is the interval at which a node looks for hints to deliver. A node shows a hint only
// after it has looked once.
const dispatchEvery = 10 * time.Second
