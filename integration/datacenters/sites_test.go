package datacenters

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"popelago/adminclient"
	"popelago/integration/servertest"
	"popelago/mailtest"
)

// sites are two datacenters with a server each, for actions in both before they know of each
// other's.
type sites struct {
	*cluster
	one, two *servertest.Server // in dc1, dc2
}

func newSites(t *testing.T, settings ...string) *sites {
	t.Helper()
	if testing.Short() {
		t.Skip("needs two Cassandra nodes")
	}
	s := &sites{cluster: newCluster(t, datacenters.Get(t))}
	s.one, s.two = s.start(t, "dc1", settings...), s.start(t, "dc2", settings...)
	host(t, s.one)
	mailtest.WaitFor(t, nodesLimit, func() error { // before an address in the domain may be asked for
		admin := s.two.Admin()
		defer admin.Close()
		domains, err := admin.Domains(servertest.Deadline(t, servertest.StartLimit))
		if err == nil && len(domains) == 0 {
			err = errors.New("dc2 has not heard of the domain")
		}
		return err
	})
	return s
}

func (s *sites) both() []*servertest.Server { return []*servertest.Server{s.one, s.two} }

func (s *sites) name(of *servertest.Server) string {
	switch of {
	case s.one:
		return "in dc1"
	case s.two:
		return "in dc2"
	}
	return "at a further server"
}

// create makes an account at a server. A server that does not know of a removal yet may refuse:
// then create tries again.
func (s *sites) create(t testing.TB, at *servertest.Server, a servertest.Account) {
	t.Helper()
	admin := at.Admin()
	defer admin.Close()
	mailtest.WaitFor(t, nodesLimit, func() error {
		_, err := admin.AddAccount(servertest.Deadline(t, servertest.StartLimit), a.Address, a.Password)
		return err
	})
}

func (s *sites) remove(t testing.TB, at *servertest.Server, a servertest.Account) {
	t.Helper()
	admin := at.Admin()
	defer admin.Close()
	tried := false
	mailtest.WaitFor(t, nodesLimit, func() error {
		_, err := admin.RemoveAccount(servertest.Deadline(t, servertest.StartLimit), a.Address)
		if e := (*adminclient.Error)(nil); errors.As(err, &e) && e.Status == http.StatusNotFound && tried {
			return nil // no client could see that it was done
		}
		tried = true
		return err
	})
}

func (s *sites) setPassword(t testing.TB, at *servertest.Server, a servertest.Account) {
	t.Helper()
	admin := at.Admin()
	defer admin.Close()
	mailtest.WaitFor(t, nodesLimit, func() error {
		return admin.SetPassword(servertest.Deadline(t, servertest.StartLimit), a.Address, a.Password)
	})
}

// account returns the administration's view of an account; nil if there is none.
func (s *sites) account(t testing.TB, at *servertest.Server, address string) (*adminclient.AccountDetail, error) {
	t.Helper()
	admin := at.Admin()
	defer admin.Close()
	a, err := admin.Account(servertest.Deadline(t, servertest.StartLimit), address)
	if e := (*adminclient.Error)(nil); errors.As(err, &e) && e.Status == http.StatusNotFound {
		return nil, nil
	}
	return &a, err
}

// take delivers a message and reports whether it was acknowledged. The server may defer the
// message, but not refuse it.
func (s *sites) take(t testing.TB, at *servertest.Server, a servertest.Account, name string) bool {
	t.Helper()
	c := at.LMTPSession(t)
	defer c.Close()
	reply := servertest.TryDeliver(t, c, true, name, []servertest.Account{a})[0]
	if !strings.HasPrefix(reply, "250 ") && !strings.HasPrefix(reply, "451 ") {
		t.Fatalf("mail for %s %s: %q, want 250 or 451", a.Address, s.name(at), reply)
	}
	return strings.HasPrefix(reply, "250 ")
}

// must delivers a message until it is acknowledged: a busy machine is no fault.
func (s *sites) must(t testing.TB, at *servertest.Server, a servertest.Account, name string) {
	t.Helper()
	mailtest.WaitFor(t, nodesLimit, func() error {
		if !s.take(t, at, a, name) {
			return fmt.Errorf("mail for %s %s is put off", a.Address, s.name(at))
		}
		return nil
	})
}

// look reads a maildrop and returns the names of its messages, or the response that refused the
// login.
func (s *sites) look(t testing.TB, at *servertest.Server, a servertest.Account) (names []string, refused string) {
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

// shows waits until a maildrop has just these messages. Until then a login may get a temporary
// error; but the account never looks unknown, and never shows another owner's mail.
func (s *sites) shows(t testing.TB, at *servertest.Server, a servertest.Account, want ...string) {
	t.Helper()
	slices.Sort(want)
	mailtest.WaitFor(t, nodesLimit, func() error {
		got, refused := s.look(t, at, a)
		if refused != "" && !strings.HasPrefix(refused, "-ERR [SYS/TEMP] ") {
			t.Fatalf("%s %s: %s", a.Address, s.name(at), refused)
		}
		for _, name := range got {
			if !slices.Contains(want, name) {
				t.Fatalf("%s shows %q %s, want only %q", a.Address, got, s.name(at), want)
			}
		}
		if refused != "" || !slices.Equal(got, want) {
			return fmt.Errorf("%s shows %q %s, want %q: %s", a.Address, got, s.name(at), want, refused)
		}
		return nil
	})
}

// putOff expects that a server answers with a temporary error, because it cannot decide whether
// there is an account.
func (s *sites) putOff(t testing.TB, at *servertest.Server, a servertest.Account) {
	t.Helper()
	if _, refused := s.look(t, at, a); !strings.HasPrefix(refused, "-ERR [SYS/TEMP] ") {
		t.Errorf("login of %s %s: %q, want [SYS/TEMP]", a.Address, s.name(at), refused)
	}
	if s.take(t, at, a, "put-off") {
		t.Errorf("mail for %s was taken %s", a.Address, s.name(at))
	}
}

// locked waits until a login is refused permanently. Until then it may show only these messages.
func (s *sites) locked(t testing.TB, at *servertest.Server, a servertest.Account, may ...string) {
	t.Helper()
	mailtest.WaitFor(t, nodesLimit, func() error {
		got, refused := s.look(t, at, a)
		for _, name := range got {
			if !slices.Contains(may, name) {
				t.Fatalf("%s shows %q %s to somebody else", a.Address, got, s.name(at))
			}
		}
		if !strings.HasPrefix(refused, "-ERR [AUTH] ") {
			return fmt.Errorf("login of %s %s with %q: %q, want [AUTH]", a.Address, s.name(at), a.Password, refused)
		}
		return nil
	})
}

// ended waits until an address has no account.
func (s *sites) ended(t testing.TB, at *servertest.Server, address string) {
	t.Helper()
	mailtest.WaitFor(t, nodesLimit, func() error {
		switch a, err := s.account(t, at, address); {
		case err != nil:
			return err
		case a != nil:
			return fmt.Errorf("%s is still there %s", address, s.name(at))
		}
		c := at.LMTPSession(t)
		defer c.Close()
		if reply := servertest.TryDeliver(t, c, true, "ended", []servertest.Account{{Address: address}})[0]; !strings.HasPrefix(reply, "550 5.1.1 ") {
			return fmt.Errorf("mail for %s %s: %q, want 550", address, s.name(at), reply)
		}
		return nil
	})
}
