package nodes

import (
	"fmt"
	"os"
	"testing"
	"time"

	"popelago/cassandratest"
	"popelago/mail"
	"popelago/mailtest"
	"popelago/store/cassandra"
	"popelago/store/enginetest"
)

// The line between two datacenters is cut. Both continue to accept, list, read and remove mail, and
// agree when the line is back: both have all acknowledged mail of both, and no removed mail of
// either.
func TestCutLine(t *testing.T) {
	if os.Getenv("TEST_CHAOS") == "" {
		t.Skip("takes two minutes: set TEST_CHAOS=1")
	}
	c := cassandratest.Start(t, cassandratest.Options{
		Datacenters: []cassandratest.Datacenter{{Name: "dc1", Nodes: 1}, {Name: "dc2", Nodes: 1}},
		Link:        true,
		Settings:    map[string]string{"hints_flush_period": "1000ms"},
	})
	e := &pair{T: t, cluster: c}
	enginetest.Apply(t, e.config("dc1"))
	e.s1, e.s2 = enginetest.Reopen(t, e.config("dc1")), enginetest.Reopen(t, e.config("dc2"))
	mb := enginetest.Mailbox("cut")
	var alive, gone []mail.Message
	for range 20 {
		alive, gone = append(alive, enginetest.Message(100)), append(gone, enginetest.Message(100))
	}
	for _, m := range append(alive, gone...) {
		enginetest.Put(t, e.s1, m.ID, 100, mb)
		enginetest.Add(t, e.s1, mb, m)
	}
	agree := func() {
		t.Helper()
		for _, s := range []*cassandra.Store{e.s1, e.s2} {
			mailtest.WaitFor(t, 10*time.Minute, func() error {
				rows, err := enginetest.List(t.Context(), s, mb)
				if err != nil || len(rows) != len(alive) {
					return fmt.Errorf("%d messages, want %d (%v)", len(rows), len(alive), err)
				}
				return nil
			})
			for _, m := range alive {
				if err := enginetest.Has(t, s, mb, m); err != nil {
					t.Error(err)
				}
				mailtest.WaitFor(t, 10*time.Minute, func() error { return enginetest.Retrieve(t, s, m.ID, 100) })
			}
		}
	}
	alive = append(alive, gone...)
	agree()
	alive = alive[:len(alive)-len(gone)]

	if err := c.Cut("dc1", "dc2"); err != nil {
		t.Fatal(err)
	}
	// Before the nodes know, and when they do.
	for i := range 2 {
		for j, s := range []*cassandra.Store{e.s1, e.s2} {
			for range 10 {
				m := enginetest.Message(100)
				enginetest.Put(t, s, m.ID, 100, mb)
				enginetest.Add(t, s, mb, m)
				alive = append(alive, m)
				if err := enginetest.Retrieve(t, s, m.ID, 100); err != nil {
					t.Error(err)
				}
			}
			// Each side removes some messages, and both remove some of the same.
			some := []mail.MessageID{gone[0].ID}
			for _, m := range gone[10*i+5*j:][:5] {
				some = append(some, m.ID)
			}
			if err := s.RemoveMessages(t.Context(), mb, some); err != nil {
				t.Error(err)
			}
		}
		if _, err := e.s1.Sweep(t.Context(), time.Now()); err == nil {
			t.Error("Sweep worked without the other datacenter")
		}
		if err := c.WaitUnseen(t.Context(), "dc1", "dc2"); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.Heal("dc1", "dc2"); err != nil {
		t.Fatal(err)
	}
	if err := c.WaitSeen(t.Context()); err != nil {
		t.Fatal(err)
	}
	agree()
	t.Logf("%d messages in both, %d removed in both", len(alive), len(gone))
	if err := seen.Uncoordinated(c); err != nil {
		t.Error(err)
	}
}
