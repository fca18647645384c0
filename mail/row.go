package mail

import (
	"encoding/binary"
	"errors"
)

// Tags of the fields of a packed row. A tag never changes its meaning.
const (
	rowSize      = 1
	rowRecipient = 2
	rowUIDL      = 3
	rowOrigin    = 4
	rowOriginal  = 5
)

// errBadRow: a packed row is malformed.
var errBadRow = errors.New("malformed row")

// AppendRow appends a row without its id to b, so that the row outlives its removal. Every field of
// Message but ID is part of the packed row; a zero field takes no space.
//
//	for each field: 1 octet tag, varint length, the octets; a size is a varint in the octets
func (m Message) AppendRow(b []byte) []byte {
	if m.Size > 0 {
		size := binary.AppendUvarint(nil, uint64(m.Size))
		b = appendField(b, rowSize, string(size))
	}
	b = appendField(b, rowRecipient, m.Recipient)
	b = appendField(b, rowUIDL, string(m.UIDL))
	b = appendField(b, rowOrigin, m.Origin)
	return appendField(b, rowOriginal, m.Original)
}

func appendField(b []byte, tag byte, text string) []byte {
	if text == "" {
		return b
	}
	b = binary.AppendUvarint(append(b, tag), uint64(len(text)))
	return append(b, text...)
}

// ParseRow undoes AppendRow. Fields with an unknown tag, of a later version, are skipped.
func ParseRow(id MessageID, b []byte) (Message, error) {
	m := Message{ID: id}
	for len(b) > 0 {
		tag := b[0]
		size, n := binary.Uvarint(b[1:])
		if n <= 0 || size > uint64(len(b)-1-n) {
			return Message{}, errBadRow
		}
		text := b[1+n : 1+n+int(size)]
		b = b[1+n+int(size):]
		switch tag {
		case rowSize:
			octets, n := binary.Uvarint(text)
			if n != len(text) || octets > 1<<62 {
				return Message{}, errBadRow
			}
			m.Size = int64(octets)
		case rowRecipient:
			m.Recipient = string(text)
		case rowUIDL:
			m.UIDL = UIDL(text)
		case rowOrigin:
			m.Origin = string(text)
		case rowOriginal:
			m.Original = string(text)
		}
	}
	return m, nil
}
