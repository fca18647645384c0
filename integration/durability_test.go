package integration

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"popelago/cassandratest"
	"popelago/mailtest"
)

// TestDurabilityEach: with durability = "each", what was acknowledged in one datacenter is
// there when all nodes of that are gone in the same moment; and a datacenter that cannot be
// reached is not passed over in silence.
func TestDurabilityEach(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a minute")
	}
	c := newCluster(t, datacenters.Get(t), "durability")
	const each = `cassandra.durability = "each"`
	refuses := c.start(t, "dc1", each)
	falls := c.start(t, "dc1", each, `cassandra.on_unreachable = "local"`)
	other := c.start(t, "dc2", each)
	host(t, refuses)
	a := refuses.account(t, "alice")
	sent := 0
	take := func(s *server, words string) string {
		sent++
		reply := deliver(t, s, a, sent)
		if !strings.HasPrefix(reply, "250 ") || !strings.Contains(reply, words) {
			t.Fatalf("message %d: %q, want 250 and %q", sent, reply, words)
		}
		return sender(fmt.Sprint(sent))
	}
	const everywhere, here = "stored in every datacenter", "stored in the local datacenter only"
	var acknowledged []string
	for _, s := range []*server{refuses, falls, other} {
		acknowledged = append(acknowledged, take(s, everywhere))
	}

	if err := c.Cut("dc1", "dc2"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Heal("dc1", "dc2") })
	sent++
	if reply := deliver(t, refuses, a, sent); !strings.HasPrefix(reply, "451 ") {
		t.Errorf("with the line cut: %q, want 451", reply)
	}
	local := take(falls, here)
	if err := c.WaitUnseen(deadline(t, nodesLimit), "dc1", "dc2"); err != nil {
		t.Fatal(err)
	}
	sent++ // now the nodes know, and nothing times out
	if reply := deliver(t, refuses, a, sent); !strings.HasPrefix(reply, "451 ") {
		t.Errorf("with the other datacenter known to be away: %q, want 451", reply)
	}
	take(falls, here)
	if got := marksOf(t, other, a); slices.Contains(got, local) {
		t.Errorf("the other datacenter has what crossed no line: %q", got)
	}
	if err := c.Heal("dc1", "dc2"); err != nil {
		t.Fatal(err)
	}
	c.waitSeen(t)
	mailtest.WaitFor(t, nodesLimit, func() error {
		sent++
		if reply := deliver(t, refuses, a, sent); !strings.HasPrefix(reply, "250 ") {
			return fmt.Errorf("with the line mended: %s", reply)
		}
		return nil
	})

	for range 30 {
		acknowledged = append(acknowledged, take(refuses, everywhere))
	}
	for _, n := range c.Datacenter("dc1") {
		n.Kill()
	}
	got := marksOf(t, other, a)
	for _, name := range acknowledged {
		if !slices.Contains(got, name) {
			t.Errorf("%s was acknowledged and is not there", name)
		}
	}
	t.Logf("%d acknowledged in every datacenter, %d messages left where one is gone", len(acknowledged), len(got))
	for _, n := range c.Datacenter("dc1") {
		n.Restart(t)
	}
	c.waitSeen(t)
	if err := cassandratest.Uncoordinated(c.Cluster); err != nil {
		t.Error(err)
	}
}

// deliver sends one message to a, marked with a number, and returns the reply for it.
func deliver(t testing.TB, s *server, a account, number int) string {
	t.Helper()
	c := mailtest.Dial(t, s.lmtp)
	defer c.Close()
	c.Timeout = 3 * time.Minute
	c.Expect("220 ")
	c.Cmd("LHLO tests.example")
	endReply(c)
	startTransaction(c, sender(fmt.Sprint(number)), []account{a})
	c.Cmd("DATA")
	c.Expect("250")
	if reply := c.Line(); !strings.HasPrefix(reply, "250") {
		return reply
	}
	c.Expect("354")
	c.Send(fmt.Sprintf("Subject: message %d\r\n\r\ntext\r\n.\r\n", number))
	return c.Line()
}

// marksOf reads a maildrop and returns the senders.
func marksOf(t testing.TB, s *server, a account) []string {
	t.Helper()
	var names []string
	for _, m := range s.maildrop(t, a) {
		names = append(names, sender(mark(m.octets)))
	}
	return names
}
