// Package embedded is the engine for one machine: everything in one folder, one process. It implements
// store.Engine; app opens it. The database is Pebble, a log-structured merge tree. Content up to 32 KiB
// is a value in the database; larger content is a file. New content is compressed first (package codec).
//
//	DIR/FORMAT                     one line: the format of the folder
//	DIR/STATE                      the files that must exist, and their contents
//	DIR/db/                        the files of Pebble, and its lock
//	DIR/content/FOLDER             the identity of the folder (identity.go)
//	DIR/content/tmp/N.tmp          contents being written
//	DIR/content/XX/ID-NONCE.msg    large contents; XX is the tenth octet of ID in hex
//	DIR/spare/N.spare              space kept for a full disk (spare.go)
//
// # Keys
//
// Ids stand in keys as mail.MessageID.SortKey, so that rows have the order of a list. "text" is octets
// with 0x00 written as 0x00 0xFF, ended by 0x00 0x01. Values begin with a version octet.
//
//	m mailbox(16) id(16)                    size, recipient, unique-id, origin, original
//	r mailbox(16) id(16)                    marker of a removal: removed at, the row as it was
//	c id(16)                                content row: size, reverse-path, mailboxes, codec, octets
//	o id(16)                                marker of a content without a message: put at
//	p name                                  progress of background work
//	t removed at(8) number(8)               mailbox and ids of a removal; content to be swept
//	u removed at(8) number(8)               the same, swept; markers to be purged
//	a text domain, text local,              one column of one generation of an address;
//	    generation(16) column(1) element      column is one of "bcfgkoprst"; element is a target or the
//	                                          name of a setting in the columns "g" and "o", else empty
//	d name                                  domain: created
//	s text name setting(1) element          one setting of a domain; setting is one of "dnt"; element
//	                                          is the name of a setting "n", else empty
//	k text id part(1)                       one part of a token; part is one of "mru"
//	v mailbox(16) id(16)                    note of a retrieval: first retrieved at
//	l mailbox(16)                           last login at
//	j journal(1) day(4) volume(8) text key  row of a journal; journal is "t" (trace), "a" (audit) or "q" (queue,
//	    at(8) id(16)                          without volume), day is the day of at since 1970; at and id have all
//	                                          bits flipped, so that the newest row comes first: data. Each volume
//	                                          has the rows of a time, up to 4 MiB
//	n text list name                        position of a mark: at(8) id(16)
//	e text list name                        end of a mark: at(8) id(16) of the mark, kept until(8)
//	g                                       a time whose contents may have lost their rows: from(8) until(8)
//	h                                       the latest time that is known to have passed
//	i                                       the identity of the folder, as in content/FOLDER
//
// For example the row of message 6ba7b810-9dad-11d1-80b4-00c04fd430c8 (time 0x1d19dad6ba7b810)
// in mailbox 11112222-3333-5444-8555-666677778888 has the key
//
//	6d 11112222333354448555666677778888 01d19dad6ba7b810 00348040cf54b048   ("m", mailbox, id)
//
// # Correctness
//
// Writes go through one goroutine that gathers waiting writes into one batch and one fsync (commit.go). A
// message is visible when its row exists. A removal deletes the row and leaves a marker; a row is not
// added where a marker stands (mailboxwrite.go). So a removal wins in either order. Markers are kept for
// at least a day, also after a sweep, and as long as a content names the mailbox: a lost row differs from
// a removed row.
//
// PutContent keeps the row of a content in memory, and AddMessages writes it in the batch of the first
// row that needs it: a delivery of a small message is one write and one fsync. A large content is
// first a synced file with a synced name. Every stored value and every block of a file has a checksum,
// verified before an octet is returned.
//
// After a failed write to the log of the database Pebble would end the process. The engine opens the
// folder again instead, from durable data (guardfs.go, linkreopen.go). Writes in flight fail with
// store.ErrOutcomeUnknown, later writes with store.ErrUnavailable or store.ErrFull until the folder is
// open. On a full disk the folder is open for reading meanwhile, also at the start, unless the spare
// leaves enough room for removals.
//
// The clock of the machine is trusted within the limits of the folder and of the passing of time
// (clock.go): ids and retention depend on the clock.
//
// # Damage
//
// Pebble finds damage in tables when it reads them. Damage at the end of the newest log or manifest looks
// like the torn end of an unacknowledged write, and a missing log or database looks like one that never
// existed. So STATE lists the files that must exist (state.go). Close writes all data to tables, and then
// the sizes of all files of the database and the checksums of files other than tables. While the database
// is open STATE names its logs and manifests with the octets known to be on disk (running.go). Open
// compares, and reports ErrCorrupt with the name of the file. Other damage is reported by the read that
// meets it.
//
// Damage stays unseen
//   - after a crash, in the writes of the last seconds before the crash (Config.StateEvery): it looks like
//     a torn write. Pebble recognizes damage far from the end of the log;
//   - in a folder without STATE, last opened by a version without STATE or while a full disk had no room
//     for the file: near the end of the newest log and in the last record of the manifest;
//   - where two tables of the same size were swapped;
//   - where a whole folder is an older copy of itself;
//   - in content and tables until they are read ("popelago check --deep" reads all contents).
//
// # Cost
//
// Sweep removes the content of removed messages, at a cost proportional to the removals, and SweepOrphans the
// content of deliveries that ended without a message, at a cost proportional to these. Tombstones of
// many removals from one mailbox are compacted away (tidy.go), so that a login costs in proportion to the
// messages present.
package embedded
