package cassandra

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"popelago/store"
)

// serverWindow is the Config.Window of a server, from its heartbeat.
type serverWindow struct {
	datacenter, name string
	window           time.Duration // negative: unknown, from a server of an older release
}

// serverRow is a row of the table server, as selectServers reads it.
type serverRow struct {
	id                     gocql.UUID
	name, address, version string
	started, clock, window *int64
	admin                  string
	left                   *int // seconds until the row expires
	written                *int64
}

// columns returns the destinations of the columns of selectServers.
func (r *serverRow) columns() []any {
	return []any{&r.id, &r.name, &r.address, &r.version, &r.started, &r.clock, &r.window, &r.admin, &r.left, &r.written}
}

// serverOf returns the server in the row.
func (r *serverRow) serverOf(datacenter string) (store.Server, error) {
	s := store.Server{Datacenter: datacenter, Started: moment(r.started), Clock: moment(r.clock)}
	for to, text := range map[*string]string{&s.Name: r.name, &s.Address: r.address, &s.Version: r.version, &s.Admin: r.admin} {
		var err error
		if *to, err = decodeText(text); err != nil {
			return s, err
		}
	}
	return s, nil
}

// windowOf returns the window in the row.
func (r *serverRow) windowOf(datacenter string) (serverWindow, error) {
	w := serverWindow{datacenter: datacenter, window: -1}
	if r.window != nil {
		w.window = time.Duration(*r.window) * time.Microsecond
	}
	var err error
	w.name, err = decodeText(r.name)
	return w, err
}

// windowCheck compares the Config.Window of all servers of the cluster. A server with a short window
// removes rows that a server with a long window may still write, in any datacenter: so background work
// waits on all servers until their windows agree. Safe for concurrent use.
type windowCheck struct {
	cfg       Config
	metrics   *metrics
	differing atomic.Pointer[string] // the windows by server; nil: they agree

	compared atomic.Pointer[time.Time] // the last comparison; nil: none
}

// fresh returns nil if the windows of all servers were compared within the lifetime of a heartbeat. Errors:
// store.ErrUnavailable.
func (c *windowCheck) fresh() error {
	if at := c.compared.Load(); at != nil && time.Since(*at) <= c.cfg.ttl() {
		return nil
	}
	return fmt.Errorf("cassandra: %w: the heartbeats of the servers of all datacenters cannot be read, so nothing shows that their cassandra.window agree", store.ErrUnavailable)
}

// check returns nil if the windows agree. Errors: store.ErrDisagree.
func (c *windowCheck) check() error {
	if differing := c.differing.Load(); differing != nil {
		return fmt.Errorf("cassandra: %w: %s", store.ErrDisagree, *differing)
	}
	return nil
}

// compare takes the windows of all other servers that are alive, and logs a change before check tells of it.
func (c *windowCheck) compare(others []serverWindow) {
	windows, text := describeWindows(append(others, serverWindow{datacenter: c.cfg.Datacenter, name: c.cfg.Server, window: c.cfg.Window.Truncate(time.Microsecond)}))
	c.metrics.windows.Set(float64(windows))
	c.compared.Store(new(time.Now()))
	before := c.differing.Load()
	if windows == 1 {
		if before != nil {
			c.cfg.Logger.Info("all servers have the same cassandra.window again")
		}
		c.differing.Store(nil)
		return
	}
	if before == nil {
		c.cfg.Logger.Error("the servers differ in cassandra.window: background work waits until they agree", "windows", text)
	}
	c.differing.Store(&text)
}

// describeWindows counts the different windows of servers, and lists the servers of each.
func describeWindows(servers []serverWindow) (windows int, text string) {
	byWindow := map[time.Duration][]string{}
	for _, s := range servers {
		if s.window >= 0 {
			byWindow[s.window] = append(byWindow[s.window], s.name+" in "+s.datacenter)
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
