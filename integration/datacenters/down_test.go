package datacenters

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"popelago/integration/servertest"
	"popelago/integration/sitetest"
	"popelago/mailtest"
)

// downLimit bounds the time until a server notices that the storage is down or back, and drops its
// cached accounts.
const downLimit = 15 * time.Minute

// node is the only Cassandra node of a storage: no other datacenter has a replica.
var node = &servertest.Node{Lazy: &datacenters, Keyspace: "down"}

// TestStorageDown kills the only node of the storage while mail comes in. Every client gets a
// temporary error. When the node is back all acknowledged mail is back, and the server resumes
// without help. Its log has a line for each kind of blocked work, not for each attempt.
func TestStorageDown(t *testing.T) {
	setup := node.Setup(t)
	setup.Settings = append(setup.Settings, `auth.address_cache_ttl = "2s"`) // soon nothing is remembered
	s := servertest.StartServer(t, setup)
	one := node.Get(t).Node("dc1-1")
	both := []servertest.Account{s.Account(t, "alice"), s.Account(t, "bob")}
	incoming := startTrickle(t, s, both)
	mailtest.WaitFor(t, downLimit, func() error { return incoming.more(10) })
	reading, removing, lmtp := s.Login(t, both[0]), s.Login(t, both[0]), s.LMTPSession(t)
	removing.Do("DELE 1", "+OK")
	mailtest.WaitFor(t, downLimit, func() error { return examined(s) })
	said := len(s.Proc.Out.String())
	one.Kill()
	refused := incoming.refused.Load()
	// What was acknowledged before is counted when the refusal of a later message is.
	mailtest.WaitFor(t, downLimit, func() error {
		if incoming.refused.Load() < refused+2 {
			return errors.New("no message is refused")
		}
		return nil
	})
	before := incoming.count()

	// Sessions from before, then new ones until nothing about the accounts is remembered.
	reading.Do("RETR 1", "-ERR [SYS/TEMP] ")
	reading.Do("NOOP", "+OK")
	removing.Do("QUIT", "-ERR [SYS/TEMP] ")
	wantDeferred(t, "LMTP, begun before", servertest.TryDeliver(t, lmtp, true, "down", both))
	mailtest.WaitFor(t, downLimit, func() error { return isDown(t, s, both) })
	if n := incoming.count(); n != before {
		t.Errorf("%d messages were acknowledged when nothing could be written", n-before)
	}
	runJobs(t, s, 2)

	one.Restart(t)
	if err := node.Get(t).WaitSeen(servertest.Deadline(t, sitetest.Limit)); err != nil {
		t.Fatal(err)
	}
	mailtest.WaitFor(t, downLimit, func() error {
		if reply := servertest.TryLogin(t, s, both[0]); !strings.HasPrefix(reply, "+OK") {
			return fmt.Errorf("login: %s", reply)
		}
		return nil
	})
	mailtest.WaitFor(t, downLimit, func() error { return incoming.more(before + 10) })
	incoming.stop()
	reading.Do("RETR 1", "+OK") // so does a session from before
	reading.ReadMultiline()
	reading.Do("QUIT", "+OK")
	if !s.Proc.Running() {
		t.Error("the server has ended")
	}
	for _, a := range both {
		seen := map[string]int{}
		for _, m := range s.Maildrop(t, a) {
			seen[servertest.Mark(m.Octets)]++
		}
		for _, name := range incoming.acknowledged[a] {
			if seen[name] != 1 {
				t.Errorf("%s was acknowledged to %s and is there %d times", name, a.Address, seen[name])
			}
		}
		if seen["down"] != 0 {
			t.Errorf("%s has %d refused messages", a.Address, seen["down"])
		}
	}
	saysOutage(t, s, said)
	t.Logf("%d messages acknowledged before the node was killed, %d after", before, incoming.count()-before)
}

// examined returns an error until the server has logged the findings about its storage. The server
// examines the storage once, after its start. A node killed during the examination would be a
// further finding.
func examined(s *servertest.Server) error {
	if !strings.Contains(s.Proc.Out.String(), "check=replication") {
		return errors.New("the log has no finding about a datacenter with 1 replica")
	}
	return nil
}

// runJobs runs all background jobs of a server, several times each, whatever their results.
func runJobs(t *testing.T, s *servertest.Server, times int) {
	t.Helper()
	admin := s.Admin()
	defer admin.Close()
	jobs, err := admin.Tasks(servertest.Deadline(t, servertest.StartLimit))
	if err != nil {
		t.Fatal(err)
	}
	for range times {
		for _, job := range jobs {
			if _, err := admin.RunTask(servertest.Deadline(t, downLimit), job.Name, true); err != nil {
				t.Error(err)
			}
		}
	}
}

// Log lines about nodes that go and come back.
const (
	sayGone  = "no Cassandra node of a datacenter answers: all of them are down, or the line to it is"
	sayStill = "Cassandra nodes still do not answer"
	sayBack  = "Cassandra nodes are back"
)

// saysOutage expects that a server has logged, from an octet of its log on, the going and the return
// of its only node; for all further failures meanwhile one line of a kind, and one error. Lines about
// sessions are not counted. A busy node may go and come back several times.
func saysOutage(t *testing.T, s *servertest.Server, from int) {
	t.Helper()
	var log string
	mailtest.WaitFor(t, downLimit, func() error {
		log = s.Proc.Out.String()[from:]
		if gone, back := strings.Count(log, sayGone), strings.Count(log, sayBack); gone == 0 || back != gone {
			return fmt.Errorf("%d times the node is said to be away, and %d times to be back", gone, back)
		}
		return nil
	})
	outages, count := strings.Count(log, sayGone), map[string]int{}
	for line := range strings.Lines(log) {
		m := logged.FindStringSubmatch(line)
		if m == nil || m[1] == "INFO" || m[2] == sayStill || strings.Contains(line, " session=") {
			continue
		}
		count[m[2]]++
		if m[1] == "ERROR" {
			count["errors"]++
		}
	}
	for text, n := range count {
		if n > outages {
			t.Errorf("%d times in the log: %s", n, text)
		}
	}
	if t.Failed() {
		t.Log(log)
	}
}

// logged is the level and the text of a line of the log.
var logged = regexp.MustCompile(`level=(\w+) msg="([^"]*)"`)

// isDown fails the test unless all requests that need the storage get a temporary error. The result
// is an error while the server still has the accounts cached.
func isDown(t *testing.T, s *servertest.Server, to []servertest.Account) error {
	t.Helper()
	lmtp := s.LMTPSession(t)
	defer lmtp.Close()
	wantDeferred(t, "LMTP", servertest.TryDeliver(t, lmtp, true, "down", to))
	smtp := mailtest.Dial(t, s.SMTP)
	defer smtp.Close()
	smtp.Timeout = servertest.StartLimit
	smtp.Expect("220 ")
	smtp.Cmd("EHLO tests.example")
	servertest.EndReply(smtp)
	wantDeferred(t, "SMTP", servertest.TryDeliver(t, smtp, false, "down", to))
	smtp.Do("MAIL FROM:<x@tests.example>", "250")
	smtp.Do("RCPT TO:<nobody-here@"+servertest.Domain+">", "451 4.3.0 ")
	known := strings.HasPrefix(smtp.Do("RCPT TO:<"+to[0].Address+">", ""), "250")

	logins := []servertest.Account{to[0], {Address: "nobody-here@" + servertest.Domain, Password: "x"}}
	if !known {
		logins = append(logins, servertest.Account{Address: to[0].Address, Password: "wrong"})
	}
	for _, a := range logins {
		if reply := servertest.TryLogin(t, s, a); !strings.HasPrefix(reply, "-ERR [SYS/TEMP] ") {
			t.Errorf("login as %s with %q: %q, want [SYS/TEMP]", a.Address, a.Password, reply)
		}
	}
	if known {
		return fmt.Errorf("RCPT TO:<%s> is answered from memory", to[0].Address)
	}
	return nil
}

func wantDeferred(t *testing.T, what string, replies []string) {
	t.Helper()
	for _, reply := range replies {
		if !strings.HasPrefix(reply, "451 4.3.0 ") {
			t.Errorf("%s: %q, want 451", what, replies)
		}
	}
}

// trickle sends mail over LMTP, message after message.
type trickle struct {
	// acknowledged are the names of messages by recipient, to read after stop.
	acknowledged map[servertest.Account][]string

	stop  func()       // ends the trickle
	taken atomic.Int64 // messages acknowledged to all
	// refused counts the messages put off for a recipient at least.
	refused atomic.Int64
	quit    chan struct{}
	done    chan struct{}
}

func startTrickle(t *testing.T, s *servertest.Server, to []servertest.Account) *trickle {
	l := &trickle{acknowledged: map[servertest.Account][]string{}, quit: make(chan struct{}), done: make(chan struct{})}
	l.stop = sync.OnceFunc(func() {
		close(l.quit)
		<-l.done
	})
	t.Cleanup(l.stop)
	go func() {
		defer close(l.done)
		c := s.LMTPSession(t)
		pace := time.NewTicker(20 * time.Millisecond)
		defer pace.Stop()
		for n := 0; ; n++ {
			select {
			case <-l.quit:
				return
			case <-pace.C:
			}
			name, all := fmt.Sprint("trickle-", n), int64(1)
			for i, reply := range servertest.TryDeliver(t, c, true, name, to) {
				switch {
				case strings.HasPrefix(reply, "250 "):
					l.acknowledged[to[i]] = append(l.acknowledged[to[i]], name)
				case strings.HasPrefix(reply, "451 4.3.0 "):
					all = 0
				default:
					t.Errorf("trickle: %q, want 250 or 451", reply)
				}
			}
			l.taken.Add(all)
			l.refused.Add(1 - all)
		}
	}()
	return l
}

func (l *trickle) count() int { return int(l.taken.Load()) }

// more returns an error until n further messages have been acknowledged.
func (l *trickle) more(n int) error {
	if got := l.count(); got < n {
		return fmt.Errorf("%d messages were acknowledged, want %d", got, n)
	}
	return nil
}
