package cassandra

import (
	"maps"
	"reflect"
	"slices"
	"testing"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"popelago/mail"
)

// A node that delivers hints, to any node, no longer lists the hints in delivery, and the local nodes
// may be among the targets. Only a node without hints and without deliveries has no hints.
func TestHintsUnderWayArePending(t *testing.T) {
	settings := hints().settings
	for _, c := range []struct {
		answers nodeHints
		want    bool
	}{
		{nodeHints{}, false},
		{nodeHints{hints: []string{"dc2"}}, false},
		{nodeHints{hints: []string{"dc2", "dc1"}}, true},
		{nodeHints{active: 1}, true},
		{nodeHints{waiting: 1}, true},
	} {
		c.answers.settings = settings
		if h := c.answers.handoff("dc1"); h.pending != c.want || h.window != 3*time.Hour || h.hidden != 35*time.Second {
			t.Errorf("%+v means %+v, want pending %v", c.answers, h, c.want)
		}
	}
}

// Unread content is no orphan, and neither are chunks without a certain answer about chunk 0: both
// are counted as waiting.
func TestUnreadIsNoOrphan(t *testing.T) {
	ids := mail.NewIDSource(nil)
	had, unread, both, free := ids.Next(), ids.Next(), ids.Next(), ids.Next()
	o := &obstacle{err: errTired}
	known := map[mail.MessageID][]mail.MailboxID{had: {{1}}, both: {{1}}}
	away := map[mail.MessageID]*obstacle{unread: o, both: o}
	contents := map[mail.MessageID]stored{had: {}, unread: {}, both: {}, free: {size: 7}}
	if rest, unclear := without(contents, known, away); !maps.Equal(sizes(rest), map[mail.MessageID]int64{free: 7}) || unclear != 1 {
		t.Errorf("contents without an entry: %v, and %d are uncertain; want %v and 1", rest, unclear, free)
	}
	parts := []part{{had, 1}, {unread, 1}, {free, 1}, {unread, 2}, {free, 2}}
	if loose, unclear := withoutFirst(parts, map[mail.MessageID]stored{had: {}}, away); !slices.Equal(loose, []part{{free, 1}, {free, 2}}) || unclear != 2 {
		t.Errorf("chunks without chunk 0: %v, and %d are uncertain; want the chunks of %v and 2", loose, unclear, free)
	}
}

func sizes(contents map[mail.MessageID]stored) map[mail.MessageID]int64 {
	m := map[mail.MessageID]int64{}
	for id, c := range contents {
		m[id] = c.size
	}
	return m
}

// A partition of the trash that was not read at ALL may have rows between the rows read. Unread rows
// stay: the reaper clears no range, but each finished row by itself.
func TestOnlyWhatWasReadAtAllIsClearedByRange(t *testing.T) {
	p := trashPart{datacenter: "dc1", hour: 7, shard: 3}
	ids := mail.NewIDSource(nil)
	a, b := mail.MailboxID{1}, mail.MailboxID{2}
	rows := []removal{{a, ids.Next(), 10}, {a, ids.Next(), 30}, {b, ids.Next(), 20}, {b, ids.Next(), 40}}
	done := []bool{true, true, true, false}
	key := func(at int64, rest ...any) []any { return append([]any{at, "dc1", 7, 3}, rest...) }
	first, second, third := gocql.UUID(rows[0].message), gocql.UUID(rows[1].message), gocql.UUID(rows[2].message)
	for _, c := range []struct {
		level gocql.Consistency
		cql   string
		want  [][]any
	}{
		{gocql.All, clearTrash, [][]any{key(31, gocql.UUID(a), first, gocql.UUID(b), third)}},
		{gocql.LocalQuorum, deleteTrash, [][]any{
			key(31, gocql.UUID(a), []gocql.UUID{first, second}), key(21, gocql.UUID(b), []gocql.UUID{third}),
		}},
	} {
		if cql, values := clearing(p, rows, done, c.level); cql != c.cql || !reflect.DeepEqual(values, c.want) {
			t.Errorf("read at %v, cleared by %s %v, want %s %v", c.level, cql, values, c.cql, c.want)
		}
	}
	if _, values := clearing(p, rows, make([]bool, len(rows)), gocql.All); len(values) > 0 {
		t.Errorf("nothing is done, and %v is cleared", values)
	}
}
