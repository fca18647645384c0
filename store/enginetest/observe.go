package enginetest

import (
	"fmt"
	"strings"
	"sync"

	"popelago/cassandratest"
	"popelago/store/cassandra"
)

// Observations are statements that were executed.
type Observations struct {
	// Judge returns what is wrong with a statement. May be nil.
	Judge func(cassandra.Statement) error

	mu         sync.Mutex
	statements []cassandra.Statement
	suspect    []string // those that coordinate
	broken     []string // the first of those that Judge finds wrong
	total      int
}

// Observe is for Config.Observe.
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

// Broken returns what Judge found wrong, the first of it.
func (o *Observations) Broken() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.broken
}

// Take returns the statements but heartbeats since the last call.
func (o *Observations) Take() []cassandra.Statement {
	o.mu.Lock()
	defer o.mu.Unlock()
	list := o.statements
	o.statements = nil
	return list
}

// IsHeartbeat reports whether a statement is one that servers execute by themselves.
func IsHeartbeat(cql string) bool {
	for _, table := range []string{" server ", " watermark ", " system.local"} {
		if strings.Contains(cql, table) {
			return true
		}
	}
	return false
}

// Spent is what an operation cost: writes and reads, each the CQL and its consistency.
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

// Uncoordinated looks at a node when all tests of this package are done: no statement was
// conditional or serial, Cassandra has no trace of any, and no table counts.
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
