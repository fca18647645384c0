package account

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"runtime"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"popelago/mail"
	"popelago/mailtest"
)

func newTestQueue(t *testing.T, hashes, places int) *queue {
	t.Helper()
	m, err := newMetrics(nil)
	if err != nil {
		t.Fatal(err)
	}
	return newQueue(hashes, places, m)
}

func at(address string) client { return clientAt(netip.MustParseAddr(address)) }

// hold takes all turns of q and returns a function that gives back one turn.
func hold(t *testing.T, q *queue) (release func()) {
	t.Helper()
	for range q.hashes {
		if _, err := q.turn(t.Context(), seat{}); err != nil {
			t.Fatal(err)
		}
	}
	return q.leave
}

// wait starts a login that waits in q, and returns its outcome: nil once the login has its turn, and
// keeps the turn.
func wait(ctx context.Context, q *queue, s seat) <-chan error {
	got := make(chan error, 1)
	go func() {
		_, err := q.turn(ctx, s)
		got <- err
	}()
	synctest.Wait()
	return got
}

// Logins from a single place that fill the queue do not keep other logins from their turn.
func TestHashQueueIsFair(t *testing.T) {
	for _, test := range []struct {
		name   string
		crowd  func(i int) string
		single string
	}{
		{"IPv4 address", func(int) string { return "192.0.2.1" }, "192.0.2.2"},
		{"IPv4 network", func(i int) string { return fmt.Sprintf("192.0.2.%d", i) }, "198.51.100.1"},
		{"IPv6 address", func(i int) string { return fmt.Sprintf("2001:db8:0:1::%x", i) }, "2001:db8:0:2::1"},
		{"IPv6 network", func(i int) string { return fmt.Sprintf("2001:db8:1:%x::1", i) }, "2001:db8:2::1"},
		{"IPv4 in IPv6", func(i int) string { return fmt.Sprintf("::ffff:192.0.2.%d", i) }, "::ffff:198.51.100.1"},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				q := newTestQueue(t, 1, 64)
				release := hold(t, q)
				ctx, stop := context.WithCancel(t.Context())
				for i := range 100 {
					wait(ctx, q, seat{from: at(test.crowd(i)), class: classClean})
				}
				single := wait(ctx, q, seat{from: at(test.single), class: classClean})
				if q.waiting != 64 {
					t.Errorf("%d logins wait, want 64", q.waiting)
				}
				for range 2 {
					release()
					synctest.Wait()
				}
				select {
				case err := <-single:
					if err != nil {
						t.Error(err)
					}
				default:
					t.Error("two logins of a crowd were served, and not the single login from elsewhere")
				}
				stop()
				synctest.Wait()
				if q.waiting != 0 {
					t.Errorf("%d logins wait after all clients have hung up", q.waiting)
				}
			})
		})
	}
}

// A full queue answers at once, and drops logins with less of a claim.
func TestHashQueueIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newTestQueue(t, 1, 3)
		hold(t, q)
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		crowd, other := at("192.0.2.1"), at("198.51.100.1")
		var first []<-chan error
		for range 3 {
			first = append(first, wait(ctx, q, seat{from: crowd, class: classSuspect}))
		}
		over := wait(ctx, q, seat{from: crowd, class: classSuspect})
		if err := <-over; !errors.Is(err, ErrBusy) {
			t.Errorf("a login above the limit: %v, want ErrBusy", err)
		}
		fair := wait(ctx, q, seat{from: other, class: classSuspect})
		if err := <-first[2]; !errors.Is(err, ErrBusy) {
			t.Errorf("the newest of the crowd: %v, want ErrBusy", err)
		}
		clean := wait(ctx, q, seat{from: crowd, class: classClean})
		if err := <-first[1]; !errors.Is(err, ErrBusy) {
			t.Errorf("an address with failures: %v, want ErrBusy", err)
		}
		known := wait(ctx, q, seat{from: other, class: classKnown})
		again := wait(ctx, q, seat{from: other, class: classKnown})
		again2 := wait(ctx, q, seat{from: other, class: classKnown})
		if err := <-wait(ctx, q, seat{from: other, class: classKnown}); !errors.Is(err, ErrBusy) {
			t.Errorf("full of known clients: %v, want ErrBusy", err)
		}
		for _, refused := range []<-chan error{fair, clean, first[0]} {
			if err := <-refused; !errors.Is(err, ErrBusy) {
				t.Errorf("an unknown client: %v, want ErrBusy", err)
			}
		}
		for _, served := range []<-chan error{known, again, again2} {
			q.leave()
			if err := <-served; err != nil {
				t.Error(err)
			}
		}
		q.leave()
		if q.hashing != 0 || q.waiting != 0 {
			t.Errorf("%d hash and %d wait at the end", q.hashing, q.waiting)
		}
	})
}

// The lower classes wait longer, but not without end.
func TestHashQueueStarvesNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newTestQueue(t, 1, 100)
		release := hold(t, q)
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		suspect := wait(ctx, q, seat{from: at("192.0.2.1"), class: classSuspect})
		for range 50 {
			wait(ctx, q, seat{from: at("198.51.100.1"), class: classKnown})
		}
		for range lowestEvery {
			release()
			synctest.Wait()
		}
		if len(suspect) != 1 {
			t.Errorf("%d turns went to the known clients alone", lowestEvery)
		}
	})
}

// A login of a client that hung up gets no hash.
func TestHashQueueForgetsWhoHangsUp(t *testing.T) {
	d, _ := withDomain(t)
	addAccount(t, d, "alice@example.test", "secret")
	var releases []func()
	for range d.cfg.MaxConcurrentHashes {
		release, err := d.passwords.queue.turn(t.Context(), seat{})
		if err != nil {
			t.Fatal(err)
		}
		releases = append(releases, release)
	}
	hashes := countHashes(d)
	gone := errors.New("gone")
	hangUp := make(chan context.CancelCauseFunc, 1)
	result := make(chan error, 1)
	go func() {
		_, err := d.SignIn(t.Context(), LoginRequest{Name: "alice", Password: "wrong", Waits: func(ctx context.Context) (context.Context, func()) {
			ctx, cancel := context.WithCancelCause(ctx)
			hangUp <- cancel
			return ctx, func() { cancel(nil) }
		}})
		result <- err
	}()
	(<-hangUp)(gone)
	wantErr(t, "hung up", <-result, gone)
	for _, release := range releases {
		release()
	}
	if n := hashes.Load(); n != 0 {
		t.Errorf("%d hashes for a client that hung up", n)
	}
	_, err := d.Authenticate(t.Context(), "alice", "secret")
	wantErr(t, "afterwards", err, nil)
}

// A client that hung up during a wait is last the next time.
func TestWhoHangsUpGoesLast(t *testing.T) {
	withPenalties(t, Config{MaxConcurrentHashes: 1}, func(t *testing.T, d *Directory) {
		hold(t, d.passwords.queue)
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			synctest.Wait()
			cancel()
		}()
		_, err := d.SignIn(ctx, LoginRequest{Name: "alice", Password: "secret", Remote: netip.MustParseAddr("192.0.2.1")})
		wantErr(t, "hung up", err, context.Canceled)
		for remote, want := range map[string]class{"192.0.2.1": classSuspect, "192.0.2.2": classClean} {
			if got := d.seat(&attempt{from: at(remote)}).class; got != want {
				t.Errorf("%s: class %d, want %d", remote, got, want)
			}
		}
		d.passwords.queue.leave()
	})
}

// Password hashes leave a processor free.
func TestHashesLeaveAProcessor(t *testing.T) {
	for _, test := range []struct{ processors, threads, want int }{
		{1, 1, 1}, {2, 1, 1}, {4, 1, 3}, {8, 2, 3}, {8, 64, 1},
	} {
		before := runtime.GOMAXPROCS(test.processors)
		got := Config{Argon2Threads: test.threads}.withDefaults().MaxConcurrentHashes
		runtime.GOMAXPROCS(before)
		if got != test.want {
			t.Errorf("%d processors, %d threads: %d hashes at one time, want %d", test.processors, test.threads, got, test.want)
		}
	}
}

// The hashes of an import are neither refused by a queue full of logins nor displaced, and take no places of logins.
func TestFullQueueTakesImports(t *testing.T) {
	q := newTestQueue(t, 1, 2)
	hold(t, q)
	enter := func(s seat) *waiter {
		t.Helper()
		w, err := q.enter(s)
		if err != nil {
			t.Fatal(err)
		}
		return w
	}
	imported := []*waiter{enter(importSeat()), enter(importSeat()), enter(importSeat())}
	for i := range q.places {
		enter(seat{from: at(fmt.Sprintf("192.0.%d.1", i)), class: classClean})
	}
	imported = append(imported, enter(importSeat()))
	if _, err := q.enter(seat{from: at("198.51.100.1"), class: classClean}); !errors.Is(err, ErrBusy) {
		t.Errorf("a login above the limit: %v, want ErrBusy", err)
	}
	enter(seat{from: at("198.51.100.1"), class: classKnown}) // displaces a login
	for i, w := range imported {
		select {
		case err := <-w.ready:
			t.Errorf("hash %d of an import: %v", i, err)
		default:
		}
	}
}

// The hashes of an import wait behind logins of known clients, and are one network among the clean ones.
func TestImportLeavesTurnsToLogins(t *testing.T) {
	d, _ := withDomain(t)
	q := d.passwords.queue
	release := hold(t, q)
	const accounts = 4
	done := make(chan []Imported, 1)
	go func() {
		var wanted []Wanted
		for i := range accounts {
			wanted = append(wanted, Wanted{Address: mail.Address{Local: fmt.Sprintf("user%d", i), Domain: "example.test"}, Password: "secret word"})
		}
		done <- d.Import(context.Background(), wanted, false)
	}()
	mailtest.WaitFor(t, time.Minute, func() error {
		q.mu.Lock()
		defer q.mu.Unlock()
		if q.waiting < accounts {
			return fmt.Errorf("%d hashes wait", q.waiting)
		}
		return nil
	})
	clean, err := q.enter(seat{from: at("192.0.2.1"), class: classClean})
	if err != nil {
		t.Fatal(err)
	}
	trusted, err := q.enter(seat{class: classClean}) // from this machine, or a trusted network
	if err != nil {
		t.Fatal(err)
	}
	known, err := q.enter(seat{from: at("192.0.2.2"), class: classKnown})
	if err != nil {
		t.Fatal(err)
	}
	release()
	select {
	case <-known.ready:
	default:
		t.Fatal("an import goes before a login of a known client")
	}
	q.mu.Lock()
	first := []*waiter{q.next(), q.next(), q.next()}
	q.mu.Unlock()
	if !slices.Contains(first, clean) || !slices.Contains(first, trusted) {
		t.Error("two hashes of an import go before the login of a clean client or of a trusted client")
	}
	for _, w := range first {
		w.ready <- ErrBusy
	}
	for range q.hashes {
		release()
	}
	made := 0
	for _, r := range <-done {
		if r.Outcome == OutcomeMade {
			made++
		} else if !errors.Is(r.Err, ErrBusy) {
			t.Error(r.Err)
		}
	}
	if made != accounts-1 {
		t.Errorf("%d accounts made, want %d", made, accounts-1)
	}
}
