package cassandra

import (
	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"popelago/store"
)

// level selects the consistency of reads and writes, see store.Levels.
type level int

const (
	levelLocal level = iota
	levelEach
	levelAll
)

// Origin implements store.Place.
func (s *engine) Origin() string { return s.origin() }

// Levels returns the engine at each level. With replicas in one datacenter only, Each equals Local.
func (s *engine) Levels() store.Levels[*Store] {
	local := &Store{engine: s, level: levelLocal}
	l := store.Levels[*Store]{Local: local, Each: local, All: &Store{engine: s, level: levelAll}}
	if l.Several = len(s.datacenters) > 1; l.Several {
		l.Each = &Store{engine: s, level: levelEach}
	}
	return l
}

// reads returns the consistency of reads.
func (s *Store) reads() gocql.Consistency {
	switch s.level {
	case levelEach:
		return gocql.EachQuorum
	case levelAll:
		return gocql.All
	}
	if s.failover.confirming.Load() {
		return gocql.EachQuorum
	}
	return gocql.LocalQuorum
}

// writes returns the consistency of writes.
func (s *Store) writes() gocql.Consistency {
	if s.level == levelEach {
		return gocql.EachQuorum
	}
	return gocql.LocalQuorum
}
