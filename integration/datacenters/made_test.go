package datacenters

import (
	"fmt"
	"testing"

	"popelago/integration/servertest"
	"popelago/integration/sitetest"
)

// TestMadeBehindLag: an account is made, used and removed in one datacenter, and made for a new owner in the other one
// before any news has arrived there. The new owner has a mailbox of its own.
func TestMadeBehindLag(t *testing.T) {
	s := newSites(t)
	if err := s.Lag("dc1", "dc2", lag/2); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Lag("dc1", "dc2", 0) })
	var all [][2]servertest.Account
	for i := range 3 {
		address := fmt.Sprint("behind-lag-", i)
		before, after := sitetest.Owner(address, 1), sitetest.Owner(address, 2)
		here, there := s.Both()[i%2], s.Both()[1-i%2]
		s.Create(t, here, before)
		s.Deliver(t, here, before, "old")
		s.Remove(t, here, before)
		s.Create(t, there, after)
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
