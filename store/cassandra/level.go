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

// whenSent is the consistency of reads at the level Local: LOCAL_QUORUM, or EACH_QUORUM while reads are confirmed.
// The runner decides at each statement, together with the session. So a list that was begun in another datacenter is
// confirmed from the return on. No node ever gets whenSent.
const whenSent gocql.Consistency = 0xffff

// reads returns the consistency of reads, or whenSent.
func (l level) reads() gocql.Consistency {
	switch l.name {
	case levelEach:
		return gocql.EachQuorum
	case levelAll:
		return gocql.All
	}
	return whenSent
}

// writes returns the consistency of writes.
func (l level) writes() gocql.Consistency {
	if l.name == levelEach {
		return gocql.EachQuorum
	}
	return gocql.LocalQuorum
}
