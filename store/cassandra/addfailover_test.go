package cassandra

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"popelago/mail"
	"popelago/store"
	"popelago/store/cassandra/driver"
	"popelago/store/cassandra/limit"
)

// scripted is a session whose statements have a fate each.
type scripted struct {
	driver.Session
	execute func(cql string) error
}

func (s scripted) Execute(_ context.Context, st *driver.Statement) (driver.Rows, error) {
	return nil, s.execute(st.CQL)
}

// A row of a bulk mailbox that one datacenter has, and the next one surely refuses after a failover, may be there: the
// outcome is unknown, and the caller keeps the content.
func TestRowBeforeFailover(t *testing.T) {
	for _, refused := range []string{"the marker", "the row", ""} {
		t.Run(fmt.Sprintf("%q refused", refused), func(t *testing.T) {
			cfg := Config{Datacenter: "dc1", Now: time.Now, Window: time.Hour}
			places := limit.New(limit.Config{Most: 8, QueueTime: time.Second})
			metrics := newMetrics(places)
			l := newLink(cfg, nil, metrics, nil)
			rows := 0
			here, there := &route{datacenter: "dc1"}, &route{datacenter: "dc2"}
			here.session = scripted{execute: func(cql string) error {
				if cql == insertMessage {
					rows++
					l.current.Store(there) // the failover
				}
				return nil
			}}
			there.session = scripted{execute: func(cql string) error {
				if is := map[bool]string{true: "the row", false: "the marker"}[cql == insertMessage]; is == refused {
					return gocql.ErrNoConnections
				}
				return nil
			}}
			l.current.Store(here)
			run := newRunner(cfg, l.look, places, metrics)
			caches := newCaches(cfg, run, metrics)
			m := &mailboxes{
				at: level{link: l}, cfg: cfg, run: run, link: l, clock: newClockWatch(cfg, run, l, nil, metrics), caches: caches,
				markers: &markers{cfg: cfg, run: run, link: l, states: caches.states},
			}
			id := mail.NewIDSource(nil).Next()
			err := m.AddMessages(t.Context(), []store.Entry{{Message: mail.Message{ID: id}, Bulk: id.Time().Add(-48 * time.Hour)}})[0]
			switch {
			case rows != 1:
				t.Errorf("dc1 got the row %d times: %v", rows, err)
			case refused == "":
				if err != nil {
					t.Error(err)
				}
			case !errors.Is(err, store.ErrOutcomeUnknown) || !strings.Contains(err.Error(), "after a failover"):
				t.Errorf("%v, want an unknown outcome", err)
			}
		})
	}
}
