package ledger

import (
	"context"
	"slices"
	"time"

	"popelago/mail"
	"popelago/store"
)

// publishTimeout limits the writes that publish a delivery to the other servers.
const publishTimeout = 5 * time.Second

// Outcome describes a delivery after its writes.
type Outcome struct {
	// Plan is the plan of the delivery, with the new states in its Rows.
	Plan Plan
	// Part holds the rows with one id, at most one row for each mailbox.
	Part
	// Further are the parts with further copies for the same mailboxes, under new ids of their own.
	Further []*Part
	// SingleReply: the sender gets one reply for all recipients, and the failure for one recipient
	// is a failure for all.
	SingleReply bool
	// Repeats says for each row whether the sender repeats the row: a recipient of the row gets a
	// failure. A recipient may have several rows. Nil: the sender repeats the rows with an error.
	Repeats []bool
}

// Part is the part of a delivery with one id.
type Part struct {
	// ID is the id of the content and the rows. Zero: nothing was written.
	ID mail.MessageID
	// ContentStored, ContentReached and ContentSize describe the content, as in store.Attempt.
	// ContentStored is false once rows were removed: no more rows may be written under ID.
	ContentStored  bool
	ContentReached mail.Reached
	ContentSize    int64
	// Due holds the indices of the rows. Nil: all of Plan.Due.
	Due []int
}

// repeats reports whether the sender repeats row i, apart from a single reply.
func (o Outcome) repeats(i int) bool {
	if o.Repeats == nil {
		return o.Plan.Rows[i].Err != nil
	}
	return o.Repeats[i]
}

// failed reports whether a recipient gets a failure.
func (o Outcome) failed() bool {
	for i := range o.Plan.Rows {
		if o.repeats(i) {
			return true
		}
	}
	return false
}

// Receipt identifies a recorded delivery. A receipt belongs to one session. Nil: nothing was
// recorded.
type Receipt struct {
	outcome Outcome
	// acknowledged: the reply reports success to the sender for each recipient without an error.
	acknowledged bool
	// records holds the record of each attempt of the outcome, in the order of attempts; nil: the attempt is
	// not needed.
	records []*record
}

// entered lists the records in the ledger.
func (r *Receipt) entered() []*record {
	return slices.DeleteFunc(slices.Clone(r.records), func(rec *record) bool { return rec == nil })
}

// Record enters the knowledge for a repetition of the delivery. A delivery without fault enters
// nothing and needs no statement.
//
// Where servers share the ledger, Record returns when all servers know of the entry, or ctx ends:
// after a failure a sender may repeat at once, at another server.
func (l *Ledger) Record(ctx context.Context, o Outcome) *Receipt {
	r := &Receipt{outcome: o}
	r.acknowledged = !o.SingleReply || !o.failed()
	l.enterAll(r, nil)
	entered := r.entered()
	if len(entered) == 0 {
		return r
	}
	l.metrics.entered.WithLabelValues("outcome").Add(float64(len(entered)))
	if l.publish(ctx, entered) {
		wait := time.NewTimer(l.cfg.Poll * 3 / 2)
		defer wait.Stop()
		select {
		case <-wait.C:
		case <-ctx.Done():
		}
	}
	return r
}

// ReplyLost notes that the reply of a recorded delivery may not have reached the sender: the
// connection failed. A repetition then stores no second copy. ctx may have ended.
func (l *Ledger) ReplyLost(ctx context.Context, r *Receipt) {
	if r == nil || !r.acknowledged {
		return
	}
	sure := true
	used := make([]bool, len(r.records))
	for i, rec := range r.records {
		if rec == nil {
			continue
		}
		v, ok := l.memory.withdraw(rec)
		if !ok { // the sender has repeated this part of the delivery already
			used[i], sure = true, false
			continue
		}
		sure = sure && l.retract(ctx, v) == nil
	}
	r.acknowledged = false
	r.outcome.ContentStored = r.outcome.ContentStored && sure
	for _, part := range r.outcome.Further {
		part.ContentStored = part.ContentStored && sure
	}
	for i := range r.outcome.Plan.earlier {
		a := &r.outcome.Plan.earlier[i]
		a.ContentStored = a.ContentStored && sure
	}
	l.enterAll(r, used)
	entered := r.entered()
	l.metrics.entered.WithLabelValues("reply").Add(float64(len(entered)))
	l.publish(ctx, entered)
}

// enterAll enters the needed attempts of a delivery, except for those that a repetition has used. used may
// be nil.
func (l *Ledger) enterAll(r *Receipt, used []bool) {
	r.records = nil
	for i, a := range attempts(r.outcome, r.acknowledged) {
		var rec *record
		if needed(a) && (used == nil || !used[i]) {
			rec = l.enter(a)
		}
		r.records = append(r.records, rec)
	}
}

// enter puts an attempt into the ledger, under a moment of its own.
func (l *Ledger) enter(a store.Attempt) *record {
	now := l.cfg.Now().UTC().Truncate(time.Microsecond)
	for ; ; now = now.Add(time.Microsecond) {
		a.Entered, a.Until = now, now.Add(l.cfg.Keep)
		r, forgotten := l.memory.add(a, l.shared(), "")
		l.metrics.forgotten.Add(float64(forgotten))
		if r != nil {
			return r
		}
	}
}

// publish inserts attempts into the store for the other servers, and reports whether an insert
// succeeded. The next exchange repeats failed inserts.
func (l *Ledger) publish(ctx context.Context, records []*record) (published bool) {
	if !l.shared() {
		return false
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), publishTimeout)
	defer cancel()
	for _, r := range records {
		if l.insert(ctx, l.memory.view(r)) == nil {
			published = true
		}
	}
	return published
}

// insert inserts one attempt into the store.
func (l *Ledger) insert(ctx context.Context, v view) error {
	datacenter := l.attempts.Local.Origin()
	err := l.attempts.Local.PutAttempt(ctx, v.Attempt)
	if err == nil {
		if l.attempts.Local.Origin() != datacenter {
			datacenter = "" // either of the two
		}
		l.memory.inserted(v.record, datacenter)
	}
	return err
}

// retract removes a withdrawn attempt from the store.
func (l *Ledger) retract(ctx context.Context, v view) error {
	if !l.shared() {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), publishTimeout)
	defer cancel()
	return l.remove(ctx, v)
}

// remove removes one used attempt from the store.
func (l *Ledger) remove(ctx context.Context, v view) error {
	err := l.attempts.Local.RemoveAttempt(ctx, v.Attempt)
	if err == nil {
		l.memory.removed(v.record)
	}
	return err
}
