package wire_test

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"popelago/mailtest"
	"popelago/wire"
)

// inBubble serves handle on a pipe under a fake clock, calls client with the other end, and returns
// the duration of the session.
func inBubble(t *testing.T, cfg wire.Config, handle func(ctx context.Context, c *wire.Conn), client func(nc net.Conn)) (took time.Duration) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		cfg.Handle = handle
		near, far := net.Pipe()
		start := time.Now()
		done := make(chan struct{})
		go func() {
			wire.NewServer(cfg).ServeConn(far)
			took = time.Since(start)
			close(done)
		}()
		client(near)
		<-done
		near.Close()
	})
	return took
}

func TestIdleTimeoutIsForTheWholeLine(t *testing.T) {
	for name, trickle := range map[string]bool{"silent": false, "trickling": true} {
		var got error
		took := inBubble(t, wire.Config{IdleTimeout: 10 * time.Minute}, func(_ context.Context, c *wire.Conn) {
			_, got = c.ReadLine()
		}, func(nc net.Conn) {
			for trickle {
				if _, err := nc.Write([]byte("x")); err != nil {
					return
				}
				time.Sleep(time.Minute)
			}
		})
		if got != wire.ErrTimeout || took.Round(time.Second) != 10*time.Minute {
			t.Errorf("%s: %v after %v, want %v after 10m", name, got, took, wire.ErrTimeout)
		}
	}
}

func TestIdleTimeoutStartsAnewWithEachCommand(t *testing.T) {
	lines := 0
	took := inBubble(t, wire.Config{IdleTimeout: 10 * time.Minute}, func(_ context.Context, c *wire.Conn) {
		for {
			if _, err := c.ReadLine(); err != nil {
				return
			}
			lines++
		}
	}, func(nc net.Conn) {
		for range 3 {
			time.Sleep(9 * time.Minute)
			nc.Write([]byte("NOOP\r\n"))
		}
	})
	if lines != 3 || took != 37*time.Minute {
		t.Errorf("%d lines in %v, want 3 in 37m", lines, took)
	}
}

func TestBodyTimeoutMovesWithProgress(t *testing.T) {
	tests := []struct {
		name  string
		every time.Duration // between writes of 4 KiB
		count int           // writes
		want  error
		took  time.Duration
	}{
		{"steady", time.Minute, 100, nil, 100 * time.Minute},
		{"slow", 2 * time.Minute, 100, wire.ErrTimeout, 5 * time.Minute},
		{"silent", 0, 0, wire.ErrTimeout, 5 * time.Minute},
	}
	for _, tt := range tests {
		var got error
		took := inBubble(t, wire.Config{BodyTimeout: 5 * time.Minute}, func(_ context.Context, c *wire.Conn) {
			_, got = io.Copy(io.Discard, c.NewDotReader())
		}, func(nc net.Conn) {
			chunk := []byte(strings.Repeat("x", 4094) + "\r\n")
			for range tt.count {
				time.Sleep(tt.every)
				if _, err := nc.Write(chunk); err != nil {
					return
				}
			}
			if tt.count > 0 {
				nc.Write([]byte(".\r\n"))
			}
		})
		if got != tt.want || took != tt.took {
			t.Errorf("%s: %v after %v, want %v after %v", tt.name, got, took, tt.want, tt.took)
		}
	}
}

func TestWriteTimeout(t *testing.T) {
	var got error
	took := inBubble(t, wire.Config{WriteTimeout: time.Minute}, func(_ context.Context, c *wire.Conn) {
		for got == nil {
			_, got = c.WriteString(strings.Repeat("x", 1000))
		}
	}, func(nc net.Conn) {
		// An octet now and then is no progress.
		for b := make([]byte, 1); ; time.Sleep(10 * time.Second) {
			if _, err := nc.Read(b); err != nil {
				return
			}
		}
	})
	if got != wire.ErrTimeout || took != time.Minute {
		t.Errorf("%v after %v, want %v after 1m", got, took, wire.ErrTimeout)
	}
}

func TestHandshakeTimeout(t *testing.T) {
	cert := mailtest.Certificate(t)
	var got error
	took := inBubble(t, wire.Config{HandshakeTimeout: 30 * time.Second}, func(ctx context.Context, c *wire.Conn) {
		got = c.StartTLS(ctx, cert.Server)
	}, func(nc net.Conn) {})
	if got != wire.ErrTimeout || took != 30*time.Second {
		t.Errorf("%v after %v, want %v after 30s", got, took, wire.ErrTimeout)
	}
}

// Shutdown wakes sessions that wait for a command or for a handshake, and lets other sessions finish
// their present command.
func TestShutdownInterrupts(t *testing.T) {
	cert := mailtest.Certificate(t)
	synctest.Test(t, func(t *testing.T) {
		results := make(chan error, 3)
		finished := false
		s := wire.NewServer(wire.Config{Handle: func(ctx context.Context, c *wire.Conn) {
			line, err := c.ReadLine()
			switch string(line) {
			case "STLS":
				err = c.StartTLS(ctx, cert.Server)
			case "BUSY":
				time.Sleep(time.Hour)
				finished = true
				_, err = c.ReadLine() // a second command has arrived already
			}
			results <- err
		}})
		var conns []net.Conn
		for _, line := range []string{"", "STLS\r\n", "BUSY\r\nNEXT\r\n"} {
			near, far := net.Pipe()
			conns = append(conns, near)
			go s.ServeConn(far)
			near.Write([]byte(line))
		}
		synctest.Wait()
		if n := s.Conns(); n != 3 {
			t.Errorf("%d connections", n)
		}
		start := time.Now()
		if err := s.Shutdown(context.Background()); err != nil {
			t.Errorf("Shutdown: %v", err)
		}
		if took := time.Since(start); took != time.Hour || !finished {
			t.Errorf("Shutdown took %v, want 1h; busy session finished: %v", took, finished)
		}
		for range 3 {
			if err := <-results; err != wire.ErrStopping {
				t.Errorf("a session ended with %v, want %v", err, wire.ErrStopping)
			}
		}
		// New connections are refused.
		near, far := net.Pipe()
		go s.ServeConn(far)
		if _, err := near.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("after Shutdown: %v, want EOF", err)
		}
		for _, nc := range conns {
			nc.Close()
		}
	})
}

func TestShutdownClosesByForce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ended := make(chan error, 1)
		s := wire.NewServer(wire.Config{
			WriteTimeout: time.Hour,
			Handle: func(ctx context.Context, c *wire.Conn) {
				var err error
				for err == nil { // the client reads nothing
					_, err = c.WriteString("text\r\n")
				}
				<-ctx.Done()
				ended <- err
			}})
		near, far := net.Pipe()
		go s.ServeConn(far)
		synctest.Wait()
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		start := time.Now()
		if err := s.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != 5*time.Second {
			t.Errorf("Shutdown: %v after %v", err, time.Since(start))
		}
		if err := <-ended; !errors.Is(err, io.ErrClosedPipe) {
			t.Errorf("the session ended with %v", err)
		}
		near.Close()
	})
}
