package cassandra

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"
	"github.com/maypok86/otter/v2"

	"popelago/mail"
	"popelago/store"
)

// ordinary is the segment of ordinary mailboxes, and of what a bulk mailbox got before it was
// one. All other segments are days.
const ordinary = 0

// microsOfDay is the length of a day.
const microsOfDay = 24 * 3_600_000_000

// dayOf is the count of days since 1970 (UTC) at a moment: the segment that a bulk mailbox has
// for messages of that day.
func dayOf(us int64) int {
	if us < 0 {
		us -= microsOfDay - 1
	}
	return int(us / microsOfDay)
}

// startOf is the first moment of a day.
func startOf(day int) time.Time { return time.UnixMicro(int64(day) * microsOfDay) }

// dayOfID is the day of the time inside an id.
func dayOfID(id mail.MessageID) int { return dayOf(id.Micros()) }

// segmentsOf lists the segments that messages can be in: the ordinary one, and their days.
func segmentsOf(ids []mail.MessageID) []int {
	list := []int{ordinary}
	for _, id := range ids {
		if day := dayOfID(id); day > ordinary && !slices.Contains(list, day) {
			list = append(list, day)
		}
	}
	return list
}

// marker is the highest id that there is. Its row in the ordinary segment makes a mailbox bulk:
//
//	size        none: it is not a message
//	bulk_since  static: the microsecond from which messages may be in the segments of days
//	timestamp   the time of the marker less bulk_since
//
// The static column comes along with every row of the segment, so every page of a list tells
// of it; the marker is a row in every slice that has no end, so also a page without messages
// tells. No floor ever reaches it. Of several the earliest bulk_since stays, because its
// timestamp is the highest. That it lies in a far future keeps nothing from being cleared away
// around it: only low timestamps do.
func marker() mail.MessageID {
	key := [16]byte{0: 0x0F, 8: 0x3F}
	for i := range key {
		if i != 0 && i != 8 {
			key[i] = 0xFF
		}
	}
	return mail.MessageIDFromSortKey(key)
}

// place is what this process knows of where the messages of a mailbox are.
type place struct {
	// since is the bulk_since of the mailbox; zero: it is not bulk as far as is known.
	since int64
	// before: messages of an earlier microsecond are in the ordinary segment and nowhere else,
	// and those yet to come will be.
	before int64
	// marked is when this process last wrote the marker for each level of writing: a quorum
	// of one datacenter, named by through, and of each.
	marked  [2]int64
	through string
	// recipient is that of some message; may be empty.
	recipient string
}

// maxPlaces bounds the memory of places: about 100 octets each.
const maxPlaces = 100_000

func newPlaces() *otter.Cache[mail.MailboxID, place] {
	return otter.Must(&otter.Options[mail.MailboxID, place]{MaximumSize: maxPlaces})
}

// placeOf returns what is known; nothing if known is false.
func (s *engine) placeOf(mailbox mail.MailboxID) (p place, known bool) {
	return s.places.GetIfPresent(mailbox)
}

// learn changes what is known of a mailbox.
func (s *engine) learn(mailbox mail.MailboxID, change func(*place)) {
	s.places.Compute(mailbox, func(p place, _ bool) (place, otter.ComputeOp) {
		change(&p)
		return p, otter.WriteOp
	})
}

// isBulk notes since when the mailbox is bulk; zero: nothing new. From then on messages may be in
// days, whatever was read before: it may have been from a table that was lost, and is rebuilt.
func (p *place) isBulk(since int64) {
	if p.since = earliest(p.since, since); p.since != 0 {
		p.before = min(p.before, p.since)
	}
}

// learnSince notes what a read at a quorum that began at checked told of a mailbox: since when
// it is bulk, or zero.
//
// Whoever makes a mailbox bulk does so for messages from a window later on, after the marker
// was written. So what this read did not see concerns none before that, but for the difference
// of two clocks, and for a marker that another datacenter wrote and that was held up on its way
// here for a whole window.
//
// If the marker is gone that this process has written before, the table was lost: then it is
// written again with the next message.
func (s *engine) learnSince(mailbox mail.MailboxID, since int64, checked time.Time, recipient string) {
	before := micros(checked.Add(s.cfg.Window - 2*store.MaxClockSkew))
	s.learn(mailbox, func(p *place) {
		p.before = max(p.before, before)
		p.isBulk(since)
		if since == 0 && p.marked[0] < micros(checked) {
			p.marked = [2]int64{}
		}
		if recipient != "" {
			p.recipient = recipient
		}
	})
}

// earliest is the earlier of two moments, of which zero is none.
func earliest(a, b int64) int64 {
	if a == 0 || b != 0 && b < a {
		return b
	}
	return a
}

// SetBulk implements store.Directory. The moment is a window ahead of the end of the write.
func (s *Store) SetBulk(ctx context.Context, mailbox mail.MailboxID) (time.Time, error) {
	now, err := s.changeTime(ctx, fmt.Sprintf("make mailbox %s bulk", mailbox))
	if err != nil {
		return time.Time{}, err
	}
	if err := s.mark(ctx, mailbox, now+s.cfg.Window.Microseconds()); err != nil {
		return time.Time{}, err
	}
	return s.now().Add(s.cfg.Window).Truncate(time.Microsecond).UTC(), nil
}

// mark writes the marker.
func (s *Store) mark(ctx context.Context, mailbox mail.MailboxID, since int64) error {
	m := marker()
	through := s.origin()
	if err := s.exec(ctx, statement{
		cql:         markBulk,
		values:      []any{gocql.UUID(mailbox), ordinary, gocql.UUID(m), since, m.Micros() - since},
		consistency: s.writes(),
		what:        fmt.Sprintf("make mailbox %s bulk", mailbox),
	}); err != nil {
		return err
	}
	at := micros(s.now())
	s.learn(mailbox, func(p *place) {
		p.isBulk(since)
		p.marked[0], p.through = at, through
		if s.writes() == gocql.EachQuorum {
			p.marked[1] = at
		}
	})
	return nil
}

// markAgain is how often a process writes the marker of a mailbox: a datacenter that missed it
// has it back then.
const markAgain = time.Hour

// isMarked reports whether this process has written the marker of a mailbox not long ago, at the
// level of s, through the datacenter that is named, for a moment not behind since.
func (s *Store) isMarked(mailbox mail.MailboxID, since int64, through string) bool {
	p, _ := s.placeOf(mailbox)
	marked := p.marked[0]
	if s.writes() == gocql.EachQuorum {
		marked = p.marked[1]
	} else if p.through != through {
		return false
	}
	age := micros(s.now()) - marked
	return p.since != 0 && p.since <= since && age >= 0 && age < markAgain.Microseconds()
}

// segmentFor is the segment that a message is added to through a datacenter. It depends on the
// entry alone, so that one that is added again goes to the same.
//
// The marker is there before anything is in the segment of a day: whoever uses one has written
// it, too, at the same level. So what a datacenter acknowledged it also lists, whatever happened
// to markers that others wrote. Errors: store.ErrUnavailable.
func (s *Store) segmentFor(ctx context.Context, e store.Entry, through string) (int, error) {
	day, since := dayOfID(e.Message.ID), micros(e.Bulk)
	if e.Bulk.IsZero() || day <= ordinary || e.Message.ID.Micros() < since {
		return ordinary, nil
	}
	if s.isMarked(e.Mailbox, since, through) {
		return day, nil
	}
	err := s.mark(ctx, e.Mailbox, since)
	if errors.Is(err, store.ErrOutcomeUnknown) {
		err = fmt.Errorf("%w: %v", store.ErrUnavailable, err) // of the marker, but the message was not written
	}
	return day, err
}

// readSince reads since when a mailbox is bulk; zero: it is not.
func (s *engine) readSince(ctx context.Context, mailbox mail.MailboxID, level gocql.Consistency) (int64, error) {
	var id gocql.UUID
	var since *int64
	if _, err := s.readOne(ctx, statement{
		cql: selectBulk, values: []any{gocql.UUID(mailbox), ordinary, gocql.UUID(marker())}, consistency: level,
		what: fmt.Sprintf("read whether mailbox %s is bulk", mailbox),
	}, &id, &since); err != nil || since == nil {
		return 0, err
	}
	return *since, nil
}

// segmentsOfMessage lists the segments that a message may be in, as far as is known: the
// likeliest first.
func (s *engine) segmentsOfMessage(mailbox mail.MailboxID, id mail.MessageID) []int {
	p, known := s.placeOf(mailbox)
	day := dayOfID(id)
	switch {
	case day <= ordinary || known && id.Micros() < p.before:
		return []int{ordinary}
	case p.since != 0 && id.Micros() >= p.since:
		return []int{day, ordinary}
	}
	return []int{ordinary, day}
}
