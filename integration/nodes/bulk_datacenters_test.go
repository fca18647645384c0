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

// laggingBulk shows the list of a datacenter without the marker of a bulk mailbox: always its own
// deliveries, the deliveries of the other datacenter once the marker arrives, and no removed message.
type laggingBulk struct {
	*pair
	mb, again                       mail.MailboxID
	since                           time.Time
	missed, arrived, own, gone      mail.Message
	againMissed, againWithNewMarker mail.Message
}

func newLaggingBulk(e *pair) *laggingBulk {
	return &laggingBulk{
		pair: e, mb: enginetest.Mailbox("bulk"), again: enginetest.Mailbox("marked again"), since: time.Now().Add(-24 * time.Hour),
		missed: enginetest.Message(1), arrived: enginetest.Message(2), own: enginetest.Message(3), gone: enginetest.Message(4),
		againMissed: enginetest.Message(1), againWithNewMarker: enginetest.Message(2),
	}
}

// without is the part while dc2 is away.
func (b *laggingBulk) without(t *testing.T) {
	enginetest.AddBulk(t, b.s1, b.mb, b.since, b.missed)
	enginetest.AddBulk(t, b.s1, b.again, b.since, b.againMissed)
	b.grownWithoutAll(t, enginetest.Mailbox("grown"))
	err := b.s1.Levels().Each.AddMessages(t.Context(), []store.Entry{{Mailbox: b.mb, Message: b.own, Bulk: b.since}})[0]
	enginetest.WantClass(t, "the marker at each without dc2", err, store.ErrUnavailable)
}

// after is the part when dc2 is back. The mailboxes are empty afterwards.
func (b *laggingBulk) after(t *testing.T) {
	enginetest.AddBulk(t, b.s1, b.mb, b.since, b.arrived, b.gone) // the marker is not due again
	row := func(m mail.Message) error {
		if len(enginetest.SegmentsOf(t, b.config("dc2"), b.mb, m)) == 0 {
			return errors.New("the row has not arrived")
		}
		return nil
	}
	mailtest.WaitFor(t, 10*time.Minute, func() error { return errors.Join(row(b.arrived), row(b.gone)) })
	enginetest.WantRows(t, b.s2, b.mb)
	if err := b.s2.RemoveMessages(t.Context(), b.mb, enginetest.IDsOf(b.gone)); err != nil {
		t.Fatal(err)
	}
	enginetest.AddBulk(t, b.s2, b.mb, b.since, b.own)
	enginetest.WantRows(t, b.s2, b.mb, enginetest.Sorted(b.arrived, b.own)...)
	mailtest.WaitFor(t, 10*time.Minute, func() error { return enginetest.Has(t, b.s1, b.mb, b.own) })
	// A read at ALL repairs.
	rows, _, err := b.s1.Levels().All.ListMessages(t.Context(), b.mb, mail.MessageID{}, 10)
	if err != nil || len(rows) != 3 {
		t.Fatalf("read at ALL: %v, %v", rows, err)
	}
	all := enginetest.Sorted(b.missed, b.arrived, b.own)
	for _, s := range []*cassandra.Store{b.s1, b.s2} {
		enginetest.WantRows(t, s, b.mb, all...)
	}

	// Another process writes the marker again.
	enginetest.AddBulk(t, enginetest.Reopen(t, b.config("dc1")), b.again, b.since, b.againWithNewMarker)
	mailtest.WaitFor(t, 10*time.Minute, func() error { return enginetest.Has(t, b.s2, b.again, b.againWithNewMarker) })

	// A check of the whole store must not find messages without content.
	for mb, ids := range map[mail.MailboxID][]mail.MessageID{
		b.mb: enginetest.IDsOf(all...), b.again: enginetest.IDsOf(b.againMissed, b.againWithNewMarker),
	} {
		if err := b.s1.RemoveMessages(t.Context(), mb, ids); err != nil {
			t.Fatal(err)
		}
	}
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
