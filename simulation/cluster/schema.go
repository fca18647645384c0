package cluster

import (
	"fmt"
	"slices"
	"time"
)

// columnKind is the part that a column plays.
type columnKind int

const (
	partitionColumn columnKind = iota
	clusteringColumn
	staticColumn
	regularColumn
)

// column is a column of a table.
type column struct {
	name       string
	typ        *valueType
	kind       columnKind
	position   int  // among the columns of its key
	descending bool // of a clustering column
	id         int16
}

// table is a table. A table never changes: ALTER TABLE makes a new one with the same id.
type table struct {
	id                 int
	keyspace, name     string
	columns            []*column // in the order of their ids
	byName             map[string]*column
	partition, cluster []*column
	statics            bool
	gcGrace            time.Duration
	purgeRepairedOnly  bool // only_purge_repaired_tombstones
	// readRepair and speculativeRetry are shown only: all reads repair, and wait for their replicas.
	readRepair, speculativeRetry string
}

// keyspace is a keyspace with its replicas by datacenter.
type keyspace struct {
	name        string
	replication map[string]int
	tables      map[string]*table
}

// schema holds the keyspaces. All nodes have the same schema at the same time.
type schema struct {
	keyspaces map[string]*keyspace
	nextTable int
	version   int
}

func newSchema() *schema { return &schema{keyspaces: map[string]*keyspace{}} }

func (t *table) addColumn(name string, typ *valueType, kind columnKind) (*column, error) {
	if t.byName[name] != nil {
		return nil, fmt.Errorf("column %s exists twice", name)
	}
	if kind != regularColumn && kind != staticColumn && typ.order == nil {
		return nil, fmt.Errorf("column %s of type %s cannot be in a key", name, typ.name)
	}
	c := &column{name: name, typ: typ, kind: kind, id: int16(len(t.columns))}
	t.columns, t.byName[name] = append(t.columns, c), c
	t.statics = t.statics || kind == staticColumn
	return c, nil
}

// clone copies a table for a change.
func (t *table) clone() *table {
	c := *t
	c.columns = slices.Clone(t.columns)
	c.byName = make(map[string]*column, len(t.byName))
	for name, column := range t.byName {
		c.byName[name] = column
	}
	return &c
}

// find returns a table, by the name of its keyspace or by the keyspace of a session.
func (s *schema) find(space, name string) (*keyspace, *table) {
	k := s.keyspaces[space]
	if k == nil {
		return nil, nil
	}
	return k, k.tables[name]
}
