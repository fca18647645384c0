package cassandra

import (
	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"popelago/store"
)

// At implements store.Store. With replicas in one datacenter only, that one is each.
func (s *engine) At(level store.Level) store.Store { return s.views[level] }

// Origin implements store.Store.
func (s *engine) Origin() string { return s.origin() }

func (s *engine) makeViews(several bool) {
	for level := range s.views {
		s.views[level] = &Store{engine: s, level: store.Level(level)}
	}
	if !several {
		s.views[store.LevelEach] = s.views[store.LevelLocal]
	}
}

// reads is the consistency of reads.
func (s *Store) reads() gocql.Consistency {
	switch s.level {
	case store.LevelEach:
		return gocql.EachQuorum
	case store.LevelAll:
		return gocql.All
	}
	if s.failover.confirming.Load() {
		return gocql.EachQuorum
	}
	return gocql.LocalQuorum
}

// writes is the consistency of writes.
func (s *Store) writes() gocql.Consistency {
	if s.level == store.LevelEach {
		return gocql.EachQuorum
	}
	return gocql.LocalQuorum
}
