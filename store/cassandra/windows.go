package cassandra

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"popelago/store"
)

// peerNote is what a server says of itself by its heartbeat.
type peerNote struct {
	datacenter, name string
	// window is its Config.Window; negative: it does not tell, as those of older releases.
	window time.Duration
}

// serverRow is a row of the table server, as selectServers reads it.
type serverRow struct {
	id            gocql.UUID
	name          string
	clock, window *int64
}

// scan reads the next row.
func (r *serverRow) scan(scan func(...any) bool) bool {
	*r = serverRow{}
	return scan(&r.id, &r.name, &r.clock, &r.window)
}

// told is what the row says.
func (r *serverRow) told(datacenter string) (peerNote, error) {
	t := peerNote{datacenter: datacenter, window: -1}
	if r.window != nil {
		t.window = time.Duration(*r.window) * time.Microsecond
	}
	var err error
	t.name, err = decodeText(r.name)
	return t, err
}

// MayReclaim implements store.Background. A server with a short window takes away what one with a
// long window may still write, wherever in the cluster that is: so all wait until they agree.
func (s *engine) MayReclaim() error {
	if err := s.Clock(); err != nil {
		return err
	}
	if differing := s.beating.differing.Load(); differing != nil {
		return fmt.Errorf("cassandra: %w: %s", store.ErrDisagree, *differing)
	}
	return nil
}

// compareWindows looks whether the servers that are alive have one window, and says so when that
// changes.
func (s *engine) compareWindows(others []peerNote) {
	windows, text := describeWindows(append(others, peerNote{datacenter: s.cfg.Datacenter, name: s.cfg.Server, window: s.cfg.Window.Truncate(time.Microsecond)}))
	s.metrics.windows.Set(float64(windows))
	before := s.beating.differing.Load()
	if windows == 1 {
		s.beating.differing.Store(nil)
		if before != nil {
			s.cfg.Logger.Info("all servers have the same cassandra.window again")
		}
		return
	}
	s.beating.differing.Store(&text)
	if before == nil {
		s.cfg.Logger.Error("the servers differ in cassandra.window: background work waits until they agree", "windows", text)
	}
}

// describeWindows counts the windows of servers, and lists who has which.
func describeWindows(servers []peerNote) (windows int, text string) {
	byWindow := map[time.Duration][]string{}
	for _, t := range servers {
		if t.window >= 0 {
			byWindow[t.window] = append(byWindow[t.window], t.name+" in "+t.datacenter)
		}
	}
	var parts []string
	for _, window := range slices.Sorted(maps.Keys(byWindow)) {
		names := byWindow[window]
		slices.Sort(names)
		const most = 3
		list := strings.Join(names[:min(len(names), most)], ", ")
		if len(names) > most {
			list += fmt.Sprintf(" and %d more", len(names)-most)
		}
		parts = append(parts, fmt.Sprintf("cassandra.window is %v on %s", window, list))
	}
	return len(byWindow), strings.Join(parts, "; ")
}
