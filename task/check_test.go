package task_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"popelago/account"
	"popelago/mail"
	"popelago/mailtest"
	"popelago/store"
	"popelago/store/embedded"
	"popelago/store/storetest"
	"popelago/task"
)

// checkRig holds a store with two accounts and a clock near now, and runs checks on the store.
type checkRig struct {
	opened time.Time // the first opening of the store
	*testing.T
	st   store.Engine
	fs   *vfs.MemFS
	wrap func(store.Store) store.Store // for checks
	cfg  task.CheckConfig
	ids  *mail.IDSource
	// later is the distance of now from the time of the rig's making.
	later atomic.Int64
	made  time.Time
	a, b  mail.Address
}

func (r *checkRig) now() time.Time { return r.made.Add(time.Duration(r.later.Load())) }

// pass advances the clock.
func (r *checkRig) pass(d time.Duration) {
	r.Helper()
	r.later.Add(int64(d))
	if err := r.st.TrustClock(r.Context()); err != nil {
		r.Fatal(err)
	}
}

func newCheckRig(t *testing.T) *checkRig {
	r := &checkRig{
		T: t, fs: vfs.NewMem(), ids: mail.NewIDSource(nil), made: time.Now().Add(2 * time.Hour),
		wrap: func(st store.Store) store.Store { return st },
		a:    mail.Address{Local: "alice", Domain: "example.test"}, b: mail.Address{Local: "bob", Domain: "example.test"},
	}
	r.cfg = task.CheckConfig{Retries: -1, Rate: 1e6, Now: r.now}
	r.open()
	t.Cleanup(func() { r.st.Close() })
	if err := r.st.PutDomain(t.Context(), store.Domain{Name: "example.test"}); err != nil {
		t.Fatal(err)
	}
	for _, address := range []mail.Address{r.a, r.b} {
		r.change(address, mail.MessageID{}, store.AddressChange{Kind: new(store.KindAccount)})
	}
	return r
}

func (r *checkRig) open() {
	r.Helper()
	// With a clock that stands still, or goes back at a reopening, two removals would have the same
	// time.
	if r.opened.IsZero() {
		r.opened = time.Now()
	}
	clock := func() time.Time { return r.now().Add(time.Since(r.opened)) }
	st, err := embedded.Open(embedded.Config{Dir: "data", FS: r.fs, Now: clock})
	if err != nil {
		r.Fatal(err)
	}
	r.st = st
}

// reopen ensures that content without an entry is on the disk.
func (r *checkRig) reopen() {
	r.Helper()
	if err := r.st.Close(); err != nil {
		r.Fatal(err)
	}
	r.open()
}

func (r *checkRig) change(a mail.Address, generation mail.MessageID, c store.AddressChange) {
	r.Helper()
	if err := r.st.ChangeAddress(r.Context(), a, generation, c); err != nil {
		r.Fatal(err)
	}
}

func box(a mail.Address) mail.MailboxID { return mail.DeriveMailboxID(a, mail.MessageID{}) }

const text = "Subject: x\r\n\r\ntext\r\n"

// put stores content for some addresses.
func (r *checkRig) put(to ...mail.Address) mail.MessageID {
	r.Helper()
	info := store.ContentInfo{ReversePath: "s@example.org"}
	for _, a := range to {
		info.Mailboxes = append(info.Mailboxes, box(a))
	}
	id := r.ids.Next()
	if err := storetest.Put(r.Context(), r.st, id, []byte(text), 100, info); err != nil {
		r.Fatal(err)
	}
	return id
}

// entry returns the row of a message in the mailbox of an address.
func entry(id mail.MessageID, a mail.Address) mail.Message {
	return mail.Message{
		ID: id, Recipient: a.String(), Size: int64(len(text) + len(mail.DeliveryHeader("s@example.org", a.String()))),
	}
}

func (r *checkRig) list(a mail.Address, m mail.Message) {
	r.Helper()
	if err := r.st.AddMessages(r.Context(), []store.Entry{{Mailbox: box(a), Message: m}})[0]; err != nil {
		r.Fatal(err)
	}
}

// deliver stores a message and lists the message for all its recipients.
func (r *checkRig) deliver(to ...mail.Address) mail.MessageID {
	r.Helper()
	id := r.put(to...)
	for _, a := range to {
		r.list(a, entry(id, a))
	}
	return id
}

func (r *checkRig) remove(a mail.Address, ids ...mail.MessageID) {
	r.Helper()
	if err := r.st.RemoveMessages(r.Context(), box(a), ids); err != nil {
		r.Fatal(err)
	}
}

func (r *checkRig) sweep() {
	r.Helper()
	if _, err := r.st.Sweep(r.Context(), r.now().Add(time.Minute)); err != nil {
		r.Fatal(err)
	}
}

// rows returns the rows of an address.
func (r *checkRig) rows(a mail.Address) []mail.Message {
	r.Helper()
	rows, err := storetest.List(r.Context(), r.st, box(a), 1000)
	if err != nil {
		r.Fatal(err)
	}
	return rows
}

func (r *checkRig) wantRows(what string, a mail.Address, want ...mail.MessageID) {
	r.Helper()
	var got []mail.MessageID
	for _, row := range r.rows(a) {
		got = append(got, row.ID)
	}
	if !slices.Equal(got, want) {
		r.Errorf("%s: %s has %v, want %v", what, a, got, want)
	}
}

// checker returns a Checker on the wrapped store.
func (r *checkRig) checker(reg prometheus.Registerer) *task.Checker {
	c := task.NewChecker(r.cfg, r.wrap(store.Single(r.st)), reg)
	r.Cleanup(c.Close)
	return c
}

func wait(t *testing.T, c *task.Checker) task.CheckState {
	t.Helper()
	mailtest.WaitFor(t, 10*time.Minute, func() error {
		if c.State().Result == task.CheckRunning {
			return errors.New("the check runs")
		}
		return nil
	})
	return c.State()
}

// try does a run and returns its state.
func (r *checkRig) try(o task.CheckOptions) (task.CheckState, error) {
	r.Helper()
	c := r.checker(nil)
	if err := c.Start(r.Context(), o); err != nil {
		return task.CheckState{}, err
	}
	s := wait(r.T, c)
	return s, s.Err
}

// check does a run that must succeed, and compares its counts: "dangling 2/1" means two found and one
// repaired, "-1" behind means one held.
func (r *checkRig) check(what string, o task.CheckOptions, want ...string) task.CheckReport {
	r.Helper()
	s, err := r.try(o)
	if err != nil || s.Result != task.CheckDone {
		r.Fatalf("%s: %s, %v", what, s.Result, err)
	}
	if got := counts(s.Report); got != strings.Join(want, " ") {
		r.Errorf("%s: found %q, want %q\n%+v", what, got, strings.Join(want, " "), s.Report.Findings)
	}
	return s.Report
}

func counts(report task.CheckReport) string {
	var words []string
	for _, kind := range task.CheckKinds {
		c := report.Counts[kind]
		if c == (task.CheckCount{}) {
			continue
		}
		word := fmt.Sprintf("%s %d/%d", kind, c.Found, c.Repaired)
		if c.Held > 0 {
			word += fmt.Sprintf("-%d", c.Held)
		}
		words = append(words, word)
	}
	return strings.Join(words, " ")
}

var (
	plain  = task.CheckOptions{}
	repair = task.CheckOptions{Repair: true}
)

func TestCheckFindsNothing(t *testing.T) {
	r := newCheckRig(t)
	r.check("an empty store", repair)
	first, shared := r.deliver(r.a), r.deliver(r.a, r.b)
	for range 2 {
		report := r.check("a store in order", repair)
		if report.Entries != 3 || report.Contents != 2 || report.Young != 0 {
			t.Errorf("looked at %d entries, %d contents, %d young; want 3, 2 and 0", report.Entries, report.Contents, report.Young)
		}
	}
	r.wantRows("after a repair of nothing", r.a, first, shared)
	// A removed message is no finding, before the sweep and after.
	r.remove(r.a, first, shared)
	r.check("after removals", repair)
	for range 3 {
		r.pass(48 * time.Hour)
		r.sweep()
		if report := r.check("after a sweep", repair); report.Contents != 1 {
			t.Errorf("%d contents are left, want 1", report.Contents)
		}
	}
	r.wantRows("after all", r.b, shared)
}

// A check leaves young messages unjudged: they may belong to deliveries in flight.
func TestCheckLeavesYoungOnesAlone(t *testing.T) {
	r := newCheckRig(t)
	r.list(r.a, entry(r.ids.Next(), r.a))
	r.put(r.a)
	r.put(r.b)
	r.reopen()
	r.cfg.Window = 2*time.Hour + time.Minute
	if report := r.check("young ones", repair); report.Young != 3 {
		t.Errorf("%d young ones, want 3", report.Young)
	}
	r.cfg.Window = 0
	r.check("the same, an hour old", plain, "dangling 1/0 orphan 2/0")
}

func TestCheckRemovesDanglingEntries(t *testing.T) {
	r := newCheckRig(t)
	kept, gone := r.deliver(r.a), r.ids.Next()
	r.list(r.a, entry(gone, r.a))
	report := r.check("a look", plain, "dangling 1/0")
	f := report.Findings[0]
	if f.Message != gone || f.Mailbox != box(r.a) || f.Address != "alice@example.test" || report.Problems() != 1 {
		t.Errorf("%+v, problems: %d", f, report.Problems())
	}
	r.wantRows("after a look", r.a, kept, gone)
	if report := r.check("a repair", repair, "dangling 1/1"); report.Problems() != 0 {
		t.Errorf("problems: %d", report.Problems())
	}
	r.wantRows("after the repair", r.a, kept)
	r.check("afterwards", plain)
}

// A message with an entry that does not fit its content is stored anew, under its unique-id.
func TestCheckStoresAnewWhatDoesNotFit(t *testing.T) {
	r := newCheckRig(t)
	wrong, carried, foreign := entry(r.put(r.a), r.a), entry(r.put(r.a), r.a), entry(r.put(r.b), r.a)
	wrong.Size++
	carried.Size -= 7
	carried.UIDL = "carried-along"
	for _, m := range []mail.Message{wrong, carried, foreign} {
		r.list(r.a, m)
	}
	r.list(r.b, entry(foreign.ID, r.b))
	r.check("a look", plain, "mismatch 3/0")
	r.check("a repair", repair, "mismatch 3/3")
	rows := r.rows(r.a)
	if len(rows) != 3 {
		t.Fatalf("%d rows, want 3", len(rows))
	}
	for i, old := range []mail.Message{wrong, carried, foreign} {
		row := rows[i]
		info, data, err := storetest.Read(t.Context(), r.st, row.ID)
		if row.ID == old.ID || row.UIDL != old.UniqueID() || row.Size != entry(row.ID, r.a).Size || row.Recipient != old.Recipient {
			t.Errorf("%+v became %+v", old, row)
		}
		if err != nil || string(data) != text || info.ReversePath != "s@example.org" || !slices.Equal(info.Mailboxes, []mail.MailboxID{box(r.a)}) {
			t.Errorf("its content: %+v, %q, %v", info, data, err)
		}
	}
	r.wantRows("who has it too", r.b, foreign.ID)
	r.pass(2 * time.Hour)
	r.sweep()
	r.check("afterwards", plain)
}

func TestCheckRemovesOrphans(t *testing.T) {
	r := newCheckRig(t)
	kept := r.deliver(r.a)
	lone := r.put(r.a, r.b)
	nobodys := r.put(mail.Address{Local: "who", Domain: "elsewhere.test"})
	r.reopen()
	report := r.check("a look", plain, "orphan 2/0")
	for _, f := range report.Findings {
		want := map[mail.MessageID]string{lone: "not listed for alice@example.test, bob@example.test", nobodys: "keep it no longer"}[f.Message]
		if !strings.Contains(f.Detail, want) || want == "" {
			t.Errorf("%s: %q, want %q", f.Message, f.Detail, want)
		}
	}
	r.check("a repair", repair, "orphan 2/2")
	for _, id := range []mail.MessageID{lone, nobodys} {
		if _, _, err := storetest.Read(t.Context(), r.st, id); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("an orphan after the repair: %v", err)
		}
	}
	r.wantRows("after the repair", r.a, kept)
	r.check("afterwards", plain)
}

// Content listed by only some of its mailboxes is no problem: the sender knows about the missing
// recipients. A check names the content, and only rebuilding lists it.
func TestCheckNamesTheUnlisted(t *testing.T) {
	r := newCheckRig(t)
	id := r.put(r.a, r.b)
	r.list(r.a, entry(id, r.a))
	report := r.check("a repair", repair, "unlisted 1/0")
	if f := report.Findings[0]; f.Message != id || f.Address != "bob@example.test" || report.Problems() != 0 {
		t.Errorf("%+v, problems: %d", f, report.Problems())
	}
	r.wantRows("after a repair", r.b)
	r.check("only of alice", task.CheckOptions{Address: r.a, Repair: true}, "unlisted 1/0")
	rebuild := task.CheckOptions{Address: r.b, Rebuild: true}
	r.check("rebuilding", rebuild, "unlisted 1/1")
	if rows := r.rows(r.b); len(rows) != 1 || rows[0] != entry(id, r.b) {
		t.Errorf("after rebuilding: %+v, want %+v", rows, entry(id, r.b))
	}
	r.check("rebuilding again", rebuild)
	r.check("afterwards", plain)
}

// Rebuilding restores no message that was removed, is past its retention, or belongs to an ended
// account.
func TestRebuildKeepsRemovedOnesAway(t *testing.T) {
	r := newCheckRig(t)
	rebuild := task.CheckOptions{Address: r.b, Rebuild: true}
	removed, unlisted := r.deliver(r.a, r.b), r.put(r.a, r.b)
	r.list(r.a, entry(unlisted, r.a))
	r.remove(r.b, removed)
	for range 3 {
		r.check("a repair", repair, "unlisted 1/0")
		r.wantRows("after a repair", r.b)
		r.pass(48 * time.Hour)
		r.sweep()
	}

	// Past the retention of the domain, and again of the account.
	day := 24 * time.Hour
	if err := r.st.ChangeDomain(t.Context(), "example.test", store.DomainChange{Retention: new(mail.Retention(day))}); err != nil {
		t.Fatal(err)
	}
	if report := r.check("past retention", rebuild); report.Removed != 2 {
		t.Errorf("%d were kept away, want 2", report.Removed)
	}
	r.wantRows("past retention", r.b)
	r.change(r.b, mail.MessageID{}, store.AddressChange{Retention: new(-mail.Retention(time.Hour))}) // permanently
	if report := r.check("kept for ever", rebuild, "unlisted 1/1"); report.Removed != 1 {
		t.Errorf("%d were kept away, want 1", report.Removed)
	}
	r.wantRows("kept for ever", r.b, unlisted)

	// An ended account, made again.
	end := r.ids.Next()
	other := r.put(r.a, r.b)
	r.list(r.a, entry(other, r.a))
	r.change(r.b, mail.MessageID{}, store.AddressChange{Removed: &end})
	if _, err := r.try(rebuild); !errors.Is(err, account.ErrNoSuchAccount) {
		t.Errorf("rebuilding for an ended account: %v", err)
	}
	r.check("with an ended account", repair)
	r.change(r.b, end, store.AddressChange{Kind: new(store.KindAccount)})
	r.check("rebuilding for the next account", rebuild)
	r.wantRows("the ended account", r.b, unlisted)
	if rows, err := storetest.List(t.Context(), r.st, mail.DeriveMailboxID(r.b, end), 10); err != nil || len(rows) != 0 {
		t.Errorf("the next account: %v, %v", rows, err)
	}
	if _, err := r.try(task.CheckOptions{Address: mail.Address{Local: "who", Domain: "example.test"}}); !errors.Is(err, account.ErrNoSuchAccount) {
		t.Errorf("a check of nobody: %v", err)
	}
}

// copying is the mail of a server that copies a message, and meets somebody else before or after a call.
type copying struct {
	store.Mail
	before, after func(call string)
}

func (s copying) OpenContent(ctx context.Context, id mail.MessageID, origin string) (store.ContentInfo, io.ReadCloser, error) {
	s.before("OpenContent")
	return s.Mail.OpenContent(ctx, id, origin)
}

func (s copying) AddMessages(ctx context.Context, entries []store.Entry) []error {
	defer s.after("AddMessages")
	return s.Mail.AddMessages(ctx, entries)
}

func (s copying) Message(ctx context.Context, mailbox mail.MailboxID, id mail.MessageID) (mail.Message, error) {
	defer s.after("Message")
	return s.Mail.Message(ctx, mailbox, id)
}

// A client removes a message while a repair stores it anew: the message does not come back.
func TestCheckStoresNothingRemovedAnew(t *testing.T) {
	for _, at := range []string{"Message", "OpenContent", "AddMessages"} {
		r := newCheckRig(t)
		wrong := entry(r.put(r.a), r.a)
		wrong.Size++
		r.list(r.a, wrong)
		meet := func(call string) {
			if call == at {
				r.remove(r.a, wrong.ID)
			}
		}
		r.wrap = func(st store.Store) store.Store {
			st.Mail.All = copying{r.st, meet, meet}
			return st
		}
		r.check("a repair, removed at "+at, repair)
		r.wantRows("after a removal at "+at, r.a)
	}
}

// doubted is the upkeep of a server that stops trusting its clock.
type doubted struct {
	store.Upkeep
	doubt *atomic.Bool
}

func (u doubted) Clock() error {
	if u.doubt.Load() {
		return store.ErrClock
	}
	return u.Upkeep.Clock()
}

// A client removes a message while a repair stores it anew, and the clock is doubted at that moment: the repair takes its
// copy back all the same.
func TestCheckTakesCopyBackWithoutClock(t *testing.T) {
	r := newCheckRig(t)
	wrong := entry(r.put(r.a), r.a)
	wrong.Size++
	r.list(r.a, wrong)
	doubt := &atomic.Bool{}
	r.wrap = func(st store.Store) store.Store {
		st.Upkeep.All = doubted{st.Upkeep.All, doubt}
		st.Mail.All = copying{r.st, func(string) {}, func(call string) {
			if call == "AddMessages" {
				r.remove(r.a, wrong.ID)
				doubt.Store(true)
			}
		}}
		return st
	}
	if s, err := r.try(repair); !doubt.Load() || s.Result == task.CheckDone {
		t.Errorf("a repair with a doubted clock: %s, %v", s.Result, err)
	}
	r.wantRows("behind the removal", r.a)
}

// Two servers store the same message anew: one copy stays.
func TestCheckStoresAnewOnTwoServers(t *testing.T) {
	for _, at := range []string{"OpenContent", "AddMessages"} {
		r := newCheckRig(t)
		wrong := entry(r.put(r.a), r.a)
		wrong.Size++
		r.list(r.a, wrong)
		met := false
		meet := func(call string) {
			if call == at && !met {
				met = true
				r.wrap = func(st store.Store) store.Store { return st }
				r.check("the other repair", repair, "mismatch 1/1")
			}
		}
		r.wrap = func(st store.Store) store.Store {
			st.Mail.All = copying{r.st, meet, meet}
			return st
		}
		r.check("a repair", repair)
		if rows := r.rows(r.a); len(rows) != 1 || rows[0].UniqueID() != wrong.UniqueID() {
			t.Errorf("the other repair at %s: %v", at, rows)
		}
	}
}

// Many findings hint at a larger damage: a repair then deletes nothing.
func TestCheckBrake(t *testing.T) {
	r := newCheckRig(t)
	r.cfg.BrakeCount = 3
	for range 4 {
		r.put(r.a)
		r.list(r.b, entry(r.ids.Next(), r.b))
	}
	r.reopen()
	r.check("a repair", repair, "dangling 4/0-4 orphan 4/0-4")
	if n := len(r.rows(r.b)); n != 4 {
		t.Errorf("%d entries after a held repair, want 4", n)
	}
	r.check("a forced repair", task.CheckOptions{Repair: true, Force: true}, "dangling 4/4 orphan 4/4")
	r.check("afterwards", plain)

	// The same number among many more, but all of the same mailbox.
	for range 40 {
		r.deliver(r.a)
	}
	for range 4 {
		r.put(r.a)
	}
	r.reopen()
	r.check("a repair of few", repair, "orphan 4/0-4")
	r.cfg.BrakeCount = 4
	r.check("a repair of few", repair, "orphan 4/4")

	// Another mailbox lists each content, so nothing would be deleted; but the mailbox has lost its
	// entries.
	for range 5 {
		r.list(r.a, entry(r.put(r.a, r.b), r.a))
	}
	if report := r.check("a lost index", repair, "unlisted 5/0-5"); report.Problems() != 5 {
		t.Errorf("problems: %d, want 5", report.Problems())
	}
}

func TestCheckFindsDamage(t *testing.T) {
	r := newCheckRig(t)
	var large []mail.MessageID
	text := make([]byte, 200_000) // of random octets, which are not compressed
	rand.Read(text)
	for range 2 {
		id := r.ids.Next()
		if err := storetest.Put(t.Context(), r.st, id, text, 1e6, store.ContentInfo{Mailboxes: []mail.MailboxID{box(r.a)}}); err != nil {
			t.Fatal(err)
		}
		r.list(r.a, mail.Message{ID: id, Recipient: r.a.String(), Size: 200_000 + int64(len(mail.DeliveryHeader("", r.a.String())))})
		large = append(large, id)
	}
	deep := task.CheckOptions{Deep: true}
	if report := r.check("all well", deep); report.Octets != 400_000 {
		t.Errorf("%d octets were read", report.Octets)
	}
	damage(t, r.fs, large[0], func(b []byte) []byte { b[100_000] ^= 1; return b })
	damage(t, r.fs, large[1], func(b []byte) []byte { return b[:len(b)-1] })
	r.check("a look", plain, "damaged 1/0")
	report := r.check("a deep look", task.CheckOptions{Deep: true, Repair: true}, "damaged 2/0")
	if report.Problems() != 2 {
		t.Errorf("problems: %d, want 2", report.Problems())
	}
	r.wantRows("after a repair", r.a, large...)
}

// illegible is a store with a content whose damage hides all that is known about it.
type illegible struct {
	store.Upkeep
	id mail.MessageID
}

func (s illegible) ContentRows(ctx context.Context, ids []mail.MessageID) (map[mail.MessageID]store.ContentRow, error) {
	rows, err := s.Upkeep.ContentRows(ctx, ids)
	if _, there := rows[s.id]; there {
		rows[s.id] = store.ContentRow{ID: s.id, Damage: store.ErrCorrupt}
	}
	return rows, err
}

func (s illegible) ListContents(ctx context.Context, after string, limit int) (rows []store.ContentRow, next string, err error) {
	rows, next, err = s.Upkeep.ListContents(ctx, after, limit)
	for i, c := range rows {
		if c.ID == s.id {
			rows[i] = store.ContentRow{ID: s.id, Damage: store.ErrCorrupt}
		}
	}
	return rows, next, err
}

// A damaged content that does not even name its mailboxes is found once, also by a check of one address.
func TestCheckFindsIllegibleContents(t *testing.T) {
	r := newCheckRig(t)
	id := r.deliver(r.a)
	r.deliver(r.a, r.b)
	r.reopen()
	r.wrap = func(st store.Store) store.Store {
		st.Upkeep.All = illegible{r.st, id}
		return st
	}
	r.check("all", plain, "damaged 1/0")
	for _, o := range []task.CheckOptions{{Address: r.a}, {Address: r.a, Deep: true}, {Address: r.a, Repair: true}} {
		report := r.check("the address of the message", o, "damaged 1/0")
		if len(report.Findings) != 1 || report.Findings[0].Address != r.a.String() || report.Findings[0].Message != id {
			t.Errorf("%+v", report.Findings)
		}
	}
	r.check("another address", task.CheckOptions{Address: r.b})
	r.check("with a repair", task.CheckOptions{Repair: true}, "damaged 1/0")
}

// damage changes the file of a content.
func damage(t *testing.T, fs *vfs.MemFS, id mail.MessageID, change func([]byte) []byte) {
	t.Helper()
	dir := fs.PathJoin("data", "content", fmt.Sprintf("%02x", id[9]))
	names, err := fs.List(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if !strings.HasPrefix(name, id.String()) {
			continue
		}
		f, err := fs.Open(fs.PathJoin(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(f)
		f.Close()
		if err != nil {
			t.Fatal(err)
		}
		g, err := fs.Create(fs.PathJoin(dir, name), vfs.WriteCategoryUnspecified)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := g.Write(change(slices.Clone(b))); err != nil {
			t.Fatal(err)
		}
		g.Close()
		return
	}
	t.Fatalf("no file of %s in %v", id, names)
}

// After a fault at any point a run can continue, to the same report, and without a loss.
func TestCheckGoesOnAfterEveryFault(t *testing.T) {
	storetest.EachFault(t, func(t *testing.T, wrap func(store.Store) store.Store) {
		r := newCheckRig(t)
		r.cfg.Batch = 25 // entries are settled one by one, contents by five
		kept := r.deliver(r.a, r.b)
		r.list(r.a, entry(r.ids.Next(), r.a))
		wrong := entry(r.put(r.b), r.b)
		wrong.Size++
		r.list(r.b, wrong)
		r.put(r.a)
		r.put(r.a, r.b)
		unlisted := r.put(r.a, r.b)
		r.list(r.a, entry(unlisted, r.a))
		gone := r.deliver(r.a)
		r.remove(r.a, gone)
		r.reopen()
		faulty := wrap(store.Single(r.st))
		r.wrap = func(store.Store) store.Store { return faulty }
		var s task.CheckState
		for range 3 { // once for the fault, once more if the fault ended the run
			var err error
			if s, err = r.try(repair); err == nil {
				break
			}
			if !errors.Is(err, store.ErrUnavailable) && !errors.Is(err, store.ErrOutcomeUnknown) {
				t.Fatal(err)
			}
		}
		if s.Result != task.CheckDone || s.Report.Problems() != 0 {
			t.Fatalf("%s: %s, problems: %d\n%+v", s.Result, counts(s.Report), s.Report.Problems(), s.Report.Findings)
		}
		r.wrap = func(st store.Store) store.Store { return st }
		r.check("afterwards", plain, "unlisted 1/0")
		r.wantRows("afterwards", r.a, kept, unlisted)
		uidls := map[mail.UIDL]bool{}
		for _, row := range r.rows(r.b) {
			uidls[row.UniqueID()] = true
			if _, data, err := storetest.Read(t.Context(), r.st, row.ID); err != nil || string(data) != text {
				t.Errorf("message %s: %q, %v", row.ID, data, err)
			}
		}
		if len(uidls) != 2 || !uidls[kept.UIDL()] || !uidls[wrong.UniqueID()] {
			t.Errorf("bob has %v, want %s and %s", uidls, kept.UIDL(), wrong.UniqueID())
		}
	})
}

// absent is the level All of a store with unreachable replicas.
type absent struct {
	store.Upkeep
	clock error
}

func (a absent) Clock() error { return a.clock }

func (a absent) ContentRows(context.Context, []mail.MessageID) (map[mail.MessageID]store.ContentRow, error) {
	return nil, fmt.Errorf("two of three replicas: %w", store.ErrUnavailable)
}

// torn is a store whose contents lose a chunk once they were listed.
type torn struct{ store.Upkeep }

func (s torn) ContentRows(ctx context.Context, ids []mail.MessageID) (map[mail.MessageID]store.ContentRow, error) {
	rows, err := s.Upkeep.ContentRows(ctx, ids)
	for id, c := range rows {
		c.Damage = store.ErrCorrupt
		rows[id] = c
	}
	return rows, err
}

// A removal of orphans is given up half way, because it took too long, while a rebuild waits: the rest of the
// content is not listed.
func TestRebuildLeavesTornContentsOut(t *testing.T) {
	r := newCheckRig(t)
	r.put(r.a)
	r.reopen()
	r.wrap = func(st store.Store) store.Store {
		st.Upkeep.All = torn{r.st}
		return st
	}
	r.check("a rebuild", task.CheckOptions{Address: r.a, Rebuild: true}, "damaged 1/0")
	r.wantRows("after a rebuild", r.a)
}

// holding is a store that notes when a floor was held last.
type holding struct {
	store.Upkeep
	r    *checkRig
	held *time.Time
}

func (s holding) HoldFloor(ctx context.Context, mailbox mail.MailboxID) error {
	*s.held = s.r.now()
	return s.Upkeep.HoldFloor(ctx, mailbox)
}

// slow is a store that takes most of an hour for an entry.
type slow struct {
	store.Mail
	r    *checkRig
	held *time.Time
}

func (s slow) AddMessages(ctx context.Context, entries []store.Entry) []error {
	s.r.pass(50 * time.Minute)
	if held := s.r.now().Sub(*s.held); held > store.FloorHold {
		s.r.Errorf("an entry is added %v after the floor was held", held)
	}
	return s.Mail.AddMessages(ctx, entries)
}

// A rebuild that takes long holds the floor again before the hold ends.
func TestRebuildHoldsAgain(t *testing.T) {
	r := newCheckRig(t)
	for range 5 {
		r.put(r.a)
	}
	r.reopen()
	var held time.Time
	r.wrap = func(st store.Store) store.Store {
		st.Upkeep.All = holding{r.st, r, &held}
		for _, level := range []*store.Mail{&st.Mail.Local, &st.Mail.Each, &st.Mail.All} {
			*level = slow{r.st, r, &held}
		}
		return st
	}
	r.check("a rebuild", task.CheckOptions{Address: r.a, Rebuild: true}, "unlisted 5/5")
}

// While a replica is away, or the clock is wrong, a check draws no conclusion.
func TestCheckNeedsAll(t *testing.T) {
	r := newCheckRig(t)
	lone, dangling := r.put(r.a), r.ids.Next()
	r.list(r.a, entry(dangling, r.a))
	r.reopen()
	r.cfg.Retries, r.cfg.RetryPause = 2, time.Millisecond
	r.wrap = func(st store.Store) store.Store {
		st.Upkeep.All = absent{Upkeep: r.st}
		return st
	}
	s, err := r.try(repair)
	if !errors.Is(err, task.ErrNotAll) || !errors.Is(err, store.ErrUnavailable) || s.Result != task.CheckFailed || counts(s.Report) != "" {
		t.Errorf("without a replica: %s, %v, %s", s.Result, err, counts(s.Report))
	}
	r.wrap = func(st store.Store) store.Store {
		st.Upkeep.All = absent{r.st, store.ErrClock}
		return st
	}
	if _, err := r.try(repair); !errors.Is(err, store.ErrClock) || errors.Is(err, task.ErrNotAll) {
		t.Errorf("with a wrong clock: %v", err)
	}
	r.wantRows("without a replica", r.a, dangling)
	if _, _, err := storetest.Read(t.Context(), r.st, lone); err != nil {
		t.Errorf("without a replica: %v", err)
	}
	r.wrap = func(st store.Store) store.Store { return st }
	r.check("with all", repair, "dangling 1/1 orphan 1/1")
}

// busy is Upkeep of a server with too many statements in flight for the first calls.
type busy struct {
	store.Upkeep
	calls *int
}

func (b busy) ListContents(ctx context.Context, after string, limit int) ([]store.ContentRow, string, error) {
	if *b.calls--; *b.calls >= 0 {
		return nil, "", store.ErrOverloaded
	}
	return b.Upkeep.ListContents(ctx, after, limit)
}

// A check waits for a server with too many statements in flight, up to a limit. The error then does not speak of replicas.
func TestCheckWaitsForABusyServer(t *testing.T) {
	r := newCheckRig(t)
	r.put(r.a)
	r.reopen()
	r.cfg.Retries, r.cfg.RetryPause, r.cfg.BusyTime = 1, time.Microsecond, 100*time.Microsecond
	calls := 5
	r.wrap = func(st store.Store) store.Store {
		st.Upkeep.All = busy{r.st, &calls}
		return st
	}
	r.check("busy for a time", repair, "orphan 1/1")
	calls = 1000
	s, err := r.try(task.CheckOptions{})
	if s.Result != task.CheckFailed || !errors.Is(err, store.ErrOverloaded) || errors.Is(err, task.ErrNotAll) || calls < 900 {
		t.Errorf("busy for ever: %s, %v after %d calls", s.Result, err, 1000-calls)
	}
}

// blocking lists a page of contents for each value of pages.
type blocking struct {
	store.Upkeep
	pages chan struct{}
}

func (b blocking) ListContents(ctx context.Context, after string, limit int) ([]store.ContentRow, string, error) {
	select {
	case <-b.pages:
	case <-ctx.Done():
		return nil, "", fmt.Errorf("%w: %w", store.ErrUnavailable, ctx.Err())
	}
	return b.Upkeep.ListContents(ctx, after, 2)
}

func TestCheckStopsAndGoesOn(t *testing.T) {
	r := newCheckRig(t)
	for range 5 {
		r.deliver(r.a)
		r.put(r.b)
	}
	r.reopen()
	r.cfg.Batch = 1
	pages := make(chan struct{}, 100)
	r.wrap = func(st store.Store) store.Store { return storetest.WithUpkeep(st, blocking{r.st, pages}) }
	reg := prometheus.NewRegistry()
	c := r.checker(reg)
	if err := c.Cancel(t.Context()); err != nil || c.State().Result != "" {
		t.Errorf("nothing to cancel: %v, %+v", err, c.State())
	}
	if err := c.Start(t.Context(), plain); err != nil {
		t.Fatal(err)
	}
	if err := c.Start(t.Context(), repair); !errors.Is(err, task.ErrCheckRunning) {
		t.Errorf("a second run: %v", err)
	}
	pages <- struct{}{}
	pages <- struct{}{}
	mailtest.WaitFor(t, 10*time.Minute, func() error {
		if s := c.State(); s.Report.Contents != 4 || s.Phase != "contents" || s.Resumed {
			return fmt.Errorf("%+v", s)
		}
		return nil
	})
	if err := c.Cancel(t.Context()); err != nil {
		t.Fatal(err)
	}
	if s := c.State(); s.Result != task.CheckStopped || s.Err != nil {
		t.Errorf("after Cancel: %s, %v", s.Result, s.Err)
	}
	close(pages) // without waiting
	again := func(o task.CheckOptions, resumed bool) {
		t.Helper()
		if err := c.Start(t.Context(), o); err != nil {
			t.Fatal(err)
		}
		s := wait(t, c)
		if s.Result != task.CheckDone || s.Resumed != resumed || s.Report.Contents != 10 || s.Report.Entries != 5 || counts(s.Report) != "orphan 5/0" {
			t.Errorf("%+v: %+v, %v", o, s, s.Err)
		}
	}
	again(task.CheckOptions{Deep: true}, false) // of another kind
	again(plain, true)
	again(plain, false) // the last run was at its end
	if got := testutil.CollectAndCount(reg, "popelago_task_check_runs_total"); got != 2 {
		t.Errorf("%d results are counted, want 2: stopped and done", got)
	}

	// Anew on request, or after a long time.
	for _, o := range []task.CheckOptions{{Restart: true}, {}} {
		pages = make(chan struct{}, 1)
		c = r.checker(nil)
		pages <- struct{}{}
		if err := c.Start(t.Context(), plain); err != nil {
			t.Fatal(err)
		}
		mailtest.WaitFor(t, 10*time.Minute, func() error {
			if n := c.State().Report.Contents; n != 2 {
				return fmt.Errorf("%d contents", n)
			}
			return nil
		})
		if err := c.Cancel(t.Context()); err != nil {
			t.Fatal(err)
		}
		close(pages)
		if !o.Restart {
			r.pass(8 * 24 * time.Hour)
		}
		again(o, false)
	}
	c.Close()
	if err := c.Start(t.Context(), plain); !errors.Is(err, task.ErrStopped) {
		t.Errorf("after Close: %v", err)
	}
}

func TestCheckOptionsGoTogether(t *testing.T) {
	r := newCheckRig(t)
	for _, o := range []task.CheckOptions{
		{Rebuild: true}, {Rebuild: true, Repair: true, Address: r.a}, {Rebuild: true, Deep: true, Address: r.a}, {Force: true},
	} {
		if _, err := r.try(o); !errors.Is(err, task.ErrBadCheck) {
			t.Errorf("%+v: %v, want %v", o, err, task.ErrBadCheck)
		}
	}
}

// A report names the first findings; unlisted contents make room for problems.
func TestCheckNamesFindings(t *testing.T) {
	r := newCheckRig(t)
	r.cfg.Findings = 3
	for range 4 {
		r.list(r.a, entry(r.put(r.a, r.b), r.a)) // not for bob
	}
	r.put(r.a)
	r.put(r.a)
	r.reopen()
	report := r.check("a look", plain, "orphan 2/0 unlisted 4/0")
	kinds := map[task.CheckKind]int{}
	for _, f := range report.Findings {
		kinds[f.Kind]++
	}
	if kinds[task.KindOrphan] != 2 || kinds[task.KindUnlisted] != 1 {
		t.Errorf("named are %v", kinds)
	}
}

// A check takes as long as its rate demands.
func TestCheckRate(t *testing.T) {
	r := newCheckRig(t)
	for range 100 {
		r.deliver(r.a)
	}
	r.cfg.Rate = 200
	start := time.Now()
	r.check("all well, slowly", plain)
	if took := time.Since(start); took < 400*time.Millisecond { // no pause after the last page
		t.Errorf("200 at 200 in a second took %v", took)
	}
}

// A read that fails now and then does not end a run.
func TestCheckTriesAgain(t *testing.T) {
	for k := range 30 {
		r := newCheckRig(t)
		r.cfg.Retries, r.cfg.RetryPause = 1, time.Millisecond
		r.list(r.a, entry(r.ids.Next(), r.a))
		r.deliver(r.a, r.b)
		r.put(r.a)
		r.reopen()
		f := &storetest.Fault{K: k}
		faulty := storetest.Faulty(store.Single(r.st), f)
		r.wrap = func(store.Store) store.Store { return faulty }
		r.check("with a fault", task.CheckOptions{Deep: true, Repair: true}, "dangling 1/1 orphan 1/1")
		if operation, hit := f.Hit(); !hit && k == 0 {
			t.Errorf("no fault was met: %s", operation)
		}
	}
}
