package bench

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// The tables of Raw: the two tables of a delivery, in the shape of the Cassandra engine, and the
// tables from which other mail stores take numbers. Nodes keep no snapshot of dropped tables.
var rawTables = map[string]string{
	rawMark: `(name text PRIMARY KEY) WITH allow_auto_snapshot = false`,
	"mailbox": `(
  mailbox uuid,
  segment int,
  message timeuuid,
  size bigint,
  recipient text,
  uidl text,
  origin text,
  PRIMARY KEY ((mailbox, segment), message)
) WITH CLUSTERING ORDER BY (message ASC)
  AND compaction = {'class': 'LeveledCompactionStrategy', 'only_purge_repaired_tombstones': 'true'}
  AND read_repair = 'BLOCKING'
  AND allow_auto_snapshot = false`,
	"content": `(
  message timeuuid,
  chunk int,
  data blob,
  size bigint,
  chunks int,
  codec tinyint,
  key_id text,
  recipients frozen<list<uuid>>,
  reverse_path text,
  removed set<uuid>,
  PRIMARY KEY ((message, chunk))
) WITH compaction = {'class': 'SizeTieredCompactionStrategy', 'only_purge_repaired_tombstones': 'true'}
  AND read_repair = 'BLOCKING'
  AND allow_auto_snapshot = false`,
	"next_uid":    `(mailbox uuid PRIMARY KEY, value bigint) WITH allow_auto_snapshot = false`,
	"next_modseq": `(mailbox uuid PRIMARY KEY, value bigint) WITH allow_auto_snapshot = false`,
}

// rawMark is an empty table that marks a keyspace as made by Raw.
const rawMark = "made_by_popelago_bench"

// createRawKeyspace makes the keyspace, and fails if it exists.
func createRawKeyspace(keyspace string, replication map[string]int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "CREATE KEYSPACE %s WITH replication = {'class': 'NetworkTopologyStrategy'", keyspace)
	for _, datacenter := range slices.Sorted(maps.Keys(replication)) {
		fmt.Fprintf(&b, ", '%s': %d", strings.ReplaceAll(datacenter, "'", "''"), replication[datacenter])
	}
	b.WriteString("}")
	return b.String()
}

// createRawTable makes a table of Raw.
func createRawTable(keyspace, table string) string {
	return "CREATE TABLE " + keyspace + "." + table + " " + rawTables[table]
}

// calmRawKeyspace takes the keyspace out of the commit log.
func calmRawKeyspace(keyspace string) string {
	return "ALTER KEYSPACE " + keyspace + " WITH durable_writes = false"
}

// dropRawKeyspace removes the keyspace with all its tables.
func dropRawKeyspace(keyspace string) string { return "DROP KEYSPACE IF EXISTS " + keyspace }

// selectRawTables lists the tables of a keyspace.
const selectRawTables = `SELECT table_name FROM system_schema.tables WHERE keyspace_name = ?`

// The two writes of a delivery.
const (
	rawInsertContent = `INSERT INTO content (message, chunk, data, size, chunks, recipients, reverse_path) VALUES (?, ?, ?, ?, ?, ?, ?) USING TIMESTAMP ?`
	rawInsertIndex   = `INSERT INTO mailbox (mailbox, segment, message, size, recipient, uidl, origin) VALUES (?, ?, ?, ?, ?, ?, ?) USING TIMESTAMP ?`
)

// rawSequence is a number that compare-and-set counts up.
type rawSequence struct{ read, begin, next string }

// sequenceOf holds the statements for the sequence in a table.
func sequenceOf(table string) rawSequence {
	return rawSequence{
		read:  `SELECT value FROM ` + table + ` WHERE mailbox = ?`,
		begin: `INSERT INTO ` + table + ` (mailbox, value) VALUES (?, 1) IF NOT EXISTS`,
		next:  `UPDATE ` + table + ` SET value = ? WHERE mailbox = ? IF value = ?`,
	}
}
