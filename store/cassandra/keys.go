package cassandra

import (
	"encoding/binary"

	"popelago/mail"
	"popelago/store"
)

// The functions below append partition keys to b, as Cassandra hashes them. The engine itself binds the same
// values, and the driver makes the keys. Package keyload computes the load of partitions and nodes from them.

// AppendMailboxKey appends the key of a segment of a mailbox: of the day of us, in microseconds since 1970, in a
// bulk mailbox, and else of the ordinary segment. The table retrieval has the same keys.
func AppendMailboxKey(b []byte, mailbox mail.MailboxID, us int64, bulk bool) []byte {
	segment := ordinary
	if bulk {
		segment = dayOf(us)
	}
	return appendInt(appendPart(b, mailbox[:]), segment)
}

// AppendMailboxRowKey appends the key of a table with a row for each mailbox: floor and login.
func AppendMailboxRowKey(b []byte, mailbox mail.MailboxID) []byte { return append(b, mailbox[:]...) }

// Chunks returns the count of partitions of a content of size octets.
func Chunks(size int64) int { return chunksOf(size) }

// AppendTrashKey appends the key of the trash of a datacenter at us for a mailbox.
func AppendTrashKey(b []byte, datacenter string, us int64, mailbox mail.MailboxID) []byte {
	return appendInt(appendInt(appendPart(b, datacenter), hourOf(us)), trashShard(mailbox))
}

// AppendAddressKey appends the key of an address.
func AppendAddressKey(b []byte, domain, local string) []byte {
	return appendInt(appendPart(b, encodeText(domain)), addressShard(encodeText(local)))
}

// AppendNameKey appends the key of a table with a partition for each name: domain.
func AppendNameKey(b []byte, name string) []byte { return append(b, name...) }

// AppendLedgerKey appends the key of the ledger of a datacenter at us.
func AppendLedgerKey(b []byte, datacenter string, us int64) []byte {
	return appendInt(appendPart(b, datacenter), hourOf(us))
}

// AppendServerKey appends the key of the servers of a datacenter.
func AppendServerKey(b []byte, datacenter string) []byte { return append(b, datacenter...) }

// AppendJournalKey appends the key of the rows of a key of a journal at us.
func AppendJournalKey(b []byte, us int64, key string) []byte {
	return appendInt(appendInt(b, store.DayOf(moment(&us))), journalShard(key))
}

// appendPart appends a part of a key of several columns: the length in two octets, the octets, and a zero octet.
func appendPart[T string | []byte](b []byte, part T) []byte {
	b = binary.BigEndian.AppendUint16(b, uint16(len(part)))
	b = append(b, part...)
	return append(b, 0)
}

// appendInt appends a part of type int.
func appendInt(b []byte, n int) []byte {
	b = append(b, 0, 4)
	b = binary.BigEndian.AppendUint32(b, uint32(n))
	return append(b, 0)
}
