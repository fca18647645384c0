package task_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"popelago/account"
	"popelago/mail"
	"popelago/store"
	"popelago/store/storetest"
	"popelago/task"
)

// listed returns the ids of a mailbox, in order.
func listed(t *testing.T, st store.Mail, mailbox mail.MailboxID) (ids []mail.MessageID) {
	t.Helper()
	rows, _, err := st.ListMessages(t.Context(), mailbox, mail.MessageID{}, 1000)
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range rows {
		ids = append(ids, row.ID)
	}
	return ids
}

// note notes that messages were retrieved an age ago.
func note(t *testing.T, st store.Mail, mailbox mail.MailboxID, age time.Duration, ids ...mail.MessageID) {
	t.Helper()
	if err := st.NoteRetrieved(t.Context(), mailbox, ids, time.Now().Add(-age), 365*day); err != nil {
		t.Fatal(err)
	}
}

// notes counts the notes of a mailbox.
func notes(t *testing.T, st store.Mail, mailbox mail.MailboxID) (n int) {
	t.Helper()
	for _, err := range st.RetrievedMessages(t.Context(), mailbox, mail.MessageID{}, mail.MinMessageID(time.Now().Add(day))) {
		if err != nil {
			t.Fatal(err)
		}
		n++
	}
	return n
}

// policy is a change of settings of a domain.
func policy(t *testing.T, st store.Directory, settings map[string]string) {
	t.Helper()
	if err := st.ChangeDomain(t.Context(), "example.test", store.DomainChange{Settings: settings}); err != nil {
		t.Fatal(err)
	}
}

// Only messages whose retrieval is noted, and long ago, are removed.
func TestExpireRetrieved(t *testing.T) {
	st := openStore(t)
	dir := newDirectory(t, st)
	mb := newAccount(t, dir, "alice").Mailbox
	for _, age := range []time.Duration{400 * day, 30 * day, 20 * day, 20 * day, 16 * day, 5 * day, 0} {
		aged(t, st, mb, age)
	}
	ids := listed(t, st, mb)
	note(t, st, mb, 15*day, ids[1])
	note(t, st, mb, 13*day, ids[2])
	note(t, st, mb, 15*day, ids[3])
	note(t, st, mb, time.Minute, ids[4])
	note(t, st, mb, 100*day, ids[5]) // counts as retrieved when the message arrived
	job := task.Expire(task.ExpireConfig{Window: time.Hour}, store.Single(st))
	if report := run(t, job); len(report) > 0 || len(listed(t, st, mb)) != 7 {
		t.Errorf("without a policy: %v", report)
	}
	policy(t, st, map[string]string{account.SettingAfterRetrieval: "14d"})
	if want, report := (task.Report{{Name: "mailboxes", N: 1}, {Name: "messages", N: 2}}), run(t, job); !slices.Equal(report, want) {
		t.Errorf("report %v, want %v", report, want)
	}
	want := []mail.MessageID{ids[0], ids[2], ids[4], ids[5], ids[6]}
	if got := listed(t, st, mb); !slices.Equal(got, want) {
		t.Errorf("left: %v, want %v", got, want)
	}
	if n := notes(t, st, mb); n != 3 {
		t.Errorf("%d notes are left, want 3", n)
	}
	if report := run(t, job); len(report) > 0 {
		t.Errorf("a second run: %v", report)
	}

	// A shorter retention counts at once, a retention by age beside counts, too, and a message that nobody has
	// retrieved stays for the retention by age.
	policy(t, st, map[string]string{account.SettingAfterRetrieval: "4d"})
	retainDomain(t, st, 300*day)
	run(t, job)
	if got := listed(t, st, mb); !slices.Equal(got, []mail.MessageID{ids[4], ids[6]}) {
		t.Errorf("left: %v", got)
	}
	// Removed messages can be restored.
	removed := 0
	for _, err := range st.RemovedMessages(t.Context(), mb, time.Now().Add(-day)) {
		if err != nil {
			t.Fatal(err)
		}
		removed++
	}
	if removed != 5 {
		t.Errorf("%d messages can be restored, want 5", removed)
	}
}

// The account's own setting counts before the domain's, the least retention of the domain keeps messages, and
// no retention is shorter than the in-flight window.
func TestExpireRetrievedSettings(t *testing.T) {
	st := openStore(t)
	dir := newDirectory(t, st)
	newAccount(t, dir, "first") // and the domain
	policy(t, st, map[string]string{account.SettingAfterRetrieval: "14d"})
	left := func(local string, settings map[string]string) int {
		t.Helper()
		a := newAccount(t, dir, local)
		if err := st.ChangeAddress(t.Context(), a.Address, mail.MessageID{}, store.AddressChange{Settings: settings}); err != nil {
			t.Fatal(err)
		}
		for _, age := range []time.Duration{30 * day, 20 * day, 3 * day, 30 * time.Minute} {
			aged(t, st, a.Mailbox, age)
		}
		note(t, st, a.Mailbox, 100*day, listed(t, st, a.Mailbox)...)
		run(t, task.Expire(task.ExpireConfig{Window: time.Hour}, store.Single(st)))
		return len(listed(t, st, a.Mailbox))
	}
	for _, test := range []struct {
		local    string
		settings map[string]string
		domain   map[string]string
		want     int
	}{
		{"asdomain", nil, nil, 2},
		{"off", map[string]string{account.SettingAfterRetrieval: "forever"}, nil, 4},
		{"longer", map[string]string{account.SettingAfterRetrieval: "25d"}, nil, 3},
		{"shorter", map[string]string{account.SettingAfterRetrieval: "1h"}, nil, 1},
		{"unreadable", map[string]string{account.SettingAfterRetrieval: "a while"}, nil, 2},
		{"bounded", map[string]string{account.SettingAfterRetrieval: "1h"}, map[string]string{account.SettingRetentionMin: "25d"}, 3},
	} {
		policy(t, st, test.domain)
		if n := left(test.local, test.settings); n != test.want {
			t.Errorf("%s: %d messages left, want %d", test.local, n, test.want)
		}
	}
}

// A message that was removed otherwise stays removed, and its note goes away.
func TestExpireForgetsRemoved(t *testing.T) {
	st := openStore(t)
	dir := newDirectory(t, st)
	mb := newAccount(t, dir, "alice").Mailbox
	policy(t, st, map[string]string{account.SettingAfterRetrieval: "14d"})
	for _, age := range []time.Duration{60 * day, 30 * day, 29 * day} {
		aged(t, st, mb, age)
	}
	ids := listed(t, st, mb)
	note(t, st, mb, 20*day, ids[1], ids[2])
	if err := st.RemoveMessages(t.Context(), mb, ids[1:2]); err != nil {
		t.Fatal(err)
	}
	run(t, task.Expire(task.ExpireConfig{Window: time.Hour}, store.Single(st)))
	if got := listed(t, st, mb); !slices.Equal(got, ids[:1]) {
		t.Errorf("left: %v", got)
	}
	if n := notes(t, st, mb); n != 0 {
		t.Errorf("%d notes left", n)
	}
}

// A fault keeps mail, and the settings are read from all replicas before a removal.
func TestExpireRetrievedWithFaults(t *testing.T) {
	storetest.EachFault(t, func(t *testing.T, wrap func(store.Store) store.Store) {
		st := openStore(t)
		dir := newDirectory(t, st)
		mb := newAccount(t, dir, "alice").Mailbox
		policy(t, st, map[string]string{account.SettingAfterRetrieval: "14d"})
		for _, age := range []time.Duration{60 * day, 30 * day} {
			aged(t, st, mb, age)
		}
		ids := listed(t, st, mb)
		note(t, st, mb, 20*day, ids[1])
		job := task.Expire(task.ExpireConfig{Window: time.Hour}, wrap(store.Single(st)))
		_, err := job.Run(t.Context(), true)
		got := listed(t, st, mb)
		if len(got) == 0 || got[0] != ids[0] || err == nil && len(got) != 1 {
			t.Errorf("left: %v, %v", got, err)
		}
		run(t, task.Expire(task.ExpireConfig{Window: time.Hour}, store.Single(st)))
		if got := listed(t, st, mb); !slices.Equal(got, ids[:1]) {
			t.Errorf("left after another run: %v", got)
		}
	})
	st := openStore(t)
	dir := newDirectory(t, st)
	mb := newAccount(t, dir, "alice").Mailbox
	policy(t, st, map[string]string{account.SettingAfterRetrieval: "14d"})
	aged(t, st, mb, 30*day)
	note(t, st, mb, 20*day, listed(t, st, mb)...)
	job := task.Expire(task.ExpireConfig{Window: time.Hour}, atAll(st, st, away{st}))
	if _, err := job.Run(t.Context(), true); !errors.Is(err, store.ErrUnavailable) || len(listed(t, st, mb)) != 1 {
		t.Errorf("with a replica away: %v", err)
	}
	off := store.DomainChange{Settings: map[string]string{account.SettingAfterRetrieval: ""}}
	elsewhere := openStore(t)
	newAccount(t, newDirectory(t, elsewhere), "alice")
	if err := elsewhere.ChangeDomain(t.Context(), "example.test", off); err != nil {
		t.Fatal(err)
	}
	job = task.Expire(task.ExpireConfig{Window: time.Hour}, atAll(st, st, elsewhere))
	if report := run(t, job); len(report) > 0 || len(listed(t, st, mb)) != 1 {
		t.Errorf("after another datacenter turned the policy off: %v", report)
	}
}
