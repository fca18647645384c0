package delivery

import (
	"context"
	"time"

	"popelago/store"
)

// maxOthersAhead is how far the id of an attempt may be ahead of the clock: another server made it,
// and of two clocks that can be trusted one may be so much ahead of the other.
const maxOthersAhead = 2 * store.MaxClockSkew

// ages are how old an id may be, and how far ahead, when rows are written under it.
type ages struct{ oldest, ahead time.Duration }

// addInTime writes the rows that are due if the age of the id allows it, and takes them back if
// meanwhile it does not any more: background work might take the message for left over, or a wrong
// clock keep it from being listed.
func (d *Deliverer) addInTime(ctx context.Context, t *trial, a ages) {
	if err := d.checkAge(ctx, t, a); err != nil {
		t.spoiled = true
		t.fail(err)
		return
	}
	d.addRows(ctx, t)
	// ctx may have ended, because storing took so long.
	after, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
	defer cancel()
	if err := d.checkAge(after, t, a); err != nil {
		d.takeBack(after, t, err)
	}
}

// checkAge looks at the id by a clock that can be trusted. Errors: store.ErrTooOld, store.ErrClock.
func (d *Deliverer) checkAge(ctx context.Context, t *trial, a ages) error {
	return store.CheckID(ctx, d.mail.Local, t.id, d.cfg.Now(), a.oldest, a.ahead)
}

// takeBack removes the rows that were written, or may have been. Those that had been acknowledged
// get the error cause.
func (d *Deliverer) takeBack(ctx context.Context, t *trial, cause error) {
	t.spoiled = true
	d.metrics.tooOld.Inc()
	for i := range t.entries {
		e := &t.entries[i]
		if !e.tried {
			continue
		}
		if e.err == nil {
			e.err = cause
		}
		err := d.remove(ctx, e, t.id)
		if e.unsure = err != nil; e.unsure {
			d.cfg.Logger.Error("a message that was stored too late, or by a wrong clock, could not be removed again",
				"message", t.id.String(), "mailbox", e.row.Mailbox.String(), "cause", err)
		}
	}
}
