package visit_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"popelago/mail"
	"popelago/store"
	"popelago/visit"
)

// notes is a store that records notes. While held, notes wait.
type notes struct {
	store.Engine
	hold chan struct{} // closed: notes do not wait
	err  error

	mu        sync.Mutex
	logins    []mail.MailboxID
	retrieved []mail.MessageID
}

func (n *notes) NoteLogin(ctx context.Context, mailbox mail.MailboxID, _ time.Time) error {
	return n.wait(ctx, func() { n.logins = append(n.logins, mailbox) })
}

func (n *notes) NoteRetrieved(ctx context.Context, _ mail.MailboxID, ids []mail.MessageID, _ time.Time, _ time.Duration) error {
	return n.wait(ctx, func() { n.retrieved = append(n.retrieved, ids...) })
}

func (n *notes) wait(ctx context.Context, note func()) error {
	select {
	case <-n.hold:
	case <-ctx.Done():
		return ctx.Err()
	}
	if n.err != nil {
		return n.err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	note()
	return nil
}

func free() chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}

func start(t *testing.T, cfg visit.Config, n *notes) (*visit.Keeper, *prometheus.Registry) {
	t.Helper()
	reg := prometheus.NewRegistry()
	k, err := visit.New(cfg, store.Store{Mail: store.OneLevel[store.Mail](n), Directory: store.OneLevel[store.Directory](n)}, reg)
	if err != nil {
		t.Fatal(err)
	}
	return k, reg
}

func box(local string) mail.MailboxID {
	return mail.DeriveMailboxID(mail.Address{Local: local, Domain: "example.test"}, mail.MessageID{})
}

// An account is noted at most once in a while; another account, a later login, and a clock set back count.
func TestLogins(t *testing.T) {
	now := time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)
	n := &notes{hold: free()}
	k, _ := start(t, visit.Config{Writers: 1, Now: func() time.Time { return now }}, n)
	a, b := box("alice"), box("bob")
	for _, step := range []struct {
		mailbox mail.MailboxID
		passed  time.Duration
	}{{a, 0}, {a, time.Minute}, {b, 0}, {a, 58 * time.Minute}, {a, time.Minute}, {b, -3 * time.Hour}, {b, 0}} {
		now = now.Add(step.passed)
		k.LoggedIn(step.mailbox)
	}
	k.Close(t.Context())
	if want := []mail.MailboxID{a, b, a, b}; !slices.Equal(n.logins, want) {
		t.Errorf("%d notes, want %d", len(n.logins), len(want))
	}
	k.LoggedIn(box("carol")) // after Close: nothing happens
}

func TestLoginsOff(t *testing.T) {
	n := &notes{hold: free()}
	k, _ := start(t, visit.Config{LoginEvery: -1}, n)
	k.LoggedIn(box("alice"))
	k.Retrieved(box("alice"), []mail.MessageID{{1}}, time.Hour)
	k.Close(t.Context())
	if len(n.logins) != 0 || len(n.retrieved) != 1 {
		t.Errorf("%d logins, %d retrievals", len(n.logins), len(n.retrieved))
	}
}

// No visit waits for a slow store, and notes beyond the limit are dropped and counted.
func TestSlowStore(t *testing.T) {
	n := &notes{hold: make(chan struct{})}
	k, reg := start(t, visit.Config{Waiting: 10, Writers: 1, Timeout: time.Hour}, n)
	ids := mail.NewIDSource(nil)
	visits := 0
	for range 50 {
		k.Retrieved(box("alice"), []mail.MessageID{ids.Next(), ids.Next(), ids.Next()}, time.Hour)
		visits++
	}
	close(n.hold)
	k.Close(t.Context())
	// One visit may have been with the writer already.
	if len(n.retrieved) < 9 || len(n.retrieved) > 12 {
		t.Errorf("%d of %d retrievals were noted", len(n.retrieved), 3*visits)
	}
	if got := sum(t, reg, "written") + sum(t, reg, "dropped"); got != float64(3*visits) {
		t.Errorf("%v notes are counted, want %d", got, 3*visits)
	}
}

// Close gives up at the end of its time; a failed login is noted again.
func TestClose(t *testing.T) {
	n := &notes{hold: make(chan struct{})}
	k, reg := start(t, visit.Config{}, n)
	k.LoggedIn(box("alice"))
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	k.Close(gone)
	if sum(t, reg, "failed") != 1 {
		t.Errorf("%v failed", sum(t, reg, "failed"))
	}
}

func TestFailedLoginIsNotedAgain(t *testing.T) {
	n := &notes{hold: free(), err: store.ErrUnavailable}
	k, reg := start(t, visit.Config{Writers: 1}, n)
	for range 2 {
		before := sum(t, reg, "failed")
		for sum(t, reg, "failed") == before {
			k.LoggedIn(box("alice")) // again, as soon as the failure is known
		}
	}
	k.Close(t.Context())
}

// sum adds up the notes with a result.
func sum(t *testing.T, reg *prometheus.Registry, result string) (total float64) {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			for _, l := range m.GetLabel() {
				if l.GetName() == "result" && l.GetValue() == result {
					total += m.GetCounter().GetValue()
				}
			}
		}
	}
	return total
}

// A failed note is logged, unless the clock cannot be trusted: the store logs the clock.
func TestLogOfFailedNotes(t *testing.T) {
	for cause, want := range map[error]int{store.ErrUnavailable: 1, store.ErrClock: 0} {
		var log bytes.Buffer
		n := &notes{hold: free(), err: fmt.Errorf("engine: %w", cause)}
		k, reg := start(t, visit.Config{Writers: 1, Logger: slog.New(slog.NewTextHandler(&log, nil))}, n)
		k.LoggedIn(box("alice"))
		k.Close(t.Context())
		if sum(t, reg, "failed") != 1 {
			t.Errorf("%v: %v failed notes are counted, want 1", cause, sum(t, reg, "failed"))
		}
		if got := strings.Count(log.String(), "could not be noted"); got != want {
			t.Errorf("%v: %d lines, want %d: %s", cause, got, want, log.String())
		}
	}
}
