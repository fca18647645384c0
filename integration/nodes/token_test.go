package nodes

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"popelago/mail"
	"popelago/mailtest"
	"popelago/store/cassandra"
	"popelago/store/enginetest"
)

// ring is the map of tokens to nodes, read from one node.
type ring struct {
	*testing.T
	session  *gocql.Session
	keyspace string
	tokens   []int64
	owners   map[int64]string // the address of the node with a token
}

func newRing(t *testing.T, cfg cassandra.Config) *ring {
	r := &ring{T: t, session: enginetest.Session(t, cfg), keyspace: cfg.Keyspace, owners: map[int64]string{}}
	for _, n := range trio.Get(t).Nodes {
		s, err := n.Session(10 * time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		var tokens []string
		err = s.Query("SELECT tokens FROM system.local").Consistency(gocql.One).Scan(&tokens)
		s.Close()
		if err != nil {
			t.Fatal(err)
		}
		for _, text := range tokens {
			token, err := strconv.ParseInt(text, 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			r.tokens = append(r.tokens, token)
			r.owners[token] = n.Address
		}
	}
	slices.Sort(r.tokens)
	if len(r.owners) != len(r.tokens) {
		t.Fatalf("%d tokens, and %d of them differ: two nodes have the same", len(r.tokens), len(r.owners))
	}
	return r
}

// replica returns the node of a partition of a table with one replica: the node with the first token
// at or after the token of the partition. Cassandra itself computes the token.
func (r *ring) replica(table, key, where string, values ...any) string {
	r.Helper()
	var token int64
	if err := r.session.Query(fmt.Sprintf("SELECT token(%s) FROM %s.%s WHERE %s LIMIT 1", key, r.keyspace, table, where), values...).
		Consistency(gocql.One).Scan(&token); err != nil {
		r.Fatalf("the token of a partition of %s: %v", table, err)
	}
	i, _ := slices.BinarySearch(r.tokens, token)
	return r.owners[r.tokens[i%len(r.tokens)]]
}

// Every statement goes straight to a node that keeps its partition: with one replica of each
// partition, on three nodes, to exactly that node.
func TestTokenAware(t *testing.T) {
	cfg := onTrio(t, 1)
	var own observed
	cfg.Observe = own.observe
	s := enginetest.Open(t, cfg)
	connected(t, s, &own, 3)
	r := newRing(t, cfg)
	asked := map[string]int{}
	want := func(what, cql string, do func() error, replica func() string) {
		t.Helper()
		seen.Take()
		if err := do(); err != nil {
			t.Fatal(err)
		}
		list := slices.DeleteFunc(seen.Take(), func(st cassandra.Statement) bool { return !strings.HasPrefix(st.CQL, cql) })
		if len(list) != 1 {
			t.Fatalf("%s: %d statements beginning with %q: %v", what, len(list), cql, list)
		}
		if to := replica(); list[0].Host != to {
			t.Errorf("%s was sent to %s, and %s has the partition", what, list[0].Host, to)
		}
		asked[list[0].Host]++
	}
	for i := range 20 {
		mb, m := enginetest.Mailbox(fmt.Sprint("token", i)), enginetest.Message(10)
		id := gocql.UUID(m.ID)
		content := func() string { return r.replica("content", "message, chunk", "message = ? AND chunk = 0", id) }
		index := func() string {
			return r.replica("mailbox", "mailbox, segment", "mailbox = ? AND segment = 0", gocql.UUID(mb))
		}
		want("a content", "INSERT INTO content", func() error { enginetest.Put(t, s, m.ID, 10, mb); return nil }, content)
		want("reading a content", "SELECT data", func() error { return enginetest.Retrieve(t, s, m.ID, 10) }, content)
		want("an index row", "INSERT INTO mailbox", func() error { enginetest.Add(t, s, mb, m); return nil }, index)
		if err := r.session.Query("INSERT INTO "+cfg.Keyspace+".floor (mailbox, floor) VALUES (?, ?)", gocql.UUID(mb), gocql.MinTimeUUID(m.ID.Time().AddDate(-1, 0, 0))).Exec(); err != nil {
			t.Fatal(err)
		}
		list := func() error { _, err := enginetest.List(t.Context(), s, mb); return err }
		want("a floor", "SELECT floor", list, func() string { return r.replica("floor", "mailbox", "mailbox = ?", gocql.UUID(mb)) })
		want("a list", "SELECT message, size, recipient", list, index)
		to := index()
		remove := func() error { return s.RemoveMessages(t.Context(), mb, []mail.MessageID{m.ID}) }
		bulk := enginetest.Mailbox(fmt.Sprint("bulk", i))
		want("a marker", "INSERT INTO mailbox", func() error { _, err := s.SetBulk(t.Context(), bulk); return err }, func() string {
			return r.replica("mailbox", "mailbox, segment", "mailbox = ? AND segment = 0", gocql.UUID(bulk))
		})
		want("a removal", "DELETE FROM mailbox", remove, func() string { return to })
		want("trash, in a batch", "INSERT INTO trash", remove, func() string { return r.trash(mb) })
	}
	t.Logf("statements by node: %v", asked)
	// Tokens are distributed for three replicas: with one replica a node may have next to nothing.
	// But no node has all.
	if len(asked) < 2 {
		t.Errorf("all statements went to %v", asked)
	}
}

// connected waits until a store has a connection to so many nodes: it opens with the first one. A question for the
// clock goes to each node.
func connected(t *testing.T, s *cassandra.Store, own *observed, nodes int) {
	t.Helper()
	answered := map[string]bool{}
	mailtest.WaitFor(t, 10*time.Minute, func() error {
		if err := s.TrustClock(t.Context()); err != nil {
			return err
		}
		for _, st := range own.take() {
			if st.Err == nil {
				answered[st.Host] = true
			}
		}
		if len(answered) < nodes {
			return fmt.Errorf("%d nodes have answered, want %d", len(answered), nodes)
		}
		return nil
	})
}

// trash returns the node with the newest trash of a mailbox.
func (r *ring) trash(mb mail.MailboxID) string {
	r.Helper()
	rows := r.session.Query("SELECT datacenter, hour, shard, mailbox FROM " + r.keyspace + ".trash").Iter()
	var datacenter, mailbox string
	var hour, shard, newest, of int
	for rows.Scan(&datacenter, &hour, &shard, &mailbox) {
		if mailbox == mb.String() && hour > newest {
			newest, of = hour, shard
		}
	}
	if err := rows.Close(); err != nil || newest == 0 {
		r.Fatalf("no trash of mailbox %s: %v", mb, err)
	}
	return r.replica("trash", "datacenter, hour, shard", "datacenter = ? AND hour = ? AND shard = ?", "dc1", newest, of)
}
