package enginetest

import (
	"fmt"
	"strings"
	"sync"

	"popelago/cassandratest"
	"popelago/store/cassandra"
)

// Observations holds executed statements.
type Observations struct {
	// Judge returns the fault of a statement. May be nil.
	Judge func(cassandra.Statement) error

	mu         sync.Mutex
	statements []cassandra.Statement
	suspect    []string // statements that coordinate
	broken     []string // the first faults that Judge found
	total      int
}

// Observe serves as Config.Observe.
func (o *Observations) Observe(s cassandra.Statement) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.total++
	if o.Judge != nil && len(o.broken) < 20 {
		if err := o.Judge(s); err != nil {
			o.broken = append(o.broken, err.Error())
		}
	}
	if !IsHeartbeat(s.CQL) {
		o.statements = append(o.statements, s)
	}
	if len(o.statements) > 10_000 {
		o.statements = o.statements[5_000:]
	}
	upper := strings.ToUpper(s.CQL)
	if strings.Contains(upper, " IF ") || s.Serial != "" || strings.Contains(s.Consistency, "SERIAL") {
		o.suspect = append(o.suspect, s.CQL+" at "+s.Consistency+" "+s.Serial)
	}
}

// Broken returns the first faults that Judge found.
func (o *Observations) Broken() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.broken
}

// Take returns the statements since the last call, without heartbeats.
func (o *Observations) Take() []cassandra.Statement {
	o.mu.Lock()
	defer o.mu.Unlock()
	list := o.statements
	o.statements = nil
	return list
}

// IsHeartbeat reports whether a statement belongs to a heartbeat.
func IsHeartbeat(cql string) bool {
	for _, table := range []string{" server ", " watermark ", " system.local"} {
		if strings.Contains(cql, table) {
			return true
		}
	}
	return false
}

// Spent holds the cost of an operation: writes and reads, each with CQL and consistency.
func Spent(list []cassandra.Statement) (writes, reads []string) {
	for _, s := range list {
		text := s.CQL + " at " + s.Consistency
		if strings.HasPrefix(s.CQL, "SELECT") {
			reads = append(reads, text)
		} else {
			writes = append(writes, text)
		}
	}
	return writes, reads
}

// Uncoordinated checks a node after all tests of a package: no statement was conditional or serial,
// Cassandra has no trace of such a statement, and no table has counters.
func (o *Observations) Uncoordinated(c *cassandratest.Cluster) error {
	o.mu.Lock()
	total, suspect := o.total, o.suspect
	o.mu.Unlock()
	if broken := o.Broken(); len(broken) > 0 {
		return fmt.Errorf("statements are not as they should be: %s", strings.Join(broken, "\n"))
	}
	if len(suspect) > 0 {
		return fmt.Errorf("%d of %d statements coordinate: %s", len(suspect), total, strings.Join(suspect, "\n"))
	}
	if err := cassandratest.Uncoordinated(c); err != nil {
		return err
	}
	fmt.Printf("no coordination in %d statements\n", total)
	return nil
}
