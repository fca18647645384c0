package delivery_test

import (
	"context"
	"errors"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"popelago/account"
	"popelago/cassandratest"
	"popelago/delivery"
	"popelago/delivery/deliverytest"
	"popelago/ledger"
	"popelago/mail"
	"popelago/maildrop"
	"popelago/mailtest"
	"popelago/store"
	"popelago/store/cassandra"
)

// cluster is one node.
var cluster = cassandratest.Lazy{Options: cassandratest.Options{Unkilled: true, Settings: map[string]string{
	// A busy machine is no fault.
	"read_request_timeout": "20s", "write_request_timeout": "20s",
}}, After: cassandratest.Uncoordinated}

func TestMain(m *testing.M) { os.Exit(cluster.Main(m)) }

// server is a server with the cluster as its store.
type server struct {
	*deliverytest.Server
	store.Engine
	add     map[string]string // the fate of rows, see deliverytest.AddAs
	before  func()            // rows are written
	between func()            // the first row and the others

	mu         sync.Mutex
	statements []string // since the last call of took
	recorded   int      // rows of journals

	dir *account.Directory
}

func (s *server) AddMessages(ctx context.Context, entries []store.Entry) []error {
	if s.before != nil {
		s.before()
	}
	if s.between == nil {
		return deliverytest.AddAs(ctx, s.Engine, s.add, entries)
	}
	errs := deliverytest.AddAs(ctx, s.Engine, s.add, entries[:1])
	s.between()
	return append(errs, deliverytest.AddAs(ctx, s.Engine, s.add, entries[1:])...)
}

// observe notes the statements on tables of a delivery.
func (s *server) observe(st cassandra.Statement) {
	words := strings.Fields(st.CQL)
	verb, table := words[0], words[slices.Index(words, map[string]string{"INSERT": "INTO"}[words[0]])+1]
	if verb != "INSERT" {
		table = words[slices.Index(words, "FROM")+1]
	}
	if slices.Contains([]string{"server", "progress", "floor", "watermark"}, table) || strings.Contains(table, ".") {
		return // the engine's own business
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if table == "trace" || table == "audit" {
		s.recorded += len(st.Values)
	}
	s.statements = append(s.statements, strings.ToLower(verb)+" "+table)
}

// took returns the statements since the last call.
func (s *server) took() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := s.statements
	s.statements = nil
	return strings.Join(list, ", ")
}

// config returns the configuration of the engine. Its background work, which the servers divide, runs
// only when a test starts it, and spares no young id.
func config(t *testing.T) cassandra.Config {
	t.Helper()
	if testing.Short() {
		t.Skip("needs a Cassandra node")
	}
	return cassandra.Config{
		Hosts: cluster.Get(t).Addresses("dc1"), Datacenter: "dc1", Keyspace: "delivery_test",
		Replication: map[string]int{"dc1": 1}, SpoolDir: t.TempDir(), ConnectTimeout: 30 * time.Second,
		Window: time.Nanosecond, FloorEvery: 1, ScanRate: 1e6, QueueTime: time.Minute, ClockEvery: time.Minute,
	}
}

// servers returns two servers with accounts alice, bob and root in a domain of the test. They exchange
// attempts when share is called. The clock of the second server is ahead by later.
func servers(t *testing.T, later time.Duration) (pair [2]*server, domain string) {
	t.Helper()
	cfg := config(t)
	if _, err := cassandra.Apply(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	domain = strings.ToLower(strings.ReplaceAll(t.Name(), "/", ".")) + ".test"
	for i := range pair {
		s := &server{add: map[string]string{}}
		cfg.Observe = s.observe
		cfg.Server = t.Name() + string(rune('a'+i))
		cfg.Timeout = 30 * time.Second
		engine, err := cassandra.Open(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { engine.Close() })
		s.Engine = engine
		dir, err := account.New(account.Config{Argon2Memory: 8, Argon2Time: 1}, store.Single(s).Directory, nil)
		if err != nil {
			t.Fatal(err)
		}
		if i == 1 { // with time for a busy machine
			if _, err := dir.AddDomain(t.Context(), domain); err != nil {
				t.Fatal(err)
			}
			for _, local := range []string{"alice", "bob", "root"} {
				if _, err := dir.AddAccount(t.Context(), mail.Address{Local: local, Domain: domain}, "secret"); err != nil {
					t.Fatal(err)
				}
			}
		}
		now := func() time.Time { return time.Now().Add(time.Duration(i) * later) }
		s.Server = deliverytest.NewServer(t, delivery.Config{Now: now}, ledger.Config{Poll: time.Millisecond}, dir, store.Single(s), nil)
		pair[i], s.dir = s, dir
	}
	return pair, domain
}

// openImpatient opens the engine of a server with a short time-out. On a busy machine that takes several attempts.
func openImpatient(t *testing.T, s *server) (engine store.Engine) {
	t.Helper()
	cfg := config(t)
	cfg.Observe, cfg.Server, cfg.Timeout = s.observe, t.Name()+" impatient", 3*time.Second
	mailtest.WaitFor(t, 10*time.Minute, func() error {
		st, err := cassandra.Open(t.Context(), cfg)
		if err == nil {
			engine = st
			t.Cleanup(func() { st.Close() })
		}
		return err
	})
	return engine
}

// send delivers a text by SMTP, from a host.
func (s *server) send(t *testing.T, domain, host, text string, locals ...string) delivery.Result {
	t.Helper()
	e := mail.Envelope{ReversePath: "sender@example.org", SingleReply: true, Received: mail.Received{Remote: netip.MustParseAddr(host)}}
	for _, local := range locals {
		r, err := s.Check(t.Context(), mail.Address{Local: local, Domain: domain})
		if err != nil {
			t.Fatal(err)
		}
		e.Recipients = append(e.Recipients, r...)
	}
	s.took()
	return deliverytest.Finish(t, s.Deliverer, e, text)
}

func (s *server) share(t *testing.T) {
	t.Helper()
	mailtest.WaitFor(t, 10*time.Minute, func() error { return s.Ledger.Exchange(t.Context()) })
}

// wantCopies checks the number of messages in a mailbox, and their content.
func (s *server) wantCopies(t *testing.T, domain, local string, n int) *maildrop.Maildrop {
	t.Helper()
	box := mail.DeriveMailboxID(mail.Address{Local: local, Domain: domain}, mail.MessageID{})
	drop, err := maildrop.Open(t.Context(), store.Single(s.Engine).Mail, box, maildrop.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if drop.Len() != n {
		t.Fatalf("%s has %d messages, want %d", local, drop.Len(), n)
	}
	for i := range n {
		r, err := drop.Read(t.Context(), i+1)
		if err != nil {
			t.Fatal(err)
		}
		b := new(strings.Builder)
		if _, err := r.WriteTo(b); err != nil || int64(b.Len()) != r.Size || !strings.HasSuffix(b.String(), deliverytest.Sample) {
			t.Errorf("message %d of %s: %d octets of %d, %v", i+1, local, b.Len(), r.Size, err)
		}
		r.Close()
	}
	return drop
}

const (
	host      = "192.0.2.1"
	neighbour = "192.0.2.2"
	stranger  = "198.51.100.1"
)

// TestNodeStandsStill: a write times out with an unknown outcome, and so does the insert of the
// attempt. When the node answers again, the sender repeats at another server.
func TestNodeStandsStill(t *testing.T) {
	pair, domain := servers(t, 0)
	impatient := openImpatient(t, pair[0])
	node := cluster.Get(t).Node("dc1-1")
	resume := func() {
		if err := node.Resume(); err != nil {
			t.Error(err)
		}
	}
	defer resume()
	pair[0].before = func() {
		pair[0].Engine = impatient
		if err := node.Pause(); err != nil {
			t.Error(err)
		}
	}
	first := pair[0].send(t, domain, host, deliverytest.Sample, "alice")
	deliverytest.Want(t, first, "unknown")
	if err := pair[0].Ledger.Exchange(t.Context()); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("Exchange: %v", err)
	}
	resume()
	pair[0].share(t)
	pair[1].share(t)
	res := pair[1].send(t, domain, neighbour, deliverytest.Sample, "alice")
	deliverytest.Want(t, res, "ok")
	if !res.Repeated || res.ID != first.ID {
		t.Errorf("%+v, before %s", res, first.ID)
	}
	if got := pair[1].took(); got != "select ledger, delete ledger, insert mailbox" {
		t.Errorf("statements: %s", got)
	}
	pair[1].wantCopies(t, domain, "alice", 1)
}

// TestNodeBudget: a delivery without fault pays nothing for the ledger.
func TestNodeBudget(t *testing.T) {
	pair, domain := servers(t, 0)
	s := pair[0]
	for range 2 {
		deliverytest.Want(t, s.send(t, domain, host, deliverytest.Sample, "alice"), "ok")
		if got := s.took(); got != "insert content, insert mailbox" {
			t.Errorf("statements: %s", got)
		}
	}
	s.wantCopies(t, domain, "alice", 2)
	s.add["bob"] = "unavailable"
	deliverytest.Want(t, s.send(t, domain, host, "X"+deliverytest.Sample, "alice", "bob"), "ok", "unavailable")
	if got := s.took(); got != "insert content, insert mailbox, insert ledger" {
		t.Errorf("statements: %s", got)
	}
	s.took()
	s.share(t)
	for n := range strings.SplitSeq(s.took(), ", ") {
		if n != "select ledger" {
			t.Errorf("sharing does %s", n)
		}
	}
	delete(s.add, "bob")
	deliverytest.Want(t, s.send(t, domain, host, "X"+deliverytest.Sample, "alice", "bob"), "ok", "ok")
	if got := s.took(); got != "select ledger, delete ledger, insert mailbox" {
		t.Errorf("statements: %s", got)
	}
	s.wantCopies(t, domain, "alice", 3)
	s.wantCopies(t, domain, "bob", 1)
}

// TestNodeOther: different octets, or a different network, make another message.
func TestNodeOther(t *testing.T) {
	pair, domain := servers(t, 0)
	pair[0].add["alice"] = "unknown"
	deliverytest.Want(t, pair[0].send(t, domain, host, deliverytest.Sample, "alice"), "unknown")
	pair[1].share(t)
	for _, res := range []delivery.Result{
		pair[1].send(t, domain, host, "X"+deliverytest.Sample, "alice"), pair[1].send(t, domain, stranger, deliverytest.Sample, "alice"),
	} {
		deliverytest.Want(t, res, "ok")
		deliverytest.WantRepeated(t, res, false)
	}
	deliverytest.WantRepeated(t, pair[1].send(t, domain, host, deliverytest.Sample, "alice"), true)
	pair[1].wantCopies(t, domain, "alice", 3)
	// The attempt is used, also for the server that entered it.
	delete(pair[0].add, "alice")
	deliverytest.WantRepeated(t, pair[0].send(t, domain, host, deliverytest.Sample, "alice"), false)
	pair[1].wantCopies(t, domain, "alice", 4)
}

// TestNodeRemoved: a repetition does not restore a removed message.
func TestNodeRemoved(t *testing.T) {
	pair, domain := servers(t, 0)
	pair[0].add["alice"] = "unknown"
	deliverytest.Want(t, pair[0].send(t, domain, host, deliverytest.Sample, "alice"), "unknown")
	drop := pair[1].wantCopies(t, domain, "alice", 1)
	if err := drop.Mark(1); err != nil {
		t.Fatal(err)
	}
	if _, err := drop.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	pair[1].share(t)
	res := pair[1].send(t, domain, host, deliverytest.Sample, "alice")
	deliverytest.Want(t, res, "ok")
	deliverytest.WantRepeated(t, res, true)
	pair[1].wantCopies(t, domain, "alice", 0)
}

// TestNodeLate: an old id gets no more rows. A stored row stays; a missing row is removed, so that a
// late write has no effect.
func TestNodeLate(t *testing.T) {
	for _, how := range []string{"unknown", "lost"} {
		t.Run(how, func(t *testing.T) {
			pair, domain := servers(t, 31*time.Minute)
			pair[0].add["alice"], pair[0].add["bob"] = how, "unavailable"
			first := pair[0].send(t, domain, host, deliverytest.Sample, "alice", "bob")
			deliverytest.Want(t, first, "unknown", "unavailable")
			pair[1].share(t)
			res := pair[1].send(t, domain, host, deliverytest.Sample, "alice", "bob")
			deliverytest.Want(t, res, "ok", "ok")
			deliverytest.WantAnew(t, res, first)
			pair[1].wantCopies(t, domain, "alice", 1)
			pair[1].wantCopies(t, domain, "bob", 1)
			if how == "unknown" {
				return
			}
			// The first write arrives late.
			box := mail.DeriveMailboxID(mail.Address{Local: "alice", Domain: domain}, mail.MessageID{})
			if err := pair[0].Engine.AddMessages(t.Context(), []store.Entry{{Mailbox: box, Message: mail.Message{ID: first.ID, Size: 1}}})[0]; err != nil {
				t.Fatal(err)
			}
			pair[1].wantCopies(t, domain, "alice", 1)
		})
	}
}

// TestNodeReplyLost: a server stops while a reply is in flight, and its client repeats at another
// server.
func TestNodeReplyLost(t *testing.T) {
	pair, domain := servers(t, 0)
	res := pair[0].send(t, domain, host, deliverytest.Sample, "alice", "bob")
	deliverytest.Want(t, res, "ok", "ok")
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	pair[0].ReplyLost(ended, res)
	pair[1].share(t)
	res = pair[1].send(t, domain, neighbour, deliverytest.Sample, "alice", "bob")
	deliverytest.Want(t, res, "ok", "ok")
	deliverytest.WantRepeated(t, res, true)
	if got := pair[1].took(); got != "select ledger, delete ledger" {
		t.Errorf("statements: %s", got)
	}
	pair[1].wantCopies(t, domain, "alice", 1)
	pair[1].wantCopies(t, domain, "bob", 1)
}
