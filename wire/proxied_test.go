package wire_test

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"time"

	proxyproto "github.com/pires/go-proxyproto"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"popelago/mailtest"
	"popelago/wire"
)

// thisMachine holds the proxies of these tests.
var thisMachine = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}

// header is a header of the PROXY protocol.
func header(t *testing.T, version byte, command proxyproto.ProtocolVersionAndCommand, from, to string) string {
	t.Helper()
	address := func(text string) net.Addr { return net.TCPAddrFromAddrPort(netip.MustParseAddrPort(text)) }
	h := proxyproto.HeaderProxyFromAddrs(version, address(from), address(to))
	h.Command = command
	text, err := h.Format()
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// who answers each line with the address of the client, and whether the client is local.
func who(_ context.Context, c *wire.Conn) {
	for {
		line, err := c.ReadLine()
		if err != nil {
			return
		}
		if string(line) == "BREAK" {
			c.WriteString("half")
			c.Flush()
			c.Break()
			return
		}
		local := ""
		if c.Local() {
			local = " local"
		}
		c.WriteString(string(line) + " " + c.RemoteText() + local + "\r\n")
		if !c.AwaitAcknowledgement() {
			return
		}
	}
}

// A proxy names the client of its connection. All that came with the header is read.
func TestProxyNamesTheClient(t *testing.T) {
	cert := mailtest.Certificate(t)
	_, clear := listen(t, wire.Config{Handle: who, ProxyNetworks: thisMachine}, nil)
	_, secure := listen(t, wire.Config{Handle: who, ProxyNetworks: thisMachine}, cert.Server)
	const here, there, far = "192.0.2.1:110", "127.0.0.1:110", "203.0.113.7:4711"
	for _, x := range []struct {
		name, header, want string
	}{
		{"version 1", header(t, 1, proxyproto.PROXY, far, here), "203.0.113.7"},
		{"version 2", header(t, 2, proxyproto.PROXY, far, here), "203.0.113.7"},
		{"version 1, IPv6", header(t, 1, proxyproto.PROXY, "[2001:db8::7]:4711", "[2001:db8::1]:110"), "2001:db8::7"},
		{"version 2, IPv6", header(t, 2, proxyproto.PROXY, "[2001:db8::7]:4711", "[2001:db8::1]:110"), "2001:db8::7"},
		{"IPv4 in IPv6", "PROXY TCP6 ::ffff:203.0.113.7 ::ffff:192.0.2.1 4711 110\r\n", "203.0.113.7"},
		{"link-local", header(t, 2, proxyproto.PROXY, "[fe80::7]:4711", "[fe80::1]:110"), "fe80::7"},
		{"the check of a balancer", header(t, 2, proxyproto.LOCAL, far, here), "127.0.0.1 local"},
		{"nobody known", "PROXY UNKNOWN\r\n", "0.0.0.0"},
		{"a client on the link", "PROXY TCP6 fe80::7 fe80::1 4711 110\r\n", "fe80::7"},
		{"several hosts", "PROXY TCP4 224.0.0.1 192.0.2.1 4711 110\r\n", "0.0.0.0"},
		{"the machine of the proxy", header(t, 1, proxyproto.PROXY, "127.0.0.9:4711", there), "127.0.0.1 local"},
		{"no address", header(t, 2, proxyproto.PROXY, "0.0.0.0:4711", there), "0.0.0.0"},
	} {
		t.Run(x.name, func(t *testing.T) {
			for _, pieces := range [][]string{
				{x.header + "a\r\nb\r\n" + strings.Repeat("c", 3000) + "\r\n"},
				{x.header, "a\r\n", "b\r\n" + strings.Repeat("c", 3000) + "\r\n"},
			} {
				c := mailtest.Dial(t, clear)
				for _, p := range pieces {
					c.Send(p)
					c.Sync()
				}
				for _, line := range []string{"a", "b", strings.Repeat("c", 3000)} {
					if got, want := c.Line(), line+" "+x.want; got != want {
						t.Errorf("answer %.30q ... %q, want %q", got, got[max(0, len(got)-30):], x.want)
					}
				}
				c.Close()
			}
			nc, err := net.Dial("tcp", secure)
			if err != nil {
				t.Fatal(err)
			}
			defer nc.Close()
			if _, err := io.WriteString(nc, x.header); err != nil {
				t.Fatal(err)
			}
			c := mailtest.NewClient(t, tls.Client(nc, cert.Client))
			c.Cmd("over TLS")
			if got, want := c.Line(), "over TLS "+x.want; got != want {
				t.Errorf("answer %q, want %q", got, want)
			}
		})
	}
}

// The limit of connections from one address is about the clients, and not about the proxy.
func TestProxyLimits(t *testing.T) {
	_, addr := listen(t, wire.Config{Handle: echo(t, nil), Refuse: refuse, MaxConnsPerAddr: 2, ProxyNetworks: thisMachine}, nil)
	dial := func(client string) string {
		c := mailtest.Dial(t, addr)
		c.Send("PROXY TCP4 " + client + " 192.0.2.1 4711 110\r\n")
		return c.Line()
	}
	for i, client := range []string{"203.0.113.7", "203.0.113.7", "203.0.113.8"} {
		if got := dial(client); got != "ready" {
			t.Errorf("connection %d: %q", i, got)
		}
	}
	if got := dial("203.0.113.7"); got != "too many connections from this address" {
		t.Errorf("a third connection of one client: %q", got)
	}
}

// Without its header the connection of a proxy is refused, and a header from anywhere else is a line as any other.
func TestProxyWithoutHeader(t *testing.T) {
	metrics := prometheus.NewRegistry()
	_, addr := listen(t, wire.Config{Protocol: "test", Handle: echo(t, nil), ProxyNetworks: thisMachine, Metrics: wire.NewMetrics(metrics)}, nil)
	dial := func() net.Conn {
		nc, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { nc.Close() })
		return nc
	}
	dial().Close() // the check of a balancer
	for _, text := range []string{
		"USER a\r\n", "PROXY TCP4 203.0.113.7\r\n", "PROXY TCP4 nonsense 192.0.2.1 1 2\r\n", "PROX" + strings.Repeat("Y", 5000),
		"PROXY " + strings.Repeat("x", 5000), "\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x01" + strings.Repeat("x", 30), "\x16\x03\x01\x00\xa5\x01",
	} {
		nc := dial()
		io.WriteString(nc, text)
		nc.SetReadDeadline(time.Now().Add(10 * time.Minute))
		if got, err := io.ReadAll(nc); len(got) > 0 || err != nil && !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("after %.20q: got %q, %v", text, got, err)
		}
	}
	want := "# HELP popelago_wire_refused_connections_total Connections refused, by reason: total and address (limits), proxy (a proxy's connection without a header of the PROXY protocol).\n" +
		"# TYPE popelago_wire_refused_connections_total counter\n" +
		"popelago_wire_refused_connections_total{protocol=\"test\",reason=\"proxy\"} 7\n"
	if err := testutil.GatherAndCompare(metrics, strings.NewReader(want), "popelago_wire_refused_connections_total"); err != nil {
		t.Error(err)
	}

	_, direct := listen(t, wire.Config{Handle: who, ProxyNetworks: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}}, nil)
	c := mailtest.Dial(t, direct)
	c.Do("PROXY TCP4 203.0.113.7 192.0.2.1 4711 110", "PROXY TCP4 203.0.113.7 192.0.2.1 4711 110 127.0.0.1 local")
}

// A connection without a header ends in time, and takes no place of a client; there are as many as clients at most.
func TestProxySaysNothing(t *testing.T) {
	s, addr := listen(t, wire.Config{Handle: who, ProxyNetworks: thisMachine, MaxConns: 2, HandshakeTimeout: 24 * time.Hour}, nil)
	silent := []*mailtest.Client{mailtest.Dial(t, addr), mailtest.Dial(t, addr)}
	whole := header(t, 2, proxyproto.PROXY, "203.0.113.7:4711", "192.0.2.1:110")
	silent[0].Send(whole[:20])
	mailtest.WaitFor(t, 10*time.Minute, func() error {
		if n := s.Headers(); n != 2 {
			return errors.New("the server has not accepted both")
		}
		return nil
	})
	if n := s.Conns(); n != 0 {
		t.Errorf("%d connections count as clients", n)
	}
	mailtest.Dial(t, addr).ExpectEOF()
	silent[0].Send(whole[20:])
	silent[0].Do("a", "a 203.0.113.7")
	if n := s.Headers(); n != 1 {
		t.Errorf("%d headers are awaited", n)
	}
	mailtest.Dial(t, addr) // takes the place of the first

	_, hasty := listen(t, wire.Config{Handle: who, ProxyNetworks: thisMachine, HandshakeTimeout: 10 * time.Millisecond}, nil)
	mailtest.Dial(t, hasty).ExpectEOF()
}

// The end of a text that cannot be sent is an error behind a proxy, too.
func TestProxyBreak(t *testing.T) {
	_, addr := listen(t, wire.Config{Handle: who, ProxyNetworks: thisMachine}, nil)
	c := mailtest.Dial(t, addr)
	c.Send("PROXY TCP4 203.0.113.7 192.0.2.1 4711 110\r\nBREAK\r\n")
	if got, err := io.ReadAll(c.Conn()); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("got %q, error %v, want %v", got, err, syscall.ECONNRESET)
	}
}

// Shutdown ends the connections whose header has not come, and refuses further ones.
func TestProxyShutdown(t *testing.T) {
	metrics := prometheus.NewRegistry()
	s, addr := listen(t, wire.Config{Protocol: "test", Handle: who, ProxyNetworks: thisMachine, HandshakeTimeout: 24 * time.Hour, Metrics: wire.NewMetrics(metrics)}, nil)
	silent, half := mailtest.Dial(t, addr), mailtest.Dial(t, addr)
	// In version 1 the library refuses a header in two parts.
	half.Send(header(t, 2, proxyproto.PROXY, "203.0.113.7:4711", "192.0.2.1:110")[:20])
	mailtest.WaitFor(t, 10*time.Minute, func() error {
		if n := s.Headers(); n != 2 {
			return errors.New("the server has not accepted both")
		}
		return nil
	})
	if err := s.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	if n := s.Headers(); n != 0 {
		t.Errorf("%d headers are awaited after Shutdown", n)
	}
	silent.ExpectEOF()
	half.ExpectEOF()
	if n, err := testutil.GatherAndCount(metrics, "popelago_wire_refused_connections_total"); err != nil || n != 0 {
		t.Errorf("the end counts as a refusal of a proxy: %d, %v", n, err)
	}
}
