package ledger_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"popelago/delivery"
	"popelago/delivery/deliverytest"
	"popelago/mail"
	"popelago/store"
)

// script is a store that fails on request and counts its calls. It keeps attempts in memory, so that
// several servers can share them.
type script struct {
	store.Engine

	mu    sync.Mutex
	calls map[string]int
	// add is the fate of the row of a recipient, see deliverytest.AddAs.
	add map[string]string
	// fail makes an operation return an error. A removal of unknown outcome is carried out.
	fail map[string]error
	// before is called before an operation, reading after Attempts has begun.
	before   func(operation string)
	reading  func(ctx context.Context)
	attempts map[string]store.Attempt
	gone     map[string]bool
	// lost hours of attempts can be neither read nor written.
	lost map[time.Time]bool
	// each is the level Each, if there are several datacenters, see spread.
	each *script
	// origin is the datacenter that answers, see moveTo.
	origin string
}

func newScript(s store.Engine) *script {
	return &script{
		Engine: s, calls: map[string]int{}, add: map[string]string{}, fail: map[string]error{},
		attempts: map[string]store.Attempt{}, gone: map[string]bool{},
	}
}

// levels returns the store that follows the script.
func (s *script) levels() store.Store {
	if s.each == nil {
		return store.Single(s)
	}
	return store.New(store.Levels[*script]{Local: s, Each: s.each, All: s, Several: true})
}

func (s *script) Origin() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.origin
}

// moveTo makes another datacenter answer, with the same data.
func (s *script) moveTo(origin string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.origin = origin
}

// call counts an operation and returns its error.
func (s *script) call(operation string) error {
	s.mu.Lock()
	s.calls[operation]++
	err, before := s.fail[operation], s.before
	s.mu.Unlock()
	if before != nil {
		before(operation)
	}
	return err
}

// took returns the calls since the last took, as "AddMessages:1 PutContent:1".
func (s *script) took() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []string
	for operation, n := range s.calls {
		list = append(list, fmt.Sprintf("%s:%d", operation, n))
	}
	s.calls = map[string]int{}
	slices.Sort(list)
	return strings.Join(list, " ")
}

func (s *script) PutContent(ctx context.Context, id mail.MessageID, c store.Content, info store.ContentInfo) error {
	if err := s.call("PutContent"); err != nil {
		if s.each != nil || s.attempts != nil {
			c.Discard()
		}
		return err
	}
	return s.Engine.PutContent(ctx, id, c, info)
}

func (s *script) AddMessages(ctx context.Context, entries []store.Entry) []error {
	errs := deliverytest.AddAs(ctx, s.Engine, s.add, entries)
	s.call("AddMessages")
	return errs
}

func (s *script) Message(ctx context.Context, mailbox mail.MailboxID, id mail.MessageID) (mail.Message, error) {
	if err := s.call("Message"); err != nil {
		return mail.Message{}, err
	}
	return s.Engine.Message(ctx, mailbox, id)
}

func (s *script) RemoveMessages(ctx context.Context, mailbox mail.MailboxID, ids []mail.MessageID) error {
	if err := s.call("RemoveMessages"); err != nil {
		if errors.Is(err, store.ErrOutcomeUnknown) {
			s.Engine.RemoveMessages(ctx, mailbox, ids)
		}
		return err
	}
	return s.Engine.RemoveMessages(ctx, mailbox, ids)
}

func name(a store.Attempt) string { return fmt.Sprint(a.Fingerprint, a.ID, a.Entered.UnixMicro()) }

func hourOf(a store.Attempt) time.Time { return a.Entered.UTC().Truncate(time.Hour) }

func (s *script) PutAttempt(ctx context.Context, a store.Attempt) error {
	if err := errors.Join(s.call("PutAttempt"), ctx.Err()); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lost[hourOf(a)] {
		return store.ErrUnavailable
	}
	if !s.gone[name(a)] {
		a.Recipients = slices.Clone(a.Recipients)
		s.attempts[name(a)] = a
	}
	return nil
}

func (s *script) Attempts(ctx context.Context, since time.Time) iter.Seq2[store.Attempt, error] {
	err := s.call("Attempts")
	s.mu.Lock()
	defer s.mu.Unlock()
	if reading := s.reading; reading != nil {
		s.mu.Unlock()
		reading(ctx)
		s.mu.Lock()
	}
	var list []store.Attempt
	for _, a := range s.attempts {
		if !a.Entered.Before(since) {
			list = append(list, a)
		}
	}
	slices.SortFunc(list, func(a, b store.Attempt) int { return b.Entered.Compare(a.Entered) })
	lost := maps.Clone(s.lost)
	return func(yield func(store.Attempt, error) bool) {
		if err != nil {
			yield(store.Attempt{}, err)
			return
		}
		for i, a := range list {
			switch {
			case !lost[hourOf(a)]:
				if !yield(a, nil) {
					return
				}
			case i == 0 || hourOf(list[i-1]) != hourOf(a):
				if !yield(store.Attempt{}, &store.UnreadAttempts{From: hourOf(a), Err: store.ErrUnavailable}) {
					return
				}
			}
		}
	}
}

func (s *script) HasAttempt(_ context.Context, a store.Attempt) (bool, error) {
	if err := s.call("HasAttempt"); err != nil {
		return false, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	_, ok := s.attempts[name(a)]
	return ok, nil
}

func (s *script) RemoveAttempt(_ context.Context, a store.Attempt) error {
	if err := s.call("RemoveAttempt"); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lost[hourOf(a)] {
		return store.ErrUnavailable
	}
	delete(s.attempts, name(a))
	s.gone[name(a)] = true
	return nil
}

// clock is the clock of a test; it moves by a microsecond with each call.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Now().Truncate(time.Microsecond)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(time.Microsecond)
	return c.now
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// ledgerWorld is a world whose store follows a script.
type ledgerWorld struct {
	*deliverytest.World
	*script
	clock   *clock
	options deliverytest.Options
}

func newLedgerWorld(t testing.TB, change func(*deliverytest.Options)) *ledgerWorld {
	t.Helper()
	w := &ledgerWorld{clock: newClock()}
	w.options.Delivery.Now = w.clock.Now
	w.options.Wrap = func(s store.Store) store.Store {
		w.script = newScript(s.Closer.(store.Engine))
		return w.script.levels()
	}
	if change != nil {
		change(&w.options)
	}
	w.World = deliverytest.New(t, w.options)
	return w
}

// spread puts the store into several datacenters, with a script of its own for the level Each. attempts
// are the attempts at the level Each; nil: there are none.
func (w *ledgerWorld) spread(t testing.TB, attempts map[string]store.Attempt) {
	t.Helper()
	w.each = newScript(w.script.Engine)
	w.each.attempts = attempts
	w.Registry = prometheus.NewRegistry()
	w.Server = deliverytest.NewServer(t, w.options.Delivery, w.options.Ledger, w.Directory, w.script.levels(), w.Registry)
}

// another is a second server on the same store.
func (w *ledgerWorld) another(t testing.TB) *deliverytest.Server {
	t.Helper()
	return deliverytest.NewServer(t, w.options.Delivery, w.options.Ledger, w.Directory, w.script.levels(), nil)
}

// send delivers a text to some recipients by SMTP.
func (w *ledgerWorld) send(t testing.TB, text string, locals ...string) delivery.Result {
	t.Helper()
	e := w.Envelope(t, locals...)
	e.SingleReply = true
	return deliverytest.Finish(t, w.Deliverer, e, text)
}

// sendLMTP delivers a text to some recipients, each with a reply of its own.
func (w *ledgerWorld) sendLMTP(t testing.TB, text string, locals ...string) delivery.Result {
	t.Helper()
	return deliverytest.Finish(t, w.Deliverer, w.Envelope(t, locals...), text)
}

// wantCopies checks the numbers of messages in mailboxes, as "alice:1 bob:0", and their content.
func (w *ledgerWorld) wantCopies(t testing.TB, copies string) {
	t.Helper()
	for item := range strings.FieldsSeq(copies) {
		local, n, _ := strings.Cut(item, ":")
		got := w.Messages(t, local)
		if fmt.Sprint(len(got)) != n {
			t.Fatalf("%s has %d messages, want %s", local, len(got), n)
		}
		for _, m := range got {
			if !strings.HasSuffix(m, deliverytest.Sample) {
				t.Errorf("%s has %q", local, m)
			}
		}
	}
}

// wantTook checks the calls of the store since the last took.
func (w *ledgerWorld) wantTook(t testing.TB, operations string) {
	t.Helper()
	if got := w.took(); got != operations {
		t.Fatalf("the store was asked for %q, want %q", got, operations)
	}
}

// metric returns a metric of the ledger, summed over its labels.
func (w *ledgerWorld) metric(t testing.TB, name string) (sum float64) {
	t.Helper()
	return deliverytest.Gather(t, w.Registry, "popelago_delivery_ledger_"+name)
}
