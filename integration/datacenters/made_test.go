package datacenters

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"testing"
	"time"

	"popelago/adminclient"
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
		missed := unanswered(t, there)
		s.Create(t, there, after)
		if unanswered(t, there) > missed {
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

// unanswered counts the questions of a server before an address or a domain is made that had no answer.
func unanswered(t *testing.T, at *servertest.Server) (n float64) {
	t.Helper()
	for _, answer := range []string{"error", "rest"} {
		n += at.Metric(t, fmt.Sprintf(`popelago_account_elsewhere_total{answer=%q,what="making"}`, answer))
	}
	return n
}

// TestDomainBehindLag: a domain is added and gets settings in one datacenter. The other one refuses to add the domain once
// more, before any news has arrived there. After a removal, whose news has not arrived either, the domain begins there
// without its earlier settings. A question that a busy machine leaves without an answer shows nothing.
func TestDomainBehindLag(t *testing.T) {
	s := newSites(t, `metrics.listen = "127.0.0.1:0"`)
	if err := s.Lag("dc1", "dc2", lag/2); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Lag("dc1", "dc2", 0) })
	add := func(at *servertest.Server, name string) (status int, answered bool) {
		admin := at.Admin()
		defer admin.Close()
		missed := unanswered(t, at)
		_, err := admin.AddDomain(servertest.Deadline(t, servertest.StartLimit), name)
		refused := (*adminclient.Error)(nil)
		switch {
		case errors.As(err, &refused):
			status = refused.Status
		case err == nil:
			status = http.StatusCreated
		}
		return status, unanswered(t, at) == missed
	}
	settled := false
	var all []string
	end := time.Now().Add(sitetest.Limit)
	for i := 0; !settled; i++ {
		if time.Now().After(end) {
			t.Fatalf("the other datacenter answered no pair of %d pairs of questions", i)
		}
		name := fmt.Sprintf("behind-lag-%d.test", i)
		here, there := s.Both()[i%2], s.Both()[1-i%2]
		s.AddDomain(t, here, name)
		s.SetDomain(t, here, name, map[string]string{"quota": "1GiB", "retention": "30d"})
		if status, answered := add(there, name); !answered {
			continue
		} else if status != http.StatusConflict {
			t.Errorf("%s the domain %s is added once more: status %d", s.Place(there), name, status)
		}
		s.Administer(t, here, func(ctx context.Context, admin *adminclient.Client) error { return admin.RemoveDomain(ctx, name) })
		if status, answered := add(there, name); !answered {
			continue
		} else if status != http.StatusCreated {
			t.Errorf("%s the removed domain %s is not added: status %d", s.Place(there), name, status)
		}
		all, settled = append(all, name), true
	}
	if err := s.Lag("dc1", "dc2", 0); err != nil {
		t.Fatal(err)
	}
	s.WaitWhole(t)
	for _, name := range all {
		for _, at := range s.Both() {
			s.DomainHas(t, at, name, nil)
		}
	}
}
