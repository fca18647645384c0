package enginetest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"

	"popelago/mail"
	"popelago/store"
)

// ids makes ids for tests.
var IDs = mail.NewIDSource(nil)

// Message returns a message with a new id, for alice.
func Message(size int64) mail.Message {
	return mail.Message{ID: IDs.Next(), Size: size, Recipient: "alice@example.test"}
}

// Mailbox returns the id of the mailbox of an address in example.test.
func Mailbox(name string) mail.MailboxID {
	return mail.DeriveMailboxID(mail.Address{Local: name, Domain: "example.test"}, mail.MessageID{})
}

// Put stores content of n octets.
func Put(t testing.TB, s store.Mail, id mail.MessageID, n int, mailboxes ...mail.MailboxID) {
	t.Helper()
	c, err := s.NewContent(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Write(make([]byte, n)); err != nil {
		t.Fatal(err)
	}
	if err := s.PutContent(t.Context(), id, c, store.ContentInfo{ReversePath: "s@example.org", Mailboxes: mailboxes}); err != nil {
		t.Fatal(err)
	}
}

// Add adds messages to a mailbox.
func Add(t testing.TB, s store.Mail, mb mail.MailboxID, ms ...mail.Message) {
	t.Helper()
	var entries []store.Entry
	for _, m := range ms {
		entries = append(entries, store.Entry{Mailbox: mb, Message: m})
	}
	for _, err := range s.AddMessages(t.Context(), entries) {
		if err != nil {
			t.Fatal(err)
		}
	}
}

// List returns the first page of a mailbox.
func List(ctx context.Context, s store.Mail, mb mail.MailboxID) ([]mail.Message, error) {
	rows, _, err := s.ListMessages(ctx, mb, mail.MessageID{}, 5000)
	return rows, err
}

// ListAll returns the whole list of a mailbox, read in pages of at most limit rows.
func ListAll(ctx context.Context, s store.Mail, mb mail.MailboxID, limit int) (rows []mail.Message, err error) {
	var after mail.MessageID
	for more := true; more; {
		var page []mail.Message
		if page, more, err = s.ListMessages(ctx, mb, after, limit); err != nil {
			return nil, err
		}
		if more && len(page) == 0 {
			return nil, errors.New("an empty page announces a further page")
		}
		for _, m := range page {
			rows, after = append(rows, m), m.ID
		}
	}
	return rows, nil
}

// Retrieve reads content and returns an error unless the content has the size.
func Retrieve(t *testing.T, s store.Mail, id mail.MessageID, size int64) error {
	_, r, err := s.OpenContent(t.Context(), id, "")
	if err != nil {
		return err
	}
	defer r.Close()
	if n, err := io.Copy(io.Discard, r); err != nil || n != size {
		return fmt.Errorf("%d of %d octets, %w", n, size, err)
	}
	return nil
}

// Has returns an error unless a mailbox lists a message.
func Has(t *testing.T, s store.Mail, mb mail.MailboxID, m mail.Message) error {
	t.Helper()
	rows, err := List(t.Context(), s, mb)
	if err != nil {
		return err
	}
	for _, row := range rows {
		if row.ID == m.ID {
			return nil
		}
	}
	return fmt.Errorf("%d rows, but not %s", len(rows), m.ID)
}

// WantClass checks that err is of exactly one class.
func WantClass(t *testing.T, what string, err, class error) {
	t.Helper()
	for _, c := range []error{store.ErrNotFound, store.ErrUnavailable, store.ErrOutcomeUnknown, store.ErrCorrupt} {
		if errors.Is(err, c) != errors.Is(class, c) {
			t.Errorf("%s: %v, want %v", what, err, class)
			return
		}
	}
}
