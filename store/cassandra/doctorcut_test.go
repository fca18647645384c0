package cassandra

import (
	"errors"
	"strings"
	"testing"

	"popelago/mail"
	"popelago/store"
)

// A datacenter without an audible node is one finding: its nodes are down, or the line to the
// datacenter.
func TestJudgeCut(t *testing.T) {
	cfg := Config{Datacenter: "dc1"}
	nodes := append(three("dc1"), three("dc2")...)
	dead, alive := false, true
	for i := range nodes[3:] {
		nodes[3+i].err, nodes[3+i].alive = errors.New("no route to host"), &dead
	}
	found := judgeNodes(cfg, nodes)
	say(t, found, FindingWarning, "all nodes of dc2 are down, or the line to it is", "10.0.2.1:9042, 10.0.2.2:9042, 10.0.2.3:9042")
	if len(found) != 1 || !isCut(cfg, nodes, "dc2") || isCut(cfg, nodes, "dc1") {
		t.Errorf("%+v", found)
	}
	nodes[4].alive = &alive
	if isCut(cfg, nodes, "dc2") {
		t.Error("a datacenter with a living node counts as cut off")
	}
	nodes[4].alive = nil
	if isCut(cfg, nodes, "dc2") {
		t.Error("a datacenter of which not all is known counts as cut off")
	}
}

// The finding counts the domains that need the absent datacenter, including domains with the default
// durability.
func TestJudgeEach(t *testing.T) {
	domains := []store.Domain{
		{Name: "each.test", Durability: mail.DurabilityEach}, {Name: "local.test", Durability: mail.DurabilityLocal},
		{Name: "fall.test", Durability: mail.DurabilityEachOrLocal}, {Name: "default.test"},
	}
	cut := []string{"dc2"}
	found := judgeEach(Config{}, domains, cut)
	say(t, found, FindingError, `1 domain with durability "each" refuse mail now (451)`, "dc2 cannot be reached", "each.test")
	say(t, found, FindingWarning, "1 domain", "this datacenter only", "fall.test")
	say(t, judgeEach(Config{DefaultDurability: mail.DurabilityEach}, domains, cut), FindingError, "2 domains", "each.test default.test")
	if found := judgeEach(Config{}, domains[1:2], cut); len(found) != 0 {
		t.Errorf("%+v", found)
	}
}

// A wrong name is reported as a wrong name, with the existing names.
func TestJudgeNames(t *testing.T) {
	nodes := append(three("dc1"), three("dc2")...)
	actual := map[string]int{"dc1": 3, "dc2": 3}
	cfg := Config{Datacenter: "dc1", Keyspace: "popelago", Replication: map[string]int{"dc1": 3, "DC2": 3}, Failover: []string{"dc3"}}
	found := append(judgeNames(cfg, nodes), judgeReplication(cfg, SchemaStatus{Keyspace: "popelago", Replication: actual}, nodes)...)
	say(t, found, FindingError, `cassandra.replication names datacenter "DC2", which the cluster does not have; it has dc1, dc2`, "correct the name")
	say(t, found, FindingError, `cassandra.failover names datacenter "dc3"`, "it has dc1, dc2", "cassandra.failover")
	for _, f := range found {
		if strings.Contains(f.Text+f.Hint, "DC2 = 3, but") || strings.Contains(f.Hint, "'DC2'") {
			t.Errorf("a wrong name is to be executed: %+v", f)
		}
	}
	if found := judgeNames(Config{Replication: map[string]int{"dc1": 3}, Failover: []string{"dc2"}}, nodes); len(found) != 0 {
		t.Errorf("%+v", found)
	}
}

// Users must be stored in the datacenter of their sign-in.
func TestJudgeSignIn(t *testing.T) {
	nodes := append(three("dc1"), three("dc2")...)
	cfg := Config{Username: "popelago"}
	simple := func(n int) signInReplication { return signInReplication{simple: true, any: n} }
	in := func(replicas map[string]int) signInReplication { return signInReplication{replicas: replicas} }
	onlyOK(t, judgeSignIn(cfg, nodes, in(map[string]int{"dc1": 3, "dc2": 3})))
	say(t, judgeSignIn(cfg, nodes, simple(1)), FindingWarning, "system_auth has 1 replica", "SimpleStrategy",
		"ALTER KEYSPACE system_auth WITH replication = {'class': 'NetworkTopologyStrategy', 'dc1': 3, 'dc2': 3}", "nodetool repair --full system_auth")
	say(t, judgeSignIn(Config{}, nodes, in(map[string]int{"dc1": 3})), FindingWarning, "0 replicas in dc2") // the nodes ask for a password
	onlyOK(t, judgeSignIn(cfg, nodes[:1], simple(1)))
	say(t, judgeSignIn(cfg, nodes[:3], simple(1)), FindingWarning, "1 replica")
	for i := range nodes {
		nodes[i].settings["authenticator.class_name"] = "org.apache.cassandra.auth.AllowAllAuthenticator"
	}
	if found := judgeSignIn(Config{}, nodes, simple(1)); len(found) != 0 {
		t.Errorf("nobody signs in: %+v", found)
	}
}

// The hint shows the missing grants as statements.
func TestGrants(t *testing.T) {
	f := judgePermissions(Config{Username: "popelago"}, []string{"MODIFY ON KEYSPACE popelago", "SELECT ON TABLE popelago.note"})
	say(t, []Finding{f}, FindingError, `the user "popelago" lacks`, "GRANT MODIFY ON KEYSPACE popelago TO popelago; GRANT SELECT ON TABLE popelago.note TO popelago")
}

// The permissions cover reading and writing of every table of the schema.
func TestPermissionsCoverTheSchema(t *testing.T) {
	covered := map[string]bool{}
	for _, n := range permissions() {
		covered[n.permission+" "+n.table] = true
		if !strings.Contains(n.cql+" ", " "+n.table+" ") || strings.HasPrefix(n.cql, "SELECT") != (n.permission == "SELECT") {
			t.Errorf("%s on %s is not needed for %s", n.permission, n.table, n.cql)
		}
	}
	for _, steps := range migrations() {
		for _, step := range steps {
			table, made := strings.CutPrefix(subject(step), "table ")
			if !made { // an altered table: an earlier migration made it
				continue
			}
			if !covered["SELECT "+table] || !covered["MODIFY "+table] {
				t.Errorf("nobody looks whether table %s may be used", table)
			}
		}
	}
}

// Steps are counted and named for the operator.
func TestApplySteps(t *testing.T) {
	all := 0
	for _, steps := range migrations() {
		all += len(steps)
	}
	if n := stepsFrom(SchemaStatus{}); n != all+2 {
		t.Errorf("%d steps on an empty cluster, want %d", n, all+2)
	}
	if n := stepsFrom(SchemaStatus{Replication: map[string]int{"dc1": 1}}); n != all+1 {
		t.Errorf("%d steps in an empty keyspace, want %d", n, all+1)
	}
	dead, alive := false, true
	for _, c := range []struct {
		node node
		down bool
	}{
		{node{}, false}, {node{err: errors.New("x")}, true}, {node{err: errors.New("x"), alive: &dead}, true},
		{node{err: errors.New("x"), alive: &alive}, false},
	} {
		if got := c.node.isDown(); got != c.down {
			t.Errorf("%+v is down: %v", c.node, got)
		}
	}
}
