package nodes

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"popelago/cassandratest"
	"popelago/mail"
	"popelago/mailtest"
	"popelago/store"
	"popelago/store/cassandra"
	"popelago/store/enginetest"
)

// watched is a store's view of nodes that go and come back, in its log and metrics.
type watched struct {
	*testing.T
	log      mailtest.Log
	registry *prometheus.Registry
}

// watch prepares the configuration of a store for watching.
func watch(t *testing.T, cfg *cassandra.Config) *watched {
	w := &watched{T: t, registry: prometheus.NewRegistry()}
	cfg.Registerer, cfg.Logger = w.registry, slog.New(slog.NewTextHandler(&w.log, nil))
	return w
}

// nodes reads the metric popelago_cassandra_nodes.
func (w *watched) nodes(datacenter, state string) float64 {
	w.Helper()
	families, err := w.registry.Gather()
	if err != nil {
		w.Fatal(err)
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

// counted waits until so many nodes of a datacenter are counted as up, and as down.
func (w *watched) counted(datacenter string, up, down float64) {
	w.Helper()
	mailtest.WaitFor(w, 10*time.Minute, func() error {
		if u, d := w.nodes(datacenter, "up"), w.nodes(datacenter, "down"); u != up || d != down {
			return fmt.Errorf("%v nodes of %s are up and %v down, want %v and %v\n%s", u, datacenter, d, up, down, w.log.String())
		}
		return nil
	})
}

// logged waits until the log has a line with all texts.
func (w *watched) logged(texts ...string) {
	w.Helper()
	mailtest.WaitFor(w, 10*time.Minute, func() error {
		for line := range strings.Lines(w.log.String()) {
			if !slices.ContainsFunc(texts, func(text string) bool { return !strings.Contains(line, text) }) {
				return nil
			}
		}
		return fmt.Errorf("no line with %q in:\n%s", texts, w.log.String())
	})
}

// quiet checks that the driver logs nothing itself, although it retries absent nodes again and again.
func (w *watched) quiet() {
	w.Helper()
	for line := range strings.Lines(w.log.String()) {
		if strings.Contains(line, "driver=") {
			w.Errorf("the driver's own line: %s", line)
		}
	}
}

// refusesSchema checks that a schema is not applied while a node is down, and that the refusal
// names the node.
func refusesSchema(t *testing.T, cfg cassandra.Config, away string) {
	t.Helper()
	cfg.Keyspace = "unborn"
	_, err := cassandra.Apply(t.Context(), cfg)
	if !errors.Is(err, cassandra.ErrNodesDown) || !strings.Contains(err.Error(), away) || !strings.Contains(err.Error(), "nothing was changed") {
		t.Errorf("Apply while a node is down: %v", err)
	}
	if status, err := cassandra.Status(t.Context(), cfg); err != nil || status.Replication != nil {
		t.Errorf("after the refusal: %+v, %v", status, err)
	}
}

// Nodes go and come back, near and in another datacenter: the log has a line for each change and a
// reminder, not one for each attempt, the metric counts, and no schema can be applied meanwhile.
// TestTwoDatacenters and TestLoginAfterRemovals cover most of this test, too, on shared nodes.
func TestNodesAway(t *testing.T) {
	if os.Getenv("TEST_CHAOS") == "" {
		t.Skip("needs three nodes of its own, and takes some minutes: set TEST_CHAOS=1")
	}
	c := cassandratest.Start(t, cassandratest.Options{
		Datacenters: []cassandratest.Datacenter{{Name: "dc1", Nodes: 2}, {Name: "dc2", Nodes: 1}},
		Settings:    map[string]string{"read_request_timeout": "20s", "write_request_timeout": "20s"},
	})
	cfg := cassandra.Config{
		Hosts: c.Addresses("dc1")[:1], Datacenter: "dc1", Keyspace: "away", Replication: map[string]int{"dc1": 1, "dc2": 1},
		SpoolDir: t.TempDir(), Reconnect: 100 * time.Millisecond, DownReminder: 8 * time.Second,
		Timeout: 30 * time.Second, ConnectTimeout: 30 * time.Second,
	}
	var steps []string
	quiet := cfg // ApplyWith reports a change of the schema
	w := watch(t, &cfg)
	if _, err := cassandra.ApplyWith(t.Context(), quiet, cassandra.ApplyOptions{Progress: func(s string) { steps = append(steps, s) }}); err != nil {
		t.Fatal(err)
	}
	if text := strings.Join(steps, "\n"); !strings.Contains(text, "3 of 3 nodes answer") || !strings.Contains(text, fmt.Sprintf("\n1 of %d: keyspace away", len(steps)-2)) || !strings.Contains(text, "table mailbox") {
		t.Errorf("progress: %s", text)
	}
	s := enginetest.Reopen(t, cfg)
	if err := s.PutDomain(t.Context(), store.Domain{Name: "each.test", Durability: mail.DurabilityEach}); err != nil {
		t.Fatal(err)
	}
	w.counted("dc1", 2, 0)
	w.counted("dc2", 1, 0)

	near := c.Node("dc1-2")
	near.Kill()
	w.logged("level=WARN", "Cassandra nodes do not answer", "datacenter=dc1", "nodes="+near.Address, "up=1", "down=1")
	w.counted("dc1", 1, 1)
	refusesSchema(t, quiet, near.Address)
	w.logged("still do not answer", "datacenter=dc1", near.Address)
	near.Restart(t)
	w.logged("level=INFO", "Cassandra nodes are back", "datacenter=dc1", near.Address, "down=0")
	w.counted("dc1", 2, 0)
	if err := c.WaitSeen(t.Context()); err != nil {
		t.Fatal(err)
	}

	far := c.Node("dc2-1")
	far.Kill()
	w.logged("level=WARN", "no Cassandra node of a datacenter answers", "datacenter=dc2", "nodes="+far.Address)
	w.counted("dc2", 0, 1)
	found := enginetest.Doctor(t, cfg)
	found.Say(t, cassandra.FindingWarning, "node", "all nodes of dc2 are down, or the line to it is", far.Address)
	found.Say(t, cassandra.FindingError, "durability", "1 domain", "refuse mail now", "dc2", "each.test")
	far.Restart(t)
	w.logged("level=INFO", "Cassandra nodes are back", "datacenter=dc2")
	w.counted("dc2", 1, 0)

	w.quiet() // at ten attempts a second to each absent node
	t.Log(w.log.String())
}
