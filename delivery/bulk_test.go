package delivery_test

import (
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"popelago/account"
	"popelago/delivery"
	"popelago/delivery/deliverytest"
	"popelago/ledger"
	"popelago/mail"
	"popelago/store"
	"popelago/task"
)

// setBulk makes the mailbox of alice bulk since a moment, for deliveries.
func setBulk(t *testing.T, s *server, domain string, since time.Time) {
	t.Helper()
	since = since.Truncate(time.Microsecond)
	a := mail.Address{Local: "alice", Domain: domain}
	if err := s.Engine.ChangeAddress(t.Context(), a, mail.MessageID{}, store.AddressChange{Bulk: &since}); err != nil {
		t.Fatal(err)
	}
}

// recipient returns alice as a server resolves the address now.
func (s *server) recipient(t *testing.T, domain string) mail.Recipient {
	t.Helper()
	r, err := s.Check(t.Context(), mail.Address{Local: "alice", Domain: domain})
	if err != nil {
		t.Fatal(err)
	}
	return r[0]
}

// sendTo delivers a text to recipients resolved earlier.
func (s *server) sendTo(t *testing.T, text string, to ...mail.Recipient) delivery.Result {
	t.Helper()
	return deliverytest.Finish(t, s.Deliverer, mail.Envelope{
		ReversePath: "sender@example.org", SingleReply: true, Recipients: to,
		Received: mail.Received{Remote: netip.MustParseAddr(host)},
	}, text)
}

// removeAll removes all messages in the mailbox of alice.
func (s *server) removeAll(t *testing.T, domain string, n int) {
	t.Helper()
	drop := s.wantCopies(t, domain, "alice", n)
	for i := range n {
		if err := drop.Mark(i + 1); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := drop.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// rows lists a mailbox and checks the number of rows.
func (s *server) rows(t *testing.T, mailbox mail.MailboxID, n int) []mail.Message {
	t.Helper()
	rows, _, err := s.Engine.ListMessages(t.Context(), mailbox, mail.MessageID{}, 100)
	if err != nil || len(rows) != n {
		t.Fatalf("%d rows, %v; want %d", len(rows), err, n)
	}
	return rows
}

// addAgain writes rows for alice as resolved earlier.
func (s *server) addAgain(t *testing.T, alice mail.Recipient, rows []mail.Message) {
	t.Helper()
	for _, row := range rows {
		if err := s.Engine.AddMessages(t.Context(), []store.Entry{{Mailbox: alice.Mailbox, Message: row, Bulk: alice.Bulk}})[0]; err != nil {
			t.Fatal(err)
		}
	}
}

// TestNodeBulkBudget: the first delivery of a server to a bulk mailbox pays for the marker, and later
// deliveries pay nothing.
func TestNodeBulkBudget(t *testing.T) {
	pair, domain := servers(t, 0)
	setBulk(t, pair[0], domain, time.Now().Add(-time.Hour))
	for _, s := range pair {
		for _, want := range []string{"insert content, insert mailbox, insert mailbox", "insert content, insert mailbox"} {
			if res := s.send(t, domain, host, deliverytest.Sample, "alice"); res.Errors[0] != nil {
				t.Fatal(res.Errors)
			}
			if got := s.took(); got != want {
				t.Errorf("statements: %s, want %s", got, want)
			}
		}
	}
	pair[0].wantCopies(t, domain, "alice", 4)
}

// TestNodeBulkBetweenTrials: the mailbox becomes bulk between two deliveries of a message. The message
// is older than the moment, and gets no second copy.
func TestNodeBulkBetweenTrials(t *testing.T) {
	for _, how := range []string{"unknown", "lost"} {
		t.Run(how, func(t *testing.T) {
			pair, domain := servers(t, 0)
			pair[0].add["alice"] = how
			first := pair[0].send(t, domain, host, deliverytest.Sample, "alice")
			deliverytest.Want(t, first, "unknown")
			// The cache keeps addresses so long that the second delivery is before the moment, too.
			dir, err := account.New(account.Config{CacheTTL: time.Hour}, store.Single(pair[1].Engine).Directory, nil)
			if err != nil {
				t.Fatal(err)
			}
			since, err := dir.SetBulk(t.Context(), mail.Address{Local: "alice", Domain: domain})
			if err != nil || time.Until(since) < 50*time.Minute {
				t.Fatalf("bulk since %v, %v", since, err)
			}
			pair[1].share(t)
			res := pair[1].send(t, domain, host, deliverytest.Sample, "alice")
			deliverytest.Want(t, res, "ok")
			if !res.Repeated || res.ID != first.ID {
				t.Errorf("%+v, before %s", res, first.ID)
			}
			for _, s := range pair {
				s.wantCopies(t, domain, "alice", 1)
			}
			pair[0].removeAll(t, domain, 1)
			pair[1].wantCopies(t, domain, "alice", 0)
		})
	}
}

// TestNodeBulkNotHeard: a mailbox is bulk, and one server does not know yet. Every message is listed
// once, also a message stored by both servers, and a removed message stays removed for both.
func TestNodeBulkNotHeard(t *testing.T) {
	for _, order := range [][2]int{{0, 1}, {1, 0}} {
		t.Run([]string{"heard first", "not heard first"}[order[0]], func(t *testing.T) {
			pair, domain := servers(t, 0)
			before := pair[1].recipient(t, domain)
			setBulk(t, pair[0], domain, time.Now().Add(-time.Hour))
			believes := [2]mail.Recipient{pair[0].recipient(t, domain), before}
			if believes[0].Bulk.IsZero() || !believes[1].Bulk.IsZero() {
				t.Fatalf("%+v", believes)
			}
			a, b := order[0], order[1]
			first := map[string]mail.MessageID{}
			for _, how := range []string{"unknown", "lost"} {
				pair[a].add["alice"] = how
				res := pair[a].sendTo(t, how+deliverytest.Sample, believes[a])
				deliverytest.Want(t, res, "unknown")
				first[how] = res.ID
			}
			delete(pair[a].add, "alice")
			deliverytest.Want(t, pair[a].sendTo(t, deliverytest.Sample, believes[a]), "ok")
			pair[a].share(t)
			pair[b].share(t)
			for how, id := range first {
				res := pair[b].sendTo(t, how+deliverytest.Sample, believes[b])
				deliverytest.Want(t, res, "ok")
				if !res.Repeated || res.ID != id {
					t.Errorf("%s: %+v, before %s", how, res, id)
				}
			}
			deliverytest.Want(t, pair[b].sendTo(t, deliverytest.Sample, believes[b]), "ok")
			n := 2 + len(first)
			for _, s := range pair {
				s.wantCopies(t, domain, "alice", n)
			}
			// All rows are written to both places, before their removal and after.
			rows := pair[a].rows(t, before.Mailbox, n)
			for _, r := range believes {
				pair[b].addAgain(t, r, rows)
			}
			pair[a].removeAll(t, domain, n)
			for _, r := range believes {
				pair[b].addAgain(t, r, rows)
			}
			for _, s := range pair {
				s.wantCopies(t, domain, "alice", 0)
			}
		})
	}
}

// hand is a clock moved by a test.
type hand struct {
	mu sync.Mutex
	at time.Time
}

func (h *hand) now() time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.at
}

func (h *hand) set(at time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.at = at
}

// TestNodeMidnight: servers with different clocks deliver to a bulk mailbox around midnight, and again
// on the other side of midnight. Every message is listed once, in the order of the ids.
func TestNodeMidnight(t *testing.T) {
	pair, domain := servers(t, 0)
	midnight := time.Now().UTC().Truncate(24 * time.Hour)
	setBulk(t, pair[0], domain, midnight.Add(-36*time.Hour))
	clocks := [2]*hand{{at: midnight.Add(-time.Minute)}, {at: midnight.Add(time.Minute)}}
	var dirs [2]*account.Directory
	for i, s := range pair {
		var err error
		if dirs[i], err = account.New(account.Config{Argon2Memory: 8, Argon2Time: 1}, store.Single(s).Directory, nil); err != nil {
			t.Fatal(err)
		}
		s.Server = deliverytest.NewServer(t, delivery.Config{Now: clocks[i].now},
			ledger.Config{Poll: time.Millisecond, Keep: 72 * time.Hour}, dirs[i], store.Single(s), nil)
	}
	alice := pair[0].recipient(t, domain)
	n := 0
	for _, s := range pair {
		deliverytest.Want(t, s.sendTo(t, deliverytest.Sample, alice), "ok")
		n++
	}
	// From yesterday into today, and with wrong clocks from today into yesterday.
	for i, how := range []string{"unknown", "lost", "unknown", "lost"} {
		a, b := i/2, 1-i/2
		clocks[0].set(midnight.Add(-200 * time.Millisecond))
		clocks[1].set(midnight.Add(300 * time.Millisecond))
		pair[a].add["alice"] = how
		text := strings.Repeat("X", i+1) + deliverytest.Sample
		first := pair[a].sendTo(t, text, alice)
		deliverytest.Want(t, first, "unknown")
		delete(pair[a].add, "alice")
		pair[b].share(t)
		res := pair[b].sendTo(t, text, alice)
		deliverytest.Want(t, res, "ok")
		if !res.Repeated || res.ID != first.ID || res.ID.Time().Before(midnight) != (a == 0) {
			t.Errorf("%s by %d, then by %d: %+v at %v, before %s", how, a, b, res, res.ID.Time(), first.ID)
		}
		n++
	}
	clocks[0].set(midnight.Add(-time.Microsecond))
	deliverytest.Want(t, pair[0].sendTo(t, deliverytest.Sample, alice), "ok")
	clocks[0].set(midnight)
	deliverytest.Want(t, pair[0].sendTo(t, deliverytest.Sample, alice), "ok")
	n += 2
	rows := pair[0].rows(t, alice.Mailbox, n)
	days := map[int64]int{}
	for i, row := range rows {
		if i > 0 && row.ID.Compare(rows[i-1].ID) <= 0 {
			t.Errorf("row %d is not behind the one before", i)
		}
		days[row.ID.Time().Unix()/86400]++
	}
	if len(days) != 2 {
		t.Errorf("messages by day: %v", days)
	}
	pair[0].wantCopies(t, domain, "alice", n)
	pair[1].removeAll(t, domain, n)
	pair[0].addAgain(t, alice, rows)
	for _, s := range pair {
		s.wantCopies(t, domain, "alice", 0)
	}

	// Mail of both days goes with the account.
	for i, s := range pair {
		clocks[i].set(midnight.Add(time.Duration(2*i-1) * time.Second))
		deliverytest.Want(t, s.sendTo(t, deliverytest.Sample, alice), "ok")
	}
	pair[0].wantCopies(t, domain, "alice", 2)
	if err := dirs[0].RemoveAccount(t.Context(), alice.Address); err != nil {
		t.Fatal(err)
	}
	removed := int64(0)
	for i, s := range pair {
		job := task.Purge(task.PurgeConfig{Window: time.Second, Now: func() time.Time { return time.Now().Add(time.Minute) }}, dirs[i], store.Single(s), nil)
		report, err := job.Run(t.Context(), false)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range report {
			if c.Name == "messages" {
				removed += c.N
			}
		}
	}
	if removed != 2 {
		t.Errorf("%d messages went with the account, want 2", removed)
	}
	pair[1].wantCopies(t, domain, "alice", 0)
}
