package nodes

import (
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"
	"golang.org/x/sync/errgroup"

	"popelago/mail"
	"popelago/maildrop"
	"popelago/mailtest"
	"popelago/pop3server/pop3test"
	"popelago/store"
	"popelago/store/cassandra"
	"popelago/store/enginetest"
)

// cost counts the reads of a login on the nodes, by their own traces. Of the replicas of a
// statement, the replica that read most counts.
type cost struct {
	statements int
	rows       int
	tombstones int             // tombstones skipped
	most       int             // tombstones skipped by one statement
	aborted    int             // statements abandoned by a node for too many tombstones
	inVain     int             // tombstones skipped by the abandoned statements
	nodes      map[string]bool // which replicas were read
}

func (c cost) String() string {
	return fmt.Sprintf("%d statements, %d rows, %d tombstones; %d given up, with %d of these; at most %d in one statement",
		c.statements, c.rows, c.tombstones, c.aborted, c.inVain, c.most)
}

// costOf adds up statements.
func costOf(list []traced) (c cost) {
	c.nodes = map[string]bool{}
	for _, st := range list {
		live, tombstones := 0, 0
		for _, r := range st.reads {
			live, tombstones = max(live, r.live), max(tombstones, r.tombstones)
			c.nodes[r.node] = true
		}
		c.statements++
		c.rows += live
		c.tombstones += tombstones
		c.most = max(c.most, tombstones)
		if st.aborted {
			c.aborted++
			c.inVain += tombstones
		}
	}
	return c
}

// removals is a test of reads in mailboxes with many removals.
type removals struct {
	*testing.T
	cfg     cassandra.Config
	session *gocql.Session
	store   *cassandra.Store // not traced
	pop     *pop3test.Fixture
}

// idsBetween makes n ids, evenly from one moment to another.
func idsBetween(from, to time.Time, n int) []mail.MessageID {
	at, step := from, to.Sub(from)/time.Duration(n)
	source := mail.NewIDSource(func() time.Time { at = at.Add(step); return at })
	list := make([]mail.MessageID, n)
	for i := range list {
		list[i] = source.Next()
	}
	return list
}

// inDays returns the segment of a message of a bulk mailbox, ordinary the segment of all other
// messages.
func inDays(id mail.MessageID) int { return enginetest.DayOf(id.Time()) }

func ordinary(mail.MessageID) int { return 0 }

// drained makes messages of a mailbox that were delivered, listed and removed again. The rows are
// written in batches, for speed, and removed in the normal way.
func (r *removals) drained(mailbox mail.MailboxID, segment func(mail.MessageID) int, gone []mail.MessageID) {
	r.Helper()
	r.each(gone, 250, func(some []mail.MessageID) error { // nodes refuse larger batches over several days
		b := r.session.Batch(gocql.UnloggedBatch).Consistency(gocql.LocalQuorum).DefaultTimestamp(false).
			RetryPolicy(&gocql.SimpleRetryPolicy{NumRetries: 5}) // a node is killed
		for _, id := range some {
			b.Entries = append(b.Entries, gocql.BatchEntry{
				Stmt: "INSERT INTO " + r.cfg.Keyspace + ".mailbox (mailbox, segment, message, size, recipient, origin) " +
					"VALUES (?, ?, ?, 8192, ?, 'dc1') USING TIMESTAMP ?",
				Args:       []any{gocql.UUID(mailbox), segment(id), gocql.UUID(id), pop3test.Recipient, id.Micros()},
				Idempotent: true,
			})
		}
		return b.Exec()
	})
	m, err := maildrop.Open(r.Context(), store.New(r.store.Levels()).Mail, mailbox, maildrop.Options{})
	if err != nil || m.Len() < len(gone) {
		r.Fatalf("a mailbox with %d messages and more: %v", len(gone), err)
	}
	r.each(gone, 500, func(some []mail.MessageID) error { return r.store.RemoveMessages(r.Context(), mailbox, some) })
}

// each calls f for some ids at a time.
func (r *removals) each(ids []mail.MessageID, n int, f func([]mail.MessageID) error) {
	r.Helper()
	var group errgroup.Group
	group.SetLimit(4)
	for some := range slices.Chunk(ids, n) {
		group.Go(func() error { return f(some) })
	}
	if err := group.Wait(); err != nil {
		r.Fatal(err)
	}
}

// deliver adds messages to a mailbox that is bulk since a moment; the zero time means an ordinary
// mailbox.
func (r *removals) deliver(mailbox mail.MailboxID, bulk time.Time, fresh []mail.MessageID) {
	r.Helper()
	var rows []mail.Message
	for _, id := range fresh {
		rows = append(rows, mail.Message{ID: id, Size: 100, Recipient: pop3test.Recipient})
	}
	enginetest.AddBulk(r, r.store, mailbox, bulk, rows...)
}

// raiseFloor waits until a floor rises.
func (r *removals) raiseFloor() {
	r.Helper()
	mailtest.WaitFor(r, 10*time.Minute, func() error {
		report, err := r.store.RaiseFloors(r.Context())
		if err == nil && report.Raised == 0 {
			err = fmt.Errorf("no floor has risen: %+v", report)
		}
		return err
	})
}

// login is PASS and STAT on a freshly started server; it returns their cost.
func (r *removals) login(user string) cost {
	r.Helper()
	var seen traces
	cfg := r.cfg
	cfg.Trace = seen.trace
	pop := r.pop.On(r, store.New(enginetest.Reopen(r, cfg).Levels()), pop3test.Config{})
	c := pop.Client(r)
	c.Do("USER "+user, "+OK")
	c.Do("PASS "+pop3test.Password, "+OK")
	c.Do("STAT", "+OK 10 1000")
	c.Do("QUIT", "+OK")
	return costOf(seen.take(r, r.session, 2))
}

// A login costs as much as on a fresh mailbox, whatever was removed before, by the traces of the
// nodes: also on freshly started servers and nodes. While the floor cannot rise because a node is
// down, a login passes over the removals since the floor last rose, and over no earlier ones; no read
// passes over more tombstones than a node allows, and none fails because of them. In a bulk mailbox
// no read passes over more than the removals of one day.
//
// TEST_CHAOS=1 makes 200,000 removals.
func TestLoginAfterRemovals(t *testing.T) {
	const (
		later = 10_000 // removed while a node is away
		live  = 10
		daily = 1000 // removed of each day from a bulk mailbox, while a node is away
	)
	first := 10_000 // removed while all is well; more than a node may skip
	days := 7
	if os.Getenv("TEST_CHAOS") != "" {
		first, days = 190_000, 20
	}
	cfg := onTrio(t, 3)
	enginetest.Apply(t, cfg)
	enginetest.Truncate(t, cfg)
	w := watch(t, &cfg)
	s := enginetest.Reopen(t, cfg)
	cfg.Registerer, cfg.Logger = nil, nil // of s alone
	r := &removals{T: t, cfg: cfg, session: enginetest.Session(t, cfg), store: s}
	r.pop = pop3test.New(t, store.New(s.Levels()), pop3test.Config{}, false)
	now := time.Now()
	ago := func(d time.Duration) time.Time { return now.Add(-d) }
	r.deliver(r.pop.Bob, time.Time{}, idsBetween(ago(3*time.Hour), ago(2*time.Hour), live))

	began := time.Now()
	r.drained(r.pop.Alice, ordinary, idsBetween(ago(40*24*time.Hour), ago(72*time.Hour), first))
	old := idsBetween(ago(71*time.Hour), ago(70*time.Hour), live)
	r.deliver(r.pop.Alice, time.Time{}, old)
	t.Logf("%d messages delivered and removed: %v", first, time.Since(began).Round(time.Millisecond))
	r.raiseFloor()
	fresh := r.login("bob")
	t.Logf("on a fresh mailbox: %v", fresh)
	r.wantLike(fresh, fmt.Sprint("after removals: ", first), r.login("alice"))

	// A node is away.
	away := trio.Get(t).Node("dc1-3")
	away.Kill()
	t.Cleanup(func() {
		if !away.Running() {
			away.Restart(t)
		}
	})
	w.logged("level=WARN", "Cassandra nodes do not answer", "datacenter=dc1", "nodes="+away.Address, "up=2", "down=1")
	w.counted("dc1", 2, 1)
	if err := s.RemoveMessages(t.Context(), r.pop.Alice, old); err != nil {
		t.Fatal(err)
	}
	r.drained(r.pop.Alice, ordinary, idsBetween(ago(69*time.Hour), ago(3*time.Hour), later))
	r.deliver(r.pop.Alice, time.Time{}, idsBetween(ago(2*time.Hour), ago(90*time.Minute), live))
	dave := r.pop.AddAccount(t, "dave")
	since := ago(time.Duration(days) * 24 * time.Hour)
	r.deliver(dave, since, idsBetween(ago(2*time.Hour), ago(90*time.Minute), live))
	r.drained(dave, inDays, idsBetween(since, ago(3*time.Hour), daily*days))
	if report, err := s.RaiseFloors(t.Context()); err == nil {
		t.Fatalf("the floor has risen without asking all replicas: %+v", report)
	}
	r.wantSince(live+later, "while a replica is down", r.login("alice"))
	bulk := r.login("dave")
	t.Logf("a bulk mailbox while a replica is down: %v", bulk)
	if bulk.aborted != 0 || bulk.most > daily+daily/10 || bulk.statements > fresh.statements+days+3 {
		t.Errorf("a bulk mailbox: %v; %d of each of %d days were removed", bulk, daily, days)
	}
	away.Restart(t)
	if err := trio.Get(t).WaitSeen(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.logged("level=INFO", "Cassandra nodes are back", "datacenter=dc1", away.Address, "down=0")
	w.counted("dc1", 3, 0)
	w.quiet()
	mailtest.WaitFor(t, 10*time.Minute, func() error {
		got := r.login("alice")
		r.wantSince(live+later, "right after the restart of a node", got)
		if !got.nodes[away.Address] {
			return fmt.Errorf("%s has not been read yet", away.Address)
		}
		return nil
	})

	r.raiseFloor()
	r.wantLike(fresh, fmt.Sprint("after removals: ", first+later), r.login("alice"))
	if again := r.login("dave"); again.tombstones > 3 || again.rows > bulk.rows+1 {
		t.Errorf("a bulk mailbox after its floor has risen: %v", again)
	}
}

// wantLike checks that a login costs as much as a login on a fresh mailbox.
func (r *removals) wantLike(fresh cost, what string, got cost) {
	r.Helper()
	r.Logf("%s: %v", what, got)
	if 2*got.statements > 3*fresh.statements || 2*got.rows > 3*fresh.rows || got.most > 1 {
		r.Errorf("%s: %v; on a fresh mailbox: %v", what, got, fresh)
	}
}

// wantSince checks that a login passes once over the removals since the floor rose, and that no
// statement passes over more than a node allows. A larger statement is tried again in halves: the
// abandoned statements have skipped at most twice as much.
func (r *removals) wantSince(since int, what string, got cost) {
	r.Helper()
	r.Logf("%s: %v", what, got)
	if once := got.tombstones - got.inVain; once > since+1 || got.inVain > 3*since || got.most > trioTombstones+1 {
		r.Errorf("%s: %v; %d were removed since the floor rose, and a node allows %d", what, got, since, trioTombstones)
	}
}
