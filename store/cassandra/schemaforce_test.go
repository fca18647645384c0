package cassandra

import (
	"errors"
	"strings"
	"testing"

	gocql "github.com/apache/cassandra-gocql-driver/v2"
)

// While a node is down, only a forced change of the schema is possible. The change then waits for the
// other nodes alone, and the schema version is written to them alone. Nodes of different releases are
// refused all the same.
func TestApplyForced(t *testing.T) {
	up := node{address: "10.1.0.1:9042", datacenter: "dc1", version: "5.0.2"}
	down := node{address: "10.2.0.1:9042", datacenter: "dc2", version: "5.0.2", err: errors.New("no answer")}
	old := down
	old.version = "4.1.3"
	for _, c := range []struct {
		name   string
		force  bool
		others []node
		err    error
		level  gocql.Consistency
	}{
		{"all up", false, nil, nil, gocql.EachQuorum},
		{"all up, forced", true, nil, nil, gocql.EachQuorum},
		{"one down", false, []node{down}, ErrNodesDown, gocql.EachQuorum},
		{"one down, forced", true, []node{down}, nil, gocql.LocalQuorum},
		{"one down of another release, forced", true, []node{old}, ErrMixedReleases, gocql.LocalQuorum},
	} {
		a := applying{options: ApplyOptions{Force: c.force}}
		nodes := append([]node{up}, c.others...)
		err := a.admit(nodes, having(nodes, node.isDown))
		if !errors.Is(err, c.err) || c.err == nil && err != nil || a.versions() != c.level {
			t.Errorf("%s: %v, the version is noted at %v; want %v at %v", c.name, err, a.versions(), c.err, c.level)
		}
		if err != nil && !strings.Contains(err.Error(), "nothing was changed") || errors.Is(err, ErrNodesDown) && !strings.Contains(err.Error(), "10.2.0.1:9042 (dc2)") {
			t.Errorf("%s: the error does not tell enough: %v", c.name, err)
		}
		if waits := len(c.others) == 0 || !a.absent[down.address]; err == nil && waits != (len(c.others) == 0) {
			t.Errorf("%s: the change waits for the absent node", c.name)
		}
	}
}
