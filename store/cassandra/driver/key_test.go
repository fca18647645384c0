package driver

import (
	"testing"

	gocql "github.com/apache/cassandra-gocql-driver/v2"
)

// Statements that differ have different keys; the order in which a map lists ids does not matter.
func TestKey(t *testing.T) {
	a, b := gocql.UUID{1}, gocql.UUID{2}
	read := Statement{CQL: "SELECT a FROM t WHERE k IN ?", Values: []any{[]gocql.UUID{a, b}}}
	turned := read
	turned.Values = []any{[]gocql.UUID{b, a}}
	if read.Key("s") != turned.Key("s") {
		t.Error("the order of ids matters")
	}
	seen := map[uint64]int{read.Key("s"): -1, read.Key("other"): -2}
	for i, st := range []Statement{
		{CQL: read.CQL, Values: []any{[]gocql.UUID{a}}},
		{CQL: read.CQL, Values: read.Values, Page: []byte("next")},
		{CQL: read.CQL, Values: read.Values, Node: "node"},
		{CQL: read.CQL, Values: read.Values, Consistency: gocql.Quorum},
		{CQL: read.CQL, Values: []any{"a", "b"}},
		{CQL: read.CQL, Values: []any{"ab", ""}},
		{CQL: read.CQL, Values: []any{[]byte("a"), a}},
		{CQL: read.CQL, Values: []any{1}},
		{CQL: read.CQL, Values: []any{int64(2)}},
		{CQL: read.CQL, Batch: [][]any{{"a"}, {"b"}}},
	} {
		key := st.Key("s")
		if other, is := seen[key]; is {
			t.Errorf("statements %d and %d have the same key", i, other)
		}
		seen[key] = i
	}
}
