// Package embedded is the engine for one machine: everything in one folder, one process.
//
// app opens it; the packages above see only the roles of package store. The database is Pebble, a log-
// structured merge tree. Content up to 32 KiB is a value in it; larger content is a file.
//
//	DIR/FORMAT                     one line: the format of the folder
//	DIR/STATE                      which files must be there, and what they must hold
//	DIR/db/                        Pebble's files, and its lock
//	DIR/content/tmp/N.tmp          contents being written
//	DIR/content/XX/ID-NONCE.msg    large contents; XX is the tenth octet of ID in hex
//	DIR/spare/N.spare              space kept for a full disk (spare.go)
//
// # Keys
//
// Ids stand in keys as mail.MessageID.SortKey, so that rows come in the order of a list.
// "text" is octets with 0x00 written 0x00 0xFF, ended by 0x00 0x01. Values begin with a
// version octet.
//
//	m mailbox(16) id(16)                    size, recipient, unique-id, origin
//	r mailbox(16) id(16)                    marker: removed at
//	c id(16)                                content row: size, reverse-path, mailboxes, octets
//	o id(16)                                that content has no message yet: put at
//	p name                                  how far some work has come
//	t removed at(8) number(8)               mailbox and ids of a removal; content to be swept
//	u removed at(8) number(8)               the same, swept; markers to be purged
//	a text domain, text local,              one column of one generation of an address;
//	    generation(16) column(1)              column is one of "ckprst"
//	d name                                  domain: created
//	s text name setting(1)                  one setting of a domain; setting is one of "dt"
//	h                                       the latest time that is known to have passed
//
// For example the row of message 6ba7b810-9dad-11d1-80b4-00c04fd430c8 (time 0x1d19dad6ba7b810)
// in mailbox 11112222-3333-5444-8555-666677778888 has the key
//
//	6d 11112222333354448555666677778888 01d19dad6ba7b810 00348040cf54b048   ("m", mailbox, id)
//
// # What makes it correct
//
// Writes go through one goroutine that gathers what is waiting into one batch and one fsync
// (commit.go). A message is visible when its row exists. Removing deletes the row and leaves a
// marker; a row is not added where there is a marker (mailbox.go). So removal wins in
// whatever order the two arrive. Markers are kept at least a day, also when swept, and as long as
// there is a content that names the mailbox: a lost row can be told from a removed one.
//
// PutContent keeps the row of a content in memory and AddMessages writes it in the batch of
// the first row that needs it: a delivery of a small message is one write and one fsync. A
// large content is a synced file with a synced name before that. Every stored value and
// every block of a file carries a checksum and is verified before an octet of it is given out.
//
// When a write to the database's log fails, Pebble's own answer is to end the process. Here
// the folder is opened again instead, from what is durable (guardfs.go, life.go). Writes that
// were under way get store.ErrOutcomeUnknown, later ones store.ErrUnavailable or
// store.ErrFull until it is open. On a full disk it is open for reading meanwhile, also at the
// start, unless the spare gives room enough for removals.
//
// The clock of the machine is believed as far as the folder and the passing of time allow
// (clock.go): ids and retention depend on it.
//
// # Damage
//
// Pebble finds damage in tables when it reads them. Damage at the end of its newest log or of
// its manifest looks like the torn end of a write that nobody waited for, and a log or a
// database that is gone looks like one that never was. So STATE says what must be there
// (state.go). Close writes all to tables, and then the sizes of all files of the database and
// the checksums of those that are not tables. While the database is open STATE names its logs
// and manifests with the octets that are known to be on the disk (running.go). Open compares,
// and reports ErrCorrupt with the name of the file; or the read that meets the damage does.
//
// Damage stays unseen
//   - after a crash, in what was written in the last seconds before it (Config.StateEvery), if
//     it is in the last 32 KiB of the log: it looks like a torn write;
//   - in a folder without STATE, where a version that keeps none was the last to open it or a
//     full disk had no room for it: in the last 32 KiB of the newest log and in the last record
//     of the manifest;
//   - where two tables of the same size stand in each other's place;
//   - where a whole folder is an older copy of itself;
//   - in content and tables until they are read ("popelago check --deep" reads all contents).
//
// # Cost
//
// Content of removed messages goes by Sweep, at a cost proportional to what was removed.
// Tombstones of many removals from one mailbox are compacted away (tidy.go), so that a login
// costs what is there and not what was there.
package embedded
