package account

import (
	"context"
	"errors"
	"testing"

	"popelago/mail"
	"popelago/store"
)

// view is the level Each, which knows more than the local datacenter, or cannot be asked.
type view struct {
	store.Directory
	down  bool
	asked int
}

// twoPlaces returns the levels of a directory in two datacenters.
func twoPlaces(local, each store.Directory) store.Levels[store.Directory] {
	return store.Levels[store.Directory]{Local: local, Each: each, All: local, Several: true}
}

func (v *view) AddressRows(ctx context.Context, a mail.Address) ([]store.Address, error) {
	v.asked++
	if v.down {
		return nil, store.ErrUnavailable
	}
	return v.Directory.AddressRows(ctx, a)
}

// A client gets "no such recipient" or "bad credentials" only after the other datacenters were asked.
// While a datacenter is unreachable, the answer is a fault.
func TestAskElsewhere(t *testing.T) {
	here, _ := withDomain(t)
	elsewhere, _ := withDomain(t)
	st, other := here.store.Local, elsewhere.store.Local
	ctx := t.Context()
	alice := addAccount(t, elsewhere, "alice@example.test", "secret")
	each := &view{Directory: other}
	d, err := New(here.cfg, twoPlaces(st, each), nil)
	if err != nil {
		t.Fatal(err)
	}
	r, err := d.Resolve(ctx, alice.Address)
	if err != nil || each.asked != 1 {
		t.Fatalf("an account made elsewhere: %+v, %v, asked %d times", r, err, each.asked)
	}
	if _, err := d.Authenticate(ctx, "alice@example.test", "secret"); err != nil {
		t.Errorf("a login of an account made elsewhere: %v", err)
	}
	bob := addr(t, "bob@example.test")
	if _, err := d.Resolve(ctx, bob); !errors.Is(err, ErrNoSuchRecipient) {
		t.Errorf("unknown everywhere: %v", err)
	}
	asked := each.asked
	if _, err := d.Resolve(ctx, addr(t, "bob@elsewhere.test")); !errors.Is(err, ErrNoSuchRecipient) || each.asked != asked {
		t.Errorf("a foreign domain: %v, asked %d times", err, each.asked-asked)
	}

	each.down = true
	if _, err := d.Resolve(ctx, bob); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("unknown here, nobody else to ask: %v", err)
	}
	for _, login := range []string{"bob@example.test", "alice@example.test"} {
		_, err := d.Authenticate(ctx, login, "wrong")
		if !errors.Is(err, store.ErrUnavailable) || errors.Is(err, ErrBadCredentials) {
			t.Errorf("a wrong password of %s, nobody else to ask: %v", login, err)
		}
	}
	addAccount(t, here, "dave@example.test", "secret")
	if _, err := d.Authenticate(ctx, "dave@example.test", "secret"); err != nil {
		t.Errorf("the right password needs nobody else: %v", err)
	}

	// A password changed in the other datacenter, with the news still to arrive here.
	each.down = false
	carol := addAccount(t, here, "carol@example.test", "before")
	addAccount(t, elsewhere, "carol@example.test", "after")
	if _, err := d.Authenticate(ctx, carol.Address.String(), "after"); err != nil {
		t.Errorf("a password changed elsewhere: %v", err)
	}

	// Guessing clients cannot keep the other datacenters busy.
	cfg := here.cfg
	cfg.ElsewherePerSecond = 1
	if d, err = New(cfg, twoPlaces(st, each), nil); err != nil {
		t.Fatal(err)
	}
	short, cancel := context.WithTimeout(ctx, 1)
	defer cancel()
	if _, err := d.Resolve(ctx, bob); !errors.Is(err, ErrNoSuchRecipient) {
		t.Errorf("the first: %v", err)
	}
	if _, err := d.readElsewhere(short, bob, nil); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("a question above the limit: %v", err)
	}
}
