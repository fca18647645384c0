package main

import (
	"strings"
	"testing"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"
)

// The statements of each table insert rows, list them and remove them.
func TestReplaceRows(t *testing.T) {
	cfg := testConfig(t)
	s := admin(t, cfg)
	execute(t, s, createBareKeyspace("bench_compaction", map[string]int{"dc1": 1}))
	defer execute(t, s, dropBareKeyspace("bench_compaction"))
	for _, c := range compactedTables {
		table := "bench_compaction." + c.name
		execute(t, s, c.create(table, "LeveledCompactionStrategy", ""))
		mailbox := gocql.UUID{15: 1}
		count := func() int {
			return s.Query(strings.ReplaceAll(c.list, "%s", table), c.key(mailbox, 0)...).IterContext(t.Context()).NumRows()
		}
		listed := 0
		err := replaceRows(t.Context(), s, c, table, mailbox, 0, func(int) error {
			listed = count()
			time.Sleep(2 * time.Microsecond) // the removal is later than the rows
			return nil
		})
		if left := count(); err != nil || listed != compactionRows || left != 0 {
			t.Errorf("%s: %v, %d rows listed, %d left", c.name, err, listed, left)
		}
	}
}

func TestCompactedTable(t *testing.T) {
	var out strings.Builder
	err := writeCompacted(&out, []*compacted{{table: "trash", choice: "leveled", work: []float64{3, 1, 2}, read: []float64{0.5}, perSecond: []float64{700}, octets: 2_500_000}})
	if want := "| `trash` | leveled | 2.000 | 0.500 | 700 | 2.5 |\n"; err != nil || !strings.HasSuffix(out.String(), want) {
		t.Errorf("%v, printed:\n%s", err, out.String())
	}
}
