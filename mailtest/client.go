package mailtest

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// readTimeout is the default of Client.Timeout.
const readTimeout = 2 * time.Minute

// Client speaks a line protocol and ends the test on any surprise. A Client belongs to one goroutine.
// In a goroutine other than the test's, a surprise fails the test and ends the goroutine.
//
// Output is queued and written in the background, so that a Client on a net.Pipe can pipeline as much
// as a Client on a socket.
type Client struct {
	// Timeout limits each wait for the server. Zero: no limit, as tests under synctest need.
	Timeout time.Duration

	t    testing.TB
	conn net.Conn
	in   *bufio.Reader

	mu    sync.Mutex
	idle  sync.Cond // signalled when the queue becomes empty
	queue [][]byte
	busy  bool // a goroutine is writing
	err   error
}

// NewClient makes a client of a connection, which is closed at the end of the test.
func NewClient(t testing.TB, conn net.Conn) *Client {
	c := &Client{Timeout: readTimeout, t: t, conn: conn, in: bufio.NewReader(conn)}
	c.idle.L = &c.mu
	t.Cleanup(func() { conn.Close() })
	return c
}

// Dial connects to a TCP address.
func Dial(t testing.TB, addr string) *Client {
	t.Helper()
	conn, err := net.DialTimeout("tcp", addr, readTimeout)
	if err != nil {
		t.Fatal(err)
	}
	return NewClient(t, conn)
}

// Cmd sends a line and CRLF.
func (c *Client) Cmd(line string) { c.Send(line + "\r\n") }

// Cmdf is Cmd with a format.
func (c *Client) Cmdf(format string, args ...any) { c.Cmd(fmt.Sprintf(format, args...)) }

// Send sends octets without a line end.
func (c *Client) Send(s string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.queue = append(c.queue, []byte(s))
	if !c.busy {
		c.busy = true
		go c.write(c.conn)
	}
}

func (c *Client) write(conn net.Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(c.queue) > 0 {
		data := bytes.Join(c.queue, nil)
		c.queue = nil
		c.mu.Unlock()
		_, err := conn.Write(data)
		c.mu.Lock()
		if err != nil && c.err == nil {
			c.err = err
		}
	}
	c.busy = false
	c.idle.Broadcast()
}

// Sync waits until all output is written, and returns the first error of writing.
func (c *Client) Sync() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.busy {
		c.idle.Wait()
	}
	return c.err
}

// TryLine reads one line, without its CRLF.
func (c *Client) TryLine() (string, error) {
	if c.Timeout > 0 {
		c.conn.SetReadDeadline(time.Now().Add(c.Timeout))
	}
	line, err := c.in.ReadString('\n')
	switch {
	case err != nil && line != "":
		return "", fmt.Errorf("after %q without line end: %w", line, err)
	case err != nil:
		return "", err
	case !strings.HasSuffix(line, "\r\n"):
		return "", fmt.Errorf("line %q ends without CR", line)
	}
	return line[:len(line)-2], nil
}

// Line reads one line, without its CRLF.
func (c *Client) Line() string {
	c.t.Helper()
	line, err := c.TryLine()
	if err != nil {
		c.t.Fatalf("reading a line: %v", err)
	}
	return line
}

// Expect reads and returns a line, which must begin with prefix.
func (c *Client) Expect(prefix string) string {
	c.t.Helper()
	line := c.Line()
	if !strings.HasPrefix(line, prefix) {
		c.t.Fatalf("the server says %q, want %q", line, prefix)
	}
	return line
}

// Do sends a line and returns the answer, which must begin with prefix.
func (c *Client) Do(line, prefix string) string {
	c.t.Helper()
	c.Cmd(line)
	answer := c.Line()
	if !strings.HasPrefix(answer, prefix) {
		c.t.Fatalf("%q: the server says %q, want %q", line, answer, prefix)
	}
	return answer
}

// TryMultiline reads a text up to the final dot and returns the text with CRLF line ends and without
// dot-stuffing.
func (c *Client) TryMultiline() ([]byte, error) {
	var text []byte
	for {
		line, err := c.TryLine()
		if err != nil {
			return text, err
		}
		if line == "." {
			return text, nil
		}
		text = append(text, strings.TrimPrefix(line, ".")...)
		text = append(text, "\r\n"...)
	}
}

// ReadMultiline is TryMultiline that ends the test on an error.
func (c *Client) ReadMultiline() []byte {
	c.t.Helper()
	text, err := c.TryMultiline()
	if err != nil {
		c.t.Fatalf("reading a text, after %d octets: %v", len(text), err)
	}
	return text
}

// ExpectEOF waits until the server closes the connection. Further output of the server ends the test.
func (c *Client) ExpectEOF() {
	c.t.Helper()
	line, err := c.TryLine()
	if err == nil {
		c.t.Fatalf("the server says %q, want the end of the connection", line)
	}
	if !isClosed(err) {
		c.t.Fatalf("reading: %v, want the end of the connection", err)
	}
}

// isClosed reports whether err means that the peer closed the connection.
func isClosed(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrClosedPipe) || errors.Is(err, syscall.ECONNRESET)
}

// StartTLS does a TLS handshake as the client; a nil config trusts any certificate.
func (c *Client) StartTLS(cfg *tls.Config) {
	c.t.Helper()
	if err := c.TryStartTLS(cfg); err != nil {
		c.t.Fatalf("TLS handshake: %v", err)
	}
}

// TryStartTLS is StartTLS that returns its error.
func (c *Client) TryStartTLS(cfg *tls.Config) error {
	if cfg == nil {
		cfg = &tls.Config{InsecureSkipVerify: true}
	}
	if err := c.Sync(); err != nil {
		return err
	}
	if n := c.in.Buffered(); n > 0 {
		return fmt.Errorf("the server sent %d octets in front of the handshake", n)
	}
	ctx, cancel := context.Background(), context.CancelFunc(func() {})
	if c.Timeout > 0 {
		c.conn.SetReadDeadline(time.Time{})
		ctx, cancel = context.WithTimeout(ctx, c.Timeout)
	}
	defer cancel()
	tc := tls.Client(c.conn, cfg)
	if err := tc.HandshakeContext(ctx); err != nil {
		return err
	}
	c.conn = tc
	c.in = bufio.NewReader(tc)
	return nil
}

// Conn is the connection, for operations that Client lacks.
func (c *Client) Conn() net.Conn { return c.conn }

// Close ends the connection at once.
func (c *Client) Close() { c.conn.Close() }
