package delivery

import (
	"context"
	"time"

	"popelago/store"
)

// tellTime limits what is said to the other servers about one delivery.
const tellTime = 5 * time.Second

// takeAttempts takes out of the ledger what earlier trials of t left. On an error nothing is
// taken.
func (d *Deliverer) takeAttempts(ctx context.Context, t *trial) ([]store.Attempt, error) {
	taken := d.ledger.take(t.fingerprint, t.index, d.cfg.Now())
	var claimed []store.Attempt
	for i, a := range taken {
		ok, err := d.claim(ctx, &a)
		if err != nil {
			for _, a := range claimed {
				d.enter(a)
			}
			for _, a := range taken[i+1:] {
				d.ledger.giveBack(a)
			}
			return nil, err
		}
		if ok {
			claimed = append(claimed, a.Attempt)
		}
	}
	return claimed, nil
}

// claim makes sure that no other server uses an attempt taken out of the ledger. It returns
// false if one has done so. After an error the attempt is in the ledger again.
//
// Where two servers may both take an attempt for theirs (the store does not tell whether the
// write failed by which it was entered or removed) nothing more may be written under its id:
// the other one may be removing rows of it.
func (d *Deliverer) claim(ctx context.Context, a *attempt) (ok bool, err error) {
	if !d.ledger.shared {
		return true, nil
	}
	if a.written {
		if ok, err = d.has(ctx, a); err != nil {
			d.ledger.giveBack(*a)
			return false, err
		}
		if !ok {
			d.ledger.removed(a.node)
			return false, nil
		}
	} else {
		a.ContentStored = false
	}
	if err := d.shared.Local.RemoveAttempt(ctx, a.Attempt); err != nil {
		a.ContentStored = false
		d.ledger.unremoved(a.node)
		d.enter(a.Attempt)
		return false, err
	}
	d.ledger.removed(a.node)
	return true, nil
}

// has reports whether the store still has an attempt that it had once. Where another datacenter
// answers now than then, the entry may just not have come here: before it counts as used, each
// datacenter is asked. If that cannot be done, it counts as used: whatever was written under its
// id may have been acknowledged by now, and must not be removed.
func (d *Deliverer) has(ctx context.Context, a *attempt) (bool, error) {
	before := d.shared.Local.Origin()
	ok, err := d.shared.Local.HasAttempt(ctx, a.Attempt)
	if ok || err != nil || before == a.through && d.shared.Local.Origin() == a.through {
		return ok, err
	}
	ok, err = d.shared.Each.HasAttempt(ctx, a.Attempt)
	if err != nil && store.Unreached(err) {
		d.cfg.Logger.Warn("the datacenter that knows what became of a delivery cannot be asked: its repetition may be a second copy",
			"message", a.ID.String(), "datacenter", a.through, "cause", err)
		return false, nil
	}
	return ok, err
}

// enter puts an attempt into the ledger, with a name of its own. If it is shared the others
// have to be told.
func (d *Deliverer) enter(a store.Attempt) *node {
	now := d.cfg.Now().UTC().Truncate(time.Microsecond)
	for ; ; now = now.Add(time.Microsecond) {
		a.Entered, a.Until = now, now.Add(d.cfg.LedgerKeep)
		n, forgotten := d.ledger.add(a, d.ledger.shared, "")
		d.metrics.forgotten.Add(float64(forgotten))
		if n != nil {
			return n
		}
	}
}

// tell lets the other servers know of attempts that were entered. Those that it could not
// tell of are left to ShareAttempts.
func (d *Deliverer) tell(ctx context.Context, nodes []*node) (told bool) {
	if !d.ledger.shared {
		return false
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), tellTime)
	defer cancel()
	for _, n := range nodes {
		if d.write(ctx, d.ledger.copyOf(n)) == nil {
			told = true
		}
	}
	return told
}

// write puts one attempt in the store.
func (d *Deliverer) write(ctx context.Context, a attempt) error {
	through := d.shared.Local.Origin()
	err := d.shared.Local.PutAttempt(ctx, a.Attempt)
	if err == nil {
		if d.shared.Local.Origin() != through {
			through = "" // either of the two
		}
		d.ledger.written(a.node, through)
	}
	return err
}

// remember enters what a sender's next trial has to know after this one. single says that there
// is one reply for all recipients. The sender is not told of a failure before the other servers
// know how to deal with what it will do then.
func (d *Deliverer) remember(ctx context.Context, t *trial, single bool) {
	failed := anyEntry(t.entries, func(e *entry) bool { return e.err != nil })
	t.told = !single || !failed
	for _, a := range t.attempts(func(e *entry) bool { return t.told && e.err == nil }) {
		if owed(a) {
			t.nodes = append(t.nodes, d.enter(a))
		}
	}
	if len(t.nodes) == 0 {
		return
	}
	d.metrics.entered.WithLabelValues("outcome").Add(float64(len(t.nodes)))
	if d.tell(ctx, t.nodes) {
		wait := time.NewTimer(d.cfg.LedgerPoll * 3 / 2)
		defer wait.Stop()
		select {
		case <-wait.C:
		case <-ctx.Done():
		}
	}
}

// ReplyLost says that the sender may not know of the success that a result told it: the
// connection failed. What is stored is not stored again if it tries again.
func (d *Deliverer) ReplyLost(ctx context.Context, res Result) {
	t := res.trial
	if t == nil || !t.told {
		return
	}
	sure := true
	for _, n := range t.nodes {
		a, ok := d.ledger.withdraw(n)
		if !ok {
			return // it has tried again already
		}
		sure = sure && d.retract(ctx, a) == nil
	}
	t.nodes = nil
	for _, a := range t.attempts(func(*entry) bool { return false }) {
		if a.ContentStored = a.ContentStored && sure; owed(a) {
			t.nodes = append(t.nodes, d.enter(a))
		}
	}
	t.told = false
	d.metrics.entered.WithLabelValues("reply").Add(float64(len(t.nodes)))
	d.tell(ctx, t.nodes)
}

// retract takes an attempt that was withdrawn out of the store.
func (d *Deliverer) retract(ctx context.Context, a attempt) error {
	if !d.ledger.shared {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), tellTime)
	defer cancel()
	err := d.shared.Local.RemoveAttempt(ctx, a.Attempt)
	if err == nil {
		d.ledger.removed(a.node)
	}
	return err
}
