package task_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"popelago/account"
	"popelago/mail"
	"popelago/quota"
	"popelago/store"
	"popelago/store/storetest"
	"popelago/task"
)

// tornList is a directory that lacks a part: the domain hidden cannot be listed, and the addresses of the domain lost cannot be read.
type tornList struct {
	store.Directory
	hidden, lost string
}

func (d tornList) ListDomains(ctx context.Context) (readable []store.Domain, err error) {
	all, err := d.Directory.ListDomains(ctx)
	for _, domain := range all {
		if domain.Name == d.hidden {
			err = store.ErrUnavailable
		} else {
			readable = append(readable, domain)
		}
	}
	return readable, err
}

func (d tornList) ListAddresses(ctx context.Context, domain, after string, limit int) ([]store.Address, bool, error) {
	if domain == d.lost {
		return nil, false, store.ErrUnavailable
	}
	return d.Directory.ListAddresses(ctx, domain, after, limit)
}

// Jobs work on the domains behind those that cannot be read, count the rest as blocked, and fail.
func TestJobsReadWhatTheyCan(t *testing.T) {
	for _, d := range []tornList{{hidden: "a.test"}, {lost: "a.test"}} {
		st := openStore(t)
		d.Directory = st
		sound, dir := newDirectory(t, st), newDirectory(t, d)
		if _, err := sound.AddDomain(t.Context(), "a.test"); err != nil {
			t.Fatal(err)
		}
		unread, err := sound.AddAccount(t.Context(), mail.Address{Local: "alice", Domain: "a.test"}, "password")
		if err != nil {
			t.Fatal(err)
		}
		old, gone := newAccount(t, sound, "old"), newAccount(t, sound, "gone")
		for _, a := range []account.Account{unread, old, gone} {
			aged(t, st, a.Mailbox, 20*day)
		}
		removeAccount(t, sound, gone)
		for _, name := range []string{"a.test", "example.test"} {
			c, err := sound.DomainChange(map[string]string{"domain_quota_messages": "100"})
			if err == nil {
				_, err = sound.ChangeDomain(t.Context(), name, c)
			}
			if err == nil {
				err = st.ChangeDomain(t.Context(), name, store.DomainChange{Retention: new(mail.Retention(10 * day))})
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		k, err := quota.New(quota.Config{}, dir, store.Single(st), nil)
		if err != nil {
			t.Fatal(err)
		}
		levels := storetest.WithDirectory(store.Single(st), d)
		for _, job := range []task.Job{
			task.Usage(task.UsageConfig{Every: time.Hour}, dir, k, levels),
			task.Expire(task.ExpireConfig{}, levels),
			task.Purge(task.PurgeConfig{}, dir, levels, nil),
		} {
			report, err := job.Run(t.Context(), true)
			var blocked int64
			for _, c := range report {
				if c.Name == "blocked" {
					blocked = c.N
				}
			}
			if blocked != 1 || !errors.Is(err, store.ErrUnavailable) {
				t.Errorf("%+v, %s: %v, %v", d, job.Name, report, err)
			}
		}
		if _, known, err := k.Domain(t.Context(), "example.test"); err != nil || !known {
			t.Errorf("the use of the readable domain is not known: %v", err)
		}
		if _, known, err := k.Domain(t.Context(), "a.test"); err != nil || known {
			t.Errorf("the use of the unread domain is known: %v", err)
		}
		for a, want := range map[mail.MailboxID]int{unread.Mailbox: 1, old.Mailbox: 0, gone.Mailbox: 0} {
			if n := count(t, st, a); n != want {
				t.Errorf("%+v: %d messages, want %d", d, n, want)
			}
		}
	}
}

// spotty is a directory of which many parts cannot be read: the addresses of domains with a name like lost1.test, and
// accounts with a name like lost1, one by one.
type spotty struct{ store.Directory }

func (d spotty) ListAddresses(ctx context.Context, domain, after string, limit int) ([]store.Address, bool, error) {
	if strings.HasPrefix(domain, "lost") {
		return nil, false, store.ErrUnavailable
	}
	return d.Directory.ListAddresses(ctx, domain, after, limit)
}

func (d spotty) AddressRows(ctx context.Context, a mail.Address) ([]store.Address, error) {
	if strings.HasPrefix(a.Local, "lost") {
		return nil, store.ErrUnavailable
	}
	return d.Directory.AddressRows(ctx, a)
}

// On a large cluster a node that is down concerns many domains and mailboxes. Jobs go on behind all of them.
func TestJobsGoOnBehindManyFailures(t *testing.T) {
	st := openStore(t)
	sound := newDirectory(t, st)
	add := func(local, domain string, remove bool) mail.MailboxID {
		t.Helper()
		a := mail.Address{Local: local, Domain: domain}
		_, err := sound.AddAccount(t.Context(), a, "password")
		if errors.Is(err, account.ErrNoSuchDomain) {
			if _, err = sound.AddDomain(t.Context(), domain); err == nil {
				err = st.ChangeDomain(t.Context(), domain, store.DomainChange{Retention: new(mail.Retention(10 * day))})
			}
			if err == nil {
				_, err = sound.AddAccount(t.Context(), a, "password")
			}
		}
		if err != nil {
			t.Fatal(err)
		}
		box, err := sound.Account(t.Context(), a)
		if err != nil {
			t.Fatal(err)
		}
		aged(t, st, box.Mailbox, 20*day)
		if remove {
			removeAccount(t, sound, box)
		}
		return box.Mailbox
	}
	want := []mail.MailboxID{add("alice", "a.test", false), add("bob", "a.test", true)}
	for i := range 110 {
		add(fmt.Sprint("lost", i), "a.test", false)
		add(fmt.Sprint("lost-and-removed", i), "a.test", true)
		if _, err := sound.AddDomain(t.Context(), fmt.Sprintf("lost%d.test", i)); err != nil {
			t.Fatal(err)
		}
	}
	want = append(want, add("zoe", "a.test", false), add("zacharias", "a.test", true), add("alice", "z.test", false), add("bob", "z.test", true))
	d := spotty{st}
	levels := storetest.WithDirectory(store.Single(st), d)
	for _, job := range []task.Job{task.Expire(task.ExpireConfig{}, levels), task.Purge(task.PurgeConfig{}, newDirectory(t, d), levels, nil)} {
		if _, err := job.Run(t.Context(), true); !errors.Is(err, store.ErrUnavailable) {
			t.Errorf("%s: %v", job.Name, err)
		}
	}
	for i, box := range want {
		if n := count(t, st, box); n != 0 {
			t.Errorf("maildrop %d has %d messages left", i, n)
		}
	}
}

// noteless is a directory that lacks the partition of the least retention.
type noteless struct{ store.Directory }

func (noteless) Progress(context.Context, string) (string, error) { return "", store.ErrUnavailable }

// Mail also expires while the least retention of all accounts, one partition, can be neither read nor noted.
func TestExpireWithoutNote(t *testing.T) {
	st := openStore(t)
	old := newAccount(t, newDirectory(t, st), "old")
	retainDomain(t, st, 10*day)
	aged(t, st, old.Mailbox, 20*day)
	d := noteless{st}
	job := task.Expire(task.ExpireConfig{Directory: newDirectory(t, d)}, storetest.WithDirectory(store.Single(st), d))
	if _, err := job.Run(t.Context(), true); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("the missing note: %v", err)
	}
	if n := count(t, st, old.Mailbox); n != 0 {
		t.Errorf("%d old messages are left", n)
	}
}

// silent is a directory that cannot be read at all.
type silent struct{ store.Directory }

func (silent) ListDomains(context.Context) ([]store.Domain, error) { return nil, store.ErrUnavailable }

func (silent) RemovedDomains(context.Context) ([]store.RemovedDomain, error) {
	return nil, store.ErrUnavailable
}

// While the whole store is down, jobs fail, and skip no part: one cause has one line in the log.
func TestJobsOfAStoreThatIsDown(t *testing.T) {
	st := openStore(t)
	d := silent{st}
	dir, levels := newDirectory(t, d), storetest.WithDirectory(store.Single(st), d)
	for _, job := range []task.Job{
		task.Expire(task.ExpireConfig{}, levels),
		task.Purge(task.PurgeConfig{}, dir, levels, nil),
	} {
		report, err := job.Run(t.Context(), true)
		for _, c := range report {
			if c.Name == "blocked" && c.N != 0 {
				t.Errorf("%s: %v", job.Name, report)
			}
		}
		if !errors.Is(err, store.ErrUnavailable) {
			t.Errorf("%s: %v", job.Name, err)
		}
	}
}

// Jobs go on behind a part of a domain that cannot be read, such as a shard without a quorum, and count the part as blocked.
func TestJobsGoOnBehindPartsOfADomain(t *testing.T) {
	st := openStore(t)
	sound := newDirectory(t, st)
	left := map[mail.MailboxID]int{}
	for local, want := range map[string]int{"alice": 0, "bob": 0, "lost": 1, "lost-and-removed": 1, "yves": 0, "zoe": 0} {
		a := newAccount(t, sound, local)
		aged(t, st, a.Mailbox, 20*day)
		if local == "bob" || local == "lost-and-removed" || local == "zoe" {
			removeAccount(t, sound, a)
		}
		left[a.Mailbox] = want
	}
	retainDomain(t, st, 10*day)
	d := storetest.Holed{Directory: st, Parts: [][2]string{{"lost", "lost-zz"}}}
	levels := storetest.WithDirectory(store.Single(st), d)
	for _, job := range []task.Job{task.Expire(task.ExpireConfig{}, levels), task.Purge(task.PurgeConfig{}, newDirectory(t, d), levels, nil)} {
		report, err := job.Run(t.Context(), true)
		if !errors.Is(err, store.ErrUnavailable) || !slices.ContainsFunc(report, func(c task.Count) bool { return c.Name == "blocked" && c.N == 1 }) {
			t.Errorf("%s: %v, %v", job.Name, report, err)
		}
	}
	for box, want := range left {
		if n := count(t, st, box); n != want {
			t.Errorf("maildrop %s has %d messages, want %d", box, n, want)
		}
	}
}
