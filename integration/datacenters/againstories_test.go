package datacenters

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"popelago/integration/servertest"
	"popelago/integration/sitetest"
	"popelago/mailtest"
)

// createdElsewhere: an account is made in one datacenter and used at once in the other. While the
// second datacenter cannot ask, the answer is a temporary error.
func createdElsewhere() *story {
	var all []servertest.Account
	apart := sitetest.Owner("made-apart", 1)
	return &story{
		name: "created elsewhere",
		whole: func(t *testing.T, s *sitetest.Sites) {
			for i := range 10 {
				here, there := s.Both()[i%2], s.Both()[1-i%2]
				a := sitetest.Owner(fmt.Sprint("made-", i), 1)
				s.Create(t, here, a)
				if i%4 < 2 { // login first: nothing may be remembered from the delivery
					if _, refused := s.Look(t, there, a); refused != "" && !strings.HasPrefix(refused, "-ERR [SYS/TEMP] ") {
						t.Errorf("login at once: %s", refused)
					}
				}
				s.Deliver(t, there, a, "first")
				s.Shows(t, there, a, "first")
				all = append(all, a)
			}
		},
		cut: func(t *testing.T, s *sitetest.Sites) {
			s.Create(t, s.One, apart)
			s.Deliver(t, s.One, apart, "first")
			s.PutOff(t, s.Two, apart)
		},
		in: func(t *testing.T, s *sitetest.Sites) {
			for _, a := range append(all, apart) {
				for _, at := range s.Both() {
					s.Shows(t, at, a, "first")
				}
			}
		},
	}
}

// againHere: an account is removed and made again without a pause, and both datacenters know both
// events.
func againHere() *story {
	l := &story{name: "again here"}
	before, after := sitetest.Owner("here", 1), sitetest.Owner("here", 2)
	var fresh []string
	l.whole = func(t *testing.T, s *sitetest.Sites) {
		s.Known(t, before, "old-1", "old-2")
		s.Remove(t, s.One, before)
		s.Create(t, s.One, after)
		// Mail accepted before the other server knows is kept apart.
		early := []string{"early-1", "early-2"}
		for _, name := range early {
			s.Deliver(t, s.Two, after, name)
		}
		s.Deliver(t, s.One, after, "new-1")
		s.Shows(t, s.One, after, "new-1")
		mailtest.WaitFor(t, sitetest.Limit, func() (err error) {
			var refused string
			if fresh, refused = s.Look(t, s.Two, after); refused != "" || !slices.Contains(fresh, "new-1") {
				err = fmt.Errorf("%s: %q %s", after.Address, fresh, refused)
			}
			return err
		})
		if l.late = len(early) + 1 - len(fresh); l.late < 0 {
			t.Errorf("the new owner sees %q in dc2", fresh)
		}
	}
	l.in = func(t *testing.T, s *sitetest.Sites) {
		s.Passed(t, before, after, fresh...)
		for _, name := range fresh {
			if strings.HasPrefix(name, "old") {
				t.Errorf("the new owner sees %q", fresh)
			}
		}
	}
	return l
}

// againThere: an account is removed in one datacenter and at once made again in the other.
func againThere() *story {
	before, after := sitetest.Owner("there", 1), sitetest.Owner("there", 2)
	return &story{
		name: "again there",
		whole: func(t *testing.T, s *sitetest.Sites) {
			s.Known(t, before, "old-1", "old-2")
			s.Remove(t, s.One, before)
			s.Create(t, s.Two, after)
			s.Deliver(t, s.Two, after, "new-2")
			s.Deliver(t, s.One, after, "new-1")
			for _, at := range s.Both() {
				s.Shows(t, at, after, "new-1", "new-2")
			}
		},
		in: func(t *testing.T, s *sitetest.Sites) { s.Passed(t, before, after, "new-1", "new-2") },
	}
}

// againApart: an account is removed and made again during a cut. The cut-off datacenter continues to
// accept mail for the former owner, which is kept apart.
func againApart() *story {
	l := &story{name: "again apart"}
	before, after := sitetest.Owner("apart", 1), sitetest.Owner("apart", 2)
	l.whole = func(t *testing.T, s *sitetest.Sites) { s.Known(t, before, "old-1", "old-2") }
	l.cut = func(t *testing.T, s *sitetest.Sites) {
		s.Remove(t, s.One, before)
		s.Create(t, s.One, after)
		s.Deliver(t, s.One, after, "new-1")
		s.Shows(t, s.One, after, "new-1")
		s.Deliver(t, s.Two, before, "late")
		l.late = 1
		s.Shows(t, s.Two, before, "old-1", "old-2", "late")
		if _, refused := s.Look(t, s.Two, after); !strings.HasPrefix(refused, "-ERR [SYS/TEMP] ") {
			t.Errorf("login where the account was not heard of: %q", refused)
		}
	}
	l.in = func(t *testing.T, s *sitetest.Sites) {
		for _, at := range s.Both() {
			s.Locked(t, at, before, "old-1", "old-2", "late")
			s.Shows(t, at, after, "new-1")
		}
	}
	return l
}

// againAcross: an account is removed while the line is whole, and made again during a cut, in the
// datacenter with knowledge of the removal.
func againAcross() *story {
	before, after := sitetest.Owner("across", 1), sitetest.Owner("across", 2)
	return &story{
		name: "again across",
		whole: func(t *testing.T, s *sitetest.Sites) {
			s.Known(t, before, "old-1", "old-2")
			s.Remove(t, s.One, before)
			s.Ended(t, s.Two, before.Address)
		},
		cut: func(t *testing.T, s *sitetest.Sites) {
			s.Create(t, s.Two, after)
			s.Deliver(t, s.Two, after, "new-2")
			s.Shows(t, s.Two, after, "new-2")
			s.PutOff(t, s.One, after)
		},
		in: func(t *testing.T, s *sitetest.Sites) { s.Passed(t, before, after, "new-2") },
	}
}

// twoOwners: both sides of a cut remove an account and give its address to a new owner. In the end
// the owner whose predecessor was removed last has the address. The mail of the displaced owner is
// kept apart.
func twoOwners() *story {
	before, first, last := sitetest.Owner("two", 1), sitetest.Owner("two", 2), sitetest.Owner("two", 3)
	return &story{
		name:  "two owners",
		late:  1,
		whole: func(t *testing.T, s *sitetest.Sites) { s.Known(t, before, "old-1", "old-2") },
		cut: func(t *testing.T, s *sitetest.Sites) {
			s.Remove(t, s.One, before)
			s.Create(t, s.One, first)
			s.Deliver(t, s.One, first, "new-1")
			s.Remove(t, s.Two, before)
			s.Create(t, s.Two, last)
			s.Deliver(t, s.Two, last, "new-2")
			s.Shows(t, s.One, first, "new-1")
			s.Shows(t, s.Two, last, "new-2")
		},
		in: func(t *testing.T, s *sitetest.Sites) {
			for _, at := range s.Both() {
				s.Locked(t, at, before)
				s.Locked(t, at, first, "new-1")
				s.Shows(t, at, last, "new-2")
			}
			one, err := s.Account(t, s.One, last.Address)
			two, err2 := s.Account(t, s.Two, last.Address)
			if err != nil || err2 != nil || one == nil || two == nil || one.Mailbox != two.Mailbox {
				t.Fatalf("%+v, %v in dc1, %+v, %v in dc2", one, err, two, err2)
			}
		},
		after: func(t *testing.T, s *sitetest.Sites) {
			s.Remove(t, s.One, last) // and no earlier owner comes back
			for _, at := range s.Both() {
				s.Ended(t, at, last.Address)
				s.Locked(t, at, first)
				s.Locked(t, at, last, "new-2")
			}
			again := sitetest.Owner("two", 4)
			s.Create(t, s.Two, again)
			for _, at := range s.Both() {
				s.Shows(t, at, again)
			}
		},
	}
}

// madeTwice: both sides of a cut make a new account. The result is a single account, with the latest
// password.
func madeTwice() *story {
	first, last := sitetest.Owner("twice", 1), sitetest.Owner("twice", 2)
	return &story{
		name: "made twice",
		cut: func(t *testing.T, s *sitetest.Sites) {
			s.Create(t, s.One, first)
			s.Deliver(t, s.One, first, "new-1")
			s.Create(t, s.Two, last)
			s.Deliver(t, s.Two, last, "new-2")
		},
		in: func(t *testing.T, s *sitetest.Sites) {
			for _, at := range s.Both() {
				s.Locked(t, at, first, "new-1", "new-2")
				s.Shows(t, at, last, "new-1", "new-2")
			}
		},
	}
}

// passwordOfRemoved: an account is removed on one side, and its password changed on the other,
// earlier or later. The account stays removed.
func passwordOfRemoved(name string, earlier bool) *story {
	before, changed := sitetest.Owner(name, 1), sitetest.Owner(name, 2)
	return &story{
		name:  "password " + name,
		whole: func(t *testing.T, s *sitetest.Sites) { s.Known(t, before, "old-1") },
		cut: func(t *testing.T, s *sitetest.Sites) {
			if earlier {
				s.SetPassword(t, s.Two, changed)
			}
			s.Remove(t, s.One, before)
			if !earlier {
				hold(t.Context(), time.Millisecond) // a later microsecond, for certain
				s.SetPassword(t, s.Two, changed)
			}
			s.Shows(t, s.Two, changed, "old-1")
		},
		in: func(t *testing.T, s *sitetest.Sites) {
			for _, at := range s.Both() {
				s.Ended(t, at, before.Address)
				s.Locked(t, at, before)
				s.Locked(t, at, changed)
			}
		},
	}
}
