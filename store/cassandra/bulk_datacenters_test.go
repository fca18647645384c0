package cassandra_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"popelago/mail"
	"popelago/mailtest"
	"popelago/store"
	"popelago/store/cassandra"
)

// bulkLag shows what a datacenter that has missed the marker of a bulk mailbox lists: its own
// deliveries always, what others took when it gets to know of it, and nothing that was removed.
func (e *pair) bulkLag(t *testing.T) {
	mb, since := mailbox("bulk"), time.Now().Add(-24*time.Hour)
	missed, arrived, own, gone := message(1), message(2), message(3), message(4)
	grown := mailbox("grown")
	e.away("dc2-1", func() {
		addBulk(t, e.s1, mb, since, missed)
		e.grownWithoutAll(t, grown)
		err := e.s1.At(store.LevelEach).AddMessages(t.Context(), []store.Entry{{Mailbox: mb, Message: own, Bulk: since}})[0]
		wantClass(t, "the marker at each without dc2", err, store.ErrUnavailable)
	})
	addBulk(t, e.s1, mb, since, arrived, gone) // the marker is not due again
	row := func(m mail.Message) error {
		if len(segmentsOf(t, e.config("dc2"), mb, m)) == 0 {
			return errors.New("the row has not arrived")
		}
		return nil
	}
	mailtest.WaitFor(t, time.Minute, func() error { return errors.Join(row(arrived), row(gone)) })
	wantRows(t, e.s2, mb)
	if err := e.s2.RemoveMessages(t.Context(), mb, idsOf(gone)); err != nil {
		t.Fatal(err)
	}
	addBulk(t, e.s2, mb, since, own)
	wantRows(t, e.s2, mb, sorted(arrived, own)...)
	mailtest.WaitFor(t, time.Minute, func() error { return has(t, e.s1, mb, own) })
	// What is read at ALL is repaired.
	rows, _, err := e.s1.At(store.LevelAll).ListMessages(t.Context(), mb, mail.MessageID{}, 10)
	if err != nil || len(rows) != 3 {
		t.Fatalf("read at ALL: %v, %v", rows, err)
	}
	for _, s := range []*cassandra.Store{e.s1, e.s2} {
		wantRows(t, s, mb, sorted(missed, arrived, own)...)
	}

	// Another process writes the marker again.
	again := mailbox("marked again")
	m1, m2 := message(1), message(2)
	e.away("dc2-1", func() { addBulk(t, e.s1, again, since, m1) })
	addBulk(t, reopen(t, e.config("dc1")), again, since, m2)
	mailtest.WaitFor(t, time.Minute, func() error { return has(t, e.s2, again, m2) })
}

// grownWithoutAll removes so much from a mailbox while not all replicas can be read that it
// should become bulk.
func (e *pair) grownWithoutAll(t *testing.T, mb mail.MailboxID) {
	cfg := e.config("dc1")
	cfg.FloorEvery, cfg.BulkAfter = 5, 10
	s := reopen(t, cfg)
	for i := range 3 {
		ms := []mail.Message{message(1), message(1), message(1), message(1), message(1)}
		add(t, s, mb, ms...)
		if _, err := list(t.Context(), s, mb); err != nil {
			t.Fatal(err)
		}
		if err := s.RemoveMessages(t.Context(), mb, idsOf(ms...)); err != nil {
			t.Fatal(err)
		}
		r, err := s.RaiseFloors(t.Context())
		wantClass(t, "RaiseFloors without dc2", err, store.ErrUnavailable)
		if want := i > 0; (len(r.Grown) == 1 && r.Grown[0] == store.GrownMailbox{Mailbox: mb, Recipient: "alice@example.test"}) != want {
			t.Fatal(fmt.Errorf("after %d removals: %+v", 5*(i+1), r))
		}
	}
}
