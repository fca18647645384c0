package cassandra

import "testing"

func TestJudgeTimestamps(t *testing.T) {
	nodes := three("dc1")
	onlyOK(t, judgeTimestamps(nodes)) // Cassandra 4.0 has no such settings
	for i := range nodes {
		nodes[i].settings["maximum_timestamp_fail_threshold"] = "null"
	}
	onlyOK(t, judgeTimestamps(nodes))
	nodes[1].settings["maximum_timestamp_fail_threshold"] = "1d"
	say(t, judgeTimestamps(nodes), FindingError, "maximum_timestamp_fail_threshold is 1d on 10.0.1.2:9042", "bulk", "leave maximum_timestamp_fail_threshold out")
	nodes[1].settings["maximum_timestamp_fail_threshold"] = ""
	nodes[2].settings["minimum_timestamp_fail_threshold"] = "30d"
	say(t, judgeTimestamps(nodes), FindingError, "minimum_timestamp_fail_threshold is 30d on 10.0.1.3:9042", "how far it has come")
	nodes[2].settings["minimum_timestamp_fail_threshold"] = ""
	nodes[2].settings["maximum_timestamp_warn_threshold"] = "30d"
	say(t, judgeTimestamps(nodes), FindingWarning, "maximum_timestamp_warn_threshold is 30d")
}
