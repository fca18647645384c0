package embedded

import (
	"errors"
	"testing"
	"time"

	"popelago/mail"
	"popelago/store"
	"popelago/store/storetest"
)

// A clock that is 20 days ahead at a start, and that NTP puts right a few minutes later, ends no undelete window and no
// day of a journal. With a clock that stays, both end once the clock is settled.
func TestAgeBeforeTheClockIsSettled(t *testing.T) {
	const day = 24 * time.Hour
	for name, right := range map[string]bool{"put right": true, "stays": false} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(r *clockRig) {
				r.passes(time.Hour)
				if err := r.s.Close(); err != nil {
					t.Fatal(err)
				}
				r.cfg.Undelete = 7 * day
				r.open()
				r.passes(time.Hour)

				ctx, mailbox := r.Context(), mail.MailboxID{1}
				id := mail.NewIDSource(r.clock.Now).Next()
				if err := storetest.Put(ctx, r.s, id, []byte("text"), 4, store.ContentInfo{Mailboxes: []mail.MailboxID{mailbox}}); err != nil {
					t.Fatal(err)
				}
				rows := []mail.Message{{ID: id, Size: 4, Recipient: "a@a.test"}}
				if errs := r.s.AddMessages(ctx, []store.Entry{{Mailbox: mailbox, Message: rows[0]}}); errs[0] != nil {
					t.Fatal(errs[0])
				}
				if err := r.s.RemoveListed(ctx, mailbox, rows); err != nil {
					t.Fatal(err)
				}
				record := store.Record{Key: "k", At: r.clock.Now(), Data: []byte("x")}
				add := func() {
					t.Helper()
					for _, j := range []store.JournalName{store.JournalTrace, store.JournalAudit, store.JournalQueue} {
						if err := r.s.AddRecords(ctx, j, []store.Record{record}, 3*day); err != nil {
							t.Fatal(err)
						}
					}
				}
				add()

				work := func(kept bool) {
					t.Helper()
					if _, err := r.s.Sweep(ctx, r.clock.Now().Add(-7*day)); err != nil {
						t.Fatal(err)
					}
					if err := r.s.engine.housekeeper.freer.free(ctx); err != nil {
						t.Fatal(err)
					}
					other := record
					other.Key, other.At = "other", r.clock.Now()
					for _, j := range []store.JournalName{store.JournalTrace, store.JournalAudit, store.JournalQueue} {
						if err := r.s.AddRecords(ctx, j, []store.Record{other}, 3*day); err != nil {
							t.Fatal(err)
						}
						found, _, err := r.s.Records(ctx, j, record.Key, store.DayOf(record.At), store.Record{}, 10)
						if err != nil || len(found) == 1 != kept {
							t.Errorf("journal %s: %d rows, %v; want the row: %v", j, len(found), err, kept)
						}
					}
					if _, _, err := storetest.Read(ctx, r.s, id); errors.Is(err, store.ErrNotFound) == kept {
						t.Errorf("the content of the removed message: %v; want the content: %v", err, kept)
					}
				}
				r.stop(time.Minute, 20*day)
				r.passes(5 * time.Minute)
				work(true)
				if right {
					r.clock.Set(0)
					r.passes(2 * time.Minute)
				}
				r.passes(20 * time.Minute)
				work(right)
			})
		})
	}
}
