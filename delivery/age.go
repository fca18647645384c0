package delivery

import (
	"context"
	"time"

	"popelago/ledger"
	"popelago/store"
)

// ages limit how old an id may be, and how far ahead of the clock, when rows are written under it.
type ages struct{ oldest, ahead time.Duration }

// addInTime writes rows if the age of the id allows it, and removes them again if the age does not
// allow it any more: background work might treat the message as left over, or a wrong clock might
// keep it out of the list.
func (d *Deliverer) addInTime(ctx context.Context, part *ledger.Part, due []*ledger.Row, a ages) {
	if err := d.checkAge(ctx, part, a); err != nil {
		part.ContentStored = false
		fail(due, err)
		return
	}
	d.addRows(ctx, part, due)
	// ctx may have ended if storing took long.
	after, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
	defer cancel()
	if err := d.checkAge(after, part, a); err != nil {
		d.removeLate(after, part, due, err)
	}
}

// checkAge compares the id with a clock that can be trusted. Errors: store.ErrTooOld, store.ErrClock.
func (d *Deliverer) checkAge(ctx context.Context, part *ledger.Part, a ages) error {
	return store.CheckID(ctx, d.mail.Local, part.ID, d.cfg.Now(), a.oldest, a.ahead)
}

// removeLate removes the rows that are stored or may be. Stored rows get the error cause.
func (d *Deliverer) removeLate(ctx context.Context, part *ledger.Part, due []*ledger.Row, cause error) {
	part.ContentStored = false
	d.metrics.tooOld.Inc()
	for _, r := range due {
		if r.State == ledger.Failed {
			continue
		}
		if r.Err == nil {
			r.Err = cause
		}
		if err := d.remove(ctx, part, r); err != nil {
			d.cfg.Logger.Error("a message that was stored too late, or by a wrong clock, could not be removed again",
				"message", part.ID.String(), "mailbox", r.Mailbox.String(), "cause", err)
		}
	}
}

// remove removes a row again. After that nothing more may be written under the id. The state is
// Failed, or Unknown if the removal fails.
func (d *Deliverer) remove(ctx context.Context, part *ledger.Part, r *ledger.Row) error {
	part.ContentStored = false
	err := r.Remove(ctx, d.mail, part.ID)
	if r.State = ledger.Failed; err != nil {
		r.State = ledger.Unknown
	}
	return err
}
