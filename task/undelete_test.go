package task_test

import (
	"context"
	"errors"
	"io"
	"iter"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"popelago/account"
	"popelago/mail"
	"popelago/maildrop"
	"popelago/store"
	"popelago/store/storetest"
	"popelago/task"
)

// undeleteRig is a lateRig whose bob removes messages.
type undeleteRig struct{ *lateRig }

func newUndeleteRig(t *testing.T) *undeleteRig {
	r := &lateRig{T: t, st: openStore(t), ids: mail.NewIDSource(nil)}
	r.dir = newDirectory(t, r.st)
	r.bob = newAccount(t, r.dir, "bob")
	return &undeleteRig{r}
}

func (r *undeleteRig) on(st store.Store) *task.Undelete {
	return task.NewUndelete(task.UndeleteConfig{IDs: r.ids}, r.dir, st)
}

// quit removes the messages of bob that remove selects, as a POP3 session does.
func (r *undeleteRig) quit(remove func(mail.UIDL) bool) {
	r.Helper()
	drop, err := maildrop.Open(r.Context(), store.Single(r.st).Mail, r.bob.Mailbox, maildrop.Options{})
	if err != nil {
		r.Fatal(err)
	}
	for n := 1; n <= drop.Len(); n++ {
		e, err := drop.Entry(n)
		if err == nil && remove(e.UIDL) {
			err = drop.Mark(n)
		}
		if err != nil {
			r.Fatal(err)
		}
	}
	if _, err := drop.Commit(r.Context()); err != nil {
		r.Fatal(err)
	}
}

func every(mail.UIDL) bool { return true }

// maildrop looks up the maildrop of bob.
func (r *undeleteRig) maildrop() account.Maildrop {
	r.Helper()
	acc, err := r.dir.Maildrop(r.Context(), r.bob.Address)
	if err != nil {
		r.Fatal(err)
	}
	return acc
}

// restore restores messages of bob; without unique-ids all.
func (r *undeleteRig) restore(u *task.Undelete, ids ...mail.UIDL) task.RestoreReport {
	r.Helper()
	report, err := u.RestoreIn(r.Context(), r.maildrop(), task.RestoreSelection{UniqueIDs: ids}, time.Now().Add(time.Hour))
	if err != nil {
		r.Fatal(err)
	}
	return report
}

// removed lists the unique-ids of bob's removed messages.
func (r *undeleteRig) removed(u *task.Undelete) (ids []mail.UIDL) {
	r.Helper()
	list, err := u.List(r.Context(), r.bob.Address, time.Time{}, "", 100)
	if err != nil {
		r.Fatal(err)
	}
	for _, m := range list.Messages {
		ids = append(ids, m.Message.UniqueID())
	}
	return ids
}

// Messages removed by QUIT come back octet for octet, under their unique-ids and in their order, once
// however often they are restored.
func TestRestore(t *testing.T) {
	r := newUndeleteRig(t)
	u := r.on(store.Single(r.st))
	first, own, last := r.put(r.bob, ""), r.put(r.bob, "own-id"), r.put(r.bob, "")
	before := r.octets(r.bob.Mailbox)
	if ids := r.removed(u); len(ids) != 0 {
		t.Errorf("at first: %v", ids)
	}
	r.quit(every)
	list, err := u.List(t.Context(), r.bob.Address, time.Time{}, "", 2)
	if err != nil || list.Next == "" || list.Partial || len(list.Messages) != 2 {
		t.Errorf("two at most: %+v, %v", list, err)
	}
	if ids := r.removed(u); len(ids) != 3 {
		t.Errorf("removed: %v", ids)
	}
	if report := r.restore(u, "own-id", "nowhere"); report.Messages != 1 || report.Octets != own.Size || !slices.Equal(report.Missing, []mail.UIDL{"nowhere"}) {
		t.Errorf("one: %+v", report)
	}
	if ids := r.removed(u); slices.Contains(ids, "own-id") || len(ids) != 2 {
		t.Errorf("removed, after one was restored: %v", ids)
	}
	if report := r.restore(u); report.Messages != 2 || report.More || report.Gone+report.Waiting != 0 {
		t.Errorf("all: %+v", report)
	}
	if report := r.restore(u); report.Messages != 0 {
		t.Errorf("again: %+v", report)
	}
	if report := r.restore(u, first.UniqueID()); report.Messages != 0 || len(report.There) != 1 || len(report.Missing) != 0 {
		t.Errorf("one again: %+v", report)
	}
	if after := r.octets(r.bob.Mailbox); !maps.Equal(after, before) {
		t.Errorf("restored:\n%q\nbefore:\n%q", after, before)
	}
	rows, _, err := r.st.ListMessages(t.Context(), r.bob.Mailbox, mail.MessageID{}, 10)
	if err != nil || len(rows) != 3 || rows[1].UniqueID() != first.UniqueID() || rows[2].UniqueID() != last.UniqueID() {
		t.Errorf("the rows, in the order of their restore: %+v, %v", rows, err)
	}
	for _, m := range []mail.Message{first, own, last} {
		if _, err := r.st.Message(t.Context(), r.bob.Mailbox, m.ID); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("the old id %s: %v", m.ID, err)
		}
	}
	// Removed and restored once more.
	r.quit(func(u mail.UIDL) bool { return u == "own-id" })
	if ids := r.removed(u); !slices.Equal(ids, []mail.UIDL{"own-id"}) {
		t.Errorf("removed again: %v", ids)
	}
	if report := r.restore(u); report.Messages != 1 {
		t.Errorf("restored again: %+v", report)
	}
	if after := r.octets(r.bob.Mailbox); !maps.Equal(after, before) {
		t.Errorf("restored again:\n%q\nbefore:\n%q", after, before)
	}
}

// lagging is the mail of a datacenter that rows of others have not reached.
type lagging struct {
	store.Mail
	hidden map[mail.MessageID]bool
}

func (b *lagging) ListMessages(ctx context.Context, mailbox mail.MailboxID, after mail.MessageID, limit int) ([]mail.Message, bool, error) {
	rows, more, err := b.Mail.ListMessages(ctx, mailbox, after, limit)
	return slices.DeleteFunc(rows, func(m mail.Message) bool { return b.hidden[m.ID] }), more, err
}

// A message restored on both sides of a cut is one message once the sides see each other, and one
// removal removes it.
func TestRestoreOnBothSidesOfACut(t *testing.T) {
	r := newUndeleteRig(t)
	m := r.put(r.bob, "")
	r.quit(every)
	if report := r.restore(r.on(store.Single(r.st))); report.Messages != 1 {
		t.Fatalf("%+v", report)
	}
	rows, _, err := r.st.ListMessages(t.Context(), r.bob.Mailbox, mail.MessageID{}, 10)
	if err != nil || len(rows) != 1 {
		t.Fatal(rows, err)
	}
	other := &lagging{r.st, map[mail.MessageID]bool{rows[0].ID: true}}
	if report := r.restore(r.on(storetest.WithMail(store.Single(r.st), other))); report.Messages != 1 {
		t.Fatalf("on the other side: %+v", report)
	}
	if n := count(t, r.st, r.bob.Mailbox); n != 2 {
		t.Fatalf("%d rows, want a copy of each side", n)
	}
	if all := r.octets(r.bob.Mailbox); len(all) != 1 || all[m.UniqueID()] == "" {
		t.Errorf("listed: %q", all)
	}
	u := r.on(store.Single(r.st))
	if report := r.restore(u); report.Messages != 0 {
		t.Errorf("a third restore: %+v", report)
	}
	r.quit(every)
	if n := count(t, r.st, r.bob.Mailbox); n != 0 {
		t.Errorf("%d rows after the removal", n)
	}
	if ids := r.removed(u); !slices.Equal(ids, []mail.UIDL{m.UniqueID()}) {
		t.Errorf("removed: %v", ids)
	}
}

// While the reaper runs a message is restored whole, or not at all.
func TestRestoreWhileReaping(t *testing.T) {
	r := newUndeleteRig(t)
	const n = 60
	for range n {
		r.put(r.bob, "")
	}
	want := r.octets(r.bob.Mailbox)
	r.quit(every)
	old := time.Now().Add(time.Millisecond) // the copies are younger
	for !time.Now().After(old) {
		continue
	}
	u := r.on(store.Single(r.st))
	var wg sync.WaitGroup
	wg.Go(func() {
		if _, err := r.st.Sweep(t.Context(), old); err != nil {
			t.Error(err)
		}
	})
	report := r.restore(u)
	wg.Wait()
	got := r.octets(r.bob.Mailbox)
	if len(got) != report.Messages || report.Messages+report.Gone > n {
		t.Errorf("%d messages are there; %+v", len(got), report)
	}
	for id, text := range got {
		if want[id] != text {
			t.Errorf("message %s: %q, want %q", id, text, want[id])
		}
	}
	if ids := r.removed(u); len(ids) != 0 {
		t.Errorf("removed, after the reaper: %v", ids)
	}
	t.Logf("%d restored, %d gone", report.Messages, report.Gone)
}

// vanishing is a store whose contents vanish while they are read.
type vanishing struct {
	store.Mail
	err error
}

func (v *vanishing) OpenContent(ctx context.Context, id mail.MessageID, origin string) (store.ContentInfo, io.ReadCloser, error) {
	info, r, err := v.Mail.OpenContent(ctx, id, origin)
	if err == nil && v.err != nil {
		r = &halfReader{ReadCloser: r, err: v.err}
	}
	return info, r, err
}

type halfReader struct {
	io.ReadCloser
	read bool
	err  error
}

func (h *halfReader) Read(p []byte) (int, error) {
	if h.read {
		return 0, h.err
	}
	h.read = true
	return h.ReadCloser.Read(p[:1])
}

// A message whose content breaks off is not restored, and the others are.
func TestRestoreOfBrokenContent(t *testing.T) {
	r := newUndeleteRig(t)
	r.put(r.bob, "")
	r.quit(every)
	v := &vanishing{Mail: r.st}
	u := r.on(storetest.WithMail(store.Single(r.st), v))
	for err, want := range map[error]task.RestoreReport{
		store.ErrNotFound: {Gone: 1}, store.ErrCorrupt: {Gone: 1}, store.ErrUnavailable: {Waiting: 1},
	} {
		v.err = err
		if report := r.restore(u); report.Gone != want.Gone || report.Waiting != want.Waiting || report.Messages != 0 {
			t.Errorf("%v: %+v", err, report)
		}
		if n := count(t, r.st, r.bob.Mailbox); n != 0 {
			t.Errorf("%v: %d rows", err, n)
		}
	}
	v.err = nil
	if report := r.restore(u); report.Messages != 1 {
		t.Errorf("%+v", report)
	}
}

// Others keep a content that one of its mailboxes has removed and restored.
func TestRestoreOfSharedContent(t *testing.T) {
	r := newUndeleteRig(t)
	carol := newAccount(t, r.dir, "carol")
	m := mail.Message{ID: r.ids.Next(), Recipient: r.bob.Address.String()}
	m.Size = int64(len(mail.DeliveryHeader(lateSender, m.Recipient)) + 6)
	info := store.ContentInfo{ReversePath: lateSender, Mailboxes: []mail.MailboxID{r.bob.Mailbox, carol.Mailbox}}
	if err := storetest.Put(t.Context(), r.st, m.ID, []byte("text\r\n"), 100, info); err != nil {
		t.Fatal(err)
	}
	for _, a := range []account.Account{r.bob, carol} {
		if err := r.st.AddMessages(t.Context(), []store.Entry{{Mailbox: a.Mailbox, Message: m}})[0]; err != nil {
			t.Fatal(err)
		}
	}
	before := r.octets(r.bob.Mailbox)
	r.quit(every)
	u := r.on(store.Single(r.st))
	if report := r.restore(u); report.Messages != 1 {
		t.Errorf("%+v", report)
	}
	if _, err := r.st.Sweep(t.Context(), time.Now().Add(48*time.Hour)); err != nil {
		t.Fatal(err)
	}
	if after := r.octets(r.bob.Mailbox); !maps.Equal(after, before) {
		t.Errorf("bob has %q", after)
	}
	if after := r.octets(carol.Mailbox); !maps.Equal(after, before) {
		t.Errorf("carol has %q", after)
	}
}

// An account made again does not get the messages of the account before.
func TestRestoreOfAnotherGeneration(t *testing.T) {
	r := newUndeleteRig(t)
	m := r.put(r.bob, "")
	r.quit(every)
	removeAccount(t, r.dir, r.bob)
	u := r.on(store.Single(r.st))
	if _, err := u.List(t.Context(), r.bob.Address, time.Time{}, "", 10); !errors.Is(err, account.ErrNoSuchAccount) {
		t.Errorf("of an ended account: %v", err)
	}
	r.bob = newAccount(t, r.dir, "bob")
	if ids := r.removed(u); len(ids) != 0 {
		t.Errorf("removed: %v", ids)
	}
	if report := r.restore(u, m.UniqueID()); report.Messages != 0 || len(report.Missing) != 1 {
		t.Errorf("%+v", report)
	}
}

// split is a datacenter whose removals are reached, or not.
type split struct {
	store.Mail
	away bool
	// bare: the rows of removed messages are unknown.
	bare bool
}

func (s *split) RemovedMessages(ctx context.Context, mailbox mail.MailboxID, since time.Time) iter.Seq2[store.Removal, error] {
	return func(yield func(store.Removal, error) bool) {
		for r, err := range s.Mail.RemovedMessages(ctx, mailbox, since) {
			if s.away {
				err = store.ErrUnavailable
			}
			if s.bare {
				r.Message = mail.Message{ID: r.Message.ID}
			}
			if !yield(r, err) || err != nil {
				return
			}
		}
	}
}

// During a cut the local datacenter restores what it has, and the report says that it may not have all.
func TestRestoreDuringACut(t *testing.T) {
	r := newUndeleteRig(t)
	r.put(r.bob, "")
	r.quit(every)
	st := store.Single(r.st)
	each, local := &split{Mail: r.st, away: true}, &split{Mail: r.st, away: true}
	st.Mail.Each, st.Mail.Local, st.Mail.Several = each, local, true
	u := r.on(st)
	if _, err := u.List(t.Context(), r.bob.Address, time.Time{}, "", 10); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("nothing answers: %v", err)
	}
	local.away = false
	list, err := u.List(t.Context(), r.bob.Address, time.Time{}, "", 10)
	if err != nil || !list.Partial || len(list.Messages) != 1 {
		t.Errorf("the local datacenter answers: %+v, %v", list, err)
	}
	if report := r.restore(u); report.Messages != 1 || !report.Partial {
		t.Errorf("%+v", report)
	}
	each.away = false
	if report := r.restore(u); report.Messages != 0 || report.Partial {
		t.Errorf("all answer: %+v", report)
	}
}

// A removal of an older version of the program, which kept no row, is undone from the content.
func TestRestoreWithoutARow(t *testing.T) {
	r := newUndeleteRig(t)
	r.put(r.bob, "")
	before := r.octets(r.bob.Mailbox)
	r.quit(every)
	u := r.on(storetest.WithMail(store.Single(r.st), &split{Mail: r.st, bare: true}))
	if report := r.restore(u); report.Messages != 1 {
		t.Errorf("%+v", report)
	}
	if after := r.octets(r.bob.Mailbox); !maps.Equal(after, before) {
		t.Errorf("restored:\n%q\nbefore:\n%q", after, before)
	}
}

// A restore that runs out of time goes on with the next call, and of two at once one has to wait.
func TestRestoreInParts(t *testing.T) {
	r := newUndeleteRig(t)
	for range 3 {
		r.put(r.bob, "")
	}
	r.quit(every)
	now := time.Now()
	u := task.NewUndelete(task.UndeleteConfig{IDs: r.ids, Now: func() time.Time { now = now.Add(time.Second); return now }}, r.dir, store.Single(r.st))
	total := 0
	for more := true; more; {
		report, err := u.RestoreIn(t.Context(), r.maildrop(), task.RestoreSelection{}, now.Add(4*time.Second))
		if err != nil {
			t.Fatal(err)
		}
		total += report.Messages
		if more = report.More; more && report.Messages == 0 {
			t.Fatal("a part restores nothing")
		}
	}
	if total != 3 || count(t, r.st, r.bob.Mailbox) != 3 {
		t.Errorf("%d messages restored", total)
	}
	r.quit(every)
	n := &nested{Mail: r.st}
	u = r.on(storetest.WithMail(store.Single(r.st), n))
	n.within = func() {
		if _, err := u.RestoreIn(t.Context(), r.maildrop(), task.RestoreSelection{}, time.Now()); !errors.Is(err, task.ErrRestoring) {
			t.Errorf("a second restore: %v, want %v", err, task.ErrRestoring)
		}
	}
	if report := r.restore(u); report.Messages != 3 {
		t.Errorf("%+v", report)
	}
}

// A restore in parts leaves out what the user has removed since its begin: a mail program that empties the maildrop
// meanwhile gets each message once.
func TestRestoreInPartsLeavesOutLaterRemovals(t *testing.T) {
	r := newUndeleteRig(t)
	for range 3 {
		r.put(r.bob, "")
	}
	r.quit(every)
	var ahead time.Duration
	u := task.NewUndelete(task.UndeleteConfig{IDs: r.ids, Now: func() time.Time { return time.Now().Add(ahead) }}, r.dir, store.Single(r.st))
	got := map[mail.UIDL]int{}
	s := task.RestoreSelection{Restored: func(m mail.Message) {
		got[m.UniqueID()]++
		ahead = time.Hour // the time of the part is over
	}}
	for parts := 1; ; parts++ {
		ahead = 0
		report, err := u.RestoreIn(t.Context(), r.maildrop(), s, time.Now().Add(time.Minute))
		if err != nil {
			t.Fatal(err)
		}
		if !report.More {
			break
		}
		if parts > 3 {
			t.Fatalf("no end after %d parts", parts)
		}
		r.put(r.bob, "") // arrives and is removed after the begin
		r.quit(every)
		s.Began = report.Began
	}
	if len(got) != 3 {
		t.Errorf("%d messages restored, want 3", len(got))
	}
	for id, n := range got {
		if n != 1 {
			t.Errorf("%s restored %d times", id, n)
		}
	}
}

// nested calls a function within each list.
type nested struct {
	store.Mail
	within func()
}

func (n *nested) ListMessages(ctx context.Context, mailbox mail.MailboxID, after mail.MessageID, limit int) ([]mail.Message, bool, error) {
	n.within()
	return n.Mail.ListMessages(ctx, mailbox, after, limit)
}

// The pages of the removed messages hold each message once, whatever is removed and restored in between, and
// however few messages a page has.
func TestRemovedByPages(t *testing.T) {
	r := newUndeleteRig(t)
	u := r.on(store.Single(r.st))
	var want []mail.UIDL
	for range 23 {
		want = append(want, r.put(r.bob, "").UniqueID())
	}
	r.quit(every)
	slices.Sort(want)
	for limit := range 9 {
		limit++
		var got []mail.UIDL
		after, pages := mail.UIDL(""), 0
		for {
			pages++
			list, err := u.List(t.Context(), r.bob.Address, time.Time{}, after, limit)
			if err != nil || len(list.Messages) > limit {
				t.Fatalf("limit %d: %+v, %v", limit, list, err)
			}
			for i, m := range list.Messages {
				got = append(got, m.Message.UniqueID())
				if i > 0 && m.At.After(list.Messages[i-1].At) {
					t.Errorf("limit %d: a later removal stands behind an earlier removal", limit)
				}
			}
			if list.Next == "" {
				break
			}
			if list.Next <= after {
				t.Fatalf("limit %d: after %s comes %s", limit, after, list.Next)
			}
			after = list.Next
		}
		if slices.Sort(got); !slices.Equal(got, want) || pages != (len(want)+limit-1)/limit {
			t.Errorf("limit %d: %d messages in %d pages: %v, want %v", limit, len(got), pages, got, want)
		}
	}
	// A page ends behind restored messages, too.
	first, err := u.List(t.Context(), r.bob.Address, time.Time{}, "", 5)
	if err != nil {
		t.Fatal(err)
	}
	r.restore(u, first.Messages[0].Message.UniqueID(), want[20])
	var rest []mail.UIDL
	for after := first.Next; ; {
		list, err := u.List(t.Context(), r.bob.Address, time.Time{}, after, 5)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range list.Messages {
			rest = append(rest, m.Message.UniqueID())
		}
		if after = list.Next; after == "" {
			break
		}
	}
	if slices.Sort(rest); !slices.Equal(rest, append(slices.Clone(want[5:20]), want[21:]...)) {
		t.Errorf("after a restore the other pages hold %v", rest)
	}
}

// remote is a datacenter without the content of some messages, during a cut: a read waits until its limit.
type remote struct {
	store.Mail
	lacks map[mail.MessageID]bool
	pass  func(time.Duration)
}

func (s *remote) OpenContent(ctx context.Context, id mail.MessageID, origin string) (store.ContentInfo, io.ReadCloser, error) {
	if !s.lacks[id] {
		return s.Mail.OpenContent(ctx, id, origin)
	}
	wait := 8 * time.Second
	if end, ok := ctx.Deadline(); ok {
		wait = min(wait, time.Until(end))
	}
	s.pass(wait)
	return store.ContentInfo{}, nil, store.ErrUnavailable
}

// Messages whose content is beyond a cut come first, and each would take all the time. The others are restored, within
// few calls, and the report counts both.
func TestRestorePassesOverUnreadable(t *testing.T) {
	r := newUndeleteRig(t)
	now := time.Now()
	cut := &remote{Mail: r.st, lacks: map[mail.MessageID]bool{}, pass: func(d time.Duration) { now = now.Add(d) }}
	const lacking, readable = 40, 3
	for range lacking {
		cut.lacks[r.put(r.bob, "").ID] = true
	}
	for range readable {
		r.put(r.bob, "")
	}
	r.quit(every)
	u := task.NewUndelete(
		task.UndeleteConfig{IDs: r.ids, Now: func() time.Time { return now }}, r.dir, storetest.WithMail(store.Single(r.st), cut),
	)
	restored := 0
	for range 4 {
		report, err := u.RestoreIn(t.Context(), r.maildrop(), task.RestoreSelection{}, now.Add(20*time.Second))
		if err != nil {
			t.Fatal(err)
		}
		if restored += report.Messages; report.Waiting == 0 || !report.More {
			t.Errorf("%+v", report)
		}
	}
	if restored != readable {
		t.Errorf("%d messages restored, want %d", restored, readable)
	}
}
