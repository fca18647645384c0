package trace_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/prometheus/client_golang/prometheus"

	"popelago/event"
	"popelago/mail"
	"popelago/store"
	"popelago/store/embedded"
	"popelago/store/storetest"
	"popelago/trace"
)

// world is a keeper and a reader on an embedded engine in memory.
type world struct {
	*trace.Keeper
	*trace.Reader
	store store.Store
	reg   *prometheus.Registry
	ids   *mail.IDSource
}

// on is a configuration that keeps both journals,.
func on() trace.Config {
	cfg := trace.DefaultConfig()
	cfg.Trace.Enabled, cfg.Audit.Enabled = true, true
	cfg.FlushEvery, cfg.FlushPatience = time.Hour, time.Hour // answers write what waits
	cfg.Place = event.Place{Server: "mx1", Datacenter: "dc1", Now: time.Now}
	return cfg
}

func newWorld(t *testing.T, cfg trace.Config, wrap func(store.Store) store.Store) *world {
	t.Helper()
	engine, err := embedded.Open(embedded.Config{Dir: "data", FS: vfs.NewMem()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { engine.Close() })
	w := &world{store: store.Single(engine), reg: prometheus.NewRegistry(), ids: mail.NewIDSource(nil)}
	st := w.store
	if wrap != nil {
		st = wrap(st)
	}
	if w.Keeper, err = trace.New(cfg, st, w.reg); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close(context.Background()) })
	w.Reader = trace.NewReader(cfg, st, w.Keeper)
	return w
}

// all lets everybody see everything.
func all(event.Event) bool { return true }

// kinds lists the kinds of an answer, the newest first.
func kinds(a trace.Answer) string {
	var names []string
	for _, e := range a.Events {
		names = append(names, string(e.Kind))
	}
	return strings.Join(names, " ")
}

// want checks the kinds of an answer.
func want(t *testing.T, what, kindsWanted string, ask func() (trace.Answer, error)) trace.Answer {
	t.Helper()
	a, err := ask()
	if err != nil || kinds(a) != kindsWanted {
		t.Errorf("%s: %q, %v, want %q", what, kinds(a), err, kindsWanted)
	}
	return a
}

// sum adds up a metric with a label value.
func sum(t *testing.T, reg *prometheus.Registry, name, label string) (total float64) {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			for _, l := range m.GetLabel() {
				if f.GetName() == name && l.GetValue() == label {
					total += m.GetCounter().GetValue()
				}
			}
		}
	}
	return total
}

// A restored message has another id, and the same unique-id: its story goes on under each of its names.
func TestStoryOfRestored(t *testing.T) {
	w := newWorld(t, on(), nil)
	id, anew := w.ids.Next(), w.ids.Next()
	at := time.Now().Add(-time.Minute)
	for i, e := range []event.Event{
		{Kind: event.Accepted, Message: id, HeaderID: "1@example.org"}, {Kind: event.Removed, Message: id},
		{Kind: event.Restored, Message: anew, UIDL: id.UIDL()}, {Kind: event.Retrieved, Message: anew, UIDL: id.UIDL()},
	} {
		e.Time, e.Address, e.Mailbox = at.Add(time.Duration(i)*time.Second), "alice@example.test", mail.MailboxID{1}
		w.Happened(e)
	}
	in := trace.Range{Limit: 10}
	const story = "retrieved restored removed accepted"
	want(t, "by unique-id", story, func() (trace.Answer, error) { return w.UIDL(t.Context(), id.UIDL(), in, all) })
	want(t, "by id", story, func() (trace.Answer, error) { return w.Message(t.Context(), id, in, all) })
	want(t, "by Message-ID", story, func() (trace.Answer, error) { return w.HeaderID(t.Context(), "1@example.org", in, all) })
	want(t, "by the new id", "retrieved restored", func() (trace.Answer, error) { return w.Message(t.Context(), anew, in, all) })
	want(t, "by a page of the story", "restored removed", func() (trace.Answer, error) {
		a, err := w.UIDL(t.Context(), id.UIDL(), trace.Range{Limit: 1}, all)
		if err != nil {
			return a, err
		}
		return w.UIDL(t.Context(), id.UIDL(), trace.Range{Limit: 2, Before: a.Next}, all)
	})
}

// The story of a message is found by each of its names, and the mail of an account by its address.
func TestStory(t *testing.T) {
	w := newWorld(t, on(), nil)
	id, other := w.ids.Next(), w.ids.Next()
	start := time.Now().Add(-time.Hour)
	at := func(minutes int) time.Time { return start.Add(time.Duration(minutes) * time.Minute) }
	alice := event.Event{Mailbox: mail.MailboxID{1}, Address: "alice@example.test"}
	happened := func(kind event.Kind, minute int, id mail.MessageID, set func(*event.Event)) {
		e := alice
		e.Kind, e.Time, e.Message = kind, at(minute), id
		if set != nil {
			set(&e)
		}
		w.Happened(e)
	}
	header := func(e *event.Event) { e.HeaderID, e.Size, e.Reached = "1@example.org", 100, mail.ReachedEach }
	happened(event.LoggedIn, 0, mail.MessageID{}, nil) // before the message
	happened(event.Accepted, 1, id, header)
	happened(event.Accepted, 1, id, func(e *event.Event) { header(e); e.Address, e.Mailbox = "bob@example.test", mail.MailboxID{2} })
	happened(event.Accepted, 2, other, nil)
	happened(event.LoggedIn, 3, mail.MessageID{}, nil) // lists the message
	happened(event.Retrieved, 4, id, nil)
	happened(event.LoggedIn, 5, mail.MessageID{}, nil) // after the first retrieval
	happened(event.Removed, 6, id, nil)
	happened(event.Refused, 7, mail.MessageID{}, func(e *event.Event) { e.HeaderID, e.Cause = "1@example.org", "a fault" })

	// Bob has never logged in: his part of the story is the acceptance.
	const story = "removed retrieved login accepted accepted"
	in := trace.Range{Limit: 100}
	a := want(t, "by id", story, func() (trace.Answer, error) { return w.Message(t.Context(), id, in, all) })
	if e := a.Events[4]; e.Server != "mx1" || e.Datacenter != "dc1" || e.Reached != mail.ReachedEach || e.Size != 100 || a.Partial {
		t.Errorf("accepted %+v", e)
	}
	want(t, "by unique-id", story, func() (trace.Answer, error) { return w.UIDL(t.Context(), id.UIDL(), in, all) })
	want(t, "by Message-ID", "refused "+story, func() (trace.Answer, error) { return w.HeaderID(t.Context(), "1@example.org", in, all) })
	want(t, "by address", "refused removed login retrieved login accepted accepted login", func() (trace.Answer, error) {
		return w.Account(t.Context(), "alice@example.test", in, all)
	})
	want(t, "a range", "retrieved login accepted", func() (trace.Answer, error) {
		return w.Account(t.Context(), "alice@example.test", trace.Range{From: at(2), To: at(5), Limit: 100}, all)
	})
	want(t, "a filter", "accepted", func() (trace.Answer, error) {
		return w.Message(t.Context(), id, in, func(e event.Event) bool { return e.Address == "bob@example.test" })
	})
	want(t, "an unknown name", "", func() (trace.Answer, error) { return w.UIDL(t.Context(), "unknown", in, all) })
}

// Events of one moment keep their order.
func TestOneMoment(t *testing.T) {
	now := time.Now()
	cfg := on()
	cfg.Place.Now = func() time.Time { return now }
	w := newWorld(t, cfg, nil)
	for _, kind := range []event.Kind{event.Accepted, event.LoggedIn, event.Retrieved, event.Removed, event.Accepted} {
		w.Happened(event.Event{Kind: kind, Address: "alice@example.test"})
	}
	want(t, "one moment", "accepted removed retrieved login accepted", func() (trace.Answer, error) {
		return w.Account(t.Context(), "alice@example.test", trace.Range{Limit: 10}, all)
	})
}

// Pages follow each other without a gap, also across days and within one moment.
func TestPages(t *testing.T) {
	w := newWorld(t, on(), nil)
	start := time.Now().Add(-50 * time.Hour)
	for i := range 25 {
		w.Happened(event.Event{Kind: event.Accepted, Address: "alice@example.test", Time: start.Add(time.Duration(i/2) * 4 * time.Hour), Size: int64(i + 1)})
	}
	ask := func(in trace.Range) trace.Answer {
		a, err := w.Account(t.Context(), "alice@example.test", in, all)
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	if n := len(ask(trace.Range{Limit: 100}).Events); n != 25 {
		t.Errorf("%d events, want 25", n)
	}
	seen := map[int64]bool{}
	in := trace.Range{Limit: 4}
	for pages := 1; ; pages++ {
		a := ask(in)
		for i, e := range a.Events {
			if seen[e.Size] || i > 0 && e.Time.After(a.Events[i-1].Time) {
				t.Errorf("event %d is there twice, or out of order", e.Size)
			}
			seen[e.Size] = true
		}
		if in.Before = a.Next; a.Next == "" {
			break
		}
		if pages > 10 {
			t.Fatal("the pages do not end")
		}
	}
	if len(seen) != 25 {
		t.Errorf("the pages have %d events, want 25", len(seen))
	}
	if _, err := w.Account(t.Context(), "a@b", trace.Range{Limit: 1, Before: "x"}, all); !errors.Is(err, trace.ErrBadPosition) {
		t.Errorf("a bad position: %v", err)
	}
}

// The pages of the stories of a Message-ID have every event, also when each story is longer than a page.
func TestPagesOfStories(t *testing.T) {
	w := newWorld(t, on(), nil)
	start := time.Now().Add(-30 * time.Minute)
	ids := []mail.MessageID{w.ids.Next(), w.ids.Next()}
	total := 0
	happened := func(kind event.Kind, second float64, id mail.MessageID) {
		total++
		w.Happened(event.Event{Kind: kind, Time: start.Add(time.Duration(second * float64(time.Second))), Message: id, HeaderID: "1@example.org", Address: "alice@example.test", Size: int64(total)})
	}
	for n := range 20 {
		happened(event.Retrieved, float64(10+3*n), ids[0])
		happened(event.Retrieved, float64(10+n)+0.5, ids[1])
	}
	happened(event.Accepted, 1, ids[0])
	happened(event.Accepted, 2, ids[1])
	seen := map[int64]bool{}
	in := trace.Range{Limit: 4}
	for pages := 1; ; pages++ {
		a, err := w.HeaderID(t.Context(), "1@example.org", in, all)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range a.Events {
			if seen[e.Size] {
				t.Errorf("event %d is there twice", e.Size)
			}
			seen[e.Size] = true
		}
		if in.Before = a.Next; a.Next == "" {
			break
		}
		if pages > total {
			t.Fatal("the pages do not end")
		}
	}
	if len(seen) != total {
		t.Errorf("the pages have %d events, want %d", len(seen), total)
	}
}

// The audit has administrative actions by account, by domain and all together, and no deliveries.
func TestAudit(t *testing.T) {
	w := newWorld(t, on(), nil)
	start := time.Now().Add(-time.Hour)
	for i, e := range []event.Event{
		{Kind: event.Accepted, Address: "alice@example.test"},
		{Kind: event.LoggedIn, Address: "alice@example.test"},
		{Kind: event.Removed, Address: "alice@example.test", Message: w.ids.Next()},
		{Kind: event.Accessed, Address: "alice@example.test", Actor: "socket", Operation: "fetch-message"},
		{Kind: event.Changed, Address: "example.test", Actor: "socket", Operation: "change-domain", Before: "a", After: "b"},
		{Kind: event.Changed, Actor: "socket", Operation: "add-token"},
	} {
		e.Time = start.Add(time.Duration(i) * time.Second)
		w.Happened(e)
	}
	in := trace.Range{Limit: 100}
	for _, c := range []struct {
		subjects []string
		want     string
	}{
		{[]string{"alice@example.test"}, "access removed login"},
		{[]string{"example.test"}, "change access"},
		{nil, "change change access"},
		{[]string{"other.test"}, ""},
	} {
		want(t, fmt.Sprint(c.subjects), c.want, func() (trace.Answer, error) { return w.Audit(t.Context(), c.subjects, in, all) })
	}
}

// held is a journal that takes no row while held.
type held struct {
	store.Journal
	free chan struct{}
}

func (h *held) AddRecords(ctx context.Context, j store.JournalName, rows []store.Record, keep time.Duration) error {
	select {
	case <-h.free:
	case <-ctx.Done():
		return fmt.Errorf("held: %w: %w", store.ErrUnavailable, ctx.Err())
	}
	return h.Journal.AddRecords(ctx, j, rows, keep)
}

// A store that takes nothing delays no event; events beyond the limit are dropped and counted.
func TestFull(t *testing.T) {
	h := &held{free: make(chan struct{})}
	cfg := on()
	cfg.Waiting = 10
	w := newWorld(t, cfg, func(s store.Store) store.Store {
		h.Journal = s.Journal.Local
		s.Journal = store.OneLevel[store.Journal](h)
		return s
	})
	const n = 1000
	for range n {
		w.Happened(event.Event{Kind: event.Accepted, Address: "alice@example.test"})
	}
	dropped := sum(t, w.reg, "popelago_trace_dropped_total", "full")
	if dropped < 1 {
		t.Errorf("%v events were dropped", dropped)
	}
	close(h.free)
	w.Close(t.Context())
	if written := sum(t, w.reg, "popelago_trace_records_total", "trace"); written+dropped != n {
		t.Errorf("%v written and %v dropped of %d", written, dropped, n)
	}
	w.Happened(event.Event{Kind: event.Accepted, Address: "alice@example.test"})
	if sum(t, w.reg, "popelago_trace_dropped_total", "stopped") != 1 {
		t.Error("an event after Close is not counted")
	}
}

// Close gives up at the end of its time.
func TestCloseEnds(t *testing.T) {
	h := &held{free: make(chan struct{})}
	w := newWorld(t, on(), func(s store.Store) store.Store {
		h.Journal = s.Journal.Local
		s.Journal = store.OneLevel[store.Journal](h)
		return s
	})
	w.Happened(event.Event{Kind: event.Accepted, Address: "alice@example.test"})
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	w.Close(gone)
	if sum(t, w.reg, "popelago_trace_dropped_total", "stopped") != 1 {
		t.Error("the lost event is not counted")
	}
}

// A record that fails once is written again; an event of a journal that is off has no record.
func TestAgain(t *testing.T) {
	fault := &storetest.Fault{Operation: "AddRecords", Class: store.ErrOutcomeUnknown}
	cfg := on()
	cfg.Audit.Enabled = false
	w := newWorld(t, cfg, func(s store.Store) store.Store { return storetest.Faulty(s, fault) })
	w.Happened(event.Event{Kind: event.Retrieved, Address: "alice@example.test"})
	w.Flush(t.Context())
	in := trace.Range{Limit: 10}
	want(t, "trace", "retrieved", func() (trace.Answer, error) { return w.Account(t.Context(), "alice@example.test", in, all) })
	want(t, "audit", "", func() (trace.Answer, error) { return w.Audit(t.Context(), []string{"alice@example.test"}, in, all) })
}

// Record answers once the audit has the record, only once, and reports the fault of the store.
func TestRecord(t *testing.T) {
	fault := &storetest.Fault{Operation: "AddRecords", Class: store.ErrUnavailable}
	cfg := on()
	cfg.Required = true
	w := newWorld(t, cfg, func(s store.Store) store.Store { return storetest.Faulty(s, fault) })
	e := event.Event{Kind: event.LoggedIn, Address: "alice@example.test"}
	if err := w.Record(t.Context(), e); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("a fault: %v", err)
	}
	if err := w.Record(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	in := trace.Range{Limit: 10}
	a, err := w.Audit(t.Context(), []string{"alice@example.test"}, in, all)
	if err != nil || kinds(a) != "login" {
		t.Errorf("audit %q, %v", kinds(a), err)
	}
	want(t, "trace", "login", func() (trace.Answer, error) { return w.Account(t.Context(), "alice@example.test", in, all) })
	if a, err = w.Audit(t.Context(), []string{"alice@example.test"}, in, all); err != nil || kinds(a) != "login" {
		t.Errorf("audit afterwards %q, %v", kinds(a), err)
	}
}

// An answer without a datacenter says so.
func TestPartial(t *testing.T) {
	w := newWorld(t, on(), nil)
	w.Happened(event.Event{Kind: event.Accepted, Address: "alice@example.test"})
	in := trace.Range{Limit: 10}
	want(t, "trace", "accepted", func() (trace.Answer, error) { return w.Account(t.Context(), "alice@example.test", in, all) })
	fault := &storetest.Fault{Operation: "Records", Lasting: true, Class: store.ErrUnavailable}
	st := w.store
	st.Journal.Each, st.Journal.Several = storetest.Faulty(w.store, fault).Journal.Local, true
	a, err := trace.NewReader(on(), st, nil).Account(t.Context(), "alice@example.test", in, all)
	if err != nil || !a.Partial || kinds(a) != "accepted" {
		t.Errorf("answer %+v, %v", a, err)
	}
	st.Journal.Local = st.Journal.Each
	if _, err := trace.NewReader(on(), st, nil).Account(t.Context(), "alice@example.test", in, all); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("without any datacenter: %v", err)
	}
}

// damaged returns the records of some times with other octets than were written.
type damaged struct {
	store.Journal
	at func(time.Time) bool
}

func (d damaged) Records(ctx context.Context, j store.JournalName, key string, day int, before store.Record, limit int) ([]store.Record, bool, error) {
	rows, more, err := d.Journal.Records(ctx, j, key, day, before, limit)
	for i, r := range rows {
		if d.at(r.At) {
			rows[i].Data = []byte("damaged")
		}
	}
	return rows, more, err
}

// A damaged record is counted, and does not withhold the others, also where a whole page is damaged.
func TestDamagedRecords(t *testing.T) {
	w := newWorld(t, on(), nil)
	const address, n = "alice@example.test", 10
	began := time.Now().Truncate(time.Second)
	for i := range n {
		w.Happened(event.Event{Time: began.Add(time.Duration(i) * time.Millisecond), Kind: event.Changed, Operation: fmt.Sprint(i), Address: address})
	}
	w.Flush(t.Context())
	st := w.store
	st.Journal.Local = damaged{st.Journal.Local, func(at time.Time) bool { return at.Sub(began) >= 4*time.Millisecond || at.Equal(began) }}
	r := trace.NewReader(on(), st, nil)
	for _, subjects := range [][]string{nil, {address}} {
		a, err := r.Audit(t.Context(), subjects, trace.Range{Limit: 2}, all)
		if err != nil || len(a.Events) != 2 || a.Events[0].Operation != "3" || a.Next == "" || a.Damaged < 6 {
			t.Fatalf("%+v, %v", a, err)
		}
		rest, err := r.Audit(t.Context(), subjects, trace.Range{Limit: 2, Before: a.Next}, all)
		if err != nil || len(rest.Events) != 1 || rest.Events[0].Operation != "1" || rest.Next != "" || rest.Damaged != 1 {
			t.Errorf("the rest: %+v, %v", rest, err)
		}
	}
}
