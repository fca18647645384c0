package account

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// withPenalties calls f with a Directory that hosts alice and bob, in a bubble whose clock is
// the Directory's.
func withPenalties(t *testing.T, cfg Config, f func(t *testing.T, d *Directory)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		own := cheap(newClock())
		cfg.Argon2Memory, cfg.Argon2Time, cfg.DefaultDomain = own.Argon2Memory, own.Argon2Time, own.DefaultDomain
		cfg.Now = time.Now
		d := newDirectory(t, cfg, openStore(t))
		if _, err := d.AddDomain(t.Context(), "example.test"); err != nil {
			t.Fatal(err)
		}
		addAccount(t, d, "alice@example.test", "secret")
		addAccount(t, d, "bob@example.test", "secret")
		f(t, d)
	})
}

// attack tries different wrong passwords from an address for a while, as fast as the answers arrive
// and no refusal holds the next try back.
func attack(t *testing.T, d *Directory, remote, login string, duration time.Duration) {
	t.Helper()
	for end, i := time.Now().Add(duration), 0; time.Now().Before(end); i++ {
		err := d.signInFrom(t.Context(), remote, login, fmt.Sprintf("wrong %d", i))
		switch {
		case errors.Is(err, ErrTooManyFailures):
			time.Sleep(time.Second)
		case !errors.Is(err, ErrBadCredentials):
			t.Fatal(err)
		}
	}
}

// A thousand wrong passwords from one address take hours, and cost a few hashes.
func TestGuessingTakesTime(t *testing.T) {
	for _, test := range []struct {
		name   string
		remote func(i int) string
	}{
		{"address", func(int) string { return "192.0.2.7" }},
		{"IPv6 /64", func(i int) string { return fmt.Sprintf("2001:db8::%x", i) }},
	} {
		t.Run(test.name, func(t *testing.T) {
			withPenalties(t, Config{}, func(t *testing.T, d *Directory) {
				hashes := countHashes(d)
				start := time.Now()
				for i := 0; hashes.Load() < 100; i++ {
					login := fmt.Sprintf("user%d", i) // spraying is no way round the penalty
					if err := d.signInFrom(t.Context(), test.remote(i), login, "wrong"); errors.Is(err, ErrTooManyFailures) {
						time.Sleep(time.Second)
					}
				}
				if took := time.Since(start); took < time.Hour {
					t.Errorf("100 guesses took %v", took)
				}
			})
		})
	}
}

// Simultaneous guesses do not slip through before the first has failed.
func TestGuessingAtOnce(t *testing.T) {
	withPenalties(t, Config{MaxWaitingHashes: 1000, MaxConcurrentHashes: 2}, func(t *testing.T, d *Directory) {
		hashes := countHashes(d)
		var wg sync.WaitGroup
		for i := range 500 {
			wg.Go(func() {
				err := d.signInFrom(t.Context(), "192.0.2.7", "alice", fmt.Sprintf("wrong %d", i))
				if !errors.Is(err, ErrTooManyFailures) && !errors.Is(err, ErrBadCredentials) {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if n := hashes.Load(); n > 20 {
			t.Errorf("%d hashes for 500 guesses at one time", n)
		}
	})
}

// A user can log in from the address of a recent login, in spite of attacks on the account or from
// the user's network: at once, and also after the cached password has expired.
func TestNobodyIsLockedOut(t *testing.T) {
	for _, attacker := range []string{"192.0.2.9", "192.0.2.1"} { // the same network, the same address
		withPenalties(t, Config{}, func(t *testing.T, d *Directory) {
			const home = "192.0.2.1"
			wantErr(t, "before", d.signInFrom(t.Context(), home, "alice", "secret"), nil)
			for range 10 {
				attack(t, d, attacker, "alice", 3*time.Minute)
				for _, pause := range []time.Duration{0, 10 * time.Minute} {
					time.Sleep(pause)
					attack(t, d, attacker, "alice", time.Second)
					start := time.Now()
					wantErr(t, "under attack from "+attacker, d.signInFrom(t.Context(), home, "ALICE@example.test", "secret"), nil)
					if took := time.Since(start); took > 0 {
						t.Errorf("a login took %v", took)
					}
				}
			}
		})
	}
}

// Neighbours behind an address with failures are held back, but not for long, and other addresses are
// not.
func TestPenaltyStaysInPlace(t *testing.T) {
	withPenalties(t, Config{}, func(t *testing.T, d *Directory) {
		attack(t, d, "192.0.2.9", "alice", 5*time.Minute)
		wantErr(t, "the same address", d.signInFrom(t.Context(), "192.0.2.9", "bob", "secret"), ErrTooManyFailures)
		wantErr(t, "the same network", d.signInFrom(t.Context(), "192.0.2.8", "bob", "secret"), nil)
		wantErr(t, "another network", d.signInFrom(t.Context(), "198.51.100.1", "alice", "secret"), nil)
		wantErr(t, "the account in the network", d.signInFrom(t.Context(), "192.0.2.8", "alice", "secret"), ErrTooManyFailures)
		time.Sleep(time.Hour)
		start := time.Now()
		wantErr(t, "the same address later", d.signInFrom(t.Context(), "192.0.2.9", "bob", "secret"), nil)
		if took := time.Since(start); took > 0 {
			t.Errorf("an hour later a login waits for %v", took)
		}
	})
}

// Mail programs try several mechanisms, and users mistype: the first failures cost nothing.
func TestMistakesAreFree(t *testing.T) {
	withPenalties(t, Config{}, func(t *testing.T, d *Directory) {
		start := time.Now()
		for i := range 10 {
			wantErr(t, "mistake", d.signInFrom(t.Context(), "192.0.2.7", "alice", fmt.Sprintf("wrong %d", i)), ErrBadCredentials)
		}
		wantErr(t, "right", d.signInFrom(t.Context(), "192.0.2.7", "alice", "secret"), nil)
		if took := time.Since(start); took > 0 {
			t.Errorf("ten mistakes took %v", took)
		}
	})
}

// A mail program with an old password costs neither hashes nor its neighbours' logins.
func TestOldPasswordIsCheap(t *testing.T) {
	withPenalties(t, Config{}, func(t *testing.T, d *Directory) {
		hashes := countHashes(d)
		for range 3 * 60 {
			for range 3 {
				wantErr(t, "old password", d.signInFrom(t.Context(), "192.0.2.7", "alice", "old"), ErrBadCredentials)
				wantErr(t, "nobody", d.signInFrom(t.Context(), "192.0.2.7", "nobody", "old"), ErrBadCredentials)
			}
			time.Sleep(time.Minute)
		}
		if n := hashes.Load(); n != 2 {
			t.Errorf("%d hashes for two passwords", n)
		}
		wantErr(t, "neighbour", d.signInFrom(t.Context(), "192.0.2.7", "bob", "secret"), nil)
		wantErr(t, "set", d.SetPassword(t.Context(), addr(t, "alice@example.test"), "old"), nil)
		wantErr(t, "the password fits now", d.signInFrom(t.Context(), "192.0.2.7", "alice", "old"), nil)
	})
}

// A whole provider's worth of addresses fills no memory and does not get round the penalty.
func TestPenaltyMemoryIsBounded(t *testing.T) {
	withPenalties(t, Config{PenaltyMemory: 1000}, func(t *testing.T, d *Directory) {
		wantErr(t, "user", d.signInFrom(t.Context(), "2001:db8:ffff::1", "alice", "secret"), nil)
		hashes := countHashes(d)
		start := time.Now()
		for i := range 4_000 {
			remote := fmt.Sprintf("2001:db8:%x:%x::1", i, i%7)
			d.signInFrom(t.Context(), remote, fmt.Sprintf("user%d", i), "wrong")
		}
		if n := hashes.Load(); n > 1000 && time.Since(start) < time.Hour {
			t.Errorf("%d hashes in %v for one IPv6 /32", n, time.Since(start))
		}
		p := d.penalties
		for _, n := range []int{len(p.addresses.items), len(p.networks.items), len(p.regions.items), len(p.pairs.items), len(p.logins.items)} {
			if n > 1000 {
				t.Errorf("%d entries are remembered, want 1,000 at most", n)
			}
		}
		wantErr(t, "user", d.signInFrom(t.Context(), "2001:db8:ffff::1", "alice", "secret"), nil)
		wantErr(t, "elsewhere", d.signInFrom(t.Context(), "2001:db9::1", "bob", "secret"), nil)
	})
}

// After a clock went back no penalty lasts longer than usual.
func TestPenaltyWhenTheClockGoesBack(t *testing.T) {
	c := newClock()
	p := newPenalties(cheap(c).withDefaults(), newDirectory(t, cheap(c), openStore(t)).metrics)
	from := at("192.0.2.7")
	for i := range 100 {
		p.failed(from, 1, guess(i+1), c.Now())
	}
	c.advance(-24 * time.Hour)
	wait, _, ok := p.admit(from, 1, false, c.Now())
	if ok || wait > time.Minute+longestHold {
		t.Errorf("wait %v, admitted %v", wait, ok)
	}
	c.advance(time.Hour)
	if _, _, ok := p.admit(from, 1, false, c.Now()); !ok {
		t.Error("held back an hour later")
	}
}

// After a clock went back an account is not known at an address, and an address not suspect, for longer than usual.
func TestKnownWhenTheClockGoesBack(t *testing.T) {
	c := newClock()
	p := newPenalties(cheap(c).withDefaults(), newDirectory(t, cheap(c), openStore(t)).metrics)
	from := at("192.0.2.7")
	p.succeeded(from, 1, 1, c.Now())
	p.leftQueue(from, c.Now())
	c.advance(-30 * 24 * time.Hour)
	for _, want := range []bool{true, false} {
		if _, known := p.lastLogin(from, 1, c.Now()); known != want {
			t.Errorf("known: %v", known)
		}
		if suspect := p.suspect(from, c.Now()); suspect != want {
			t.Errorf("suspect: %v", suspect)
		}
		c.advance(7 * 24 * time.Hour)
	}
}

// Local clients and trusted networks have no penalty; they share the queue.
func TestTrustedNetworksHaveNoPenalty(t *testing.T) {
	cfg := Config{TrustedNetworks: prefixes("203.0.113.0/24", "2001:db8::/32")}
	withPenalties(t, cfg, func(t *testing.T, d *Directory) {
		for i := range 100 {
			for _, remote := range []string{"127.0.0.1", "::1", "203.0.113.5", "2001:db8::1", "::ffff:203.0.113.5"} {
				wantErr(t, remote, d.signInFrom(t.Context(), remote, "alice", fmt.Sprint("wrong", i)), ErrBadCredentials)
			}
		}
	})
	withPenalties(t, Config{PenaltyAfter: -1}, func(t *testing.T, d *Directory) {
		for i := range 100 {
			wantErr(t, "off", d.signInFrom(t.Context(), "192.0.2.7", "alice", fmt.Sprint("wrong", i)), ErrBadCredentials)
		}
	})
}
