package nodes

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"popelago/mail"
	"popelago/mailtest"
	"popelago/store"
	"popelago/store/cassandra"
	"popelago/store/enginetest"
)

// bulkLag shows the list of a datacenter without the marker of a bulk mailbox: always its own
// deliveries, the deliveries of the other datacenter once the marker arrives, and no removed message.
func (e *pair) bulkLag(t *testing.T) {
	mb, since := enginetest.Mailbox("bulk"), time.Now().Add(-24*time.Hour)
	missed, arrived, own, gone := enginetest.Message(1), enginetest.Message(2), enginetest.Message(3), enginetest.Message(4)
	grown, again := enginetest.Mailbox("grown"), enginetest.Mailbox("marked again")
	m1, m2 := enginetest.Message(1), enginetest.Message(2)
	e.away("dc2-1", func() {
		enginetest.AddBulk(t, e.s1, mb, since, missed)
		enginetest.AddBulk(t, e.s1, again, since, m1)
		e.grownWithoutAll(t, grown)
		err := e.s1.Levels().Each.AddMessages(t.Context(), []store.Entry{{Mailbox: mb, Message: own, Bulk: since}})[0]
		enginetest.WantClass(t, "the marker at each without dc2", err, store.ErrUnavailable)
	})
	enginetest.AddBulk(t, e.s1, mb, since, arrived, gone) // the marker is not due again
	row := func(m mail.Message) error {
		if len(enginetest.SegmentsOf(t, e.config("dc2"), mb, m)) == 0 {
			return errors.New("the row has not arrived")
		}
		return nil
	}
	mailtest.WaitFor(t, 10*time.Minute, func() error { return errors.Join(row(arrived), row(gone)) })
	enginetest.WantRows(t, e.s2, mb)
	if err := e.s2.RemoveMessages(t.Context(), mb, enginetest.IDsOf(gone)); err != nil {
		t.Fatal(err)
	}
	enginetest.AddBulk(t, e.s2, mb, since, own)
	enginetest.WantRows(t, e.s2, mb, enginetest.Sorted(arrived, own)...)
	mailtest.WaitFor(t, 10*time.Minute, func() error { return enginetest.Has(t, e.s1, mb, own) })
	// A read at ALL repairs.
	rows, _, err := e.s1.Levels().All.ListMessages(t.Context(), mb, mail.MessageID{}, 10)
	if err != nil || len(rows) != 3 {
		t.Fatalf("read at ALL: %v, %v", rows, err)
	}
	for _, s := range []*cassandra.Store{e.s1, e.s2} {
		enginetest.WantRows(t, s, mb, enginetest.Sorted(missed, arrived, own)...)
	}

	// Another process writes the marker again.
	enginetest.AddBulk(t, enginetest.Reopen(t, e.config("dc1")), again, since, m2)
	mailtest.WaitFor(t, 10*time.Minute, func() error { return enginetest.Has(t, e.s2, again, m2) })
}

// grownWithoutAll removes enough messages from a mailbox to make it bulk, while not all replicas can
// be read.
func (e *pair) grownWithoutAll(t *testing.T, mb mail.MailboxID) {
	cfg := e.config("dc1")
	cfg.FloorEvery, cfg.BulkAfter = 5, 10
	s := enginetest.Reopen(t, cfg)
	for i := range 3 {
		ms := []mail.Message{enginetest.Message(1), enginetest.Message(1), enginetest.Message(1), enginetest.Message(1), enginetest.Message(1)}
		enginetest.Add(t, s, mb, ms...)
		if _, err := enginetest.List(t.Context(), s, mb); err != nil {
			t.Fatal(err)
		}
		if err := s.RemoveMessages(t.Context(), mb, enginetest.IDsOf(ms...)); err != nil {
			t.Fatal(err)
		}
		r, err := s.RaiseFloors(t.Context())
		enginetest.WantClass(t, "RaiseFloors without dc2", err, store.ErrUnavailable)
		if want := i > 0; (len(r.Grown) == 1 && r.Grown[0] == store.GrownMailbox{Mailbox: mb, Recipient: "alice@example.test"}) != want {
			t.Fatal(fmt.Errorf("after %d removals: %+v", 5*(i+1), r))
		}
	}
}
