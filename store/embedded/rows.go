package embedded

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"

	"popelago/mail"
	"popelago/store"
)

// rowVersion is the first octet of every value. Later versions of the program use a higher octet.
const rowVersion = 1

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Values are built of unsigned varints and of texts, which are a varint length and the octets.

func appendBytes(b []byte, s string) []byte {
	b = binary.AppendUvarint(b, uint64(len(s)))
	return append(b, s...)
}

// decoder reads values; the first fault sticks.
type decoder struct {
	b   []byte
	bad bool
}

func newDecoder(b []byte) *decoder {
	d := &decoder{b: b}
	if d.octet() != rowVersion {
		d.bad = true
	}
	return d
}

func (d *decoder) octet() byte {
	if d.bad || len(d.b) == 0 {
		d.bad = true
		return 0
	}
	c := d.b[0]
	d.b = d.b[1:]
	return c
}

func (d *decoder) uvarint() uint64 {
	v, n := binary.Uvarint(d.b)
	if d.bad || n <= 0 {
		d.bad = true
		return 0
	}
	d.b = d.b[n:]
	return v
}

func (d *decoder) size() int64 {
	v := d.uvarint()
	if v > 1<<62 {
		d.bad = true
		return 0
	}
	return int64(v)
}

// bytes returns the next n octets, not copied.
func (d *decoder) bytes(n uint64) []byte {
	if d.bad || n > uint64(len(d.b)) {
		d.bad = true
		return nil
	}
	b := d.b[:n:n]
	d.b = d.b[n:]
	return b
}

func (d *decoder) text() string { return string(d.bytes(d.uvarint())) }

// end returns the error, if any. All octets must have been read.
func (d *decoder) end() error {
	if d.bad || len(d.b) != 0 {
		return errBadRow
	}
	return nil
}

// encodeMessage returns the value of a mailbox row.
//
//	version, varint size, text recipient, text unique-id, text origin, text original
//
// A row without original ends behind origin.
func encodeMessage(m mail.Message) []byte {
	b := make([]byte, 0, 1+10+4+len(m.Original)+len(m.Recipient)+len(m.UIDL)+len(m.Origin))
	b = append(b, rowVersion)
	b = binary.AppendUvarint(b, uint64(max(m.Size, 0)))
	b = appendBytes(b, m.Recipient)
	b = appendBytes(b, string(m.UIDL))
	b = appendBytes(b, m.Origin)
	if m.Original != "" {
		b = appendBytes(b, m.Original)
	}
	return b
}

// decodeMessage undoes encodeMessage. recipient is the recipient of the previous row. An equal text is
// reused; within a mailbox nearly all are equal.
func decodeMessage(b []byte, id mail.MessageID, recipient string) (mail.Message, error) {
	d := newDecoder(b)
	m := mail.Message{ID: id, Size: d.size()}
	if r := d.bytes(d.uvarint()); string(r) == recipient {
		m.Recipient = recipient
	} else {
		m.Recipient = string(r)
	}
	m.UIDL = mail.UIDL(d.text())
	m.Origin = d.text()
	if !d.bad && len(d.b) > 0 {
		m.Original = d.text()
	}
	return m, d.end()
}

// Places of the octets of a content.
const (
	kindInline = 'i'
	kindFile   = 'f'
)

// contentRow is the value of a content row.
//
//	version, kind, varint size, text reverse-path, varint n, n x 16 octets mailbox,
//	8 octets nonce (kind file only), 4 octets CRC-32C, the content (kind inline only)
//
// The CRC covers the remaining octets.
type contentRow struct {
	info  store.ContentInfo
	kind  byte
	nonce [8]byte
	data  []byte
}

func (r contentRow) encode() []byte {
	n := 1 + 1 + 10 + 10 + len(r.info.ReversePath) + 10 + 16*len(r.info.Mailboxes) + 8 + 4
	b := make([]byte, 0, n+len(r.data))
	b = append(b, rowVersion, r.kind)
	b = binary.AppendUvarint(b, uint64(r.info.Size))
	b = appendBytes(b, r.info.ReversePath)
	b = binary.AppendUvarint(b, uint64(len(r.info.Mailboxes)))
	for _, mb := range r.info.Mailboxes {
		b = append(b, mb[:]...)
	}
	if r.kind == kindFile {
		b = append(b, r.nonce[:]...)
	}
	sum := crc32.Update(crc32.Checksum(b, castagnoli), castagnoli, r.data)
	b = binary.LittleEndian.AppendUint32(b, sum)
	return append(b, r.data...)
}

// decodeContent undoes encode; data is not copied.
func decodeContent(b []byte) (r contentRow, err error) {
	d := newDecoder(b)
	r.kind = d.octet()
	r.info.Size = d.size()
	r.info.ReversePath = d.text()
	n := d.uvarint()
	if n > uint64(len(d.b))/16 {
		return r, errBadRow
	}
	if n > 0 {
		r.info.Mailboxes = make([]mail.MailboxID, n)
		for i := range r.info.Mailboxes {
			r.info.Mailboxes[i] = mail.MailboxID(d.bytes(16))
		}
	}
	switch r.kind {
	case kindInline:
	case kindFile:
		copy(r.nonce[:], d.bytes(8))
	default:
		return r, errBadRow
	}
	head := b[:len(b)-len(d.b)]
	sum := d.bytes(4)
	if d.bad {
		return r, errBadRow
	}
	if r.kind == kindInline {
		r.data = d.bytes(uint64(r.info.Size))
	}
	if err := d.end(); err != nil {
		return r, err
	}
	if crc32.Update(crc32.Checksum(head, castagnoli), castagnoli, r.data) != binary.LittleEndian.Uint32(sum) {
		return r, fmt.Errorf("%w: checksum differs", errBadRow)
	}
	return r, nil
}

// encodeTrash returns the value of a trash row: one call of RemoveMessages.
//
//	version, 16 octets mailbox, varint n, n x 16 octets sort key
func encodeTrash(mailbox mail.MailboxID, ids []mail.MessageID) []byte {
	b := make([]byte, 0, 1+16+10+16*len(ids))
	b = append(b, rowVersion)
	b = append(b, mailbox[:]...)
	b = binary.AppendUvarint(b, uint64(len(ids)))
	for _, id := range ids {
		sk := sortKey(id)
		b = append(b, sk[:]...)
	}
	return b
}

func decodeTrash(b []byte) (mailbox mail.MailboxID, ids []mail.MessageID, err error) {
	d := newDecoder(b)
	copy(mailbox[:], d.bytes(16))
	n := d.uvarint()
	if d.bad || n > uint64(len(d.b))/16 {
		return mailbox, nil, errBadRow
	}
	ids = make([]mail.MessageID, n)
	for i := range ids {
		ids[i] = fromSortKey(d.bytes(16))
	}
	return mailbox, ids, d.end()
}

// encodeMoment returns the value of an orphan row, and of a marker of older versions: version, 8 octets microseconds.
func encodeMoment(micros int64) []byte {
	return binary.BigEndian.AppendUint64([]byte{rowVersion}, uint64(micros))
}

func decodeMoment(b []byte) (micros int64, err error) {
	d := newDecoder(b)
	v := d.bytes(8)
	if err := d.end(); err != nil {
		return 0, err
	}
	return int64(binary.BigEndian.Uint64(v)), nil
}
