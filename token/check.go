package token

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"popelago/store"
)

// Check returns the caller with a secret. from is the address of the client; the zero value is this
// machine.
//
// Errors: ErrBadToken in its kinds, ErrTooMany, the store's. A token with an expiry needs a trusted
// clock, otherwise Check returns store.ErrClock.
func (k *Keeper) Check(ctx context.Context, secret string, from netip.Addr) (Caller, error) {
	c, err := k.check(ctx, secret, from)
	k.metrics.checks.WithLabelValues(checkResult(err)).Inc()
	return c, err
}

func (k *Keeper) check(ctx context.Context, secret string, from netip.Addr) (Caller, error) {
	hash, err := hashOf(secret)
	if err != nil {
		if !k.wrong.allow(from, k.cfg.Now()) {
			return Caller{}, ErrTooMany
		}
		return Caller{}, err
	}
	t, err := k.find(ctx, hash, from)
	if err != nil {
		return Caller{}, err
	}
	return k.judge(t)
}

// find returns the token with a hash. A token in the copy is found whatever the address has sent
// before: wrong tokens lock no right token out.
func (k *Keeper) find(ctx context.Context, hash [32]byte, from netip.Addr) (store.Token, error) {
	l, fresh, err := k.current(ctx)
	if t, ok := l.find(hash); ok { // also if another part of the tokens cannot be read
		return t, nil
	}
	if err != nil {
		return store.Token{}, err
	}
	if !k.wrong.allow(from, k.cfg.Now()) {
		return store.Token{}, ErrTooMany
	}
	for _, r := range []*reader{k.local, k.each} {
		if r == nil || r == k.local && fresh {
			continue
		}
		l, err = r.read(ctx)
		if t, ok := l.find(hash); ok {
			return t, nil
		}
		if err != nil {
			return store.Token{}, err
		}
	}
	return store.Token{}, ErrUnknown
}

// find returns the token with a hash; none in nil. The comparison takes the same time for every stored hash.
func (l *list) find(hash [32]byte) (store.Token, bool) {
	if l == nil {
		return store.Token{}, false
	}
	t, ok := l.byHash[hash]
	return t, ok && subtle.ConstantTimeCompare(t.Hash[:], hash[:]) == 1
}

// judge returns the caller of a token.
func (k *Keeper) judge(t store.Token) (Caller, error) {
	if !t.Revoked.IsZero() {
		return Caller{}, ErrRevoked
	}
	if !t.Expires.IsZero() {
		if err := k.store.Local.Clock(); err != nil {
			return Caller{}, fmt.Errorf("token: judge the expiry: %w", err)
		}
		if !k.cfg.Now().Before(t.Expires) {
			return Caller{}, ErrExpired
		}
	}
	rights, err := ParseRights(t.Role, t.Scopes)
	if err != nil { // of a later version, perhaps
		return Caller{}, fmt.Errorf("token %s: %w: %v", t.ID, store.ErrCorrupt, err)
	}
	k.noteUse(t)
	return Caller{ID: t.ID, Rights: rights, Expires: t.Expires}, nil
}

// useLimit bounds the time of a note about a use.
const useLimit = 10 * time.Second

// noteUse writes the time of the use of a token, at most once in UsedEvery, without delay for the
// request.
func (k *Keeper) noteUse(t store.Token) {
	now := k.cfg.Now()
	k.mu.Lock()
	defer k.mu.Unlock()
	// A use noted by a clock that was ahead stays the latest: then the last note of this server counts.
	noted := func(at time.Time) bool { return !at.IsZero() && passed(at, now) < k.cfg.UsedEvery }
	if k.stopped || noted(t.Used) || noted(k.used[t.ID]) || k.store.Local.Clock() != nil {
		return
	}
	k.used[t.ID] = now
	k.work.Go(func() {
		ctx, cancel := context.WithTimeout(context.Background(), useLimit)
		defer cancel()
		if err := k.store.Local.UseToken(ctx, t.ID, now); err != nil {
			k.cfg.Logger.Debug("the use of a token could not be noted", "token", t.ID, "cause", err)
		}
	})
}

// forgetUsesLocked bounds the memory of noteUse to the existing tokens.
func (k *Keeper) forgetUsesLocked(tokens []store.Token) {
	kept := make(map[string]time.Time, len(k.used))
	for _, t := range tokens {
		if at, ok := k.used[t.ID]; ok {
			kept[t.ID] = at
		}
	}
	k.used = kept
}

// checkResult returns the label of a check in the metrics.
func checkResult(err error) string {
	switch {
	case err == nil:
		return "ok"
	case errors.Is(err, ErrMalformed):
		return "malformed"
	case errors.Is(err, ErrUnknown):
		return "unknown"
	case errors.Is(err, ErrRevoked):
		return "revoked"
	case errors.Is(err, ErrExpired):
		return "expired"
	case errors.Is(err, ErrTooMany):
		return "limited"
	}
	return "error"
}
