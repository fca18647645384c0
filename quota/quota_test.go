package quota

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"popelago/account"
	"popelago/mail"
	"popelago/store"
	"popelago/store/embedded"
)

// counting counts the reads of lists, and may fail them.
type counting struct {
	store.Mail
	lists atomic.Int64
	fail  atomic.Pointer[error]
	// hold, if set, is called before a list is read.
	hold func()
}

func (c *counting) ListMessages(ctx context.Context, mailbox mail.MailboxID, after mail.MessageID, limit int) ([]mail.Message, bool, error) {
	c.lists.Add(1)
	if err := c.fail.Load(); err != nil {
		return nil, false, *err
	}
	rows, more, err := c.Mail.ListMessages(ctx, mailbox, after, limit)
	if c.hold != nil {
		c.hold()
	}
	return rows, more, err
}

// world is a store with the accounts alice and bob in example.test.
type world struct {
	dir   *account.Directory
	store store.Store
	mail  *counting
	ids   *mail.IDSource
	now   time.Time
	mu    sync.Mutex
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{now: time.Now().Truncate(time.Second)}
	w.ids = mail.NewIDSource(w.clock)
	engine, err := embedded.Open(embedded.Config{Dir: "data", FS: vfs.NewMem(), Reserve: -1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { engine.Close() })
	w.store = store.Single(engine)
	w.mail = &counting{Mail: engine}
	w.store.Mail = store.OneLevel[store.Mail](w.mail)
	if w.dir, err = account.New(account.Config{Argon2Memory: 8, Argon2Time: 1}, w.store.Directory, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := w.dir.AddDomain(t.Context(), "example.test"); err != nil {
		t.Fatal(err)
	}
	for _, local := range []string{"alice", "bob"} {
		if _, err := w.dir.AddAccount(t.Context(), mail.Address{Local: local, Domain: "example.test"}, "secret"); err != nil {
			t.Fatal(err)
		}
	}
	return w
}

func (w *world) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w *world) advance(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

func (w *world) keeper(t *testing.T, reg prometheus.Registerer, logger *slog.Logger) *Keeper {
	t.Helper()
	k, err := New(Config{Now: w.clock, Logger: logger}, w.dir, w.store, reg)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// set changes settings of alice and returns alice as a recipient.
func (w *world) set(t *testing.T, settings map[string]string) mail.Recipient {
	t.Helper()
	a := mail.Address{Local: "alice", Domain: "example.test"}
	if err := w.dir.SetAccountSettings(t.Context(), a, settings); err != nil {
		t.Fatal(err)
	}
	r, err := w.dir.Resolve(t.Context(), a)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// add stores a message of a size, past all quotas.
func (w *world) add(t *testing.T, mailbox mail.MailboxID, size int64) mail.MessageID {
	t.Helper()
	id := w.ids.Next()
	c, err := w.mail.NewContent(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Write([]byte("x\r\n")); err != nil {
		t.Fatal(err)
	}
	if err := w.mail.PutContent(t.Context(), id, c, store.ContentInfo{Mailboxes: []mail.MailboxID{mailbox}}); err != nil {
		t.Fatal(err)
	}
	m := mail.Message{ID: id, Size: size, Recipient: "alice@example.test"}
	if err := w.mail.AddMessages(t.Context(), []store.Entry{{Mailbox: mailbox, Message: m}})[0]; err != nil {
		t.Fatal(err)
	}
	return id
}

func want(t *testing.T, what string, err, class error) {
	t.Helper()
	if !errors.Is(err, class) || class == nil && err != nil || class == ErrOver && errors.Is(err, ErrRefused) {
		t.Errorf("%s: %v, want %v", what, err, class)
	}
}

// deliver reserves a place and stores a message.
func (w *world) deliver(t *testing.T, k *Keeper, r mail.Recipient, size int64) error {
	t.Helper()
	claim, err := k.Reserve(t.Context(), r, size)
	if err != nil {
		return err
	}
	w.add(t, r.Mailbox, size)
	claim.Done(true)
	return nil
}

// A recipient without quota costs no read.
func TestNoQuota(t *testing.T) {
	w := newWorld(t)
	k := w.keeper(t, nil, nil)
	r := w.set(t, nil)
	for range 3 {
		want(t, "admit", k.Admit(t.Context(), r, 1<<40), nil)
		want(t, "deliver", w.deliver(t, k, r, 1000), nil)
	}
	k.Removed(r.Mailbox, Usage{1000, 1})
	if n := w.mail.lists.Load(); n != 0 || k.mailboxes.Len() != 0 {
		t.Errorf("%d reads, %d mailboxes remembered", n, k.mailboxes.Len())
	}
}

// Own deliveries and removals count at once, those of other servers after the next read. One read serves all
// deliveries of a TTL.
func TestUsage(t *testing.T) {
	w := newWorld(t)
	k, other := w.keeper(t, nil, nil), w.keeper(t, nil, nil)
	r := w.set(t, map[string]string{"quota": "10000"})
	for range 4 {
		want(t, "room", k.Admit(t.Context(), r, 2000), nil)
		want(t, "room", w.deliver(t, k, r, 2000), nil)
	}
	if n := w.mail.lists.Load(); n != 1 {
		t.Errorf("%d reads", n)
	}
	want(t, "exactly full", k.Admit(t.Context(), r, 2000), nil)
	want(t, "an octet more", k.Admit(t.Context(), r, 2001), ErrOver)
	want(t, "the other server", w.deliver(t, other, r, 2000), nil)
	w.advance(2 * time.Second)
	want(t, "not read yet", k.Admit(t.Context(), r, 2000), nil)
	w.advance(10 * time.Second)
	want(t, "full", k.Admit(t.Context(), r, 1), ErrOver)
	want(t, "size unknown", k.Admit(t.Context(), r, 0), ErrOver)
	k.Removed(r.Mailbox, Usage{4000, 2})
	want(t, "after a removal", k.Admit(t.Context(), r, 3000), nil)
	if u, err := other.Usage(t.Context(), r.Mailbox, 0); err != nil || u != (Usage{10000, 5}) {
		t.Errorf("%+v, %v", u, err)
	}
}

func TestMessages(t *testing.T) {
	w := newWorld(t)
	k := w.keeper(t, nil, nil)
	r := w.set(t, map[string]string{"quota_messages": "2"})
	want(t, "1", w.deliver(t, k, r, 1), nil)
	want(t, "2", w.deliver(t, k, r, 1), nil)
	want(t, "3", w.deliver(t, k, r, 1), ErrOver)
}

// Deliveries at the same time pass a quota on one server never, and on two servers by what the other accepts.
func TestAtOnce(t *testing.T) {
	w := newWorld(t)
	r := w.set(t, map[string]string{"quota": "10000"})
	keepers := []*Keeper{w.keeper(t, nil, nil), w.keeper(t, nil, nil)}
	var stored [2]atomic.Int64
	var all sync.WaitGroup
	for i, k := range keepers {
		for range 20 {
			all.Go(func() {
				claim, err := k.Reserve(t.Context(), r, 1000)
				if err != nil {
					want(t, "full", err, ErrOver)
					return
				}
				w.add(t, r.Mailbox, 1000)
				claim.Done(true)
				stored[i].Add(1)
			})
		}
	}
	all.Wait()
	for i := range stored {
		if n := stored[i].Load(); n > 10 {
			t.Errorf("server %d accepted %d messages", i, n)
		}
	}
	if n := stored[0].Load() + stored[1].Load(); n < 10 {
		t.Errorf("both servers accepted %d messages, and there is room for 10", n)
	}
	w.advance(time.Minute)
	for _, k := range keepers {
		want(t, "afterwards", k.Admit(t.Context(), r, 1), ErrOver)
	}
}

// A delivery that fails gives its place back, and a delivery during a read is never forgotten.
func TestPlaces(t *testing.T) {
	w := newWorld(t)
	k := w.keeper(t, nil, nil)
	r := w.set(t, map[string]string{"quota": "3000"})
	claim, err := k.Reserve(t.Context(), r, 2000)
	want(t, "first", err, nil)
	want(t, "no room beside", k.Admit(t.Context(), r, 2000), ErrOver)
	claim.Done(false)
	claim.Done(true) // does nothing
	want(t, "room again", k.Admit(t.Context(), r, 2000), nil)

	claim, err = k.Reserve(t.Context(), r, 2000)
	want(t, "second", err, nil)
	w.advance(time.Minute)
	w.mail.hold = func() { // the list was read before the message came
		w.mail.hold = nil
		w.add(t, r.Mailbox, 2000)
		claim.Done(true)
	}
	want(t, "stored during the read", k.Admit(t.Context(), r, 2000), ErrOver)
}

// An unknown usage is an error of the store.
func TestUnknownUsage(t *testing.T) {
	w := newWorld(t)
	k := w.keeper(t, nil, nil)
	r := w.set(t, map[string]string{"quota": "3000", "over_quota": "refuse"})
	err := fmt.Errorf("no replica: %w", store.ErrUnavailable)
	w.mail.fail.Store(&err)
	got := k.Admit(t.Context(), r, 5000)
	want(t, "unknown", got, store.ErrUnavailable)
	if errors.Is(got, ErrOver) {
		t.Error(got)
	}
	w.mail.fail.Store(nil)
	want(t, "known", k.Admit(t.Context(), r, 5000), ErrRefused)
}

// Many senders that wait for the same usage share one read, also one that fails.
func TestSharedFailure(t *testing.T) {
	w := newWorld(t)
	k := w.keeper(t, nil, nil)
	r := w.set(t, map[string]string{"quota": "3000"})
	e := k.entry(r.Mailbox)
	synctest.Test(t, func(t *testing.T) {
		e.turn = make(chan struct{}, 1)
		e.turn <- struct{}{} // a read is in progress
		var senders sync.WaitGroup
		for range 50 {
			senders.Go(func() { want(t, "away", k.Admit(t.Context(), r, 1), store.ErrUnavailable) })
		}
		synctest.Wait()
		e.failRead(store.ErrUnavailable)
		e.release()
		senders.Wait()
		if n := w.mail.lists.Load(); n != 0 {
			t.Errorf("%d reads after the failure, want 0", n)
		}
		e.turn <- struct{}{} // a read that hangs
		began := time.Now()
		want(t, "hangs", k.Admit(t.Context(), r, 1), store.ErrUnavailable)
		if took := time.Since(began); took > admitWait {
			t.Errorf("RCPT waits %v, want %v", took, admitWait)
		}
		e.release()
	})
	e.turn = make(chan struct{}, 1) // of no bubble
	want(t, "back", k.Admit(t.Context(), r, 1), nil)
}

// A sender who leaves is no failure for the others.
func TestGoneIsNoFailure(t *testing.T) {
	w := newWorld(t)
	k := w.keeper(t, nil, nil)
	r := w.set(t, map[string]string{"quota": "3000"})
	gone, leave := context.WithCancel(t.Context())
	err := fmt.Errorf("gone: %w", store.ErrUnavailable)
	w.mail.fail.Store(&err)
	leave()
	if err := k.refresh(gone, k.entry(r.Mailbox), r, time.Second); err == nil {
		t.Error("the usage is known to a sender who left")
	}
	if n, _ := k.entry(r.Mailbox).failed(); n != 0 {
		t.Errorf("%d failures for everybody, want 0", n)
	}
}

// level is a level with a list of its own.
type level struct {
	store.Mail
	list func() ([]mail.Message, error)
}

func (l level) ListMessages(context.Context, mail.MailboxID, mail.MessageID, int) ([]mail.Message, bool, error) {
	rows, err := l.list()
	return rows, false, err
}

// A permanent refusal needs the limits and the usage of every datacenter.
func TestRefuse(t *testing.T) {
	w := newWorld(t)
	elsewhere := func() ([]mail.Message, error) { return nil, nil }
	w.store.Mail.Each, w.store.Mail.Several = level{w.mail, func() ([]mail.Message, error) { return elsewhere() }}, true
	k := w.keeper(t, nil, nil)
	old := w.set(t, map[string]string{"quota": "3000", "over_quota": "refuse"})
	w.add(t, old.Mailbox, 3000)
	want(t, "emptied elsewhere", k.Admit(t.Context(), old, 1000), ErrOver)
	w.advance(refuseAge)
	reads := 0
	elsewhere = func() ([]mail.Message, error) { reads++; return nil, store.ErrUnavailable }
	for octets := range int64(5) {
		want(t, "cut off", k.Admit(t.Context(), old, 1000-octets), ErrOver)
	}
	if reads != 1 {
		t.Errorf("%d reads elsewhere in vain, want 1", reads)
	}
	w.advance(refuseAge)
	reads = 0
	elsewhere = func() ([]mail.Message, error) { reads++; return []mail.Message{{Size: 3000}}, nil }
	for octets := range int64(5) {
		want(t, "full everywhere", k.Admit(t.Context(), old, 1000-octets), ErrRefused)
	}
	if reads != 1 {
		t.Errorf("%d reads elsewhere, want 1", reads)
	}
	w.advance(time.Minute)
	raised := w.set(t, map[string]string{"quota": "9000"})
	want(t, "raised a moment ago", k.Admit(t.Context(), old, 1000), nil)
	want(t, "raised", k.Admit(t.Context(), raised, 1000), nil)
	w.set(t, map[string]string{"quota": "3000", "over_quota": "retry"})
	w.advance(time.Minute)
	want(t, "retry since a moment", k.Admit(t.Context(), old, 1000), ErrOver)
}

// Each level of a quota is reported once, by the delivery that crosses the level.
func TestWarnings(t *testing.T) {
	w := newWorld(t)
	reg := prometheus.NewRegistry()
	var log bytes.Buffer
	k := w.keeper(t, reg, slog.New(slog.NewTextHandler(&log, nil)))
	r := w.set(t, map[string]string{"quota": "10000"})
	for range 10 {
		want(t, "deliver", w.deliver(t, k, r, 990), nil)
	}
	if n := strings.Count(log.String(), "nearly full"); n != 2 || !strings.Contains(log.String(), "alice@example.test") {
		t.Errorf("%d warnings:\n%s", n, &log)
	}
	for _, percent := range []string{"80", "95"} {
		if n := testutil.ToFloat64(k.metrics.warnings.WithLabelValues(percent)); n != 1 {
			t.Errorf("%s%%: %v", percent, n)
		}
	}
	if u := (Usage{7999, 3}); u.Percent(10000, 0) != 79 || u.Percent(0, 4) != 75 || u.Percent(10000, 3) != 100 || u.Percent(0, 0) != 0 {
		t.Errorf("%d %d", u.Percent(10000, 0), u.Percent(0, 4))
	}
}

// Mail past the retention does not count, as no session lists it.
func TestRetention(t *testing.T) {
	w := newWorld(t)
	k := w.keeper(t, nil, nil)
	r := w.set(t, map[string]string{"quota": "3000", "retention": "1h"})
	w.add(t, r.Mailbox, 3000)
	want(t, "full", k.Admit(t.Context(), r, 1), ErrOver)
	w.advance(2 * time.Hour)
	want(t, "expired", k.Admit(t.Context(), r, 3000), nil)
}

// The quota of a domain counts the last measurement and the own deliveries since, and never refuses for good.
func TestDomain(t *testing.T) {
	w := newWorld(t)
	c, err := w.dir.DomainChange(map[string]string{"domain_quota": "10000", "over_quota": "refuse"})
	if err == nil {
		_, err = w.dir.ChangeDomain(t.Context(), "example.test", c)
	}
	want(t, "set", err, nil)
	k := w.keeper(t, nil, nil)
	r := w.set(t, nil)
	want(t, "not measured", w.deliver(t, k, r, 9000), nil)
	note := func(u Usage) {
		t.Helper()
		want(t, "note", k.NoteDomain(t.Context(), "example.test", Total{u, w.clock(), w.clock()}), nil)
		w.advance(11 * time.Second)
	}
	w.advance(2 * time.Minute)
	note(Usage{9000, 1})
	want(t, "room", w.deliver(t, k, r, 600), nil)
	want(t, "full", w.deliver(t, k, r, 600), ErrOver)
	w.advance(2 * time.Minute)
	note(Usage{9600, 2})
	want(t, "measured", k.Admit(t.Context(), r, 400), nil)
	want(t, "measured", k.Admit(t.Context(), r, 401), ErrOver)
	if n := w.mail.lists.Load(); n != 0 {
		t.Errorf("%d lists were read", n)
	}
	if total, known, err := k.Domain(t.Context(), "example.test"); err != nil || !known || total.Usage != (Usage{9600, 2}) {
		t.Errorf("%+v %v %v", total, known, err)
	}
	for _, text := range []string{"", "1 2 3", "1 2 3 x", "-1 2 3 4", "1 2 3 4 5"} {
		if total, ok := parseTotal(text); ok {
			t.Errorf("%q is %+v", text, total)
		}
	}
}

// Deliveries noted by a clock that was ahead count until the next measurement, and not until their time has come.
func TestDomainAfterAWrongClock(t *testing.T) {
	w := newWorld(t)
	c, err := w.dir.DomainChange(map[string]string{"domain_quota": "10000"})
	if err == nil {
		_, err = w.dir.ChangeDomain(t.Context(), "example.test", c)
	}
	want(t, "set", err, nil)
	k, r := w.keeper(t, nil, nil), w.set(t, nil)
	deliver := func(size int64) {
		t.Helper()
		claim, err := k.Reserve(t.Context(), r, size)
		want(t, "deliver", err, nil)
		claim.Done(err == nil)
	}
	w.advance(24 * time.Hour)
	deliver(2000)
	w.advance(-24 * time.Hour)
	deliver(1000)
	w.advance(5 * time.Minute)
	want(t, "note", k.NoteDomain(t.Context(), "example.test", Total{Usage{3000, 2}, w.clock(), w.clock()}), nil)
	w.advance(11 * time.Second)
	want(t, "room", k.Admit(t.Context(), r, 7000), nil)
	want(t, "full", k.Admit(t.Context(), r, 7001), ErrOver)
}
