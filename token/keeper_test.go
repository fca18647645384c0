package token_test

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"popelago/store"
	"popelago/store/embedded"
	"popelago/store/storetest"
	"popelago/token"
)

// rig is an engine with a clock that tests move.
type rig struct {
	engine store.Engine
	mu     sync.Mutex
	now    time.Time
}

func newRig(t *testing.T) *rig {
	t.Helper()
	engine, err := embedded.Open(embedded.Config{Dir: "data", FS: vfs.NewMem(), Reserve: -1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := engine.Close(); err != nil {
			t.Error(err)
		}
	})
	return &rig{engine: engine, now: time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)}
}

func (r *rig) Now() time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.now
}

func (r *rig) pass(d time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.now = r.now.Add(d)
}

// keeper makes the keeper of one server on the store.
func (r *rig) keeper(t *testing.T, st store.Store, change func(*token.Config)) *token.Keeper {
	t.Helper()
	cfg := token.Config{Now: r.Now}
	if change != nil {
		change(&cfg)
	}
	k, err := token.New(cfg, st.Directory, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(k.Close)
	return k
}

func add(t *testing.T, k *token.Keeper, by token.Caller, role string, lifetime time.Duration, scopes ...string) (store.Token, string) {
	t.Helper()
	rights, err := token.ParseRights(role, scopes)
	if err != nil {
		t.Fatal(err)
	}
	made, secret, err := k.Add(t.Context(), by, token.Order{Rights: rights, Lifetime: lifetime})
	if err != nil {
		t.Fatal(err)
	}
	return made, secret
}

// foreign returns the secret of a token of another store.
func foreign(t *testing.T) string {
	t.Helper()
	r := newRig(t)
	_, secret := add(t, r.keeper(t, store.Single(r.engine), nil), token.Local(), "admin", 0, "all")
	return secret
}

// check returns the error of Check.
func check(k *token.Keeper, secret string) error {
	_, err := k.Check(context.Background(), secret, netip.Addr{})
	return err
}

func wantError(t *testing.T, what string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%s: %v, want %v", what, err, want)
	}
}

// arc is a store in which some tokens cannot be read.
type arc struct {
	store.Directory
	lost map[string]bool
}

func (s arc) ListTokens(ctx context.Context) ([]store.Token, error) {
	all, err := s.Directory.ListTokens(ctx)
	n := len(all)
	all = slices.DeleteFunc(all, func(t store.Token) bool { return s.lost[t.ID] })
	if err == nil && len(all) < n {
		err = store.ErrUnavailable
	}
	return all, err
}

// newTornRig returns a rig, and its store without the tokens in lost.
func newTornRig(t *testing.T) (r *rig, st store.Store, lost map[string]bool) {
	t.Helper()
	r, lost = newRig(t), map[string]bool{}
	st = store.Single(r.engine)
	st.Directory.Local = arc{st.Directory.Local, lost}
	return r, st, lost
}

// A large cluster that has lost a part of the ring knows the tokens of the other parts, also after the restart of a server.
// Revocations count within CacheTTL.
func TestPartOfTheTokens(t *testing.T) {
	r, st, lost := newTornRig(t)
	k, sound := r.keeper(t, st, nil), r.keeper(t, store.Single(r.engine), nil)
	made, secret := add(t, sound, token.Local(), "operator", 0, "domain:a.test")
	other, otherSecret := add(t, sound, token.Local(), "operator", 0, "domain:a.test")
	wantError(t, "before", check(k, secret), nil)
	lost[other.ID] = true
	wantError(t, "a known token counts for a while", check(k, otherSecret), nil)
	r.pass(time.Hour)
	restarted := r.keeper(t, st, nil)
	for name, k := range map[string]*token.Keeper{"running": k, "restarted": restarted} {
		for range 2 {
			wantError(t, name, check(k, secret), nil)
			wantError(t, name+", a lost token", check(k, otherSecret), store.ErrUnavailable)
			wantError(t, name+", a wrong token", check(k, foreign(t)), store.ErrUnavailable)
		}
	}
	if _, _, err := sound.Revoke(t.Context(), token.Local(), made.ID, false); err != nil {
		t.Fatal(err)
	}
	r.pass(time.Minute)
	for name, k := range map[string]*token.Keeper{"running": k, "restarted": restarted} {
		wantError(t, name+", revoked", check(k, secret), token.ErrRevoked)
	}
	delete(lost, other.ID)
	r.pass(time.Minute)
	wantError(t, "after", check(k, otherSecret), nil)
}

// A revocation that can be read counts at once, also while the copy of all tokens counts for the tokens that cannot be read.
func TestRevocationInAPart(t *testing.T) {
	r, st, lost := newTornRig(t)
	k, sound := r.keeper(t, st, nil), r.keeper(t, store.Single(r.engine), nil)
	made, secret := add(t, sound, token.Local(), "operator", 0, "domain:a.test")
	other, otherSecret := add(t, sound, token.Local(), "operator", 0, "domain:a.test")
	wantError(t, "before", check(k, secret), nil)
	lost[other.ID] = true
	if _, _, err := sound.Revoke(t.Context(), token.Local(), made.ID, false); err != nil {
		t.Fatal(err)
	}
	r.pass(10 * time.Second)
	for range 2 { // read, and from memory
		wantError(t, "revoked", check(k, secret), token.ErrRevoked)
		wantError(t, "a lost token", check(k, otherSecret), nil)
	}
}

// A token that is accepted while a part of the tokens cannot be read can be revoked.
func TestRevokeInAPart(t *testing.T) {
	r, st, lost := newTornRig(t)
	k := r.keeper(t, st, nil)
	made, secret := add(t, k, token.Local(), "operator", 0, "domain:a.test")
	second, secondSecret := add(t, k, token.Local(), "operator", 0, "domain:a.test")
	other, _ := add(t, k, token.Local(), "operator", 0, "domain:a.test")
	lost[other.ID] = true
	r.pass(time.Hour)
	wantError(t, "before", check(k, secret), nil)
	_, _, err := k.Revoke(t.Context(), token.Local(), made.ID, false)
	wantError(t, "Revoke", err, nil)
	wantError(t, "revoked", check(k, secret), token.ErrRevoked)
	_, _, err = k.Revoke(t.Context(), token.Local(), second.ID, true) // it may have made a lost token
	wantError(t, "Revoke with the tokens that it made", err, store.ErrUnavailable)
	wantError(t, "revoked with an error", check(k, secondSecret), token.ErrRevoked)
	_, _, err = k.Revoke(t.Context(), token.Local(), other.ID, false)
	wantError(t, "Revoke of a lost token", err, store.ErrUnavailable)
}

// A token made on one server is accepted on the other at once, and a revoked token is refused there
// within CacheTTL.
func TestTwoServers(t *testing.T) {
	r := newRig(t)
	one, other := r.keeper(t, store.Single(r.engine), nil), r.keeper(t, store.Single(r.engine), nil)
	wantError(t, "a secret of somewhere else", check(other, foreign(t)), token.ErrUnknown)
	made, secret := add(t, one, token.Local(), "operator", 0, "domain:a.test")
	for _, k := range []*token.Keeper{one, other} {
		c, err := k.Check(t.Context(), secret, netip.Addr{})
		if err != nil || c.ID != made.ID || c.Role != token.Operator || !c.Reaches("a.test") || c.Reaches("b.test") {
			t.Errorf("%+v, %v", c, err)
		}
	}
	ids, everywhere, err := one.Revoke(t.Context(), token.Local(), made.ID, false)
	if err != nil || !everywhere || len(ids) != 1 {
		t.Fatalf("Revoke: %v, %v, %v", ids, everywhere, err)
	}
	wantError(t, "here", check(one, secret), token.ErrRevoked)
	r.pass(token.DefaultConfig().CacheTTL - 1)
	if err := check(other, secret); err != nil {
		t.Errorf("within the lifetime of the copy: %v", err)
	}
	r.pass(1)
	wantError(t, "there", check(other, secret), token.ErrRevoked)
	r.pass(-time.Hour) // the clock goes back
	wantError(t, "there, with an earlier clock", check(other, secret), token.ErrRevoked)
	if _, _, err := other.Revoke(t.Context(), token.Local(), made.ID, true); err != nil {
		t.Errorf("revoked again: %v", err)
	}
	_, _, err = other.Revoke(t.Context(), token.Local(), "unknown", false)
	wantError(t, "revoke an unknown token", err, token.ErrNoSuchToken)
}

// While the store cannot be read, a known token counts for Stale, then no token does; an unknown token
// is never called unknown.
func TestStorageTrouble(t *testing.T) {
	r := newRig(t)
	fault := &storetest.Fault{Lasting: true, Operation: "ListTokens"}
	fault.Off.Store(true)
	st := storetest.Faulty(store.Single(r.engine), fault)
	k := r.keeper(t, st, nil)
	_, secret := add(t, k, token.Local(), "admin", 0, "all")
	unknown := foreign(t)
	if err := check(k, secret); err != nil {
		t.Fatal(err)
	}
	fault.Off.Store(false)
	wantError(t, "unknown, copy fresh", check(k, unknown), store.ErrUnavailable)
	r.pass(token.DefaultConfig().CacheTTL)
	wantError(t, "unknown, copy old", check(k, unknown), store.ErrUnavailable)
	for range 2 {
		if err := check(k, secret); err != nil {
			t.Errorf("known, copy old: %v", err)
		}
	}
	wantError(t, "malformed", check(k, "popelago_x"), token.ErrMalformed)
	r.pass(token.DefaultConfig().Stale - 1)
	if err := check(k, secret); err != nil {
		t.Errorf("known, at the end of the allowance: %v", err)
	}
	r.pass(1)
	wantError(t, "known, after the allowance", check(k, secret), store.ErrUnavailable)
	wantError(t, "unknown, after the allowance", check(k, unknown), store.ErrUnavailable)
	fault.Off.Store(true)
	if err := check(k, secret); err != nil {
		t.Errorf("known, after the trouble: %v", err)
	}
	wantError(t, "unknown, after the trouble", check(k, unknown), token.ErrUnknown)
}

// A token that lag hides is found in the other datacenters, and an unreachable datacenter is no answer.
func TestElsewhere(t *testing.T) {
	r := newRig(t)
	fault := &storetest.Fault{Lasting: true, Operation: "ListTokens"}
	fault.Off.Store(true)
	behind := newRig(t) // the local datacenter, where nothing has arrived
	levels := store.Single(behind.engine)
	levels.Directory.Each, levels.Directory.Several = storetest.Faulty(store.Single(r.engine), fault).Directory.Local, true
	k := r.keeper(t, levels, nil)
	_, secret := add(t, r.keeper(t, store.Single(r.engine), nil), token.Local(), "admin", 0, "all")
	fault.Off.Store(false)
	wantError(t, "cut off", check(k, secret), store.ErrUnavailable)
	fault.Off.Store(true)
	if err := check(k, secret); err != nil {
		t.Errorf("joined again: %v", err)
	}
}

func TestExpiry(t *testing.T) {
	r := newRig(t)
	k := r.keeper(t, store.Single(r.engine), nil)
	made, secret := add(t, k, token.Local(), "admin", time.Hour, "all")
	r.pass(time.Hour - 1)
	if err := check(k, secret); err != nil {
		t.Error(err)
	}
	r.pass(1)
	wantError(t, "expired", check(k, secret), token.ErrExpired)
	if list, err := k.List(t.Context(), token.Local(), false); err != nil || len(list) != 0 {
		t.Errorf("in force: %+v, %v", list, err)
	}
	if list, err := k.List(t.Context(), token.Local(), true); err != nil || len(list) != 1 || list[0].ID != made.ID {
		t.Errorf("all: %+v, %v", list, err)
	}
}

// wrongClock is a directory whose clock is not trusted.
type wrongClock struct{ store.Directory }

func (wrongClock) Clock() error { return store.ErrClock }

// Without a trusted clock an expiry cannot be judged: a fault, and no expired token.
func TestWrongClock(t *testing.T) {
	r := newRig(t)
	k := r.keeper(t, store.Single(r.engine), nil)
	_, mortal := add(t, k, token.Local(), "admin", time.Hour, "all")
	_, immortal := add(t, k, token.Local(), "admin", 0, "all")
	wrong := r.keeper(t, storetest.WithDirectory(store.Single(r.engine), wrongClock{r.engine}), nil)
	r.pass(1000 * time.Hour)
	wantError(t, "with an expiry", check(wrong, mortal), store.ErrClock)
	if err := check(wrong, immortal); err != nil {
		t.Errorf("without an expiry: %v", err)
	}
}

// No token goes beyond the rights or the time of its maker.
func TestWithin(t *testing.T) {
	r := newRig(t)
	k := r.keeper(t, store.Single(r.engine), nil)
	_, secret := add(t, k, token.Local(), "admin", time.Hour, "domain:a.test", "domain:b.test")
	maker, err := k.Check(t.Context(), secret, netip.Addr{})
	if err != nil {
		t.Fatal(err)
	}
	child, childSecret := add(t, k, maker, "admin", time.Hour, "domain:a.test")
	for what, o := range map[string]struct {
		role     string
		scopes   []string
		lifetime time.Duration
	}{
		"everything":      {"read-only", []string{"all"}, time.Minute},
		"another domain":  {"read-only", []string{"domain:a.test", "domain:c.test"}, time.Minute},
		"longer":          {"admin", []string{"domain:a.test"}, time.Hour + time.Microsecond},
		"without any end": {"admin", []string{"domain:a.test"}, 0},
	} {
		rights, err := token.ParseRights(o.role, o.scopes)
		if err != nil {
			t.Fatal(err)
		}
		_, _, err = k.Add(t.Context(), maker, token.Order{Rights: rights, Lifetime: o.lifetime})
		wantError(t, what, err, token.ErrForbidden)
	}
	// Nor does a caller see or revoke a token beyond its own rights.
	others, _ := add(t, k, token.Local(), "read-only", 0, "domain:c.test")
	top, _ := add(t, k, token.Local(), "admin", 0, "all")
	small, err := k.Check(t.Context(), childSecret, netip.Addr{})
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{others.ID, top.ID, maker.ID, "unknown"} {
		_, _, err := k.Revoke(t.Context(), small, id, true)
		wantError(t, "revoke "+id, err, token.ErrNoSuchToken)
		if want := "token " + id + ": no such token"; err != nil && err.Error() != want {
			t.Errorf("the refusal %q differs from %q", err, want)
		}
	}
	if list, err := k.List(t.Context(), small, true); err != nil || len(list) != 1 || list[0].ID != child.ID {
		t.Errorf("seen: %+v, %v", list, err)
	}
	// A revocation may include the tokens that a token made.
	grandchild, grandchildSecret := add(t, k, small, "read-only", time.Minute, "domain:a.test")
	ids, _, err := k.Revoke(t.Context(), token.Local(), maker.ID, true)
	if err != nil || len(ids) != 3 || ids[0] != maker.ID || ids[1] != child.ID || ids[2] != grandchild.ID {
		t.Errorf("Revoke: %v, %v", ids, err)
	}
	for _, s := range []string{secret, childSecret, grandchildSecret} {
		wantError(t, "revoked", check(k, s), token.ErrRevoked)
	}
}

// between is a directory that calls a function before a token is added, or behind a list of tokens, once.
type between struct {
	store.Directory
	add, list func()
}

func (b *between) AddToken(ctx context.Context, t store.Token) error {
	if do := b.add; do != nil {
		b.add = nil
		do()
	}
	return b.Directory.AddToken(ctx, t)
}

func (b *between) ListTokens(ctx context.Context) ([]store.Token, error) {
	tokens, err := b.Directory.ListTokens(ctx)
	if do := b.list; do != nil && len(tokens) > 0 {
		b.list = nil
		do()
	}
	return tokens, err
}

// A token whose revocation comes between the check of the token and the write of another leaves no token in
// force, whichever server revokes it, and also where the revocation has reached another datacenter alone.
func TestRevokedMaker(t *testing.T) {
	for name, several := range map[string]bool{"one datacenter": false, "two datacenters": true} {
		t.Run(name, func(t *testing.T) {
			r, far := newRig(t), newRig(t)
			b := &between{Directory: r.engine}
			st := storetest.WithDirectory(store.Single(r.engine), b)
			if several {
				st.Directory.Each, st.Directory.Several = &both{b, far.engine}, true
			}
			k := r.keeper(t, st, nil)
			_, secret := add(t, k, token.Local(), "admin", 0, "all")
			maker, err := k.Check(t.Context(), secret, netip.Addr{})
			if err != nil {
				t.Fatal(err)
			}
			revoke := store.Tokens(r.engine)
			if several {
				revoke = far.engine
			}
			b.add = func() {
				if err := revoke.RevokeToken(t.Context(), maker.ID, r.Now()); err != nil {
					t.Error(err)
				}
			}
			made, _, err := k.Add(t.Context(), maker, token.Order{Rights: maker.Rights})
			wantError(t, "made after the revocation", err, token.ErrRevoked)
			if list, err := r.engine.ListTokens(t.Context()); err != nil || len(list) != 2 || made.ID != "" {
				t.Errorf("%+v, %+v, %v", made, list, err)
			} else {
				for _, one := range list {
					if one.ID != maker.ID && one.Revoked.IsZero() {
						t.Errorf("in force: %+v", one)
					}
				}
			}
		})
	}
}

// both is the directory of two datacenters: writes reach both, and lists have the tokens of either.
type both struct {
	store.Directory
	far store.Directory
}

func (b *both) AddToken(ctx context.Context, t store.Token) error {
	return errors.Join(b.Directory.AddToken(ctx, t), b.far.AddToken(ctx, t))
}

func (b *both) RevokeToken(ctx context.Context, id string, at time.Time) error {
	return errors.Join(b.Directory.RevokeToken(ctx, id, at), b.far.RevokeToken(ctx, id, at))
}

func (b *both) ListTokens(ctx context.Context) ([]store.Token, error) {
	tokens, err := b.Directory.ListTokens(ctx)
	more, farErr := b.far.ListTokens(ctx)
	for i, t := range tokens {
		for _, other := range more {
			if other.ID == t.ID && t.Revoked.IsZero() {
				tokens[i].Revoked = other.Revoked
			}
		}
	}
	return tokens, errors.Join(err, farErr)
}

// A revocation with the tokens made finds a token that one of these makes meanwhile.
func TestRevokeWhileTokensAreMade(t *testing.T) {
	r := newRig(t)
	b := &between{Directory: r.engine}
	k := r.keeper(t, storetest.WithDirectory(store.Single(r.engine), b), nil)
	top, secret := add(t, k, token.Local(), "admin", 0, "all")
	maker, err := k.Check(t.Context(), secret, netip.Addr{})
	if err != nil {
		t.Fatal(err)
	}
	_, secret = add(t, k, maker, "admin", 0, "all")
	child, err := k.Check(t.Context(), secret, netip.Addr{})
	if err != nil {
		t.Fatal(err)
	}
	other := r.keeper(t, store.Single(r.engine), nil)
	b.list = func() { // the look-up of the token
		b.list = func() { add(t, other, child, "admin", 0, "all") } // the list of the tokens that it made
	}
	ids, _, err := k.Revoke(t.Context(), token.Local(), top.ID, true)
	if err != nil || len(ids) != 3 {
		t.Errorf("%v, %v", ids, err)
	}
	if list, err := k.List(t.Context(), token.Local(), false); err != nil || len(list) != 0 {
		t.Errorf("in force: %+v, %v", list, err)
	}
}

func TestLimits(t *testing.T) {
	r := newRig(t)
	k := r.keeper(t, store.Single(r.engine), func(c *token.Config) { c.MaxTokens = 2 })
	first, secret := add(t, k, token.Local(), "admin", 0, "all")
	add(t, k, token.Local(), "admin", time.Minute, "all")
	more := func() error {
		_, _, err := k.Add(t.Context(), token.Local(), token.Order{Rights: token.Local().Rights})
		return err
	}
	wantError(t, "one too many", more(), token.ErrTooManyTokens)
	r.pass(time.Minute)
	if err := more(); err != nil {
		t.Errorf("after an expiry: %v", err)
	}
	if _, _, err := k.Revoke(t.Context(), token.Local(), first.ID, false); err != nil {
		t.Fatal(err)
	}
	if err := more(); err != nil {
		t.Errorf("after a revocation: %v", err)
	}
	for _, note := range []string{string(make([]byte, 501)), "a\nb", "\xff", "\x00"} {
		_, _, err := k.Add(t.Context(), token.Local(), token.Order{Rights: token.Local().Rights, Note: note})
		wantError(t, "note", err, token.ErrBadRequest)
	}

	// An address has some wrong tokens, then none is looked for; a known token goes through.
	_, known := add(t, r.keeper(t, store.Single(r.engine), nil), token.Local(), "admin", 0, "all")
	if err := check(k, known); err != nil {
		t.Fatal(err)
	}
	from := func(secret, address string) error {
		_, err := k.Check(t.Context(), secret, netip.MustParseAddr(address))
		return err
	}
	most := token.DefaultConfig().WrongTokens
	for range most {
		wantError(t, "malformed", from("x", "192.0.2.1"), token.ErrMalformed)
	}
	wantError(t, "one too many", from("x", "192.0.2.1"), token.ErrTooMany)
	if err := from(known, "192.0.2.1"); err != nil {
		t.Errorf("a known token from the address: %v", err)
	}
	wantError(t, "a revoked token", from(secret, "192.0.2.1"), token.ErrRevoked)
	wantError(t, "elsewhere", from("x", "192.0.2.2"), token.ErrMalformed)
	for range most + 1 {
		wantError(t, "on this machine", from("x", "127.0.0.1"), token.ErrMalformed)
	}
	for i := range most {
		wantError(t, "in a network", from("x", []string{"2001:db8::1", "2001:db8::2"}[i%2]), token.ErrMalformed)
	}
	wantError(t, "in a network", from("x", "2001:db8::3"), token.ErrTooMany)
	r.pass(token.WrongTokenMemory)
	wantError(t, "later", from("x", "192.0.2.1"), token.ErrMalformed)
	wantError(t, "later", from("x", "192.0.2.1"), token.ErrTooMany)
}

// counting counts the notes of uses.
type counting struct {
	store.Directory
	uses atomic.Int64
}

func (c *counting) UseToken(ctx context.Context, id string, at time.Time) error {
	c.uses.Add(1)
	return c.Directory.UseToken(ctx, id, at)
}

// The last use is noted now and then, also where several servers see the token.
func TestUse(t *testing.T) {
	r := newRig(t)
	c := &counting{Directory: r.engine}
	st := storetest.WithDirectory(store.Single(r.engine), c)
	one, other := r.keeper(t, st, nil), r.keeper(t, st, nil)
	_, secret := add(t, one, token.Local(), "admin", 0, "all")
	for range 60 {
		for _, k := range []*token.Keeper{one, other} {
			if err := check(k, secret); err != nil {
				t.Fatal(err)
			}
		}
		r.pass(token.DefaultConfig().UsedEvery / 20)
	}
	one.Close()
	other.Close()
	if n := c.uses.Load(); n < 3 || n > 6 {
		t.Errorf("%d notes in 3 intervals, want 3 to 6", n)
	}
	list, err := r.engine.ListTokens(t.Context())
	if err != nil || len(list) != 1 || r.Now().Sub(list[0].Used) > 2*token.DefaultConfig().UsedEvery {
		t.Errorf("%+v, %v", list, err)
	}
	if err := check(one, secret); err != nil && !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("after Close: %v", err)
	}
}

// A use that a wrong clock noted in the future stays. The uses after it are no write each.
func TestUseByAWrongClock(t *testing.T) {
	r := newRig(t)
	c := &counting{Directory: r.engine}
	k := r.keeper(t, storetest.WithDirectory(store.Single(r.engine), c), nil)
	made, secret := add(t, k, token.Local(), "admin", 0, "all")
	if err := r.engine.UseToken(t.Context(), made.ID, r.Now().AddDate(0, 0, 100)); err != nil {
		t.Fatal(err)
	}
	for range 60 {
		if err := check(k, secret); err != nil {
			t.Fatal(err)
		}
		r.pass(token.DefaultConfig().UsedEvery / 20)
	}
	k.Close()
	if n := c.uses.Load(); n < 3 || n > 4 {
		t.Errorf("%d notes in 3 intervals, want 3 or 4", n)
	}
}

// empty is a directory without tokens, with a gate before each list.
type empty struct {
	store.Directory
	lists atomic.Int64
	gate  chan struct{}
}

func (e *empty) ListTokens(context.Context) ([]store.Token, error) {
	e.lists.Add(1)
	<-e.gate
	return nil, nil
}

// Wrong tokens cost one read at a time, however many come at once.
func TestReadsAreShared(t *testing.T) {
	secret := foreign(t)
	synctest.Test(t, func(t *testing.T) {
		e := &empty{gate: make(chan struct{})}
		k, err := token.New(token.Config{}, store.OneLevel[store.Directory](e), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer k.Close()
		var wg sync.WaitGroup
		for range 100 {
			wg.Go(func() { wantError(t, "unknown", check(k, secret), token.ErrUnknown) })
		}
		synctest.Wait()
		close(e.gate)
		wg.Wait()
		if n := e.lists.Load(); n > 2 {
			t.Errorf("%d reads for 100 tokens at once", n)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		time.Sleep(time.Hour) // the copy is old
		_, err = k.Check(ctx, secret, netip.Addr{})
		if err != nil && !errors.Is(err, store.ErrUnavailable) && !errors.Is(err, token.ErrUnknown) {
			t.Errorf("without a client: %v", err)
		}
	})
}
