package nodes

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"popelago/cassandratest"
	"popelago/mail"
	"popelago/mailtest"
	"popelago/store"
	"popelago/store/cassandra"
	"popelago/store/enginetest"
)

// A node was down, no node kept hints, and the node misses 15,000 rows of one maildrop. A read of
// both datacenters repairs the missing rows before the answer, which takes too long for a whole page.
// The maildrop still opens, in smaller pages, and is complete; and the log gives the reason.
func TestMaildropThatMissedMuch(t *testing.T) {
	if os.Getenv("TEST_CHAOS") == "" {
		t.Skip("needs two nodes of its own, and takes some minutes: set TEST_CHAOS=1")
	}
	c := cassandratest.Start(t, cassandratest.Options{
		Datacenters: []cassandratest.Datacenter{{Name: "dc1", Nodes: 1}, {Name: "dc2", Nodes: 1}},
		Settings:    map[string]string{"hinted_handoff_enabled": "false", "read_request_timeout": "20s", "write_request_timeout": "20s"},
	})
	e := &pair{T: t, cluster: c}
	patient := e.config("dc1")
	patient.Timeout, patient.ConnectTimeout = time.Minute, time.Minute
	enginetest.Apply(t, patient)
	e.s1 = enginetest.Reopen(t, patient)

	mailbox := enginetest.Mailbox("long")
	var want []mail.MessageID
	node := c.Node("dc2-1")
	node.Kill()
	if err := c.WaitDown(t.Context(), node); err != nil {
		t.Fatal(err)
	}
	recipient := strings.Repeat("a", 60) + "@" + strings.Repeat("b", 60) + ".test"
	for range 30 {
		var entries []store.Entry
		for range 500 {
			want = append(want, enginetest.IDs.Next())
			entries = append(entries, store.Entry{Mailbox: mailbox, Message: mail.Message{ID: want[len(want)-1], Size: 10, Recipient: recipient}})
		}
		for _, err := range e.s1.AddMessages(t.Context(), entries) {
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	// As if the node had more to do.
	timeout := 20 * time.Millisecond
	restart := func() {
		if err := node.ChangeSettings(map[string]string{"read_request_timeout": fmt.Sprint(timeout.Milliseconds(), "ms")}); err != nil {
			t.Fatal(err)
		}
		node.Restart(t)
		if err := c.WaitSeen(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	restart()

	there := e.config("dc2")
	there.Timeout, there.ConnectTimeout = time.Minute, time.Minute
	w := watch(t, &there)
	mailtest.WaitFor(t, 10*time.Minute, func() (err error) {
		e.s2, err = cassandra.Open(t.Context(), there)
		return err
	})
	t.Cleanup(func() { e.s2.Close() })
	if few, err := enginetest.ListAll(t.Context(), e.s2, mailbox, 5000); err == nil && len(few) > 0 {
		t.Fatalf("the node has %d rows of its outage", len(few))
	}
	began, attempts := time.Now(), 0
	mailtest.WaitFor(t, 30*time.Minute, func() error {
		attempts++
		got, err := enginetest.ListAll(t.Context(), e.s2.Levels().Each, mailbox, 5000)
		if err != nil && attempts%5 == 0 {
			// On a busy machine even a small page takes longer.
			node.Kill()
			timeout *= 2
			restart()
		}
		if err == nil && !slices.Equal(enginetest.IDsOf(got...), want) {
			t.Fatalf("%d messages are listed, %d were stored", len(got), len(want))
		}
		return err
	})
	t.Logf("%d messages were listed after %v, in attempt %d, with a timeout of %v", len(want), time.Since(began).Round(time.Millisecond), attempts, timeout)
	w.logged("level=WARN", "a page of a maildrop's list timed out and is read in small pages", "mailbox="+mailbox.String(), "rows=5000", "next_rows=100")
}
