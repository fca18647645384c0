package cassandra

import (
	"fmt"
	"slices"
	"strings"
)

// timestampSettings lists the settings of cassandra.yaml that limit the timestamps of statements, with
// the damage of each. Each has a threshold that refuses (fail) and a threshold that only logs (warn).
func timestampSettings() []timestampSetting {
	return []timestampSetting{
		{"maximum_timestamp", "a mailbox that has grown cannot become bulk, so its mail is refused: the marker of a bulk mailbox has a timestamp in the year 5236"},
		{"minimum_timestamp", "background work cannot note how far it has come, and nothing can be rebuilt: rows have the time of what they are about as timestamp"},
	}
}

type timestampSetting struct{ name, breaks string }

// judgeTimestamps checks whether nodes refuse the timestamps of this program.
func judgeTimestamps(nodes []node) []Finding {
	known := asked(nodes)
	var found []Finding
	for _, s := range timestampSettings() {
		for _, threshold := range []string{"fail", "warn"} {
			name := s.name + "_" + threshold + "_threshold"
			set := having(known, func(n node) bool { return !slices.Contains([]string{"", "null"}, strings.ToLower(n.setting(name))) })
			if len(set) == 0 {
				continue
			}
			f := Finding{
				Level: FindingError, Check: "timestamps",
				Text: fmt.Sprintf("%s is %s on %s: %s", name, set[0].setting(name), nodeNames(set), s.breaks),
				Hint: "leave " + name + " out of cassandra.yaml",
			}
			if threshold == "warn" {
				f.Level = FindingWarning
				f.Text = fmt.Sprintf("%s is %s on %s: the nodes log statements of this program that are as they have to be", name, set[0].setting(name), nodeNames(set))
			}
			found = append(found, f)
		}
	}
	if len(found) == 0 && len(known) > 0 {
		found = append(found, Finding{Level: FindingOK, Check: "timestamps", Text: "the nodes take all timestamps"})
	}
	return found
}
