package embedded

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"

	"popelago/mail"
	"popelago/store"
	"popelago/store/codec"
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
	// codedKind is the difference to the kinds of coded contents, 'I' and 'F'. Folders with such rows
	// have a format of at least formatCoded.
	codedKind = 'i' - 'I'
)

// contentRow is the value of a content row.
//
//	version, kind, varint size, text reverse-path, varint n, n x 16 octets mailbox,
//	8 octets nonce (kind file only), codec (coded kinds only), varint length of the file (coded file only),
//	4 octets CRC-32C, the content as stored (kind inline only)
//
// The CRC covers the remaining octets. size is the size of the content before it is coded.
type contentRow struct {
	info   store.ContentInfo
	kind   byte // kindInline or kindFile
	codec  codec.ID
	nonce  [8]byte
	length int64  // octets of a coded file
	data   []byte // of inline content, as stored
}

// fileLength returns the octets of the file of a content.
func (r contentRow) fileLength() int64 {
	if r.codec == codec.Raw {
		return fileLength(r.info.Size)
	}
	return r.length
}

func (r contentRow) encode() []byte {
	n := 1 + 1 + 10 + 10 + len(r.info.ReversePath) + 10 + 16*len(r.info.Mailboxes) + 8 + 1 + 10 + 4
	b := make([]byte, 0, n+len(r.data))
	kind := r.kind
	if r.codec != codec.Raw {
		kind -= codedKind
	}
	b = append(b, rowVersion, kind)
	b = binary.AppendUvarint(b, uint64(r.info.Size))
	b = appendBytes(b, r.info.ReversePath)
	b = binary.AppendUvarint(b, uint64(len(r.info.Mailboxes)))
	for _, mb := range r.info.Mailboxes {
		b = append(b, mb[:]...)
	}
	if r.kind == kindFile {
		b = append(b, r.nonce[:]...)
	}
	if r.codec != codec.Raw {
		b = append(b, byte(r.codec))
		if r.kind == kindFile {
			b = binary.AppendUvarint(b, uint64(r.length))
		}
	}
	sum := crc32.Update(crc32.Checksum(b, castagnoli), castagnoli, r.data)
	b = binary.LittleEndian.AppendUint32(b, sum)
	return append(b, r.data...)
}

// decodeContent undoes encode; data is not copied.
func decodeContent(b []byte) (r contentRow, err error) {
	d := newDecoder(b)
	r.kind = d.octet()
	coded := r.kind == kindInline-codedKind || r.kind == kindFile-codedKind
	if coded {
		r.kind += codedKind
	}
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
	if coded {
		if r.codec = codec.ID(d.octet()); r.codec == codec.Raw {
			return r, errBadRow
		}
		if r.kind == kindFile {
			r.length = d.size()
		}
	}
	head := b[:len(b)-len(d.b)]
	sum := d.bytes(4)
	if d.bad {
		return r, errBadRow
	}
	switch {
	case r.kind == kindInline && coded:
		r.data = d.bytes(uint64(len(d.b)))
	case r.kind == kindInline:
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
