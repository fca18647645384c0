package account

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"
)

// leastNote is the name under which the store keeps the least own retention of all accounts, see
// store.Checks: microseconds in decimal digits, such as "604800000000" for a week; "0" if no account
// has a retention of its own with an end. If the text is missing or has another form no walk has
// ended yet.
const leastNote = "account/least-retention"

// ErrRetentionsUnknown: no walk over the accounts has ended yet, see NoteRetentions.
var ErrRetentionsUnknown = errors.New("the retentions of the accounts are not known yet")

// leastRetention is the cached part of what LeastRetention answers from.
type leastRetention struct {
	turn sync.Mutex // held while the store is read

	mu    sync.Mutex // held for moments only: deliveries and logins call saw
	read  leastRead
	until time.Time // read is to be read again then
	epoch uint64    // counts the walks that have ended: what was read before one is out of date
	// seen is the least own retention that this process read or set since its last walk; zero: none.
	seen  time.Duration
	walks map[*retentionWalk]struct{} // those under way
	// begun counts the walks that have begun; newest is the number of the last of them that has ended.
	begun, newest uint64
}

// leastRead is what the store says.
type leastRead struct {
	least time.Duration // of the domains and of the note; zero: for ever
	known bool          // there is a note
}

// retentionWalk is one walk over the accounts.
type retentionWalk struct {
	number uint64        // in the order of their beginnings
	least  time.Duration // of what the walk found, and of what this process read or set meanwhile
}

// least is the smaller of two retentions; zero is for ever.
func least(a, b time.Duration) time.Duration {
	if a == 0 || b != 0 && b < a {
		return b
	}
	return a
}

// saw notes the own retention of an account.
func (l *leastRetention) saw(retention time.Duration) {
	if retention <= 0 {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.seen = least(l.seen, retention)
	for w := range l.walks {
		w.least = least(w.least, retention)
	}
}

// cached returns what was read, and whether it is fresh.
func (l *leastRetention) cached(now time.Time, ttl time.Duration) (read leastRead, epoch uint64, fresh bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.read, l.epoch, now.Before(l.until) && l.until.Sub(now) <= ttl
}

// put remembers what was read, unless a walk has ended since then. ok is false if one has.
func (l *leastRetention) put(read leastRead, epoch uint64, until time.Time) (ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if ok = epoch == l.epoch; ok {
		l.read, l.until = read, until
	}
	return ok
}

// answer is what LeastRetention returns by what the store says. ok is false if a walk has ended
// since the store said it.
func (l *leastRetention) answer(read leastRead, epoch uint64) (retention time.Duration, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return least(read.least, l.seen), epoch == l.epoch
}

func (l *leastRetention) begin(w *retentionWalk) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.walks == nil {
		l.walks = map[*retentionWalk]struct{}{}
	}
	l.walks[w] = struct{}{}
	l.begun++
	w.number = l.begun
}

func (l *leastRetention) end(w *retentionWalk) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.walks, w)
}

// found notes the own retention of an account that a walk has come to.
func (l *leastRetention) found(w *retentionWalk, retention time.Duration) {
	if retention <= 0 {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	w.least = least(w.least, retention)
}

// take is the result of a walk. From now on the walk gathers what this process sees until noted. ok
// is false if another walk of this process began later and has ended already: that one knows better.
func (l *leastRetention) take(w *retentionWalk) (result time.Duration, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	result, w.least = w.least, 0
	return result, w.number > l.newest
}

// noted forgets what was seen before take: the note says it now.
func (l *leastRetention) noted(w *retentionWalk) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.seen, l.newest = w.least, w.number
	l.until = time.Time{}
	l.epoch++
}

// LeastRetention returns the least retention of all hosted domains and of all live accounts; zero:
// messages stay for ever. It never promises more than an account has, as far as this process can
// know:
//
//   - The domains, and the least of the accounts that a walk has left in the store, are read once in
//     Config.CacheTTL. So a server that has just started knows the accounts without looking at each.
//   - SetRetention lowers the least in the store before it writes the account.
//   - Accounts that this process has read meanwhile count, too.
//
// A retention that was made longer, and the removal of an account, count after the next walk of this
// process: each run of the expire job is one. The same holds for a retention that was made shorter
// but was missed here: because two processes changed the least in the store at the same moment, a
// process of an older release made the change, or the change is still on its way from another
// datacenter.
//
// Errors: ErrRetentionsUnknown before the first walk over this store has ended: then nothing can be
// promised. The store's.
func (d *Directory) LeastRetention(ctx context.Context) (time.Duration, error) {
	l := &d.least
	l.turn.Lock()
	defer l.turn.Unlock()
	for {
		now := d.cfg.Now()
		read, epoch, fresh := l.cached(now, d.cfg.CacheTTL)
		if !fresh {
			var err error
			if read, err = d.readLeast(ctx); err != nil {
				return 0, err
			}
			if !l.put(read, epoch, now.Add(d.cfg.CacheTTL)) {
				continue
			}
		}
		if !read.known {
			return 0, ErrRetentionsUnknown
		}
		if retention, ok := l.answer(read, epoch); ok {
			return retention, nil
		}
	}
}

// readLeast reads the domains, and what the last walk left.
func (d *Directory) readLeast(ctx context.Context) (r leastRead, err error) {
	text, err := d.readLeastNote(ctx)
	if err != nil {
		return r, err
	}
	if r.least, r.known = parseLeast(text); !r.known {
		return r, nil
	}
	domains, err := d.ListDomains(ctx)
	if err != nil {
		return r, err
	}
	for _, domain := range domains {
		r.least = least(r.least, domain.Retention)
	}
	return r, nil
}

func (d *Directory) readLeastNote(ctx context.Context) (string, error) {
	text, err := d.store.Local.Progress(ctx, leastNote)
	if err != nil {
		return "", fmt.Errorf("account: read the least retention: %w", err)
	}
	return text, nil
}

func (d *Directory) writeLeastNote(ctx context.Context, retention time.Duration) error {
	if err := d.store.Local.SetProgress(ctx, leastNote, formatLeast(retention)); err != nil {
		return fmt.Errorf("account: note the least retention: %w", err)
	}
	return nil
}

func formatLeast(retention time.Duration) string {
	return strconv.FormatInt(retention.Microseconds(), 10)
}

// parseLeast undoes formatLeast. ok is false if the text has another form.
func parseLeast(text string) (retention time.Duration, ok bool) {
	const most = int64(1<<63-1) / int64(time.Microsecond)
	micros, err := strconv.ParseInt(text, 10, 64)
	if err != nil || micros < 0 || micros > most {
		return 0, false
	}
	return time.Duration(micros) * time.Microsecond, true
}
