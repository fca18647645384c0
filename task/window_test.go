package task_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"popelago/mail"
	"popelago/mailtest"
	"popelago/store"
	"popelago/store/storetest"
	"popelago/task"
)

// A message inside the in-flight window stays, however short the retention is.
func TestExpireLeavesTheYoung(t *testing.T) {
	st := openStore(t)
	a := newAccount(t, newDirectory(t, st), "alice")
	aged(t, st, a.Mailbox, 30*time.Minute)
	aged(t, st, a.Mailbox, 2*time.Hour)
	retain(t, st, "alice", time.Minute)
	run(t, task.Expire(task.ExpireConfig{Window: time.Hour}, store.Single(st)))
	if n := count(t, st, a.Mailbox); n != 1 {
		t.Errorf("%d messages are left, want the message of half an hour ago", n)
	}
}

// ended is the level All after another datacenter removed an account.
type ended struct{ store.Directory }

func (e ended) AddressRows(ctx context.Context, a mail.Address) ([]store.Address, error) {
	rows, err := e.Directory.AddressRows(ctx, a)
	for i := range rows {
		rows[i].Removed = mail.MinMessageID(time.Now())
	}
	return rows, err
}

// The mail of an account removed in another datacenter belongs to the purge job, with its own rules.
func TestExpireLeavesEndedAccounts(t *testing.T) {
	st := openStore(t)
	a := newAccount(t, newDirectory(t, st), "alice")
	aged(t, st, a.Mailbox, 2*day)
	retain(t, st, "alice", day)
	report := run(t, task.Expire(task.ExpireConfig{Window: time.Hour}, atAll(st, st, ended{st})))
	if len(report) > 0 || count(t, st, a.Mailbox) != 1 {
		t.Errorf("%v, %d messages left", report, count(t, st, a.Mailbox))
	}
}

// asking records the moments passed to SweepOrphans.
type asking struct {
	store.Background
	olderThan, begun time.Time
}

func (a *asking) SweepOrphans(_ context.Context, olderThan, begun time.Time) (store.OrphanReport, error) {
	a.olderThan, a.begun = olderThan, begun
	return store.OrphanReport{}, nil
}

// The search for orphans leaves contents younger than the grace period.
func TestOrphansLeaveTheYoung(t *testing.T) {
	now := time.Now()
	st := &asking{Background: openStore(t)}
	job := task.Orphans(task.SweepConfig{Orphans: day, Grace: time.Hour, Undelete: 90 * day, Now: func() time.Time { return now }}, st)
	for _, asked := range []bool{false, true} {
		if _, err := job.Run(t.Context(), asked); err != nil {
			t.Fatal(err)
		}
		begun := now.Add(-day)
		if asked {
			begun = now
		}
		if !st.olderThan.Equal(now.Add(-time.Hour)) || !st.begun.Equal(begun) {
			t.Errorf("asked %v: contents older than %v are searched, unless a search began less than %v ago", asked, now.Sub(st.olderThan), now.Sub(st.begun))
		}
	}
}

// Late mail inside the in-flight window stays, though its time may be shorter.
func TestPurgeLeavesYoungLateMail(t *testing.T) {
	st := openStore(t)
	dir := newDirectory(t, st)
	alice := newAccount(t, dir, "alice")
	removeAccount(t, dir, alice)
	now := time.Now().Add(3 * time.Hour)
	job := task.Purge(task.PurgeConfig{Late: time.Minute, Window: time.Hour, Now: func() time.Time { return now }}, dir, store.Single(st), nil)
	add(t, st, mail.NewIDSource(func() time.Time { return now.Add(-30 * time.Minute) }), alice.Mailbox)
	run(t, job)
	if n := count(t, st, alice.Mailbox); n != 1 {
		t.Errorf("%d messages are left, want the message of half an hour ago", n)
	}
}

// dated is a directory with a chosen moment of removal for all removed domains.
type dated struct {
	store.Directory
	since time.Time
}

func (d dated) RemovedDomains(ctx context.Context) ([]store.RemovedDomain, error) {
	list, err := d.Directory.RemovedDomains(ctx)
	for i := range list {
		list[i].Since = d.since
	}
	return list, err
}

// Late mail long after the end of its account goes when its own time is over, earlier than the next
// visit of all removed accounts; also in a removed domain, and despite a failed run meanwhile.
func TestPurgeKnowsWhatIsLate(t *testing.T) {
	for _, removed := range []bool{false, true} {
		engine := openStore(t)
		st := &broken{Mail: engine}
		dir := newDirectory(t, dated{engine, time.Now()})
		alice := newAccount(t, dir, "alice")
		removeAccount(t, dir, alice)
		if removed {
			if err := dir.RemoveDomain(t.Context(), "example.test"); err != nil {
				t.Fatal(err)
			}
		}
		now := time.Now().Add(1000 * time.Hour)
		job := task.Purge(task.PurgeConfig{Late: 2 * time.Hour, Now: func() time.Time { return now }}, dir, storetest.WithMail(store.Single(engine), st), nil)
		add(t, engine, mail.NewIDSource(func() time.Time { return now.Add(-time.Minute) }), alice.Mailbox)
		if report := run(t, job); !slices.Equal(report, task.Report{{Name: "late", N: 1}}) {
			t.Errorf("removed %v: report %v", removed, report)
		}
		now = now.Add(time.Hour)
		st.mailbox = alice.Mailbox
		if _, err := job.Run(t.Context(), false); !errors.Is(err, store.ErrCorrupt) {
			t.Errorf("removed %v: an unreadable mailbox: %v", removed, err)
		}
		st.mailbox = mail.MailboxID{}
		now = now.Add(2 * time.Hour)
		run(t, job)
		if n := count(t, engine, alice.Mailbox); n != 0 {
			t.Errorf("removed %v: %d messages are left when their time is over", removed, n)
		}
	}
}

// Once a day the job visits domains removed long ago, too.
func TestPurgeComesBackToRemovedDomains(t *testing.T) {
	st := openStore(t)
	dir := newDirectory(t, dated{st, time.Now()})
	alice := newAccount(t, dir, "alice")
	removeAccount(t, dir, alice)
	if err := dir.RemoveDomain(t.Context(), "example.test"); err != nil {
		t.Fatal(err)
	}
	now := time.Now().Add(1000 * time.Hour)
	job := task.Purge(task.PurgeConfig{Late: time.Hour, Now: func() time.Time { return now }}, dir, store.Single(st), nil)
	run(t, job)
	add(t, st, mail.NewIDSource(func() time.Time { return now.Add(-2 * time.Hour) }), alice.Mailbox)
	now = now.Add(25 * time.Hour)
	run(t, job)
	if n := count(t, st, alice.Mailbox); n != 0 {
		t.Errorf("%d messages are left", n)
	}
}

// Late mail falls at first to the datacenter that accepted the mail, and further late mail is
// reported again, even if it is older than the reported mail.
func TestLateMailIsReportedWhereItCame(t *testing.T) {
	st := openStore(t)
	dir := newDirectory(t, st)
	alice := newAccount(t, dir, "alice")
	removeAccount(t, dir, alice)
	ids := mail.NewIDSource(nil)
	older, newer := ids.Next(), ids.Next()
	var log mailtest.Log
	now := time.Now().Add(time.Second)
	look := func(want int) {
		t.Helper()
		for _, origin := range []string{"dc2", "dc1"} {
			run(t, task.Purge(task.PurgeConfig{
				Late: 7 * day, Now: func() time.Time { return now }, Logger: slog.New(slog.NewTextHandler(&log, nil)).With("from", origin),
			}, dir, storetest.WithMail(store.Single(st), &placed{st, origin}), nil))
		}
		if here, there := strings.Count(log.String(), "from=dc1"), strings.Count(log.String(), "from=dc2"); here != want || there != 0 {
			t.Errorf("reported %d times by dc1 and %d times by dc2, want %d and 0", here, there, want)
		}
	}
	for i, id := range []mail.MessageID{newer, older} {
		m := mail.Message{ID: id, Size: 1, Origin: "dc1", Recipient: "alice@example.test"}
		if err := st.AddMessages(t.Context(), []store.Entry{{Mailbox: alice.Mailbox, Message: m}})[0]; err != nil {
			t.Fatal(err)
		}
		look(i + 1)
	}
}

// sticky does not remove messages.
type sticky struct{ store.Mail }

func (sticky) RemoveMessages(context.Context, mail.MailboxID, []mail.MessageID) error {
	return fmt.Errorf("some replicas: %w", store.ErrUnavailable)
}

// A message handed over again, because its removal failed, is not copied again.
func TestLateMailIsCopiedOnce(t *testing.T) {
	r := newLateRig(t)
	s := task.LateSelection{Address: r.alice.Address, Message: r.late[0].ID}
	for range 2 {
		l := task.NewLate(r.dir, storetest.WithMail(store.Single(r.st), sticky{r.st}), nil, nil)
		if _, err := l.HandOver(t.Context(), s, r.bob.Address); !errors.Is(err, store.ErrUnavailable) {
			t.Fatal(err)
		}
	}
	if n := count(t, r.st, r.bob.Mailbox); n != 2 {
		t.Errorf("bob has %d rows, want his own message and one copy", n)
	}
}

// A slow copy, slower than the delay of background work, is removed again.
func TestLateMailCopiedTooSlowly(t *testing.T) {
	r := newLateRig(t)
	l := task.NewLate(r.dir, store.Single(r.st), r.ids, func() time.Time { return time.Now().Add(6 * time.Minute) })
	s := task.LateSelection{Address: r.alice.Address, Message: r.late[0].ID}
	if _, err := l.HandOver(t.Context(), s, r.bob.Address); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("handed over: %v", err)
	}
	if n, left := count(t, r.st, r.bob.Mailbox), count(t, r.st, r.alice.Mailbox); n != 1 || left != 3 {
		t.Errorf("bob has %d messages, want 1; %d are left, want 3", n, left)
	}
}

// wrongClock is the mail of a server whose clock is not trusted.
type wrongClock struct{ store.Mail }

func (wrongClock) Clock() error { return store.ErrClock }

// Drop refuses while the clock cannot be trusted.
func TestLateMailWaitsForTheClock(t *testing.T) {
	r := newLateRig(t)
	st := storetest.WithMail(store.Single(r.st), wrongClock{r.st})
	if _, err := task.NewLate(r.dir, st, nil, nil).Drop(t.Context(), task.LateSelection{Address: r.alice.Address}); !errors.Is(err, store.ErrClock) {
		t.Errorf("dropped: %v", err)
	}
	if n := count(t, r.st, r.alice.Mailbox); n != 3 {
		t.Errorf("%d messages are left, want 3", n)
	}
}

// The moment of judgement is the moment of the youngest data, in any order.
func TestCheckJudgesFromTheYoungest(t *testing.T) {
	r := newCheckRig(t)
	r.put(r.a)
	youngest := r.ids.Next()
	r.list(r.a, entry(youngest, r.a))
	r.reopen()
	r.cfg.Window = 3 * time.Hour
	if report, want := r.check("too young", plain), youngest.Time().Add(r.cfg.Window); !report.JudgedFrom.Equal(want) {
		t.Errorf("judged from %v, want %v", report.JudgedFrom, want)
	}
}

// blind lists no contents the first time.
type blind struct {
	store.Upkeep
	seen *bool
}

func (b blind) ContentRows(ctx context.Context, ids []mail.MessageID) (map[mail.MessageID]store.ContentRow, error) {
	if len(ids) > 0 && !*b.seen {
		*b.seen = true
		return nil, nil
	}
	return b.Upkeep.ContentRows(ctx, ids)
}

// A repair removes a dangling entry only if the content is still missing at the removal.
func TestCheckLooksAgain(t *testing.T) {
	r := newCheckRig(t)
	id := r.deliver(r.a)
	var seen bool
	r.wrap = func(st store.Store) store.Store {
		st.Upkeep.All = blind{r.st, &seen}
		return st
	}
	r.check("a repair", repair)
	r.wantRows("after the repair", r.a, id)
}
