package account

import (
	"context"
	"time"

	"popelago/store"
)

// leastWork names the first walk over the accounts for store.Mine.
const leastWork = "account/least-retention"

// LearnRetentions walks over the accounts, so that LeastRetention knows them. Unless anew, it leaves
// them alone if a walk has ended before, here or on another server, or if the walk falls to another
// server: where there are many accounts not every start should read all. Memory is bounded. It
// returns soon after ctx ends. Errors: the store's; then the next run of the expire job makes up
// for it.
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
	return d.NoteRetentions(ctx, func(found func(time.Duration)) error {
		domains, err := d.ListDomains(ctx)
		if err != nil {
			return err
		}
		for _, domain := range domains {
			err := d.eachAddress(ctx, domain.Name, "", pageSize, func(rows []store.Address) (bool, error) {
				if e := entryOf(rows); e != nil {
					found(e.row.Retention)
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

// NoteRetentions calls walk, which passes the own retention of every live account of all hosted
// domains (store.Address.Retention) to found, and keeps the least for LeastRetention, here and on
// all other servers. If walk fails nothing is kept, and its error is returned as it is.
//
// What was made shorter while the walk was under way counts, whether or not the walk has come to
// it: in this process, and in others if they have written so into the store. Errors: the store's.
// Walks may be under way at the same time.
func (d *Directory) NoteRetentions(ctx context.Context, walk func(found func(own time.Duration)) error) error {
	w := &retentionWalk{}
	before, err := d.beginWalk(ctx, w)
	if err != nil {
		return err
	}
	defer d.least.end(w)
	if err := walk(func(own time.Duration) { d.least.found(w, own) }); err != nil {
		return err
	}
	return d.noteWalk(ctx, w, before)
}

// beginWalk returns what the store says at the beginning of a walk. Changes wait meanwhile: so the
// walk finds what a change wrote before, and learns of later ones.
func (d *Directory) beginWalk(ctx context.Context, w *retentionWalk) (before string, err error) {
	d.changes.Lock()
	defer d.changes.Unlock()
	if before, err = d.readLeastNote(ctx); err == nil {
		d.least.begin(w)
	}
	return before, err
}

// noteWalk writes the result of a walk into the store. A text that is there now but was not at the
// beginning is about a change, or of another walk, and may know more.
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
			result = least(result, other)
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

// lowerLeastLocked lowers the least retention in the store, so that other servers, and this one
// after a restart, do not promise more than an account will have. It does so only where a walk has
// left one. The caller holds changes.
func (d *Directory) lowerLeastLocked(ctx context.Context, retention time.Duration) error {
	if retention <= 0 {
		return nil
	}
	text, err := d.readLeastNote(ctx)
	if err != nil {
		return err
	}
	if noted, known := parseLeast(text); !known || least(noted, retention) == noted {
		return nil
	}
	return d.writeLeastNote(ctx, retention)
}
