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
		r.see(store.Server{Name: "own", Datacenter: "dc1"}, begin, begin.Add(time.Minute))
		r.see(store.Server{Name: "a", Datacenter: "dc1", Started: begin, Admin: "https://new"}, begin, begin.Add(time.Minute))
		r.see(store.Server{Name: "a", Datacenter: "dc1", Started: begin.Add(-time.Hour), Admin: "https://old"}, begin, begin.Add(time.Minute))
		r.see(store.Server{Name: "a", Datacenter: "dc2", Started: begin}, begin, begin.Add(time.Minute))
		all := r.list(begin)
		sortServers(all)
		if len(all) != 2 || all[0].Admin != "https://new" || all[1].Datacenter != "dc2" || !all[0].Lost.IsZero() {
			t.Fatalf("%+v", all)
		}
		time.Sleep(59 * time.Minute)
		asked := time.Now()
		r.see(store.Server{Name: "a", Datacenter: "dc1", Started: begin}, asked, asked.Add(time.Minute))
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

// A server that is stopped removes its heartbeat, and leaves the roll at once; a server whose heartbeat may have
// expired stays.
func TestRollLeave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRoll(Config{Datacenter: "dc1", Server: "own"})
		begin := time.Now()
		stopped := store.Server{Name: "stopped", Datacenter: "dc1", Started: begin}
		failed := store.Server{Name: "failed", Datacenter: "dc2", Started: begin}
		r.see(stopped, begin, begin.Add(time.Minute))
		r.see(failed, begin, begin.Add(20*time.Second))
		time.Sleep(10 * time.Second)
		r.see(failed, time.Now(), begin.Add(20*time.Second))
		time.Sleep(9500 * time.Millisecond)
		asked := time.Now()
		r.leave(asked, asked)
		if all := r.list(asked); len(all) != 1 || all[0].Name != "failed" || all[0].Lost.IsZero() {
			t.Errorf("%+v, want the server that failed alone", all)
		}
		r.see(stopped, asked, asked.Add(time.Minute))
		r.leave(asked, asked.Add(2*time.Minute))
		if all := r.list(asked); len(all) != 2 {
			t.Errorf("a server that is back, read slowly: %+v", all)
		}
	})
}
