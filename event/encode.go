package event

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"popelago/mail"
)

// Tags of the fields of a stored event. A tag never changes its meaning. Texts come first.
const (
	tagKind       = 1
	tagServer     = 2
	tagDatacenter = 3
	tagAddress    = 4
	tagRecipient  = 5
	tagSender     = 6
	tagHeaderID   = 7
	tagUIDL       = 8
	tagProtocol   = 9
	tagSession    = 10
	tagCause      = 11
	tagActor      = 12
	tagOperation  = 13
	tagBefore     = 14
	tagAfter      = 15

	tagMailbox  = 32
	tagMessage  = 33
	tagSize     = 34
	tagMessages = 35
	tagRemote   = 36
	tagReached  = 37
	tagAttempts = 38
)

// maxText bounds the octets of a stored text, except of the two texts of a change.
const (
	maxText   = 330
	maxChange = 1800
)

// Encode returns the stored form of an event without its time, of at most MaxEncoded octets.
//
//	for each field that is not zero: 1 octet tag, varint length, the octets; a number is a varint in the octets
func Encode(e Event) []byte {
	b := make([]byte, 0, 256)
	text := func(tag byte, s string, most int) {
		if s = bounded(s, most); s != "" {
			b = append(binary.AppendUvarint(append(b, tag), uint64(len(s))), s...)
		}
	}
	number := func(tag byte, n int64) {
		if n > 0 {
			text(tag, string(binary.AppendUvarint(nil, uint64(n))), maxText)
		}
	}
	text(tagKind, string(e.Kind), maxText)
	text(tagServer, e.Server, maxText)
	text(tagDatacenter, e.Datacenter, maxText)
	text(tagAddress, e.Address, maxText)
	text(tagRecipient, e.Recipient, maxText)
	text(tagSender, e.Sender, maxText)
	text(tagHeaderID, e.HeaderID, maxText)
	text(tagUIDL, string(e.UIDL), maxText)
	text(tagProtocol, e.Protocol, maxText)
	text(tagSession, e.Session, maxText)
	text(tagCause, e.Cause, maxText)
	text(tagActor, e.Actor, maxText)
	text(tagOperation, e.Operation, maxText)
	text(tagBefore, e.Before, maxChange)
	text(tagAfter, e.After, maxChange)
	if !e.Mailbox.IsZero() {
		text(tagMailbox, string(e.Mailbox[:]), maxText)
	}
	if !e.Message.IsZero() {
		text(tagMessage, string(e.Message[:]), maxText)
	}
	number(tagSize, e.Size)
	number(tagMessages, e.Messages)
	number(tagReached, int64(e.Reached))
	number(tagAttempts, e.Attempts)
	if e.Remote.IsValid() {
		text(tagRemote, string(e.Remote.AsSlice()), maxText)
	}
	return b
}

// MaxEncoded is the length of the longest result of Encode, in octets.
const MaxEncoded = 8 << 10

// ErrMalformed: Decode got octets that Encode does not make.
var ErrMalformed = errors.New("event: malformed record")

// Decode undoes Encode. Fields with an unknown tag, of a later version, are skipped. Errors: ErrMalformed.
func Decode(at time.Time, data []byte) (Event, error) {
	e := Event{Time: at}
	for b := data; len(b) > 0; {
		tag := b[0]
		size, n := binary.Uvarint(b[1:])
		if n <= 0 || size > uint64(len(b)-1-n) {
			return e, ErrMalformed
		}
		field := b[1+n : 1+n+int(size)]
		b = b[1+n+int(size):]
		if !set(&e, tag, field) {
			return e, fmt.Errorf("%w: field %d", ErrMalformed, tag)
		}
	}
	return e, nil
}

// texts maps the tags of texts to their fields.
func texts(e *Event) map[byte]*string {
	return map[byte]*string{
		tagKind: (*string)(&e.Kind), tagServer: &e.Server, tagDatacenter: &e.Datacenter, tagAddress: &e.Address,
		tagRecipient: &e.Recipient, tagSender: &e.Sender, tagHeaderID: &e.HeaderID, tagUIDL: (*string)(&e.UIDL),
		tagProtocol: &e.Protocol, tagSession: &e.Session, tagCause: &e.Cause, tagActor: &e.Actor,
		tagOperation: &e.Operation, tagBefore: &e.Before, tagAfter: &e.After,
	}
}

// set stores a field. It reports whether the field is well formed.
func set(e *Event, tag byte, field []byte) bool {
	if p := texts(e)[tag]; p != nil {
		*p = string(field)
		return true
	}
	number, n := binary.Uvarint(field)
	isNumber := n == len(field) && number < 1<<62
	switch tag {
	case tagMailbox:
		return copy(e.Mailbox[:], field) == len(e.Mailbox)
	case tagMessage:
		return copy(e.Message[:], field) == len(e.Message)
	case tagSize:
		e.Size = int64(number)
		return isNumber
	case tagMessages:
		e.Messages = int64(number)
		return isNumber
	case tagAttempts:
		e.Attempts = int64(number)
		return isNumber
	case tagReached:
		e.Reached = mail.Reached(number)
		return isNumber
	case tagRemote:
		a, ok := netip.AddrFromSlice(field)
		e.Remote = a
		return ok
	}
	return true
}

// bounded returns the first n octets of a text.
func bounded(s string, n int) string { return s[:min(len(s), n)] }
