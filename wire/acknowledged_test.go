package wire_test

import (
	"context"
	"io"
	"net"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"popelago/mailtest"
	"popelago/wire"
)

// TestAcknowledgement: a server knows whether its last reply has reached a client that sends nothing
// more, however the connection ends.
func TestAcknowledgement(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux reports the queue of a socket")
	}
	const reply = "250 ok\r\n"
	read := func(t *testing.T, nc net.Conn) {
		if _, err := io.ReadFull(nc, make([]byte, len(reply))); err != nil {
			t.Error(err)
		}
	}
	arrived := func(*testing.T, net.Conn) { time.Sleep(50 * time.Millisecond) } // in the client's system, unread
	reset := func(_ *testing.T, nc net.Conn) {
		if tcp, ok := nc.(*net.TCPConn); ok {
			tcp.SetLinger(0)
		}
		nc.Close()
	}
	end := func(_ *testing.T, nc net.Conn) { nc.Close() }
	for _, test := range []struct {
		name          string
		before, after func(*testing.T, net.Conn) // the writing of the reply
		want          bool
	}{
		{"closed after the reply", nil, func(t *testing.T, nc net.Conn) { read(t, nc); nc.Close() }, true},
		{"reset after the reply", nil, func(t *testing.T, nc net.Conn) { read(t, nc); reset(t, nc) }, false}, // the reset hides the acknowledgement
		{"half closed before the reply", func(t *testing.T, nc net.Conn) {
			nc.(interface{ CloseWrite() error }).CloseWrite()
		}, read, true},
		{"closed before the reply", end, nil, false},
		{"reset before the reply", reset, nil, false},
		{"closed without reading the reply", nil, func(t *testing.T, nc net.Conn) { arrived(t, nc); nc.Close() }, false},
	} {
		for _, network := range []string{"tcp", "unix"} {
			t.Run(test.name+"/"+network, func(t *testing.T) {
				if test.name == "reset after the reply" && network == "unix" {
					t.Skip("a unix socket has no reset")
				}
				addr := "127.0.0.1:0"
				if network == "unix" {
					addr = filepath.Join(t.TempDir(), "socket")
				}
				l, err := net.Listen(network, addr)
				if err != nil {
					t.Fatal(err)
				}
				ready, got := make(chan bool), make(chan bool, 1)
				s := wire.NewServer(wire.Config{AcknowledgementTimeout: time.Hour, Handle: func(_ context.Context, c *wire.Conn) {
					<-ready
					c.WriteString(reply)
					if c.Acknowledged() {
						t.Error("acknowledged before the flush")
					}
					c.Flush()
					ready <- true
					c.ReadLine()
					got <- c.AwaitAcknowledgement()
				}})
				go s.Serve(l, nil)
				defer s.Shutdown(context.Background())
				nc, err := net.Dial(network, l.Addr().String())
				if err != nil {
					t.Fatal(err)
				}
				defer nc.Close()
				if test.before != nil {
					test.before(t, nc)
				}
				ready <- true
				<-ready
				if test.after != nil {
					test.after(t, nc)
				}
				if acknowledged := <-got; acknowledged != test.want {
					t.Errorf("acknowledged: %v, want %v", acknowledged, test.want)
				}
			})
		}
	}
}

// TestAcknowledgementOfAPipe: without a socket, output counts as acknowledged once it is written.
func TestAcknowledgementOfAPipe(t *testing.T) {
	for _, reads := range []bool{true, false} {
		got := make(chan bool, 1)
		s := wire.NewServer(wire.Config{Handle: func(_ context.Context, c *wire.Conn) {
			c.WriteString("250 ok\r\n")
			got <- c.AwaitAcknowledgement()
		}})
		client, server := mailtest.Pipe("")
		done := make(chan bool)
		go func() { s.ServeConn(server); close(done) }()
		if reads {
			if _, err := io.ReadFull(client, make([]byte, 8)); err != nil {
				t.Fatal(err)
			}
		}
		client.Close()
		if acknowledged := <-got; acknowledged != reads {
			t.Errorf("acknowledged: %v, want %v", acknowledged, reads)
		}
		<-done
	}
}
