package cassandra

import gocql "github.com/apache/cassandra-gocql-driver/v2"

// levelName names a level of store.Levels.
type levelName int

const (
	levelLocal levelName = iota
	levelEach
	levelAll
)

// level holds the consistency of reads and writes at one level of store.Levels.
type level struct {
	name levelName
	link *link
}

// reads returns the consistency of reads.
func (l level) reads() gocql.Consistency {
	switch l.name {
	case levelEach:
		return gocql.EachQuorum
	case levelAll:
		return gocql.All
	}
	if l.link.confirming.Load() {
		return gocql.EachQuorum
	}
	return gocql.LocalQuorum
}

// writes returns the consistency of writes.
func (l level) writes() gocql.Consistency {
	if l.name == levelEach {
		return gocql.EachQuorum
	}
	return gocql.LocalQuorum
}
