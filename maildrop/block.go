package maildrop

import (
	"encoding/binary"
	"strings"

	"popelago/mail"
)

// Sizes of the parts of a packed block in octets.
const (
	blockCounts = 8 // count of rows, count of texts
	packedRow   = 30
	packedEnd   = 4
)

// block is a part of a list, packed in one text: equal rows make equal texts. A block never changes.
//
//	4 octets  count of rows
//	4 octets  count of texts
//	for each row
//	    16 octets  id
//	    8 octets   size
//	    2 octets   recipient: number of its text, see joinRecipient
//	    2 octets   unique-id of the message's own: number of its text
//	    2 octets   origin: number of its text
//	for each text
//	    4 octets   end of the text, counted from the begin of text 0
//	the texts without gaps; text 0 is empty
//
// Numbers are big endian. A block of one row without origin has 46 octets and its recipient.
type block struct {
	packed string
	rows   int

	// users counts the open maildrops that hold the block. Lists.mu guards it.
	users int
}

func newBlock(packed string) *block {
	return &block{packed: packed, rows: int(number32(packed, 0))}
}

// id is the id of row i, counted from 0.
func (b *block) id(i int) mail.MessageID {
	var id mail.MessageID
	copy(id[:], b.packed[blockCounts+packedRow*i:])
	return id
}

// row unpacks row i, counted from 0. Its texts share the memory of the block.
func (b *block) row(i int) mail.Message {
	at := blockCounts + packedRow*i
	recipient, original := cutRecipient(b.text(number16(b.packed, at+24)))
	return mail.Message{
		ID:        b.id(i),
		Size:      int64(number32(b.packed, at+16))<<32 | int64(number32(b.packed, at+20)),
		Recipient: recipient,
		Original:  original,
		UIDL:      mail.UIDL(b.text(number16(b.packed, at+26))),
		Origin:    b.text(number16(b.packed, at+28)),
	}
}

// joinRecipient returns the text of a recipient: the recipient alone, or a zero octet, the recipient, a zero
// octet and the original recipient. RCPT accepts no address with a zero octet.
func joinRecipient(m mail.Message) string {
	if m.Original == "" {
		return m.Recipient
	}
	return "\x00" + m.Recipient + "\x00" + m.Original
}

// cutRecipient undoes joinRecipient.
func cutRecipient(text string) (recipient, original string) {
	joined, both := strings.CutPrefix(text, "\x00")
	if !both {
		return text, ""
	}
	recipient, original, _ = strings.Cut(joined, "\x00")
	return recipient, original
}

// text is text n, counted from 0.
func (b *block) text(n int) string {
	if n == 0 {
		return ""
	}
	ends := blockCounts + packedRow*b.rows
	texts := ends + packedEnd*int(number32(b.packed, 4))
	at := ends + packedEnd*n
	return b.packed[texts+int(number32(b.packed, at-packedEnd)) : texts+int(number32(b.packed, at))]
}

func number16(s string, at int) int { return int(s[at])<<8 | int(s[at+1]) }

func number32(s string, at int) uint32 {
	s = s[at : at+4]
	return uint32(s[0])<<24 | uint32(s[1])<<16 | uint32(s[2])<<8 | uint32(s[3])
}

// maxBlockRows limits the rows of a block. A block has at most three texts for each row, so the
// numbers of texts fit into 16 bits.
const maxBlockRows = 1024

// lastOfBlock reports whether a block ends with the row of an id. One of 256 ids ends a block. Since
// the end of a block depends on an id alone, changes in other parts of a list leave the block as it
// was.
func lastOfBlock(id mail.MessageID) bool {
	const odd = 0x9E3779B97F4A7C15 // 2^64 / golden ratio, which spreads over the upper bits
	mixed := binary.BigEndian.Uint64(id[:8]) * odd
	mixed = (mixed ^ mixed>>32 ^ binary.BigEndian.Uint64(id[8:])) * odd
	mixed = (mixed ^ mixed>>32) * odd
	return mixed>>56 == 0
}

// packer packs rows into blocks. The zero value is ready for the first row.
type packer struct {
	count   int
	rows    []byte
	numbers map[string]uint16 // text -> number
	ends    []byte
	texts   []byte
	packed  []byte
}

// add adds a row and reports whether the row is the last of its block.
func (p *packer) add(m mail.Message) (last bool) {
	if p.count == 0 {
		p.number("") // text 0
	}
	p.count++
	p.rows = append(p.rows, m.ID[:]...)
	p.rows = binary.BigEndian.AppendUint64(p.rows, uint64(m.Size))
	p.rows = binary.BigEndian.AppendUint16(p.rows, p.number(joinRecipient(m)))
	p.rows = binary.BigEndian.AppendUint16(p.rows, p.number(string(m.UIDL)))
	p.rows = binary.BigEndian.AppendUint16(p.rows, p.number(m.Origin))
	return p.count == maxBlockRows || lastOfBlock(m.ID)
}

// number is the number of a text in the block.
func (p *packer) number(text string) uint16 {
	if n, ok := p.numbers[text]; ok {
		return n
	}
	if p.numbers == nil {
		p.numbers = map[string]uint16{}
	}
	n := uint16(len(p.numbers))
	p.numbers[text] = n
	p.texts = append(p.texts, text...)
	p.ends = binary.BigEndian.AppendUint32(p.ends, uint32(len(p.texts)))
	return n
}

// pack returns the block of the rows added since the last call. The slice is valid until the next
// call.
func (p *packer) pack() []byte {
	b := binary.BigEndian.AppendUint32(p.packed[:0], uint32(p.count))
	b = binary.BigEndian.AppendUint32(b, uint32(len(p.numbers)))
	b = append(b, p.rows...)
	b = append(b, p.ends...)
	p.packed = append(b, p.texts...)

	p.reset()
	return p.packed
}

// reset drops the rows added since the last call of pack.
func (p *packer) reset() {
	clear(p.numbers)
	p.count, p.rows, p.ends, p.texts = 0, p.rows[:0], p.ends[:0], p.texts[:0]
}
