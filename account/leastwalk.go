package account

import (
	"context"

	"popelago/mail"
	"popelago/store"
)

// leastWork names the first walk over the accounts for store.Mine.
const leastWork = "account/least-retention"

// LearnRetentions walks over all accounts for LeastRetention. Unless anew, LearnRetentions does
// nothing after the end of any walk, here or on another server, or if the walk is the share of another
// server: with many accounts, a start should not read all of them. Memory is bounded.
// LearnRetentions returns soon after ctx ends. Errors: the store's; the next run of the expire job is
// the next walk then.
func (d *Directory) LearnRetentions(ctx context.Context, anew bool) error {
	if !anew {
		text, err := d.readLeastNote(ctx)
		if err != nil {
			return err
		}
		if _, known := parseLeast(text); known || !d.store.Local.Mine(leastWork) {
			return nil
		}
	}
	return d.NoteRetentions(ctx, func(found func(mail.Retention)) error {
		domains, err := d.ListDomains(ctx)
		if err != nil {
			return err
		}
		for _, domain := range domains {
			err := d.eachAddress(ctx, domain.Name, "", pageSize, func(rows []store.Address) (bool, error) {
				if e := entryOf(rows); e != nil {
					found(OwnLeast(e.row))
				}
				return true, nil
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// NoteRetentions calls walk, which passes OwnLeast of every live account of all hosted domains to found. NoteRetentions stores the least for LeastRetention of all
// servers. If walk fails, NoteRetentions stores nothing and returns the error unchanged.
//
// A retention made shorter during the walk counts, in this process and in other processes that have
// lowered the note. Several walks may run at the same time. Errors: the store's.
func (d *Directory) NoteRetentions(ctx context.Context, walk func(found func(own mail.Retention)) error) error {
	w := &retentionWalk{}
	before, err := d.beginWalk(ctx, w)
	if err != nil {
		return err
	}
	defer d.least.end(w)
	if err := walk(func(own mail.Retention) { d.least.found(w, own) }); err != nil {
		return err
	}
	return d.noteWalk(ctx, w, before)
}

// beginWalk begins a walk and returns the note. Changes wait meanwhile: so the walk finds the results
// of earlier changes, and later changes tell the walk.
func (d *Directory) beginWalk(ctx context.Context, w *retentionWalk) (before string, err error) {
	d.changes.Lock()
	defer d.changes.Unlock()
	if before, err = d.readLeastNote(ctx); err == nil {
		d.least.begin(w)
	}
	return before, err
}

// noteWalk writes the result of a walk into the note. A note that has changed since the beginning was
// lowered by a change or written by another walk, and counts, too.
func (d *Directory) noteWalk(ctx context.Context, w *retentionWalk, before string) error {
	d.changes.Lock()
	defer d.changes.Unlock()
	now, err := d.readLeastNote(ctx)
	if err != nil {
		return err
	}
	result, ok := d.least.take(w)
	if !ok {
		return nil
	}
	if now != before {
		if other, known := parseLeast(now); known {
			result = result.Shorter(other)
		}
	}
	if formatLeast(result) != now {
		if err := d.writeLeastNote(ctx, result); err != nil {
			return err
		}
	}
	d.least.noted(w)
	return nil
}

// lowerLeastLocked prepares the write of an account with a retention of its own: lowerLeastLocked lowers an existing
// note, so that LeastRetention of other servers, and of this server after a restart, does not exceed the retention, and
// tells the walks of this process. The caller holds changes until the end of the write.
func (d *Directory) lowerLeastLocked(ctx context.Context, retention mail.Retention) error {
	if !retention.Ends() {
		return nil
	}
	text, err := d.readLeastNote(ctx)
	if err != nil {
		return err
	}
	if noted, known := parseLeast(text); known && noted.Shorter(retention) != noted {
		if err := d.writeLeastNote(ctx, retention); err != nil {
			return err
		}
	}
	d.least.saw(retention)
	return nil
}
