package clients

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"popelago/integration/mailprogram"
	"popelago/integration/servertest"
	"popelago/mailtest"
)

// security is the protection of a client's session.
type security = mailprogram.Security

const (
	plain       = mailprogram.Plain
	stls        = mailprogram.STLS
	implicitTLS = mailprogram.TLS
)

// target is a maildrop with the addresses for a mail program.
type target = mailprogram.Target

// fetcher is a mail program set up for one maildrop, with its memory of fetched messages.
type fetcher interface {
	// Fetch runs the program once and returns the messages of the run; expect is the expected number.
	// Without keep the program also removes the messages from the server.
	Fetch(t testing.TB, keep bool, expect int) [][]byte
}

// fetcherOfAll is a mail program set up for several maildrops.
type fetcherOfAll interface {
	// Fetch is a Fetch of a fetcher for each maildrop, in one run.
	Fetch(t testing.TB, keep bool, expect ...int) [][][]byte
}

// oneByOne runs a mail program for one maildrop after the other.
type oneByOne []fetcher

func (all oneByOne) Fetch(t testing.TB, keep bool, expect ...int) [][][]byte {
	t.Helper()
	fetched := make([][][]byte, len(all))
	for i, f := range all {
		fetched[i] = f.Fetch(t, keep, expect[i])
	}
	return fetched
}

// client is a mail program.
type client struct {
	name       string
	program    string // must be installed, from
	pkg        string // the program's Debian package
	securities []security
	prepare    func(t testing.TB, to target) fetcher
	// prepareAll is there instead of prepare if the program fetches from several maildrops in one run.
	prepareAll func(t testing.TB, to ...target) fetcherOfAll
	// crlf says that the program writes lines that end in CRLF instead of LF.
	crlf bool
	// forgetful programs fetch the messages of earlier runs again.
	forgetful bool
	// huge programs fetch huge messages, too.
	huge bool
	// slow programs have no place in a short run.
	slow bool
	// many is the number of small messages to fetch in one session.
	many int
	// wants reports the messages that the program can fetch at all; nil: all.
	wants func(mailtest.Message) bool
	// changes are the program's own changes to certain messages after fetching, by name of the
	// message: the named messages must arrive, but may differ.
	changes map[string]string
}

func (c client) takes(m mailtest.Message) bool {
	return inRun(m, c.huge) && (c.wants == nil || c.wants(m))
}

// inRun reports whether a program handles a message in this run. A short run has no large messages. Without
// TEST_CHAOS=1 a huge message is only for the programs named huge: a message of 10 MB already has 39 chunks
// in the store, and fills every buffer on the way.
func inRun(m mailtest.Message, huge bool) bool {
	return !(m.Large && testing.Short()) && (!m.Huge || huge || os.Getenv("TEST_CHAOS") != "")
}

// set sets the program up for maildrops.
func (c client) set(t testing.TB, to ...target) fetcherOfAll {
	t.Helper()
	if c.prepareAll != nil {
		return c.prepareAll(t, to...)
	}
	var all oneByOne
	for _, x := range to {
		all = append(all, c.prepare(t, x))
	}
	return all
}

// clients are all programs that fetch mail.
func clients() []client {
	return []client{curlClient(), mpopClient(), fetchmailClient(), getmailClient(), poplibClient(), poplibLongClient(), thunderbirdClient()}
}

// TestFetching lets real mail programs fetch the corpus of awkward messages: plain, after STLS and
// over TLS, leaving mail on the server and removing it; then thousands of small messages. Every
// fetched message must equal the accepted one, octet by octet.
func TestFetching(t *testing.T) { servertest.OnEachEngine(t, node, testFetching) }

func testFetching(t *testing.T, on servertest.Setup) {
	s := servertest.StartServer(t, on)
	corpus := map[servertest.Account]func(mailtest.Message) bool{}
	small := map[servertest.Account]int{}
	type key struct {
		client   string
		security security
	}
	accounts := map[key]servertest.Account{}
	crowds := map[string]servertest.Account{}
	programs := fetching(on)
	for _, c := range programs {
		for _, sec := range c.securities {
			a := s.Account(t, c.name+"-"+string(sec))
			accounts[key{c.name, sec}] = a
			corpus[a] = func(m mailtest.Message) bool { return !m.Large && c.takes(m) }
		}
		crowds[c.name] = s.Account(t, c.name+"-many")
		small[crowds[c.name]] = c.many
		switch {
		case testing.Short():
			small[crowds[c.name]] = min(c.many, 300)
		case on.Cassandra:
			small[crowds[c.name]] = min(c.many, 500)
		case os.Getenv("TEST_CHAOS") == "":
			small[crowds[c.name]] = min(c.many, 6_000) // a list has pages of 5,000
			if c.slow {
				small[crowds[c.name]] = min(c.many, 500)
			}
		}
	}
	s.DeliverCorpus(t, corpus)
	deliverSmall(t, s, small)

	for _, c := range programs {
		t.Run(c.name, func(t *testing.T) {
			servertest.NeedProgram(t, c.program, c.pkg)
			if c.slow && testing.Short() {
				t.Skip("takes too long for -short")
			}
			t.Parallel() // each program has accounts of its own, and most of them wait
			var all []target
			for _, sec := range c.securities {
				all = append(all, mailprogram.TargetOf(t, s, accounts[key{c.name, sec}], sec))
			}
			large := len(all) - 1 // each program fetches a large message once
			if c.prepareAll != nil {
				t.Run("corpus", func(t *testing.T) { c.testCorpus(t, s, all, large) })
			} else {
				for i, to := range all {
					t.Run(string(to.Security), func(t *testing.T) { c.testCorpus(t, s, all[i:i+1], large-i) })
				}
			}
			t.Run("many", func(t *testing.T) {
				a := crowds[c.name]
				f := c.set(t, mailprogram.TargetOf(t, s, a, c.securities[0]))
				want := map[string][]byte{}
				for n := range small[a] {
					want[servertest.SmallName(n)] = nil
				}
				got := f.Fetch(t, false, len(want))[0]
				c.compareSmall(t, got, want)
				if n := s.Count(t, a); n != 0 {
					t.Errorf("%d messages are left in the maildrop", n)
				}
			})
		})
	}
}

// fetching returns the programs that fetch from a server, each with its securities. The replies to a
// program do not depend on the engine. So all programs with all securities fetch from the embedded
// engine, and from Cassandra only with TEST_CHAOS=1. Without TEST_CHAOS the quick programs fetch from
// Cassandra, each with one security.
func fetching(on servertest.Setup) []client {
	all := clients()
	if !on.Cassandra || os.Getenv("TEST_CHAOS") != "" {
		return all
	}
	all = slices.DeleteFunc(all, func(c client) bool { return c.slow })
	for i, c := range all {
		all[i].securities = c.securities[len(c.securities)-1:]
	}
	return all
}

// testCorpus fetches the corpus from maildrops with leave-on-server, again, and once more after a further message
// has arrived; then a program without memory fetches and removes all. The maildrop with the number large then also
// has the large messages.
func (c client) testCorpus(t *testing.T, s *servertest.Server, all []target, large int) {
	want := make([]map[string]servertest.Awkward, len(all))
	counts := func() (n []int) {
		for i := range all {
			n = append(n, len(want[i]))
		}
		return n
	}
	for i, to := range all {
		want[i] = s.CorpusOf(t, to.Account, nil)
	}
	f := c.set(t, all...)

	for i, got := range f.Fetch(t, true, counts()...) {
		c.compare(t, got, want[i])
		if n := s.Count(t, all[i].Account); n != len(want[i]) {
			t.Fatalf("%d messages in the maildrop after fetching with leave-on-server, want %d", n, len(want[i]))
		}
	}
	if !c.forgetful {
		for i, again := range f.Fetch(t, true, make([]int, len(all))...) {
			if len(again) != 0 {
				t.Errorf("%s: a second run fetched %d messages", all[i].Security, len(again))
			}
		}
		session := s.LMTPSession(t)
		one := make([]int, len(all))
		for i, to := range all {
			one[i] = 1
			servertest.Send(t, session, servertest.Sender("late"), []servertest.Account{to.Account}, []byte("Subject: late\r\n\r\nA message more.\r\n"))
		}
		session.Close()
		for i, late := range f.Fetch(t, true, one...) {
			if len(late) != 1 || servertest.Mark(late[0]) != "late" {
				t.Errorf("%s: after a further message a run fetched %d messages", all[i].Security, len(late))
			}
		}
	}
	if large < len(all) {
		s.DeliverCorpus(t, map[servertest.Account]func(mailtest.Message) bool{
			all[large].Account: func(m mailtest.Message) bool { return m.Large && c.takes(m) },
		})
	}
	for i, to := range all {
		for _, m := range s.Maildrop(t, to.Account) {
			if name := servertest.Mark(m.Octets); want[i][name].Octets == nil {
				want[i][name] = servertest.Awkward{Message: mailtest.Message{Name: name}, Octets: m.Octets}
			}
		}
	}

	fresh := c.set(t, all...)
	for i, got := range fresh.Fetch(t, false, counts()...) {
		c.compare(t, got, want[i])
		if n := s.Count(t, all[i].Account); n != 0 {
			t.Errorf("%s: %d messages are left in the maildrop after removal", all[i].Security, n)
		}
	}
}

// compare checks that a program fetched every message once and unchanged. Lines that the program
// puts in front of our header are ignored.
func (c client) compare(t testing.TB, got [][]byte, want map[string]servertest.Awkward) {
	t.Helper()
	seen := map[string]bool{}
	for _, octets := range got {
		name := servertest.Mark(octets)
		m, ok := want[name]
		if !ok || seen[name] {
			t.Errorf("%s fetched a message too many: %.300q", c.name, octets)
			continue
		}
		seen[name] = true
		expected := m.Octets
		if !c.crlf {
			expected = bytes.ReplaceAll(expected, []byte("\r\n"), []byte("\n"))
		}
		start := bytes.Index(octets, []byte("Return-Path: <"+servertest.Sender(name)))
		if start < 0 {
			t.Errorf("%s: no Return-Path line in the message that %s fetched: %.300q", name, c.name, octets)
			continue
		}
		if octets = octets[start:]; !bytes.Equal(octets, expected) && c.changes[name] == "" {
			t.Errorf("%s: %s fetched %d octets, want %d: %s", name, c.name, len(octets), len(expected), difference(octets, expected))
		}
	}
	for name := range want {
		if !seen[name] {
			t.Errorf("%s did not fetch %s", c.name, name)
		}
	}
}

// difference shows where two texts part.
func difference(got, want []byte) string {
	at := 0
	for at < len(got) && at < len(want) && got[at] == want[at] {
		at++
	}
	near := func(b []byte) []byte { return b[max(0, at-20):min(len(b), at+40)] }
	return fmt.Sprintf("at %d got %q, want %q", at, near(got), near(want))
}

// deliverSmall delivers small messages over a few sessions, to each account the given number.
func deliverSmall(t testing.TB, s *servertest.Server, to map[servertest.Account]int) {
	t.Helper()
	const sessions = 8
	most := 0
	for _, n := range to {
		most = max(most, n)
	}
	var wg sync.WaitGroup
	for i := range sessions {
		wg.Go(func() {
			c := s.LMTPSession(t)
			defer c.Close()
			for n := i; n < most; n += sessions {
				var accounts []servertest.Account
				for a, limit := range to {
					if n < limit {
						accounts = append(accounts, a)
					}
				}
				servertest.Send(t, c, servertest.Sender(servertest.SmallName(n)), accounts, servertest.SmallMessage(n))
			}
		})
	}
	wg.Wait()
	if t.Failed() {
		t.FailNow()
	}
}

func (c client) compareSmall(t testing.TB, got [][]byte, want map[string][]byte) {
	t.Helper()
	seen := map[string]bool{}
	for _, octets := range got {
		name := servertest.Mark(octets)
		if _, ok := want[name]; !ok || seen[name] {
			t.Fatalf("a message too many: %.300q", octets)
		}
		seen[name] = true
		var n int
		if _, err := fmt.Sscanf(name, "small-%d", &n); err != nil {
			t.Fatal(err)
		}
		body := servertest.SmallMessage(n)
		if !c.crlf {
			body = bytes.ReplaceAll(body, []byte("\r\n"), []byte("\n"))
		}
		if !bytes.HasSuffix(octets, body) {
			t.Fatalf("%s was fetched as %.500q", name, octets)
		}
	}
	if len(seen) != len(want) {
		t.Errorf("%d messages fetched, want %d", len(seen), len(want))
	}
}

// makeMaildir makes an empty Maildir that every user may write to.
func makeMaildir(t testing.TB, dir string) {
	t.Helper()
	for _, name := range []string{"", "cur", "new", "tmp"} {
		folder := filepath.Join(dir, name)
		if err := os.Mkdir(folder, 0o755); err != nil {
			t.Fatal(err)
		}
		servertest.GiveToNobody(t, folder)
	}
}
