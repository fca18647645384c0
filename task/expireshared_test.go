package task_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"popelago/mail"
	"popelago/store"
	"popelago/task"
)

// changing changes addresses of example.test, without the checks of a directory.
func changing(t *testing.T, st store.Directory, local string, generation mail.MessageID, c store.AddressChange) {
	t.Helper()
	if err := st.ChangeAddress(t.Context(), mail.Address{Local: local, Domain: "example.test"}, generation, c); err != nil {
		t.Fatal(err)
	}
}

// Two accounts have one mailbox: after a rename that stopped half way, and after two renames on both sides of a
// cut. Neither retention, of any of the two, removes a message, until one account is left.
func TestExpireLeavesSharedMailboxes(t *testing.T) {
	address := func(local string) mail.Address { return mail.Address{Local: local, Domain: "example.test"} }
	kind, alias, first := store.KindAccount, store.KindAlias, mail.MessageID{}
	for name, c := range map[string]struct {
		accounts [2]string
		rename   func(t *testing.T, st store.Directory)
		end      func(t *testing.T, st store.Directory)
	}{
		"half way": {
			[2]string{"bob", "robert"},
			func(t *testing.T, st store.Directory) {
				changing(t, st, "bob", first.Sibling(1), store.AddressChange{Kind: &alias, AddTargets: []mail.Address{address("robert")}})
				changing(t, st, "robert", first, store.AddressChange{Kind: &kind, Origin: &store.Origin{Address: address("bob")}})
			},
			func(t *testing.T, st store.Directory) { // the rename is repeated
				changing(t, st, "bob", first, store.AddressChange{AddTargets: []mail.Address{address("robert")}})
			},
		},
		"on both sides": {
			[2]string{"rob", "robert"},
			func(t *testing.T, st store.Directory) {
				both := []mail.Address{address("rob"), address("robert")}
				changing(t, st, "bob", first.Sibling(1), store.AddressChange{Kind: &alias, AddTargets: both})
				for _, a := range both {
					changing(t, st, a.Local, first, store.AddressChange{Kind: &kind, Origin: &store.Origin{Address: address("bob")}})
				}
				changing(t, st, "bob", first, store.AddressChange{AddTargets: both})
			},
			func(t *testing.T, st store.Directory) {
				removed := mail.NewIDSource(nil).Next()
				changing(t, st, "rob", first, store.AddressChange{Removed: &removed})
			},
		},
	} {
		for _, short := range c.accounts {
			t.Run(name+", "+short, func(t *testing.T) {
				st := openStore(t)
				bob := newAccount(t, newDirectory(t, st), "bob")
				c.rename(t, st)
				for _, age := range []time.Duration{0, 20 * day, 100 * day} {
					aged(t, st, bob.Mailbox, age)
				}
				for _, local := range c.accounts {
					retain(t, st, local, map[bool]time.Duration{true: 10 * day, false: 365 * day}[local == short])
				}
				job := task.Expire(task.ExpireConfig{Window: time.Hour}, store.Single(st))
				if report := run(t, job); !slices.Equal(report, task.Report{{Name: "shared", N: 1}}) {
					t.Errorf("report %v", report)
				}
				if n := count(t, st, bob.Mailbox); n != 3 {
					t.Fatalf("%d messages are left, want 3", n)
				}
				c.end(t, st)
				run(t, job)
				if n, want := count(t, st, bob.Mailbox), map[bool]int{true: 1, false: 3}[short == "robert"]; n != want {
					t.Errorf("with robert alone %d messages are left, want %d", n, want)
				}
			})
		}
	}
}

// partly is the level All while the replicas of an address are away.
type partly struct {
	store.Directory
	away mail.Address
}

func (p partly) AddressRows(ctx context.Context, a mail.Address) ([]store.Address, error) {
	if a == p.away {
		return nil, store.ErrUnavailable
	}
	return p.Directory.AddressRows(ctx, a)
}

// While a replica of one of the addresses is away nothing expires.
func TestExpireAsksAllReplicasForSharers(t *testing.T) {
	st := openStore(t)
	bob := newAccount(t, newDirectory(t, st), "bob")
	first, kind := mail.MessageID{}, store.KindAccount
	changing(t, st, "robert", first, store.AddressChange{Kind: &kind, Origin: &store.Origin{Address: bob.Address}})
	retain(t, st, "robert", 10*day)
	aged(t, st, bob.Mailbox, 20*day)
	c := atAll(st, st, partly{st, bob.Address})
	if _, err := task.Expire(task.ExpireConfig{Window: time.Hour}, c).Run(t.Context(), false); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("%v, want %v", err, store.ErrUnavailable)
	}
	if n := count(t, st, bob.Mailbox); n != 1 {
		t.Errorf("%d messages are left, want 1", n)
	}
}
