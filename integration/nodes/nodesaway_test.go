package nodes

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"popelago/cassandratest"
	"popelago/mailtest"
	"popelago/store"
	"popelago/store/cassandra"
	"popelago/store/enginetest"
)

// nodesIn reads the metric popelago_cassandra_nodes.
func nodesIn(t *testing.T, registry *prometheus.Registry, datacenter, state string) float64 {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		for _, m := range family.GetMetric() {
			if l := m.GetLabel(); family.GetName() == "popelago_cassandra_nodes" && l[0].GetValue() == datacenter && l[1].GetValue() == state {
				return m.GetGauge().GetValue()
			}
		}
	}
	return -1
}

// Nodes go and come back, near and in another datacenter: the log has a line for each change and a
// reminder, not one for each attempt, the metric counts, and nobody applies a schema meanwhile.
func TestNodesAway(t *testing.T) {
	if testing.Short() {
		t.Skip("needs three Cassandra nodes")
	}
	c := cassandratest.Start(t, cassandratest.Options{
		Datacenters: []cassandratest.Datacenter{{Name: "dc1", Nodes: 2}, {Name: "dc2", Nodes: 1}},
		Settings:    map[string]string{"read_request_timeout": "20s", "write_request_timeout": "20s"},
	})
	registry := prometheus.NewRegistry()
	var log mailtest.Log
	cfg := cassandra.Config{
		Hosts: c.Addresses("dc1")[:1], Datacenter: "dc1", Keyspace: "away", Replication: map[string]int{"dc1": 1, "dc2": 1},
		SpoolDir: t.TempDir(), Reconnect: 100 * time.Millisecond, DownReminder: 8 * time.Second,
		Timeout: 30 * time.Second, ConnectTimeout: 30 * time.Second, Registerer: registry,
		Logger: slog.New(slog.NewTextHandler(&log, nil)),
	}
	var steps []string
	quiet := cfg
	quiet.Logger, quiet.Registerer = nil, nil // a change of the schema is for ApplyWith to tell
	if _, err := cassandra.ApplyWith(t.Context(), quiet, cassandra.ApplyOptions{Progress: func(s string) { steps = append(steps, s) }}); err != nil {
		t.Fatal(err)
	}
	if text := strings.Join(steps, "\n"); !strings.Contains(text, "3 of 3 nodes answer") || !strings.Contains(text, "1 of 14: keyspace away") || !strings.Contains(text, "table mailbox") {
		t.Errorf("progress: %s", text)
	}
	s := enginetest.Reopen(t, cfg)
	if err := s.PutDomain(t.Context(), store.Domain{Name: "each.test", Durability: store.DurabilityEach}); err != nil {
		t.Fatal(err)
	}
	counted := func(datacenter string, up, down float64) {
		t.Helper()
		mailtest.WaitFor(t, 5*time.Minute, func() error {
			if u, d := nodesIn(t, registry, datacenter, "up"), nodesIn(t, registry, datacenter, "down"); u != up || d != down {
				return fmt.Errorf("%v nodes of %s are up and %v down, want %v and %v\n%s", u, datacenter, d, up, down, log.String())
			}
			return nil
		})
	}
	logged := func(texts ...string) {
		t.Helper()
		mailtest.WaitFor(t, 5*time.Minute, func() error {
			for line := range strings.Lines(log.String()) {
				all := true
				for _, text := range texts {
					all = all && strings.Contains(line, text)
				}
				if all {
					return nil
				}
			}
			return fmt.Errorf("no line with %q in:\n%s", texts, log.String())
		})
	}
	counted("dc1", 2, 0)
	counted("dc2", 1, 0)

	near := c.Node("dc1-2")
	near.Kill()
	logged("level=WARN", "Cassandra nodes do not answer", "datacenter=dc1", "nodes="+near.Address, "up=1", "down=1")
	counted("dc1", 1, 1)
	fresh := quiet
	fresh.Keyspace = "unborn"
	_, err := cassandra.Apply(t.Context(), fresh)
	if !errors.Is(err, cassandra.ErrNodesDown) || !strings.Contains(err.Error(), near.Address) || !strings.Contains(err.Error(), "nothing was changed") {
		t.Errorf("Apply while a node is down: %v", err)
	}
	if status, err := cassandra.Status(t.Context(), fresh); err != nil || status.Replication != nil {
		t.Errorf("after that: %+v, %v", status, err)
	}
	logged("still do not answer", "datacenter=dc1", near.Address)
	near.Restart(t)
	logged("level=INFO", "Cassandra nodes are back", "datacenter=dc1", near.Address, "down=0")
	counted("dc1", 2, 0)
	if err := c.WaitSeen(t.Context()); err != nil {
		t.Fatal(err)
	}

	far := c.Node("dc2-1")
	far.Kill()
	logged("level=WARN", "no Cassandra node of a datacenter answers", "datacenter=dc2", "nodes="+far.Address)
	counted("dc2", 0, 1)
	found := enginetest.Doctor(t, cfg)
	found.Say(t, cassandra.FindingError, "node", "all nodes of dc2 are down, or the line to it is", far.Address)
	found.Say(t, cassandra.FindingError, "durability", "1 domain", "refuse mail now", "dc2", "each.test")
	far.Restart(t)
	logged("level=INFO", "Cassandra nodes are back", "datacenter=dc2")
	counted("dc2", 1, 0)

	// At ten attempts a second to each node that was away, the driver had much to say.
	for line := range strings.Lines(log.String()) {
		if strings.Contains(line, "driver=") {
			t.Errorf("the driver's own line: %s", line)
		}
	}
	t.Log(log.String())
}
