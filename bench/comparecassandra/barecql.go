package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// The tables of the bare loop: the two tables that a delivery writes to, in the shape of the
// Cassandra engine, and the tables from which some mail stores take numbers. Nodes keep no snapshot
// of a dropped table.
var bareTables = map[string]string{
	bareMark: `(name text PRIMARY KEY) WITH allow_auto_snapshot = false`,
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

// bareMark is an empty table that marks a keyspace of the bare loop.
const bareMark = "made_by_popelago_bench"

// createBareKeyspace makes the keyspace, and fails if there is one.
func createBareKeyspace(keyspace string, replication map[string]int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "CREATE KEYSPACE %s WITH replication = {'class': 'NetworkTopologyStrategy'", keyspace)
	for _, datacenter := range slices.Sorted(maps.Keys(replication)) {
		fmt.Fprintf(&b, ", '%s': %d", strings.ReplaceAll(datacenter, "'", "''"), replication[datacenter])
	}
	b.WriteString("}")
	return b.String()
}

// createBareTable makes one of the tables.
func createBareTable(keyspace, table string) string {
	return "CREATE TABLE " + keyspace + "." + table + " " + bareTables[table]
}

// calmBareKeyspace takes the keyspace out of the commit log.
func calmBareKeyspace(keyspace string) string {
	return "ALTER KEYSPACE " + keyspace + " WITH durable_writes = false"
}

// dropBareKeyspace removes the keyspace with all tables.
func dropBareKeyspace(keyspace string) string { return "DROP KEYSPACE IF EXISTS " + keyspace }

// selectBareTables lists the tables of a keyspace.
const selectBareTables = `SELECT table_name FROM system_schema.tables WHERE keyspace_name = ?`

// The two writes of a delivery.
const (
	insertContent = `INSERT INTO content (message, chunk, data, size, chunks, recipients, reverse_path) VALUES (?, ?, ?, ?, ?, ?, ?) USING TIMESTAMP ?`
	insertIndex   = `INSERT INTO mailbox (mailbox, segment, message, size, recipient, uidl, origin) VALUES (?, ?, ?, ?, ?, ?, ?) USING TIMESTAMP ?`
)

// sequence holds the statements that count a number up by compare-and-set.
type sequence struct{ read, begin, next string }

// sequenceOf returns the statements for the sequence in a table.
func sequenceOf(table string) sequence {
	return sequence{
		read:  `SELECT value FROM ` + table + ` WHERE mailbox = ?`,
		begin: `INSERT INTO ` + table + ` (mailbox, value) VALUES (?, 1) IF NOT EXISTS`,
		next:  `UPDATE ` + table + ` SET value = ? WHERE mailbox = ? IF value = ?`,
	}
}
