package simulation

import (
	"strings"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"popelago/store/cassandra/driver"
)

// Planted is a defect in the statements of the engine, for judging whether runs would find it.
type Planted struct {
	Name string
	// Seed is the seed of a run that finds the defect. Another change of the engine or of the clients makes another story:
	// then a run with one of the next seeds does.
	Seed   uint64
	Defect Defect
}

// Defects lists the planted defects.
func Defects() []Planted {
	return []Planted{
		{"an index row is acknowledged by one replica", 1, at(write, "mailbox", gocql.LocalOne)},
		{"a content is acknowledged by one replica", 7, at(write, "content", gocql.LocalOne)},
		{"a list asks one replica", 2, at(list, "mailbox", gocql.LocalOne)},
		{"a removal is acknowledged by one replica", 5, at(remove, "mailbox", gocql.LocalOne)},
		{"a removal has the time of the message", 1, removalTime},
		{"a message is added with a late time", 1, additionTime},
		{"removals leave no trash", 2, skip(write, "trash")},
		{"the size of a row is wrong now and then", 2, wrongSize},
		{"a floor is raised a day too high", 1, highFloor},
		{"background work asks a quorum instead of all replicas", 16, quorumForAll},
		{"nobody asks other datacenters", 19, localForEach},
		{"a content is lost now and then, and acknowledged", 2, lostContent},
		{"a reaper does not note whose rows it has swept", 2, skip(update, "content")},
	}
}

// The kinds of statements, by their first word.
const (
	write  = "INSERT INTO "
	list   = "SELECT "
	remove = "DELETE FROM "
	update = "UPDATE "
)

// concerns reports whether a statement is of a kind, and about a table.
func concerns(st driver.Statement, kind, table string) bool {
	if !strings.HasPrefix(st.CQL, kind) {
		return false
	}
	for _, before := range []string{"INTO ", "FROM ", "UPDATE "} {
		if strings.Contains(st.CQL, before+table+" ") {
			return true
		}
	}
	return false
}

// at lowers the consistency of statements at LOCAL_QUORUM.
func at(kind, table string, to gocql.Consistency) Defect {
	return func(st driver.Statement) (driver.Statement, Effect) {
		if concerns(st, kind, table) && st.Consistency == gocql.LocalQuorum {
			st.Consistency = to
			return st, Change
		}
		return st, Keep
	}
}

// skip leaves statements out.
func skip(kind, table string) Defect {
	return func(st driver.Statement) (driver.Statement, Effect) {
		if concerns(st, kind, table) {
			return st, Skip
		}
		return st, Keep
	}
}

// changed returns the statement with changed values, of a batch too.
func changed(st driver.Statement, change func(values []any)) driver.Statement {
	copied := func(values []any) []any {
		values = append([]any(nil), values...)
		change(values)
		return values
	}
	if st.Batch == nil {
		st.Values = copied(st.Values)
		return st
	}
	batch := make([][]any, len(st.Batch))
	for i := range batch {
		batch[i] = copied(st.Batch[i])
	}
	st.Batch = batch
	return st
}

// later changes a timestamp among the values of a statement that is not a batch. A server that asks whether it may
// write sends nulls.
func later(st driver.Statement, i int, by time.Duration) (driver.Statement, Effect) {
	if len(st.Values) == 0 {
		return st, Keep
	}
	at, ok := st.Values[i].(int64)
	if !ok {
		return st, Keep
	}
	return changed(st, func(values []any) { values[i] = at + by.Microseconds() }), Change
}

// removalTime gives the removal of rows the timestamp of a moment before the messages.
func removalTime(st driver.Statement) (driver.Statement, Effect) {
	if !concerns(st, remove, "mailbox") || !strings.Contains(st.CQL, "IN ?") {
		return st, Keep
	}
	return later(st, 0, -time.Hour)
}

// additionTime gives new rows a timestamp of an hour later.
func additionTime(st driver.Statement) (driver.Statement, Effect) {
	if !concerns(st, write, "mailbox") {
		return st, Keep
	}
	return later(st, len(st.Values)-1, time.Hour)
}

// wrongSize makes the size of every row with an odd octet in its id one too large.
func wrongSize(st driver.Statement) (driver.Statement, Effect) {
	if !concerns(st, write, "mailbox") || !strings.Contains(st.CQL, "size") {
		return st, Keep
	}
	return changed(st, func(values []any) {
		if id, ok := values[2].(gocql.UUID); ok && id[3]%16 == 0 {
			values[3] = values[3].(int64) + 1
		}
	}), Change
}

// highFloor makes a floor too high by a day.
func highFloor(st driver.Statement) (driver.Statement, Effect) {
	if !strings.HasPrefix(st.CQL, "INSERT INTO floor (mailbox, floor)") {
		return st, Keep
	}
	id, ok := st.Values[1].(gocql.UUID)
	if !ok { // a server asks whether it may write
		return st, Keep
	}
	return changed(st, func(values []any) { values[1] = gocql.MinTimeUUID(id.Time().Add(24 * time.Hour)) }), Change
}

// quorumForAll asks for a local quorum instead of all replicas.
func quorumForAll(st driver.Statement) (driver.Statement, Effect) {
	if st.Consistency == gocql.All {
		st.Consistency = gocql.LocalQuorum
		return st, Change
	}
	return st, Keep
}

// localForEach asks for a local quorum instead of a quorum of each datacenter.
func localForEach(st driver.Statement) (driver.Statement, Effect) {
	if st.Consistency == gocql.EachQuorum && strings.HasPrefix(st.CQL, list) {
		st.Consistency = gocql.LocalQuorum
		return st, Change
	}
	return st, Keep
}

// lostContent sends some writes of contents to no node, and pretends success.
func lostContent(st driver.Statement) (driver.Statement, Effect) {
	if !concerns(st, write, "content") || len(st.Values) == 0 {
		return st, Keep
	}
	if id, ok := st.Values[0].(gocql.UUID); ok && id[3]%64 == 0 {
		return st, Skip
	}
	return st, Keep
}
