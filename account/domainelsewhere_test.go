package account

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"popelago/mail"
	"popelago/store"
)

// otherSites is the level Each, which counts questions about domains and may be out of reach.
type otherSites struct {
	store.Directory
	down    bool
	domains atomic.Int64
}

func (o *otherSites) AddressRows(ctx context.Context, a mail.Address) ([]store.Address, error) {
	if o.down {
		return nil, store.ErrUnavailable
	}
	return o.Directory.AddressRows(ctx, a)
}

func (o *otherSites) Domain(ctx context.Context, name string) (store.Domain, error) {
	o.domains.Add(1)
	if o.down {
		return store.Domain{}, store.ErrUnavailable
	}
	return o.Directory.Domain(ctx, name)
}

// twoSites is a Directory in a datacenter that knows nothing, and one of all datacenters.
func twoSites(t *testing.T, change func(*Config)) (here, all *Directory, o *otherSites, c *clock) {
	t.Helper()
	c = newClock()
	cfg := cheap(c)
	if change != nil {
		change(&cfg)
	}
	o = &otherSites{Directory: openStore(t)}
	all = newDirectory(t, cfg, o.Directory)
	return newDirectoryOn(t, cfg, twoPlaces(openStore(t), o)), all, o, c
}

// A domain that another datacenter has acknowledged is hosted, though this one has not heard of
// it: its mail and its logins are taken, as durably as it asks for. Who cannot be asked about is
// no stranger.
func TestDomainKnownElsewhere(t *testing.T) {
	here, all, o, _ := twoSites(t, nil)
	ctx := t.Context()
	if _, err := all.AddDomain(ctx, "new.test"); err != nil {
		t.Fatal(err)
	}
	durability := mail.DurabilityEach
	if _, err := all.ChangeDomain(ctx, "new.test", store.DomainChange{Durability: &durability}); err != nil {
		t.Fatal(err)
	}
	alice := addAccount(t, all, "alice@new.test", "secret")

	o.down = true
	for _, a := range []string{"alice@new.test", "alice@junk.test"} {
		_, err := here.Resolve(ctx, addr(t, a))
		if !errors.Is(err, store.ErrUnavailable) || errors.Is(err, ErrNoSuchRecipient) {
			t.Errorf("mail for %s, nobody else to ask: %v", a, err)
		}
		_, err = here.Authenticate(ctx, a, "secret")
		if !errors.Is(err, store.ErrUnavailable) || errors.Is(err, ErrBadCredentials) {
			t.Errorf("login of %s, nobody else to ask: %v", a, err)
		}
	}

	o.down = false
	r, err := here.Resolve(ctx, alice.Address)
	if err != nil || r.Mailbox != alice.Mailbox || !r.Durability.Each() {
		t.Errorf("mail for a domain of elsewhere: %+v, %v", r, err)
	}
	if l, err := here.Authenticate(ctx, "alice@new.test", "secret"); err != nil || !l.Durability.Each() {
		t.Errorf("a login in a domain of elsewhere: %+v, %v", l, err)
	}
	_, err = here.Resolve(ctx, addr(t, "bob@new.test"))
	wantErr(t, "an unknown address in a domain of elsewhere", err, ErrNoSuchRecipient)
	if errors.Is(err, ErrNotHosted) {
		t.Errorf("a domain of elsewhere is hosted: %v", err)
	}
	_, err = here.Resolve(ctx, addr(t, "alice@junk.test"))
	wantErr(t, "a domain that nobody hosts", err, ErrNotHosted)
	_, err = here.Authenticate(ctx, "alice@junk.test", "secret")
	wantErr(t, "a login in a domain that nobody hosts", err, ErrBadCredentials)
}

// An account that is disabled here may have been enabled elsewhere, perhaps with another password,
// or removed.
func TestStateKnownElsewhere(t *testing.T) {
	here, all, o, c := twoSites(t, nil)
	ctx := t.Context()
	for _, d := range []*Directory{here, all} {
		if _, err := d.AddDomain(ctx, "example.test"); err != nil {
			t.Fatal(err)
		}
	}
	local := newDirectory(t, here.cfg, here.store.Local) // changes what this datacenter knows
	for _, name := range []string{"enabled", "changed", "disabled", "removed"} {
		a := addAccount(t, local, name+"@example.test", "secret")
		if err := local.SetState(ctx, a.Address, store.StateDisabled); err != nil {
			t.Fatal(err)
		}
		password := "secret"
		if name == "changed" {
			password = "another"
		}
		addAccount(t, all, name+"@example.test", password)
	}
	if err := all.SetState(ctx, addr(t, "disabled@example.test"), store.StateDisabled); err != nil {
		t.Fatal(err)
	}
	if err := all.RemoveAccount(ctx, addr(t, "removed@example.test")); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, password string
		mail, login    error
	}{
		{"enabled", "secret", nil, nil},
		{"changed", "another", nil, nil},
		{"changed", "secret", nil, ErrBadCredentials},
		{"disabled", "secret", ErrDisabled, ErrDisabled},
		{"disabled", "wrong", ErrDisabled, ErrBadCredentials},
		{"removed", "secret", ErrNoSuchRecipient, ErrBadCredentials},
	} {
		for _, cached := range []bool{false, true} {
			c.advance(time.Hour)
			a := addr(t, tt.name+"@example.test")
			if cached {
				if _, _, err := here.find(ctx, a); err != nil {
					t.Fatal(err)
				}
			}
			what := fmt.Sprintf("%s, %s, cached %v: ", tt.name, tt.password, cached)
			o.down = true
			if _, err := here.Resolve(ctx, a); !errors.Is(err, store.ErrUnavailable) {
				t.Errorf("%smail, nobody else to ask: %v", what, err)
			}
			if _, err := here.Authenticate(ctx, a.String(), tt.password); !errors.Is(err, store.ErrUnavailable) {
				t.Errorf("%slogin, nobody else to ask: %v", what, err)
			}
			o.down = false
			_, err := here.Resolve(ctx, a)
			wantErr(t, what+"mail", err, tt.mail)
			c.advance(time.Hour)
			_, err = here.Authenticate(ctx, a.String(), tt.password)
			wantErr(t, what+"login", err, tt.login)
		}
	}
}

// A domain that became known here counts at once, whatever was answered about it before.
func TestDomainArrives(t *testing.T) {
	here, _, _, _ := twoSites(t, nil)
	ctx := t.Context()
	a := addr(t, "alice@new.test")
	for range 2 {
		_, err := here.Resolve(ctx, a)
		wantErr(t, "before", err, ErrNotHosted)
	}
	local := newDirectory(t, here.cfg, here.store.Local)
	if _, err := local.AddDomain(ctx, "new.test"); err != nil {
		t.Fatal(err)
	}
	if _, err := here.Resolve(ctx, a); errors.Is(err, ErrNotHosted) || !errors.Is(err, ErrNoSuchRecipient) {
		t.Errorf("the domain has arrived: %v", err)
	}
	addAccount(t, local, "alice@new.test", "secret")
	if _, err := here.Resolve(ctx, a); err != nil {
		t.Errorf("the account has arrived: %v", err)
	}
}

// Strangers who try to relay to ever other domains cost the other datacenters no more than so
// many questions in a second, the same domain one in Config.CacheTTL, and accounts, known or
// not, nothing at all.
func TestStrangersKeepNobodyWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const limit = 20
		here, all, o, c := twoSites(t, func(cfg *Config) { cfg.ElsewherePerSecond, cfg.ElsewhereDomainsPerSecond = 100, limit })
		ctx := t.Context()
		for _, d := range []*Directory{here, all} {
			if _, err := d.AddDomain(ctx, "example.test"); err != nil {
				t.Fatal(err)
			}
		}
		o.domains.Store(0) // the question of AddDomain
		addAccount(t, here, "alice@example.test", "secret")
		for range 50 {
			_, err := here.Resolve(ctx, addr(t, "user@junk.test"))
			wantErr(t, "the same domain", err, ErrNotHosted)
		}
		if n := o.domains.Load(); n != 1 {
			t.Errorf("%d questions about one domain, want 1", n)
		}
		c.advance(2 * here.cfg.CacheTTL)
		_, err := here.Resolve(ctx, addr(t, "user@junk.test"))
		wantErr(t, "the same domain after a while", err, ErrNotHosted)
		if n := o.domains.Load(); n != 2 {
			t.Errorf("%d questions about one domain after a while, want 2", n)
		}

		const many = 1000
		start := time.Now()
		refused := make(chan error, many)
		for i := range many {
			go func() {
				_, err := here.Resolve(ctx, mail.Address{Local: "user", Domain: fmt.Sprintf("junk%d.test", i)})
				refused <- err
			}()
		}
		synctest.Wait()
		// Meanwhile those who belong here do not notice.
		if _, err := here.Resolve(ctx, addr(t, "alice@example.test")); err != nil {
			t.Errorf("mail in the flood: %v", err)
		}
		_, err = here.Resolve(ctx, addr(t, "nobody@example.test"))
		wantErr(t, "unknown in the flood", err, ErrNoSuchRecipient)
		if _, err := here.Authenticate(ctx, "alice@example.test", "secret"); err != nil {
			t.Errorf("login in the flood: %v", err)
		}
		if took := time.Since(start); took != 0 {
			t.Errorf("they waited %v", took)
		}
		busy := 0
		for range many {
			switch err := <-refused; {
			case errors.Is(err, ErrBusyElsewhere) && errors.Is(err, store.ErrUnavailable):
				busy++
			case !errors.Is(err, ErrNotHosted):
				t.Errorf("a stranger: %v", err)
			}
		}
		took := time.Since(start)
		// Of the other questions two were asked before, and one was for the rules of example.test.
		if asked, most := int(o.domains.Load())-3, limit+int(took.Seconds()*limit); asked > most || asked+busy != many || took > 2*elsewhereWait {
			t.Errorf("%d questions, %d too many, in %v: want %d questions at most", asked, busy, took, most)
		}
	})
}
