package task_test

import (
	"slices"
	"testing"
	"time"

	"popelago/mail"
	"popelago/quota"
	"popelago/store"
	"popelago/task"
)

// The usage job measures the live accounts of domains with a quota, and stores the sum for all servers.
func TestUsage(t *testing.T) {
	st := openStore(t)
	dir := newDirectory(t, st)
	k, err := quota.New(quota.Config{}, dir, store.Single(st), nil)
	if err != nil {
		t.Fatal(err)
	}
	alice, bob, gone := newAccount(t, dir, "alice"), newAccount(t, dir, "bob"), newAccount(t, dir, "gone")
	for _, age := range []time.Duration{0, 2 * day, 20 * day} {
		aged(t, st, alice.Mailbox, age)
		aged(t, st, bob.Mailbox, age)
		aged(t, st, gone.Mailbox, age)
	}
	removeAccount(t, dir, gone)
	retain(t, st, "bob", 10*day)
	job := task.Usage(task.UsageConfig{Every: time.Hour}, dir, k, store.Single(st))
	if report := run(t, job); len(report) > 0 {
		t.Errorf("without a quota: %v", report)
	}
	c, err := dir.DomainChange(map[string]string{"domain_quota_messages": "100"})
	if err == nil {
		_, err = dir.ChangeDomain(t.Context(), "example.test", c)
	}
	if err != nil {
		t.Fatal(err)
	}
	if report, want := run(t, job), (task.Report{{Name: "domains", N: 1}, {Name: "mailboxes", N: 2}}); !slices.Equal(report, want) {
		t.Errorf("report %v, want %v", report, want)
	}
	var sum quota.Usage
	for mailbox, retention := range map[mail.MailboxID]mail.Retention{alice.Mailbox: 0, bob.Mailbox: mail.Retention(10 * day)} {
		u, err := quota.Measure(t.Context(), st, mailbox, retention, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		sum.Octets += u.Octets
		sum.Messages += u.Messages
	}
	total, known, err := k.Domain(t.Context(), "example.test")
	if err != nil || !known || total.Messages != 5 || total.Usage != sum {
		t.Errorf("%+v, %v, %v; want %+v", total, known, err, sum)
	}
	if report, want := run(t, job), (task.Report{{Name: "elsewhere", N: 1}}); !slices.Equal(report, want) {
		t.Errorf("measured a moment ago: %v, want %v", report, want)
	}
	report, err := job.Run(t.Context(), true)
	if want := (task.Report{{Name: "domains", N: 1}, {Name: "mailboxes", N: 2}}); err != nil || !slices.Equal(report, want) {
		t.Errorf("asked for: %v, %v", report, err)
	}
}
