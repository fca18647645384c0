package wire_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"popelago/mailtest"
	"popelago/wire"
)

// listen starts a server on a loopback port until the end of the test.
func listen(t *testing.T, cfg wire.Config, tlsConfig *tls.Config) (s *wire.Server, addr string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s = wire.NewServer(cfg)
	done := make(chan error, 1)
	go func() { done <- s.Serve(l, tlsConfig) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
		defer cancel()
		s.Shutdown(ctx)
		if err := <-done; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	return s, l.Addr().String()
}

// echo answers each line with the line, and some lines with more.
func echo(t *testing.T, cert *tls.Config) func(ctx context.Context, c *wire.Conn) {
	return func(ctx context.Context, c *wire.Conn) {
		c.WriteString("ready\r\n")
		for {
			line, err := c.ReadLine()
			if err != nil {
				return
			}
			text := string(line)
			switch text {
			case "STLS":
				c.WriteString("go on\r\n")
				if err := c.StartTLS(ctx, cert); err != nil {
					if c.TLS() != nil {
						t.Error("TLS after a failed handshake")
					}
					return
				}
				if c.TLS() == nil || c.Buffered() != 0 {
					t.Errorf("after the handshake: TLS %v, %d octets buffered", c.TLS(), c.Buffered())
				}
				continue
			case "PANIC":
				panic("on purpose")
			case "BREAK":
				c.WriteString("half of")
				c.Flush()
				c.WriteString(" a line\r\n")
				c.Break()
				return
			case "BYE":
				c.Linger()
				c.WriteString("bye\r\n")
				return
			}
			c.WriteString(text + "\r\n")
		}
	}
}

func refuse(reason error) string { return reason.Error() + "\r\n" }

func TestLimitOfConnections(t *testing.T) {
	reg := prometheus.NewRegistry()
	_, addr := listen(t, wire.Config{Handle: echo(t, nil), Refuse: refuse, MaxConns: 2, DropAfter: 24 * time.Hour, Metrics: wire.NewMetrics(reg)}, nil)
	a, b := mailtest.Dial(t, addr), mailtest.Dial(t, addr)
	a.Expect("ready")
	b.Expect("ready")
	c := mailtest.Dial(t, addr)
	c.Expect("too many connections")
	c.ExpectEOF()
	a.Do("x", "x")
	a.Close()
	mailtest.WaitFor(t, 10*time.Minute, func() error {
		line, err := mailtest.Dial(t, addr).TryLine()
		if err == nil && line != "ready" {
			err = errors.New(line)
		}
		return err
	})
}

func TestLimitOfConnectionsPerAddress(t *testing.T) {
	tests := []struct {
		name  string
		from  []string
		local bool
		fits  bool // the last connection
	}{
		{"IPv4", []string{"192.0.2.1", "192.0.2.1", "192.0.2.1"}, false, false},
		{"others", []string{"192.0.2.1", "192.0.2.1", "192.0.2.2"}, false, true},
		{"IPv6 of one /64", []string{"2001:db8::1", "2001:db8::2", "2001:db8::ffff:0:0:3"}, false, false},
		{"IPv6 of two", []string{"2001:db8::1", "2001:db8::2", "2001:db8:0:1::3"}, false, true},
		{"IPv4 in IPv6", []string{"::ffff:192.0.2.1", "192.0.2.1", "192.0.2.1"}, false, false},
		{"loopback", []string{"127.0.0.1", "127.0.0.1", "127.0.0.1"}, false, true},
		{"loopback counted", []string{"127.0.0.1", "127.0.0.1", "127.0.0.1"}, true, false},
		{"unix socket", []string{"", "", ""}, true, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { // a refused client has a second to read the reason
				s := wire.NewServer(wire.Config{Handle: echo(t, nil), Refuse: refuse, MaxConnsPerAddr: 2, CountLocal: tt.local})
				dial := func(from string) *mailtest.Client {
					near, far := mailtest.Pipe(from)
					go s.ServeConn(far)
					return mailtest.NewClient(t, near)
				}
				var clients []*mailtest.Client
				for i, from := range tt.from {
					c := dial(from)
					want := "ready"
					if i == 2 && !tt.fits {
						want = "too many connections from this address"
					}
					if got := c.Line(); got != want {
						t.Errorf("connection %d gets %q, want %q", i, got, want)
					}
					clients = append(clients, c)
				}
				for _, c := range clients {
					c.Close()
				}
				synctest.Wait()
				if n := s.Conns(); n > 0 {
					t.Errorf("%d connections are left", n)
				}
				if got := dial(tt.from[0]).Line(); got != "ready" {
					t.Errorf("later: %q", got)
				}
			})
		})
	}
}

func TestPanicEndsOneSessionOnly(t *testing.T) {
	reg := prometheus.NewRegistry()
	_, addr := listen(t, wire.Config{Protocol: "test", Handle: echo(t, nil), Metrics: wire.NewMetrics(reg)}, nil)
	a, b := mailtest.Dial(t, addr), mailtest.Dial(t, addr)
	a.Expect("ready")
	b.Expect("ready")
	a.Cmd("PANIC")
	a.ExpectEOF()
	b.Do("x", "x")
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == "popelago_wire_panics_total" && f.GetMetric()[0].GetCounter().GetValue() != 1 {
			t.Errorf("the panic was not counted: %v", f)
		}
	}
}

func TestStartTLS(t *testing.T) {
	cert := mailtest.Certificate(t)
	_, addr := listen(t, wire.Config{Handle: echo(t, cert.Server)}, nil)
	a, b := mailtest.Dial(t, addr), mailtest.Dial(t, addr)
	a.Expect("ready")
	b.Expect("ready")
	a.Send("STLS\r\nINJECTED\r\nINJECTED\r\n")
	a.Expect("go on")
	a.StartTLS(cert.Client)
	a.Do("over TLS", "over TLS")
	b.Do("still clear", "still clear")
	a.Do(strings.Repeat("x", 4000), "xxxx")
}

func TestFailedHandshakeEndsTheSession(t *testing.T) {
	cert := mailtest.Certificate(t)
	_, addr := listen(t, wire.Config{Handle: echo(t, cert.Server)}, nil)
	c := mailtest.Dial(t, addr)
	c.Expect("ready")
	c.Do("STLS", "go on")
	c.Send("NOOP\r\nNOOP\r\nNOOP\r\n")
	// The server may send a TLS alert, but no answer, and ends the connection.
	rest, _ := io.ReadAll(c.Conn())
	if strings.Contains(string(rest), "NOOP") {
		t.Errorf("after a failed handshake the server says %q", rest)
	}
}

func TestImplicitTLS(t *testing.T) {
	cert := mailtest.Certificate(t)
	s, addr := listen(t, wire.Config{Handle: echo(t, nil)}, cert.Server)
	bad := mailtest.Dial(t, addr)
	bad.Send("NOOP\r\nNOOP\r\nNOOP\r\nNOOP\r\n")
	good := mailtest.Dial(t, addr)
	good.StartTLS(cert.Client)
	good.Expect("ready")
	good.Do("x", "x")
	good.Close()
	mailtest.WaitFor(t, 10*time.Minute, func() error {
		if n := s.Conns(); n > 0 {
			return errors.New("connections are left")
		}
		return nil
	})
}

// A client can tell a text that broke off from a complete text.
func TestBreakResetsTheConnection(t *testing.T) {
	cert := mailtest.Certificate(t)
	_, addr := listen(t, wire.Config{Handle: echo(t, cert.Server)}, nil)
	for _, encrypted := range []bool{false, true} {
		c := mailtest.Dial(t, addr)
		c.Expect("ready")
		if encrypted {
			c.Do("STLS", "go on")
			c.StartTLS(cert.Client)
		}
		c.Cmd("BREAK")
		got, err := bufio.NewReader(c.Conn()).ReadString('\n')
		if err == nil || err == io.EOF || strings.Contains(got, "a line") {
			t.Errorf("TLS %v: got %q, error %v", encrypted, got, err)
		}
		if !encrypted && !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("error %v, want %v", err, syscall.ECONNRESET)
		}
	}
}

// The last reply reaches a client that is still sending.
func TestLinger(t *testing.T) {
	_, addr := listen(t, wire.Config{Handle: echo(t, nil)}, nil)
	c := mailtest.Dial(t, addr)
	c.Expect("ready")
	c.Send("BYE\r\n" + strings.Repeat("x", 500_000))
	c.Expect("bye")
	c.ExpectEOF()
}

func TestServeOutlivesAcceptErrors(t *testing.T) {
	l := &failingListener{failures: 2, conns: make(chan net.Conn, 1), closed: make(chan struct{})}
	near, far := net.Pipe()
	l.conns <- far
	s := wire.NewServer(wire.Config{Handle: echo(t, nil)})
	done := make(chan error, 1)
	go func() { done <- s.Serve(l, nil) }()
	c := mailtest.NewClient(t, near)
	c.Expect("ready")
	if err := s.Shutdown(context.Background()); err != nil {
		t.Errorf("Shutdown: %v", err)
	}
	if err := <-done; err != nil {
		t.Errorf("Serve: %v", err)
	}
	if err := s.Serve(&failingListener{closed: make(chan struct{})}, nil); err != nil {
		t.Errorf("Serve after Shutdown: %v", err)
	}
}

// failingListener fails several times before it returns connections.
type failingListener struct {
	failures int
	conns    chan net.Conn
	closed   chan struct{}
}

func (l *failingListener) Accept() (net.Conn, error) {
	if l.failures > 0 {
		l.failures--
		return nil, syscall.EMFILE
	}
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *failingListener) Close() error {
	select {
	case <-l.closed:
	default:
		close(l.closed)
	}
	return nil
}

func (l *failingListener) Addr() net.Addr { return &net.UnixAddr{} }
