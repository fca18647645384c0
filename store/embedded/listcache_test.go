package embedded

import (
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"popelago/mail"
	"popelago/store"
)

// listed returns the count of rows that a list behind an id has.
func listed(t *testing.T, s *Store, mailbox mail.MailboxID, after mail.MessageID, limit int) (count int, more bool) {
	t.Helper()
	rows, more, err := s.ListMessages(t.Context(), mailbox, after, limit)
	if err != nil {
		t.Fatal(err)
	}
	return len(rows), more
}

// A mailbox is read once until a row is added or removed.
func TestListIsReadOnce(t *testing.T) {
	s, err := Open(Config{Dir: "data", FS: vfs.NewMem()})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	mailbox, source := mail.MailboxID{1}, mail.NewIDSource(nil)
	add := func() mail.MessageID {
		id := source.Next()
		if err := s.AddMessages(t.Context(), []store.Entry{{Mailbox: mailbox, Message: mail.Message{ID: id, Size: 1}}})[0]; err != nil {
			t.Fatal(err)
		}
		return id
	}
	want := func(when string, after mail.MessageID, limit, count int, more bool) {
		t.Helper()
		if got, gotMore := listed(t, s, mailbox, after, limit); got != count || gotMore != more {
			t.Errorf("%s: %d rows, more %t: want %d, %t", when, got, gotMore, count, more)
		}
	}
	// hide removes a row past the committer: only a list that is read again lacks the row.
	hide := func(id mail.MessageID) {
		d, err := s.mailboxes.link.use()
		defer s.mailboxes.link.done()
		if err != nil {
			t.Fatal(err)
		}
		k := messageKey(mailbox, id)
		if err := d.db.Delete(k[:], nil); err != nil {
			t.Fatal(err)
		}
	}
	want("empty", mail.MessageID{}, 10, 0, false)
	first, second := add(), add()
	want("added", mail.MessageID{}, 10, 2, false)
	hide(second)
	want("again", mail.MessageID{}, 10, 2, false)
	want("with retention", mail.MinMessageID(first.Time().Add(-time.Second)), 10, 2, false)
	want("behind the first", first, 10, 1, false)
	want("behind the last", second, 10, 0, false)
	want("with a small limit", mail.MessageID{}, 1, 1, false) // read again: one row is left
	third := add()
	want("after an addition", mail.MessageID{}, 10, 2, false)
	want("page", mail.MessageID{}, 1, 1, true)
	hide(third)
	want("after a page", mail.MessageID{}, 10, 2, false)
	if err := s.RemoveMessages(t.Context(), mailbox, []mail.MessageID{first}); err != nil {
		t.Fatal(err)
	}
	want("after a removal", mail.MessageID{}, 10, 0, false)
	want("behind an id only", first, 10, 0, false)
}

// A list read while the committer writes to the mailbox, or before, is not kept; nor is a list for another bound.
func TestListReadBesideAWrite(t *testing.T) {
	var c listCache
	mailbox, other := mail.MailboxID{1}, mail.MailboxID{1, 0, 1}
	p := c.place(mailbox)
	if c.place(other) != p {
		t.Fatal("the mailboxes have different places")
	}
	var none mail.MessageID
	bound, high := mail.MinMessageID(time.Unix(1, 0)), mail.MinMessageID(time.Unix(2, 0))
	rows := []mail.Message{{ID: mail.MinMessageID(time.Now())}}
	want := func(when string, after mail.MessageID, known bool) {
		t.Helper()
		if _, _, ok := p.get(mailbox, after, 10); ok != known {
			t.Errorf("%s: a list is there: %t, want %t", when, ok, known)
		}
	}
	_, before, _ := p.get(mailbox, none, 10)
	p.begin(&c)
	_, during, _ := p.get(mailbox, none, 10)
	p.put(&c, mailbox, none, rows, before)
	p.put(&c, mailbox, none, rows, during)
	want("during a write", none, false)
	p.end()
	p.put(&c, mailbox, none, rows, during)
	want("read during a write", none, false)
	_, after, _ := p.get(mailbox, none, 10)
	p.put(&c, mailbox, bound, rows, after)
	want("all rows", none, false)
	want("rows behind the bound", bound, true)
	want("rows behind a higher bound", high, true)
	p.put(&c, other, none, nil, after)
	want("replaced by another mailbox", bound, false)
	p.put(&c, mailbox, none, rows, after)
	p.begin(&c)
	want("a write begins", none, false)
	p.end()
	if c.octets.Load() != 0 {
		t.Errorf("%d octets in an empty cache", c.octets.Load())
	}
}

// The cache holds neither long lists nor more than its octets.
func TestListCacheIsBounded(t *testing.T) {
	c := new(listCache)
	kept := 0
	for i := range listPlaces {
		mailbox := mail.MailboxID{byte(i >> 8), byte(i)}
		rows := make([]mail.Message, cachedRows+i%2)
		p := c.place(mailbox)
		p.put(c, mailbox, mail.MessageID{}, rows, 0)
		if _, _, ok := p.get(mailbox, mail.MessageID{}, pageLimit); ok {
			kept++
		}
	}
	if most := cachedOctets / (cachedRows * rowOctets); kept != most || c.octets.Load() > cachedOctets {
		t.Errorf("%d lists of %d octets are kept, want %d", kept, c.octets.Load(), most)
	}
}
