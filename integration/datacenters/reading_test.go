package datacenters

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"popelago/adminclient"
	"popelago/integration/mailprogram"
	"popelago/integration/servertest"
	"popelago/integration/sitetest"
	"popelago/mailtest"
)

// lag is the time in which a packet and its answer cross the line between the datacenters.
const lag = 2 * time.Second

// TestReadingLevels: a user's mail program fetches from two datacenters in turn, by one DNS name, and leaves
// the mail on the server. With reading "each" no message is fetched twice, in spite of a lag of 2 s and of a
// cut. With "local" the program fetches a message once more after every list without the message.
func TestReadingLevels(t *testing.T) {
	s := newSites(t)
	servertest.NeedProgram(t, "fetchmail", "fetchmail")
	programs := []func(testing.TB, *sitetest.Sites, servertest.Account) reader{readWithFetchmail, readByTheRule}
	names := []string{"fetchmail", "the rule"}
	if os.Getenv("TEST_CHAOS") != "" {
		servertest.NeedProgram(t, "thunderbird", "thunderbird")
		programs, names = append(programs, readWithThunderbird), append(names, "thunderbird")
	}
	var users []*wanderer
	for i, prepare := range programs {
		for _, level := range []string{"local", "each"} {
			w := &wanderer{T: t, sites: s, level: level, program: names[i], account: sitetest.Owner(fmt.Sprintf("%s-%d", level, i), 1), fetched: map[string]int{}}
			s.Create(t, s.One, w.account)
			s.Administer(t, s.One, func(ctx context.Context, admin *adminclient.Client) error {
				_, err := admin.SetAccountSettings(ctx, w.account.Address, map[string]string{"reading": level})
				return err
			})
			w.reader = prepare(t, s, w.account)
			users = append(users, w)
		}
	}
	for _, w := range users { // before dc2 caches the account
		s.Administer(t, s.Two, func(ctx context.Context, admin *adminclient.Client) error {
			got, err := admin.AccountSettings(ctx, w.account.Address)
			if err == nil && got.Settings["reading"] != w.level {
				err = fmt.Errorf("dc2 has the settings %v", got.Settings)
			}
			return err
		})
	}
	stage := func(name string, do func(w *wanderer)) {
		t.Run(name, func(t *testing.T) {
			for _, w := range users {
				t.Run(w.program+" "+w.level, func(t *testing.T) {
					t.Parallel()
					w.T = t
					do(w)
				})
			}
		})
		if t.Failed() {
			t.FailNow()
		}
	}

	stage("whole", (*wanderer).whole)
	if err := s.Lag("dc1", "dc2", lag/2); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Lag("dc1", "dc2", 0) })
	stage("lag", (*wanderer).behindLag)
	if err := s.Lag("dc1", "dc2", 0); err != nil {
		t.Fatal(err)
	}
	s.WaitWhole(t)
	stage("after the lag", (*wanderer).settle)
	if err := s.Cut("dc1", "dc2"); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	t.Cleanup(func() { s.Heal("dc1", "dc2") })
	stage("cut", (*wanderer).behindCut)
	if os.Getenv("TEST_CHAOS") != "" {
		hold(t.Context(), time.Until(began.Add(time.Minute)))
	}
	if err := s.Heal("dc1", "dc2"); err != nil {
		t.Fatal(err)
	}
	s.WaitWhole(t)
	stage("healed", (*wanderer).healed)
	for _, w := range users {
		again := 0
		for _, n := range w.fetched {
			again += n - 1
		}
		t.Logf("%s with reading %s: %d messages, %d fetched again, %d of them because of the cut", w.program, w.level, len(w.fetched), again, again-w.againByLag)
	}
}

// reader is a mail program that remembers the unique-ids of the last list.
type reader interface {
	// Read fetches the messages unknown to the program from a server, and leaves the messages on the server.
	// expect is the expected number, or -1. refused is the reason of a failed session.
	Read(t testing.TB, at *servertest.Server, expect int) (messages [][]byte, refused string)
}

// wanderer is a user who fetches from both datacenters in turn.
type wanderer struct {
	*testing.T
	sites   *sitetest.Sites
	program string
	level   string
	account servertest.Account
	reader

	sent       []string
	fetched    map[string]int // by name: how often
	againByLag int
}

// each reports whether the lists of the user have the messages of every datacenter.
func (w *wanderer) each() bool { return w.level == "each" }

// send delivers messages at a server.
func (w *wanderer) send(at *servertest.Server, n int) {
	w.Helper()
	for range n {
		name := fmt.Sprint("n", len(w.sent))
		w.sites.Deliver(w, at, w.account, name)
		w.sent = append(w.sent, name)
	}
}

// read fetches at a server until a session succeeds, and returns the number of messages that were fetched
// for the first time, and again.
func (w *wanderer) read(at *servertest.Server, expect int) (first, again int) {
	w.Helper()
	mailtest.WaitFor(w, sitetest.Limit, func() error {
		messages, refused := w.Read(w, at, expect)
		for _, octets := range messages {
			name := servertest.Mark(octets)
			if !slices.Contains(w.sent, name) {
				w.Fatalf("fetched a message that was not sent: %q", octets)
			}
			if w.fetched[name]++; w.fetched[name] > 1 {
				again++
			} else {
				first++
			}
		}
		if refused != "" {
			return fmt.Errorf("%s: %s", w.sites.Place(at), refused)
		}
		return nil
	})
	return first, again
}

// wants fetches at a server, and expects so many messages for the first time, and so many again.
func (w *wanderer) wants(at *servertest.Server, first, again int) {
	w.Helper()
	if f, a := w.read(at, first+again); f != first || a != again {
		w.Errorf("%d messages were fetched %s, and %d again; want %d and %d", f, w.sites.Place(at), a, first, again)
	}
}

// together waits until every datacenter lists every message.
func (w *wanderer) together() {
	w.Helper()
	for _, at := range w.sites.Both() {
		w.sites.Shows(w, at, w.account, w.sent...)
	}
}

// whole is the part while the line is whole.
func (w *wanderer) whole() {
	for _, at := range w.sites.Both() {
		w.send(at, 2)
	}
	w.together()
	w.wants(w.sites.One, 4, 0)
	w.wants(w.sites.Two, 0, 0)
	w.wants(w.sites.One, 0, 0)
}

// behindLag fetches in the datacenter opposite the last delivery, and then in the datacenter of the
// delivery.
func (w *wanderer) behindLag() {
	deliveries := 2
	if os.Getenv("TEST_CHAOS") != "" {
		deliveries = 4
	}
	for i := range deliveries {
		at, other := w.sites.Both()[i%2], w.sites.Both()[1-i%2]
		w.send(at, 1)
		if w.each() {
			began := time.Now()
			w.wants(other, 1, 0)
			if took := time.Since(began); took < lag {
				w.Errorf("a session that asks both datacenters took %v, less than the lag", took)
			}
			w.wants(at, 0, 0)
			continue
		}
		for _, at := range []*servertest.Server{at, other, at} {
			_, again := w.read(at, -1)
			w.againByLag += again
		}
	}
}

// settle is the part after the lag: the program fetches forgotten messages again.
func (w *wanderer) settle() {
	w.together()
	if w.each() {
		w.wants(w.sites.One, 0, 0)
	} else {
		_, again := w.read(w.sites.One, -1)
		w.againByLag += again
	}
	w.wants(w.sites.Two, 0, 0)
}

// behindCut fetches in two datacenters with mail unknown across the cut.
func (w *wanderer) behindCut() {
	one, two := w.sites.One, w.sites.Two
	if w.each() {
		for _, at := range w.sites.Both() {
			w.send(at, 2)
			w.refused(at)
		}
		return
	}
	w.wants(one, 0, 0)
	w.send(one, 3)
	w.wants(one, 3, 0)
	w.wants(two, 0, 0) // and forgets the three
	w.send(two, 2)
	w.wants(two, 2, 0)
	w.wants(one, 0, 3) // and forgets the two
}

// refused expects that a login is refused for now, and not as a wrong password.
func (w *wanderer) refused(at *servertest.Server) {
	w.Helper()
	if w.program == "thunderbird" {
		return // would ask its user
	}
	messages, refused := w.Read(w, at, -1)
	temporary := w.program != "the rule" || strings.HasPrefix(refused, "-ERR [SYS/TEMP] ") // fetchmail hides the response
	if len(messages) > 0 || refused == "" || !temporary {
		w.Errorf("behind the cut %d messages were fetched %s; the answer was %q, want [SYS/TEMP]", len(messages), w.sites.Place(at), refused)
	}
}

// healed is the part when the line is whole again.
func (w *wanderer) healed() {
	w.together()
	if w.each() {
		w.wants(w.sites.Two, 4, 0)
		w.wants(w.sites.One, 0, 0)
	} else {
		w.wants(w.sites.One, 0, 2)
	}
	w.wants(w.sites.Two, 0, 0)
	for _, name := range w.sent {
		if n := w.fetched[name]; n == 0 || n > 1 && w.each() {
			w.Errorf("%s was fetched %d times", name, n)
		}
	}
}

// fetchmailReader is fetchmail.
type fetchmailReader struct {
	account servertest.Account
	*mailprogram.Fetchmail
}

func readWithFetchmail(t testing.TB, s *sitetest.Sites, a servertest.Account) reader {
	return fetchmailReader{a, mailprogram.NewFetchmail(t, mailprogram.TargetOf(t, s.One, a, mailprogram.Plain))}
}

// Read runs fetchmail.
func (r fetchmailReader) Read(t testing.TB, at *servertest.Server, _ int) (messages [][]byte, refused string) {
	t.Helper()
	r.Target = mailprogram.TargetOf(t, at, r.account, mailprogram.Plain)
	return r.TryFetch(t)
}

// thunderbirdReader is Thunderbird.
type thunderbirdReader struct {
	account servertest.Account
	*mailprogram.Thunderbird
}

func readWithThunderbird(t testing.TB, s *sitetest.Sites, a servertest.Account) reader {
	return thunderbirdReader{a, mailprogram.NewThunderbird(t, mailprogram.TargetOf(t, s.One, a, mailprogram.Plain))}
}

// Read runs Thunderbird.
func (r thunderbirdReader) Read(t testing.TB, at *servertest.Server, expect int) (messages [][]byte, refused string) {
	t.Helper()
	r.Targets[0] = mailprogram.TargetOf(t, at, r.account, mailprogram.Plain)
	return r.Fetch(t, true, max(expect, 0))[0], ""
}

// ruleReader follows the rule of Thunderbird: after a session the program knows the unique-ids of the list,
// and no further ids.
type ruleReader struct {
	account servertest.Account
	known   []string
}

func readByTheRule(_ testing.TB, _ *sitetest.Sites, a servertest.Account) reader {
	return &ruleReader{account: a}
}

// Read fetches the unknown messages of the list.
func (r *ruleReader) Read(t testing.TB, at *servertest.Server, _ int) (messages [][]byte, refused string) {
	t.Helper()
	c, reply := at.SignIn(t, r.account)
	defer c.Close()
	if !strings.HasPrefix(reply, "+OK") {
		return nil, reply
	}
	list := servertest.Listing(t, c, "UIDL")
	for i, id := range list {
		if slices.Contains(r.known, id) {
			continue
		}
		if reply := c.Do(fmt.Sprintf("RETR %d", i+1), ""); !strings.HasPrefix(reply, "+OK") {
			return messages, reply
		}
		messages = append(messages, c.ReadMultiline())
		r.known = append(r.known, id)
	}
	c.Do("QUIT", "+OK")
	r.known = list
	return messages, ""
}
