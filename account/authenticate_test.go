package account

import (
	"context"
	"errors"
	"net/netip"
)

// Authenticate signs in from this machine and returns the view of a client: the same
// ErrBadCredentials for every mistake in name or password.
func (d *Directory) Authenticate(ctx context.Context, login, password string) (Login, error) {
	l, err := d.SignIn(ctx, LoginRequest{Name: login, Password: password})
	if errors.Is(err, ErrBadCredentials) {
		err = ErrBadCredentials
	}
	return l, err
}

// signInFrom signs in from a remote address.
func (d *Directory) signInFrom(ctx context.Context, remote, login, password string) error {
	_, err := d.SignIn(ctx, LoginRequest{Name: login, Password: password, Remote: netip.MustParseAddr(remote)})
	return err
}

func prefixes(texts ...string) (p []netip.Prefix) {
	for _, text := range texts {
		p = append(p, netip.MustParsePrefix(text))
	}
	return p
}
