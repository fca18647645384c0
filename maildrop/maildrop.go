package maildrop

import (
	"context"
	"errors"
	"fmt"
	"time"

	"popelago/mail"
	"popelago/store"
)

// Errors of a message-number. All other errors wrap an error of package store.
var (
	// ErrNoSuchMessage: the number is not in the list.
	ErrNoSuchMessage = errors.New("no such message")
	// ErrMarked: the message is marked as deleted in this session.
	ErrMarked = errors.New("message is marked as deleted")
	// ErrRemoved: another session has removed the message since Open.
	ErrRemoved = errors.New("message was removed by another session")
)

// ErrNoContent is the kind of store.ErrUnavailable for a message with a row and without content: the
// content is lost, or arrives later from another datacenter.
var ErrNoContent = fmt.Errorf("%w: the row exists, the content is missing", store.ErrUnavailable)

// Options are the settings of a maildrop. The zero value of each field means its default.
type Options struct {
	// Durability is the durability of removals.
	Durability mail.Durability
	// Reading is the level of the list.
	Reading mail.Reading
	// Retention is the age from which messages are not listed. Default: no limit.
	Retention mail.Retention
	// Lists holds the list. The maildrops of a Lists share the equal parts of their lists. Default: a
	// Lists for the maildrop alone.
	Lists *Lists
	// ReadAhead is the most messages that ReadAhead reads ahead. Default: none.
	ReadAhead int
	// Panicked is called with the value of a panic of a read ahead, in the goroutine that panicked. Default: no call.
	Panicked func(any)
	// Now is the clock of Retention. Default time.Now.
	Now func() time.Time
}

// Maildrop is an open maildrop.
type Maildrop struct {
	store   store.Levels[store.Mail]
	mailbox mail.MailboxID
	options Options
	// listed is the level that the list was read at.
	listed   store.Mail
	fallback bool // see Fallback
	list     list
	twins    twins
	marks    []uint64 // a bit for each message; nil before the first mark
	// retrieved is as marks, for Retrieved.
	retrieved []uint64
	marked    int
	ahead     []*ahead // see ReadAhead
	octets    int64    // of the messages that are not marked
	total     int64    // octets of all messages
}

// Entry holds the message-number, the size and the unique-id of a message.
type Entry struct {
	Number int
	Size   int64 // octets
	UIDL   mail.UIDL
}

// Open reads the list of a mailbox. Open costs one read for every 5,000 messages, and about 32 octets
// of memory for each message, see the package comment. A mailbox that never got a message is empty.
// The caller must close the Maildrop if Options.Lists is given.
//
// With mail.ReadingEach, the maildrop does not open while a datacenter cannot be reached; see Fallback for
// mail.ReadingEachOrLocal.
//
// Errors: the errors of store.ListMessages; with a retention also store.ErrClock, because a wrong
// clock would hide mail.
func Open(ctx context.Context, st store.Levels[store.Mail], mailbox mail.MailboxID, o Options) (*Maildrop, error) {
	if o.Lists == nil {
		o.Lists = NewLists()
	}
	m := &Maildrop{store: st, mailbox: mailbox, options: o}
	after, err := o.oldest(st.Local)
	if err != nil {
		return nil, fmt.Errorf("maildrop: open mailbox %s: %w", mailbox, err)
	}
	opened := false
	defer func() {
		if !opened {
			m.Close()
		}
	}()
	if err := m.read(ctx, after); err != nil {
		return nil, fmt.Errorf("maildrop: list mailbox %s: %w", mailbox, err)
	}
	m.twins = findTwins(&m.list)
	m.octets = m.list.octets
	for _, row := range m.twins.rows {
		m.octets -= m.list.row(row).Size
	}
	m.total = m.octets
	opened = true
	return m, nil
}

// read reads the list at the level of Options.Reading.
func (m *Maildrop) read(ctx context.Context, after mail.MessageID) error {
	o := m.options
	m.listed = m.store.Local
	if o.Reading.Each() && m.store.Several {
		m.listed = m.store.Each
		err := m.list.read(ctx, m.listed, m.mailbox, after, o.Lists)
		if err == nil || !o.Reading.OrLocal() || !store.Unreached(err) {
			return err
		}
		o.Lists.release(m.list.blocks)
		m.list, m.listed, m.fallback = list{}, m.store.Local, true
	}
	return m.list.read(ctx, m.listed, m.mailbox, after, o.Lists)
}

// Fallback reports whether the list is the local datacenter's although Options.Reading asks for every
// datacenter: another datacenter could not be reached, and messages acknowledged there may be missing.
func (m *Maildrop) Fallback() bool { return m.fallback }

// Close releases the list, gives up what ReadAhead began, and removes no message. The maildrop is empty afterwards. Close may be
// called again.
func (m *Maildrop) Close() {
	m.giveUpAhead()
	m.options.Lists.release(m.list.blocks)
	m.list, m.twins, m.marks, m.retrieved, m.marked, m.octets, m.total = list{}, twins{}, nil, nil, 0, 0, 0
}

// oldest is an id below all messages to be listed; zero if all messages are listed.
func (o Options) oldest(clocks store.Clocks) (mail.MessageID, error) {
	if !o.Retention.Ends() {
		return mail.MessageID{}, nil
	}
	now := time.Now
	if o.Now != nil {
		now = o.Now
	}
	return mail.MinMessageID(o.Retention.Since(now())), clocks.Clock()
}

// Len is the highest message-number, marked messages included.
func (m *Maildrop) Len() int { return m.list.len() - len(m.twins.rows) }

// row is the row of message n. Its texts share the memory of the list.
func (m *Maildrop) row(n int) mail.Message { return m.list.row(m.twins.rowOf(n)) }

// Stat is the count and the octets of the messages that are not marked.
func (m *Maildrop) Stat() (count int, octets int64) { return m.Len() - m.marked, m.octets }

// Entry returns the entry of message n. Errors: ErrNoSuchMessage, ErrMarked.
func (m *Maildrop) Entry(n int) (Entry, error) {
	if err := m.check(n); err != nil {
		return Entry{}, err
	}
	row := m.row(n)
	return Entry{Number: n, Size: row.Size, UIDL: row.UniqueID()}, nil
}

func (m *Maildrop) check(n int) error {
	switch {
	case n < 1 || n > m.Len():
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
		m.marks = make([]uint64, (m.Len()+63)/64)
	}
	m.marks[(n-1)/64] |= 1 << ((n - 1) % 64)
	m.marked++
	m.octets -= m.row(n).Size
	return nil
}

// Reset removes all marks.
func (m *Maildrop) Reset() {
	for n := 1; n <= m.Len() && m.marked > 0; n++ {
		if m.isMarked(n) {
			m.octets += m.row(n).Size
			m.marked--
		}
	}
	m.marks = nil
}

// Marked is the count of marked messages.
func (m *Maildrop) Marked() int { return m.marked }

// MarkedOctets is the octets of the marked messages.
func (m *Maildrop) MarkedOctets() int64 { return m.total - m.octets }
