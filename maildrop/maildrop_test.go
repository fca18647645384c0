package maildrop_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"popelago/mail"
	"popelago/maildrop"
	"popelago/mailtest"
	"popelago/store"
	"popelago/store/embedded"
	"popelago/store/storetest"
)

var box = mail.DeriveMailboxID(mail.Address{Local: "alice", Domain: "example.test"}, mail.MessageID{})

const (
	sender    = "sender@example.org"
	recipient = "alice@example.test"
)

func openStore(t testing.TB) store.Mail {
	t.Helper()
	st, err := embedded.Open(embedded.Config{Dir: "data", FS: vfs.NewMem()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	return st
}

// add stores a message. change may change its row.
func add(t testing.TB, st store.Mail, ids *mail.IDSource, content []byte, change func(*mail.Message)) mail.Message {
	t.Helper()
	ctx := context.Background()
	c, err := st.NewContent(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Discard()
	if _, err := c.Write(content); err != nil {
		t.Fatal(err)
	}
	m := mail.Message{ID: ids.Next(), Recipient: recipient}
	m.Size = int64(len(mail.DeliveryHeader(sender, recipient)) + len(content))
	if change != nil {
		change(&m)
	}
	info := store.ContentInfo{ReversePath: sender, Mailboxes: []mail.MailboxID{box}}
	if err := st.PutContent(ctx, m.ID, c, info); err != nil {
		t.Fatal(err)
	}
	if err := st.AddMessages(ctx, []store.Entry{{Mailbox: box, Message: m}})[0]; err != nil {
		t.Fatal(err)
	}
	return m
}

func carry(u mail.UIDL) func(*mail.Message) { return func(m *mail.Message) { m.UIDL = u } }

func open(t testing.TB, st store.Mail) *maildrop.Maildrop {
	t.Helper()
	d, err := maildrop.Open(context.Background(), store.OneLevel(st), box, maildrop.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// rows are the ids in the mailbox.
func rows(t testing.TB, st store.Mail) (ids []mail.MessageID) {
	t.Helper()
	list, more, err := st.ListMessages(context.Background(), box, mail.MessageID{}, 1000)
	if err != nil || more {
		t.Fatalf("list: more %v, error %v", more, err)
	}
	for _, m := range list {
		ids = append(ids, m.ID)
	}
	return ids
}

func checkStat(t *testing.T, d *maildrop.Maildrop, count int, octets int64) {
	t.Helper()
	if n, o := d.Stat(); n != count || o != octets {
		t.Errorf("Stat: %d messages, %d octets, want %d, %d", n, o, count, octets)
	}
}

func TestMarks(t *testing.T) {
	st, ids := openStore(t), mail.NewIDSource(nil)
	checkStat(t, open(t, st), 0, 0)
	var messages []mail.Message
	var octets int64
	for i := range 130 { // more than two words of marks
		m := add(t, st, ids, bytes.Repeat([]byte("x\r\n"), i), nil)
		messages = append(messages, m)
		octets += m.Size
	}
	d := open(t, st)
	checkStat(t, d, 130, octets)
	late := add(t, st, ids, nil, nil)
	checkStat(t, d, 130, octets) // frozen

	for _, n := range []int{0, -1, 131, 1 << 40} {
		_, err := d.Entry(n)
		_, readErr := d.Read(context.Background(), n)
		if markErr := d.Mark(n); err != maildrop.ErrNoSuchMessage || markErr != err || readErr != err {
			t.Errorf("message %d: Entry %v, Mark %v, Read %v", n, err, markErr, readErr)
		}
	}
	for _, n := range []int{1, 64, 65, 130} {
		if err := d.Mark(n); err != nil {
			t.Fatal(err)
		}
		_, err := d.Entry(n)
		_, readErr := d.Read(context.Background(), n)
		if markErr := d.Mark(n); err != maildrop.ErrMarked || markErr != err || readErr != err {
			t.Errorf("marked message %d: Entry %v, Mark %v, Read %v", n, err, markErr, readErr)
		}
	}
	marked := []mail.MessageID{messages[0].ID, messages[63].ID, messages[64].ID, messages[129].ID}
	rest := octets - messages[0].Size - messages[63].Size - messages[64].Size - messages[129].Size
	checkStat(t, d, 126, rest)
	if d.Marked() != 4 || d.Len() != 130 {
		t.Errorf("%d marked of %d", d.Marked(), d.Len())
	}
	d.Reset()
	checkStat(t, d, 130, octets)
	if _, err := d.Commit(context.Background()); err != nil {
		t.Fatal(err)
	}
	if n := len(rows(t, st)); n != 131 {
		t.Errorf("%d messages are left of 131", n)
	}
	for _, n := range []int{1, 64, 65, 130} {
		d.Mark(n)
	}
	for range 2 {
		if _, err := d.Commit(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	left := rows(t, st)
	for _, id := range marked {
		if slices.Contains(left, id) {
			t.Errorf("%s was marked and is still there", id)
		}
	}
	if len(left) != 127 || !slices.Contains(left, late.ID) {
		t.Errorf("%d messages are left, want 127 with the late one", len(left))
	}
	for n := 1; n <= d.Len(); n++ {
		if e, err := d.Entry(n); err == nil && (e.Size != messages[n-1].Size || e.UIDL != messages[n-1].ID.UIDL() || e.Number != n) {
			t.Errorf("message %d: %+v", n, e)
		}
	}
}

func TestEqualUniqueIDs(t *testing.T) {
	ctx := context.Background()
	st, ids := openStore(t), mail.NewIDSource(nil)
	plain := add(t, st, ids, []byte("plain\r\n"), nil)
	add(t, st, ids, []byte("other\r\n"), carry("other"))
	add(t, st, ids, []byte("first\r\n"), carry("twin"))
	add(t, st, ids, []byte("again\r\n"), carry("twin"))
	add(t, st, ids, []byte("plain\r\n"), carry(plain.ID.UIDL())) // restored
	add(t, st, ids, []byte("third\r\n"), carry("twin"))
	bad := add(t, st, ids, []byte("bad\r\n"), carry("with space"))
	d := open(t, st)
	want := []mail.UIDL{plain.ID.UIDL(), "other", "twin", bad.ID.UIDL()}
	for i, u := range want {
		if e, err := d.Entry(i + 1); err != nil || e.UIDL != u {
			t.Errorf("message %d: %+v, %v, want unique-id %s", i+1, e, err, u)
		}
	}
	checkStat(t, d, 4, 4*plain.Size-2)

	// The content of the first row is gone: Read uses the content of the second row.
	gone := missing{Mail: st, ids: map[mail.MessageID]bool{plain.ID: true}}
	e := open(t, gone)
	r, err := e.Read(ctx, 1)
	if err != nil {
		t.Fatalf("read message with a twin: %v", err)
	}
	text, err := io.ReadAll(r)
	if err != nil || !strings.HasSuffix(string(text), "\r\nplain\r\n") {
		t.Errorf("got %q, %v", text, err)
	}
	r.Close()

	for n := 1; n <= 3; n++ {
		d.Mark(n)
	}
	if _, err := d.Commit(ctx); err != nil {
		t.Fatal(err)
	}
	if left := rows(t, st); !slices.Equal(left, []mail.MessageID{bad.ID}) {
		t.Errorf("left: %v, want %v", left, bad.ID)
	}
}

// missing is a store without the content of some messages.
type missing struct {
	store.Mail
	ids map[mail.MessageID]bool
}

func (s missing) OpenContent(ctx context.Context, id mail.MessageID, origin string) (store.ContentInfo, io.ReadCloser, error) {
	if s.ids[id] {
		return store.ContentInfo{}, nil, fmt.Errorf("open %s: %w", id, store.ErrNotFound)
	}
	return s.Mail.OpenContent(ctx, id, origin)
}

func TestReadGivesExactlyTheSize(t *testing.T) {
	ctx := context.Background()
	st, ids := openStore(t), mail.NewIDSource(nil)
	corpus := mailtest.Corpus()
	for _, m := range corpus {
		if m.Large {
			continue
		}
		add(t, st, ids, m.Octets(), nil)
	}
	d := open(t, st)
	for i, m := range corpus {
		if m.Large {
			continue
		}
		e, err := d.Entry(i + 1)
		if err != nil {
			t.Fatal(err)
		}
		want := append([]byte(mail.DeliveryHeader(sender, recipient)), m.Octets()...)
		for _, way := range []struct {
			name string
			copy func(w io.Writer, r *maildrop.Reader) error
		}{
			{"WriteTo", func(w io.Writer, r *maildrop.Reader) error {
				n, err := r.WriteTo(w)
				if n != e.Size {
					t.Errorf("%s: WriteTo returns %d, want %d", m.Name, n, e.Size)
				}
				return err
			}},
			{"Read", func(w io.Writer, r *maildrop.Reader) error {
				_, err := io.CopyBuffer(w, struct{ io.Reader }{r}, make([]byte, 1000))
				return err
			}},
		} {
			r, err := d.Read(ctx, i+1)
			if err != nil {
				t.Fatal(err)
			}
			var got bytes.Buffer
			if err := way.copy(&got, r); err != nil {
				t.Errorf("%s: %s: %v", m.Name, way.name, err)
			}
			r.Close()
			if !bytes.Equal(got.Bytes(), want) || int64(got.Len()) != e.Size || r.Size != e.Size {
				t.Errorf("%s: %s gives %d octets, listed are %d, Reader.Size %d", m.Name, way.name, got.Len(), e.Size, r.Size)
			}
		}
	}
}

// wrong is a store with wrong content.
type wrong struct {
	store.Mail
	content string
	err     error // at the end of the content
	closed  *int
}

func (s wrong) OpenContent(ctx context.Context, id mail.MessageID, origin string) (store.ContentInfo, io.ReadCloser, error) {
	info, r, err := s.Mail.OpenContent(ctx, id, origin)
	if err == nil {
		r.Close()
	}
	return info, &wrongReader{strings.NewReader(s.content), s}, err
}

type wrongReader struct {
	r *strings.Reader
	s wrong
}

func (w *wrongReader) Read(p []byte) (int, error) {
	n, err := w.r.Read(p)
	if err == io.EOF && w.s.err != nil {
		err = w.s.err
	}
	return n, err
}

func (w *wrongReader) Close() error { *w.s.closed++; return nil }

func TestReadOfWrongContent(t *testing.T) {
	ctx := context.Background()
	st, ids := openStore(t), mail.NewIDSource(nil)
	add(t, st, ids, []byte("0123456789\r\n"), nil)
	header := len(mail.DeliveryHeader(sender, recipient))
	tests := []struct {
		name    string
		content string
		end     error
		want    error
		output  int // most octets
	}{
		{"short", "0123\r\n", nil, store.ErrCorrupt, header + 6},
		{"empty", "", nil, store.ErrCorrupt, 0},
		{"long", "0123456789\r\nmore\r\n", nil, store.ErrCorrupt, header + 12},
		{"fails at once", "", store.ErrUnavailable, store.ErrUnavailable, 0},
		{"fails midway", "0123", store.ErrCorrupt, store.ErrCorrupt, header + 4},
		{"fails at the end", "0123456789\r\n", store.ErrUnavailable, store.ErrUnavailable, header + 12},
	}
	for _, tt := range tests {
		closed := 0
		d := open(t, wrong{Mail: st, content: tt.content, err: tt.end, closed: &closed})
		for _, way := range []string{"WriteTo", "Read"} {
			r, err := d.Read(ctx, 1)
			if err != nil {
				t.Fatal(err)
			}
			var got bytes.Buffer
			if way == "WriteTo" {
				_, err = r.WriteTo(&got)
				if got.Len() > tt.output {
					t.Errorf("%s: %d octets were written, want %d at the most", tt.name, got.Len(), tt.output)
				}
			} else {
				_, err = io.ReadAll(r)
			}
			if !errors.Is(err, tt.want) {
				t.Errorf("%s: %s: %v, want %v", tt.name, way, err, tt.want)
			}
			r.Close()
		}
		if closed != 2 {
			t.Errorf("%s: content closed %d times, want 2", tt.name, closed)
		}
	}

	broken := errors.New("broken")
	d := open(t, st)
	for _, room := range []int{0, header - 1, header, header + 3} {
		r, err := d.Read(ctx, 1)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := r.WriteTo(&fullWriter{room, broken}); !errors.Is(err, broken) || errors.Is(err, store.ErrCorrupt) {
			t.Errorf("writer with room for %d: %v, want %v", room, err, broken)
		}
		r.Close()
	}
}

type fullWriter struct {
	room int
	err  error
}

func (w *fullWriter) Write(p []byte) (int, error) {
	if len(p) > w.room {
		return w.room, w.err
	}
	w.room -= len(p)
	return len(p), nil
}

func TestReadOfMissingContent(t *testing.T) {
	ctx := context.Background()
	st, ids := openStore(t), mail.NewIDSource(nil)
	late := add(t, st, ids, []byte("its content is late\r\n"), nil)
	removed := add(t, st, ids, []byte("removed by another session\r\n"), nil)
	add(t, st, ids, []byte("of another size\r\n"), func(m *mail.Message) { m.Size++ })
	d := open(t, missing{st, map[mail.MessageID]bool{late.ID: true, removed.ID: true}})
	if err := st.RemoveMessages(ctx, box, []mail.MessageID{removed.ID}); err != nil {
		t.Fatal(err)
	}
	for n, want := range map[int]error{1: store.ErrUnavailable, 2: maildrop.ErrRemoved, 3: store.ErrCorrupt} {
		if _, err := d.Read(ctx, n); !errors.Is(err, want) {
			t.Errorf("message %d: %v, want %v", n, err, want)
		}
	}
	if n := len(rows(t, st)); n != 2 {
		t.Errorf("reading left %d rows, want 2", n)
	}
}

func TestEachFault(t *testing.T) {
	ctx := context.Background()
	storetest.EachFault(t, func(t *testing.T, wrap func(store.Store) store.Store) {
		st, ids := openStore(t), mail.NewIDSource(nil)
		var messages []mail.Message
		for i := range 4 {
			messages = append(messages, add(t, st, ids, fmt.Appendf(nil, "message %d\r\n", i), nil))
		}
		faulty := wrap(storetest.WithMail(store.Store{}, st))
		d, err := maildrop.Open(ctx, faulty.Mail, box, maildrop.Options{})
		if err != nil {
			if !errors.Is(err, store.ErrUnavailable) || d != nil {
				t.Errorf("Open: %v", err)
			}
			return
		}
		checkStat(t, d, 4, 4*messages[0].Size)
		for n := range 4 {
			r, err := d.Read(ctx, n+1)
			if err == nil {
				var text bytes.Buffer
				_, err = r.WriteTo(&text)
				r.Close()
				if err == nil && int64(text.Len()) != r.Size {
					t.Errorf("message %d: %d octets without an error", n+1, text.Len())
				}
			}
			if err != nil && !errors.Is(err, store.ErrUnavailable) {
				t.Errorf("Read: %v", err)
			}
		}
		d.Mark(1)
		d.Mark(3)
		keep := []mail.MessageID{messages[1].ID, messages[3].ID}
		_, err = d.Commit(ctx)
		if err == nil && !slices.Equal(rows(t, st), keep) {
			t.Errorf("Commit returned nil and left %v", rows(t, st))
		}
		if err != nil {
			if left := rows(t, st); !slices.Contains(left, keep[0]) || !slices.Contains(left, keep[1]) {
				t.Errorf("a failed Commit took what was not marked: left %v", left)
			}
			if _, err := d.Commit(ctx); err != nil || !slices.Equal(rows(t, st), keep) {
				t.Errorf("the second Commit: %v, left %v", err, rows(t, st))
			}
		}
	})
}

// many is a mailbox of n messages, listed in pages.
type many struct {
	store.Mail
	n     int
	pages *int
}

func (s many) ListMessages(_ context.Context, _ mail.MailboxID, after mail.MessageID, limit int) (page []mail.Message, more bool, err error) {
	*s.pages++
	first := 0
	if !after.IsZero() {
		first = int(after[14])<<16 | int(after[13])<<8 | int(after[12])
		first++
	}
	for i := first; i < min(first+limit, s.n); i++ {
		id := mail.MessageID{6: 0x10, 8: 0x80, 12: byte(i), 13: byte(i >> 8), 14: byte(i >> 16)}
		page = append(page, mail.Message{ID: id, Size: 1000, Recipient: strings.Clone(recipient)})
	}
	return page, first+len(page) < s.n, nil
}

func TestLargeMaildropIsPagedAndBounded(t *testing.T) {
	const n = 100_000
	pages := 0
	st := many{n: n, pages: &pages}
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	d := open(t, st)
	runtime.GC()
	runtime.ReadMemStats(&after)
	checkStat(t, d, n, n*1000)
	if pages != n/5000 {
		t.Errorf("%d reads for %d messages", pages, n)
	}
	if held := int64(after.HeapAlloc) - int64(before.HeapAlloc); held > 80*n {
		t.Errorf("%d octets are held for each message", held/n)
	}
	for i := 1; i <= n; i += 999 {
		if e, err := d.Entry(i); err != nil || e.Number != i {
			t.Fatalf("message %d: %+v, %v", i, e, err)
		}
	}
	runtime.KeepAlive(d)
}

func TestOpenStopsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := maildrop.Open(ctx, store.OneLevel(openStore(t)), box, maildrop.Options{}); err == nil {
		t.Error("Open with a context that has ended returns nil")
	}
}
