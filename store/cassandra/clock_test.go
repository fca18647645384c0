package cassandra_test

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"
	"github.com/prometheus/client_golang/prometheus"

	"popelago/mail"
	"popelago/mailtest"
	"popelago/store"
	"popelago/store/cassandra"
)

// clocked returns the configuration of a server with a clock and a name of its own.
func clocked(t *testing.T, ahead time.Duration) (cassandra.Config, *mailtest.Clock, *mailtest.Log) {
	t.Helper()
	cfg, clock, log := config(t), &mailtest.Clock{}, &mailtest.Log{}
	clock.Set(ahead)
	cfg.Now, cfg.Server = clock.Now, fmt.Sprint(t.Name(), " ", time.Now().UnixNano())
	cfg.Heartbeat, cfg.MissedBeats = 100*time.Millisecond, slowMachine
	cfg.Logger = slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelInfo}))
	cfg.Registerer = prometheus.NewRegistry()
	return cfg, clock, log
}

// wantClock waits until Clock returns want.
func wantClock(t *testing.T, s store.Engine, want error) {
	t.Helper()
	mailtest.WaitFor(t, 10*time.Minute, func() error {
		if err := s.Clock(); !errors.Is(err, want) {
			return fmt.Errorf("the clock: %w, want %w", err, want)
		}
		return nil
	})
}

// A server whose clock is far off starts, reads and removes, but deletes nothing in the background,
// and resumes by itself when the clock is right.
func TestWrongClock(t *testing.T) {
	for name, ahead := range map[string]time.Duration{"100 days ahead": 100 * 24 * time.Hour, "3 hours behind": -3 * time.Hour} {
		t.Run(name, func(t *testing.T) {
			good := open(t, config(t))
			mb, m, gone := mailbox("clock"), message(10), message(10)
			for _, m := range []mail.Message{m, gone} {
				put(t, good, m.ID, 10, mb)
				add(t, good, mb, m)
			}
			if err := good.RemoveMessages(t.Context(), mb, []mail.MessageID{gone.ID}); err != nil {
				t.Fatal(err)
			}
			if err := good.Close(); err != nil { // the store keeps no share of the work
				t.Fatal(err)
			}

			cfg, clock, log := clocked(t, ahead)
			cfg.FloorEvery = 1
			s := reopen(t, cfg)
			err := s.Clock()
			if !errors.Is(err, store.ErrClock) || !errors.Is(err, store.ErrUnavailable) {
				t.Fatalf("the clock: %v", err)
			}
			direction := map[bool]string{true: "ahead of", false: "behind"}[ahead > 0]
			if !strings.Contains(err.Error(), direction+" the cluster's") || !strings.Contains(log.String(), err.Error()[:20]) {
				t.Errorf("said %v; the log:\n%s", err, log.String())
			}
			if rows, err := list(t.Context(), s, mb); err != nil || len(rows) != 1 {
				t.Errorf("%v, %v", rows, err)
			}
			future := clock.Now().Add(time.Hour)
			_, floors := s.RaiseFloors(t.Context())
			_, sweep := s.Sweep(t.Context(), future)
			_, orphans := s.SweepOrphans(t.Context(), future, future)
			for what, err := range map[string]error{"RaiseFloors": floors, "Sweep": sweep, "SweepOrphans": orphans} {
				if !errors.Is(err, store.ErrClock) {
					t.Errorf("%s: %v", what, err)
				}
			}
			if err := retrieve(t, s, gone.ID, 10); err != nil {
				t.Errorf("content went away: %v", err)
			}
			before := strings.Count(log.String(), "the clock is wrong")
			time.Sleep(3 * cfg.Heartbeat) // heartbeats that must not log the clock again
			if n := strings.Count(log.String(), "the clock is wrong"); n != 1 || before != 1 {
				t.Errorf("said %d times:\n%s", n, log.String())
			}

			clock.Set(0)
			wantClock(t, s, nil)
			mailtest.WaitFor(t, 10*time.Minute, func() error {
				if !strings.Contains(log.String(), "the clock is right") {
					return errors.New(log.String())
				}
				return nil
			})
			if report, err := s.Sweep(t.Context(), time.Now()); err != nil || report.Contents != 1 {
				t.Errorf("Sweep with a good clock: %+v, %v", report, err)
			}
			if rows, err := list(t.Context(), s, mb); err != nil || len(rows) != 1 || rows[0].ID != m.ID {
				t.Errorf("%v, %v", rows, err)
			}
		})
	}
}

// A clock that is some minutes off is logged, but works.
func TestClockDiffers(t *testing.T) {
	cfg, clock, log := clocked(t, 4*time.Minute)
	s := open(t, cfg)
	if err := s.Clock(); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(log.String(), "the clock differs"); n != 1 {
		t.Errorf("said %d times:\n%s", n, log.String())
	}
	mailtest.WaitFor(t, 10*time.Minute, func() error { // a slow answer of the node makes the comparison less exact
		if got := gauge(t, cfg.Registerer, "popelago_cassandra_clock_skew_seconds"); got < 238 || got > 242 {
			return fmt.Errorf("skew %v seconds", got)
		}
		return nil
	})
	if _, err := s.Sweep(t.Context(), clock.Now()); err != nil {
		t.Error(err)
	}
	clock.Set(-4 * time.Minute)
	mailtest.WaitFor(t, 10*time.Minute, func() error {
		if got := gauge(t, cfg.Registerer, "popelago_cassandra_clock_skew_seconds"); got > -238 || got < -242 {
			return fmt.Errorf("skew %v seconds", got)
		}
		return s.Clock()
	})
	if n := strings.Count(log.String(), "the clock "); n != 1 {
		t.Errorf("the kind did not change, but was logged %d times:\n%s", n, log.String())
	}
}

// A clock that is set during a comparison is compared again: no moment of the questions makes it wrong.
func TestClockIsSetDuringComparison(t *testing.T) {
	cfg, clock, log := clocked(t, 4*time.Minute)
	cfg.Heartbeat, cfg.ClockEvery = time.Hour, time.Hour
	var left, ahead atomic.Int64 // left: looks at the clock before it is set
	ahead.Store(int64(4 * time.Minute))
	cfg.Now = func() time.Time {
		if left.Add(-1) == 0 {
			ahead.Store(-ahead.Load())
			clock.Set(time.Duration(ahead.Load()))
		}
		return clock.Now()
	}
	s := open(t, cfg)
	for moment := range int64(12) {
		left.Store(moment + 1)
		if err := s.TrustClock(t.Context()); err != nil {
			t.Errorf("set at moment %d: %v\n%s", moment, err, log.String())
		}
		left.Store(0)
		if err := s.Clock(); err != nil {
			t.Errorf("set at moment %d: %v", moment, err)
		}
	}
}

func gauge(t *testing.T, reg prometheus.Registerer, name string) float64 {
	t.Helper()
	families, err := reg.(*prometheus.Registry).Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == name {
			return f.GetMetric()[0].GetGauge().GetValue()
		}
	}
	t.Fatalf("no metric %s", name)
	return 0
}

// A clock that is set while the server runs is noticed at once, not at the next heartbeat.
func TestClockIsSet(t *testing.T) {
	cfg, clock, _ := clocked(t, 0)
	cfg.Heartbeat = time.Hour
	s := open(t, cfg)
	for _, ahead := range []time.Duration{100 * 24 * time.Hour, -time.Hour, -6 * time.Minute, 6 * time.Minute} {
		clock.Set(ahead)
		if err := s.Clock(); !errors.Is(err, store.ErrClock) {
			t.Errorf("%v ahead: %v", ahead, err)
		}
		clock.Set(0)
		if err := s.Clock(); err != nil {
			t.Errorf("set back: %v", err)
		}
	}
}

// A server stores the time of its newest id: a clock behind this time is wrong, even if the clocks of
// the cluster agree with the clock.
func TestWatermark(t *testing.T) {
	cfg, _, _ := clocked(t, 0)
	s := open(t, cfg)
	cql := session(t, cfg)
	high := func() (at time.Time) {
		var us int64
		if err := cql.Query("SELECT high FROM "+cfg.Keyspace+".watermark WHERE server = ?", cfg.Server).Scan(&us); err == nil {
			at = time.UnixMicro(us)
		}
		return at
	}
	if at := high(); !at.IsZero() {
		t.Fatalf("a server without an id has stored %v", at)
	}
	m := message(1)
	add(t, s, mailbox("a"), m)
	mailtest.WaitFor(t, 10*time.Minute, func() error {
		if at := high(); !at.Equal(m.ID.Time().Truncate(time.Microsecond)) {
			return fmt.Errorf("the watermark is %v, want %v", at, m.ID.Time())
		}
		return nil
	})
	// The time of an id from the future, as a wrong clock made it, is not stored.
	far := mail.Message{ID: mail.MinMessageID(time.Now().Add(1000 * time.Hour)), Size: 1, Recipient: "a@example.test"}
	add(t, s, mailbox("a"), far)
	mailtest.WaitFor(t, 10*time.Minute, func() error {
		if at := high(); at.After(time.Now()) || !at.After(m.ID.Time()) {
			return fmt.Errorf("the watermark is %v", at)
		}
		return nil
	})
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}

	later := time.Now().Add(6 * time.Minute).UnixMicro()
	if err := cql.Query("INSERT INTO "+cfg.Keyspace+".watermark (server, high) VALUES (?, ?) USING TIMESTAMP ?", cfg.Server, later, later).Exec(); err != nil {
		t.Fatal(err)
	}
	name := cfg.Server
	cfg, _, log := clocked(t, 0)
	cfg.Server = name
	s = reopen(t, cfg)
	if err := s.Clock(); !errors.Is(err, store.ErrClock) || !strings.Contains(err.Error(), "behind the newest message id") {
		t.Errorf("the clock: %v", err)
	}
	if !strings.Contains(log.String(), `if_it_is_right="popelago clock trust"`) {
		t.Fatalf("the log says nothing to do:\n%s", log.String())
	}
	if err := s.TrustClock(t.Context()); err != nil || s.Clock() != nil {
		t.Fatalf("after the operator trusted the clock: %v, %v", err, s.Clock())
	}
	// The time is stored again from then on, also by the next start.
	m = message(1)
	add(t, s, mailbox("a"), m)
	mailtest.WaitFor(t, 10*time.Minute, func() error {
		if at := high(); !at.Equal(m.ID.Time().Truncate(time.Microsecond)) {
			return fmt.Errorf("the watermark is %v, want %v", at, m.ID.Time())
		}
		return nil
	})
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	again, clock, _ := clocked(t, 0)
	again.Server = name
	s = reopen(t, again)
	if err := s.Clock(); err != nil {
		t.Error(err)
	}
	// An operator of this server cannot overrule the clocks of the cluster.
	clock.Set(time.Hour)
	wantClock(t, s, store.ErrClock)
	if err := s.TrustClock(t.Context()); !errors.Is(err, store.ErrClock) {
		t.Errorf("a clock that is an hour ahead of the cluster's was trusted: %v", err)
	}
}

// If the nodes of a datacenter have the same wrong clock, because they run on the same machine, the
// other servers reveal it. A single other server may be wrong itself.
func TestClockOfOtherServers(t *testing.T) {
	cfg, _, _ := clocked(t, 0)
	s := open(t, cfg)
	cql := session(t, cfg)
	hour := time.Hour.Microseconds()
	other := func(ahead int64) (gone func()) {
		t.Helper()
		id := gocql.MustRandomUUID()
		err := cql.Query("INSERT INTO "+cfg.Keyspace+".server (datacenter, id, clock) VALUES ('dc1', ?, ?)",
			id, time.Now().UnixMicro()+ahead).Exec()
		if err != nil {
			t.Fatal(err)
		}
		return func() {
			t.Helper()
			if err := cql.Query("DELETE FROM "+cfg.Keyspace+".server WHERE datacenter = 'dc1' AND id = ?", id).Exec(); err != nil {
				t.Fatal(err)
			}
		}
	}
	other(5 * hour)
	mailtest.WaitFor(t, 10*time.Minute, func() error {
		if got := gauge(t, cfg.Registerer, "popelago_cassandra_servers"); got != 2 {
			return fmt.Errorf("%v servers", got)
		}
		return nil
	})
	time.Sleep(3 * cfg.Heartbeat)
	if err := s.Clock(); err != nil {
		t.Errorf("a single other server is wrong: %v", err)
	}
	gone := other(5 * hour)
	wantClock(t, s, store.ErrClock)
	gone() // as if the row had expired: no test may last that long
	wantClock(t, s, nil)
}
