package integration

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"popelago/cassandratest"
	"popelago/mailtest"
)

// life is a story of one address: what happens while the line is whole, what while it is cut,
// and what must be so in the end.
type life struct {
	name           string
	whole, cut, in func(t *testing.T, s *sites)
	// late is the number of messages that were acknowledged for an account which had ended
	// elsewhere, known in the end.
	late int
}

// TestAgain: an address changes hands, in one datacenter and the other, with the line between
// them cut or not. Nobody ever sees another owner's mail, what was acknowledged to the one who
// has the address is there, and in the end both datacenters agree who that is.
func TestAgain(t *testing.T) {
	s := newSites(t, "again")
	stories := []*life{
		createdElsewhere(), againHere(), againThere(), againApart(), againAcross(), twoOwners(),
		passwordOfRemoved("changed-later", false), passwordOfRemoved("changed-earlier", true),
	}
	stage := func(name string, of func(*life) func(*testing.T, *sites)) {
		t.Run(name, func(t *testing.T) {
			for _, l := range stories {
				if do := of(l); do != nil {
					t.Run(l.name, func(t *testing.T) {
						t.Parallel()
						do(t, s)
					})
				}
			}
		})
		if t.Failed() {
			t.FailNow()
		}
	}
	stage("whole", func(l *life) func(*testing.T, *sites) { return l.whole })
	if err := s.Cut("dc1", "dc2"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Heal("dc1", "dc2") })
	stage("cut", func(l *life) func(*testing.T, *sites) { return l.cut })
	if err := s.Heal("dc1", "dc2"); err != nil {
		t.Fatal(err)
	}
	s.waitSeen(t)
	stage("healed", func(l *life) func(*testing.T, *sites) { return l.in })
	late := 0
	for _, l := range stories {
		late += l.late
	}
	if late == 0 {
		t.Error("no mail was late: the test has lost its point")
	}
	for _, at := range s.both() {
		mailtest.WaitFor(t, nodesLimit, func() error {
			if n := s.run(t, at, "purge")["late"]; n != int64(late) {
				return fmt.Errorf("%d messages are kept as late %s, want %d", n, s.name(at), late)
			}
			return nil
		})
	}
	t.Logf("%d messages are kept that were acknowledged for accounts which had ended elsewhere", late)
	if err := cassandratest.Uncoordinated(s.Cluster); err != nil {
		t.Error(err)
	}
}

// owner is the same address with another password.
func owner(address string, n int) account {
	return account{address + "@" + domain, fmt.Sprintf("owner %d of %s", n, address)}
}

// known makes an account in dc1, with a message from either side, which both have heard of.
func (s *sites) known(t *testing.T, a account, old ...string) {
	t.Helper()
	s.create(t, s.one, a)
	for i, name := range old {
		at := s.both()[i%2]
		mailtest.WaitFor(t, nodesLimit, func() error {
			if !s.take(t, at, a, name) {
				return fmt.Errorf("mail for %s is put off %s", a.address, s.name(at))
			}
			return nil
		})
	}
	for _, at := range s.both() {
		s.shows(t, at, a, old...)
	}
}

// createdElsewhere: an account is made in one datacenter and used at once in the other. While
// that cannot ask it says so.
func createdElsewhere() *life {
	var all []account
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

// againHere: an account is removed and made again in one go, where both have heard of it.
func againHere() *life {
	l := &life{name: "again here"}
	before, after := owner("here", 1), owner("here", 2)
	var fresh []string
	l.whole = func(t *testing.T, s *sites) {
		s.known(t, before, "old-1", "old-2")
		s.remove(t, s.one, before)
		s.create(t, s.one, after)
		// What the other takes before it knows is kept apart.
		early := 0
		for _, name := range []string{"early-1", "early-2"} {
			if s.take(t, s.two, after, name) {
				early++
			}
		}
		s.must(t, s.one, after, "new-1")
		s.shows(t, s.one, after, "new-1")
		mailtest.WaitFor(t, nodesLimit, func() (err error) {
			var refused string
			if fresh, refused = s.look(t, s.two, after); refused != "" || !slices.Contains(fresh, "new-1") {
				err = fmt.Errorf("%s: %q %s", after.address, fresh, refused)
			}
			return err
		})
		if l.late = early + 1 - len(fresh); l.late < 0 {
			t.Errorf("the new owner sees %q in dc2", fresh)
		}
	}
	l.in = func(t *testing.T, s *sites) {
		for _, at := range s.both() {
			s.shows(t, at, after, fresh...)
			s.locked(t, at, before)
		}
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
		in: func(t *testing.T, s *sites) {
			for _, at := range s.both() {
				s.shows(t, at, after, "new-1", "new-2")
				s.locked(t, at, before)
			}
		},
	}
}

// againApart: an account is removed and made again where the other cannot hear of it. That goes
// on to take mail for the former owner, which is kept apart.
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

// againAcross: an account is removed while the line is whole, and made again while it is cut, by
// who heard of the removal.
func againAcross() *life {
	before, after := owner("across", 1), owner("across", 2)
	return &life{
		name: "again across",
		whole: func(t *testing.T, s *sites) {
			s.known(t, before, "old-1", "old-2")
			s.remove(t, s.one, before)
			s.ended(t, s.two, before.address)
		},
		cut: func(t *testing.T, s *sites) {
			s.create(t, s.two, after)
			s.must(t, s.two, after, "new-2")
			s.shows(t, s.two, after, "new-2")
			s.putOff(t, s.one, after)
		},
		in: func(t *testing.T, s *sites) {
			for _, at := range s.both() {
				s.shows(t, at, after, "new-2")
				s.locked(t, at, before)
			}
		},
	}
}

// twoOwners: both sides of a cut remove an account and give its address to somebody else. The
// one whose predecessor was removed last has it in the end.
func twoOwners() *life {
	before, first, last := owner("two", 1), owner("two", 2), owner("two", 3)
	return &life{
		name:  "two owners",
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
			one, err := s.account(t, s.one, last.address)
			two, err2 := s.account(t, s.two, last.address)
			if err != nil || err2 != nil || one == nil || two == nil || one.Mailbox != two.Mailbox {
				t.Fatalf("%+v, %v in dc1, %+v, %v in dc2", one, err, two, err2)
			}
			// No earlier owner comes back when the account ends.
			s.remove(t, s.one, last)
			for _, at := range s.both() {
				s.ended(t, at, last.address)
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

// passwordOfRemoved: an account is removed on one side, and its password changed on the other,
// earlier or later. It stays removed.
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
				s.ended(t, at, before.address)
				s.locked(t, at, before)
				s.locked(t, at, changed)
			}
		},
	}
}
