package datacenters

import (
	"fmt"
	"testing"
	"time"

	"popelago/integration/servertest"
	"popelago/integration/sitetest"
)

// TestMadeBehindLag: an account is made, used and removed in one datacenter, and made for a new owner in the other one
// before any news has arrived there. The new owner has a mailbox of its own. Without an answer from the other datacenter
// the account is made as during a cut: an address whose question a busy machine leaves without an answer shows nothing.
func TestMadeBehindLag(t *testing.T) {
	s := newSites(t, `metrics.listen = "127.0.0.1:0"`)
	if err := s.Lag("dc1", "dc2", lag/2); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Lag("dc1", "dc2", 0) })
	unanswered := func(at *servertest.Server) (n float64) {
		for _, answer := range []string{"error", "rest"} {
			n += at.Metric(t, fmt.Sprintf(`popelago_account_elsewhere_total{answer=%q,what="making"}`, answer))
		}
		return n
	}
	var all [][2]servertest.Account
	end := time.Now().Add(sitetest.Limit)
	for i := 0; len(all) < 3; i++ {
		if time.Now().After(end) {
			t.Fatalf("the other datacenter answered %d of %d questions, want 3", len(all), i)
		}
		address := fmt.Sprint("behind-lag-", i)
		before, after := sitetest.Owner(address, 1), sitetest.Owner(address, 2)
		here, there := s.Both()[i%2], s.Both()[1-i%2]
		s.Create(t, here, before)
		s.Deliver(t, here, before, "old")
		s.Remove(t, here, before)
		missed := unanswered(there)
		s.Create(t, there, after)
		if unanswered(there) > missed {
			t.Logf("%s: the question about %s had no answer", s.Place(there), address)
			continue
		}
		s.Deliver(t, there, after, "new")
		all = append(all, [2]servertest.Account{before, after})
	}
	if err := s.Lag("dc1", "dc2", 0); err != nil {
		t.Fatal(err)
	}
	s.WaitWhole(t)
	for _, a := range all {
		s.Passed(t, a[0], a[1], "new")
	}
}
