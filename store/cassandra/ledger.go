package cassandra

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"popelago/mail"
	"popelago/store"
)

// ledger implements store.Ledger at one level.
type ledger struct {
	at  level
	cfg Config
	run *runner
}

// PutAttempt implements store.Ledger. The row expires when the attempt is over.
func (l *ledger) PutAttempt(ctx context.Context, a store.Attempt) error {
	what := fmt.Sprintf("enter the attempt %s", a.ID)
	left := a.Until.Sub(l.cfg.Now())
	if left <= 0 {
		return l.run.ready(ctx, what)
	}
	ttl := ttlSeconds(l.cfg.Now(), left+2*time.Second) // nodes count whole seconds
	mailboxes := make([]gocql.UUID, len(a.Recipients))
	recipients := make([]string, len(a.Recipients))
	originals := make([]string, len(a.Recipients))
	outcomes := make([]byte, len(a.Recipients))
	for i, r := range a.Recipients {
		mailboxes[i], outcomes[i] = gocql.UUID(r.Mailbox), encodeOutcome(r)
		recipients[i], originals[i] = encodeText(r.Recipient), encodeText(r.Original)
	}
	entered := micros(a.Entered)
	values := append(l.attemptKey(a), micros(a.Until), a.Origin, a.ContentStored, int(a.ContentReached), a.ContentSize,
		mailboxes, recipients, originals, outcomes, entered, ttl)
	return l.run.exec(ctx, statement{cql: insertAttempt, values: values, consistency: l.at.writes(), what: what})
}

// attemptKey returns the key of a row: datacenter and hour name the partition.
func (l *ledger) attemptKey(a store.Attempt) []any {
	entered := micros(a.Entered)
	return []any{l.cfg.Datacenter, hourOf(entered), entered, a.Fingerprint[:], gocql.UUID(a.ID)}
}

// Attempts implements store.Ledger: one read for each hour, or more for hours with many rows. An hour is a partition:
// the replicas of the other hours may answer.
func (l *ledger) Attempts(ctx context.Context, since time.Time) iter.Seq2[store.Attempt, error] {
	return func(yield func(store.Attempt, error) bool) {
		now := l.cfg.Now()
		for hour := hourOf(micros(now.Add(store.MaxOthersAhead))); hour >= hourOf(micros(since)); hour-- {
			goOn, err := l.attemptsOf(ctx, hour, since, now, yield)
			if err != nil {
				begin := time.UnixMicro(int64(hour) * time.Hour.Microseconds()).UTC()
				others := (blocks(err) || errors.Is(err, store.ErrCorrupt)) && ctx.Err() == nil
				if !others { // the hours before fail, too
					begin = since
				}
				goOn = yield(store.Attempt{}, &store.UnreadAttempts{From: begin, Err: err}) && others
			}
			if !goOn {
				return
			}
		}
	}
}

// attemptsOf yields the attempts of an hour. goOn is false after the caller has ended the iteration.
func (l *ledger) attemptsOf(ctx context.Context, hour int, since, now time.Time, yield func(store.Attempt, error) bool) (goOn bool, err error) {
	const size = 100
	st := statement{
		cql:         listAttempts,
		values:      []any{l.cfg.Datacenter, hour, micros(since)},
		consistency: l.at.reads(),
		what:        "read the ledger of attempts",
	}
	for from := page(nil); ; {
		var rows []store.Attempt
		next, err := l.run.read(ctx, st, size, from, func(scan func(...any) error) error {
			a, err := scanAttempt(scan)
			if a.Until.After(now) {
				rows = append(rows, a)
			}
			return err
		})
		if err != nil {
			return false, err
		}
		for _, a := range rows {
			if !yield(a, nil) {
				return false, nil
			}
		}
		if from = next; from == nil {
			return true, nil
		}
	}
}

// HasAttempt implements store.Ledger.
func (l *ledger) HasAttempt(ctx context.Context, a store.Attempt) (bool, error) {
	var until *int64
	found, err := l.run.readOne(ctx, statement{
		cql: selectAttempt, values: l.attemptKey(a), consistency: l.at.reads(), what: fmt.Sprintf("look for the attempt %s", a.ID),
	}, &until)
	return found && moment(until).After(l.cfg.Now()), err
}

// RemoveAttempt implements store.Ledger.
func (l *ledger) RemoveAttempt(ctx context.Context, a store.Attempt) error {
	return l.run.exec(ctx, statement{
		cql:         deleteAttempt,
		values:      append([]any{max(micros(l.cfg.Now()), micros(a.Entered)) + 1}, l.attemptKey(a)...),
		consistency: l.at.writes(),
		what:        fmt.Sprintf("remove the attempt %s", a.ID),
	})
}

// scanAttempt reads a row.
func scanAttempt(scan func(...any) error) (a store.Attempt, err error) {
	var entered, until int64
	var fingerprint, outcomes []byte
	var reached int
	var mailboxes []gocql.UUID
	var recipients, originals []string
	if err := scan(&entered, &fingerprint, (*gocql.UUID)(&a.ID), &until, &a.Origin, &a.ContentStored, &reached, &a.ContentSize,
		&mailboxes, &recipients, &originals, &outcomes); err != nil {
		return a, err
	}
	a.Entered, a.Until = moment(&entered), moment(&until)
	a.ContentReached = mail.Reached(reached)
	n := len(mailboxes)
	if originals == nil { // written before the column existed
		originals = make([]string, n)
	}
	if copy(a.Fingerprint[:], fingerprint) != len(a.Fingerprint) || len(recipients) != n || len(originals) != n || len(outcomes) != n {
		return a, fmt.Errorf("cassandra: attempt %s: %w", a.ID, store.ErrCorrupt)
	}
	a.Recipients = make([]store.AttemptRecipient, n)
	for i := range a.Recipients {
		r := decodeOutcome(outcomes[i])
		r.Mailbox = mail.MailboxID(mailboxes[i])
		if r.Recipient, err = decodeText(recipients[i]); err != nil {
			return a, err
		}
		if r.Original, err = decodeText(originals[i]); err != nil {
			return a, err
		}
		a.Recipients[i] = r
	}
	return a, nil
}

// An outcome in a column is one octet:
//
//	bits 0-1  store.AttemptOutcome
//	bits 2-3  mail.Reached
//	bit 4     the sender was told
func encodeOutcome(r store.AttemptRecipient) byte {
	b := byte(r.Outcome) | byte(r.Reached)<<2
	if r.Told {
		b |= 1 << 4
	}
	return b
}

// decodeOutcome undoes encodeOutcome.
func decodeOutcome(b byte) store.AttemptRecipient {
	return store.AttemptRecipient{
		Outcome: store.AttemptOutcome(b & 3), Reached: mail.Reached(b >> 2 & 3), Told: b&(1<<4) != 0,
	}
}
