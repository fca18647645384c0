package delivery_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"popelago/delivery"
	"popelago/mail"
	"popelago/store"
)

// script is a store that fails as a test says, and counts what is asked of it. It keeps
// attempts in memory, so that several Deliverers can share them.
type script struct {
	store.Engine

	mu    sync.Mutex
	calls map[string]int
	// add says how the row of a mailbox is written: by "", stored; "unavailable", not;
	// "unknown", stored without saying so; "lost", not stored and not saying so.
	add map[string]string
	// fail makes an operation return an error; only a removal of unknown outcome is done.
	fail map[string]error
	// before is called before an operation.
	before   func(operation string)
	attempts map[string]store.Attempt
	gone     map[string]bool
	// each is the level Each, if there are several datacenters, see spread.
	each *script
	// origin is the datacenter that answers; set it by moveTo.
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

// moveTo makes another datacenter answer, with all that there is.
func (s *script) moveTo(origin string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.origin = origin
}

// call counts an operation and returns how it fails.
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

// took returns what was asked for since the last call, as "AddMessages:1 PutContent:1".
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
	errs := addAs(ctx, s.Engine, s.add, entries)
	s.call("AddMessages")
	return errs
}

// addAs writes rows to st in the way that add has for the local-part of each recipient, see
// script.
func addAs(ctx context.Context, st store.Mailboxes, add map[string]string, entries []store.Entry) []error {
	errs := make([]error, len(entries))
	for i, e := range entries {
		switch add[strings.ToLower(local(e.Message.Recipient))] {
		case "":
			errs[i] = st.AddMessages(ctx, entries[i:i+1])[0]
		case "unavailable":
			errs[i] = store.ErrUnavailable
		case "unknown":
			st.AddMessages(ctx, entries[i:i+1])
			errs[i] = store.ErrOutcomeUnknown
		case "lost":
			errs[i] = store.ErrOutcomeUnknown
		}
	}
	return errs
}

func local(address string) string {
	name, _, _ := strings.Cut(address, "@")
	return name
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

func (s *script) PutAttempt(_ context.Context, a store.Attempt) error {
	if err := s.call("PutAttempt"); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.gone[name(a)] {
		a.Recipients = slices.Clone(a.Recipients)
		s.attempts[name(a)] = a
	}
	return nil
}

func (s *script) Attempts(_ context.Context, since time.Time) iter.Seq2[store.Attempt, error] {
	err := s.call("Attempts")
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []store.Attempt
	for _, a := range s.attempts {
		if !a.Entered.Before(since) {
			list = append(list, a)
		}
	}
	slices.SortFunc(list, func(a, b store.Attempt) int { return b.Entered.Compare(a.Entered) })
	return func(yield func(store.Attempt, error) bool) {
		if err != nil {
			yield(store.Attempt{}, err)
			return
		}
		for _, a := range list {
			if !yield(a, nil) {
				return
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
	delete(s.attempts, name(a))
	s.gone[name(a)] = true
	return nil
}

// clock tells the time of a test; it moves by a microsecond with each look.
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
	*world
	*script
	clock *clock
	cfg   delivery.Config
}

func newLedgerWorld(t testing.TB, change func(*delivery.Config)) *ledgerWorld {
	t.Helper()
	w := &ledgerWorld{clock: newClock()}
	w.cfg = delivery.Config{Now: w.clock.Now}
	if change != nil {
		change(&w.cfg)
	}
	w.world = newWorld(t, w.cfg, inMemory(), func(s store.Store) store.Store {
		w.script = newScript(s.Closer.(store.Engine))
		return w.script.levels()
	})
	return w
}

// spread puts the store into several datacenters, with a script of its own for the level Each. attempts
// are the attempts at the level Each; nil: there are none.
func (w *ledgerWorld) spread(t testing.TB, attempts map[string]store.Attempt) {
	t.Helper()
	w.each = newScript(w.script.Engine)
	w.each.attempts = attempts
	w.reg = prometheus.NewRegistry()
	var err error
	if w.Deliverer, err = delivery.New(w.cfg, w.dir, w.script.levels(), w.reg); err != nil {
		t.Fatal(err)
	}
}

// another is a second server on the same store.
func (w *ledgerWorld) another(t testing.TB) *delivery.Deliverer {
	t.Helper()
	cfg := w.cfg
	cfg.IDs = nil
	d, err := delivery.New(cfg, w.dir, w.script.levels(), nil)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

const sample = "Subject: x\r\n\r\nsample\r\n"

// send delivers a text to some recipients by SMTP.
func (w *ledgerWorld) send(t testing.TB, text string, locals ...string) delivery.Result {
	t.Helper()
	e := w.envelope(t, locals...)
	e.SingleReply = true
	return finish(t, w.Deliverer, e, text)
}

// sendLMTP delivers a text to some recipients, each with a reply of its own.
func (w *ledgerWorld) sendLMTP(t testing.TB, text string, locals ...string) delivery.Result {
	t.Helper()
	return finish(t, w.Deliverer, w.envelope(t, locals...), text)
}

// finish delivers a text, in two pieces.
func finish(t testing.TB, d *delivery.Deliverer, e mail.Envelope, text string) delivery.Result {
	t.Helper()
	in, err := d.Begin(context.Background(), e)
	if err != nil {
		t.Fatal(err)
	}
	for _, piece := range []string{text[:len(text)/2], text[len(text)/2:]} {
		if _, err := in.ReadFrom(strings.NewReader(piece)); err != nil {
			t.Fatal(err)
		}
	}
	return in.Finish(context.Background())
}

// want checks the result of a delivery: "ok", "unknown" or "unavailable" for each recipient.
func want(t testing.TB, res delivery.Result, results ...string) {
	t.Helper()
	var got []string
	for _, err := range res.Errors {
		switch {
		case err == nil:
			got = append(got, "ok")
		case errors.Is(err, store.ErrOutcomeUnknown):
			got = append(got, "unknown")
		case errors.Is(err, store.ErrUnavailable):
			got = append(got, "unavailable")
		default:
			got = append(got, err.Error())
		}
	}
	if !slices.Equal(got, results) {
		t.Fatalf("recipients: %v, want %v (%v)", got, results, res.Errors)
	}
}

func wantRepeated(t testing.TB, res delivery.Result, repeated bool) {
	t.Helper()
	if res.Repeated != repeated {
		t.Fatalf("recognized as repeated: %v, want %v", res.Repeated, repeated)
	}
}

// wantAnew checks that a repetition of first was recognized, and stored under another id.
func wantAnew(t testing.TB, res, first delivery.Result) {
	t.Helper()
	if !res.Repeated || res.ID == first.ID {
		t.Errorf("recognized as repeated: %v, id %s, first %s; %+v", res.Repeated, res.ID, first.ID, res)
	}
}

// wantCopies checks how many messages mailboxes have, as "alice:1 bob:0", and that they are
// whole.
func (w *ledgerWorld) wantCopies(t testing.TB, copies string) {
	t.Helper()
	for item := range strings.FieldsSeq(copies) {
		local, n, _ := strings.Cut(item, ":")
		got := w.messages(t, local)
		if fmt.Sprint(len(got)) != n {
			t.Fatalf("%s has %d messages, want %s", local, len(got), n)
		}
		for _, m := range got {
			if !strings.HasSuffix(m, sample) {
				t.Errorf("%s has %q", local, m)
			}
		}
	}
}

// wantTook checks what the store was asked for since the last time.
func (w *ledgerWorld) wantTook(t testing.TB, operations string) {
	t.Helper()
	if got := w.took(); got != operations {
		t.Fatalf("the store was asked for %q, want %q", got, operations)
	}
}

// metric is the value of a metric of the ledger, summed over its labels.
func (w *ledgerWorld) metric(t testing.TB, name string) (sum float64) {
	t.Helper()
	return gathered(t, w.reg, "popelago_delivery_ledger_"+name)
}

func gathered(t testing.TB, reg *prometheus.Registry, name string) (sum float64) {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == name {
				sum += m.GetCounter().GetValue() + m.GetGauge().GetValue()
			}
		}
	}
	return sum
}
