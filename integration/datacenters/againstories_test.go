package datacenters

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"popelago/integration/servertest"
	"popelago/mailtest"
)

// createdElsewhere: an account is made in one datacenter and used at once in the other. While the
// other datacenter cannot ask, it answers with a temporary error.
func createdElsewhere() *life {
	var all []servertest.Account
	apart := owner("made-apart", 1)
	return &life{
		name: "created elsewhere",
		whole: func(t *testing.T, s *sites) {
			for i := range 10 {
				here, there := s.both()[i%2], s.both()[1-i%2]
				a := owner(fmt.Sprint("made-", i), 1)
				s.create(t, here, a)
				if i%4 < 2 { // login first: nothing may be remembered from the delivery
					if _, refused := s.look(t, there, a); refused != "" && !strings.HasPrefix(refused, "-ERR [SYS/TEMP] ") {
						t.Errorf("login at once: %s", refused)
					}
				}
				s.must(t, there, a, "first")
				s.shows(t, there, a, "first")
				all = append(all, a)
			}
		},
		cut: func(t *testing.T, s *sites) {
			s.create(t, s.one, apart)
			s.must(t, s.one, apart, "first")
			s.putOff(t, s.two, apart)
		},
		in: func(t *testing.T, s *sites) {
			for _, a := range append(all, apart) {
				for _, at := range s.both() {
					s.shows(t, at, a, "first")
				}
			}
		},
	}
}

// againHere: an account is removed and made again without a pause, and both datacenters know of
// both.
func againHere() *life {
	l := &life{name: "again here"}
	before, after := owner("here", 1), owner("here", 2)
	var fresh []string
	l.whole = func(t *testing.T, s *sites) {
		s.known(t, before, "old-1", "old-2")
		s.remove(t, s.one, before)
		s.create(t, s.one, after)
		// Mail accepted before the other server knows is kept apart.
		early := []string{"early-1", "early-2"}
		for _, name := range early {
			s.must(t, s.two, after, name)
		}
		s.must(t, s.one, after, "new-1")
		s.shows(t, s.one, after, "new-1")
		mailtest.WaitFor(t, nodesLimit, func() (err error) {
			var refused string
			if fresh, refused = s.look(t, s.two, after); refused != "" || !slices.Contains(fresh, "new-1") {
				err = fmt.Errorf("%s: %q %s", after.Address, fresh, refused)
			}
			return err
		})
		if l.late = len(early) + 1 - len(fresh); l.late < 0 {
			t.Errorf("the new owner sees %q in dc2", fresh)
		}
	}
	l.in = func(t *testing.T, s *sites) {
		s.passed(t, before, after, fresh...)
		for _, name := range fresh {
			if strings.HasPrefix(name, "old") {
				t.Errorf("the new owner sees %q", fresh)
			}
		}
	}
	return l
}

// againThere: an account is removed in one datacenter and at once made again in the other.
func againThere() *life {
	before, after := owner("there", 1), owner("there", 2)
	return &life{
		name: "again there",
		whole: func(t *testing.T, s *sites) {
			s.known(t, before, "old-1", "old-2")
			s.remove(t, s.one, before)
			s.create(t, s.two, after)
			s.must(t, s.two, after, "new-2")
			s.must(t, s.one, after, "new-1")
			for _, at := range s.both() {
				s.shows(t, at, after, "new-1", "new-2")
			}
		},
		in: func(t *testing.T, s *sites) { s.passed(t, before, after, "new-1", "new-2") },
	}
}

// againApart: an account is removed and made again while the other datacenter is cut off. The other
// datacenter goes on to accept mail for the former owner, which is kept apart.
func againApart() *life {
	l := &life{name: "again apart"}
	before, after := owner("apart", 1), owner("apart", 2)
	l.whole = func(t *testing.T, s *sites) { s.known(t, before, "old-1", "old-2") }
	l.cut = func(t *testing.T, s *sites) {
		s.remove(t, s.one, before)
		s.create(t, s.one, after)
		s.must(t, s.one, after, "new-1")
		s.shows(t, s.one, after, "new-1")
		s.must(t, s.two, before, "late")
		l.late = 1
		s.shows(t, s.two, before, "old-1", "old-2", "late")
		if _, refused := s.look(t, s.two, after); !strings.HasPrefix(refused, "-ERR [SYS/TEMP] ") {
			t.Errorf("login where the account was not heard of: %q", refused)
		}
	}
	l.in = func(t *testing.T, s *sites) {
		for _, at := range s.both() {
			s.locked(t, at, before, "old-1", "old-2", "late")
			s.shows(t, at, after, "new-1")
		}
	}
	return l
}

// againAcross: an account is removed while the line is whole, and made again during a cut, in the
// datacenter that knows of the removal.
func againAcross() *life {
	before, after := owner("across", 1), owner("across", 2)
	return &life{
		name: "again across",
		whole: func(t *testing.T, s *sites) {
			s.known(t, before, "old-1", "old-2")
			s.remove(t, s.one, before)
			s.ended(t, s.two, before.Address)
		},
		cut: func(t *testing.T, s *sites) {
			s.create(t, s.two, after)
			s.must(t, s.two, after, "new-2")
			s.shows(t, s.two, after, "new-2")
			s.putOff(t, s.one, after)
		},
		in: func(t *testing.T, s *sites) { s.passed(t, before, after, "new-2") },
	}
}

// twoOwners: both sides of a cut remove an account and give its address to a new owner. In the end
// the owner whose predecessor was removed last has the address. The other's mail is kept apart.
func twoOwners() *life {
	before, first, last := owner("two", 1), owner("two", 2), owner("two", 3)
	return &life{
		name:  "two owners",
		late:  1,
		whole: func(t *testing.T, s *sites) { s.known(t, before, "old-1", "old-2") },
		cut: func(t *testing.T, s *sites) {
			s.remove(t, s.one, before)
			s.create(t, s.one, first)
			s.must(t, s.one, first, "new-1")
			s.remove(t, s.two, before)
			s.create(t, s.two, last)
			s.must(t, s.two, last, "new-2")
			s.shows(t, s.one, first, "new-1")
			s.shows(t, s.two, last, "new-2")
		},
		in: func(t *testing.T, s *sites) {
			for _, at := range s.both() {
				s.locked(t, at, before)
				s.locked(t, at, first, "new-1")
				s.shows(t, at, last, "new-2")
			}
			one, err := s.account(t, s.one, last.Address)
			two, err2 := s.account(t, s.two, last.Address)
			if err != nil || err2 != nil || one == nil || two == nil || one.Mailbox != two.Mailbox {
				t.Fatalf("%+v, %v in dc1, %+v, %v in dc2", one, err, two, err2)
			}
		},
		after: func(t *testing.T, s *sites) {
			s.remove(t, s.one, last) // and no earlier owner comes back
			for _, at := range s.both() {
				s.ended(t, at, last.Address)
				s.locked(t, at, first)
				s.locked(t, at, last, "new-2")
			}
			again := owner("two", 4)
			s.create(t, s.two, again)
			for _, at := range s.both() {
				s.shows(t, at, again)
			}
		},
	}
}

// madeTwice: both sides of a cut make a new account. The result is one account, with the password
// that was set last.
func madeTwice() *life {
	first, last := owner("twice", 1), owner("twice", 2)
	return &life{
		name: "made twice",
		cut: func(t *testing.T, s *sites) {
			s.create(t, s.one, first)
			s.must(t, s.one, first, "new-1")
			s.create(t, s.two, last)
			s.must(t, s.two, last, "new-2")
		},
		in: func(t *testing.T, s *sites) {
			for _, at := range s.both() {
				s.locked(t, at, first, "new-1", "new-2")
				s.shows(t, at, last, "new-1", "new-2")
			}
		},
	}
}

// passwordOfRemoved: an account is removed on one side, and its password changed on the other,
// earlier or later. The account stays removed.
func passwordOfRemoved(name string, earlier bool) *life {
	before, changed := owner(name, 1), owner(name, 2)
	return &life{
		name:  "password " + name,
		whole: func(t *testing.T, s *sites) { s.known(t, before, "old-1") },
		cut: func(t *testing.T, s *sites) {
			if earlier {
				s.setPassword(t, s.two, changed)
			}
			s.remove(t, s.one, before)
			if !earlier {
				hold(t.Context(), time.Millisecond) // a later microsecond, for certain
				s.setPassword(t, s.two, changed)
			}
			s.shows(t, s.two, changed, "old-1")
		},
		in: func(t *testing.T, s *sites) {
			for _, at := range s.both() {
				s.ended(t, at, before.Address)
				s.locked(t, at, before)
				s.locked(t, at, changed)
			}
		},
	}
}
