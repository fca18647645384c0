package wire_test

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"

	"popelago/wire"
)

func TestReadLine(t *testing.T) {
	long := strings.Repeat("x", 70_000)
	tests := []struct {
		name   string
		in     string
		strict bool
		want   []string
	}{
		{"nothing", "", false, []string{"end: EOF"}},
		{"one", "NOOP\r\n", false, []string{"line NOOP", "end: EOF"}},
		{"empty", "\r\n", false, []string{"line ", "end: EOF"}},
		{"pipelined", "A\r\nB\r\nC\r\n", false, []string{"line A", "line B", "line C", "end: EOF"}},
		{"no end", "NOOP", false, []string{"end: EOF"}},
		{"LF", "A\nB\r\n", false, []string{"line A", "line B", "end: EOF"}},
		{"LF, strict", "A\nB\r\n\n", true, []string{"line ends in LF without CR", "line B", "line ends in LF without CR", "end: EOF"}},
		{"CR is text", "A\rB\r\n", true, []string{"line A\rB", "end: EOF"}},
		{"CR CR LF", "A\r\r\n", true, []string{"line A\r", "end: EOF"}},
		{"NUL", "A\x00B\r\n", false, []string{"line A\x00B", "end: EOF"}},
		{"limit, CRLF", "0123456789\r\n", false, []string{"line 0123456789", "end: EOF"}},
		{"limit, LF", "0123456789\n", false, []string{"line 0123456789", "end: EOF"}},
		{"over the limit, CRLF", "0123456789a\r\nB\r\n", false, []string{"line too long", "line B", "end: EOF"}},
		{"over the limit, LF", "0123456789a\nB\r\n", false, []string{"line too long", "line B", "end: EOF"}},
		{"70 KB", long + "\r\nB\r\n", false, []string{"line too long", "line B", "end: EOF"}},
		{"70 KB, twice", long + "\r\n" + long + "\nB\r\n", true, []string{"line too long", "line too long", "line B", "end: EOF"}},
		{"endless", strings.Repeat(long, 5), false, []string{"end: line without end"}},
	}
	for _, tt := range tests {
		for _, size := range []int{1, 2, 3, 7, 255, 256, 257, 4096, 1 << 20} {
			if size < 3 && len(tt.in) > 1000 {
				continue
			}
			got := session(wire.Config{MaxLine: 10, StrictLineEnd: tt.strict}, split([]byte(tt.in), size))
			if !slices.Equal(got, tt.want) {
				t.Errorf("%s, in chunks of %d: got %q, want %q", tt.name, size, got, tt.want)
			}
		}
	}
}

func TestReadLineAtTheLargestLimit(t *testing.T) {
	for _, n := range []int{wire.MaxLineLimit - 1, wire.MaxLineLimit, wire.MaxLineLimit + 1} {
		text := strings.Repeat("x", n)
		for _, size := range []int{1000, 1 << 20} {
			got := session(wire.Config{MaxLine: 1 << 30}, split([]byte(text+"\r\nB\r\n"), size))
			want := []string{"line " + text, "line B", "end: EOF"}
			if n > wire.MaxLineLimit {
				want[0] = "line too long"
			}
			if !slices.Equal(got, want) {
				t.Errorf("line of %d octets in chunks of %d: got %.40q, want %.40q", n, size, got, want)
			}
		}
	}
}

// referenceLines reads lines octet by octet, as a reference for ReadLine.
func referenceLines(in []byte, limit int, strict bool) (want []string) {
	var line []byte
	for _, b := range in {
		if b != '\n' {
			line = append(line, b)
			continue
		}
		text, crlf := bytes.CutSuffix(line, []byte("\r"))
		switch {
		case len(text) > limit:
			want = append(want, wire.ErrLineTooLong.Error())
		case strict && !crlf:
			want = append(want, wire.ErrBareLineEnd.Error())
		default:
			want = append(want, "line "+string(text))
		}
		line = nil
	}
	return append(want, "end: EOF")
}

func FuzzReadLine(f *testing.F) {
	f.Add([]byte("A\r\nB\nC\r\r\n\r\n"), 3, 10, true)
	// Just longer than the small buffer: the time to minimize an interesting input grows with the
	// square of the input's length.
	f.Add([]byte(strings.Repeat("long ", 55)+"\r\nx\r\n"), 100, 300, false)
	f.Fuzz(func(t *testing.T, in []byte, size, limit int, strict bool) {
		if len(in) > 600 {
			return
		}
		size, limit = max(1, size%5000), 1+abs(limit)%5000
		got := session(wire.Config{MaxLine: limit, StrictLineEnd: strict}, split(in, size))
		if want := referenceLines(in, limit, strict); !slices.Equal(got, want) {
			t.Errorf("limit %d, chunks of %d:\ngot  %q\nwant %q", limit, size, got, want)
		}
	})
}

func abs(n int) int { return max(n, -(n + 1)) }

// Replies to pipelined commands are held back only while a whole further command is in the buffer.
func TestOutputIsFlushedBeforeWaiting(t *testing.T) {
	conn := &countingConn{scriptConn: scriptConn{chunks: [][]byte{[]byte("A\r\nB\r\nC\r\nD"), []byte("\r\n")}}}
	serveOn(conn, func(c *wire.Conn) {
		for {
			line, err := c.ReadLine()
			if err != nil {
				if err.Error() != "EOF" {
					t.Errorf("ReadLine: %v", err)
				}
				return
			}
			c.WriteString("+OK ")
			c.Write(line)
			c.WriteString("\r\n")
		}
	})
	if want := "+OK A\r\n+OK B\r\n+OK C\r\n+OK D\r\n"; conn.out.String() != want || conn.writes != 2 {
		t.Errorf("got %q in %d writes, want %q in 2", conn.out.String(), conn.writes, want)
	}
}

type countingConn struct {
	scriptConn
	writes int
	err    error
}

func (c *countingConn) Write(p []byte) (int, error) {
	c.writes++
	if c.err != nil {
		return 0, c.err
	}
	return c.scriptConn.Write(p)
}

func TestWriteErrorStays(t *testing.T) {
	broken := errors.New("broken")
	conn := &countingConn{err: broken}
	serveOn(conn, func(c *wire.Conn) {
		c.WriteString("x")
		if err := c.Flush(); err != broken {
			t.Errorf("Flush: %v", err)
		}
		if _, err := c.Write([]byte("x")); err != broken {
			t.Errorf("Write: %v", err)
		}
		if _, err := c.WriteString("x"); err != broken {
			t.Errorf("WriteString: %v", err)
		}
		if _, err := c.ReadLine(); err != broken {
			t.Errorf("ReadLine: %v", err)
		}
	})
	if conn.writes != 1 {
		t.Errorf("%d writes, want 1", conn.writes)
	}
}
