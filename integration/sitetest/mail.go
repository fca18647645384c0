package sitetest

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"popelago/integration/servertest"
	"popelago/mailtest"
)

// Take delivers a message and reports whether the server acknowledged the message. The server may
// defer the message, but not refuse it.
func (s *Sites) Take(t testing.TB, at *servertest.Server, a servertest.Account, name string) bool {
	t.Helper()
	c := at.LMTPSession(t)
	defer c.Close()
	reply := servertest.TryDeliver(t, c, true, name, []servertest.Account{a})[0]
	if !strings.HasPrefix(reply, "250 ") && !strings.HasPrefix(reply, "451 ") {
		t.Fatalf("mail for %s %s: %q, want 250 or 451", a.Address, s.Place(at), reply)
	}
	return strings.HasPrefix(reply, "250 ")
}

// Deliver repeats a message until the acknowledgement: a busy machine is no fault.
func (s *Sites) Deliver(t testing.TB, at *servertest.Server, a servertest.Account, name string) {
	t.Helper()
	mailtest.WaitFor(t, Limit, func() error {
		if !s.Take(t, at, a, name) {
			return fmt.Errorf("mail for %s %s is put off", a.Address, s.Place(at))
		}
		return nil
	})
}

// Look reads a maildrop and returns the names of its messages, or the response that refused the
// login.
func (s *Sites) Look(t testing.TB, at *servertest.Server, a servertest.Account) (names []string, refused string) {
	t.Helper()
	c, reply := at.SignIn(t, a)
	defer c.Close()
	if !strings.HasPrefix(reply, "+OK") {
		return nil, reply
	}
	for i := range servertest.Listing(t, c, "UIDL") {
		if reply := c.Do(fmt.Sprintf("RETR %d", i+1), ""); !strings.HasPrefix(reply, "+OK") {
			return nil, reply
		}
		names = append(names, servertest.Mark(c.ReadMultiline()))
	}
	c.Do("QUIT", "+OK")
	slices.Sort(names)
	return names, ""
}

// Shows waits until a maildrop has exactly the messages. Until then a login may get a temporary
// error; but the account never looks unknown, and never shows another owner's mail.
func (s *Sites) Shows(t testing.TB, at *servertest.Server, a servertest.Account, want ...string) {
	t.Helper()
	slices.Sort(want)
	mailtest.WaitFor(t, Limit, func() error {
		got, refused := s.Look(t, at, a)
		if refused != "" && !strings.HasPrefix(refused, "-ERR [SYS/TEMP] ") {
			t.Fatalf("%s %s: %s", a.Address, s.Place(at), refused)
		}
		for _, name := range got {
			if !slices.Contains(want, name) {
				t.Fatalf("%s shows %q %s, want only %q", a.Address, got, s.Place(at), want)
			}
		}
		if refused != "" || !slices.Equal(got, want) {
			return fmt.Errorf("%s shows %q %s, want %q: %s", a.Address, got, s.Place(at), want, refused)
		}
		return nil
	})
}

// PutOff expects a temporary error from a server that cannot decide whether the account exists.
func (s *Sites) PutOff(t testing.TB, at *servertest.Server, a servertest.Account) {
	t.Helper()
	if _, refused := s.Look(t, at, a); !strings.HasPrefix(refused, "-ERR [SYS/TEMP] ") {
		t.Errorf("login of %s %s: %q, want [SYS/TEMP]", a.Address, s.Place(at), refused)
	}
	if s.Take(t, at, a, "put-off") {
		t.Errorf("mail for %s was taken %s", a.Address, s.Place(at))
	}
}

// Locked waits until a login is refused permanently. Until then the login may show only the messages
// in may.
func (s *Sites) Locked(t testing.TB, at *servertest.Server, a servertest.Account, may ...string) {
	t.Helper()
	mailtest.WaitFor(t, Limit, func() error {
		got, refused := s.Look(t, at, a)
		for _, name := range got {
			if !slices.Contains(may, name) {
				t.Fatalf("%s shows %q %s to somebody else", a.Address, got, s.Place(at))
			}
		}
		if !strings.HasPrefix(refused, "-ERR [AUTH] ") {
			return fmt.Errorf("login of %s %s with %q: %q, want [AUTH]", a.Address, s.Place(at), a.Password, refused)
		}
		return nil
	})
}

// Passed checks in both datacenters that an address belongs to another owner, with exactly the
// messages.
func (s *Sites) Passed(t *testing.T, before, after servertest.Account, names ...string) {
	t.Helper()
	for _, at := range s.Both() {
		s.Shows(t, at, after, names...)
		s.Locked(t, at, before)
	}
}

// Known makes an account in dc1, with a message from each side, and waits until both sides know the
// account.
func (s *Sites) Known(t *testing.T, a servertest.Account, old ...string) {
	t.Helper()
	s.Create(t, s.One, a)
	for i, name := range old {
		s.Deliver(t, s.Both()[i%2], a, name)
	}
	for _, at := range s.Both() {
		s.Shows(t, at, a, old...)
	}
}
