package clients

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"popelago/integration/servertest"
	"popelago/mailtest"
)

// startHAProxy starts a load balancer in front of a server. The balancer names the same client for all of its connections:
// with version 1 of the PROXY protocol an IPv4 client, with version 2 an IPv6 client. The result holds the address in front
// of each address of the server.
func startHAProxy(t *testing.T, versions map[string]int) map[string]string {
	t.Helper()
	servertest.NeedProgram(t, "haproxy", "haproxy")
	dir := servertest.ClientDir(t)
	fronts := map[string]string{}
	conf := servertest.Lines("defaults", "  mode tcp", "  timeout connect 5m", "  timeout client 10m", "  timeout server 10m")
	for address, version := range versions {
		fronts[address] = servertest.FreeAddress(t)
		client, send := "ipv4(203.0.113.7)", "send-proxy"
		if version == 2 {
			client, send = "ipv6(2001:db8::7)", "send-proxy-v2"
		}
		name := strings.ReplaceAll(address, ":", "-")
		conf += servertest.Lines("listen "+name, "  bind "+fronts[address],
			"  tcp-request connection set-src "+client, "  server one "+address+" "+send)
	}
	file := filepath.Join(dir, "haproxy.cfg")
	servertest.WriteFile(t, file, conf)
	cmd := exec.Command("haproxy", "-db", "-f", file)
	cmd.Dir, cmd.Env = dir, servertest.CleanEnv(dir)
	proc := servertest.StartProcess(t, cmd)
	for _, front := range fronts {
		mailtest.WaitFor(t, servertest.StartLimit, func() error {
			if !proc.Running() {
				t.Fatalf("HAProxy has ended: %s", servertest.Tail(proc.Out.String(), 2000))
			}
			return servertest.Dialable(front)
		})
	}
	return fronts
}

// Behind a load balancer the clients that the balancer names are the clients of the server: in Received lines, in the log,
// and for limits. TLS goes through the balancer.
func TestHAProxy(t *testing.T) {
	t.Parallel()
	servertest.NeedProgram(t, "curl", "curl")
	const networks = `["127.0.0.1/32"]`
	s := servertest.StartServer(t, servertest.Setup{Settings: []string{
		"pop3.proxy_networks = " + networks, "smtp.proxy_networks = " + networks, "pop3.max_connections_per_address = 2",
		`metrics.listen = "127.0.0.1:0"`,
	}})
	a := s.Account(t, "behind")
	fronts := startHAProxy(t, map[string]int{s.POP3: 1, s.POP3S: 2, s.SMTP: 1})

	c := mailtest.Dial(t, fronts[s.SMTP])
	c.Timeout = servertest.StartLimit
	c.Expect("220 ")
	c.Cmd("EHLO client.example")
	servertest.EndReply(c)
	servertest.Send(t, c, "sender@client.example", []servertest.Account{a}, []byte("Subject: through HAProxy\r\n\r\nA text.\r\n"))
	c.Close()

	for sec, x := range map[security]struct{ address, client string }{
		stls:        {s.POP3, "203.0.113.7"},
		implicitTLS: {s.POP3S, "2001:db8::7"},
	} {
		to := target{Account: a, Security: sec, Port: port(t, fronts[x.address]), CAFile: s.CA.File}
		got := (&curl{target: to, dir: servertest.ClientDir(t)}).Fetch(t, true, 1)
		if len(got) != 1 || !strings.Contains(string(got[0]), "from client.example ([203.0.113.7])") {
			t.Errorf("%s: curl fetched %q", sec, got)
		}
		if session := fmt.Sprintf("user=%s remote=%s", a.Address, x.client); !strings.Contains(s.Proc.Out.String(), session) {
			t.Errorf("%s: no session with %q in the log:\n%s", sec, session, servertest.Tail(s.Proc.Out.String(), 2000))
		}
	}

	// A client elsewhere needs TLS, although the balancer is on this machine.
	mailtest.WaitFor(t, servertest.StopLimit, func() error {
		if n := s.Metric(t, `popelago_wire_open_connections{protocol="pop3"}`); n > 0 {
			return fmt.Errorf("%v sessions are open", n)
		}
		return nil
	})
	var open []*mailtest.Client
	for range 2 {
		c := mailtest.Dial(t, fronts[s.POP3])
		c.Timeout = servertest.StartLimit
		c.Expect("+OK")
		c.Do("USER "+a.Address, "-ERR")
		open = append(open, c)
	}
	c = mailtest.Dial(t, fronts[s.POP3])
	c.Timeout = servertest.StartLimit
	c.Expect("-ERR")
	for _, c := range open {
		c.Do("QUIT", "+OK")
	}

	c = mailtest.Dial(t, s.POP3)
	c.Timeout = servertest.StartLimit
	c.Cmd("CAPA")
	if line, err := c.TryLine(); err == nil {
		t.Errorf("without a header the server answered %q", line)
	}
}
