package pop3server_test

import (
	"crypto/tls"
	"fmt"
	"net"
	"runtime"
	"runtime/debug"
	"testing"
	"time"

	"popelago/mailtest"
	"popelago/pop3server"
	"popelago/pop3server/pop3test"
)

// A session that waits for a command has a stack of 4 KiB, with and without TLS: thousands of idle sessions are usual.
// One more call with large variables on the way from wire.Server.begin to wire.Conn.fill makes the stack 8 KiB.
func TestIdleSessionNeedsLittleStack(t *testing.T) {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "-race" && s.Value == "true" {
				t.Skip("the race detector needs more stack")
			}
		}
	}
	if runtime.GOARCH != "amd64" {
		t.Skip("the sizes of calls are those of amd64")
	}
	const sessions = 150
	certificate := mailtest.Certificate(t)
	outside := pop3test.New(t, openStore(t), pop3server.Config{}, false)
	f := outside.On(t, outside.Store, pop3server.Config{TLS: certificate.Server, MaxSessionsPerAccount: 2 * sessions})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go f.Server.ServeTLS(l)
	addr := f.Listen(t)
	for name, dial := range map[string]func() *mailtest.Client{
		"clear": func() *mailtest.Client { return mailtest.Dial(t, addr) },
		"TLS": func() *mailtest.Client {
			nc, err := tls.Dial("tcp", l.Addr().String(), certificate.Client)
			if err != nil {
				t.Fatal(err)
			}
			return mailtest.NewClient(t, nc)
		},
	} {
		before := stackInUse()
		for range sessions {
			c := dial()
			c.Expect("+OK")
			c.Do("USER alice", "+OK")
			c.Do("PASS "+pop3test.Password, "+OK")
		}
		mailtest.WaitFor(t, 10*time.Minute, func() error {
			if n := (stackInUse() - before) / sessions; n > 6<<10 {
				return fmt.Errorf("%s: %d octets of stack for each session", name, n)
			}
			return nil
		})
	}
}

// stackInUse collects garbage, which shrinks stacks, and returns the octets of all stacks.
func stackInUse() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.StackInuse)
}
