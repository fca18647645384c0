package account

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"popelago/mail"
	"popelago/store"
)

// view is the level Each, which knows more than the local datacenter, or cannot be asked.
type view struct {
	store.Directory
	down bool
	// silent: no answer comes. fails, if not nil, is the answer.
	silent bool
	fails  error
	// asked counts the questions about addresses, domains those about domains.
	asked, domains int
}

// twoPlaces returns the levels of a directory in two datacenters.
func twoPlaces(local, each store.Directory) store.Levels[store.Directory] {
	return store.Levels[store.Directory]{Local: local, Each: each, All: local, Several: true}
}

func (v *view) AddressRows(ctx context.Context, a mail.Address) ([]store.Address, error) {
	v.asked++
	if err := v.fault(ctx); err != nil {
		return nil, err
	}
	return v.Directory.AddressRows(ctx, a)
}

func (v *view) Domain(ctx context.Context, name string) (store.Domain, error) {
	v.domains++
	if err := v.fault(ctx); err != nil {
		return store.Domain{}, err
	}
	return v.Directory.Domain(ctx, name)
}

func (v *view) fault(ctx context.Context) error {
	switch {
	case v.silent:
		<-ctx.Done()
		return fmt.Errorf("%w: %w", store.ErrUnavailable, ctx.Err())
	case v.down && v.fails == nil:
		return store.ErrUnavailable
	}
	return v.fails
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

// An address whose account was made and removed in another datacenter gets a mailbox of its own here, although neither
// has arrived: the new owner never meets the mail of the earlier owner.
func TestMakeAfterRemovalElsewhere(t *testing.T) {
	makers := map[string]func(context.Context, *Directory, mail.Address) (mail.MessageID, error){
		"account": func(ctx context.Context, d *Directory, a mail.Address) (mail.MessageID, error) {
			_, err := d.AddAccount(ctx, a, "secret")
			return newest(t, d, a), err
		},
		"alias": func(ctx context.Context, d *Directory, a mail.Address) (mail.MessageID, error) {
			_, err := d.AddAlias(ctx, a, store.KindAlias, []mail.Address{addr(t, "carol@example.test")})
			return newest(t, d, a), err
		},
		"import": func(ctx context.Context, d *Directory, a mail.Address) (mail.MessageID, error) {
			done := d.Import(ctx, []Wanted{{Address: a, Password: "secret"}}, false)
			return newest(t, d, a), done[0].Err
		},
		"rename": func(ctx context.Context, d *Directory, a mail.Address) (mail.MessageID, error) {
			addAccount(t, d, "before@example.test", "secret")
			_, err := d.Rename(ctx, addr(t, "before@example.test"), a)
			return newest(t, d, a), err
		},
	}
	for name, create := range makers {
		t.Run(name, func(t *testing.T) {
			here, _ := withDomain(t)
			elsewhere, _ := withDomain(t)
			ctx := t.Context()
			each := &view{Directory: elsewhere.store.Local}
			d, err := New(here.cfg, twoPlaces(here.store.Local, each), nil)
			if err != nil {
				t.Fatal(err)
			}
			a := addr(t, "alice@example.test")
			addAccount(t, elsewhere, a.String(), "secret")
			addAccount(t, d, "carol@example.test", "secret") // the target of the alias
			if _, err := create(ctx, d, a); !errors.Is(err, ErrExists) && !errors.Is(err, ErrChanged) {
				t.Fatalf("while the other datacenter has an account: %v", err)
			}
			if name == "rename" {
				if err := d.RemoveAccount(ctx, addr(t, "before@example.test")); err != nil {
					t.Fatal(err)
				}
			}
			if err := elsewhere.RemoveAccount(ctx, a); err != nil {
				t.Fatal(err)
			}
			rows, err := elsewhere.store.Local.AddressRows(ctx, a)
			if err != nil || len(rows) != 1 {
				t.Fatalf("%v, %v", rows, err)
			}
			generation, err := create(ctx, d, a)
			if err != nil || generation.Time().Before(rows[0].Removed.Time()) { // a sibling of the removal, or later
				t.Errorf("made with generation %s after the removal %s: %v", generation, rows[0].Removed, err)
			}
		})
	}
}

// TestMakeWithoutAnswer: accounts are made while another datacenter refuses the question or is silent. After a silence the
// directory asks nobody for a while. A busy server refuses, and so does a client that goes away.
func TestMakeWithoutAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		here, _ := withDomain(t)
		each := &view{Directory: here.store.Local}
		var log strings.Builder
		here.cfg.Logger = slog.New(slog.NewTextHandler(&log, nil))
		d, err := New(here.cfg, twoPlaces(here.store.Local, each), nil)
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		add := func(ctx context.Context) error {
			n++
			_, err := d.AddAccount(ctx, addr(t, fmt.Sprintf("user%d@example.test", n)), "secret")
			return err
		}
		each.fails = fmt.Errorf("test: %w", store.ErrOverloaded)
		if err := add(t.Context()); !errors.Is(err, store.ErrOverloaded) {
			t.Errorf("by a busy server: %v", err)
		}
		each.fails = store.ErrCorrupt
		if err := add(t.Context()); !errors.Is(err, store.ErrCorrupt) {
			t.Errorf("with damaged rows elsewhere: %v", err)
		}
		each.fails, each.down, each.asked = nil, true, 0
		for range 2 {
			if err := add(t.Context()); err != nil {
				t.Errorf("the other datacenter refuses: %v", err)
			}
		}
		if each.asked != 2 {
			t.Errorf("%d questions, want 2", each.asked)
		}
		each.silent = true
		gone, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := add(gone); err == nil {
			t.Error("the client has gone, and the account is made")
		}
		for range 2 {
			if err := add(t.Context()); err != nil {
				t.Errorf("the other datacenter is silent: %v", err)
			}
		}
		if each.asked != 4 {
			t.Errorf("%d questions, want 4: none soon after the silence", each.asked)
		}
		if n := strings.Count(log.String(), "addresses and domains are made although another datacenter"); n != 1 {
			t.Errorf("%d messages in the log, want 1:\n%s", n, log.String())
		}
		for answer, want := range map[string]float64{answerError: 6, answerRest: 1} {
			if n := testutil.ToFloat64(d.metrics.elsewhere.WithLabelValues(askMaking, answer)); n != want {
				t.Errorf("the metric counts %v times the answer %s, want %v", n, answer, want)
			}
		}
	})
}

// besideAnother returns a directory that asks another one elsewhere at the level Each, and the directory here.
func besideAnother(t *testing.T) (d, here, elsewhere *Directory, each *view) {
	t.Helper()
	here, _ = withDomain(t)
	elsewhere, _ = withDomain(t)
	each = &view{Directory: elsewhere.store.Local}
	d, err := New(here.cfg, twoPlaces(here.store.Local, each), nil)
	if err != nil {
		t.Fatal(err)
	}
	return d, here, elsewhere, each
}

// A domain that another datacenter hosts exists, although it has not arrived here. A domain that no datacenter hosts is
// added, also while another datacenter does not answer.
func TestAddDomainElsewhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, here, elsewhere, each := besideAnother(t)
		ctx := t.Context()
		add := func(name string) error {
			_, err := d.AddDomain(ctx, name)
			return err
		}
		if _, err := elsewhere.AddDomain(ctx, "new.test"); err != nil {
			t.Fatal(err)
		}
		wantErr(t, "hosted elsewhere", add("NEW.test"), ErrExists)
		if _, err := here.Domain(ctx, "new.test"); !errors.Is(err, ErrNoSuchDomain) {
			t.Errorf("the refused domain: %v", err)
		}
		wantErr(t, "hosted nowhere", add("nowhere.test"), nil)
		wantErr(t, "removed elsewhere", elsewhere.RemoveDomain(ctx, "new.test"), nil)
		wantErr(t, "hosted elsewhere before", add("new.test"), nil)

		each.fails = fmt.Errorf("test: %w", store.ErrOverloaded)
		wantErr(t, "a busy server", add("busy.test"), store.ErrOverloaded)
		each.fails, each.down = nil, true
		wantErr(t, "another datacenter refuses", add("refused.test"), nil)
		each.silent, each.domains = true, 0
		gone, cancel := context.WithCancel(ctx)
		cancel()
		if _, err := d.AddDomain(gone, "gone.test"); err == nil {
			t.Error("the client has gone, and the domain is added")
		}
		wantErr(t, "another datacenter is silent", add("silent.test"), nil)
		wantErr(t, "soon after the silence", add("rest.test"), nil)
		if each.domains != 2 {
			t.Errorf("%d questions, want 2: none soon after the silence", each.domains)
		}
		for answer, want := range map[string]float64{answerFound: 1, answerNone: 2, answerError: 4, answerRest: 1} {
			if n := testutil.ToFloat64(d.metrics.elsewhere.WithLabelValues(askMaking, answer)); n != want {
				t.Errorf("the metric counts %v times the answer %s, want %v", n, answer, want)
			}
		}
	})
}

// newest returns the newest generation of an address.
func newest(t *testing.T, d *Directory, a mail.Address) mail.MessageID {
	t.Helper()
	rows, err := d.store.Local.AddressRows(t.Context(), a)
	if err != nil {
		t.Fatal(err)
	}
	var last mail.MessageID
	for _, r := range rows {
		if r.Generation.Compare(last) > 0 {
			last = r.Generation
		}
	}
	return last
}

// What other datacenters know beyond the rows here counts: generations, and their ends. What is known here alone stays.
func TestJoinRows(t *testing.T) {
	ids := mail.NewIDSource(nil)
	first, second := ids.Next(), ids.Next()
	live := store.Address{Kind: store.KindAccount, Password: "hash"}
	ended, moved := live, live
	ended.Removed = first
	moved.Targets = []mail.Address{addr(t, "bob@example.test")}
	next := store.Address{Generation: second, Kind: store.KindAccount}
	unmade := store.Address{Removed: first} // a row of which only the removal has arrived
	later := ended
	later.Removed = second
	for _, c := range []struct{ here, elsewhere, want []store.Address }{
		{nil, nil, nil},
		{nil, []store.Address{ended, next}, []store.Address{ended, next}},
		{[]store.Address{next}, []store.Address{ended}, []store.Address{ended, next}},
		{[]store.Address{live}, []store.Address{ended}, []store.Address{ended}},
		{[]store.Address{live}, []store.Address{moved}, []store.Address{moved}},
		{[]store.Address{ended}, []store.Address{live}, []store.Address{ended}},
		{[]store.Address{unmade}, []store.Address{ended}, []store.Address{ended}},
		{[]store.Address{unmade}, []store.Address{live}, []store.Address{ended}},
		{[]store.Address{ended}, []store.Address{later}, []store.Address{later}},
		{[]store.Address{later}, []store.Address{ended}, []store.Address{later}},
		{[]store.Address{live}, nil, []store.Address{live}},
	} {
		if got := joinRows(slices.Clone(c.here), c.elsewhere); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%+v and %+v: %+v", c.here, c.elsewhere, got)
		}
	}
}

// An account that was removed in another datacenter cannot be renamed here, although the removal has not arrived.
func TestRenameAfterRemovalElsewhere(t *testing.T) {
	here, _ := withDomain(t)
	elsewhere, _ := withDomain(t)
	ctx := t.Context()
	d, err := New(here.cfg, twoPlaces(here.store.Local, &view{Directory: elsewhere.store.Local}), nil)
	if err != nil {
		t.Fatal(err)
	}
	a := addAccount(t, here, "alice@example.test", "secret").Address
	addAccount(t, elsewhere, a.String(), "secret")
	if err := elsewhere.RemoveAccount(ctx, a); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Rename(ctx, a, addr(t, "bob@example.test")); !errors.Is(err, ErrNoSuchAccount) {
		t.Errorf("a rename after a removal elsewhere: %v", err)
	}
}

func (v *view) ListAddresses(ctx context.Context, domain, after string, limit int) ([]store.Address, bool, error) {
	if v.down {
		return nil, false, store.ErrUnavailable
	}
	return v.Directory.ListAddresses(ctx, domain, after, limit)
}

func (v *view) ListDomains(ctx context.Context) ([]store.Domain, error) {
	if v.down {
		return nil, store.ErrUnavailable
	}
	return v.Directory.ListDomains(ctx)
}

// A domain with an account in another datacenter, or for which a domain stands there, is not removed, and no domain while another datacenter cannot be asked.
func TestRemoveDomainElsewhere(t *testing.T) {
	t.Parallel()
	d, _, elsewhere, each := besideAnother(t)
	ctx := t.Context()
	a := addAccount(t, elsewhere, "alice@example.test", "secret")
	wantErr(t, "an account elsewhere", d.RemoveDomain(ctx, "example.test"), ErrDomainNotEmpty)
	wantErr(t, "remove the account", elsewhere.RemoveAccount(ctx, a.Address), nil)
	if _, err := elsewhere.AddDomain(ctx, "other.test"); err != nil {
		t.Fatal(err)
	}
	standFor := func(name string) {
		if _, err := elsewhere.ChangeDomain(ctx, "other.test", store.DomainChange{Settings: map[string]string{SettingAliasOf: name}}); err != nil {
			t.Fatal(err)
		}
	}
	standFor("example.test")
	wantErr(t, "a domain that stands for the domain elsewhere", d.RemoveDomain(ctx, "example.test"), ErrDomainInUse)
	standFor("")
	each.down = true
	wantErr(t, "cut off", d.RemoveDomain(ctx, "example.test"), store.ErrUnavailable)
	if _, err := d.Domain(ctx, "example.test"); err != nil {
		t.Errorf("the domain that was not removed: %v", err)
	}
	each.down = false
	wantErr(t, "empty everywhere", d.RemoveDomain(ctx, "example.test"), nil)
	wantErr(t, "again", d.RemoveDomain(ctx, "example.test"), ErrNoSuchDomain)
}

// A domain may stand for a domain that only another datacenter hosts yet, and not for a domain that another datacenter has
// removed, or if a domain stands for it elsewhere. While another datacenter cannot be asked, a missing domain is a fault.
func TestStandForDomainElsewhere(t *testing.T) {
	t.Parallel()
	d, here, elsewhere, each := besideAnother(t)
	ctx := t.Context()
	addDomain := func(in *Directory, name string) {
		if _, err := in.AddDomain(ctx, name); err != nil {
			t.Fatal(err)
		}
	}
	standFor := func(in *Directory, domain, name string) error {
		_, err := in.ChangeDomain(ctx, domain, store.DomainChange{Settings: map[string]string{SettingAliasOf: name}})
		return err
	}
	addDomain(elsewhere, "new.test")
	addDomain(here, "removed.test")
	wantErr(t, "a domain that no datacenter hosts", standFor(d, "example.test", "nowhere.test"), ErrNoSuchDomain)
	wantErr(t, "a domain that was removed elsewhere", standFor(d, "example.test", "removed.test"), ErrNoSuchDomain)
	wantErr(t, "a domain that has not arrived", standFor(d, "example.test", "NEW.test"), nil)
	if domain, err := here.Domain(ctx, "example.test"); err != nil || domain.Settings[SettingAliasOf] != "new.test" {
		t.Errorf("the changed domain: %+v, %v", domain, err)
	}
	wantErr(t, "no other domain any more", standFor(d, "example.test", ""), nil)
	addDomain(elsewhere, "other.test")
	wantErr(t, "stand for the domain elsewhere", standFor(elsewhere, "other.test", "example.test"), nil)
	wantErr(t, "a domain that another stands for elsewhere", standFor(d, "example.test", "new.test"), ErrDomainInUse)
	wantErr(t, "for a domain that stands for another elsewhere", standFor(d, "removed.test", "other.test"), ErrBadTarget)

	each.down = true
	wantErr(t, "a missing domain, cut off", standFor(d, "example.test", "new.test"), store.ErrUnavailable)
	wantErr(t, "a domain here, cut off", standFor(d, "example.test", "removed.test"), nil)
}
