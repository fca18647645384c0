package maildrop

import (
	"context"
	"errors"
	"fmt"

	"popelago/mail"
	"popelago/store"
)

// Errors about one message-number. Everything else wraps an error of package store.
var (
	// ErrNoSuchMessage: the number is not in the list.
	ErrNoSuchMessage = errors.New("no such message")
	// ErrMarked: the message is marked as deleted in this session.
	ErrMarked = errors.New("message is marked as deleted")
	// ErrRemoved: another session has removed the message since this one began.
	ErrRemoved = errors.New("message was removed by another session")
)

// pageSize is how many rows one read of the list takes.
const pageSize = 5000

// Maildrop is an open maildrop.
type Maildrop struct {
	store   store.Store
	mailbox mail.MailboxID
	list    []mail.Message
	twins   map[int][]mail.MessageID // index in list -> further rows with the same unique-id
	marks   []uint64                 // one bit for each of list; nil when none was ever set
	marked  int
	octets  int64 // of all that are not marked
}

// Entry is what LIST and UIDL tell about one message.
type Entry struct {
	Number int
	Size   int64 // octets
	UIDL   mail.UIDL
}

// Open reads the list of a mailbox. It costs one read for every 5,000 messages and holds about
// 80 octets of memory for each. A mailbox that never got a message is empty.
//
// Errors: those of store.ListMessages.
func Open(ctx context.Context, st store.Store, mailbox mail.MailboxID) (*Maildrop, error) {
	m := &Maildrop{store: st, mailbox: mailbox}
	var (
		after   mail.MessageID
		names   = map[string]string{} // recipients and origins repeat: keep one copy
		carried map[mail.UIDL]int     // unique-ids brought along -> index in list
	)
	for {
		rows, more, err := st.ListMessages(ctx, mailbox, after, pageSize)
		if err != nil {
			return nil, fmt.Errorf("maildrop: list mailbox %s: %w", mailbox, err)
		}
		for _, row := range rows {
			row.Recipient = intern(names, row.Recipient)
			row.Origin = intern(names, row.Origin)
			if row.UIDL != "" {
				if first, twin := carried[row.UIDL]; twin {
					m.addTwin(first, row.ID)
					continue
				}
				if carried == nil {
					carried = map[mail.UIDL]int{}
				}
				carried[row.UIDL] = len(m.list)
			}
			m.list = append(m.list, row)
			m.octets += row.Size
		}
		if !more || len(rows) == 0 {
			return m, nil
		}
		after = rows[len(rows)-1].ID
	}
}

func intern(names map[string]string, s string) string {
	if known, ok := names[s]; ok {
		return known
	}
	names[s] = s
	return s
}

func (m *Maildrop) addTwin(first int, id mail.MessageID) {
	if m.twins == nil {
		m.twins = map[int][]mail.MessageID{}
	}
	m.twins[first] = append(m.twins[first], id)
}

// Len is the highest message-number, marked messages included.
func (m *Maildrop) Len() int { return len(m.list) }

// Stat is the count and the octets of the messages that are not marked.
func (m *Maildrop) Stat() (count int, octets int64) { return len(m.list) - m.marked, m.octets }

// Entry tells about message n. Errors: ErrNoSuchMessage, ErrMarked.
func (m *Maildrop) Entry(n int) (Entry, error) {
	if err := m.check(n); err != nil {
		return Entry{}, err
	}
	row := &m.list[n-1]
	return Entry{Number: n, Size: row.Size, UIDL: row.UniqueID()}, nil
}

func (m *Maildrop) check(n int) error {
	switch {
	case n < 1 || n > len(m.list):
		return ErrNoSuchMessage
	case m.isMarked(n):
		return ErrMarked
	}
	return nil
}

func (m *Maildrop) isMarked(n int) bool {
	return m.marks != nil && m.marks[(n-1)/64]&(1<<((n-1)%64)) != 0
}

// Mark marks message n as deleted. Errors: ErrNoSuchMessage, ErrMarked.
func (m *Maildrop) Mark(n int) error {
	if err := m.check(n); err != nil {
		return err
	}
	if m.marks == nil {
		m.marks = make([]uint64, (len(m.list)+63)/64)
	}
	m.marks[(n-1)/64] |= 1 << ((n - 1) % 64)
	m.marked++
	m.octets -= m.list[n-1].Size
	return nil
}

// Reset takes all marks away.
func (m *Maildrop) Reset() {
	for n := 1; n <= len(m.list) && m.marked > 0; n++ {
		if m.isMarked(n) {
			m.octets += m.list[n-1].Size
			m.marked--
		}
	}
	m.marks = nil
}

// Marked is the count of marked messages.
func (m *Maildrop) Marked() int { return m.marked }

// Commit removes the marked messages, durably, once and for all. On an error some of them may
// be removed; it may be repeated. Errors: those of store.RemoveMessages.
func (m *Maildrop) Commit(ctx context.Context) error {
	if m.marked == 0 {
		return nil
	}
	ids := make([]mail.MessageID, 0, m.marked)
	for i := range m.list {
		if m.isMarked(i + 1) {
			ids = append(ids, m.list[i].ID)
			ids = append(ids, m.twins[i]...)
		}
	}
	if err := m.store.RemoveMessages(ctx, m.mailbox, ids); err != nil {
		return fmt.Errorf("maildrop: remove %d messages of mailbox %s: %w", len(ids), m.mailbox, err)
	}
	return nil
}
