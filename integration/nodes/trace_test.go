package nodes

import (
	"fmt"
	"regexp"
	"strconv"
	"sync"
	"testing"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"popelago/mailtest"
	"popelago/store/enginetest"
)

// traces gathers the nodes' traces of statements.
type traces struct {
	mu  sync.Mutex
	ids [][]byte
}

// trace is for Config.Trace.
func (tr *traces) trace(id []byte) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	tr.ids = append(tr.ids, append([]byte(nil), id...))
}

// traced is a statement in the view of the nodes.
type traced struct {
	cql     string
	aborted bool   // it met too many tombstones
	reads   []scan // one for each replica read, and for each of its reads
}

// scan is the read of one replica.
type scan struct {
	node             string
	live, tombstones int
}

// take returns the statements except heartbeats since the last call, each a read on at least so many
// replicas, after the nodes have written their whole traces.
func (tr *traces) take(t testing.TB, s *gocql.Session, replicas int) []traced {
	t.Helper()
	tr.mu.Lock()
	ids := tr.ids
	tr.ids = nil
	tr.mu.Unlock()
	var list []traced
	for _, id := range ids {
		mailtest.WaitFor(t, 10*time.Minute, func() error {
			st, isStatement, err := readTrace(s, id, replicas)
			if err == nil && isStatement {
				list = append(list, st)
			}
			return err
		})
	}
	return list
}

// Trace lines of a replica at the end of a read, and when it abandons the read.
var (
	scanned = regexp.MustCompile(`^Read (\d+) live rows and (\d+) tombstone cells`)
	aborted = regexp.MustCompile(`^Scanned over \d+ tombstones .*aborted`)
)

// readTrace reads one trace; nodes write it after the answer. isStatement is false for heartbeats
// and for statements that the driver prepares.
func readTrace(s *gocql.Session, id []byte, replicas int) (st traced, isStatement bool, err error) {
	if st.cql, isStatement, err = readRequest(s, id); err != nil || !isStatement {
		return st, false, err
	}
	rows := s.Query("SELECT activity, source FROM system_traces.events WHERE session_id = ?", id).Iter()
	for activity, source := "", ""; rows.Scan(&activity, &source); {
		if m := scanned.FindStringSubmatch(activity); m != nil {
			live, _ := strconv.Atoi(m[1])
			tombstones, _ := strconv.Atoi(m[2])
			st.reads = append(st.reads, scan{source, live, tombstones})
		}
		st.aborted = st.aborted || aborted.MatchString(activity)
	}
	if err := rows.Close(); err != nil {
		return st, true, err
	}
	if n := len(st.reads); n == 0 || n < replicas && !st.aborted {
		return st, true, fmt.Errorf("trace %x of %s tells of %d reads, want %d", id, st.cql, n, replicas)
	}
	return st, true, nil
}

// readRequest reads the driver's request from a trace, after the node has finished it. isStatement is
// as in readTrace.
func readRequest(s *gocql.Session, id []byte) (cql string, isStatement bool, err error) {
	var request string
	var duration *int
	parameters := map[string]string{}
	if err := s.Query("SELECT request, duration, parameters FROM system_traces.sessions WHERE session_id = ?", id).
		Scan(&request, &duration, &parameters); err != nil {
		return "", false, fmt.Errorf("trace %x: %w", id, err)
	}
	if cql = parameters["query"]; request != "Execute CQL3 prepared query" || enginetest.IsHeartbeat(cql) {
		return cql, false, nil
	}
	if duration == nil {
		return cql, false, fmt.Errorf("trace %x is not complete", id)
	}
	return cql, true, nil
}

// A starting server examines the cluster and its permissions. These statements do not concern mail,
// and are not traced.
func TestStartIsNotTraced(t *testing.T) {
	cfg := config(t)
	enginetest.Apply(t, cfg)
	cql := enginetest.Session(t, cfg)
	var seen traces
	cfg.Trace = seen.trace
	if err := enginetest.Reopen(t, cfg).Close(); err != nil {
		t.Fatal(err)
	}
	if len(seen.ids) == 0 {
		t.Error("not even heartbeats are traced")
	}
	for _, id := range seen.ids {
		mailtest.WaitFor(t, 10*time.Minute, func() error {
			text, isStatement, err := readRequest(cql, id)
			if isStatement {
				t.Errorf("traced: %s", text)
			}
			return err
		})
	}
}
