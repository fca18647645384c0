package cassandra

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"popelago/store"
	"popelago/store/cassandra/driver"
)

// heartbeats is a session to the heartbeats of servers in dc1 and dc2. Partitions without a quorum have an error.
type heartbeats struct {
	driver.Session
	rows   map[string][]serverRow
	errors map[string]error
}

func (s *heartbeats) Execute(_ context.Context, st *driver.Statement) (driver.Rows, error) {
	datacenter := st.Values[0].(string)
	if err := s.errors[datacenter]; err != nil {
		return nil, err
	}
	rows := &listedRows{}
	for _, r := range s.rows[datacenter] {
		rows.list = append(rows.list, func(dest []any) {
			for i, from := range r.columns() {
				switch to := dest[i].(type) {
				case *gocql.UUID:
					*to = *from.(*gocql.UUID)
				case *string:
					*to = *from.(*string)
				case **int64:
					*to = *from.(**int64)
				case **int:
					*to = *from.(**int)
				}
			}
		})
	}
	return rows, nil
}

// lost is the answer of a node that knows that two of three replicas of a partition are down.
var lost = answer(gocql.ErrCodeUnavailable)

// beating returns a server in dc1 beside two others, in dc1 and dc2. beat lets all of them beat, and the server read.
func beating(t *testing.T) (e *engine, s *heartbeats, beat func() error) {
	t.Helper()
	cfg, err := Config{
		Hosts: []string{"127.0.0.1"}, Datacenter: "dc1", SpoolDir: t.TempDir(), Server: "own", Logger: slog.New(slog.DiscardHandler),
	}.withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	e = newEngine(cfg)
	t.Cleanup(e.caches.close)
	s = &heartbeats{rows: map[string][]serverRow{}, errors: map[string]error{}}
	e.link.current.Store(&route{datacenter: "dc1", session: s})
	e.heartbeat.datacenters = []string{"dc1", "dc2"}
	e.clock.last.Store(&clockReading{wall: e.clock.wall(), at: time.Now()})
	peers := map[string]gocql.UUID{"dc1": gocql.MustRandomUUID(), "dc2": gocql.MustRandomUUID()}
	beat = func() error {
		time.Sleep(cfg.Heartbeat)
		now, window, left := micros(time.Now()), cfg.Window.Microseconds(), int(cfg.ttl()/time.Second)
		for datacenter, id := range peers {
			s.rows[datacenter] = []serverRow{{id: id, name: "peer", started: &now, clock: &now, window: &window, left: &left, written: &now}}
		}
		return e.heartbeat.readServers(t.Context())
	}
	return e, s, beat
}

// share counts the pieces of work that fall to a server, of a hundred.
func share(e *engine) (n int) {
	for i := range 100 {
		if e.sweep.Mine(string(rune(i))) {
			n++
		}
	}
	return n
}

// The heartbeats of a datacenter are one partition. While no server can read it, the servers keep their shares of the work
// on mailboxes and events: without shares all of this work would rest. Mail is removed for good only with the heartbeats of
// all datacenters, because they say that the windows agree.
func TestSharesWithoutHeartbeats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, s, beat := beating(t)
		if err := beat(); err != nil {
			t.Fatal(err)
		}
		mine := share(e)
		if mine == 0 || mine == 100 {
			t.Fatalf("the share is %d%%", mine)
		}
		sweeps := func(want bool) {
			t.Helper()
			if err := e.sweep.windows.fresh(); (err == nil) != want {
				t.Errorf("sweeps: %v", err)
			}
			if want {
				return
			}
			for name, sweep := range map[string]func() error{
				"RaiseFloors":   func() error { _, err := e.sweep.RaiseFloors(t.Context()); return err },
				"Sweep":         func() error { _, err := e.sweep.Sweep(t.Context(), time.Now()); return err },
				"SweepOrphans":  func() error { _, err := e.sweep.SweepOrphans(t.Context(), time.Now(), time.Now()); return err },
				"RemoveOrphans": func() error { _, err := e.storeAt(levelLocal).RemoveOrphans(t.Context(), nil, time.Now()); return err },
			} {
				if err := sweep(); !errors.Is(err, store.ErrUnavailable) {
					t.Errorf("%s: %v", name, err)
				}
			}
		}
		sweeps(true)
		for _, datacenter := range []string{"dc2", "dc1"} {
			s.errors = map[string]error{datacenter: lost}
			for range 100 {
				if err := beat(); !errors.Is(err, store.ErrUnavailable) {
					t.Fatalf("%s is lost: %v", datacenter, err)
				}
			}
			if n := share(e); n != mine {
				t.Errorf("%s is lost: the share is %d%%, want %d%%", datacenter, n, mine)
			}
			sweeps(false)
		}
		s.errors = nil
		for range 2 {
			if err := beat(); err == nil || share(e) != mine {
				t.Errorf("the heartbeats can be read again: %v, the share is %d%%", err, share(e))
			}
			sweeps(false)
		}
		if err := beat(); err != nil || share(e) != mine {
			t.Errorf("%v, the share is %d%%", err, share(e))
		}
		sweeps(true)

		// A server that alone cannot read the heartbeats is gone for the others.
		s.errors = map[string]error{"dc1": gocql.ErrTimeoutNoResponse}
		for range 100 {
			_ = beat()
		}
		if n := share(e); n != 0 {
			t.Errorf("a server that is cut off has %d%%", n)
		}
		s.errors["dc1"] = lost // too late: others may have taken over
		_ = beat()
		if n := share(e); n != 0 {
			t.Errorf("a server that was cut off has %d%%", n)
		}
	})
}

// Heartbeats expire while nobody can write them. So the first server that reads them afterwards finds no other server: it takes
// no share of another one, and still waits for the server with a longer window.
func TestHeartbeatsExpired(t *testing.T) {
	for _, datacenter := range []string{"dc1", "dc2"} {
		synctest.Test(t, func(t *testing.T) {
			e, s, beat := beating(t)
			longer := func() {
				s.rows[datacenter][0].window = new(3 * e.cfg.Window.Microseconds())
			}
			if err := beat(); err != nil {
				t.Fatal(err)
			}
			longer()
			if err := e.heartbeat.readServers(t.Context()); err != nil {
				t.Fatal(err)
			}
			mine := share(e)
			wants := func(when string) {
				t.Helper()
				if n := share(e); n != mine {
					t.Errorf("%s: the share is %d%%, want %d%%", when, n, mine)
				}
				if err := e.sweep.MayReclaim(); !errors.Is(err, store.ErrDisagree) {
					t.Errorf("%s: %v", when, err)
				}
			}
			wants("before")
			s.errors[datacenter] = lost
			for range 10 {
				_ = beat()
			}
			s.errors = nil
			s.rows[datacenter] = nil
			_ = e.heartbeat.readServers(t.Context())
			wants("no heartbeat is left")
			for i := 0; e.sweep.windows.fresh() != nil; i++ {
				_ = beat()
				longer()
				if i > 5 {
					t.Fatal("the heartbeats never count again")
				}
			}
			if err := e.heartbeat.readServers(t.Context()); err != nil {
				t.Fatal(err)
			}
			wants("all have beaten again")

			// Servers that are gone for longer are gone.
			s.rows[datacenter] = nil
			for range 2 {
				time.Sleep(e.cfg.Heartbeat)
				_ = e.heartbeat.readServers(t.Context())
			}
			if n := share(e); datacenter == "dc1" && n != 100 || e.sweep.MayReclaim() != nil {
				t.Errorf("the share is %d%%, %v", n, e.sweep.MayReclaim())
			}
		})
	}
}

// The clocks of the other servers stay witnesses while their heartbeats cannot be read.
func TestClocksWithoutHeartbeats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, s, beat := beating(t)
		for range 2 {
			if err := beat(); err != nil {
				t.Fatal(err)
			}
		}
		s.errors["dc1"] = lost
		for range 400 {
			_ = beat()
		}
		for _, ahead := range []time.Duration{-30 * time.Minute, 0, 30 * time.Minute} {
			list := e.clock.peers.clocks(func() time.Time { return time.Now().Add(ahead) })
			if len(list) != 1 || (list[0]-ahead).Abs() > 2*e.cfg.Heartbeat {
				t.Errorf("%v ahead: %v", ahead, list)
			}
		}
		// The first heartbeat that counts afterwards is no older than the lifetime of its row.
		s.errors = nil
		for beat() != nil {
		}
		for _, ahead := range []time.Duration{-30 * time.Minute, 0, 30 * time.Minute} {
			list := e.clock.peers.clocks(func() time.Time { return time.Now().Add(ahead) })
			if len(list) != 1 || (list[0]-ahead).Abs() > e.cfg.ttl() {
				t.Errorf("%v ahead, after the first heartbeat: %v", ahead, list)
			}
		}
	})
}
