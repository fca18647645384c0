package wire_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"strings"
	"testing"

	"popelago/mailtest"
	"popelago/wire"
)

// watched serves a connection with a handler that reads a command, watches until the test ends the
// watch or the client hangs up, and then reads on. Its results are the cause of the end of the watch,
// nil if the client did not hang up, and the lines read afterwards.
type watched struct {
	watching chan struct{} // closed when the watch is on
	enough   chan struct{} // closed by the test to end the watch
	cause    chan error
	lines    chan []string
}

func serveWatched(t *testing.T, network string) (net.Conn, *watched) {
	t.Helper()
	w := &watched{make(chan struct{}), make(chan struct{}), make(chan error, 1), make(chan []string, 1)}
	s := wire.NewServer(wire.Config{Handle: func(ctx context.Context, c *wire.Conn) {
		if _, err := c.ReadLine(); err != nil {
			t.Error(err)
		}
		ctx, stop := c.Watch(ctx)
		close(w.watching)
		select {
		case <-ctx.Done():
			w.cause <- context.Cause(ctx)
		case <-w.enough:
			w.cause <- nil
		}
		stop()
		var lines []string
		for {
			line, err := c.ReadLine()
			if err != nil {
				break
			}
			lines = append(lines, string(line))
		}
		w.lines <- lines
	}})
	t.Cleanup(func() { s.Shutdown(context.Background()) })
	if network == "pipe" {
		client, server := mailtest.Pipe("")
		go s.ServeConn(server)
		return client, w
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	certificate := mailtest.Certificate(t)
	var serverTLS *tls.Config
	if network == "tls" {
		serverTLS = certificate.Server
	}
	go s.Serve(l, serverTLS)
	nc, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	if network == "tls" {
		nc = tls.Client(nc, certificate.Client)
	}
	return nc, w
}

var watchedNetworks = []string{"tcp", "tls", "pipe"}

func TestWatchSeesHangUp(t *testing.T) {
	for _, network := range watchedNetworks {
		t.Run(network, func(t *testing.T) {
			nc, w := serveWatched(t, network)
			io.WriteString(nc, "PASS x\r\n")
			<-w.watching
			nc.Close()
			if err := <-w.cause; !errors.Is(err, wire.ErrGone) {
				t.Errorf("cause %v, want ErrGone", err)
			}
			if lines := <-w.lines; lines != nil {
				t.Errorf("lines %q after the client hung up", lines)
			}
		})
	}
}

// All octets that arrive during a watch are read afterwards, even octets for which the buffer has no
// room.
func TestWatchKeepsInput(t *testing.T) {
	for _, network := range watchedNetworks {
		for _, size := range []int{1, 100, 300, 100_000} {
			nc, w := serveWatched(t, network)
			var want []string
			for n := 0; n < size; n += 10 {
				want = append(want, strings.Repeat(string(rune('a'+n/10%26)), 8))
			}
			io.WriteString(nc, "PASS x\r\n")
			<-w.watching
			go func() {
				nc.Write(bytes.Join([][]byte{[]byte(strings.Join(want, "\r\n")), []byte("\r\n")}, nil))
				if half, ok := nc.(interface{ CloseWrite() error }); ok {
					half.CloseWrite()
				} else {
					nc.Close()
				}
			}()
			close(w.enough)
			<-w.cause
			if lines := <-w.lines; !equalLines(lines, want) {
				t.Errorf("%s, %d octets: %d lines, want %d as they were sent", network, size, len(lines), len(want))
			}
			nc.Close()
		}
	}
}

func equalLines(a, b []string) bool { return strings.Join(a, "\n") == strings.Join(b, "\n") }

// A client that closed its side behind further commands still wants the replies.
func TestWatchAfterHalfClose(t *testing.T) {
	nc, w := serveWatched(t, "tcp")
	defer nc.Close()
	io.WriteString(nc, "PASS x\r\nSTAT\r\nQUIT\r\n")
	nc.(*net.TCPConn).CloseWrite()
	<-w.watching
	close(w.enough)
	if err := <-w.cause; err != nil {
		t.Errorf("the watch ended: %v", err)
	}
	if lines := <-w.lines; !equalLines(lines, []string{"STAT", "QUIT"}) {
		t.Errorf("lines %q", lines)
	}
}
