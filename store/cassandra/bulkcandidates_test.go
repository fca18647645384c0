package cassandra_test

import (
	"testing"

	"popelago/mail"
)

// RaiseFloors reports the mailboxes that have grown: by the entries that a session listed, page by
// page, and by removals while the floor could not rise.
func TestGrown(t *testing.T) {
	cfg := config(t)
	cfg.BulkAfter, cfg.FloorEvery = 20, 5
	s := open(t, cfg)
	grown := func() map[mail.MailboxID]string {
		t.Helper()
		r, err := s.RaiseFloors(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		found := map[mail.MailboxID]string{}
		for _, g := range r.Grown {
			found[g.Mailbox] = g.Recipient
		}
		return found
	}
	pages := func(mb mail.MailboxID, limit int) []mail.Message {
		t.Helper()
		var all []mail.Message
		for after, more := (mail.MessageID{}), true; more; {
			var rows []mail.Message
			var err error
			if rows, more, err = s.ListMessages(t.Context(), mb, after, limit); err != nil {
				t.Fatal(err)
			}
			all = append(all, rows...)
			after = all[len(all)-1].ID
		}
		return all
	}
	large, small, stuck, drained := mailbox("large"), mailbox("small"), mailbox("stuck"), mailbox("drained")
	for range 19 {
		add(t, s, small, message(1))
		add(t, s, large, message(1))
	}
	for range 5 { // pages of several sessions do not add up
		pages(small, 10)
		pages(large, 7)
	}
	if found := grown(); len(found) > 0 {
		t.Fatalf("grown: %v", found)
	}
	add(t, s, large, message(1))
	pages(large, 7)
	pages(large, 100)
	if found := grown(); len(found) != 1 || found[large] != "alice@example.test" {
		t.Fatalf("grown: %v, want %v", found, large)
	}
	if found := grown(); len(found) > 0 {
		t.Fatalf("grown again, without a session: %v", found)
	}

	// Below the removed messages one message stays, or none. The floor once rises up to the message.
	add(t, s, stuck, message(1))
	for i := range 5 {
		for _, mb := range []mail.MailboxID{stuck, drained} {
			var some []mail.Message
			for range 6 {
				some = append(some, message(1))
			}
			add(t, s, mb, some...)
			pages(mb, 100)
			if err := s.RemoveMessages(t.Context(), mb, idsOf(some...)); err != nil {
				t.Fatal(err)
			}
		}
		found := grown()
		if want := i == 4; (found[stuck] != "") != want || len(found) > 1 {
			t.Fatalf("after %d removals: grown: %v", 6*(i+1), found)
		}
	}
	since, err := s.SetBulk(t.Context(), stuck)
	if err != nil {
		t.Fatal(err)
	}
	var some []mail.Message
	for range 30 {
		some = append(some, message(1))
	}
	addBulk(t, s, stuck, since, some...)
	pages(stuck, 100)
	if err := s.RemoveMessages(t.Context(), stuck, idsOf(some...)); err != nil {
		t.Fatal(err)
	}
	if found := grown(); len(found) > 0 {
		t.Errorf("a bulk mailbox has grown: %v", found)
	}
}

// A negative BulkAfter keeps all mailboxes ordinary.
func TestGrownNever(t *testing.T) {
	cfg := config(t)
	cfg.BulkAfter, cfg.FloorEvery = -1, 5
	s := open(t, cfg)
	mb := mailbox("large")
	bottom, some := message(1), []mail.Message{message(1), message(1), message(1), message(1), message(1)}
	add(t, s, mb, append(some, bottom)...)
	wantRows(t, s, mb, append([]mail.Message{bottom}, some...)...)
	if err := s.RemoveMessages(t.Context(), mb, idsOf(some...)); err != nil {
		t.Fatal(err)
	}
	if r, err := s.RaiseFloors(t.Context()); err != nil || r.Mailboxes != 1 || len(r.Grown) > 0 {
		t.Errorf("%+v, %v", r, err)
	}
}
