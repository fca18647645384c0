package ledger

import (
	"context"
	"errors"

	"popelago/mail"
	"popelago/store"
)

// Recall plans a delivery with a fingerprint: all rows are due unless the ledger has an attempt of
// the message. Each mailbox has one row for each address that RCPT named, Pending or, for a refused recipient, Failed with an Err. A
// refused row is not due, and becomes KnownBefore if an earlier delivery stored the row.
//
// The attempts of the earlier deliveries leave the ledger: the caller has to Record the outcome.
// Without an attempt Recall needs no statement.
//
// After an error of the store the ledger still has the attempts.
func (l *Ledger) Recall(ctx context.Context, f Fingerprint, rows []Row) (Plan, error) {
	p := Plan{Origin: l.mail.Local.Origin(), Rows: rows}
	attempts, err := l.claimAll(ctx, f, rows)
	if err != nil {
		return Plan{}, err
	}
	if len(attempts) > 0 {
		p = l.repeat(ctx, rows, attempts, p.Origin)
	}
	p.fingerprint, p.Due = f, make([]int, 0, len(rows))
	for i := range p.Rows {
		if p.Rows[i].due() {
			p.Due = append(p.Due, i)
		}
	}
	return p, nil
}

// repeat plans a repeated delivery, and settles the rows of unknown outcome.
func (l *Ledger) repeat(ctx context.Context, rows []Row, attempts []store.Attempt, origin string) Plan {
	p, doubts := decide(rows, attempts, situation{
		origin: origin, several: l.mail.Several, now: l.cfg.Now(), window: l.cfg.Window,
	})
	for _, d := range doubts {
		l.settle(ctx, d)
	}
	if !p.ID.IsZero() {
		l.metrics.reused.Inc()
	}
	for _, r := range p.Rows {
		if r.State == KnownBefore {
			l.metrics.skipped.Inc()
		}
	}
	return p
}

// settle finds out whether a row of unknown outcome is stored. The first row found for a mailbox
// counts; every other row is removed, and the removal wins over a late write. If the store fails,
// the recipient gets the error of the store.
func (l *Ledger) settle(ctx context.Context, d doubt) {
	if d.row.Err != nil {
		return
	}
	if d.counts && d.row.State != KnownBefore && l.find(ctx, d) || d.row.Err != nil {
		return
	}
	// From now on nothing may be written under the id, and no row found later counts.
	d.attempt.ContentStored = false
	if err := d.row.Remove(ctx, l.mail, d.attempt.ID); err != nil {
		d.row.State, d.row.Err = Unknown, err
		return
	}
	l.metrics.removed.Inc()
	d.attempt.recipients[d.row.key()].Outcome = store.AttemptUnwritten
}

// find looks for a row and reports whether the row counts: row and content are stored as durably as
// the recipient requires.
func (l *Ledger) find(ctx context.Context, d doubt) bool {
	reached, err := l.look(ctx, d)
	switch {
	case err == nil && (reached != mail.ReachedEach || d.attempt.ContentReached == reached):
		known := d.attempt.recipients[d.row.key()]
		known.Outcome, known.Reached = store.AttemptStored, reached
		d.row.State, d.row.Reached = KnownBefore, reached
		return true
	case err != nil && !errors.Is(err, store.ErrNotFound):
		d.row.State, d.row.Err = Unknown, err
	}
	return false
}

// look reads a row at the level of its durability. reached says which level answered.
func (l *Ledger) look(ctx context.Context, d doubt) (reached mail.Reached, err error) {
	read := func(st store.Mail) error {
		_, err := st.Message(ctx, d.row.Mailbox, d.attempt.ID)
		return err
	}
	if !d.row.Durability.Each() || !l.mail.Several {
		return mail.ReachedLocal, read(l.mail.Local)
	}
	err = read(l.mail.Each)
	if d.row.Durability.OrLocal() && store.Unreached(err) {
		return mail.ReachedFallback, read(l.mail.Local)
	}
	return mail.ReachedEach, err
}
