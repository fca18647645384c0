package cluster

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"time"
)

// defaultGrace is the time for which tombstones are kept, gc_grace_seconds, unless the table has its own.
const defaultGrace = 864000 * time.Second

// change executes a statement about keyspaces and tables.
func (s *schema) change(st *syntax, space string) error {
	if st.space == "" {
		st.space = space
	}
	k := s.keyspaces[st.space]
	if st.verb != createKeyspaceVerb && k == nil {
		if st.ifExists {
			return nil
		}
		return fmt.Errorf("keyspace %q does not exist", st.space)
	}
	s.version++
	switch st.verb {
	case createKeyspaceVerb, alterKeyspaceVerb:
		return s.putKeyspace(st, k)
	case dropKeyspaceVerb:
		delete(s.keyspaces, st.space)
		return nil
	}
	t := k.tables[st.table]
	switch {
	case st.verb == createTableVerb:
		if t != nil && st.ifExists {
			return nil
		} else if t != nil {
			return fmt.Errorf("table %s exists", st.table)
		}
		t, err := s.newTable(st)
		if err != nil {
			return fmt.Errorf("table %s: %w", st.table, err)
		}
		k.tables[t.name] = t
		return nil
	case t == nil:
		if st.ifExists {
			return nil
		}
		return fmt.Errorf("table %s does not exist", st.table)
	case st.verb == dropTableVerb:
		delete(k.tables, st.table)
		return nil
	}
	altered := t.clone()
	for _, d := range st.definitions {
		if t.byName[d.name] != nil && st.ifExists {
			continue
		}
		if err := altered.define(d, nil, nil); err != nil {
			return fmt.Errorf("table %s: %w", st.table, err)
		}
	}
	if err := altered.setProperties(st); err != nil {
		return err
	}
	k.tables[t.name] = altered
	return nil
}

func (s *schema) putKeyspace(st *syntax, k *keyspace) error {
	if st.verb == createKeyspaceVerb && k != nil {
		if st.ifExists {
			return nil
		}
		return fmt.Errorf("keyspace %s exists", st.space)
	}
	replication := map[string]int{}
	entries := st.entries("replication")
	if k != nil && len(entries) == 0 {
		return nil
	}
	for name, value := range entries {
		if name == "class" {
			if value != "NetworkTopologyStrategy" {
				return fmt.Errorf("replication by %s is not simulated", value)
			}
			continue
		}
		n, err := strconv.Atoi(value)
		if err != nil {
			return fmt.Errorf("replication of %s: %w", name, err)
		}
		replication[name] = n
	}
	if k == nil {
		k = &keyspace{name: st.space, tables: map[string]*table{}}
	}
	s.keyspaces[st.space] = &keyspace{name: k.name, tables: k.tables, replication: replication}
	return nil
}

func (s *schema) newTable(st *syntax) (*table, error) {
	s.nextTable++
	t := &table{id: s.nextTable, keyspace: st.space, name: st.table, byName: map[string]*column{}, gcGrace: defaultGrace}
	for _, d := range st.definitions {
		if err := t.define(d, st.partitionKey, st.clusteringKey); err != nil {
			return nil, err
		}
	}
	for i, name := range st.partitionKey {
		c := t.byName[name]
		if c == nil {
			return nil, fmt.Errorf("no column %s", name)
		}
		c.position = i
		t.partition = append(t.partition, c)
	}
	for i, name := range st.clusteringKey {
		c := t.byName[name]
		if c == nil {
			return nil, fmt.Errorf("no column %s", name)
		}
		c.position = i
		t.cluster = append(t.cluster, c)
	}
	if len(t.partition) == 0 {
		return nil, fmt.Errorf("no primary key")
	}
	for _, o := range st.clusteringOrder {
		c := t.byName[o.column]
		if c == nil || c.kind != clusteringColumn {
			return nil, fmt.Errorf("order by %s", o.column)
		}
		c.descending = o.descending
	}
	return t, t.setProperties(st)
}

func (t *table) define(d definition, partition, clustering []string) error {
	typ, err := parseType(d.typ)
	if err != nil {
		return err
	}
	kind := regularColumn
	switch {
	case slices.Contains(partition, d.name):
		kind = partitionColumn
	case slices.Contains(clustering, d.name):
		kind = clusteringColumn
	case d.static:
		kind = staticColumn
	}
	_, err = t.addColumn(d.name, typ, kind)
	return err
}

func (t *table) setProperties(st *syntax) error {
	if text, ok := st.properties["gc_grace_seconds"]; ok {
		seconds, err := strconv.Atoi(text)
		if err != nil {
			return fmt.Errorf("gc_grace_seconds: %w", err)
		}
		t.gcGrace = time.Duration(seconds) * time.Second
	}
	if compaction := st.entries("compaction"); len(compaction) > 0 {
		t.purgeRepairedOnly = compaction["only_purge_repaired_tombstones"] == "true"
	}
	t.readRepair = cmp.Or(st.properties["read_repair"], t.readRepair, "BLOCKING")
	t.speculativeRetry = cmp.Or(st.properties["speculative_retry"], t.speculativeRetry, "99p")
	return nil
}
