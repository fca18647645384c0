package cassandra

import (
	"context"
	"fmt"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"popelago/mail"
	"popelago/store"
)

// mailboxes implements store.Mailboxes at one level.
type mailboxes struct {
	at      level
	cfg     Config
	run     *runner
	link    *link
	clock   *clockWatch
	lister  *lister
	markers *markers
	*caches
}

// ListMessages implements store.Mailboxes.
//
// One statement reads one page of the ordinary segment. A page of a bulk mailbox costs one more
// statement for each day in the page. The days begin with the start of the page, or when the mailbox
// became bulk, and end tomorrow: so a server whose clock is behind, or a new day, hides no message.
func (m *mailboxes) ListMessages(ctx context.Context, mailbox mail.MailboxID, after mail.MessageID, limit int) (rows []mail.Message, more bool, err error) {
	floor, err := m.floors.of(ctx, mailbox, m.at.reads())
	if err != nil {
		return nil, false, err
	}
	fromStart := after.Compare(floor) <= 0
	l := listing{mailbox: mailbox, from: after, limit: min(max(limit, 1), maxPage), level: m.at.reads()}
	if fromStart {
		l.from = floor
	}
	state, _ := m.states.of(mailbox)
	checked := m.cfg.Now()
	p, err := m.lister.list(ctx, l, state.since)
	if err != nil {
		return nil, false, err
	}
	m.noteList(l, p, checked, fromStart)
	return p.rows, p.more, nil
}

// noteList records the findings of a page of a list.
func (m *mailboxes) noteList(l listing, p listed, checked time.Time, fromStart bool) {
	var last mail.MessageID
	recipient := ""
	if n := len(p.rows); n > 0 {
		recipient = p.rows[n-1].Recipient
		if p.more {
			last = p.rows[n-1].ID
		}
	}
	if m.clock.Clock() == nil {
		m.states.learn(l.mailbox, p.since, checked, recipient)
	}
	if p.since == 0 {
		m.candidates.noteList(l, p, fromStart)
		return
	}
	m.dayOnly.note(l.mailbox, l.from, last, fromStart, p.dayOnly)
}

// Message implements store.Mailboxes: one read, or two if the message may be in either of two
// segments.
func (m *mailboxes) Message(ctx context.Context, mailbox mail.MailboxID, id mail.MessageID) (row mail.Message, err error) {
	what := fmt.Sprintf("read message %s of mailbox %s", id, mailbox)
	for _, segment := range m.states.segmentsOf(mailbox, id) {
		found := false
		if _, err := m.run.read(ctx, statement{
			cql: selectMessage, values: []any{gocql.UUID(mailbox), segment, gocql.UUID(id)}, consistency: m.at.reads(), what: what,
		}, 2, nil, func(scan func(...any) error) (err error) {
			row, found, _, err = scanMessage(scan)
			return err
		}); err != nil {
			return mail.Message{}, err
		}
		if found {
			return row, nil
		}
	}
	return mail.Message{}, fmt.Errorf("cassandra: %s: %w", what, store.ErrNotFound)
}
