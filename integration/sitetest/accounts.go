package sitetest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"testing"

	"popelago/adminclient"
	"popelago/integration/servertest"
	"popelago/mailtest"
)

// Owner returns the n-th owner of an address: an account of the address with a password of its own.
func Owner(address string, n int) servertest.Account {
	return servertest.Account{Address: address + "@" + servertest.Domain, Password: fmt.Sprintf("owner %d of %s", n, address)}
}

// Create makes an account at a server. A server without the news of a removal may refuse: then Create
// tries again.
func (s *Sites) Create(t testing.TB, at *servertest.Server, a servertest.Account) {
	t.Helper()
	s.Administer(t, at, func(ctx context.Context, admin *adminclient.Client) error {
		_, err := admin.AddAccount(ctx, a.Address, a.Password)
		return err
	})
}

// Administer asks the administration of a server until the server agrees. A server may lack the news from
// another datacenter.
func (s *Sites) Administer(t testing.TB, at *servertest.Server, ask func(context.Context, *adminclient.Client) error) {
	t.Helper()
	admin := at.Admin()
	defer admin.Close()
	mailtest.WaitFor(t, Limit, func() error {
		ctx, cancel := context.WithTimeout(context.Background(), servertest.StartLimit)
		defer cancel()
		return ask(ctx, admin)
	})
}

// AddDomain adds a domain at a server.
func (s *Sites) AddDomain(t testing.TB, at *servertest.Server, name string) {
	t.Helper()
	s.Administer(t, at, func(ctx context.Context, admin *adminclient.Client) error {
		_, err := admin.AddDomain(ctx, name)
		return err
	})
}

// SetDomain changes settings of a domain at a server.
func (s *Sites) SetDomain(t testing.TB, at *servertest.Server, name string, changes map[string]string) {
	t.Helper()
	s.Administer(t, at, func(ctx context.Context, admin *adminclient.Client) error {
		_, err := admin.SetDomainSettings(ctx, name, changes)
		return err
	})
}

// DomainHas waits until a server knows a domain with certain settings of its own.
func (s *Sites) DomainHas(t testing.TB, at *servertest.Server, name string, want map[string]string) {
	t.Helper()
	s.Administer(t, at, func(ctx context.Context, admin *adminclient.Client) error {
		got, err := admin.DomainSettings(ctx, name)
		if err == nil && !maps.Equal(got.Settings, want) {
			err = fmt.Errorf("the settings of %s %s are %v, want %v", name, s.Place(at), got.Settings, want)
		}
		return err
	})
}

// Remove removes an account at a server.
func (s *Sites) Remove(t testing.TB, at *servertest.Server, a servertest.Account) {
	t.Helper()
	admin := at.Admin()
	defer admin.Close()
	tried := false
	mailtest.WaitFor(t, Limit, func() error {
		_, err := admin.RemoveAccount(servertest.Deadline(t, servertest.StartLimit), a.Address)
		if e := (*adminclient.Error)(nil); errors.As(err, &e) && e.Status == http.StatusNotFound && tried {
			return nil // no client can see the change
		}
		tried = true
		return err
	})
}

// SetPassword changes the password of an account at a server to a.Password.
func (s *Sites) SetPassword(t testing.TB, at *servertest.Server, a servertest.Account) {
	t.Helper()
	s.Administer(t, at, func(ctx context.Context, admin *adminclient.Client) error {
		return admin.SetPassword(ctx, a.Address, a.Password)
	})
}

// Account returns the administration's view of an account; nil without an account.
func (s *Sites) Account(t testing.TB, at *servertest.Server, address string) (*adminclient.AccountDetail, error) {
	t.Helper()
	admin := at.Admin()
	defer admin.Close()
	a, err := admin.Account(servertest.Deadline(t, servertest.StartLimit), address)
	if e := (*adminclient.Error)(nil); errors.As(err, &e) && e.Status == http.StatusNotFound {
		return nil, nil
	}
	return &a, err
}

// Ended waits until an address has no account.
func (s *Sites) Ended(t testing.TB, at *servertest.Server, address string) {
	t.Helper()
	mailtest.WaitFor(t, Limit, func() error {
		switch a, err := s.Account(t, at, address); {
		case err != nil:
			return err
		case a != nil:
			return fmt.Errorf("%s is still there %s", address, s.Place(at))
		}
		c := at.LMTPSession(t)
		defer c.Close()
		if reply := servertest.TryDeliver(t, c, true, "ended", []servertest.Account{{Address: address}})[0]; !strings.HasPrefix(reply, "550 5.1.1 ") {
			return fmt.Errorf("mail for %s %s: %q, want 550", address, s.Place(at), reply)
		}
		return nil
	})
}
