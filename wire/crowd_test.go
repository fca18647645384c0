package wire_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"popelago/mailtest"
	"popelago/wire"
)

// crowd holds a server in a bubble, with the errors that ended its sessions.
type crowd struct {
	t      *testing.T
	server *wire.Server
	reg    *prometheus.Registry
	log    mailtest.Log
	ends   chan error
	conns  []net.Conn
}

// newCrowd makes a server. A client becomes known by the line "known", and progresses by the line "useful".
func newCrowd(t *testing.T, cfg wire.Config) *crowd {
	cr := &crowd{t: t, reg: prometheus.NewRegistry(), ends: make(chan error, 1000)}
	cfg.Protocol, cfg.Metrics = "pop3", wire.NewMetrics(cr.reg)
	cfg.Logger = slog.New(slog.NewTextHandler(&cr.log, nil))
	cfg.Refuse = refuse
	cfg.Handle = func(_ context.Context, c *wire.Conn) {
		for {
			line, err := c.ReadLine()
			if err != nil {
				cr.ends <- err
				return
			}
			switch string(line) {
			case "known":
				c.Known()
			case "useful":
				c.Progressed()
			}
		}
	}
	cr.server = wire.NewServer(cfg)
	return cr
}

// dial opens a connection and waits until it is served or refused.
func (cr *crowd) dial(remote string) net.Conn {
	client, server := mailtest.Pipe(remote)
	go cr.server.ServeConn(server)
	cr.conns = append(cr.conns, client)
	synctest.Wait()
	return client
}

func (cr *crowd) closeAll() {
	for _, c := range cr.conns {
		c.Close()
	}
	synctest.Wait()
}

// ended returns the error of a session that has ended, or nil.
func (cr *crowd) ended() error {
	synctest.Wait()
	select {
	case err := <-cr.ends:
		return err
	default:
		return nil
	}
}

func (cr *crowd) dropped(reason string) float64 { return dropped(cr.t, cr.reg, reason) }

// dropped counts the connections ended by a limit, according to the metric.
func dropped(t *testing.T, reg *prometheus.Registry, reason string) float64 {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			for _, l := range m.GetLabel() {
				if f.GetName() == "popelago_wire_dropped_connections_total" && l.GetValue() == reason {
					return m.GetCounter().GetValue()
				}
			}
		}
	}
	return 0
}

func TestOldestStrangerIsDroppedFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cr := newCrowd(t, wire.Config{MaxConns: 3})
		defer cr.closeAll()
		known := cr.dial("192.0.2.1")
		io.WriteString(known, "known\r\n")
		oldest := cr.dial("192.0.2.2")
		time.Sleep(time.Second)
		cr.dial("192.0.2.3")

		// While all connections are young the new connection is refused.
		if line, _ := io.ReadAll(cr.dial("192.0.2.4")); string(line) != "too many connections\r\n" {
			t.Errorf("the new connection got %q", line)
		}
		time.Sleep(2 * time.Second)
		cr.dial("192.0.2.5")
		if err := cr.ended(); err != wire.ErrTooManyConns {
			t.Errorf("the oldest session ended with %v", err)
		}
		if _, err := oldest.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("the oldest connection: %v", err)
		}
		if n := cr.server.Conns(); n != 3 {
			t.Errorf("%d connections, want 3", n)
		}
		// All clients become known: no connection may be dropped.
		time.Sleep(time.Hour / 12)
		for _, c := range cr.conns[2:] {
			go io.WriteString(c, "known\r\n")
		}
		synctest.Wait()
		if line, _ := io.ReadAll(cr.dial("192.0.2.6")); string(line) != "too many connections\r\n" {
			t.Errorf("with known clients only, the new connection got %q", line)
		}
		if n := cr.dropped("crowded"); n != 1 {
			t.Errorf("%v connections counted as dropped, want 1", n)
		}
	})
}

// TestDroppedSessionsMayTakeTheirTime: a session dropped during a command ends after the command. The
// number of such sessions is limited.
func TestDroppedSessionsMayTakeTheirTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stubborn := make(chan struct{})
		server := wire.NewServer(wire.Config{MaxConns: 10, Refuse: refuse, Handle: func(context.Context, *wire.Conn) { <-stubborn }})
		most := 0
		var clients []net.Conn
		for range 50 {
			client, far := mailtest.Pipe("192.0.2.1")
			clients = append(clients, client)
			go server.ServeConn(far)
			go io.Copy(io.Discard, client)
			time.Sleep(4 * time.Second)
			most = max(most, server.Conns())
		}
		if most != 12 {
			t.Errorf("%d connections at the most, want 10 and two ending connections", most)
		}
		close(stubborn)
		synctest.Wait()
		for _, c := range clients {
			c.Close()
		}
		if n := server.Conns(); n != 0 {
			t.Errorf("%d connections are left", n)
		}
	})
}

func TestLoginTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cr := newCrowd(t, wire.Config{LoginTimeout: 90 * time.Second})
		defer cr.closeAll()
		busy, known := cr.dial("192.0.2.1"), cr.dial("192.0.2.2")
		io.WriteString(known, "known\r\n")
		for range 8 {
			time.Sleep(11 * time.Second)
			io.WriteString(busy, "NOOP\r\n")
		}
		if err := cr.ended(); err != nil {
			t.Errorf("after 88 s a session ended with %v", err)
		}
		time.Sleep(2 * time.Second)
		if err := cr.ended(); err != wire.ErrTimeout {
			t.Errorf("after 90 s the session ended with %v", err)
		}
		time.Sleep(5 * time.Minute)
		if err := cr.ended(); err != nil {
			t.Errorf("the known session ended with %v", err)
		}
		if n := cr.dropped("login_timeout"); n != 1 {
			t.Errorf("%v login timeouts counted, want 1", n)
		}
	})
}

// TestLoginTimeoutIncludesTheHandshake: the client connects to a port with TLS and sends nothing.
func TestLoginTimeoutIncludesTheHandshake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cert := mailtest.Certificate(t)
		start := time.Now()
		var ended time.Duration
		server := wire.NewServer(wire.Config{LoginTimeout: 10 * time.Second, Handle: func(ctx context.Context, c *wire.Conn) {
			if err := c.StartTLS(ctx, cert.Server); !errors.Is(err, wire.ErrTimeout) {
				t.Errorf("handshake: %v", err)
			}
			ended = time.Since(start)
		}})
		client, far := net.Pipe()
		server.ServeConn(far)
		client.Close()
		if ended != 10*time.Second {
			t.Errorf("the handshake ended after %v, want 10s", ended)
		}
	})
}

func TestSlowText(t *testing.T) {
	tests := []struct {
		name   string
		octets int // every 10 s
		rate   int64
		between,
		together, // a chunk is received with the command before
		ends bool
	}{
		{"slow", 550, 1024, false, false, true},
		{"fast enough", 11_000, 1024, false, false, false},
		{"chunks with commands between", 550, 1024, true, false, true},
		{"slow chunks together with their commands", 10, 20, true, true, true},
		{"chunks together with their commands, fast enough", 200, 10, true, true, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				reg := prometheus.NewRegistry()
				var ended error
				start, took := time.Now(), time.Duration(0)
				server := wire.NewServer(wire.Config{MinBodyRate: test.rate, BodyTimeout: 5 * time.Minute, Metrics: wire.NewMetrics(reg), Handle: func(_ context.Context, c *wire.Conn) {
					for ended == nil {
						if test.between {
							if _, ended = c.ReadLine(); ended != nil {
								break
							}
						}
						_, ended = io.Copy(io.Discard, c.NewBodyReader(int64(test.octets)))
					}
					took = time.Since(start)
				}})
				client, far := net.Pipe()
				go server.ServeConn(far)
				for range 360 { // an hour
					chunk := strings.Repeat("x", test.octets)
					switch {
					case test.together:
						chunk = "NOOP\r\n" + chunk
					case test.between:
						io.WriteString(client, "NOOP\r\n")
					}
					if _, err := io.WriteString(client, chunk); err != nil {
						break
					}
					time.Sleep(10 * time.Second)
				}
				client.Close()
				synctest.Wait()
				if slow := ended == wire.ErrTimeout; slow != test.ends {
					t.Fatalf("the text ended with %v", ended)
				}
				if test.ends && (took < 5*time.Minute || took > 6*time.Minute) {
					t.Errorf("the text ended after %v", took)
				}
				want := 0.0
				if test.ends {
					want = 1
				}
				if n := dropped(t, reg, "slow_text"); n != want {
					t.Errorf("%v slow texts counted, want %v", n, want)
				}
			})
		})
	}
}

func TestRefusalsAreSummedUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cr := newCrowd(t, wire.Config{MaxConns: 1, DropAfter: -1, IdleTimeout: time.Hour, SummaryEvery: time.Minute})
		first := cr.dial("192.0.2.1")
		for i := range 1000 {
			remote := "192.0.2.2"
			if i%10 == 0 {
				remote = "192.0.2.3"
			}
			io.ReadAll(cr.dial(remote))
		}
		count := func(text string) int { return strings.Count(cr.log.String(), text) }
		if n := count("connection refused"); n != 1 {
			t.Errorf("%d lines at once, want 1", n)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if !strings.Contains(cr.log.String(), `msg="connection refused again" protocol=pop3 times=999 addresses=2 most_from=192.0.2.2 most=900`) {
			t.Errorf("after a minute: %s", cr.log.String())
		}
		time.Sleep(10 * time.Minute)
		if n := count("\n"); n != 2 {
			t.Errorf("%d lines after quiet minutes, want 2", n)
		}
		io.ReadAll(cr.dial("192.0.2.9"))
		io.ReadAll(cr.dial("192.0.2.9"))
		if n := count("remote=192.0.2.9"); n != 1 {
			t.Errorf("the first refusal after quiet minutes was logged %d times", n)
		}
		first.Close()
		cr.server.Shutdown(t.Context())
		if n := count("times=1 "); n != 1 {
			t.Errorf("the summary at the end was logged %d times: %s", n, cr.log.String())
		}
	})
}

// known opens a connection whose client becomes known.
func (cr *crowd) known(remote string) net.Conn {
	client := cr.dial(remote)
	io.WriteString(client, "known\r\n")
	synctest.Wait()
	return client
}

// TestKnownClientOfTheLargestNetworkIsDropped: known clients of one network that hold all connections give way to
// clients of other networks, and not to further clients of their own.
func TestKnownClientOfTheLargestNetworkIsDropped(t *testing.T) {
	for _, test := range []struct {
		name, first, second, other string // addresses of the largest network, and of another
	}{
		{"IPv4", "192.0.2.1", "192.0.2.2", "192.0.3.1"},
		{"IPv6", "2001:db8:1:1::1", "2001:db8:1:2::1", "2001:db8:2::1"},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cr := newCrowd(t, wire.Config{MaxConns: 4, DropKnownAfter: 30 * time.Second})
				defer cr.closeAll()
				refused := func(remote, why string) {
					t.Helper()
					if line, _ := io.ReadAll(cr.dial(remote)); string(line) != "too many connections\r\n" {
						t.Errorf("%s: the new connection got %q", why, line)
					}
				}
				useful := cr.known(test.first)
				idle := cr.known(test.second)
				cr.known(test.first)
				alone := cr.known("198.51.100.1")
				time.Sleep(20 * time.Second)
				io.WriteString(useful, "useful\r\n")
				refused(test.other, "all are young")
				time.Sleep(20 * time.Second)
				refused(test.second, "the largest network itself")
				cr.known(test.other)
				if err := cr.ended(); err != wire.ErrTooManyConns {
					t.Errorf("a session ended with %v", err)
				}
				if _, err := idle.Read(make([]byte, 1)); err != io.EOF {
					t.Errorf("the connection longest without progress: %v", err)
				}
				if n := cr.dropped("crowded"); n != 1 {
					t.Errorf("%v connections counted as dropped, want 1", n)
				}
				time.Sleep(time.Minute)
				refused(test.other, "every network has a fair part")
				for _, c := range []net.Conn{useful, alone} {
					if _, err := io.WriteString(c, "useful\r\n"); err != nil {
						t.Errorf("another connection: %v", err)
					}
				}
			})
		})
	}
}

// TestKnownClientOfTheLargestRegionIsDropped: a provider that holds all connections with one known client in each of its networks
// gives way to clients of other regions, and to IPv4.
func TestKnownClientOfTheLargestRegionIsDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cr := newCrowd(t, wire.Config{MaxConns: 6, DropKnownAfter: 30 * time.Second})
		defer cr.closeAll()
		refused := func(remote, why string) {
			t.Helper()
			if line, _ := io.ReadAll(cr.dial(remote)); string(line) != "too many connections\r\n" {
				t.Errorf("%s: the new connection got %q", why, line)
			}
		}
		var attackers []net.Conn
		for _, network := range []string{"1", "2", "3", "4", "5", "6"} {
			attackers = append(attackers, cr.known("2001:db8:"+network+"::1"))
		}
		refused("198.51.100.1", "all are young")
		time.Sleep(40 * time.Second)
		io.WriteString(attackers[0], "useful\r\n")
		refused("2001:db8:7::1", "the region itself")
		cr.known("198.51.100.1")
		cr.known("2001:db9::1")
		cr.known("2001:db9:1::1")
		for range 3 {
			if err := cr.ended(); err != wire.ErrTooManyConns {
				t.Errorf("a session ended with %v", err)
			}
		}
		for i, c := range attackers {
			_, err := io.WriteString(c, "useful\r\n")
			if dropped := i >= 1 && i <= 3; dropped != (err != nil) {
				t.Errorf("connection %d: %v", i, err)
			}
		}
		time.Sleep(time.Minute)
		refused("2001:db9:2::1", "both regions have the same part")
		if n := cr.dropped("crowded"); n != 3 {
			t.Errorf("%v connections counted as dropped, want 3", n)
		}
	})
}

// TestKnownClientIsDroppedWhileTheServerWaits: a known client is dropped in a text, and never in a command that
// the server executes.
func TestKnownClientIsDroppedWhileTheServerWaits(t *testing.T) {
	for _, text := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			ended, proceed := make(chan error, 3), make(chan struct{})
			server := wire.NewServer(wire.Config{MaxConns: 2, DropKnownAfter: time.Second, MinBodyRate: 1, Refuse: refuse,
				Handle: func(ctx context.Context, c *wire.Conn) {
					c.Known()
					var err error
					if text {
						_, err = io.Copy(io.Discard, c.NewDotReader())
					} else {
						<-proceed
						err = ctx.Err()
					}
					ended <- err
				}})
			var clients []net.Conn
			for _, remote := range []string{"192.0.2.1", "192.0.2.1", "192.0.3.1"} {
				client, far := mailtest.Pipe(remote)
				clients = append(clients, client)
				go server.ServeConn(far)
				go io.Copy(io.Discard, client)
				time.Sleep(time.Minute)
			}
			if n, want := len(ended), map[bool]int{true: 1}[text]; n != want {
				t.Errorf("text %v: %d sessions ended, want %d", text, n, want)
			}
			if text {
				if err := <-ended; err != wire.ErrTooManyConns {
					t.Errorf("the text ended with %v", err)
				}
			}
			close(proceed)
			for _, c := range clients {
				c.Close()
			}
			synctest.Wait()
			for range 2 {
				if !text && <-ended != nil {
					t.Error("a command was cancelled")
				}
			}
		})
	}
}

// TestTextInProgressKeepsItsConnection: a large text that arrives with a mebibyte in half a minute is progress, in one piece and in
// chunks together with their commands. A slower text is dropped.
func TestTextInProgressKeepsItsConnection(t *testing.T) {
	for _, test := range []struct {
		name   string
		octets int // in 10 s
		chunks bool
		stays  bool
	}{{"text", 400_000, false, true}, {"chunks", 400_000, true, true}, {"slow text", 50_000, false, false}, {"slow chunks", 50_000, true, false}} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ended := make(chan error, 4)
				server := wire.NewServer(wire.Config{MaxConns: 3, DropKnownAfter: 30 * time.Second, Refuse: refuse, Handle: func(_ context.Context, c *wire.Conn) {
					c.Known()
					_, err := c.ReadLine()
					for err == nil && test.chunks {
						if _, err = io.Copy(io.Discard, c.NewBodyReader(20_000)); err == nil {
							_, err = c.ReadLine()
						}
					}
					if err == nil {
						_, err = io.Copy(io.Discard, c.NewDotReader())
					}
					ended <- err
				}})
				dial := func(remote string) net.Conn {
					client, far := mailtest.Pipe(remote)
					go server.ServeConn(far)
					synctest.Wait()
					return client
				}
				sender := dial("192.0.2.1")
				others := []net.Conn{dial("192.0.2.2"), dial("192.0.2.3")}
				broken := false
				for range 12 {
					for n := 0; n < test.octets && !broken; n += 20_000 {
						_, err := io.WriteString(sender, "BDAT 20000\r\n"+strings.Repeat("x", 20_000))
						broken = err != nil
					}
					time.Sleep(10 * time.Second)
				}
				others = append(others, dial("198.51.100.1"))
				_, err := io.WriteString(sender, "BDAT 20000\r\n")
				if stays := err == nil; broken || stays != test.stays {
					t.Errorf("the sender: broken %v, then %v", broken, err)
				}
				for _, c := range append(others, sender) {
					c.Close()
				}
				dropped := 0
				for range 4 {
					if <-ended == wire.ErrTooManyConns {
						dropped++
					}
				}
				if dropped != 1 {
					t.Errorf("%d sessions were dropped", dropped)
				}
			})
		})
	}
}
