package cassandra

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"popelago/store"
	"popelago/store/cassandra/driver"
)

// gapped is a cluster that has lost the quorum of the versions of the schema, and of so many partitions of a probe.
type gapped struct {
	lost    int
	columns []tableColumn
}

func (g gapped) Open(context.Context, driver.Options) (driver.Session, error) {
	return gappedSession{gapped: g}, nil
}

type gappedSession struct {
	driver.Session
	gapped
}

func (gappedSession) Close() {}

func (s gappedSession) Execute(_ context.Context, st *driver.Statement) (driver.Rows, error) {
	rows := &listedRows{}
	switch {
	case strings.Contains(st.CQL, ".schema_version"):
		if slices.Index(probeNames[:], st.Values[0].(string)) < s.lost {
			return nil, gocql.ErrTimeoutNoResponse
		}
	case st.CQL == selectColumns:
		for _, c := range s.columns {
			rows.list = append(rows.list, func(dest []any) { *dest[0].(*string), *dest[1].(*string) = c.table, c.column })
		}
	case st.CQL == selectReplication:
		rows.list = append(rows.list, func(dest []any) { *dest[0].(*map[string]string) = map[string]string{"dc1": "3"} })
	default:
		rows.list = append(rows.list, func(dest []any) { *dest[0].(*string) = "dc1" })
	}
	return rows, nil
}

// A server can restart while two nodes of many have taken the versions of the schema along. The columns of the tables show
// that the schema fits. Without a quorum at most partitions the start waits.
func TestStartWithoutVersions(t *testing.T) {
	fits := slices.Collect(maps.Keys(schemaColumns()))
	for _, c := range []struct {
		name    string
		lost    int
		columns []tableColumn
		starts  bool
	}{
		{"one partition", 0, fits, true},
		{"half of the partitions", probes / 2, fits, true},
		{"most partitions", probes/2 + 1, fits, false},
		{"a column is missing", 0, fits[1:], false},
		{"a newer column", 0, append(slices.Clip(fits), tableColumn{"mailbox", "newer"}), false},
		{"a newer table", 0, append(slices.Clip(fits), tableColumn{"newer", "name"}), false},
	} {
		s := travel(t, continent{"dc1": serving})
		s.cfg.Cluster = gapped{c.lost, c.columns}
		status, _, err := examineCluster(t.Context(), s.cfg, s.peers)
		if (err == nil) != c.starts || err != nil && !errors.Is(err, store.ErrUnavailable) || err == nil && status.Replication["dc1"] != 3 {
			t.Errorf("%s: %+v, %v", c.name, status, err)
		}
		if c.starts != strings.Contains(s.logs.String(), "versions of the schema cannot be read") {
			t.Errorf("%s: the log:\n%s", c.name, s.logs)
		}
	}
}
