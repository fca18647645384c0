package nodes

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"popelago/mail"
	"popelago/mailtest"
	"popelago/store"
	"popelago/store/cassandra"
	"popelago/store/enginetest"
	"popelago/task"
)

// TestTwoDatacenters breaks two datacenters with a node and a replica each, in several ways.
func TestTwoDatacenters(t *testing.T) {
	t.Run("without hints", testWithoutHints)
	t.Run("failover", testFailover)
	t.Run("failover again", testFailoverAgain)
}

// Without hints a node lacks its missed writes, until a read at ALL repairs them.
func testWithoutHints(t *testing.T) {
	e := newPair(t)
	cfg := e.config("dc1")
	enginetest.Apply(t, cfg)
	cfg.Hosts = append(cfg.Hosts, e.cluster.Addresses("dc2")...) // the driver tries contact points in any order
	e.w = watch(t, &cfg)
	e.s1, e.s2 = enginetest.Reopen(t, cfg), enginetest.Reopen(t, e.config("dc2"))
	t.Run("own datacenter only", e.ownDatacenterOnly)
	t.Run("doctor sees both", e.doctorSeesBoth)

	// Writes that dc2 misses while its node is down.
	var alice mail.Address
	var missed []mail.MessageID
	late, bulk := enginetest.Mailbox("late"), newLaggingBulk(e)
	first, second, gone := enginetest.Message(700_000), enginetest.Message(10), enginetest.Message(10)
	enginetest.Put(t, e.s1, gone.ID, 10, late)
	enginetest.Add(t, e.s1, late, gone)
	mailtest.WaitFor(t, 10*time.Minute, func() error { return enginetest.Has(t, e.s2, late, gone) })
	e.away("dc2-1", func() {
		enginetest.Put(t, e.s1, first.ID, 700_000, late)
		enginetest.Put(t, e.s1, second.ID, 10, late)
		if err := e.s1.RemoveMessages(t.Context(), late, []mail.MessageID{gone.ID}); err != nil {
			t.Fatal(err)
		}
		t.Run("doctor sees who is away", e.doctorSeesAway)
		t.Run("sweep waits for all", func(t *testing.T) { e.sweepWaits(t, gone) })
		t.Run("check waits for all", func(t *testing.T) { e.checkWaits(t, late, second) })
		alice = enginetest.Accounts(t, e.s1, "alice")[0]
		missed = []mail.MessageID{enginetest.Deliver(t, e.s1, 10, alice), enginetest.Deliver(t, e.s1, 600_000, alice)}
		e.w.logged("level=WARN", "no Cassandra node of a datacenter answers", "datacenter=dc2", "nodes="+e.cluster.Addresses("dc2")[0])
		e.w.counted("dc2", 0, 1)
		t.Run("bulk without dc2", bulk.without)
	})
	e.w.logged("level=INFO", "Cassandra nodes are back", "datacenter=dc2")
	e.w.counted("dc2", 1, 0)
	e.w.quiet()
	t.Run("bulk", bulk.after) // before a check reads all replicas
	t.Run("lag is not loss", func(t *testing.T) { e.lagIsNotLoss(t, late, first, second) })
	t.Run("removal survives", func(t *testing.T) { e.removalSurvives(t, late, gone) })
	t.Run("check sees what one lacks", func(t *testing.T) {
		// The check considers nothing lost, and its read of all replicas brings the message to all.
		enginetest.WantCheck(t, "in dc2", e.s2, task.CheckOptions{Deep: true, Repair: true})
		enginetest.WantList(t, "in dc2", e.s2, alice, missed...)
	})
}

func (e *pair) ownDatacenterOnly(t *testing.T) {
	mb, m := enginetest.Mailbox("own"), enginetest.Message(10)
	for i, s := range []*cassandra.Store{e.s1, e.s2} {
		seen.Take()
		for range 20 {
			if err := s.PutDomain(t.Context(), store.Domain{Name: "example.test"}); err != nil {
				t.Fatal(err)
			}
		}
		for _, st := range seen.Take() {
			if own := e.cluster.Addresses([]string{"dc1", "dc2"}[i])[0]; st.Host != own {
				t.Fatalf("a store of %s asked %s", own, st.Host)
			}
		}
	}
	enginetest.Put(t, e.s1, m.ID, 10, mb)
	enginetest.Add(t, e.s1, mb, m)
	mailtest.WaitFor(t, 10*time.Minute, func() error { return enginetest.Has(t, e.s2, mb, m) })
	rows, err := enginetest.List(t.Context(), e.s2, mb)
	if err != nil || rows[0].Origin != "dc1" {
		t.Errorf("the origin of a message taken in dc1: %+v, %v", rows, err)
	}
}

// Contact points may be in several datacenters, though only the contact points of the own datacenter
// are used, and a datacenter may have no replicas.
func (e *pair) doctorSeesBoth(t *testing.T) {
	cfg := e.config("dc1")
	cfg.Hosts = append(cfg.Hosts, e.cluster.Addresses("dc2")...)
	for range 5 {
		if status, err := cassandra.Apply(t.Context(), cfg); err != nil || status.Replication["dc2"] != 1 {
			t.Fatalf("with contact points in both: %+v, %v", status, err)
		}
	}
	found := enginetest.Doctor(t, cfg)
	found.Say(t, cassandra.FindingOK, "datacenter", "dc1 with 1 node, dc2 with 1 node")
	found.Say(t, cassandra.FindingOK, "node", "2 nodes reached")
	found.Say(t, cassandra.FindingOK, "clock", "2 nodes")
	found.Say(t, cassandra.FindingWarning, "contact", cfg.Hosts[1]+` is in datacenter "dc2"`)
	found.Say(t, cassandra.FindingWarning, "settings", "hinted_handoff_enabled is false on", cfg.Hosts[0], cfg.Hosts[1])
	found.Say(t, cassandra.FindingWarning, "replication", "dc2 keeps 1 replica:")
	e.doctorSeesRepairs(t, cfg)
	// Making tables on several nodes takes long, and the check needs no table.
	if err := enginetest.Session(t, cfg).Query("CREATE KEYSPACE one_only WITH replication = {'class': 'NetworkTopologyStrategy', 'dc1': 1}").Exec(); err != nil {
		t.Fatal(err)
	}
	cfg.Keyspace, cfg.Replication = "one_only", map[string]int{"dc1": 1}
	enginetest.Doctor(t, cfg).Say(t, cassandra.FindingWarning, "replication", "dc2 keeps no replica")
}

// Doctor reads the history that nodes write of their repairs. The rows are those of "nodetool repair -pr" on one node
// after the other.
func (e *pair) doctorSeesRepairs(t *testing.T, cfg cassandra.Config) {
	const keyspace = "popelago"
	enginetest.Doctor(t, cfg).Say(t, cassandra.FindingOK, "repair", "the tables were not repaired yet: the first repair is due until", "nodetool repair -pr "+keyspace)
	session := enginetest.Session(t, cfg)
	var names, tables []string
	rows := session.Query("SELECT table_name FROM system_schema.tables WHERE keyspace_name = ?", keyspace).Iter()
	for name := ""; rows.Scan(&name); {
		names = append(names, name)
	}
	if err := rows.Close(); err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		tables = append(tables, "'"+name+"'")
	}
	repaired := func(at, ranges string) {
		t.Helper()
		if err := session.Query(fmt.Sprintf(`INSERT INTO system_distributed.parent_repair_history (parent_id, keyspace_name, columnfamily_names, started_at, finished_at,
			options, requested_ranges, successful_ranges) VALUES (now(), '%s', {%s}, '%s', '%[3]s', {'dataCenters': '', 'forceRepair': 'false', 'hosts': '', 'incremental': 'true',
			'previewKind': 'NONE', 'primaryRange': 'true'}, {%s}, {%[4]s})`, keyspace, strings.Join(tables, ", "), at, ranges)).Consistency(gocql.Quorum).Exec(); err != nil {
			t.Fatal(err)
		}
	}
	repaired("2026-01-02 00:00:00+0000", "'(-100,100]'")
	enginetest.Doctor(t, cfg).Say(t, cassandra.FindingOK, "repair", "the tables were not repaired yet")
	repaired("2026-01-03 00:00:00+0000", "'(100,5000]', '(5000,-100]'")
	enginetest.Doctor(t, cfg).Say(t, cassandra.FindingWarning, "repair", "were not repaired since 2026-01-02; gc_grace_seconds is 10 days", "nodetool repair -pr "+keyspace)
	today := time.Now().UTC().Format(time.DateOnly)
	repaired(today+" 00:00:00+0000", "'(-100,100]', '(100,5000]', '(5000,-100]'")
	enginetest.Doctor(t, cfg).Say(t, cassandra.FindingOK, "repair", "all tables were repaired", today)
}

func (e *pair) doctorSeesAway(t *testing.T) {
	cfg := e.config("dc1")
	found := enginetest.Doctor(t, cfg)
	found.Say(t, cassandra.FindingWarning, "node", "all nodes of dc2 are down, or the line to it is", e.cluster.Addresses("dc2")[0])
	step := mailtest.ConsoleSection(t, "../../docs/observability.md", "Nodes or a datacenter are down")[0]
	if printed := found.Printed(); !step.Matches(printed) {
		t.Errorf("$ %s\nprints\n%s\nthe page says\n%s", step.Command, printed, step.Output)
	}
	if bad := found.Errors(); len(bad) > 0 {
		t.Errorf("dc1 can do without dc2: %+v", bad)
	}
	if err := e.s1.PutDomain(t.Context(), store.Domain{Name: "each.test", Durability: mail.DurabilityEach}); err != nil {
		t.Fatal(err)
	}
	enginetest.Doctor(t, cfg).Say(t, cassandra.FindingError, "durability", "1 domain", "refuse mail now", "dc2", "each.test")
	refusesSchema(t, cfg, e.cluster.Addresses("dc2")[0])
}

// While a replica is away Sweep fails and deletes nothing.
func (e *pair) sweepWaits(t *testing.T, gone mail.Message) {
	report, err := e.s1.Sweep(t.Context(), time.Now())
	enginetest.WantClass(t, "Sweep without dc2", err, store.ErrUnavailable)
	if report.Contents != 0 {
		t.Errorf("Sweep without dc2: %+v", report)
	}
	orphans, err := e.s1.SweepOrphans(t.Context(), time.Now(), time.Now())
	enginetest.WantClass(t, "SweepOrphans without dc2", err, store.ErrUnavailable)
	if orphans.Contents != 0 {
		t.Errorf("SweepOrphans without dc2: %+v", orphans)
	}
	all := e.s1.Levels().All // the level of the settings of every deletion
	_, err = all.Domain(t.Context(), "example.test")
	enginetest.WantClass(t, "a domain without dc2", err, store.ErrUnavailable)
	_, err = all.AddressRows(t.Context(), mail.Address{Local: "a", Domain: "example.test"})
	enginetest.WantClass(t, "an address without dc2", err, store.ErrUnavailable)
	if err := enginetest.Retrieve(t, e.s1, gone.ID, 10); err != nil {
		t.Error(err)
	}
}

// While a replica is down a check concludes nothing from the remaining replicas, and removes nothing.
// A content without an entry may be a message whose entry is still to arrive.
func (e *pair) checkWaits(t *testing.T, mb mail.MailboxID, unlisted mail.Message) {
	dangling := enginetest.Message(10)
	enginetest.Add(t, e.s1, mb, dangling)
	for _, o := range []task.CheckOptions{{}, {Repair: true, Force: true}, {Address: mail.Address{Local: "late", Domain: "example.test"}, Rebuild: true}} {
		s := enginetest.Check(t, e.s1, o)
		if s.Result != task.CheckFailed || !errors.Is(s.Err, task.ErrNotAll) || len(s.Report.Counts) > 0 {
			t.Errorf("%+v without dc2: %s, %v, %+v", o, s.Result, s.Err, s.Report)
		}
	}
	if err := enginetest.Has(t, e.s1, mb, dangling); err != nil {
		t.Errorf("after a check without dc2: %v", err)
	}
	if err := enginetest.Retrieve(t, e.s1, unlisted.ID, 10); err != nil {
		t.Errorf("after a check without dc2: %v", err)
	}
	if err := e.s1.RemoveMessages(t.Context(), mb, []mail.MessageID{dangling.ID}); err != nil {
		t.Fatal(err)
	}
}

// dc2 has an entry without its content: the content is read from dc1. While dc1 does not answer the
// outcome is unknown, and nothing changes.
func (e *pair) lagIsNotLoss(t *testing.T, mb mail.MailboxID, first, second mail.Message) {
	enginetest.Add(t, e.s1, mb, first, second)
	mailtest.WaitFor(t, 10*time.Minute, func() error { return enginetest.Has(t, e.s2, mb, second) })
	// On a busy machine dc1 may answer too late, but must not count as lost.
	mailtest.WaitFor(t, 10*time.Minute, func() error {
		err := enginetest.Retrieve(t, e.s2, first.ID, 700_000)
		if err != nil && !errors.Is(err, store.ErrUnavailable) {
			t.Fatalf("content in dc1 only: %v", err)
		}
		return err
	})
	dc1 := e.cluster.Node("dc1-1")
	if err := dc1.Pause(); err != nil {
		t.Fatal(err)
	}
	err := enginetest.Retrieve(t, e.s2, second.ID, 10)
	enginetest.WantClass(t, "content that is in dc1 only, which stands still", err, store.ErrUnavailable)
	if err := enginetest.Has(t, e.s2, mb, second); err != nil {
		t.Errorf("after a content was not found: %v", err)
	}
	if err := dc1.Resume(); err != nil {
		t.Fatal(err)
	}
	mailtest.WaitFor(t, 10*time.Minute, func() error { return enginetest.Retrieve(t, e.s2, second.ID, 10) })
	_, _, err = e.s2.OpenContent(t.Context(), enginetest.IDs.Next(), "")
	enginetest.WantClass(t, "content that is nowhere", err, store.ErrNotFound)
}

// A removal missed by dc2 reaches dc2 at a read of all replicas, and an entry added there afterwards
// stays removed. Its content can then be swept.
func (e *pair) removalSurvives(t *testing.T, mb mail.MailboxID, gone mail.Message) {
	if err := enginetest.Has(t, e.s2, mb, gone); err != nil {
		t.Fatalf("dc2 heard of the removal: %v", err)
	}
	mailtest.WaitFor(t, 10*time.Minute, func() error { // reads at ALL, and so repairs
		if _, err := e.s1.Sweep(t.Context(), time.Now()); err != nil {
			return err
		}
		if err := enginetest.Retrieve(t, e.s1, gone.ID, 10); !errors.Is(err, store.ErrNotFound) {
			return fmt.Errorf("the content of the removed message: %v", err) // the trash may be the share of a store that has just ended
		}
		return nil
	})
	enginetest.Add(t, e.s2, mb, gone)
	for _, s := range []*cassandra.Store{e.s1, e.s2} {
		if err := enginetest.Has(t, s, mb, gone); err == nil {
			t.Error("a removed message is back")
		}
		if err := enginetest.Retrieve(t, s, gone.ID, 10); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("swept content: %v, want %v", err, store.ErrNotFound)
		}
	}
}
