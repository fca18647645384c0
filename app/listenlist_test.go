package app_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"popelago/app"
	"popelago/freeport"
	"popelago/mailtest"
)

// needIPv6 skips a test on a machine without IPv6.
func needIPv6(t *testing.T) {
	t.Helper()
	l, err := net.Listen("tcp", "[::1]:0")
	if err != nil {
		t.Skipf("this machine has no IPv6: %v", err)
	}
	l.Close()
}

// freePorts returns ports without a listener on any address.
func freePorts(t *testing.T, n int) (ports []string) {
	t.Helper()
	numbers, err := freeport.Take(n)
	if err != nil {
		t.Fatal(err)
	}
	for _, number := range numbers {
		ports = append(ports, strconv.Itoa(number))
	}
	return ports
}

// TestSeveralAddresses: each listener accepts connections at all of its addresses, and the log and
// the doctor name them.
func TestSeveralAddresses(t *testing.T) {
	needIPv6(t)
	both := []string{"127.0.0.1:0", "[::1]:0"}
	cfg := devConfig(t)
	cfg.POP3.Listen, cfg.SMTP.Listen, cfg.Metrics.Listen = both, both, both
	cfg.LMTP.Listen = []string{"127.0.0.1:0", "unix:" + filepath.Join(t.TempDir(), "lmtp")}
	cfg.Admin.Listen, cfg.TLS.SelfSigned, cfg.POP3S.Listen = both, false, nil
	cfg.Admin.TokenFile = filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(cfg.Admin.TokenFile, []byte("a token of many letters\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	log := &mailtest.Log{}
	a, err := app.New(t.Context(), cfg, slog.New(slog.NewTextHandler(log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Stop(context.Background()) })
	if err := a.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"pop3", "smtp", "lmtp", "admin", "metrics"} {
		addrs := a.Addrs()[name]
		if len(addrs) != 2 {
			t.Errorf("%s listens on %v", name, addrs)
			continue
		}
		for _, addr := range addrs {
			if line := fmt.Sprintf("service=%s address=%s\n", name, addr); !strings.Contains(log.String(), line) {
				t.Errorf("the log lacks %q", line)
			}
			switch name {
			case "pop3", "smtp":
				c := mailtest.Dial(t, addr.String())
				c.Expect(map[string]string{"pop3": "+OK", "smtp": "220 "}[name])
				c.Close()
			case "lmtp":
				conn, err := net.Dial(addr.Network(), addr.String())
				if err != nil {
					t.Fatal(err)
				}
				c := mailtest.NewClient(t, conn)
				c.Expect("220 ")
				c.Close()
			default:
				resp, err := http.Get("http://" + addr.String() + map[string]string{"admin": "/healthz", "metrics": "/metrics"}[name])
				if err != nil || resp.StatusCode != http.StatusOK {
					t.Fatalf("%s at %s: %v, %v", name, addr, resp, err)
				}
				resp.Body.Close()
			}
		}
	}
	found, err := app.Doctor(t.Context(), cfg, true)
	if err != nil {
		t.Fatal(err)
	}
	told := false
	for _, f := range found {
		told = told || f.Check == "listen" && f.Text == "pop3 on 127.0.0.1:0, [::1]:0"
	}
	if !told {
		t.Errorf("the doctor says %+v", found)
	}
}

// TestLimitsHoldForAllAddresses: a limit of connections counts the connections of all addresses of a
// listener.
func TestLimitsHoldForAllAddresses(t *testing.T) {
	needIPv6(t)
	cfg := devConfig(t)
	cfg.SMTP.Listen, cfg.Metrics.Listen = []string{"127.0.0.1:0", "[::1]:0"}, []string{"127.0.0.1:0", "[::1]:0"}
	cfg.SMTP.MaxConns, cfg.SMTP.DropAfter = 1, time.Hour
	cfg.Metrics.MaxConnections = 1
	a := start(t, cfg)

	smtp := a.Addrs()["smtp"]
	for i := range smtp {
		first := greeted(t, smtp[i])
		mailtest.Dial(t, smtp[1-i].String()).Expect("421 4.3.2 too many connections")
		first.Do("QUIT", "221 ")
		first.ExpectEOF()
		other := greeted(t, smtp[1-i])
		other.Do("QUIT", "221 ")
		other.ExpectEOF()
	}

	metrics := a.Addrs()["metrics"]
	const request = "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"
	for i := range metrics {
		first := dial(t, metrics[i])
		// The client takes few of many answers, so that the connection does not become idle: the server would soon
		// give the place of an idle connection to another.
		if err := first.(*net.TCPConn).SetReadBuffer(4096); err != nil {
			t.Fatal(err)
		}
		go io.WriteString(first, strings.Repeat(request, 1000))
		if _, err := io.ReadFull(first, make([]byte, 1)); err != nil { // the connection has the place
			t.Fatal(err)
		}
		second := dial(t, metrics[1-i]) // not before: the last place may have become free for either
		answered := make(chan error, 1)
		io.WriteString(second, request)
		go func() {
			_, err := io.ReadFull(second, make([]byte, 1))
			answered <- err
		}()
		select {
		case err := <-answered:
			t.Fatalf("%v was answered beyond the limit: %v", metrics[1-i], err)
		case <-time.After(100 * time.Millisecond): // an impatient server would answer sooner or later
		}
		first.Close()
		if err := <-answered; err != nil {
			t.Errorf("%v after the other connection has ended: %v", metrics[1-i], err)
		}
		second.Close()
	}
}

// greeted returns a connection with a place: the server notices the end of an earlier connection a
// moment later.
func greeted(t *testing.T, addr net.Addr) (c *mailtest.Client) {
	t.Helper()
	mailtest.WaitFor(t, 10*time.Minute, func() error {
		c = mailtest.Dial(t, addr.String())
		line := c.Line()
		if !strings.HasPrefix(line, "220 ") {
			c.Close()
			return errors.New(line)
		}
		return nil
	})
	return c
}

func dial(t *testing.T, addr net.Addr) net.Conn {
	t.Helper()
	c, err := net.Dial(addr.Network(), addr.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// TestDualStack: "[::]" accepts IPv4 too, unless an IPv4 address with the same port is beside it.
func TestDualStack(t *testing.T) {
	needIPv6(t)
	for _, hosts := range [][]string{{"[::]"}, {""}, {"0.0.0.0", "[::]"}, {"[::]", "0.0.0.0"}, {"127.0.0.1", "[::]"}, {"127.0.0.1", "[::1]"}} {
		port := freePorts(t, 1)[0]
		cfg := devConfig(t)
		cfg.POP3.Listen = nil
		for _, host := range hosts {
			cfg.POP3.Listen = append(cfg.POP3.Listen, host+":"+port)
		}
		if err := cfg.Validate(); err != nil {
			t.Fatal(err)
		}
		a, err := app.New(t.Context(), cfg, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		err = a.Start(t.Context())
		if err != nil {
			t.Errorf("%q: %v", hosts, err)
		} else {
			for _, host := range []string{"127.0.0.1", "[::1]"} {
				c := mailtest.Dial(t, host+":"+port)
				c.Expect("+OK")
				c.Close()
			}
		}
		a.Stop(t.Context())
	}
}

// TestOneTakenAddressOfSeveral: a start without one of its addresses names the address, and holds
// none.
func TestOneTakenAddressOfSeveral(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	ports := freePorts(t, 2)
	free, other := "127.0.0.1:"+ports[0], "127.0.0.1:"+ports[1]
	socket := filepath.Join(t.TempDir(), "lmtp")
	for _, list := range [][]string{
		{free, taken.Addr().String(), other}, {taken.Addr().String(), free, other}, {free, other, taken.Addr().String()},
	} {
		cfg := devConfig(t)
		cfg.SMTP.Listen, cfg.LMTP.Listen = list, []string{"unix:" + socket}
		a, err := app.New(t.Context(), cfg, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		err = a.Start(t.Context())
		if err == nil || !strings.Contains(err.Error(), "smtp cannot listen on "+taken.Addr().String()) {
			t.Errorf("%q: Start returned %v", cfg.SMTP.Listen, err)
		}
		for _, address := range []string{free, other} {
			if c, err := net.Dial("tcp", address); !errors.Is(err, syscall.ECONNREFUSED) {
				t.Errorf("%q: %s after the failed start: %v, %v", cfg.SMTP.Listen, address, c, err)
			}
		}
		if _, err := os.Lstat(socket); !os.IsNotExist(err) {
			t.Errorf("%q: the socket is left: %v", cfg.SMTP.Listen, err)
		}
		a.Stop(t.Context())
	}
}
