package cassandra

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// This file holds all CQL of the package. Every write has an explicit timestamp, no statement has a
// condition. A segment or chunk is bound also where it is always 0: the driver sends a statement straight
// to a replica only if the whole partition key is bound.

// migrations returns the statements that make the tables: migration n leads to schema version n. Each
// statement may be repeated. Version 1 was never released, and had different keys (see firstVersion).
//
// only_purge_repaired_tombstones: a forgotten repair costs space, and revives no row. The table ledger
// lacks the option: its rows expire within half of its gc_grace_seconds. The tables retrieval and login lack
// the option, too: a row that comes back there revives no message, and expires. So do the journals.
func migrations() [][]string {
	return [][]string{{}, {
		`CREATE TABLE IF NOT EXISTS mailbox (
  mailbox uuid,
  segment int,
  message timeuuid,
  size bigint,
  recipient text,
  uidl text,
  origin text,
  bulk_since bigint STATIC,
  PRIMARY KEY ((mailbox, segment), message)
) WITH CLUSTERING ORDER BY (message ASC)
  AND comment = 'mailbox -> messages, inserted with the time of the id, removed with a later one'
  AND compaction = {'class': 'LeveledCompactionStrategy', 'only_purge_repaired_tombstones': 'true'}` + readOptions,
		`CREATE TABLE IF NOT EXISTS content (
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
) WITH comment = 'what all recipients of a message share, in chunks of 256 KiB, chunk 0 is written last'
  AND compaction = {'class': 'SizeTieredCompactionStrategy', 'only_purge_repaired_tombstones': 'true'}` + readOptions,
		`CREATE TABLE IF NOT EXISTS trash (
  datacenter text,
  hour int,
  shard int,
  mailbox uuid,
  message timeuuid,
  removed_at bigint,
  PRIMARY KEY ((datacenter, hour, shard), mailbox, message)
) WITH comment = 'removals, by the hour (since 1970) they were made in, in 256 shards by the last octet of the mailbox'
  AND compaction = {'class': 'SizeTieredCompactionStrategy', 'only_purge_repaired_tombstones': 'true'}` + readOptions,
		`CREATE TABLE IF NOT EXISTS floor (
  mailbox uuid PRIMARY KEY,
  floor timeuuid,
  held bigint
) WITH comment = 'nothing is alive below the floor of a mailbox, which does not rise until held (microseconds)'
  AND compaction = {'class': 'LeveledCompactionStrategy', 'only_purge_repaired_tombstones': 'true'}` + readOptions,
		`CREATE TABLE IF NOT EXISTS address (
  domain text,
  shard int,
  local text,
  generation uuid,
  kind text,
  removed uuid,
  password text,
  state text,
  created bigint,
  retention bigint,
  bulk bigint,
  PRIMARY KEY ((domain, shard), local, generation)
) WITH comment = 'addresses, in 128 shards by FNV-1a of local, a removed account stays, its successor is another generation'
  AND compaction = {'class': 'LeveledCompactionStrategy', 'only_purge_repaired_tombstones': 'true'}` + readOptions,
		`CREATE TABLE IF NOT EXISTS domain (
  name text PRIMARY KEY,
  created bigint,
  removed boolean,
  durability text,
  retention bigint
) WITH comment = 'hosted domains, a removed one stays, marked'
  AND compaction = {'class': 'LeveledCompactionStrategy', 'only_purge_repaired_tombstones': 'true'}` + readOptions,
		`CREATE TABLE IF NOT EXISTS ledger (
  datacenter text,
  hour int,
  entered bigint,
  fingerprint blob,
  message timeuuid,
  until bigint,
  origin text,
  content_stored boolean,
  content_reached int,
  content_size bigint,
  mailboxes frozen<list<uuid>>,
  recipients frozen<list<text>>,
  outcomes blob,
  PRIMARY KEY ((datacenter, hour), entered, fingerprint, message)
) WITH CLUSTERING ORDER BY (entered DESC, fingerprint ASC, message ASC)
  AND comment = 'deliveries that may be repeated though they are stored, by the hour (since 1970) they were entered in, rows expire'
  AND compaction = {'class': 'TimeWindowCompactionStrategy', 'compaction_window_unit': 'HOURS', 'compaction_window_size': 1}
  AND gc_grace_seconds = 86400` + readOptions,
		`CREATE TABLE IF NOT EXISTS progress (
  name text PRIMARY KEY,
  position bigint,
  begun bigint
) WITH comment = 'how far background work has come'
  AND compaction = {'class': 'LeveledCompactionStrategy', 'only_purge_repaired_tombstones': 'true'}` + readOptions,
		`CREATE TABLE IF NOT EXISTS note (
  name text PRIMARY KEY,
  text text
) WITH comment = 'how far checks have come'
  AND compaction = {'class': 'LeveledCompactionStrategy', 'only_purge_repaired_tombstones': 'true'}` + readOptions,
		`CREATE TABLE IF NOT EXISTS server (
  datacenter text,
  id uuid,
  name text,
  address text,
  version text,
  started bigint,
  clock bigint,
  PRIMARY KEY ((datacenter), id)
) WITH comment = 'servers that are alive, rows expire; clock is null while it cannot be trusted'
  AND compaction = {'class': 'LeveledCompactionStrategy'}
  AND gc_grace_seconds = 86400` + readOptions,
		`CREATE TABLE IF NOT EXISTS watermark (
  server text PRIMARY KEY,
  high bigint
) WITH comment = 'up to when each server has made ids'
  AND compaction = {'class': 'LeveledCompactionStrategy', 'only_purge_repaired_tombstones': 'true'}` + readOptions,
	}, {
		`ALTER TABLE server ADD IF NOT EXISTS window bigint`,
	}, {
		`ALTER TABLE address ADD IF NOT EXISTS targets set<text>`,
		`ALTER TABLE address ADD IF NOT EXISTS settings map<text, text>`,
		`ALTER TABLE address ADD IF NOT EXISTS touched boolean`,
		`ALTER TABLE domain ADD IF NOT EXISTS settings map<text, text>`,
		`ALTER TABLE domain ADD IF NOT EXISTS touched boolean`,
	}, {
		`CREATE TABLE IF NOT EXISTS access_token (
  id text PRIMARY KEY,
  hash blob,
  role text,
  scopes frozen<list<text>>,
  note text,
  maker text,
  created bigint,
  expires bigint,
  revoked bigint,
  used bigint
) WITH comment = 'access tokens of the administration API, revoked is written and never removed'
  AND compaction = {'class': 'LeveledCompactionStrategy', 'only_purge_repaired_tombstones': 'true'}` + readOptions,
	}, {
		`ALTER TABLE trash ADD IF NOT EXISTS entry blob`,
		`ALTER TABLE trash ADD IF NOT EXISTS bare boolean`,
	}, {
		`ALTER TABLE mailbox ADD IF NOT EXISTS original text`,
		`ALTER TABLE ledger ADD IF NOT EXISTS originals frozen<list<text>>`,
	}, {
		`ALTER TABLE address ADD IF NOT EXISTS origin text`,
	}, {
		`ALTER TABLE server ADD IF NOT EXISTS admin text`,
	}, {
		`CREATE TABLE IF NOT EXISTS retrieval (
  mailbox uuid,
  segment int,
  message timeuuid,
  at bigint,
  PRIMARY KEY ((mailbox, segment), message)
) WITH CLUSTERING ORDER BY (message ASC)
  AND comment = 'when messages were retrieved first, with a timestamp that falls with at, rows expire'
  AND compaction = {'class': 'LeveledCompactionStrategy'}
  AND gc_grace_seconds = 86400` + readOptions,
		`CREATE TABLE IF NOT EXISTS login (
  mailbox uuid PRIMARY KEY,
  at bigint
) WITH comment = 'the last login of each account, rows expire'
  AND compaction = {'class': 'LeveledCompactionStrategy'}
  AND gc_grace_seconds = 86400` + readOptions,
	}, {
		createJournal("trace"),
		createJournal("audit"),
	}, {
		createJournal("queue"),
		`CREATE TABLE IF NOT EXISTS mark (
  list blob,
  name blob,
  at bigint,
  id blob,
  PRIMARY KEY ((list), name)
) WITH comment = 'positions in journals, with at as the timestamp: the latest position wins; rows expire'
  AND compaction = {'class': 'LeveledCompactionStrategy'}
  AND gc_grace_seconds = 86400` + readOptions,
	}}
}

// readOptions are the options of all tables for reads.
//
// read_repair BLOCKING: a row read at a quorum in one session is read in the next session too.
//
// speculative_retry: a node that waits for a hanging replica asks another replica after half a second at the
// latest. Cassandra's default is the 99th percentile alone, which grows to read_request_timeout after a few
// time-outs: the reads of a table with little traffic then wait for the hanging replica until they fail.
const readOptions = `
  AND read_repair = 'BLOCKING'
  AND speculative_retry = 'MIN(99p,500ms)'`

// createJournal returns the statement for the table of a journal. A partition holds the rows of a day and of
// the keys of a shard, so a batch writes rows of many keys.
func createJournal(name string) string {
	return `CREATE TABLE IF NOT EXISTS ` + name + ` (
  day int,
  shard int,
  key blob,
  at bigint,
  id blob,
  data blob,
  PRIMARY KEY ((day, shard), key, at, id)
) WITH CLUSTERING ORDER BY (key ASC, at DESC, id DESC)
  AND comment = 'a journal, by the day (since 1970) of at, in 256 shards by FNV-1a of key, rows expire'
  AND compaction = {'class': 'TimeWindowCompactionStrategy', 'compaction_window_unit': 'DAYS', 'compaction_window_size': 1}
  AND gc_grace_seconds = 86400` + readOptions
}

// createVersions makes the table of schema versions.
const createVersions = `CREATE TABLE IF NOT EXISTS schema_version (
  name text,
  version int,
  applied bigint,
  PRIMARY KEY ((name), version)
) WITH comment = 'the versions of the schema that were applied, and when'`

// createKeyspace returns the statement that makes the keyspace.
func createKeyspace(keyspace string, replication map[string]int) string {
	return "CREATE KEYSPACE IF NOT EXISTS " + keyspace + " WITH replication = " + replicationMap(replication) + " AND durable_writes = true"
}

// alterKeyspace returns the statement with which operators change the replicas. Doctor shows it.
func alterKeyspace(keyspace string, replication map[string]int) string {
	if len(replication) == 0 {
		return "ALTER KEYSPACE " + keyspace + " WITH replication = {'class': 'NetworkTopologyStrategy', ...}"
	}
	return "ALTER KEYSPACE " + keyspace + " WITH replication = " + replicationMap(replication)
}

func replicationMap(replication map[string]int) string {
	var b strings.Builder
	b.WriteString("{'class': 'NetworkTopologyStrategy'")
	for _, datacenter := range slices.Sorted(maps.Keys(replication)) {
		fmt.Fprintf(&b, ", '%s': %d", strings.ReplaceAll(datacenter, "'", "''"), replication[datacenter])
	}
	b.WriteString("}")
	return b.String()
}

// inKeyspace adds the keyspace to a statement that makes or changes a table.
func inKeyspace(keyspace, statement string) string {
	for _, verb := range []string{"CREATE TABLE IF NOT EXISTS ", "ALTER TABLE "} {
		if table, ok := strings.CutPrefix(statement, verb); ok {
			return verb + keyspace + "." + table
		}
	}
	return statement
}

// Schema versions; %s is the keyspace.
const (
	selectVersions = `SELECT version, applied FROM %s.schema_version WHERE name = ?`
	insertVersion  = `INSERT INTO %s.schema_version (name, version, applied) VALUES ('popelago', ?, ?) USING TIMESTAMP ?`
)

// Tables of Cassandra about the cluster.
const (
	selectLocalDatacenter = `SELECT data_center FROM system.local`
	selectDatacenters     = `SELECT data_center FROM system.peers`
	selectReplication     = `SELECT replication FROM system_schema.keyspaces WHERE keyspace_name = ?`
	selectColumns         = `SELECT table_name, column_name FROM system_schema.columns WHERE keyspace_name = ?`
	selectVersionTable    = `SELECT table_name FROM system_schema.tables WHERE keyspace_name = ? AND table_name = 'schema_version'`
)

// Tables about the product, see product.go.
const (
	selectKeyspaces    = `SELECT keyspace_name FROM system_schema.keyspaces`
	selectSystemTables = `SELECT table_name FROM system_schema.tables WHERE keyspace_name = 'system'`
	selectLocalColumns = `SELECT column_name FROM system_schema.columns WHERE keyspace_name = 'system' AND table_name = 'local'`
)

// Tables about options and repairs, for Doctor.
const (
	selectDurableWrites = `SELECT durable_writes FROM system_schema.keyspaces WHERE keyspace_name = ?`
	selectTableOptions  = `SELECT table_name, gc_grace_seconds, compaction, read_repair, speculative_retry, default_time_to_live ` +
		`FROM system_schema.tables WHERE keyspace_name = ?`
	selectRepairs = `SELECT keyspace_name, columnfamily_names, started_at, finished_at, exception_message, options, successful_ranges ` +
		`FROM system_distributed.parent_repair_history LIMIT ?`
)

// Tables of Cassandra about nodes, for Doctor.
const (
	selectRelease        = `SELECT release_version FROM system.local`
	selectLocalNode      = `SELECT rpc_address, rpc_port, broadcast_address, data_center, rack FROM system.local`
	selectPeers          = `SELECT native_address, native_port, peer, host_id, data_center, rack, release_version FROM system.peers_v2`
	selectSchemaVersion  = `SELECT schema_version FROM system.local`
	selectSchemaVersions = `SELECT native_address, native_port, peer, data_center, schema_version FROM system.peers_v2`
	selectClock          = `SELECT toUnixTimestamp(now()) FROM system.local`
	selectHeartbeats     = `SELECT address, generation, heartbeat FROM system_views.gossip_info`
	selectSettings       = `SELECT name, value FROM system_views.settings WHERE name IN ('commitlog_sync', 'commitlog_sync_period', ` +
		`'hinted_handoff_enabled', 'hinted_handoff_disabled_datacenters', 'max_hint_window', 'hints_flush_period', 'max_hints_size_per_host', ` +
		`'write_request_timeout', 'read_request_timeout', 'authenticator', 'authenticator.class_name', ` +
		`'maximum_timestamp_fail_threshold', 'maximum_timestamp_warn_threshold', 'minimum_timestamp_fail_threshold', 'minimum_timestamp_warn_threshold')`
)

// Probes, addresses and hints of nodes, for failover.
const (
	selectProbe         = `SELECT key FROM system.local`
	selectPeerAddresses = `SELECT data_center, native_address, native_port, peer FROM system.peers_v2`
	selectHints         = `SELECT dc FROM system_views.pending_hints`
	selectDispatchers   = `SELECT active_tasks, pending_tasks FROM system_views.thread_pools WHERE name = 'HintsDispatcher'`
	selectHintSettings  = `SELECT name, value FROM system_views.settings WHERE name IN (` +
		`'hinted_handoff_enabled', 'hinted_handoff_disabled_datacenters', 'max_hint_window', 'hints_flush_period', 'max_hints_size_per_host')`
)

// Mailboxes.
const (
	insertMessage = `INSERT INTO mailbox (mailbox, segment, message, size, recipient, uidl, origin, original) VALUES (?, ?, ?, ?, ?, ?, ?, ?) USING TIMESTAMP ?`

	// markBulk writes the marker of a bulk mailbox, see marker.
	markBulk = `INSERT INTO mailbox (mailbox, segment, message, bulk_since) VALUES (?, ?, ?, ?) USING TIMESTAMP ?`

	messageColumns = `SELECT message, size, recipient, uidl, origin, original, bulk_since FROM mailbox WHERE mailbox = ? AND segment = ?`
	listMessages   = messageColumns + ` AND message > ? LIMIT ?`
	listSlice      = messageColumns + ` AND message > ? AND message <= ? LIMIT ?`
	selectMessage  = messageColumns + ` AND message = ?`

	// selectBulk reads the marker of a mailbox.
	selectBulk = `SELECT message, bulk_since FROM mailbox WHERE mailbox = ? AND segment = ? AND message = ?`

	// selectAlive reads which messages are alive in one segment.
	selectAlive = `SELECT message, size FROM mailbox WHERE mailbox = ? AND segment = ? AND message IN ?`

	deleteMessages = `DELETE FROM mailbox USING TIMESTAMP ? WHERE mailbox = ? AND segment = ? AND message IN ?`

	selectFloor = `SELECT floor, held FROM floor WHERE mailbox = ?`
	holdFloor   = `INSERT INTO floor (mailbox, held) VALUES (?, ?) USING TTL ? AND TIMESTAMP ?`
	insertFloor = `INSERT INTO floor (mailbox, floor) VALUES (?, ?) USING TIMESTAMP ?`
	deleteBelow = `DELETE FROM mailbox USING TIMESTAMP ? WHERE mailbox = ? AND segment = ? AND message <= ?`
)

// Content.
const (
	insertFirstChunk = `INSERT INTO content (message, chunk, data, size, chunks, codec, recipients, reverse_path) VALUES (?, ?, ?, ?, ?, ?, ?, ?) USING TIMESTAMP ?`
	insertChunk      = `INSERT INTO content (message, chunk, data) VALUES (?, ?, ?) USING TIMESTAMP ?`

	selectFirstChunk = `SELECT data, size, chunks, codec, recipients, reverse_path FROM content WHERE message = ? AND chunk = ?`
	selectChunk      = `SELECT data FROM content WHERE message = ? AND chunk = ?`

	selectContent = `SELECT size, chunks, recipients, removed FROM content WHERE message = ? AND chunk = ?`
	scanContents  = `SELECT token(message, chunk), message, chunk, size, chunks, recipients, removed FROM content WHERE token(message, chunk) > ? LIMIT ?`

	scanContentsArc   = `SELECT token(message, chunk), message, chunk, size, chunks, recipients, removed FROM content WHERE token(message, chunk) > ? AND token(message, chunk) <= ? LIMIT ?`
	contentColumns    = `SELECT token(message, chunk), message, chunk, size, chunks, codec, recipients, reverse_path, removed FROM content`
	listContents      = contentColumns + ` WHERE token(message, chunk) > ? LIMIT ?`
	selectContentRow  = contentColumns + ` WHERE message = ? AND chunk = ?`
	selectChunkNumber = `SELECT chunk FROM content WHERE message = ? AND chunk = ?`

	addRemoved  = `UPDATE content USING TIMESTAMP ? SET removed = removed + ? WHERE message = ? AND chunk = ?`
	deleteChunk = `DELETE FROM content USING TIMESTAMP ? WHERE message = ? AND chunk = ?`
)

// Trash and background work.
const (
	insertTrash = `INSERT INTO trash (datacenter, hour, shard, mailbox, message, removed_at, entry) VALUES (?, ?, ?, ?, ?, ?, ?) USING TIMESTAMP ?`

	// insertBareTrash leaves the entry of an earlier removal in place.
	insertBareTrash = `INSERT INTO trash (datacenter, hour, shard, mailbox, message, removed_at, bare) VALUES (?, ?, ?, ?, ?, ?, true) USING TIMESTAMP ?`
	// insertDoubtfulTrash and insertDoubtfulBareTrash write the trash of the first of two times, see removalTime.
	insertDoubtfulTrash     = insertTrash + ` AND TTL ?`
	insertDoubtfulBareTrash = insertBareTrash + ` AND TTL ?`

	selectRemoved = `SELECT message, removed_at, entry, bare FROM trash WHERE datacenter = ? AND hour = ? AND shard = ? AND mailbox = ?`
	selectTrash   = `SELECT mailbox, message, removed_at FROM trash WHERE datacenter = ? AND hour = ? AND shard = ?`
	selectNamed   = `SELECT message FROM trash WHERE datacenter = ? AND hour = ? AND shard = ? AND mailbox = ? AND message IN ?`
	deleteTrash   = `DELETE FROM trash USING TIMESTAMP ? WHERE datacenter = ? AND hour = ? AND shard = ? AND mailbox = ? AND message IN ?`
	clearTrash    = `DELETE FROM trash USING TIMESTAMP ? WHERE datacenter = ? AND hour = ? AND shard = ? AND (mailbox, message) >= (?, ?) AND (mailbox, message) <= (?, ?)`

	selectProgress = `SELECT position FROM progress WHERE name = ?`
	insertProgress = `INSERT INTO progress (name, position) VALUES (?, ?) USING TIMESTAMP ?`
	selectScan     = `SELECT position, begun, WRITETIME(position) FROM progress WHERE name = ?`
	insertScan     = `INSERT INTO progress (name, position, begun) VALUES (?, ?, ?) USING TIMESTAMP ?`

	selectNote = `SELECT text, WRITETIME(text) FROM note WHERE name = ?`
	insertNote = `INSERT INTO note (name, text) VALUES (?, ?) USING TIMESTAMP ?`
)

// The ledger of attempts.
const (
	insertAttempt = `INSERT INTO ledger (datacenter, hour, entered, fingerprint, message, until, origin, content_stored, content_reached, content_size, mailboxes, recipients, originals, outcomes) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) USING TIMESTAMP ? AND TTL ?`

	listAttempts = `SELECT entered, fingerprint, message, until, origin, content_stored, content_reached, content_size, mailboxes, recipients, originals, outcomes FROM ledger WHERE datacenter = ? AND hour = ? AND entered >= ?`

	attemptRow    = ` WHERE datacenter = ? AND hour = ? AND entered = ? AND fingerprint = ? AND message = ?`
	selectAttempt = `SELECT until FROM ledger` + attemptRow
	deleteAttempt = `DELETE FROM ledger USING TIMESTAMP ?` + attemptRow
)

// Servers and their clocks.
const (
	insertServer  = `INSERT INTO server (datacenter, id, name, address, version, started, clock, window, admin) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) USING TTL ? AND TIMESTAMP ?`
	selectServers = `SELECT id, name, address, version, started, clock, window, admin, TTL(started), WRITETIME(started) FROM server WHERE datacenter = ?`
	deleteServer  = `DELETE FROM server USING TIMESTAMP ? WHERE datacenter = ? AND id = ?`

	selectWatermark = `SELECT high, WRITETIME(high) FROM watermark WHERE server = ?`
	insertWatermark = `INSERT INTO watermark (server, high) VALUES (?, ?) USING TIMESTAMP ?`

	scanWatermarks    = `SELECT high FROM watermark`
	scanWatermarksArc = scanWatermarks + ` WHERE token(server) > ? AND token(server) <= ?`
)

// Addresses. A write of targets or settings also writes touched: Cassandra 4.1 has no WRITETIME of the
// elements of a collection.
const (
	addressColumns  = `SELECT local, generation, kind, removed, password, state, created, retention, bulk, targets, settings, origin FROM address WHERE domain = ? AND shard = ?`
	selectAddresses = addressColumns + ` AND local = ?`
	listAddresses   = addressColumns + ` AND local > ? LIMIT ?`
	searchAddresses = addressColumns + ` AND local >= ? AND local < ? LIMIT ?`

	selectAddressTimes = `SELECT WRITETIME(kind), WRITETIME(removed), WRITETIME(password), WRITETIME(state), WRITETIME(created), WRITETIME(retention), WRITETIME(bulk), WRITETIME(touched), WRITETIME(origin) FROM address WHERE domain = ? AND shard = ? AND local = ? AND generation = ?`
)

// updateAddress returns the statement that makes assignments to an address.
func updateAddress(assignments []string) string {
	return `UPDATE address USING TIMESTAMP ? SET ` + strings.Join(assignments, ", ") + ` WHERE domain = ? AND shard = ? AND local = ? AND generation = ?`
}

// Tokens. No statement removes the column revoked, or sets it to null.
const (
	scanTokens  = `SELECT id, hash, role, scopes, note, maker, created, expires, revoked, used FROM access_token`
	scanArc     = scanTokens + ` WHERE token(id) > ? AND token(id) <= ?`
	insertToken = `INSERT INTO access_token (id, hash, role, scopes, note, maker, created, expires) VALUES (?, ?, ?, ?, ?, ?, ?, ?) USING TIMESTAMP ?`
	revokeToken = `UPDATE access_token USING TIMESTAMP ? SET revoked = ? WHERE id = ?`
	useToken    = `UPDATE access_token USING TIMESTAMP ? SET used = ? WHERE id = ?`
)

// Retrievals and logins.
const (
	insertRetrieval = `INSERT INTO retrieval (mailbox, segment, message, at) VALUES (?, ?, ?, ?) USING TIMESTAMP ? AND TTL ?`
	listRetrievals  = `SELECT message, at FROM retrieval WHERE mailbox = ? AND segment = ? AND message > ? AND message <= ?`
	deleteRetrieval = `DELETE FROM retrieval USING TIMESTAMP ? WHERE mailbox = ? AND segment = ? AND message IN ?`

	insertLogin = `INSERT INTO login (mailbox, at) VALUES (?, ?) USING TIMESTAMP ? AND TTL ?`
	selectLogin = `SELECT at FROM login WHERE mailbox = ?`
)

// Journals.
const (
	insertTrace = `INSERT INTO trace (day, shard, key, at, id, data) VALUES (?, ?, ?, ?, ?, ?) USING TIMESTAMP ? AND TTL ?`
	insertAudit = `INSERT INTO audit (day, shard, key, at, id, data) VALUES (?, ?, ?, ?, ?, ?) USING TIMESTAMP ? AND TTL ?`
	insertQueue = `INSERT INTO queue (day, shard, key, at, id, data) VALUES (?, ?, ?, ?, ?, ?) USING TIMESTAMP ? AND TTL ?`

	listTrace = `SELECT at, id, data FROM trace WHERE day = ? AND shard = ? AND key = ? AND (at, id) < (?, ?) LIMIT ?`
	listAudit = `SELECT at, id, data FROM audit WHERE day = ? AND shard = ? AND key = ? AND (at, id) < (?, ?) LIMIT ?`
	listQueue = `SELECT at, id, data FROM queue WHERE day = ? AND shard = ? AND key = ? AND (at, id) < (?, ?) LIMIT ?`

	// The order of the table, turned around.
	listTraceAfter = `SELECT at, id, data FROM trace WHERE day = ? AND shard = ? AND key = ? AND (at, id) > (?, ?) ORDER BY key DESC, at ASC, id ASC LIMIT ?`
	listAuditAfter = `SELECT at, id, data FROM audit WHERE day = ? AND shard = ? AND key = ? AND (at, id) > (?, ?) ORDER BY key DESC, at ASC, id ASC LIMIT ?`
	listQueueAfter = `SELECT at, id, data FROM queue WHERE day = ? AND shard = ? AND key = ? AND (at, id) > (?, ?) ORDER BY key DESC, at ASC, id ASC LIMIT ?`

	insertMark = `INSERT INTO mark (list, name, at, id) VALUES (?, ?, ?, ?) USING TIMESTAMP ? AND TTL ?`
	listMarks  = `SELECT name, at, id FROM mark WHERE list = ?`

	// noteTrash adds a datacenter to those that may have trash. The row never expires.
	noteTrash = `INSERT INTO mark (list, name, at) VALUES (?, ?, ?) USING TIMESTAMP ?`
)

// Domains.
const (
	selectDomain      = `SELECT name, created, removed, durability, retention, settings FROM domain WHERE name = ?`
	scanDomains       = `SELECT name, created, removed, durability, retention, settings FROM domain`
	scanRemoved       = `SELECT name, removed, WRITETIME(removed) FROM domain`
	scanDomainsArc    = scanDomains + ` WHERE token(name) > ? AND token(name) <= ?`
	scanRemovedArc    = scanRemoved + ` WHERE token(name) > ? AND token(name) <= ?`
	selectDomainTimes = `SELECT removed, WRITETIME(created), WRITETIME(removed), WRITETIME(durability), WRITETIME(retention), WRITETIME(touched) FROM domain WHERE name = ?`
)

// updateDomain returns the statement that makes assignments to a domain.
func updateDomain(assignments []string) string {
	return `UPDATE domain USING TIMESTAMP ? SET ` + strings.Join(assignments, ", ") + ` WHERE name = ?`
}
