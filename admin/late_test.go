package admin_test

import (
	"context"
	"net/http"
	"testing"

	"popelago/adminclient"
	"popelago/mail"
	"popelago/store"
	"popelago/store/storetest"
)

// Late mail is listed, handed over and dropped through the API.
func TestLate(t *testing.T) {
	f := (&fixture{}).traced(t).start(t)
	c := f.unix(t)
	ctx := t.Context()
	if list, err := c.Late(ctx, "", "", 0); err != nil || list.Messages == nil || len(list.Messages) != 0 || list.Next != "" {
		t.Errorf("at first: %+v, %v", list, err)
	}
	if _, err := c.AddDomain(ctx, "example.org"); err != nil {
		t.Fatal(err)
	}
	var box mail.MailboxID
	for _, address := range []string{"bob@example.org", "alice@example.org"} {
		a, err := c.AddAccount(ctx, address, "password")
		if err != nil {
			t.Fatal(err)
		}
		if box, err = mail.ParseMailboxID(a.Mailbox); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := c.RemoveAccount(ctx, "alice@example.org"); err != nil {
		t.Fatal(err)
	}
	ids := mail.NewIDSource(nil)
	for range 2 {
		m := mail.Message{ID: ids.Next(), Recipient: "alice@example.org"}
		m.Size = int64(len("text") + len(mail.DeliveryHeader("s@example.net", m.Recipient)))
		if err := storetest.Put(context.Background(), f.engine, m.ID, []byte("text"), 4, store.ContentInfo{ReversePath: "s@example.net", Mailboxes: []mail.MailboxID{box}}); err != nil {
			t.Fatal(err)
		}
		if err := f.engine.AddMessages(ctx, []store.Entry{{Mailbox: box, Message: m}})[0]; err != nil {
			t.Fatal(err)
		}
	}
	list, err := c.Late(ctx, "alice@example.org", "", 0)
	if err != nil || len(list.Messages) != 2 {
		t.Fatalf("late mail: %+v, %v", list, err)
	}
	first, err := c.Late(ctx, "", "", 1)
	if err != nil || len(first.Messages) != 1 || first.Next == "" {
		t.Fatalf("a page: %+v, %v", first, err)
	}
	rest, err := c.Late(ctx, "", first.Next, 1)
	if err != nil || len(rest.Messages) != 1 || rest.Next != "" || rest.Messages[0] != list.Messages[1] {
		t.Errorf("the next page: %+v, %v; want %+v", rest, err, list.Messages[1:])
	}
	_, err = c.Late(ctx, "bob@example.org", first.Next, 1)
	wantStatus(t, "a page of another address", err, http.StatusBadRequest, "after is not the next")
	m := list.Messages[0]
	if m.Address != "alice@example.org" || m.Sender != "s@example.net" || m.Recipient != "alice@example.org" || m.Mailbox != box.String() || m.Size == 0 || m.Arrived.Before(m.Ended) {
		t.Errorf("late message: %+v", m)
	}

	s := adminclient.LateSelection{Address: "alice@example.org", Message: m.Message}
	_, err = c.HandOverLate(ctx, s, "carol@example.org")
	wantStatus(t, "to nobody", err, http.StatusNotFound, "no such")
	_, err = c.DropLate(ctx, adminclient.LateSelection{Address: "bob@example.org"})
	wantStatus(t, "of a live account", err, http.StatusNotFound, "no such")
	if n, err := c.HandOverLate(ctx, s, "bob@example.org"); err != nil || n.Messages != 1 {
		t.Errorf("hand over: %+v, %v", n, err)
	}
	if bob, err := c.Account(ctx, "bob@example.org"); err != nil || bob.Messages == nil || *bob.Messages != 1 || *bob.Octets != m.Size {
		t.Errorf("bob has %+v, %v", bob, err)
	}
	s.Message = ""
	if n, err := c.DropLate(ctx, s); err != nil || n.Messages != 1 {
		t.Errorf("drop: %+v, %v", n, err)
	}
	if list, err := c.Late(ctx, "", "", 0); err != nil || len(list.Messages) != 0 {
		t.Errorf("at last: %+v, %v", list, err)
	}
	for i, want := range []string{
		"removed hand-over-late alice@example.org; restored hand-over-late bob@example.org", "removed drop-late alice@example.org",
	} {
		story, err := c.Trace(ctx, adminclient.EventQuery{Subject: list.Messages[i].Message, As: "id", Limit: 10})
		if got := lines(story); err != nil || got != want {
			t.Errorf("the story of message %d: %q, %v; want %q", i, got, err, want)
		}
	}
}

// fills is a store whose disk is full behind some entries.
type fills struct {
	store.Mail
	room int
}

func (s *fills) AddMessages(ctx context.Context, entries []store.Entry) []error {
	if s.room--; s.room < 0 {
		return []error{store.ErrFull}
	}
	return s.Mail.AddMessages(ctx, entries)
}

// An error behind a part of the work does not say that nothing was changed, and names the part.
func TestPartOfARestore(t *testing.T) {
	s := &fills{room: 1000}
	f := (&fixture{wrap: func(st store.Store) store.Store {
		s.Mail = st.Mail.Local
		return storetest.WithMail(st, s)
	}}).traced(t)
	a := withAlice(t, f, "a: 1\n\none\n", "b: 2\n\ntwo\n")
	if _, err := a.RemoveMessages(t.Context(), aliceAddress, adminclient.MaildropRemoval{All: true}); err != nil {
		t.Fatal(err)
	}
	s.room = 1
	_, err := a.Restore(t.Context(), aliceAddress, adminclient.RestoreRequest{All: true})
	wantStatus(t, "restore", err, http.StatusInsufficientStorage, "messages restored: 1, and then: nothing more was changed: the disk of the server is full")
}
