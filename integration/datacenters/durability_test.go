package datacenters

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"popelago/cassandratest"
	"popelago/integration/servertest"
	"popelago/integration/sitetest"
	"popelago/mailtest"
)

// TestDurabilityEach: with durability = "each", all mail acknowledged in one datacenter is present
// when all its nodes die in the same moment; and an unreachable datacenter is reported. Messages
// removed before a cut are restored during the cut, once.
func TestDurabilityEach(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a minute")
	}
	c := sitetest.NewCluster(t, datacenters.Get(t))
	const each = `cassandra.durability = "each"`
	refuses := c.Start(t, "dc1", each)
	falls := c.Start(t, "dc1", each, `cassandra.on_unreachable = "local"`)
	other := c.Start(t, "dc2", each)
	sitetest.Host(t, refuses)
	a := refuses.Account(t, "alice")
	sent := 0
	const everywhere, here = "stored in every datacenter", "stored in the local datacenter only"
	take := func(s *servertest.Server, words string) string {
		reply := ""
		mailtest.WaitFor(t, sitetest.Limit, func() error { // a busy machine is no fault
			sent++
			reply = deliver(t, s, a, sent)
			// A server that may fall back also does so because the other datacenter is slow.
			if strings.HasPrefix(reply, "451 ") || s == falls && words == everywhere && strings.Contains(reply, here) {
				return fmt.Errorf("message %d: %q", sent, reply)
			}
			return nil
		})
		if !strings.HasPrefix(reply, "250 ") || !strings.Contains(reply, words) {
			t.Fatalf("message %d: %q, want 250 and %q", sent, reply, words)
		}
		return fmt.Sprint(sent)
	}
	var acknowledged []string
	for _, s := range []*servertest.Server{refuses, falls, other} {
		acknowledged = append(acknowledged, take(s, everywhere))
	}

	removed := removeBeforeCut(t, falls)
	if err := c.Cut("dc1", "dc2"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Heal("dc1", "dc2") })
	sent++
	if reply := deliver(t, refuses, a, sent); !strings.HasPrefix(reply, "451 ") {
		t.Errorf("with the line cut: %q, want 451", reply)
	}
	local := take(falls, here)
	if err := c.WaitUnseen(servertest.Deadline(t, sitetest.Limit), "dc1", "dc2"); err != nil {
		t.Fatal(err)
	}
	sent++ // the nodes know the outage, and nothing times out
	if reply := deliver(t, refuses, a, sent); !strings.HasPrefix(reply, "451 ") {
		t.Errorf("with a known outage of the other datacenter: %q, want 451", reply)
	}
	take(falls, here)
	removed.duringCut(t, falls, other)
	if got := namesIn(t, other, a); slices.Contains(got, local) {
		t.Errorf("the other datacenter has a message that crossed no line: %q", got)
	}
	if err := c.Heal("dc1", "dc2"); err != nil {
		t.Fatal(err)
	}
	c.WaitWhole(t)
	mailtest.WaitFor(t, sitetest.Limit, func() error {
		sent++
		if reply := deliver(t, refuses, a, sent); !strings.HasPrefix(reply, "250 ") {
			return fmt.Errorf("with the line mended: %s", reply)
		}
		return nil
	})
	removed.afterCut(t, other, falls)

	for range 30 {
		acknowledged = append(acknowledged, take(refuses, everywhere))
	}
	for _, n := range c.Datacenter("dc1") {
		if err := n.Pause(); err != nil { // a start, after a kill, takes half a minute
			t.Fatal(err)
		}
		t.Cleanup(func() { n.Resume() })
	}
	got := namesIn(t, other, a)
	for _, name := range acknowledged {
		if !slices.Contains(got, name) {
			t.Errorf("message %s was acknowledged and is not there", name)
		}
	}
	t.Logf("%d acknowledged in every datacenter, %d messages left in the remaining datacenter", len(acknowledged), len(got))
	for _, n := range c.Datacenter("dc1") {
		if err := n.Resume(); err != nil {
			t.Fatal(err)
		}
	}
	c.WaitWhole(t)
	if err := cassandratest.Uncoordinated(c.Cluster); err != nil {
		t.Error(err)
	}
}

// deliver sends one message to a, with a number for its name, and returns the reply for it.
func deliver(t testing.TB, s *servertest.Server, a servertest.Account, number int) string {
	t.Helper()
	c := s.LMTPSession(t)
	defer c.Close()
	c.Timeout = sitetest.Limit
	return servertest.TryDeliver(t, c, true, fmt.Sprint(number), []servertest.Account{a})[0]
}

// namesIn reads a maildrop and returns the names of its messages.
func namesIn(t testing.TB, s *servertest.Server, a servertest.Account) []string {
	t.Helper()
	var names []string
	for _, m := range s.Maildrop(t, a) {
		names = append(names, servertest.Mark(m.Octets))
	}
	return names
}
