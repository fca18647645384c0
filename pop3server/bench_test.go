package pop3server_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"runtime"
	"strings"
	"testing"

	"popelago/event"
	"popelago/pop3server"
	"popelago/pop3server/pop3test"
)

// content8K is a message of about 8 KiB.
var content8K = "Subject: 8 KiB\r\n\r\n" + strings.Repeat(strings.Repeat("x", 70)+"\r\n", 112)

// benchConn is a minimal client, so that the benchmark measures the server.
type benchConn struct {
	conn net.Conn
	in   *bufio.Reader
}

func dialBench(b *testing.B, addr string) *benchConn {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		b.Error(err)
		return nil
	}
	return &benchConn{conn, bufio.NewReaderSize(conn, 64<<10)}
}

// expect reads lines, which must begin with +OK.
func (c *benchConn) expect(lines int) error {
	for range lines {
		line, err := c.in.ReadSlice('\n')
		if err != nil {
			return err
		}
		if !bytes.HasPrefix(line, []byte("+OK")) {
			return fmt.Errorf("the server says %q", line)
		}
	}
	return nil
}

// BenchmarkRETR retrieves messages of 8 KiB, a thousand commands in each write.
func BenchmarkRETR(b *testing.B) { benchRETR(b, nil) }

// BenchmarkRETRWithEvents is BenchmarkRETR with a listener of events.
func BenchmarkRETRWithEvents(b *testing.B) { benchRETR(b, nothing{}) }

// nothing is a listener that forgets.
type nothing struct{}

func (nothing) Happened(event.Event) {}

func benchRETR(b *testing.B, l event.Listener) {
	const messages = 1000
	f := pop3test.New(b, openStore(b), pop3server.Config{MaxSessionsPerAccount: 10_000, Events: l}, false)
	for range messages {
		f.Add(b, f.Alice, content8K, "")
	}
	addr := f.Listen(b)
	size := int64(len(pop3test.Header()) + len(content8K))
	response := int64(len(fmt.Sprintf("+OK %d octets\r\n", size))) + size + int64(len(".\r\n"))
	var commands bytes.Buffer
	for n := 1; n <= messages; n++ {
		fmt.Fprintf(&commands, "RETR %d\r\n", n)
	}
	b.ReportAllocs()
	b.SetBytes(size)
	b.RunParallel(func(pb *testing.PB) {
		c := dialBench(b, addr)
		if c == nil {
			return
		}
		defer c.conn.Close()
		fmt.Fprintf(c.conn, "USER alice\r\nPASS %s\r\n", pop3test.Password)
		if err := c.expect(3); err != nil {
			b.Error(err)
			return
		}
		for more := true; more; {
			n := 0
			for n < messages && pb.Next() {
				n++
			}
			more = n == messages
			part := commands.Bytes()
			if !more {
				part = part[:bytes.Index(part, fmt.Appendf(nil, "RETR %d\r\n", n+1))]
			}
			if n == 0 {
				return
			}
			c.conn.Write(part)
			if _, err := io.CopyN(io.Discard, c.in, int64(n)*response); err != nil {
				b.Error(err)
				return
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "messages/s")
}

// BenchmarkPoll polls as mail programs do every minute: connect, log in, STAT, QUIT.
func BenchmarkPoll(b *testing.B) {
	f := pop3test.New(b, openStore(b), pop3server.Config{MaxSessionsPerAccount: 10_000}, false)
	f.AddSamples(b, 10)
	addr := f.Listen(b)
	b.ReportAllocs()
	b.SetParallelism(8)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			c := dialBench(b, addr)
			if c == nil {
				return
			}
			err := c.expect(1)
			for _, command := range []string{"USER alice\r\n", "PASS " + pop3test.Password + "\r\n", "STAT\r\n", "QUIT\r\n"} {
				if err == nil {
					io.WriteString(c.conn, command)
					err = c.expect(1)
				}
			}
			c.conn.Close()
			if err != nil {
				b.Error(err)
				return
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "sessions/s")
}

// BenchmarkIdle reports the memory of an idle session that has retrieved a message from a maildrop of
// ten messages: the memory of server and client, without the kernel and without TLS.
func BenchmarkIdle(b *testing.B) {
	const sessions = 2000
	f := pop3test.New(b, openStore(b), pop3server.Config{MaxSessionsPerAccount: 10_000}, false)
	f.AddSamples(b, 10)
	addr := f.Listen(b)
	for b.Loop() {
		before := memoryInUse()
		var conns []*benchConn
		for range sessions {
			c := dialBench(b, addr)
			if c == nil {
				return
			}
			conns = append(conns, c)
			c.in = bufio.NewReaderSize(c.conn, 512)
			fmt.Fprintf(c.conn, "USER alice\r\nPASS %s\r\nRETR 2\r\n", pop3test.Password)
			if err := c.expect(4); err != nil {
				b.Fatal(err)
			}
			for line := []byte(nil); string(line) != ".\r\n"; {
				var err error
				if line, err = c.in.ReadSlice('\n'); err != nil {
					b.Fatal(err)
				}
			}
		}
		b.ReportMetric(float64(memoryInUse()-before)/sessions, "octets/session")
		for _, c := range conns {
			c.conn.Close()
		}
	}
}

func memoryInUse() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapInuse + m.StackInuse)
}

// A poll of an unchanged mailbox allocates little: mail programs do little else. The client counts, too.
func TestPollAllocations(t *testing.T) {
	f := pop3test.New(t, openStore(t), pop3server.Config{}, false)
	f.AddSamples(t, 10)
	addr := f.Listen(t)
	in := bufio.NewReaderSize(nil, 4096)
	per := testing.AllocsPerRun(100, func() {
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		in.Reset(conn)
		c := &benchConn{conn, in}
		err = c.expect(1)
		for _, command := range []string{"USER alice\r\n", "PASS " + pop3test.Password + "\r\n", "STAT\r\n", "QUIT\r\n"} {
			if err == nil {
				io.WriteString(c.conn, command)
				err = c.expect(1)
			}
		}
		if _, end := in.ReadByte(); err != nil || end != io.EOF {
			t.Fatal(err, end)
		}
	})
	if per > 110 {
		t.Errorf("%v allocations for each poll", per)
	}
}
