package account

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"popelago/mail"
	"popelago/store"
)

// leastNote is the name of the note, see store.Checks, with the least own retention of all accounts:
// microseconds in decimal digits, such as "604800000000" for a week; "0" if no account has a
// retention of its own with an end. Before the first walk has ended the text is missing or has a
// different form.
const leastNote = "account/least-retention"

// ErrRetentionsUnknown: no walk over the accounts has ended yet, see NoteRetentions.
var ErrRetentionsUnknown = errors.New("the retentions of the accounts are not known yet")

// leastRetention is the cached state of LeastRetention.
type leastRetention struct {
	turn store.Turn // held while the store is read

	mu    sync.Mutex // held for moments only: deliveries and logins call saw
	read  leastRead
	until time.Time // the end of read
	epoch uint64    // counts the walks that have ended; the end of a walk outdates read
	// failure is the error of a read, which counts until rest.
	failure error
	rest    time.Time
	// seen is the least own retention that this process read or set since its last walk; zero: none.
	seen  mail.Retention
	walks map[*retentionWalk]struct{} // in progress
	// begun counts the walks that have begun; newest is the number of the last of them that has ended.
	begun, newest uint64
}

// leastRead is the state in the store.
type leastRead struct {
	domains []Keeping      // the different rules of the hosted domains
	note    mail.Retention // the least own retention of the accounts; zero: for ever
	known   bool           // there is a note
}

// retentionWalk is one walk over the accounts.
type retentionWalk struct {
	number uint64         // in the order of their beginnings
	least  mail.Retention // of what the walk found, and of what this process read or set meanwhile
}

// saw notes the own retention of an account that this process read or set.
func (l *leastRetention) saw(retention mail.Retention) {
	if !retention.Ends() {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.seen = l.seen.Shorter(retention)
	for w := range l.walks {
		w.least = w.least.Shorter(retention)
	}
}

// cached returns the last read, and whether the read is fresh.
func (l *leastRetention) cached(now time.Time, ttl time.Duration) (read leastRead, epoch uint64, fresh bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.read, l.epoch, now.Before(l.until) && l.until.Sub(now) <= ttl
}

// leastWait limits LeastRetention, and leastRest is the time for which the failure of a read counts for all callers: clients
// that have not logged in cause the reads.
const (
	leastWait = 10 * time.Second
	leastRest = 2 * time.Second
)

// failed returns the error of a read a moment ago; nil: none.
func (l *leastRetention) failed(now time.Time) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if now.Before(l.rest) && l.rest.Sub(now) <= leastRest {
		return l.failure
	}
	return nil
}

// fail notes the error of a read.
func (l *leastRetention) fail(err error, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.failure, l.rest = err, now.Add(leastRest)
}

// put stores a read, unless a walk has ended since the read began: then ok is false.
func (l *leastRetention) put(read leastRead, epoch uint64, until time.Time) (ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if ok = epoch == l.epoch; ok {
		l.read, l.until = read, until
	}
	return ok
}

// answer returns the result of LeastRetention for a read. ok is false if a walk has ended since the
// read began.
func (l *leastRetention) answer(read leastRead, epoch uint64) (retention mail.Retention, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return read.least(l.seen), epoch == l.epoch
}

// least returns the least retention in force, where an account with the retention seen exists, too.
func (r leastRead) least(seen mail.Retention) mail.Retention {
	own := r.note.Shorter(seen)
	if len(r.domains) == 0 {
		return own
	}
	least := r.domains[0].leastOf(own)
	for _, k := range r.domains[1:] {
		least = least.Shorter(k.leastOf(own))
	}
	return least
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

// found notes the own retention of an account of a walk.
func (l *leastRetention) found(w *retentionWalk, retention mail.Retention) {
	if !retention.Ends() {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	w.least = w.least.Shorter(retention)
}

// take returns the result of a walk, and the walk begins to gather the retentions that this process
// sees until noted. ok is false if a later walk of this process has ended already: the later walk has
// the better result.
func (l *leastRetention) take(w *retentionWalk) (result mail.Retention, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	result, w.least = w.least, 0
	return result, w.number > l.newest
}

// noted forgets the retentions seen before take, which the note covers now.
func (l *leastRetention) noted(w *retentionWalk) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.seen, l.newest = w.least, w.number
	l.until = time.Time{}
	l.epoch++
}

// LeastRetention returns the least retention of all hosted domains and of all live accounts, within the
// bounds of the domains; without an end: all messages stay for ever. LeastRetention never exceeds the retention of an account, as far
// as this process can know:
//
//   - The domains, and the note that a walk has left in the store, are read once in Config.CacheTTL. So
//     a server that has just started need not read all accounts.
//   - SetRetention lowers the least in the store before it writes the account.
//   - Accounts that this process has read since the last walk count, too.
//
// Longer retentions, and removed accounts, count after the next walk of this process: each run of the
// expire job is a walk. The same holds for a shorter retention that this process missed: two processes
// changed the note at the same moment, a process of an older release made the change, or the change
// has not arrived from its datacenter yet.
//
// A call takes leastWait at most. Callers share a read, and also its failure.
//
// Errors: ErrRetentionsUnknown before the end of the first walk over this store; the store's.
func (d *Directory) LeastRetention(ctx context.Context) (mail.Retention, error) {
	l := &d.least
	wait, cancel := context.WithTimeout(ctx, leastWait)
	defer cancel()
	if err := l.turn.LockUntil(wait); err != nil {
		return 0, fmt.Errorf("account: wait for the least retention: %w: %w", store.ErrUnavailable, err)
	}
	defer l.turn.Unlock()
	for {
		now := d.cfg.Now()
		read, epoch, fresh := l.cached(now, d.cfg.CacheTTL)
		if !fresh {
			err := l.failed(now)
			if err != nil {
				return 0, err
			}
			if read, err = d.readLeast(wait); err != nil {
				if ctx.Err() == nil { // otherwise this caller gave up
					l.fail(err, d.cfg.Now())
				}
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

// readLeast reads the note and the domains.
func (d *Directory) readLeast(ctx context.Context) (r leastRead, err error) {
	text, err := d.readLeastNote(ctx)
	if err != nil {
		return r, err
	}
	if r.note, r.known = parseLeast(text); !r.known {
		return r, nil
	}
	domains, err := d.ListDomains(ctx)
	if err != nil {
		return r, err
	}
	known := map[Keeping]bool{}
	for _, domain := range domains {
		if k := d.Keeping(domain); !known[k] {
			known[k] = true
			r.domains = append(r.domains, k)
		}
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

func (d *Directory) writeLeastNote(ctx context.Context, retention mail.Retention) error {
	if err := d.store.Local.SetProgress(ctx, leastNote, formatLeast(retention)); err != nil {
		return fmt.Errorf("account: note the least retention: %w", err)
	}
	return nil
}

func formatLeast(retention mail.Retention) string {
	return strconv.FormatInt(retention.Microseconds(), 10)
}

// parseLeast undoes formatLeast. ok is false if the text has a different form.
func parseLeast(text string) (retention mail.Retention, ok bool) {
	const most = int64(1<<63-1) / int64(time.Microsecond)
	micros, err := strconv.ParseInt(text, 10, 64)
	if err != nil || micros < 0 || micros > most {
		return 0, false
	}
	return mail.RetentionMicroseconds(micros), true
}
