package cassandra

import (
	"errors"
	"strings"
	"testing"
	"time"
)

// three is a healthy datacenter of three nodes.
func three(datacenter string) []node {
	var nodes []node
	for _, n := range []string{"1", "2", "3"} {
		nodes = append(nodes, node{
			address: "10.0." + strings.TrimPrefix(datacenter, "dc") + "." + n + ":9042", datacenter: datacenter, rack: "rack" + n, version: "5.0.6",
			settings: map[string]string{
				"commitlog_sync": "batch", "commitlog_sync_period": "0ms", "hinted_handoff_enabled": "true",
				"write_request_timeout": "2s", "read_request_timeout": "5000ms", "authenticator.class_name": "PasswordAuthenticator",
			},
		})
	}
	return nodes
}

// say fails the test unless a finding has the level and every text, in its text or hint.
func say(t *testing.T, found []Finding, level string, texts ...string) {
	t.Helper()
	for _, f := range found {
		all := f.Level == level
		for _, text := range texts {
			all = all && strings.Contains(f.Text+" "+f.Hint, text)
		}
		if all {
			return
		}
	}
	t.Errorf("no %s with %q in %+v", level, texts, found)
}

// onlyOK fails the test if any finding is not OK.
func onlyOK(t *testing.T, found []Finding) {
	t.Helper()
	for _, f := range found {
		if f.Level != FindingOK {
			t.Errorf("%+v", f)
		}
	}
	if len(found) == 0 {
		t.Error("nothing was found at all")
	}
}

func TestJudgeNodes(t *testing.T) {
	cfg := Config{Datacenter: "dc1"}
	nodes := append(three("dc1"), three("dc2")...)
	onlyOK(t, judgeNodes(cfg, nodes))
	dead, alive := false, true
	away := errors.New("connection refused")

	nodes[0].err, nodes[0].alive = away, &dead
	say(t, judgeNodes(cfg, nodes), FindingWarning, "10.0.1.1:9042 (dc1, rack1) is down")
	nodes[0].alive = &alive
	say(t, judgeNodes(cfg, nodes), FindingWarning, "10.0.1.1:9042", "cannot be reached from here: connection refused")
	nodes[0].alive = nil // unknown
	say(t, judgeNodes(cfg, nodes), FindingWarning, "10.0.1.1:9042", "cannot be reached from here")
	nodes[0].err = nil

	// A firewall between datacenters is a single warning, not a warning for each node.
	for i := range nodes[3:] {
		nodes[3+i].err, nodes[3+i].alive = away, &alive
	}
	found := judgeNodes(cfg, nodes)
	say(t, found, FindingWarning, "no node of datacenter dc2 can be reached", "10.0.2.1:9042, 10.0.2.2:9042, 10.0.2.3:9042", "popelago doctor in that datacenter")
	if len(found) != 1 {
		t.Errorf("%d findings: %+v", len(found), found)
	}
	nodes[4].alive = &dead
	say(t, judgeNodes(cfg, nodes), FindingWarning, "10.0.2.2:9042", "is down")
}

func TestJudgeVersions(t *testing.T) {
	for version, want := range map[string]string{
		"4.1.0": FindingOK, "4.1.10": FindingOK, "5.0.9": FindingOK, "5.0-rc1": FindingOK, "5.0.0-SNAPSHOT": FindingOK,
		"4.0.13": FindingError, "3.11.16": FindingError, "5.1": FindingWarning, "6.0-SNAPSHOT": FindingWarning, "6.0-alpha2": FindingWarning, "": FindingWarning, "x.y": FindingWarning,
	} {
		n := node{address: "10.0.1.1:9042", version: version}
		if found := judgeVersions([]node{n}); found[0].Level != want || len(found) != 1 {
			t.Errorf("version %q: %+v, want %s", version, found, want)
		}
	}
	nodes := three("dc1")
	nodes[1].version = "4.1.9"
	say(t, judgeVersions(nodes), FindingWarning, "different releases", "schema apply")
	say(t, judgeVersions(nodes), FindingOK, "Cassandra 4.1.9 on 10.0.1.2:9042")
}

func TestJudgeClocks(t *testing.T) {
	for _, test := range []struct {
		ahead, uncertain time.Duration
		want             string
	}{
		{0, 0, FindingOK}, {30 * time.Second, 0, FindingOK}, {-30 * time.Second, 0, FindingOK},
		{31 * time.Second, 0, FindingWarning}, {-31 * time.Second, 0, FindingWarning}, {31 * time.Second, 2 * time.Second, FindingOK},
		{5 * time.Minute, 0, FindingWarning}, {301 * time.Second, 0, FindingError}, {-301 * time.Second, 0, FindingError},
		{301 * time.Second, 2 * time.Second, FindingWarning}, {100 * 24 * time.Hour, time.Second, FindingError},
	} {
		nodes := three("dc1")
		nodes[2].ahead, nodes[2].uncertain = test.ahead, test.uncertain
		found := judgeClocks(nodes)
		if len(found) != 1 || found[0].Level != test.want {
			t.Errorf("%v give or take %v: %+v, want %s", test.ahead, test.uncertain, found, test.want)
		}
	}
	nodes := three("dc1")
	nodes[0].ahead, nodes[1].ahead = time.Minute, -time.Hour
	say(t, judgeClocks(nodes), FindingWarning, "10.0.1.1:9042 is 1m0s ahead of")
	say(t, judgeClocks(nodes), FindingError, "10.0.1.2:9042 is 1h0m0s behind")
	nodes[1].err = errors.New("away")
	say(t, judgeClocks(nodes), FindingWarning, "10.0.1.1:9042 is 1m0s ahead of")
}

func TestJudgeSettings(t *testing.T) {
	cfg := Config{Datacenter: "dc1", Timeout: 5 * time.Second}
	nodes := three("dc1")
	onlyOK(t, judgeCommitLogs(nodes))
	onlyOK(t, judgeSettings(cfg, nodes))
	nodes[0].settings["commitlog_sync"] = "group"
	onlyOK(t, judgeCommitLogs(nodes))

	nodes[0].settings["commitlog_sync"], nodes[0].settings["commitlog_sync_period"] = "periodic", "10000ms"
	nodes[1].settings["commitlog_sync"], nodes[1].settings["commitlog_sync_period"] = "periodic", "2s"
	say(t, judgeCommitLogs(nodes), FindingWarning, "periodic on 10.0.1.1:9042, 10.0.1.2:9042", "up to 10s of acknowledged mail")
	nodes[2].settings["hinted_handoff_enabled"] = "false"
	say(t, judgeSettings(cfg, nodes), FindingWarning, "hinted_handoff_enabled is false on 10.0.1.3:9042")
	nodes[2].settings["write_request_timeout"] = "6s"
	say(t, judgeSettings(cfg, nodes), FindingWarning, "cassandra.timeout is 5s, shorter than write_request_timeout of 10.0.1.3:9042 (6s)")
	nodes[2].settings["read_request_timeout"] = "5001ms"
	say(t, judgeSettings(cfg, nodes), FindingWarning, "read_request_timeout of 10.0.1.3:9042 (5001ms)")
	nodes[1].settings, nodes[1].settingsErr = nil, errors.New("not allowed")
	say(t, judgeSettings(cfg, nodes), FindingWarning, "10.0.1.2:9042 does not tell its settings: not allowed")

	for i := range nodes {
		nodes[i].err = errors.New("away")
	}
	if found := append(judgeCommitLogs(nodes), append(judgeSettings(cfg, nodes), judgeAccess(cfg, nodes)...)...); len(found) > 0 {
		t.Errorf("nothing is known, and yet: %+v", found)
	}
}

func TestJudgeAccess(t *testing.T) {
	nodes := three("dc1")
	onlyOK(t, judgeAccess(Config{}, nodes))
	say(t, judgeAccess(Config{Username: "u"}, nodes), FindingWarning, "in the clear", "cassandra.tls = true")
	nodes[0].settings["authenticator.class_name"] = "org.apache.cassandra.auth.AllowAllAuthenticator"
	nodes[1].settings = map[string]string{"authenticator": "AllowAllAuthenticator"} // as Cassandra 4.1 reports the setting
	say(t, judgeAccess(Config{}, nodes), FindingWarning, "no password is asked for by 10.0.1.1:9042, 10.0.1.2:9042:")
}

func TestJudgeReplication(t *testing.T) {
	nodes := append(three("dc1"), three("dc2")...)
	judge := func(configured, actual map[string]int) []Finding {
		return judgeReplication(Config{Datacenter: "dc1", Replication: configured}, SchemaStatus{Keyspace: "mail", Replication: actual}, nodes)
	}
	onlyOK(t, judge(nil, map[string]int{"dc1": 3, "dc2": 3}))
	onlyOK(t, judge(map[string]int{"dc1": 3, "dc2": 3}, map[string]int{"dc1": 3, "dc2": 3}))
	say(t, judge(nil, map[string]int{"dc1": 2, "dc2": 1}), FindingWarning, "dc1 keeps 2 replicas")
	say(t, judge(nil, map[string]int{"dc1": 2, "dc2": 1}), FindingWarning, "dc2 keeps 1 replica:")
	say(t, judge(nil, map[string]int{"dc1": 3}), FindingWarning, "dc2 keeps no replica")
	say(t, judge(nil, map[string]int{"dc1": 5, "dc2": 3}), FindingError, "dc1 has 3 nodes for 5 replicas")
	say(t, judge(nil, map[string]int{"dc1": 3, "dc2": 3, "dc3": 3}), FindingError, "3 replicas in datacenter dc3, which the cluster does not have; it has dc1, dc2")
	both := map[string]int{"dc1": 3, "dc2": 3}
	found := judge(both, map[string]int{"dc1": 3, "dc2": 1})
	say(t, found, FindingWarning, "cassandra.replication has dc2 = 3, but the keyspace 1",
		"ALTER KEYSPACE mail WITH replication = {'class': 'NetworkTopologyStrategy', 'dc1': 3, 'dc2': 3}")
	say(t, judge(map[string]int{"dc1": 3}, both), FindingWarning, "cassandra.replication has dc2 = 0, but the keyspace 3")
	if found := judge(both, nil); found != nil {
		t.Errorf("there is no keyspace, and yet: %+v", found)
	}
}

func TestJudgeContacts(t *testing.T) {
	cfg := Config{Datacenter: "dc1"}
	nodes := append(three("dc1"), three("dc2")...)
	good, remote, bad := contact{host: "a", datacenter: "dc1"}, contact{host: "b", datacenter: "dc2"}, contact{host: "c", err: errors.New("away")}
	onlyOK(t, judgeContacts(cfg, []contact{good}, nodes))
	found := judgeContacts(cfg, []contact{good, remote, bad}, nodes)
	say(t, found, FindingWarning, `b is in datacenter "dc2", not in "dc1"`)
	say(t, found, FindingWarning, "c cannot be used: away", "cassandra.hosts")
	found = judgeContacts(cfg, []contact{remote, bad}, nodes)
	say(t, found, FindingError, "b is in datacenter")
	say(t, found, FindingError, "c cannot be used")
	bad.err = ErrSignIn
	say(t, judgeContacts(cfg, []contact{bad}, nil), FindingError, "cassandra.password_file")
	// A wrong name of the datacenter is reported once, not for each contact point.
	onlyOK(t, judgeContacts(Config{Datacenter: "dc9"}, []contact{good, remote}, nodes))
}

func TestJudgeStatements(t *testing.T) {
	onlyOK(t, []Finding{judgeStatements(time.Millisecond, slowStatement)})
	say(t, []Finding{judgeStatements(time.Millisecond, slowStatement+1)}, FindingWarning, "busy")
	say(t, []Finding{judgeStatements(time.Minute, time.Millisecond)}, FindingWarning, "1m0s")
}
