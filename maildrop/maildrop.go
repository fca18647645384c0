package maildrop

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

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

// Options says how a maildrop is opened. The zero value of each field means its default.
type Options struct {
	// Durability is what removals have to reach.
	Durability mail.Durability
	// Retention is how long messages stay at most: older ones are not listed. Default: for
	// ever.
	Retention time.Duration
	// Now tells the time. Default time.Now.
	Now func() time.Time
}

// Maildrop is an open maildrop.
type Maildrop struct {
	store   store.Store
	mailbox mail.MailboxID
	options Options
	list    []mail.Message
	twins   map[int][]mail.Message // index in list -> further rows with the same unique-id
	marks   []uint64               // one bit for each of list; nil when none was ever set
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
// 135 octets of memory for each. A mailbox that never got a message is empty.
//
// Errors: those of store.ListMessages; with a retention store.ErrClock, because a clock that is
// wrong would hide mail.
func Open(ctx context.Context, st store.Store, mailbox mail.MailboxID, o Options) (*Maildrop, error) {
	m := &Maildrop{store: st, mailbox: mailbox, options: o}
	after, err := o.oldest(st)
	if err != nil {
		return nil, fmt.Errorf("maildrop: open mailbox %s: %w", mailbox, err)
	}
	var (
		names   names
		carried bool // some message brought a unique-id along
	)
	for {
		rows, more, err := st.ListMessages(ctx, mailbox, after, pageSize)
		if err != nil {
			return nil, fmt.Errorf("maildrop: list mailbox %s: %w", mailbox, err)
		}
		m.list = slices.Grow(m.list, len(rows))
		for _, row := range rows {
			row.Recipient = names.intern(row.Recipient)
			row.Origin = names.intern(row.Origin)
			if !row.UIDL.Valid() {
				row.UIDL = "" // none, or one that no client may see
			}
			carried = carried || row.UIDL != ""
			m.list = append(m.list, row)
		}
		if !more || len(rows) == 0 {
			break
		}
		after = rows[len(rows)-1].ID
	}
	if carried {
		m.joinTwins()
	}
	for i := range m.list {
		m.octets += m.list[i].Size
	}
	return m, nil
}

// oldest is an id below all messages that are still listed; zero if all are.
func (o Options) oldest(st store.Store) (mail.MessageID, error) {
	if o.Retention <= 0 {
		return mail.MessageID{}, nil
	}
	now := time.Now
	if o.Now != nil {
		now = o.Now
	}
	return mail.MinMessageID(now().Add(-o.Retention)), st.Clock()
}

// names keeps one copy of recipients and origins, which repeat.
type names map[string]string

func (n *names) intern(s string) string {
	if s == "" {
		return ""
	}
	if known, ok := (*n)[s]; ok {
		return known
	}
	if *n == nil {
		*n = names{}
	}
	(*n)[s] = s
	return s
}

// joinTwins keeps the first of all rows with the same unique-id in the list, and the ids of
// the others beside it.
func (m *Maildrop) joinTwins() {
	first := make(map[mail.UIDL]int, len(m.list))
	kept := m.list[:0]
	for _, row := range m.list {
		u := row.UniqueID()
		if i, twin := first[u]; twin {
			if m.twins == nil {
				m.twins = map[int][]mail.Message{}
			}
			m.twins[i] = append(m.twins[i], row)
			continue
		}
		first[u] = len(kept)
		kept = append(kept, row)
	}
	clear(m.list[len(kept):])
	m.list = kept
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

// Commit removes the marked messages, durably, once and for all, and tells how far that got. On
// an error some of them may be removed; it may be repeated. Errors: those of
// store.RemoveMessages.
func (m *Maildrop) Commit(ctx context.Context) (mail.Reached, error) {
	if m.marked == 0 {
		return mail.ReachedLocal, nil
	}
	ids := make([]mail.MessageID, 0, m.marked)
	for i := range m.list {
		if m.isMarked(i + 1) {
			ids = append(ids, m.list[i].ID)
			for _, twin := range m.twins[i] {
				ids = append(ids, twin.ID)
			}
		}
	}
	reached, err := store.Durably(m.store, m.options.Durability, func(st store.Store) error {
		return st.RemoveMessages(ctx, m.mailbox, ids)
	})
	if err != nil {
		return reached, fmt.Errorf("maildrop: remove %d messages of mailbox %s: %w", len(ids), m.mailbox, err)
	}
	return reached, nil
}
