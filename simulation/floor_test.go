package simulation_test

import (
	"net"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"popelago/mail"
	"popelago/simulation/cluster"
	"popelago/store/cassandra"
)

// openEngine opens the engine on a datacenter of simulated nodes, inside a bubble.
func openEngine(t *testing.T, nodes int) (*cassandra.Store, *cluster.Cluster) {
	t.Helper()
	c, err := cluster.New(cluster.Config{LogSync: -1, Datacenters: []cluster.Datacenter{{Name: "dc1", Nodes: nodes}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	cfg := cassandra.Config{
		Hosts: []string{net.JoinHostPort(c.Address("dc1-1"), "9042")}, Datacenter: "dc1", Keyspace: "popelago",
		Replication: map[string]int{"dc1": 3}, SpoolDir: t.TempDir(), Server: "server", Cluster: c.Server("server", "dc1", 0),
	}
	if _, err := cassandra.Apply(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	s, err := cassandra.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s, c
}

// A session removes the messages of the last hour, and no further mail comes. The floor rises above all of them once they are
// older than the in-flight window, without further removals.
func TestFloorPassesTheYoungLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := openEngine(t, 3)
		ids, mailbox := mail.NewIDSource(time.Now), mail.MailboxID{1}
		var gone []mail.MessageID
		for range 600 {
			gone = append(gone, ids.Next())
			time.Sleep(6 * time.Second)
		}
		if err := s.RemoveMessages(t.Context(), mailbox, gone); err != nil {
			t.Fatal(err)
		}
		for range 70 {
			if _, err := s.RaiseFloors(t.Context()); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Minute)
		}
		floor, err := s.Floor(t.Context(), mailbox)
		if err != nil {
			t.Fatal(err)
		}
		above := slices.DeleteFunc(slices.Clone(gone), func(id mail.MessageID) bool { return id.Compare(floor) <= 0 })
		if len(above) > 0 {
			t.Errorf("%d of %d removed messages are above the floor", len(above), len(gone))
		}
	})
}
