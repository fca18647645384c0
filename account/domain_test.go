package account

import (
	"context"
	"testing"

	"popelago/mail"
	"popelago/store"
)

// reads is a store that counts lists of domains, and fails to read a domain while broken is set.
type reads struct {
	store.Directory
	lists  int
	broken bool
}

func (s *reads) ListDomains(ctx context.Context) ([]store.Domain, error) {
	s.lists++
	return s.Directory.ListDomains(ctx)
}

func (s *reads) Domain(ctx context.Context, name string) (store.Domain, error) {
	if s.broken {
		return store.Domain{}, store.ErrUnavailable
	}
	return s.Directory.Domain(ctx, name)
}

// Load balancers ask each server every few seconds: the answer does not read all domains.
func TestReadable(t *testing.T) {
	sound, _ := withDomain(t)
	s := &reads{Directory: sound.store.Local}
	d := newDirectory(t, cheap(newClock()), s)
	for _, s.broken = range []bool{false, true, false} {
		want := error(nil)
		if s.broken {
			want = store.ErrUnavailable
		}
		wantErr(t, "Readable", d.Readable(t.Context()), want)
	}
	if s.lists > 0 {
		t.Errorf("the domains were listed %d times", s.lists)
	}
}

// An IP address without brackets is no domain.
func TestAddDomainOfDigits(t *testing.T) {
	d, _ := withDomain(t)
	for name, want := range map[string]error{
		"127.0.0.1": mail.ErrBadAddress, "a.123": mail.ErrBadAddress, "123": mail.ErrBadAddress, "a.123.": mail.ErrBadAddress,
		"123.test": nil, "a.1b": nil, "localhost": nil, "[192.0.2.1]": nil,
	} {
		_, err := d.AddDomain(t.Context(), name)
		wantErr(t, name, err, want)
	}
}
