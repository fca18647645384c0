package app

import (
	"bufio"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"popelago/mailtest"
)

// from is a connection in memory with the address of a client.
type from struct {
	net.Conn
	remote net.Addr
}

func (f from) RemoteAddr() net.Addr { return f.remote }

// visitors connects clients to an HTTP server in a bubble.
type visitors struct {
	t        *testing.T
	listener pipes
	log      *strings.Builder
}

// visited calls test with a server of few places, whose log has a line a minute.
func visited(t *testing.T, limits httpLimits, test func(v visitors)) {
	synctest.Test(t, func(t *testing.T) {
		v := visitors{t, make(pipes, 9), new(strings.Builder)}
		a := &App{logger: slog.New(slog.NewTextHandler(v.log, nil))}
		a.cfg.Log.SummaryEvery = time.Minute
		serve := a.serveHTTP(limits, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello") }), nil)
		served := make(chan error)
		go func() { served <- serve(v.listener) }()
		test(v)
		close(v.listener)
		<-served
		a.https[0].Close()
		synctest.Wait()
	})
}

// connect connects from an address. open reports whether the server keeps the connection.
func (v visitors) connect(remote string) (c net.Conn, open func() bool) {
	addr, err := net.ResolveTCPAddr("tcp", remote)
	if err != nil {
		v.t.Fatal(err)
	}
	ours, theirs := net.Pipe()
	v.t.Cleanup(func() { ours.Close() })
	v.listener <- from{theirs, addr}
	synctest.Wait()
	return ours, func() bool {
		synctest.Wait()
		_ = ours.SetReadDeadline(time.Now().Add(time.Millisecond))
		_, err := ours.Read(make([]byte, 1))
		return err != io.EOF
	}
}

// ask sends a request and reads the answer.
func (v visitors) ask(what string, c net.Conn) {
	v.t.Helper()
	_ = c.SetDeadline(time.Now().Add(5 * time.Second))
	_, err := fmt.Fprintf(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	var text []byte
	if err == nil {
		var r *http.Response
		if r, err = http.ReadResponse(bufio.NewReader(c), nil); err == nil {
			text, err = io.ReadAll(r.Body)
		}
	}
	if err != nil || string(text) != "hello" {
		v.t.Errorf("%s: %q, %v", what, text, err)
	}
}

// One address, or one /64, holds its part of the places at most. This machine has no such limit.
func TestPlacesOfOneAddress(t *testing.T) {
	visited(t, httpLimits{"userpage", 20, 2}, func(v visitors) {
		for _, test := range []struct {
			remote string
			open   bool
		}{
			{"192.0.2.1:1", true}, {"192.0.2.1:2", true}, {"192.0.2.1:3", false}, {"192.0.2.1:4", false}, {"192.0.2.2:1", true},
			{"[2001:db8::1]:1", true}, {"[2001:db8::2]:1", true}, {"[2001:db8::3]:1", false}, {"[2001:db8:0:1::1]:1", true},
			{"[::ffff:192.0.2.1]:5", false}, {"127.0.0.1:1", true}, {"127.0.0.1:2", true}, {"127.0.0.1:3", true}, {"[::1]:1", true}, {"[::1]:2", true}, {"[::1]:3", true},
		} {
			if _, open := v.connect(test.remote); open() != test.open {
				t.Errorf("%s: open %t", test.remote, !test.open)
			}
		}
		time.Sleep(9 * time.Second) // the server ends connections without a request after 10 s
		v.connect("192.0.2.1:6")
		if lines := strings.Count(v.log.String(), "connection refused"); lines != 1 {
			t.Errorf("%d lines, want one in a minute:\n%s", lines, v.log)
		}
	})
}

// A connection between two requests gives its place to a new connection, of the same address or another.
func TestIdleGivesWay(t *testing.T) {
	for name, test := range map[string]struct {
		limits httpLimits
		remote string
		line   string
	}{
		"all places":            {httpLimits{"userpage", 2, 2}, "192.0.2.2:1", "connections wait: all places are taken"},
		"places of one address": {httpLimits{"userpage", 9, 2}, "192.0.2.1:9", ""},
	} {
		t.Run(name, func(t *testing.T) {
			visited(t, test.limits, func(v visitors) {
				first, firstOpen := v.connect("192.0.2.1:1")
				v.ask("the first", first)
				time.Sleep(time.Second)
				second, secondOpen := v.connect("192.0.2.1:2")
				v.ask("the second", second)
				time.Sleep(2 * time.Second)
				v.ask("the first, again", first)
				time.Sleep(2 * time.Second)
				c, _ := v.connect(test.remote)
				v.ask("a new one", c)
				if secondOpen() || !firstOpen() {
					t.Error("not the connection that has been idle longest has ended")
				}
				if text := v.log.String(); !strings.Contains(text, test.line) || test.line == "" && text != "" {
					t.Errorf("the log: %s", text)
				}
			})
		})
	}
}

// Connections that stay silent give their places up before the server ends them.
func TestSilenceGivesWay(t *testing.T) {
	visited(t, httpLimits{"userpage", 2, 2}, func(v visitors) {
		_, oldestOpen := v.connect("192.0.2.1:1")
		time.Sleep(time.Second)
		v.connect("192.0.2.1:2")
		time.Sleep(2 * time.Second)
		if !oldestOpen() {
			t.Fatal("the first connection has ended before others came")
		}
		c, _ := v.connect("192.0.2.2:1")
		v.ask("beside silent ones", c)
		if oldestOpen() {
			t.Error("the oldest silent connection is open")
		}
	})
}

// TestFailedHandshakesAreSummedUp: strangers can cause any number of failed TLS handshakes, and the log has a line a minute. Lines
// of net/http about the server itself stay.
func TestFailedHandshakesAreSummedUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out strings.Builder
		logger := slog.New(slog.NewTextHandler(&out, nil))
		a := &App{logger: logger}
		a.cfg.Log.SummaryEvery = time.Minute
		listener := make(pipes, 9)
		serve := a.serveHTTP(httpLimits{"userpage", 10, 10}, http.NotFoundHandler(), mailtest.Certificate(t).Server)
		served := make(chan error)
		go func() { served <- serve(listener) }()
		v := visitors{t, listener, &out}
		for range 20 {
			c, _ := v.connect("192.0.2.1:1000")
			_, _ = io.WriteString(c, "GET / HTTP/1.1\r\n\r\n")
			_ = c.Close()
			synctest.Wait()
		}
		if n := strings.Count(out.String(), "\n"); n != 1 || !strings.Contains(out.String(), `msg="TLS handshake failed" protocol=userpage remote=192.0.2.1:1000`) {
			t.Errorf("%d lines, want 1:\n%s", n, out.String())
		}
		time.Sleep(time.Minute)
		c, _ := v.connect("192.0.2.2:1000")
		_, _ = io.WriteString(c, "x")
		_ = c.Close()
		synctest.Wait()
		if !strings.Contains(out.String(), "times=20") {
			t.Errorf("the second line lacks the handshakes since the first:\n%s", out.String())
		}
		for range 2 {
			a.https[0].ErrorLog.Print("http: panic serving 192.0.2.1:1000: a defect")
		}
		if n := strings.Count(out.String(), "a defect"); n != 2 {
			t.Errorf("%d panics in the log, want 2", n)
		}
		close(listener)
		<-served
		a.https[0].Close()
		synctest.Wait()
	})
}
