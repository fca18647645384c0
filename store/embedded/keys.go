package embedded

import (
	"encoding/binary"
	"errors"

	"popelago/mail"
)

// The first octet of a key names the kind of row. See the package comment for the layouts.
const (
	prefixAddress  = 'a'
	prefixContent  = 'c'
	prefixDomain   = 'd'
	prefixMarkEnd  = 'e'
	prefixGap      = 'g'
	prefixHigh     = 'h'
	prefixIdentity = 'i'
	prefixJournal  = 'j'
	prefixLogin    = 'l'
	prefixMailbox  = 'm'
	prefixMark     = 'n'
	prefixOrphan   = 'o'
	prefixProgress = 'p'
	prefixRemoved  = 'r'
	prefixSetting  = 's'
	prefixToken    = 'k'
	prefixTrash    = 't'
	prefixUnpurged = 'u'
	// prefixRetrieval is the first octet of notes of retrievals.
	prefixRetrieval = 'v'
)

// rowKeyLen is the length of a key in prefixMailbox, prefixRemoved and prefixRetrieval.
const rowKeyLen = 1 + 16 + 16

// rowKey names one message of one mailbox; its order within a mailbox is the list order.
type rowKey [rowKeyLen]byte

// sortKey returns the SortKey of an id; 16 zero octets for the zero id, before every id.
func sortKey(id mail.MessageID) [16]byte {
	if id.IsZero() {
		return [16]byte{}
	}
	return id.SortKey()
}

// fromSortKey undoes sortKey.
func fromSortKey(b []byte) mail.MessageID {
	k := [16]byte(b)
	if k == ([16]byte{}) {
		return mail.MessageID{}
	}
	return mail.MessageIDFromSortKey(k)
}

func messageKey(mailbox mail.MailboxID, id mail.MessageID) (k rowKey) {
	k[0] = prefixMailbox
	copy(k[1:17], mailbox[:])
	sk := sortKey(id)
	copy(k[17:], sk[:])
	return k
}

// removedKey returns the key of the marker of a removed message.
func removedKey(mailbox mail.MailboxID, id mail.MessageID) rowKey {
	k := messageKey(mailbox, id)
	k[0] = prefixRemoved
	return k
}

// retrievalKey returns the key of the note of a retrieval.
func retrievalKey(mailbox mail.MailboxID, id mail.MessageID) rowKey {
	k := messageKey(mailbox, id)
	k[0] = prefixRetrieval
	return k
}

// loginKey returns the key of the last login of an account.
func loginKey(mailbox mail.MailboxID) []byte { return append([]byte{prefixLogin}, mailbox[:]...) }

// marker returns the removedKey of a messageKey.
func (k rowKey) marker() rowKey {
	k[0] = prefixRemoved
	return k
}

func (k rowKey) mailbox() mail.MailboxID { return mail.MailboxID(k[1:17]) }

// mailboxBounds encloses the rows of one mailbox.
func mailboxBounds(mailbox mail.MailboxID) (lower, upper []byte) {
	lower = append([]byte{prefixMailbox}, mailbox[:]...)
	return lower, successor(lower)
}

// successor returns the smallest key after all keys with a prefix.
func successor(prefix []byte) []byte {
	s := append([]byte(nil), prefix...)
	for i := len(s) - 1; i >= 0; i-- {
		s[i]++
		if s[i] != 0 {
			return s[:i+1]
		}
	}
	return nil
}

// contentKeyLen is the length of a key in prefixContent and prefixOrphan.
const contentKeyLen = 1 + 16

func contentKey(id mail.MessageID) (k [contentKeyLen]byte) {
	k[0] = prefixContent
	sk := sortKey(id)
	copy(k[1:], sk[:])
	return k
}

func orphanKey(id mail.MessageID) (k [contentKeyLen]byte) {
	k = contentKey(id)
	k[0] = prefixOrphan
	return k
}

// trashKey orders removals by time; seq distinguishes removals of one moment.
func trashKey(prefix byte, removedAt int64, seq uint64) []byte {
	k := make([]byte, 17)
	k[0] = prefix
	binary.BigEndian.PutUint64(k[1:9], uint64(removedAt)^1<<63)
	binary.BigEndian.PutUint64(k[9:17], seq)
	return k
}

// errBadRow: a stored key or value has a wrong form.
var errBadRow = errors.New("not as written")

// parseTrashKey undoes trashKey.
func parseTrashKey(k []byte) (removedAt int64, seq uint64, err error) {
	if len(k) != 17 {
		return 0, 0, errBadRow
	}
	return int64(binary.BigEndian.Uint64(k[1:9]) ^ 1<<63), binary.BigEndian.Uint64(k[9:17]), nil
}

// appendText appends s so that keys sort as the texts do and no text is a prefix of another:
// 0x00 becomes 0x00 0xFF, and 0x00 0x01 ends the text.
func appendText(k []byte, s string) []byte { return append(appendStart(k, s), 0x00, 0x01) }

// appendStart appends the octets that begin the form of every text that begins with s.
func appendStart(k []byte, s string) []byte {
	for i := range len(s) {
		k = append(k, s[i])
		if s[i] == 0 {
			k = append(k, 0xFF)
		}
	}
	return k
}

// cutText undoes appendText and returns what follows.
func cutText(k []byte) (s string, rest []byte, err error) {
	for i := 0; i+1 < len(k); i++ {
		if k[i] != 0 {
			continue
		}
		switch k[i+1] {
		case 0x01:
			return unescapeText(k[:i]), k[i+2:], nil
		case 0xFF:
			i++
		default:
			return "", nil, errBadRow
		}
	}
	return "", nil, errBadRow
}

func unescapeText(b []byte) string {
	out := make([]byte, 0, len(b))
	for i := 0; i < len(b); i++ {
		out = append(out, b[i])
		if b[i] == 0 {
			i++
		}
	}
	return string(out)
}

// addressPrefix begins the keys of an address.
func addressPrefix(domain, local string) []byte {
	k := make([]byte, 0, 1+len(domain)+2+len(local)+2+17)
	k = append(k, prefixAddress)
	k = appendText(k, domain)
	return appendText(k, local)
}

// addressColumn names one column of one generation of an address.
type addressColumn struct {
	address    mail.Address
	generation mail.MessageID
	column     byte
	// element is the text of a target or the name of a setting; empty in other columns.
	element string
}

func (c addressColumn) key() []byte {
	sk := sortKey(c.generation)
	k := append(addressPrefix(c.address.Domain, c.address.Local), sk[:]...)
	return append(append(k, c.column), c.element...)
}

// parseAddressKey undoes addressColumn.key.
func parseAddressKey(k []byte) (c addressColumn, err error) {
	if len(k) == 0 || k[0] != prefixAddress {
		return c, errBadRow
	}
	if c.address.Domain, k, err = cutText(k[1:]); err != nil {
		return c, err
	}
	if c.address.Local, k, err = cutText(k); err != nil {
		return c, err
	}
	if len(k) < 17 {
		return c, errBadRow
	}
	c.generation, c.column, c.element = fromSortKey(k[:16]), k[16], string(k[17:])
	return c, nil
}

func domainKey(name string) []byte {
	return append([]byte{prefixDomain}, name...)
}

// settingPrefix begins the keys of the settings of a domain.
func settingPrefix(domain string) []byte { return appendText([]byte{prefixSetting}, domain) }

// settingKey names one setting of a domain.
func settingKey(domain string, setting byte) []byte { return append(settingPrefix(domain), setting) }

// namedSettingKey names one setting of a domain that has a name.
func namedSettingKey(domain, name string) []byte {
	return append(settingKey(domain, settingNamed), name...)
}

// tokenKey names one part of a token.
func tokenKey(id string, part byte) []byte {
	return append(appendText([]byte{prefixToken}, id), part)
}

// parseTokenKey undoes tokenKey.
func parseTokenKey(k []byte) (id string, part byte, err error) {
	if len(k) == 0 || k[0] != prefixToken {
		return "", 0, errBadRow
	}
	id, k, err = cutText(k[1:])
	if err == nil && len(k) != 1 {
		err = errBadRow
	}
	if err != nil {
		return "", 0, err
	}
	return id, k[0], nil
}

// progressKey returns the key of a text of SetProgress.
func progressKey(name string) []byte {
	return append([]byte{prefixProgress}, name...)
}
