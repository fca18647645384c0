package account

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"popelago/mail"
	"popelago/store"
	"popelago/store/storetest"
)

// delivers checks that mail for an address reaches one mailbox.
func delivers(t *testing.T, d *Directory, address string, want mail.MailboxID) {
	t.Helper()
	r, err := d.Resolve(t.Context(), addr(t, address))
	if err != nil || r.Mailbox != want {
		t.Errorf("mail for %s reaches %s, %v; want %s", address, r.Mailbox, err, want)
	}
}

func renamed(t *testing.T, d *Directory, from, to string) Account {
	t.Helper()
	a, err := d.Rename(t.Context(), addr(t, from), addr(t, to))
	if err != nil {
		t.Fatalf("rename %s to %s: %v", from, to, err)
	}
	return a
}

// unowned returns the addresses whose mailboxes the jobs may empty or report.
func unowned(t *testing.T, d *Directory) (list []string) {
	t.Helper()
	err := d.RemovedMailboxes(t.Context(), nil, func(g Generation) error {
		list = append(list, string(g.Status)+" "+g.Row.Address.String())
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func TestRename(t *testing.T) {
	d, _ := withDomain(t)
	ctx := t.Context()
	if _, err := d.AddDomain(ctx, "other.test"); err != nil {
		t.Fatal(err)
	}
	old := addAccount(t, d, "ann@example.test", "secret")
	wantErr(t, "settings", d.SetAccountSettings(ctx, old.Address, map[string]string{"quota": "2GiB", "retention": "90d"}), nil)
	delivers(t, d, "ann@example.test", old.Mailbox) // and is cached
	if _, err := d.Authenticate(ctx, "ann@example.test", "secret"); err != nil {
		t.Fatal(err)
	}
	a := renamed(t, d, "Ann@example.test", "Anna@other.test")
	if a.Mailbox != old.Mailbox || a.Address.String() != "anna@other.test" || a.Settings["quota"] != "2GiB" || a.Retention != mail.Retention(90*24*3600*1e9) || a.PasswordTag != old.PasswordTag || !a.Created.Equal(old.Created) {
		t.Errorf("%+v, before %+v", a, old)
	}
	if read, err := d.Account(ctx, addr(t, "anna@other.test")); err != nil || read.Mailbox != a.Mailbox || read.PasswordTag != a.PasswordTag || read.Settings["quota"] != "2GiB" {
		t.Errorf("read again: %+v, %v", read, err)
	}
	delivers(t, d, "anna@other.test", old.Mailbox)
	delivers(t, d, "ann@example.test", old.Mailbox)
	if l, err := d.Authenticate(ctx, "anna@other.test", "secret"); err != nil || l.Mailbox != old.Mailbox {
		t.Errorf("login with the new address: %+v, %v", l, err)
	}
	_, err := d.Authenticate(ctx, "ann@example.test", "secret")
	wantErr(t, "login with the old address", err, ErrBadCredentials)
	if hasEnded(t, d, old.Mailbox) {
		t.Error("the mailbox counts as ended")
	}
	if list := unowned(t, d); len(list) > 0 {
		t.Errorf("mailboxes without an owner: %q", list)
	}
	// The same rename again changes nothing.
	if again := renamed(t, d, "ann@example.test", "anna@other.test"); again.Mailbox != a.Mailbox {
		t.Errorf("again: %+v", again)
	}
	// The alias goes, and the address gets another owner, whose mailbox is new.
	wantErr(t, "remove alias", d.RemoveAlias(ctx, old.Address, store.KindAlias), nil)
	if next := addAccount(t, d, "ann@example.test", "another"); next.Mailbox == old.Mailbox {
		t.Error("the next owner of the address has the mailbox of the first")
	}
	delivers(t, d, "anna@other.test", old.Mailbox)
	wantErr(t, "remove the next owner", d.RemoveAccount(ctx, old.Address), nil)
	if hasEnded(t, d, old.Mailbox) {
		t.Error("the removal of the next owner has ended the mailbox of the first")
	}
	wantErr(t, "remove", d.RemoveAccount(ctx, a.Address), nil)
	if !hasEnded(t, d, old.Mailbox) {
		t.Error("the mailbox of the removed account does not count as ended")
	}
	if list := unowned(t, d); !slices.Contains(list, "ended anna@other.test") || len(list) != 3 { // with the alias and the next owner
		t.Errorf("mailboxes without an owner: %q", list)
	}
}

func TestRenameIsRefused(t *testing.T) {
	d, _ := withDomain(t)
	ctx := t.Context()
	bob := addr(t, "bob@example.test")
	addAccount(t, d, "ann@example.test", "secret")
	addAccount(t, d, "bob@example.test", "secret")
	for name, kind := range map[string]store.AddressKind{"sales@example.test": store.KindAlias, "team@example.test": store.KindGroup} {
		if _, err := d.AddAlias(ctx, addr(t, name), kind, []mail.Address{bob}); err != nil {
			t.Fatal(err)
		}
	}
	for _, test := range []struct {
		from, to string
		want     error
		text     string
	}{
		{"ann@example.test", "bob@example.test", ErrExists, "account bob@example.test"},
		{"ann@example.test", "ANN@example.test", ErrExists, "account ann@example.test"},
		{"ann@example.test", "sales@example.test", ErrExists, "alias sales@example.test"},
		{"ann@example.test", "team@example.test", ErrExists, "group team@example.test"},
		{"bob@example.test", "team@example.test", ErrExists, "group team@example.test"},
		{"ann@example.test", "ann@nowhere.test", ErrNoSuchDomain, "nowhere.test"},
		{"nobody@example.test", "zoe@example.test", ErrNoSuchAccount, "nobody@example.test"},
		{"sales@example.test", "zoe@example.test", ErrNoSuchAccount, "sales@example.test is no account but an alias of bob@example.test"},
		{"sales@example.test", "bob@example.test", ErrNoSuchAccount, "no account but an alias"},
	} {
		_, err := d.Rename(ctx, addr(t, test.from), addr(t, test.to))
		wantErr(t, test.from+" to "+test.to, err, test.want)
		if err == nil || !strings.Contains(err.Error(), test.text) {
			t.Errorf("%s to %s: %v, want %q", test.from, test.to, err, test.text)
		}
	}
	delivers(t, d, "sales@example.test", mail.DeriveMailboxID(bob, mail.MessageID{}))
	// The alias of an account may become its address.
	if a := renamed(t, d, "bob@example.test", "sales@example.test"); a.Mailbox != mail.DeriveMailboxID(bob, mail.MessageID{}) {
		t.Errorf("%+v", a)
	}
	delivers(t, d, "bob@example.test", mail.DeriveMailboxID(bob, mail.MessageID{}))
}

// An account that is renamed to and fro, and on, keeps its mailbox, and each address leads to it.
func TestRenameBackAndOn(t *testing.T) {
	d, _ := withDomain(t)
	ctx := t.Context()
	box := addAccount(t, d, "a@example.test", "secret").Mailbox
	at := "a@example.test"
	for i, to := range []string{"b", "a", "b", "a", "c", "b", "a", "d"} {
		to += "@example.test"
		if a := renamed(t, d, at, to); a.Mailbox != box {
			t.Fatalf("%d: %s has the mailbox %s", i, to, a.Mailbox)
		}
		at = to
		truth := newDirectory(t, cheap(newClock()), d.store.Local)
		for _, address := range []string{"a@example.test", "b@example.test", to} {
			delivers(t, truth, address, box)
			delivers(t, d, address, box)
		}
		if l, err := truth.Authenticate(ctx, to, "secret"); err != nil || l.Mailbox != box {
			t.Errorf("%d: login as %s: %v", i, to, err)
		}
		for _, line := range unowned(t, d) {
			if line != "displaced a@example.test" && line != "displaced b@example.test" && line != "displaced c@example.test" { // former aliases
				t.Errorf("%d: %s", i, line)
			}
		}
		if list, _, err := d.Accounts(ctx, "example.test", "", 10); err != nil || len(list) != 1 {
			t.Errorf("%d: accounts %+v, %v", i, list, err)
		}
	}
	wantErr(t, "remove", d.RemoveAccount(ctx, addr(t, at)), nil)
	if !hasEnded(t, d, box) {
		t.Error("the mailbox of the removed account does not count as ended")
	}
	n := 0
	err := d.RemovedMailboxes(ctx, nil, func(g Generation) error {
		if g.Mailbox == box {
			n++
		}
		return nil
	})
	if err != nil || n == 0 {
		t.Errorf("nobody empties the mailbox of the removed account: %d, %v", n, err)
	}
}

// A rename fails at each operation of the storage. Both addresses lead to the mailbox then, no job may empty the
// mailbox, the removal of one of the two accounts leaves it alone, and a repetition completes the rename.
func TestRenameStopsHalfWay(t *testing.T) {
	for _, removed := range []string{"", "ann@example.test", "anna@example.test"} {
		storetest.EachFault(t, func(t *testing.T, wrap func(store.Store) store.Store) {
			ctx := t.Context()
			engine := openStore(t)
			sound := newDirectory(t, cheap(newClock()), engine)
			if _, err := sound.AddDomain(ctx, "example.test"); err != nil {
				t.Fatal(err)
			}
			box := addAccount(t, sound, "ann@example.test", "secret").Mailbox
			d := newDirectory(t, cheap(newClock()), wrap(store.Single(engine)).Directory.Local)
			_, err := d.Rename(ctx, addr(t, "ann@example.test"), addr(t, "anna@example.test"))
			if err != nil && !isFault(err) {
				t.Fatalf("%v is no fault", err)
			}
			truth := newDirectory(t, cheap(newClock()), engine)
			if rows, read := engine.AddressRows(ctx, addr(t, "ann@example.test")); read != nil || err != nil && len(rows) > 1 && !errors.Is(err, ErrHalfWay) && !errors.Is(err, store.ErrOutcomeUnknown) {
				t.Errorf("a rename that has made the alias does not say so: %v, %v", err, read)
			}
			delivers(t, truth, "ann@example.test", box)
			if _, notYet := truth.Account(ctx, addr(t, "anna@example.test")); notYet == nil {
				delivers(t, truth, "anna@example.test", box)
			}
			for _, line := range unowned(t, truth) {
				if line != "displaced ann@example.test" { // the alias that waits
					t.Error(line)
				}
			}
			if removed != "" {
				other := map[string]string{"ann@example.test": "anna@example.test", "anna@example.test": "ann@example.test"}[removed]
				_, there := truth.Account(ctx, addr(t, other))
				if err := truth.RemoveAccount(ctx, addr(t, removed)); errors.Is(err, ErrNoSuchAccount) {
					return
				} else if err != nil {
					t.Fatal(err)
				}
				if there == nil {
					delivers(t, truth, other, box)
					if hasEnded(t, truth, box) {
						t.Error("the removal has ended the mailbox of the other account")
					}
					mustOwn(t, truth, box)
				}
				return
			}
			if _, err := truth.Rename(ctx, addr(t, "ann@example.test"), addr(t, "anna@example.test")); err != nil {
				t.Fatalf("again: %v", err)
			}
			again := newDirectory(t, cheap(newClock()), engine)
			delivers(t, again, "ann@example.test", box)
			delivers(t, again, "anna@example.test", box)
			if _, err := again.Account(ctx, addr(t, "ann@example.test")); !errors.Is(err, ErrNoSuchAccount) {
				t.Errorf("the old address is still an account: %v", err)
			}
			if list, _, err := again.Accounts(ctx, "example.test", "", 10); err != nil || len(list) != 1 {
				t.Errorf("accounts %+v, %v", list, err)
			}
		})
	}
}

// stopping is a store that fails from some change of an address on.
type stopping struct {
	store.Directory
	changes int // that succeed
}

func (s *stopping) ChangeAddress(ctx context.Context, a mail.Address, generation mail.MessageID, c store.AddressChange) error {
	if s.changes--; s.changes < 0 {
		return store.ErrUnavailable
	}
	return s.Directory.ChangeAddress(ctx, a, generation, c)
}

// renameHalf begins a rename that stops when the new address has been made.
func renameHalf(t *testing.T, d *Directory, from, to mail.Address) {
	t.Helper()
	_, err := newDirectory(t, cheap(newClock()), &stopping{d.store.Local, 2}).Rename(t.Context(), from, to)
	wantErr(t, "a rename that stops", err, store.ErrUnavailable)
}

// A rename has made the new address and stops. The changes of the account under the new address survive the repetition.
func TestRenameAgainKeepsChanges(t *testing.T) {
	d, _ := withDomain(t)
	ctx := t.Context()
	ann, anna := addr(t, "ann@example.test"), addr(t, "anna@example.test")
	old := addAccount(t, d, ann.String(), "secret")
	wantErr(t, "settings", d.SetAccountSettings(ctx, ann, map[string]string{"quota": "1GiB", "pop3": "off", "retention": "90d"}), nil)
	renameHalf(t, d, ann, anna)

	wantErr(t, "password", d.SetPassword(ctx, anna, "another"), nil)
	wantErr(t, "state", d.SetState(ctx, anna, store.StateDisabled), nil)
	wantErr(t, "settings", d.SetAccountSettings(ctx, anna, map[string]string{"quota": "2GiB", "pop3": "", "deliver": "off", "retention": "30d"}), nil)
	want, err := d.Account(ctx, anna)
	if err != nil {
		t.Fatal(err)
	}
	if got := renamed(t, d, ann.String(), anna.String()); !reflect.DeepEqual(got, want) {
		t.Errorf("renamed: %+v, want %+v", got, want)
	}
	got, err := newDirectory(t, cheap(newClock()), d.store.Local).Account(ctx, anna)
	if err != nil || !reflect.DeepEqual(got, want) || got.Mailbox != old.Mailbox {
		t.Errorf("after the repetition: %+v, %v; want %+v", got, err, want)
	}
	if a, err := d.Alias(ctx, ann, store.KindAlias); err != nil || len(a.Targets) != 1 || a.Targets[0] != anna {
		t.Errorf("the alias: %+v, %v", a, err)
	}
}

// A rename has made the new address and stops. A change under the old address, of any kind, also counts under the new one, so
// that the repetition brings no earlier password and no earlier state back.
func TestRenameAgainKeepsChangesOfTheOldAddress(t *testing.T) {
	d, _ := withDomain(t)
	ctx := t.Context()
	ann, anna := addr(t, "ann@example.test"), addr(t, "anna@example.test")
	addAccount(t, d, ann.String(), "secret")
	renameHalf(t, d, ann, anna)

	wantErr(t, "settings", d.SetAccountSettings(ctx, ann, map[string]string{"quota": "2GiB", "retention": "30d"}), nil)
	l, err := d.Authenticate(ctx, ann.String(), "secret")
	if err != nil {
		t.Fatal(err)
	}
	wantErr(t, "password", d.ChoosePassword(ctx, l, "chosen"), nil)
	for _, a := range []string{ann.String(), anna.String()} {
		_, err = d.Authenticate(ctx, a, "secret")
		wantErr(t, a+" with the earlier password", err, ErrBadCredentials)
		_, err = d.Authenticate(ctx, a, "chosen")
		wantErr(t, a, err, nil)
	}
	for _, r := range d.Import(ctx, []Wanted{{Address: ann, Settings: map[string]string{"pop3": "off"}}}, false) {
		wantErr(t, "import", r.Err, nil)
	}
	wantErr(t, "password", d.SetPassword(ctx, ann, "another"), nil)
	wantErr(t, "state", d.SetState(ctx, ann, store.StateDisabled), nil)
	want, err := d.Account(ctx, ann)
	if err != nil {
		t.Fatal(err)
	}
	got := renamed(t, d, ann.String(), anna.String())
	if want.Address = anna; !reflect.DeepEqual(got, want) || got.Settings["pop3"] != "off" || got.Settings["quota"] != "2GiB" {
		t.Errorf("renamed: %+v, want %+v", got, want)
	}
}

// A rename has made the new address and stops. An administrator gives the new address another password. Whoever still signs in
// under the old address with the earlier password changes neither account.
func TestEarlierPasswordDuringRename(t *testing.T) {
	d, _ := withDomain(t)
	ctx := t.Context()
	ann, anna := addr(t, "ann@example.test"), addr(t, "anna@example.test")
	addAccount(t, d, ann.String(), "secret")
	renameHalf(t, d, ann, anna)
	wantErr(t, "password", d.SetPassword(ctx, anna, "another"), nil)
	l, err := d.Authenticate(ctx, ann.String(), "secret")
	if err != nil {
		t.Fatal(err)
	}
	wantErr(t, "password by the user", d.ChoosePassword(ctx, l, "stolen"), ErrChanged)
	renamed(t, d, ann.String(), anna.String())
	for _, a := range []string{ann.String(), anna.String()} {
		for _, password := range []string{"secret", "stolen"} {
			_, err = d.Authenticate(ctx, a, password)
			wantErr(t, a+" with "+password, err, ErrBadCredentials)
		}
	}
	_, err = d.Authenticate(ctx, anna.String(), "another")
	wantErr(t, "the password of the administrator", err, nil)
}

// An account whose rename a walk over the accounts misses under both addresses keeps its part in the least retention.
func TestRenameDuringWalk(t *testing.T) {
	d, _ := withDomain(t)
	learn(t, d)
	retain(t, d, "ann@example.test", week)
	walking(t, d, func() { renamed(t, d, "ann@example.test", "anna@example.test") })
	wantLeast(t, "after the walk", d, week)
}

// mustOwn checks that no job takes a mailbox for the mailbox of an ended account.
func mustOwn(t *testing.T, d *Directory, box mail.MailboxID) {
	t.Helper()
	err := d.RemovedMailboxes(t.Context(), nil, func(g Generation) error {
		if g.Mailbox == box {
			t.Errorf("%s %s: the jobs may empty a mailbox that has an owner", g.Status, g.Row.Address)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// site is a datacenter that is cut off, and records its changes of addresses.
type site struct {
	store.Directory
	mu      sync.Mutex
	changes []func(store.Directory) error
}

func (s *site) ChangeAddress(ctx context.Context, a mail.Address, generation mail.MessageID, c store.AddressChange) error {
	s.mu.Lock()
	later := context.WithoutCancel(ctx)
	s.changes = append(s.changes, func(st store.Directory) error { return st.ChangeAddress(later, a, generation, c) })
	s.mu.Unlock()
	return s.Directory.ChangeAddress(ctx, a, generation, c)
}

// Changes on both sides of a cut, and their union in each order of arrival.
func TestRenameOnBothSides(t *testing.T) {
	ann := "ann@example.test"
	for name, test := range map[string]struct {
		one, two func(d *Directory) error
		check    func(t *testing.T, d *Directory, box mail.MailboxID)
	}{
		"the same rename": {
			one: func(d *Directory) error {
				_, err := d.Rename(t.Context(), addr(t, ann), addr(t, "anna@example.test"))
				return err
			},
			two: func(d *Directory) error {
				_, err := d.Rename(t.Context(), addr(t, ann), addr(t, "anna@example.test"))
				return err
			},
			check: func(t *testing.T, d *Directory, box mail.MailboxID) {
				delivers(t, d, ann, box)
				delivers(t, d, "anna@example.test", box)
				if list := unowned(t, d); len(list) > 0 {
					t.Errorf("without owner: %q", list)
				}
			},
		},
		"two names": {
			one: func(d *Directory) error {
				_, err := d.Rename(t.Context(), addr(t, ann), addr(t, "anna@example.test"))
				return err
			},
			two: func(d *Directory) error {
				_, err := d.Rename(t.Context(), addr(t, ann), addr(t, "anne@example.test"))
				return err
			},
			check: func(t *testing.T, d *Directory, box mail.MailboxID) {
				for _, a := range []string{ann, "anna@example.test", "anne@example.test"} {
					delivers(t, d, a, box)
				}
				shared, err := d.SharesMailbox(t.Context(), addr(t, "anna@example.test"), box)
				if err != nil || !shared {
					t.Errorf("shared: %t, %v", shared, err)
				}
				wantErr(t, "remove one", d.RemoveAccount(t.Context(), addr(t, "anna@example.test")), nil)
				delivers(t, d, "anne@example.test", box)
				mustOwn(t, d, box)
				if shared, err := d.SharesMailbox(t.Context(), addr(t, "anne@example.test"), box); err != nil || shared {
					t.Errorf("the last owner: shared %t, %v", shared, err)
				}
			},
		},
		"a rename and a removal": {
			one: func(d *Directory) error {
				_, err := d.Rename(t.Context(), addr(t, ann), addr(t, "anna@example.test"))
				return err
			},
			two: func(d *Directory) error { return d.RemoveAccount(t.Context(), addr(t, ann)) },
			check: func(t *testing.T, d *Directory, box mail.MailboxID) {
				delivers(t, d, ann, box)
				delivers(t, d, "anna@example.test", box)
				mustOwn(t, d, box)
			},
		},
		"a rename and an account with the new address": {
			one: func(d *Directory) error {
				_, err := d.Rename(t.Context(), addr(t, ann), addr(t, "anna@example.test"))
				return err
			},
			two: func(d *Directory) error {
				_, err := d.AddAccount(t.Context(), addr(t, "anna@example.test"), "stranger")
				return err
			},
			check: func(t *testing.T, d *Directory, box mail.MailboxID) {
				delivers(t, d, ann, box)
				delivers(t, d, "anna@example.test", box)
				if l, err := d.Authenticate(t.Context(), "anna@example.test", "stranger"); err == nil {
					t.Errorf("a stranger has the mailbox %s", l.Mailbox)
				}
				if l, err := d.Authenticate(t.Context(), "anna@example.test", "secret"); err != nil || l.Mailbox != box {
					t.Errorf("the owner: %+v, %v", l, err)
				}
			},
		},
	} {
		for _, oneFirst := range []bool{true, false} {
			t.Run(name, func(t *testing.T) {
				var sites [2]*site
				var box mail.MailboxID
				for i, change := range []func(*Directory) error{test.one, test.two} {
					sites[i] = &site{Directory: openStore(t)}
					d := newDirectory(t, cheap(newClock()), sites[i])
					if _, err := d.AddDomain(t.Context(), "example.test"); err != nil {
						t.Fatal(err)
					}
					if i == 1 {
						for _, c := range sites[0].changes[:1] { // the account itself
							if err := c(sites[1].Directory); err != nil {
								t.Fatal(err)
							}
						}
					} else {
						box = addAccount(t, d, ann, "secret").Mailbox
					}
					if err := change(d); err != nil {
						t.Fatal(err)
					}
				}
				first, second := sites[0], sites[1]
				if !oneFirst {
					first, second = second, first
				}
				for _, c := range second.changes {
					if err := c(first.Directory); err != nil {
						t.Fatal(err)
					}
				}
				test.check(t, newDirectory(t, cheap(newClock()), first.Directory), box)
			})
		}
	}
}

// hasEnded reports whether a directory has ended the account of a mailbox, for an address without the mailbox.
func hasEnded(t *testing.T, d *Directory, box mail.MailboxID) bool {
	t.Helper()
	ended, err := d.Ended(t.Context(), addr(t, "nobody@example.test"), box)
	if err != nil {
		t.Fatal(err)
	}
	return ended
}

// meanwhile is a directory that calls between before the first change of an address.
type meanwhile struct {
	store.Directory
	between func()
}

func (s *meanwhile) ChangeAddress(ctx context.Context, a mail.Address, generation mail.MessageID, c store.AddressChange) error {
	if between := s.between; between != nil {
		s.between = nil
		between()
	}
	return s.Directory.ChangeAddress(ctx, a, generation, c)
}

// One server removes an account while another server renames it: the account lives on under the new address, with its
// mailbox, and the first server does not refuse its mail.
func TestRenameDuringTheRemoval(t *testing.T) {
	engine := openStore(t)
	other := newDirectory(t, cheap(newClock()), engine)
	if _, err := other.AddDomain(t.Context(), "example.test"); err != nil {
		t.Fatal(err)
	}
	box := addAccount(t, other, "ann@example.test", "secret").Mailbox
	st := &meanwhile{Directory: engine, between: func() { renamed(t, other, "ann@example.test", "anna@example.test") }}
	d := newDirectory(t, cheap(newClock()), st)
	wantErr(t, "remove", d.RemoveAccount(t.Context(), addr(t, "ann@example.test")), nil)
	delivers(t, d, "anna@example.test", box)
	if ended, err := d.Ended(t.Context(), addr(t, "anna@example.test"), box); err != nil || ended {
		t.Errorf("the account with the new address counts as ended: %v, %v", ended, err)
	}
	wantErr(t, "remove the account", d.RemoveAccount(t.Context(), addr(t, "anna@example.test")), nil)
	if ended, err := d.Ended(t.Context(), addr(t, "anna@example.test"), box); err != nil || !ended {
		t.Errorf("the removed account does not count as ended: %v, %v", ended, err)
	}
}

// A mailbox is not emptied behind the removal of an account that another datacenter has renamed, or as long as the other
// datacenter cannot be asked.
func TestSharedElsewhere(t *testing.T) {
	here, _ := withDomain(t)
	elsewhere, _ := withDomain(t)
	addAccount(t, elsewhere, "ann@example.test", "secret")
	renamed(t, elsewhere, "ann@example.test", "anna@example.test")
	each := &view{Directory: elsewhere.store.Local}
	d := newDirectoryOn(t, here.cfg, twoPlaces(here.store.Local, each))
	box := addAccount(t, here, "ann@example.test", "secret").Mailbox
	wantErr(t, "remove", d.RemoveAccount(t.Context(), addr(t, "ann@example.test")), nil)
	if shared, err := d.SharesMailbox(t.Context(), addr(t, "ann@example.test"), box); err != nil || !shared {
		t.Errorf("shared with the new address: %v, %v", shared, err)
	}
	each.down = true
	_, err := d.SharesMailbox(t.Context(), addr(t, "ann@example.test"), box)
	wantErr(t, "without an answer", err, store.ErrUnavailable)
	each.down, each.silent = false, true
	synctest.Test(t, func(t *testing.T) { // the second removal does not wait for the silent datacenter
		for i, want := range []time.Duration{makingWait, 0} {
			began := time.Now()
			_, err := d.SharesMailbox(t.Context(), addr(t, "ann@example.test"), box)
			wantErr(t, "silent", err, store.ErrUnavailable)
			if took := time.Since(began); took != want {
				t.Errorf("%d: %v, want %v", i, took, want)
			}
		}
	})
}

// A client that gives up behind the first write of a rename does not stop the rename half way.
func TestRenameGivenUp(t *testing.T) {
	engine := openStore(t)
	sound := newDirectory(t, cheap(newClock()), engine)
	if _, err := sound.AddDomain(t.Context(), "example.test"); err != nil {
		t.Fatal(err)
	}
	box := addAccount(t, sound, "ann@example.test", "secret").Mailbox
	ctx, giveUp := context.WithCancel(t.Context())
	st := &after{Directory: engine, changed: giveUp}
	if a, err := newDirectory(t, cheap(newClock()), st).Rename(ctx, addr(t, "ann@example.test"), addr(t, "anna@example.test")); err != nil || a.Mailbox != box {
		t.Errorf("%+v, %v", a, err)
	}
	_, err := sound.Account(t.Context(), addr(t, "ann@example.test"))
	wantErr(t, "the old address", err, ErrNoSuchAccount)
}

// after is a directory that calls changed behind each change of an address.
type after struct {
	store.Directory
	changed func()
}

func (s *after) ChangeAddress(ctx context.Context, a mail.Address, generation mail.MessageID, c store.AddressChange) error {
	defer s.changed()
	return s.Directory.ChangeAddress(ctx, a, generation, c)
}
