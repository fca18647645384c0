package cassandra

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"popelago/store"
)

// rollMemory is the time for which a server whose heartbeats have ended stays on the roll: after an hour
// without the cluster a server has no session left that could be used.
const rollMemory = time.Hour

// expiryUnit is the precision of the expiry of a row.
const expiryUnit = time.Second

// roll lists the other servers of all datacenters, including servers whose heartbeats have expired. Servers that
// were stopped are not listed. Safe for concurrent use.
type roll struct {
	// own is the server that keeps the roll; its earlier processes are not listed.
	own rollKey

	mu      sync.Mutex
	entries map[rollKey]rollEntry
}

// rollKey names a server.
type rollKey struct{ datacenter, name string }

// rollEntry is a server with the moment at which its heartbeat was last read, and the moment at which the
// heartbeat expires.
type rollEntry struct {
	server        store.Server
	seen, expires time.Time
}

func newRoll(cfg Config) *roll {
	return &roll{own: rollKey{cfg.Datacenter, cfg.Server}, entries: map[rollKey]rollEntry{}}
}

// see enters a server whose heartbeat is in the table, as asked for at a moment, and expires at another. An
// earlier process of a known server, whose heartbeat has not expired yet, changes nothing.
func (r *roll) see(s store.Server, asked, expires time.Time) {
	key := rollKey{s.Datacenter, s.Name}
	if key == r.own {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if known, ok := r.entries[key]; ok {
		if s.Started.Before(known.server.Started) {
			return
		}
		if known.seen.After(asked) {
			asked, expires = known.seen, known.expires
		}
	}
	r.entries[key] = rollEntry{s, asked, expires}
}

// leave removes the servers that were not seen by a whole reading of the heartbeats, asked for at a moment, and
// whose heartbeats had not expired at its end: a server that is stopped removes its heartbeat.
func (r *roll) leave(asked, end time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for key, e := range r.entries {
		if e.seen.Before(asked) && end.Before(e.expires.Add(-expiryUnit)) {
			delete(r.entries, key)
		}
	}
}

// list returns the servers by datacenter and name. Servers whose heartbeat was last read before a moment
// are lost, see store.Server.Lost.
func (r *roll) list(since time.Time) []store.Server {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := make([]store.Server, 0, len(r.entries))
	for key, e := range r.entries {
		if time.Since(e.seen) > rollMemory {
			delete(r.entries, key)
			continue
		}
		if e.seen.Before(since) {
			e.server.Lost = e.seen
		}
		all = append(all, e.server)
	}
	return all
}

// sortServers sorts servers by datacenter and name.
func sortServers(all []store.Server) {
	slices.SortFunc(all, func(a, b store.Server) int {
		return cmp.Or(cmp.Compare(a.Datacenter, b.Datacenter), cmp.Compare(a.Name, b.Name))
	})
}
