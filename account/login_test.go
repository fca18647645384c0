package account

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"popelago/mail"
	"popelago/store"
)

// countHashes makes d count the password hashes it computes.
func countHashes(d *Directory) *atomic.Int64 {
	var n atomic.Int64
	d.passwords.hashed = func() { n.Add(1) }
	return &n
}

func TestAuthenticate(t *testing.T) {
	d, _ := withDomain(t)
	ctx := t.Context()
	a := addAccount(t, d, "alice@example.test", "secret")
	for _, login := range []string{"alice@example.test", "ALICE@Example.test", "alice", "Alice"} {
		l, err := d.Authenticate(ctx, login, "secret")
		if err != nil || l.Address != a.Address || l.Mailbox != a.Mailbox {
			t.Errorf("%q: %v, %v", login, l, err)
		}
	}
	for _, name := range []string{"kim#7", "a:b", "x#y:995", "a@b", "ünï"} {
		full := mail.Address{Local: name, Domain: "example.test"}
		if _, err := d.AddAccount(ctx, full, "secret"); err != nil {
			t.Errorf("%q: %v", name, err)
			continue
		}
		_, err := d.Authenticate(ctx, full.String(), "secret")
		wantErr(t, full.String(), err, nil)
	}
}

func TestNoDefaultDomain(t *testing.T) {
	cfg := cheap(newClock())
	cfg.DefaultDomain = ""
	d := newDirectory(t, cfg, openStore(t))
	if _, err := d.AddDomain(t.Context(), "example.test"); err != nil {
		t.Fatal(err)
	}
	addAccount(t, d, "alice@example.test", "secret")
	_, err := d.Authenticate(t.Context(), "alice", "secret")
	wantErr(t, "without domain", err, ErrBadCredentials)
}

// Every refusal costs exactly one hash of the same kind and looks the same, so that neither the time
// nor the answer reveals the existing accounts.
func TestRefusalsCostTheSame(t *testing.T) {
	d, c := withDomain(t)
	ctx := t.Context()
	addAccount(t, d, "alice@example.test", "secret")
	addAccount(t, d, "disabled@example.test", "secret")
	wantErr(t, "disable", d.SetState(ctx, addr(t, "disabled@example.test"), store.StateDisabled), nil)
	addAccount(t, d, "removed@example.test", "secret")
	wantErr(t, "remove", d.RemoveAccount(ctx, addr(t, "removed@example.test")), nil)
	kind := store.KindAccount
	err := d.store.Local.ChangeAddress(ctx, addr(t, "nopassword@example.test"), mail.MessageID{}, store.AddressChange{Kind: &kind})
	if err != nil {
		t.Fatal(err)
	}
	hashes := countHashes(d)
	for _, warm := range []bool{false, true} {
		for _, test := range []struct{ name, login, password string }{
			{"wrong password", "alice@example.test", "wrong"},
			{"empty password", "alice@example.test", ""},
			{"huge password", "alice@example.test", strings.Repeat("x", 100_000)},
			{"unknown account", "nobody@example.test", "secret"},
			{"unknown domain", "alice@elsewhere.example", "secret"},
			{"no domain", "nobody", "secret"},
			{"no address", "", "secret"},
			{"bad address", "a b@example.test", "secret"},
			{"bad domain", "alice@not a domain", "secret"},
			{"long address", strings.Repeat("a", 1000) + "@example.test", "secret"},
			{"disabled, wrong password", "disabled@example.test", "wrong"},
			{"removed", "removed@example.test", "secret"},
			{"without password", "nopassword@example.test", ""},
		} {
			t.Run(fmt.Sprintf("%s, warm %v", test.name, warm), func(t *testing.T) {
				if !warm {
					c.advance(time.Hour)
				}
				before := hashes.Load()
				l, err := d.Authenticate(ctx, test.login, test.password)
				if err != ErrBadCredentials || l != (Login{}) {
					t.Errorf("%v, %v; want ErrBadCredentials itself and nothing else", l, err)
				}
				if n := hashes.Load() - before; n != 1 {
					t.Errorf("%d hashes, want 1", n)
				}
			})
		}
	}
}

// The dummy hash costs as much as a hash of ours.
func TestDummyCost(t *testing.T) {
	d := newDirectory(t, Config{Argon2Memory: 128, Argon2Time: 3, Argon2Threads: 2}, openStore(t))
	hash, err := d.passwords.hash(t.Context(), "secret", seat{class: classKnown})
	if err != nil {
		t.Fatal(err)
	}
	cost := func(s string) string { return s[:strings.LastIndex(s[:strings.LastIndex(s, "$")], "$")] }
	if got, want := cost(d.passwords.dummy.Encode()), cost(hash); got != want || !strings.HasPrefix(got, "$argon2id$") {
		t.Errorf("dummy is %s, our hashes are %s", got, want)
	}
	if len(d.passwords.dummy.Encode()) != len(hash) {
		t.Errorf("dummy and hash differ in length: %s, %s", d.passwords.dummy.Encode(), hash)
	}
}

func TestDefaultCost(t *testing.T) {
	d := newDirectory(t, Config{}, openStore(t))
	if got := d.passwords.dummy.Encode(); !strings.HasPrefix(got, "$argon2id$v=19$m=19456,t=2,p=1$") {
		t.Errorf("default hashes are %s", got)
	}
}

func TestDisabled(t *testing.T) {
	d, _ := withDomain(t)
	ctx := t.Context()
	a := addAccount(t, d, "alice@example.test", "secret")
	_, err := d.Authenticate(ctx, "alice", "secret")
	wantErr(t, "before", err, nil)
	wantErr(t, "disable", d.SetState(ctx, a.Address, store.StateDisabled), nil)
	_, err = d.Authenticate(ctx, "alice", "secret")
	wantErr(t, "right password", err, ErrDisabled)
	_, err = d.Authenticate(ctx, "alice", "wrong")
	wantErr(t, "wrong password", err, ErrBadCredentials)
	wantErr(t, "enable", d.SetState(ctx, a.Address, store.StateEnabled), nil)
	_, err = d.Authenticate(ctx, "alice", "secret")
	wantErr(t, "enabled again", err, nil)
}

// A verified password is remembered for a while after its last use, and no longer.
func TestVerifiedPasswordsAreRemembered(t *testing.T) {
	d, c := withDomain(t)
	ctx := t.Context()
	addAccount(t, d, "alice@example.test", "secret")
	hashes := countHashes(d)
	login := func(want int64) {
		t.Helper()
		_, err := d.Authenticate(ctx, "alice", "secret")
		wantErr(t, "login", err, nil)
		if n := hashes.Swap(0); n != want {
			t.Errorf("%d hashes, want %d", n, want)
		}
	}
	login(1)
	login(0)
	for range 10 { // the address cache has expired; each login keeps the password cached
		c.advance(4 * time.Minute)
		login(0)
	}
	c.advance(5 * time.Minute)
	login(1)
	c.advance(-time.Hour) // a clock going back makes nothing last longer
	login(1)
	_, err := d.Authenticate(ctx, "alice", "wrong")
	wantErr(t, "wrong", err, ErrBadCredentials)
	if n := hashes.Swap(0); n != 1 {
		t.Errorf("wrong password: %d hashes, want 1", n)
	}
	login(0)
}

func TestCachesOff(t *testing.T) {
	cfg := cheap(newClock())
	cfg.CacheTTL, cfg.CredentialTTL = -1, -1
	d := newDirectory(t, cfg, openStore(t))
	if _, err := d.AddDomain(t.Context(), "example.test"); err != nil {
		t.Fatal(err)
	}
	addAccount(t, d, "alice@example.test", "secret")
	hashes := countHashes(d)
	for range 3 {
		_, err := d.Authenticate(t.Context(), "alice", "secret")
		wantErr(t, "login", err, nil)
	}
	if n := hashes.Load(); n != 3 {
		t.Errorf("%d hashes, want 3", n)
	}
}

// Changes made through this server take effect at once, in spite of caches.
func TestChangesTakeEffectAtOnce(t *testing.T) {
	d, _ := withDomain(t)
	ctx := t.Context()
	a := addAccount(t, d, "alice@example.test", "first")
	_, err := d.Authenticate(ctx, "alice", "first")
	wantErr(t, "first", err, nil)
	wantErr(t, "set", d.SetPassword(ctx, a.Address, "second"), nil)
	_, err = d.Authenticate(ctx, "alice", "first")
	wantErr(t, "old password", err, ErrBadCredentials)
	_, err = d.Authenticate(ctx, "alice", "second")
	wantErr(t, "new password", err, nil)
	wantErr(t, "remove", d.RemoveAccount(ctx, a.Address), nil)
	_, err = d.Authenticate(ctx, "alice", "second")
	wantErr(t, "removed", err, ErrBadCredentials)
	again := addAccount(t, d, "alice@example.test", "second")
	l, err := d.Authenticate(ctx, "alice", "second")
	if err != nil || l.Mailbox != again.Mailbox {
		t.Errorf("made again: %v, %v; want mailbox %v", l, err, again.Mailbox)
	}
}

// Changes made by another process take effect within CacheTTL if they withdraw a right, and at once
// if they grant a right.
func TestChangesElsewhere(t *testing.T) {
	st := openStore(t)
	c := newClock()
	here, there := newDirectory(t, cheap(c), st), newDirectory(t, cheap(c), st)
	ctx := t.Context()
	if _, err := there.AddDomain(ctx, "example.test"); err != nil {
		t.Fatal(err)
	}
	_, err := here.Resolve(ctx, addr(t, "alice@example.test"))
	wantErr(t, "not yet there", err, ErrNoSuchRecipient)
	a := addAccount(t, there, "alice@example.test", "first")
	_, err = here.Resolve(ctx, a.Address)
	wantErr(t, "added elsewhere", err, nil)
	_, err = here.Authenticate(ctx, "alice", "first")
	wantErr(t, "first", err, nil)

	wantErr(t, "set", there.SetPassword(ctx, a.Address, "second"), nil)
	_, err = here.Authenticate(ctx, "alice", "second")
	wantErr(t, "new password", err, nil)
	_, err = here.Authenticate(ctx, "alice", "first")
	wantErr(t, "old password", err, ErrBadCredentials)

	wantErr(t, "disable", there.SetState(ctx, a.Address, store.StateDisabled), nil)
	c.advance(11 * time.Second)
	_, err = here.Resolve(ctx, a.Address)
	wantErr(t, "disabled elsewhere", err, ErrDisabled)
	_, err = here.Authenticate(ctx, "alice", "second")
	wantErr(t, "disabled elsewhere", err, ErrDisabled)
	wantErr(t, "enable", there.SetState(ctx, a.Address, store.StateEnabled), nil)
	_, err = here.Resolve(ctx, a.Address)
	wantErr(t, "enabled elsewhere", err, nil)
	wantErr(t, "disable", there.SetState(ctx, a.Address, store.StateDisabled), nil)
	c.advance(11 * time.Second)
	_, err = here.Authenticate(ctx, "alice", "second")
	wantErr(t, "disabled elsewhere", err, ErrDisabled)
	wantErr(t, "enable", there.SetState(ctx, a.Address, store.StateEnabled), nil)
	_, err = here.Authenticate(ctx, "alice", "second")
	wantErr(t, "enabled elsewhere", err, nil)

	wantErr(t, "remove", there.RemoveAccount(ctx, a.Address), nil)
	c.advance(11 * time.Second)
	_, err = here.Authenticate(ctx, "alice", "second")
	wantErr(t, "removed elsewhere", err, ErrBadCredentials)
}

// A row read before a change must not be cached after the change.
func TestNoStaleCacheAfterChange(t *testing.T) {
	c := newClock()
	a := addr(t, "alice@example.test")
	cache := newTTLCache[mail.Address, *entry](10, time.Minute)
	epoch := cache.begin()
	cache.forget(a) // the change
	cache.put(a, &entry{}, true, epoch, c.Now())
	if _, ok := cache.get(a, c.Now()); ok {
		t.Error("a row read before the change is cached")
	}
	cache.put(a, &entry{}, true, cache.begin(), c.Now())
	if _, ok := cache.get(a, c.Now()); !ok {
		t.Error("a row read after the change is not cached")
	}
}

func TestOtherHashes(t *testing.T) {
	d, _ := withDomain(t)
	ctx := t.Context()
	a := addAccount(t, d, "alice@example.test", "other")
	// Made with openssl passwd and crypt(3), of "secret".
	for _, hash := range []string{
		"$2b$04$oF3GNqk4XqZaVL/CXd9Kk.vGF1rlZmUCj.MmS9zH3LP/CjnB0a7u.",
		"$5$saltsalt$0IyaXrmV7.sGNS6tirgqHLqX/G.FBvgkYA.lpPdS5sA",
		"$5$rounds=1000$saltsalt$eKLZU9t9OoPWrqOQsoTIKG0aYkZ5rGOoOQhiIvoSWX2",
		"$6$saltsalt$TVLlQcbpFVof5W3Yz4DTP6gRstiNuHwwTt6GLc1E5n0U0aDehy0S5knV8wiOQSpT0Y77vwPZN.Pq.H91p5hVO1",
	} {
		if err := d.change(ctx, a.Address, mail.MessageID{}, store.AddressChange{Password: &hash}); err != nil {
			t.Fatal(err)
		}
		_, err := d.Authenticate(ctx, "alice", "secret")
		wantErr(t, hash, err, nil)
		_, err = d.Authenticate(ctx, "alice", "Secret")
		wantErr(t, hash, err, ErrBadCredentials)
		_, err = d.Authenticate(ctx, "alice", strings.Repeat("secret", 100))
		wantErr(t, hash, err, ErrBadCredentials)
	}
	for _, hash := range []string{"secret", "$1$saltsalt$abc", "$argon2id$", "$plaintext$secret", "{PLAIN}secret", "$argon2i$v=19$m=64,t=1,p=1$c2FsdHNhbHQ$AAAA",
		"$argon2id$v=19$t=2,m=4294967295,p=1$c2FsdHNhbHQ$a2V5a2V5a2V5a2V5"} {
		if err := d.change(ctx, a.Address, mail.MessageID{}, store.AddressChange{Password: &hash}); err != nil {
			t.Fatal(err)
		}
		_, err := d.Authenticate(ctx, "alice", "secret")
		wantErr(t, hash, err, store.ErrCorrupt)
		if err != nil && strings.Contains(err.Error(), hash) {
			t.Errorf("the error tells the hash: %v", err)
		}
	}
}

// Simultaneous sessions of the same user share a hash.
func TestConcurrentLogins(t *testing.T) {
	cfg := cheap(newClock())
	cfg.MaxConcurrentHashes = 2
	d := newDirectory(t, cfg, openStore(t))
	if _, err := d.AddDomain(t.Context(), "example.test"); err != nil {
		t.Fatal(err)
	}
	const users, sessions = 4, 50
	for u := range users {
		addAccount(t, d, fmt.Sprintf("user%d@example.test", u), "secret")
	}
	hashes := countHashes(d)
	var wg sync.WaitGroup
	for u := range users {
		for range sessions {
			wg.Go(func() {
				if _, err := d.Authenticate(context.Background(), fmt.Sprintf("user%d", u), "secret"); err != nil {
					t.Error(err)
				}
			})
		}
	}
	wg.Wait()
	if n := hashes.Load(); n < users || n > 2*users {
		t.Errorf("%d hashes for %d users, want one or two each", n, users)
	}
}
