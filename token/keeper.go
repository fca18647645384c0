package token

import (
	"context"
	"fmt"
	"maps"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/time/rate"

	"popelago/store"
)

// Keeper judges and changes the tokens of a store.
type Keeper struct {
	cfg     Config
	store   store.Levels[store.Directory]
	local   *reader
	each    *reader // of every datacenter; nil: there is one datacenter
	wrong   *limiter
	metrics *metrics
	trouble rate.Sometimes // of the log

	work sync.WaitGroup // notes of uses

	mu      sync.Mutex
	copied  *list // nil: none
	part    *list // the last reading that could read a part of the tokens; nil: a later reading read all, or none
	epoch   uint64
	failed  time.Time            // the last failure of reading; zero: none since a success
	used    map[string]time.Time // the last note of a use by this server, by id
	stopped bool
}

// New makes a Keeper and registers its metrics with reg, which may be nil. Close must follow.
func New(cfg Config, st store.Levels[store.Directory], reg prometheus.Registerer) (*Keeper, error) {
	cfg = cfg.withDefaults()
	m, err := newMetrics(reg)
	if err != nil {
		return nil, fmt.Errorf("token: metrics: %w", err)
	}
	k := &Keeper{
		cfg: cfg, store: st, wrong: newLimiter(cfg), metrics: m, used: map[string]time.Time{},
		trouble: rate.Sometimes{First: 1, Interval: time.Minute},
	}
	k.local = &reader{load: func(ctx context.Context) (*list, error) { return k.load(ctx, st.Local) }}
	if st.Several {
		k.each = &reader{load: func(ctx context.Context) (*list, error) { return k.load(ctx, st.Each) }}
	}
	return k, nil
}

// Close waits for the reads and the notes in flight. Later checks fail with store.ErrClosed.
func (k *Keeper) Close() {
	k.mu.Lock()
	k.stopped = true
	k.mu.Unlock()
	k.work.Wait()
	k.local.close()
	if k.each != nil {
		k.each.close()
	}
}

// list is a copy of all tokens.
type list struct {
	byHash map[[32]byte]store.Token
	// asked is a moment before the read began.
	asked time.Time
}

// revokedBy returns the list with the revocations of some tokens that were read later, and the age of the list; nil for nil.
func (l *list) revokedBy(tokens []store.Token) *list {
	if l == nil {
		return nil
	}
	newer := &list{byHash: maps.Clone(l.byHash), asked: l.asked}
	for _, t := range tokens {
		if !t.Revoked.IsZero() {
			newer.byHash[t.Hash] = t
		}
	}
	return newer
}

// load reads all tokens, and keeps them as the copy unless a token has changed meanwhile. Beside an error the list has
// the tokens that can be read, and the copy gets their revocations; nil: none.
func (k *Keeper) load(ctx context.Context, st store.Tokens) (*list, error) {
	l := &list{asked: k.cfg.Now()}
	k.mu.Lock()
	epoch := k.epoch
	k.mu.Unlock()
	tokens, err := st.ListTokens(ctx)
	k.mu.Lock()
	defer k.mu.Unlock()
	l.byHash = make(map[[32]byte]store.Token, len(tokens))
	for _, t := range tokens {
		l.byHash[t.Hash] = t
	}
	if err != nil {
		k.failed, k.part = k.cfg.Now(), nil
		if len(tokens) > 0 && epoch == k.epoch {
			k.part, k.copied = l, k.copied.revokedBy(tokens)
		}
		return k.part, fmt.Errorf("token: read the tokens: %w", err)
	}
	k.failed, k.part = time.Time{}, nil
	if epoch == k.epoch {
		k.copied = l
		k.forgetUsesLocked(tokens)
	}
	return l, nil
}

// changed makes the next check read the tokens. Every change calls it, also a change with an unknown
// outcome.
func (k *Keeper) changed() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.epoch++
	k.copied, k.part = nil, nil
}

// retryEvery is the pause between two tries to read the tokens for checks that the copy can answer.
const retryEvery = time.Second

// current returns the copy of the tokens, read again if the copy is too old. fresh reports that the
// read began after the call. Beside an error the list has the tokens that can be read; nil: none.
func (k *Keeper) current(ctx context.Context) (l *list, fresh bool, err error) {
	k.mu.Lock()
	l, part, failed := k.copied, k.part, k.failed
	k.mu.Unlock()
	now := k.cfg.Now()
	younger := func(limit time.Duration) bool { return l != nil && passed(l.asked, now) < limit }
	stale := k.cfg.CacheTTL + max(k.cfg.Stale, 0)
	if younger(k.cfg.CacheTTL) || younger(stale) && !failed.IsZero() && passed(failed, now) < retryEvery {
		return l, false, nil
	}
	if !younger(stale) && part != nil && passed(part.asked, now) < k.cfg.CacheTTL {
		return part, false, errPart
	}
	read, err := k.local.read(ctx)
	if err == nil {
		return read, true, nil
	}
	k.mu.Lock()
	l = k.copied // perhaps with revocations of the read
	k.mu.Unlock()
	if younger(stale) {
		k.trouble.Do(func() {
			k.cfg.Logger.Warn("the tokens cannot be read: known tokens count for a while", "for", stale-passed(l.asked, now), "cause", err)
		})
		return l, false, nil
	}
	return read, false, err
}

// errPart: a part of the tokens could not be read a moment ago.
var errPart = fmt.Errorf("token: read the tokens: %w: a part of the store could not be read a moment ago", store.ErrUnavailable)

// passed returns the time between two moments. A clock that went back makes it very long, so that
// nothing counts for longer than meant.
func passed(from, to time.Time) time.Duration {
	wall := to.Round(0).Sub(from.Round(0))
	if wall < 0 {
		return 1<<63 - 1
	}
	return max(wall, to.Sub(from))
}
