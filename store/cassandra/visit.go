package cassandra

import (
	"context"
	"fmt"
	"iter"
	"maps"
	"slices"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"popelago/mail"
	"popelago/store"
)

// retrievals implements store.Retrievals at one level. The notes of a mailbox have the segments of its
// messages, as far as this process knows them: a note in the ordinary segment is found, too.
type retrievals struct {
	at     level
	cfg    Config
	run    *runner
	clock  *clockWatch
	states *bulkStates
}

// notedAtOnce is the count of notes written by one statement.
const notedAtOnce = 500

// mirror is the moment, in microseconds, at which fallingTimestamp returns its argument: the start of 2026.
const mirror = 1_767_225_600_000_000

// fallingTimestamp returns the timestamp of a note about a moment in microseconds. An earlier moment has a
// later timestamp, and so the earliest of several notes wins.
func fallingTimestamp(at int64) int64 { return 2*mirror - at }

// NoteRetrieved implements store.Retrievals: one write for every 500 messages of a segment.
func (r *retrievals) NoteRetrieved(ctx context.Context, mailbox mail.MailboxID, ids []mail.MessageID, at time.Time, keep time.Duration) error {
	what := fmt.Sprintf("note %d retrievals of mailbox %s", len(ids), mailbox)
	if err := r.ready(ctx, what); err != nil {
		return err
	}
	ttl := ttlSeconds(r.cfg.Now(), min(max(keep, store.MinRemovalMemory), store.MaxNoteAge))
	segments := r.bySegment(mailbox, ids)
	for _, segment := range slices.Sorted(maps.Keys(segments)) {
		for chunk := range slices.Chunk(segments[segment], notedAtOnce) {
			values := make([][]any, len(chunk))
			for i, id := range chunk {
				first := max(micros(at), id.Micros())
				values[i] = []any{gocql.UUID(mailbox), segment, gocql.UUID(id), first, fallingTimestamp(first), ttl}
			}
			st := statement{cql: insertRetrieval, consistency: r.at.writes(), what: what}
			if err := r.run.execBatch(ctx, st, values); err != nil {
				return err
			}
		}
	}
	return nil
}

// ready returns the reason why no note can be written: a clock that is not trusted would make a message look
// retrieved long ago.
func (r *retrievals) ready(ctx context.Context, what string) error {
	if err := r.run.ready(ctx, what); err != nil {
		return err
	}
	if err := r.clock.Clock(); err != nil {
		return fmt.Errorf("cassandra: %s: %w", what, err)
	}
	return nil
}

// bySegment lists the messages of each segment.
func (r *retrievals) bySegment(mailbox mail.MailboxID, ids []mail.MessageID) map[int][]mail.MessageID {
	state, _ := r.states.of(mailbox)
	segments := map[int][]mail.MessageID{}
	for _, id := range ids {
		segment := ordinary
		if state.since != 0 && id.Micros() >= state.since {
			segment = max(dayOfID(id), ordinary)
		}
		segments[segment] = append(segments[segment], id)
	}
	return segments
}

// RetrievedMessages implements store.Retrievals: the ordinary segment, then the days of a bulk mailbox. The
// days are known after a list of the mailbox.
func (r *retrievals) RetrievedMessages(ctx context.Context, mailbox mail.MailboxID, after, through mail.MessageID) iter.Seq2[store.Retrieval, error] {
	return func(yield func(store.Retrieval, error) bool) {
		for _, segment := range r.segmentsBetween(mailbox, after, through) {
			if more, err := r.readSegment(ctx, mailbox, segment, after, through, yield); err != nil || !more {
				if err != nil {
					yield(store.Retrieval{}, err)
				}
				return
			}
		}
	}
}

// segmentsBetween lists the segments that may have notes about ids between after and through.
func (r *retrievals) segmentsBetween(mailbox mail.MailboxID, after, through mail.MessageID) []int {
	segments := []int{ordinary}
	state, _ := r.states.of(mailbox)
	if state.since == 0 {
		return segments
	}
	last := min(dayOfID(through), dayOf(micros(r.cfg.Now().Add(24*time.Hour))))
	for day := max(dayOf(max(state.since, after.Micros())), ordinary+1); day <= last; day++ {
		segments = append(segments, day)
	}
	return segments
}

// readSegment passes the notes of one segment to yield. more is false after yield has returned false.
func (r *retrievals) readSegment(ctx context.Context, mailbox mail.MailboxID, segment int, after, through mail.MessageID, yield func(store.Retrieval, error) bool) (more bool, err error) {
	if after.IsZero() {
		after = firstID()
	}
	st := statement{
		cql:         listRetrievals,
		values:      []any{gocql.UUID(mailbox), segment, gocql.UUID(after), gocql.UUID(through)},
		consistency: r.at.reads(),
		what:        fmt.Sprintf("list retrievals of mailbox %s", mailbox),
	}
	for from := page(nil); ; {
		var notes []store.Retrieval
		next, err := r.run.read(ctx, st, maxPage, from, func(scan func(...any) error) error {
			var id gocql.UUID
			var at *int64
			err := scan(&id, &at)
			if err == nil && at != nil {
				notes = append(notes, store.Retrieval{ID: mail.MessageID(id), At: moment(at)})
			}
			return err
		})
		if err != nil {
			return false, err
		}
		for _, n := range notes {
			if !yield(n, nil) {
				return false, nil
			}
		}
		if next == nil {
			return true, nil
		}
		from = next
	}
}

// ForgetRetrieved implements store.Retrievals. The timestamp is later than of any note for the messages: a
// note that arrives later stays away.
func (r *retrievals) ForgetRetrieved(ctx context.Context, mailbox mail.MailboxID, ids []mail.MessageID) error {
	what := fmt.Sprintf("forget %d retrievals of mailbox %s", len(ids), mailbox)
	if err := r.run.ready(ctx, what); err != nil {
		return err
	}
	segments := r.bySegment(mailbox, ids)
	for segment, some := range segments {
		if segment != ordinary {
			segments[ordinary] = append(segments[ordinary], some...) // a server that did not know the segment
		}
	}
	for _, segment := range slices.Sorted(maps.Keys(segments)) {
		for chunk := range slices.Chunk(segments[segment], notedAtOnce) {
			oldest := slices.MinFunc(chunk, mail.MessageID.Compare)
			if err := r.run.exec(ctx, statement{
				cql:         deleteRetrieval,
				values:      []any{fallingTimestamp(oldest.Micros()), gocql.UUID(mailbox), segment, uuids(chunk)},
				consistency: r.at.writes(),
				what:        what,
			}); err != nil {
				return err
			}
		}
	}
	return nil
}

// logins implements store.Logins at one level.
type logins struct {
	at    level
	cfg   Config
	run   *runner
	clock *clockWatch
}

// NoteLogin implements store.Logins: the time of the login is the timestamp.
func (l *logins) NoteLogin(ctx context.Context, mailbox mail.MailboxID, at time.Time) error {
	what := fmt.Sprintf("note a login to mailbox %s", mailbox)
	if err := l.clock.Clock(); err != nil {
		return fmt.Errorf("cassandra: %s: %w", what, err)
	}
	return l.run.exec(ctx, statement{
		cql: insertLogin, values: []any{gocql.UUID(mailbox), micros(at), micros(at), ttlSeconds(l.cfg.Now(), store.MaxNoteAge)},
		consistency: l.at.writes(), what: what,
	})
}

// LastLogin implements store.Logins.
func (l *logins) LastLogin(ctx context.Context, mailbox mail.MailboxID) (time.Time, error) {
	var at *int64
	_, err := l.run.readOne(ctx, statement{
		cql: selectLogin, values: []any{gocql.UUID(mailbox)}, consistency: l.at.reads(),
		what: fmt.Sprintf("read the last login to mailbox %s", mailbox),
	}, &at)
	return moment(at), err
}
