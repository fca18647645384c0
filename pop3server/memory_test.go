package pop3server_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"runtime"
	"testing"

	"popelago/mail"
	"popelago/mailtest"
	"popelago/pop3server"
	"popelago/pop3server/pop3test"
	"popelago/store"
)

// synthetic is a mailbox of n made-up messages of size octets each.
type synthetic struct {
	store.Mail
	n    int
	size int64
}

func (s *synthetic) ListMessages(_ context.Context, _ mail.MailboxID, after mail.MessageID, limit int) (page []mail.Message, more bool, err error) {
	first := 0
	if !after.IsZero() {
		first = int(after[14])<<16 | int(after[13])<<8 | int(after[12]) + 1
	}
	page = make([]mail.Message, 0, limit)
	for i := first; i < min(first+limit, s.n); i++ {
		id := mail.MessageID{6: 0x10, 8: 0x80, 12: byte(i), 13: byte(i >> 8), 14: byte(i >> 16)}
		page = append(page, mail.Message{ID: id, Size: int64(len(pop3test.Header())) + s.size, Recipient: pop3test.Recipient})
	}
	return page, first+len(page) < s.n, nil
}

func (s *synthetic) OpenContent(context.Context, mail.MessageID, string) (store.ContentInfo, io.ReadCloser, error) {
	return store.ContentInfo{Size: s.size, ReversePath: pop3test.Sender}, &zeros{left: s.size}, nil
}

func (s *synthetic) RemoveListed(_ context.Context, _ mail.MailboxID, rows []mail.Message) error {
	s.n -= len(rows)
	return nil
}

// zeros is a content of NUL octets and a final CRLF.
type zeros struct{ left int64 }

var zeroBlock [64 << 10]byte

func (z *zeros) Read(p []byte) (int, error) { panic("WriteTo is there") }
func (z *zeros) Close() error               { return nil }

func (z *zeros) WriteTo(w io.Writer) (n int64, err error) {
	for z.left > 2 && err == nil {
		k := min(z.left-2, int64(len(zeroBlock)))
		_, err = w.Write(zeroBlock[:k])
		z.left -= k
		n += k
	}
	if err == nil {
		_, err = io.WriteString(w, "\r\n")
		n += 2
	}
	return n, err
}

func TestHugeMessagesAreStreamed(t *testing.T) {
	const messages, size = 3, 64 << 20 // each is four times what may be allocated for all
	if testing.Short() {
		t.Skip("takes a second")
	}
	outside := pop3test.New(t, openStore(t), pop3server.Config{}, false)
	f := onMail(t, outside, &synthetic{Mail: outside.Store.Mail.Local, n: messages, size: size}, pop3server.Config{})
	c := mailtest.Dial(t, f.Listen(t))
	c.Expect("+OK")
	c.Do("USER alice", "+OK")
	c.Do("PASS "+pop3test.Password, fmt.Sprintf("+OK %d messages (%d octets)", messages, messages*(size+len(pop3test.Header()))))
	in := bufio.NewReaderSize(c.Conn(), 64<<10)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for n := 1; n <= messages; n++ {
		c.Cmdf("RETR %d", n)
		line, err := in.ReadString('\n')
		if want := fmt.Sprintf("+OK %d octets\r\n", size+len(pop3test.Header())); line != want {
			t.Fatalf("got %q, %v, want %q", line, err, want)
		}
		if _, err := io.CopyN(io.Discard, in, int64(size+len(pop3test.Header()))); err != nil {
			t.Fatal(err)
		}
		if line, _ := in.ReadString('\n'); line != ".\r\n" {
			t.Fatalf("got %q, want the final dot", line)
		}
	}
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; n > 16<<20 {
		t.Errorf("%d octets were allocated for %d octets of messages", n, messages*size)
	}
}

func TestLargeMaildrop(t *testing.T) {
	const n = 100_000
	outside := pop3test.New(t, openStore(t), pop3server.Config{}, false)
	f := onMail(t, outside, &synthetic{Mail: outside.Store.Mail.Local, n: n, size: 1000}, pop3server.Config{})
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	c := mailtest.Dial(t, f.Listen(t))
	c.Expect("+OK")
	c.Do("USER alice", "+OK")
	c.Do("PASS "+pop3test.Password, "+OK 100000 ")
	in := bufio.NewReaderSize(c.Conn(), 64<<10)
	for _, command := range []string{"LIST", "UIDL", "LIST"} {
		c.Cmd(command)
		if _, err := in.ReadSlice('\n'); err != nil {
			t.Fatal(err)
		}
		for i := 1; i <= n; i++ {
			line, err := in.ReadSlice('\n')
			if err != nil || !bytes.HasPrefix(line, fmt.Appendf(nil, "%d ", i)) {
				t.Fatalf("%s: line %d is %q, %v", command, i, line, err)
			}
		}
		if line, _ := in.ReadSlice('\n'); string(line) != ".\r\n" {
			t.Fatalf("%s ends in %q", command, line)
		}
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if held := int64(after.HeapAlloc) - int64(before.HeapAlloc); held > 80*n {
		t.Errorf("%d octets are held for each message", held/n)
	}
	go func() {
		for i := 1; i <= n; i++ {
			c.Cmdf("DELE %d", i)
		}
		c.Cmd("QUIT")
	}()
	for range n + 1 {
		if line, err := in.ReadSlice('\n'); err != nil || !bytes.HasPrefix(line, []byte("+OK")) {
			t.Fatalf("%q, %v", line, err)
		}
	}
	c2 := f.LogIn(t)
	c2.Do("STAT", "+OK 0 0")
}

// RETR of a message in memory allocates almost no memory.
func TestRETRAllocations(t *testing.T) {
	outside := pop3test.New(t, openStore(t), pop3server.Config{}, false)
	f := onMail(t, outside, &synthetic{Mail: outside.Store.Mail.Local, n: 1, size: 8000}, pop3server.Config{})
	c := mailtest.Dial(t, f.Listen(t))
	c.Expect("+OK")
	c.Do("USER alice", "+OK")
	c.Do("PASS "+pop3test.Password, "+OK")
	conn := c.Conn()
	const batch = 100
	commands := bytes.Repeat([]byte("RETR 1\r\n"), batch)
	size := len(pop3test.Header()) + 8000
	response := make([]byte, batch*(len(fmt.Sprintf("+OK %d octets\r\n", size))+size+len(".\r\n")))
	per := testing.AllocsPerRun(20, func() {
		conn.Write(commands)
		if _, err := io.ReadFull(conn, response); err != nil {
			t.Fatal(err)
		}
	}) / batch
	if per > 6 {
		t.Errorf("%v allocations for each RETR", per)
	}
}
