package cassandra

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"popelago/mail"
	"popelago/store"
	"popelago/store/cassandra/driver"
	"popelago/store/cassandra/limit"
)

// way is a link that returns from dc2 to dc1 when told, and records the reads.
type way struct {
	*link
	mu    sync.Mutex // the calls of a hedged read overlap
	reads []string
}

func (w *way) seen() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.reads)
}

// waySession is the session to a datacenter. It answers each read with answer.
type waySession struct {
	driver.Session
	way        *way
	datacenter string
	answer     func(ctx context.Context, st *driver.Statement) (driver.Rows, error)
}

func (s waySession) Execute(ctx context.Context, st *driver.Statement) (driver.Rows, error) {
	s.way.mu.Lock()
	s.way.reads = append(s.way.reads, fmt.Sprint(s.datacenter, " ", st.Consistency))
	s.way.mu.Unlock()
	return s.answer(ctx, st)
}

// newWay leads a link to dc2, and returns a function that returns to dc1.
func newWay(l *link, answer func(ctx context.Context, st *driver.Statement) (driver.Rows, error)) (*way, func()) {
	w := &way{link: l}
	to := func(datacenter string) *route {
		return &route{datacenter, waySession{way: w, datacenter: datacenter, answer: answer}}
	}
	w.current.Store(to("dc2"))
	return w, func() {
		w.setConfirming(true)
		w.current.Store(to("dc1"))
	}
}

// A list that was begun in another datacenter is confirmed from the return on: the local nodes lack mail.
func TestListGoesOnConfirmed(t *testing.T) {
	for name, list := range map[string]func(s *Store, ctx context.Context) error{
		"messages": func(s *Store, ctx context.Context) error {
			_, _, err := s.ListMessages(ctx, mail.MailboxID{1}, mail.MessageID{}, 1000)
			return err
		},
		"retrievals": func(s *Store, ctx context.Context) error {
			_, err := s.retrievals.readSegment(ctx, mail.MailboxID{1}, ordinary, mail.MessageID{}, mail.MessageID{}, func(store.Retrieval, error) bool { return true })
			return err
		},
		"addresses": func(s *Store, ctx context.Context) error {
			_, err := s.AddressRows(ctx, mail.Address{Local: "a", Domain: "example.org"})
			return err
		},
		"attempts": func(s *Store, ctx context.Context) (err error) {
			for _, err = range s.Attempts(ctx, time.Now()) {
			}
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			cfg, err := Config{Hosts: []string{"x"}, Datacenter: "dc1", Window: time.Hour, SpeculativeDelay: -1}.withDefaults()
			if err != nil {
				t.Fatal(err)
			}
			e := newEngine(cfg)
			defer e.caches.close()
			var back func()
			var w *way
			w, back = newWay(e.link, func(_ context.Context, st *driver.Statement) (driver.Rows, error) {
				switch {
				case st.CQL == selectFloor || w.origin() == "dc1":
					return emptyRows{}, nil
				case st.CQL == listMessages:
					back()
					return nil, gocql.ErrTimeoutNoResponse // a smaller page follows
				}
				back()
				return emptyRows{next: []byte("more")}, nil
			})
			e.makeLevels(true)
			if err := list(e.levels.Local, t.Context()); err != nil {
				t.Fatal(err)
			}
			reads := w.seen()
			before := slices.Index(reads, "dc1 EACH_QUORUM")
			if before < 1 || slices.ContainsFunc(reads[:before], func(r string) bool { return r != "dc2 LOCAL_QUORUM" }) ||
				slices.ContainsFunc(reads[before:], func(r string) bool { return r != "dc1 EACH_QUORUM" }) {
				t.Errorf("reads: %q", reads)
			}
		})
	}
}

// The second node of a hedged read is asked where the first was asked, also after a return in between.
func TestHedgedReadStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		places := limit.New(limit.Config{Most: 8, QueueTime: time.Second})
		cfg, m := Config{Datacenter: "dc1", SpeculativeDelay: 100 * time.Millisecond}, newMetrics(places)
		var back func()
		var w *way
		w, back = newWay(newLink(cfg, nil, m, nil), func(ctx context.Context, _ *driver.Statement) (driver.Rows, error) {
			if len(w.seen()) == 2 {
				return emptyRows{}, nil
			}
			back()
			w.setConfirming(false) // the worst case
			<-ctx.Done()
			return nil, ctx.Err()
		})
		r := newRunner(cfg, w.look, places, m)
		if _, err := r.readOne(t.Context(), statement{cql: selectFloor, consistency: level{levelLocal, w.link}.reads()}); err != nil {
			t.Fatal(err)
		}
		if want := []string{"dc2 LOCAL_QUORUM", "dc2 LOCAL_QUORUM"}; !slices.Equal(w.seen(), want) {
			t.Errorf("reads: %q, want %q", w.seen(), want)
		}
	})
}
