package ledger

import (
	"context"

	"popelago/store"
)

// claimAll takes the attempts repeated by a delivery out of the ledger. On an error the ledger keeps
// all of them.
func (l *Ledger) claimAll(ctx context.Context, f Fingerprint, rows []Row) ([]store.Attempt, error) {
	reserved := l.memory.reserve(f, rows, l.cfg.Now())
	var claimed []store.Attempt
	for i, v := range reserved {
		a, ok, err := l.claim(ctx, v)
		if err != nil {
			for _, a := range claimed {
				l.enter(a)
			}
			for _, v := range reserved[i+1:] {
				l.memory.release(v)
			}
			return nil, err
		}
		if ok {
			claimed = append(claimed, a)
		}
	}
	return claimed, nil
}

// claim makes sure that no other server uses a reserved attempt. ok is false if another server has
// used the attempt. After an error the attempt is in the ledger again.
//
// Two servers may both use an attempt if its insert or its removal has an unknown outcome. Then
// neither writes under the id, because the second server may be removing rows.
func (l *Ledger) claim(ctx context.Context, v view) (a store.Attempt, ok bool, err error) {
	if !l.shared() {
		return v.Attempt, true, nil
	}
	if v.inserted {
		if ok, err = l.has(ctx, v); err != nil {
			l.memory.release(v)
			return a, false, err
		}
		if !ok {
			l.memory.removed(v.record)
			return a, false, nil
		}
	} else {
		v.ContentStored = false
	}
	if err := l.remove(ctx, v); err != nil {
		v.ContentStored = false
		l.memory.removalFailed(v.record)
		l.enter(v.Attempt)
		return a, false, err
	}
	return v.Attempt, true, nil
}

// has reports whether the store still has an inserted attempt. A datacenter that did not acknowledge
// the insert may not have received the attempt yet: each datacenter has to confirm a miss there. If a
// datacenter cannot be reached, the attempt counts as used: rows under its id may have been
// acknowledged since, and must not be removed.
func (l *Ledger) has(ctx context.Context, v view) (bool, error) {
	before := l.attempts.Local.Origin()
	ok, err := l.attempts.Local.HasAttempt(ctx, v.Attempt)
	if ok || err != nil || before == v.datacenter && l.attempts.Local.Origin() == v.datacenter {
		return ok, err
	}
	ok, err = l.attempts.Each.HasAttempt(ctx, v.Attempt)
	if err != nil && store.Unreached(err) {
		l.cfg.Logger.Warn("the datacenter that knows the outcome of an earlier delivery cannot be reached: the repeated delivery may store a second copy",
			"message", v.ID.String(), "datacenter", v.datacenter, "cause", err)
		return false, nil
	}
	return ok, err
}
