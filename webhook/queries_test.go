package webhook_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"popelago/event"
	"popelago/store"
	"popelago/store/storetest"
	"popelago/webhook"
)

func everything(event.Event) bool { return true }

// octets lists the numbers of entries.
func octets(l webhook.List) (all []int64) {
	for _, e := range l.Entries {
		all = append(all, e.Size)
	}
	return all
}

// The list has the newest events of all processes first, within its bounds.
func TestList(t *testing.T) {
	st := newStore(t)
	c := &wrongClock{}
	cfg := configured(nil)
	cfg.Place.Now = c.now
	first := time.Now()
	for i := range 6 {
		c.ahead.Store(int64(time.Duration(i) * time.Hour))
		s := start(t, cfg, st) // another process each time
		s.Happened(accepted(i, i+1))
		s.close()
	}
	q := webhook.NewQueue(cfg, st, nil)
	list := func(in webhook.Range, may func(event.Event) bool) webhook.List {
		t.Helper()
		l, err := q.List(t.Context(), in, may)
		if err != nil || l.Partial {
			t.Fatalf("%+v, %v", l, err)
		}
		return l
	}
	all := list(webhook.Range{Limit: 10}, everything)
	if fmt.Sprint(octets(all)) != "[6 5 4 3 2 1]" || all.More {
		t.Errorf("all: %v, more %v", octets(all), all.More)
	}
	if e := all.Entries[0]; e.Kind != event.Accepted || e.Server != "mx1" || e.ID == "" || e.Time.IsZero() {
		t.Errorf("%+v", e)
	}
	some := list(webhook.Range{Limit: 2}, everything)
	if fmt.Sprint(octets(some)) != "[6 5]" || !some.More {
		t.Errorf("two: %v, more %v", octets(some), some.More)
	}
	rest := list(webhook.Range{Limit: 10, Until: some.Entries[1].Queued}, everything)
	if fmt.Sprint(octets(rest)) != "[4 3 2 1]" || rest.More {
		t.Errorf("until: %v, more %v", octets(rest), rest.More)
	}
	since := list(webhook.Range{Limit: 10, Since: first.Add(150 * time.Minute)}, everything)
	if fmt.Sprint(octets(since)) != "[6 5 4]" {
		t.Errorf("since: %v", octets(since))
	}
	odd := list(webhook.Range{Limit: 10}, func(e event.Event) bool { return e.Size%2 == 1 })
	if fmt.Sprint(octets(odd)) != "[5 3 1]" {
		t.Errorf("filtered: %v", octets(odd))
	}
	st.Journal.Local = damaged{st.Journal.Local, func(e event.Event) bool { return e.Size == 6 || e.Size == 3 }}
	q = webhook.NewQueue(cfg, st, nil)
	if bad := list(webhook.Range{Limit: 3}, everything); fmt.Sprint(octets(bad)) != "[5 4 2]" || !bad.More || bad.Damaged != 2 {
		t.Errorf("with damaged rows: %v, more %v, %d damaged", octets(bad), bad.More, bad.Damaged)
	}
}

// A webhook that is new gets no earlier event. A replay repeats the events since a moment, and still sends what
// waits from before, unless it skips.
func TestReplay(t *testing.T) {
	r, st := newReceiver(t), newStore(t)
	cfg := configured(r)
	none := cfg
	none.Targets = nil
	old := start(t, none, st)
	old.Happened(accepted(9, 1))
	old.close()

	s := start(t, cfg, st)
	began(t, cfg, st)
	q := webhook.NewQueue(cfg, st, s.Outbox)
	var moments [4]time.Time
	for i := range 3 {
		moments[i] = time.Now()
		time.Sleep(time.Millisecond)
		s.Happened(accepted(1, i+1))
		s.Flush(t.Context())
	}
	eventually(t, "the events", func() bool { return r.count() == 3 })
	want := func(what string, in string) {
		t.Helper()
		eventually(t, what, func() bool { return r.count() >= len(strings.Fields(in)) })
		r.mu.Lock()
		defer r.mu.Unlock()
		var numbers []int64
		for _, e := range r.events {
			numbers = append(numbers, e.Event.Octets)
		}
		if got := strings.Trim(fmt.Sprint(numbers), "[]"); got != in {
			t.Errorf("%s: %s, want %s", what, got, in)
		}
	}
	replay := func(from time.Time, skip bool) {
		t.Helper()
		if all, err := q.Replay(t.Context(), "crm", "", from, skip); err != nil || len(all) != 1 {
			t.Fatalf("%v, %v", all, err)
		}
	}
	replay(moments[1], false)
	want("a replay", "1 2 3 2 3")
	replay(moments[1], false)
	want("a second replay", "1 2 3 2 3 2 3")

	r.answers(func(w http.ResponseWriter, _ []got) bool { w.WriteHeader(http.StatusBadGateway); return false })
	before := r.asked()
	s.Happened(accepted(1, 4))
	s.Flush(t.Context())
	eventually(t, "a request", func() bool { return r.asked() > before })
	replay(time.Now(), false) // what waits goes on to wait
	r.taking()
	want("a replay from now on", "1 2 3 2 3 2 3 4")

	r.answers(func(w http.ResponseWriter, _ []got) bool { w.WriteHeader(http.StatusBadGateway); return false })
	before = r.asked()
	s.Happened(accepted(1, 5))
	s.Flush(t.Context())
	eventually(t, "a request", func() bool { return r.asked() > before })
	replay(time.Now(), true)
	eventually(t, "that nothing waits", func() bool { all := q.Statuses(t.Context()); return !all[0].Waiting })
	before = r.asked()
	s.Wake()
	s.Happened(accepted(1, 6))
	eventually(t, "a request with the sixth event", func() bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		for _, body := range r.ids {
			if strings.Contains(body, `"octets":6`) && !strings.Contains(body, `"octets":5`) {
				return true
			}
		}
		return false
	})
	r.taking()
	want("after a skip", "1 2 3 2 3 2 3 4 6")

	if _, err := q.Replay(t.Context(), "other", "", time.Now(), false); !errors.Is(err, webhook.ErrNoWebhook) {
		t.Errorf("an unknown webhook: %v", err)
	}
	if _, err := q.Replay(t.Context(), "crm", "dc9", time.Now(), false); !errors.Is(err, webhook.ErrDatacenter) {
		t.Errorf("an unknown datacenter: %v", err)
	}
}

// Whichever call of the store fails, before or after its effect, once or for a while: each event arrives.
func TestStoreFaults(t *testing.T) {
	operations := []string{"AddRecords", "AdvanceMarks", "RecordsAfter", "Marks"}
	for _, operation := range operations {
		for k := range 4 {
			for _, mode := range []storetest.Mode{storetest.Before, storetest.After} {
				t.Run(fmt.Sprintf("%s/%d/%v", operation, k, mode), func(t *testing.T) {
					t.Parallel()
					r, sound := newReceiver(t), newStore(t)
					cfg := configured(r)
					first := start(t, cfg, sound)
					began(t, cfg, sound)
					first.close()
					f := &storetest.Fault{Operation: operation, K: k, Lasting: k%2 == 1, Mode: mode}
					s := start(t, cfg, storetest.Faulty(sound, f))
					for i := range 10 {
						s.Happened(accepted(i%2, i/2+1))
						time.Sleep(time.Millisecond)
					}
					eventually(t, "the failure", func() bool { _, hit := f.Hit(); return hit })
					f.Off.Store(true)
					r.wantAll(2, 5)
				})
			}
		}
	}
}

// Events beyond the bound are dropped and counted; events of other domains and kinds do not count.
func TestBounds(t *testing.T) {
	f := &storetest.Fault{Operation: "AddRecords", Lasting: true}
	cfg := configured(nil)
	cfg.Waiting, cfg.FlushEvery = 10, time.Hour
	cfg.Domains = []string{"example.test"}
	s := start(t, cfg, storetest.Faulty(newStore(t), f))
	for i := range 25 {
		s.Happened(accepted(1, i+1))
	}
	s.Happened(event.Event{Kind: event.Accepted, Address: "a@other.test"})
	s.Happened(event.Event{Kind: event.Refused, Address: address(1)})
	if n := counter(t, s, "popelago_webhook_dropped_total"); n != 15 {
		t.Errorf("%v events dropped, want 15", n)
	}
	f.Off.Store(true)
	s.close()
	if n := counter(t, s, "popelago_webhook_queued_total"); n != 10 {
		t.Errorf("%v events queued, want 10", n)
	}
}

// counter adds up a metric.
func counter(t *testing.T, s *server, name string) (total float64) {
	t.Helper()
	families, err := s.reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == name {
				total += m.GetCounter().GetValue()
			}
		}
	}
	return total
}

// placed is a store that fails over and comes back.
type placed struct {
	store.Mail
	origin atomic.Value
}

func (p *placed) Origin() string { return p.origin.Load().(string) }

// During a failover nothing enters the queue and nothing is sent: the other datacenter may lack rows, and a position
// would pass them. Afterwards all events are sent.
func TestFailover(t *testing.T) {
	r, st := newReceiver(t), newStore(t)
	cfg := configured(r)
	cfg.Place.Datacenter = "dc1"
	place := &placed{Mail: st.Mail.Local}
	place.origin.Store("dc1")
	st.Mail = store.OneLevel[store.Mail](place)
	s := start(t, cfg, st)
	began(t, cfg, st)
	s.Happened(accepted(1, 1))
	eventually(t, "the first event", func() bool { return r.count() == 1 })
	place.origin.Store("dc2")
	for n := 2; n <= 5; n++ {
		s.Happened(accepted(1, n))
	}
	s.Wake()
	time.Sleep(50 * time.Millisecond)
	list, err := webhook.NewQueue(cfg, st, nil).List(t.Context(), webhook.Range{Limit: 10}, everything)
	if err != nil || len(list.Entries) != 1 || r.asked() != 1 {
		t.Errorf("during a failover the queue has %d events, %v; %d requests", len(list.Entries), err, r.asked())
	}
	place.origin.Store("dc1")
	eventually(t, "all events", func() bool { return r.count() == 5 })
	if numbers, _ := r.perMaildrop(); fmt.Sprint(numbers[address(1)]) != "[1 2 3 4 5]" {
		t.Errorf("%v", numbers)
	}
}
