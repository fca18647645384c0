package cassandra

import (
	"testing"
	"testing/synctest"
	"time"

	"popelago/store"
)

// A server whose heartbeats have ended stays on the roll for an hour; an earlier process does not
// replace a later one.
func TestRoll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRoll(Config{Datacenter: "dc1", Server: "own"})
		begin := time.Now()
		r.see(store.Server{Name: "own", Datacenter: "dc1"}, begin)
		r.see(store.Server{Name: "a", Datacenter: "dc1", Started: begin, Admin: "https://new"}, begin)
		r.see(store.Server{Name: "a", Datacenter: "dc1", Started: begin.Add(-time.Hour), Admin: "https://old"}, begin)
		r.see(store.Server{Name: "a", Datacenter: "dc2", Started: begin}, begin)
		all := r.list(begin)
		sortServers(all)
		if len(all) != 2 || all[0].Admin != "https://new" || all[1].Datacenter != "dc2" || !all[0].Lost.IsZero() {
			t.Fatalf("%+v", all)
		}
		time.Sleep(59 * time.Minute)
		asked := time.Now()
		r.see(store.Server{Name: "a", Datacenter: "dc1", Started: begin}, asked)
		all = r.list(asked)
		sortServers(all)
		if len(all) != 2 || !all[0].Lost.IsZero() || !all[1].Lost.Equal(begin) {
			t.Fatalf("after an hour: %+v", all)
		}
		if all := r.list(time.Time{}); !all[0].Lost.IsZero() || !all[1].Lost.IsZero() {
			t.Errorf("a server is lost although nobody could read the heartbeats: %+v", all)
		}
		time.Sleep(2 * time.Minute)
		if all := r.list(asked); len(all) != 1 || all[0].Datacenter != "dc1" {
			t.Errorf("after more than an hour: %+v", all)
		}
	})
}
