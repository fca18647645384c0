package cassandra_test

import (
	"slices"
	"testing"
	"time"

	"popelago/mail"
	"popelago/store"
	"popelago/store/cassandra"
	"popelago/task"
)

// bulkAccount holds an account with a bulk mailbox, and a second account with the same messages.
type bulkAccount struct {
	*cassandra.Store
	cfg         cassandra.Config
	since       time.Time
	alice, bob  mail.Address
	days, early []mail.MessageID // of the last days, the newest last; from before the mailbox became bulk
}

const bulkDays = 5

// openBulk delivers a message on each of some days, and one before the mailbox became bulk.
func openBulk(t *testing.T) *bulkAccount {
	t.Helper()
	cfg := config(t)
	b := &bulkAccount{Store: open(t, cfg), cfg: cfg, since: time.Now().Add(-bulkDays * 24 * time.Hour).Truncate(time.Microsecond)}
	to := accounts(t, b.Store, "alice", "bob")
	b.alice, b.bob = to[0], to[1]
	if err := b.ChangeAddress(t.Context(), b.alice, mail.MessageID{}, store.AddressChange{Bulk: &b.since}); err != nil {
		t.Fatal(err)
	}
	b.early = []mail.MessageID{b.deliver(t, bulkDays*24*time.Hour+time.Hour)}
	for day := bulkDays - 1; day >= 0; day-- {
		b.days = append(b.days, b.deliver(t, time.Duration(day)*24*time.Hour))
	}
	return b
}

// deliver stores a message of an age for both accounts.
func (b *bulkAccount) deliver(t *testing.T, age time.Duration) mail.MessageID {
	t.Helper()
	id := at(time.Now().Add(-age)).ID
	put(t, b, id, 10, mailbox("alice"), mailbox("bob"))
	addBulk(t, b, mailbox("alice"), b.since, entry(id, 10, b.alice))
	add(t, b, mailbox("bob"), entry(id, 10, b.bob))
	return id
}

// The index is lost: rebuilding puts each message into its former segment, and makes the mailbox bulk
// again, at once. Removed messages stay removed.
func TestBulkRebuild(t *testing.T) {
	b := openBulk(t)
	wantCheck(t, "before", b, task.CheckOptions{Repair: true, Deep: true})
	remove(t, b, b.alice, b.days[1], b.days[3])
	sweep(t, b)
	remove(t, b, b.alice, b.days[2]) // still in the trash
	kept := []mail.MessageID{b.early[0], b.days[0], b.days[4]}
	wantList(t, "before", b, b.alice, kept...)

	other := reopen(t, b.cfg)
	loseIndex(t, b.cfg)
	for _, s := range []*cassandra.Store{b.Store, other} {
		wantList(t, "a lost index", s, b.alice)
	}
	if report := wantCheck(t, "rebuilding", b, task.CheckOptions{Address: b.alice, Rebuild: true}, "unlisted 3/3"); report.Removed != 3 {
		t.Errorf("%d were kept away, want 3", report.Removed)
	}
	for _, s := range []*cassandra.Store{b.Store, other, reopen(t, b.cfg)} {
		wantList(t, "after rebuilding", s, b.alice, kept...)
	}
	for _, id := range kept {
		want := dayOf(id.Time())
		if id == b.early[0] {
			want = 0
		}
		if got := segmentsOf(t, b.cfg, mailbox("alice"), mail.Message{ID: id}); !slices.Equal(got, []int{want}) {
			t.Errorf("message %s is in segments %v, want %d", id, got, want)
		}
	}
	wantCheck(t, "rebuilding the other", b, task.CheckOptions{Address: b.bob, Rebuild: true}, "unlisted 6/6")
	remove(t, other, b.alice, kept[1])
	for _, s := range []*cassandra.Store{b.Store, other, reopen(t, b.cfg)} {
		wantList(t, "after a removal", s, b.alice, kept[0], kept[2])
	}
	wantCheck(t, "afterwards", b, task.CheckOptions{Deep: true})
}

// A tombstone alone keeps a message removed, in the segment of the day where the message was removed.
func TestBulkRebuildReadsBack(t *testing.T) {
	b := openBulk(t)
	wantList(t, "before", b, b.alice, append(slices.Clone(b.early), b.days...)...)
	remove(t, b, b.alice, b.early[0], b.days[0], b.days[4]) // each in the segment of its entry only
	for _, table := range []string{"trash", "content"} {
		if err := session(t, b.cfg).Query("TRUNCATE " + b.cfg.Keyspace + "." + table).Exec(); err != nil {
			t.Fatal(err)
		}
	}
	for _, id := range append(slices.Clone(b.early), b.days...) {
		put(t, b, id, 10, mailbox("alice"), mailbox("bob"))
	}
	if report := wantCheck(t, "rebuilding", b, task.CheckOptions{Address: b.alice, Rebuild: true}); report.Removed != 3 {
		t.Errorf("%d were kept away, want 3", report.Removed)
	}
	wantList(t, "afterwards", b, b.alice, b.days[1:4]...)
}

// Messages past their retention go, in whatever segment, whether the server with the job has listed
// the mailbox before or not.
func TestBulkExpire(t *testing.T) {
	for _, listed := range []bool{false, true} {
		b := openBulk(t)
		all := append(slices.Clone(b.early), b.days...)
		if listed {
			wantList(t, "before", b, b.alice, all...)
		}
		if err := b.ChangeAddress(t.Context(), b.alice, mail.MessageID{}, store.AddressChange{Retention: new(mail.Retention(60 * time.Hour))}); err != nil {
			t.Fatal(err)
		}
		report, err := task.Expire(task.ExpireConfig{Window: time.Second}, store.New(b.Levels())).Run(t.Context(), false)
		if err != nil {
			t.Fatal(err)
		}
		if want := (task.Report{{Name: "mailboxes", N: 1}, {Name: "messages", N: 3}}); !slices.Equal(report, want) {
			t.Errorf("report %v, want %v", report, want)
		}
		// The removed messages stay removed, and the second account keeps its messages.
		for _, id := range all[:3] {
			addBulk(t, b, mailbox("alice"), b.since, entry(id, 10, b.alice))
		}
		wantList(t, "past retention", b, b.alice, b.days[2:]...)
		wantList(t, "the other", b, b.bob, all...)
	}
}

// Content goes with the last entry of its message in any day, and content with an entry is no orphan.
func TestBulkContent(t *testing.T) {
	b := openBulk(t)
	all := append(slices.Clone(b.early), b.days...)
	orphan := at(time.Now().Add(-50 * time.Hour)).ID
	put(t, b, orphan, 10, mailbox("alice"))
	remove(t, b, b.bob, all...) // only the bulk mailbox keeps entries
	sweep(t, b)
	if report, err := b.SweepOrphans(t.Context(), time.Now(), time.Now()); err != nil || report.Contents != 1 {
		t.Errorf("orphans: %+v, %v; want 1", report, err)
	}
	gone := func(want bool, ids ...mail.MessageID) {
		t.Helper()
		for _, id := range ids {
			if err := retrieve(t, b.Store, id, 10); (err != nil) != want {
				t.Errorf("content of %s: %v; gone: %v", id, err, want)
			}
		}
	}
	gone(true, orphan)
	gone(false, all...)
	remove(t, reopen(t, b.cfg), b.alice, all[0], all[2], all[5])
	report, err := b.Sweep(t.Context(), time.Now())
	if err != nil || report.Contents != 3 {
		t.Errorf("sweep: %+v, %v; want 3", report, err)
	}
	gone(true, all[0], all[2], all[5])
	gone(false, all[1], all[3], all[4])
	wantList(t, "afterwards", b, b.alice, all[1], all[3], all[4])
	wantCheck(t, "afterwards", b, task.CheckOptions{Deep: true})
}
