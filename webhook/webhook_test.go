package webhook_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/prometheus/client_golang/prometheus"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"popelago/event"
	"popelago/mail"
	"popelago/mailtest"
	"popelago/store"
	"popelago/store/embedded"
	"popelago/webhook"
)

var key = []byte("0123456789abcdef0123456789abcdef")

// form is the JSON form of events in these tests.
type form struct {
	Kind    string `json:"kind"`
	Address string `json:"address"`
	Octets  int64  `json:"octets"`
	Server  string `json:"server"`
}

// receiver is a program that takes events.
type receiver struct {
	t *testing.T
	*httptest.Server
	// answer decides about a request; nil: 204.
	answer atomic.Pointer[func(w http.ResponseWriter, events []got) bool]

	mu       sync.Mutex
	events   []got // taken, in order
	requests int
	ids      map[string]string // the body by Webhook-Id
}

// got is an event as it was received.
type got struct {
	ID    string `json:"id"`
	Event form   `json:"event"`
}

func newReceiver(t *testing.T) *receiver {
	r := &receiver{t: t, ids: map[string]string{}}
	r.Server = httptest.NewServer(r)
	t.Cleanup(r.Close)
	return r
}

// answers sets the decision about requests: true takes the events.
func (r *receiver) answers(f func(w http.ResponseWriter, events []got) bool) { r.answer.Store(&f) }

// taking takes all events from now on.
func (r *receiver) taking() { r.answer.Store(nil) }

func (r *receiver) ServeHTTP(w http.ResponseWriter, in *http.Request) {
	text, err := io.ReadAll(in.Body)
	if err != nil {
		return // the sender has given up
	}
	verifier, err := standardwebhooks.NewWebhook(base64.StdEncoding.EncodeToString(key))
	if err != nil {
		r.t.Error(err)
	}
	if err := verifier.VerifyIgnoringTimestamp(text, in.Header); err != nil {
		r.t.Errorf("signature: %v", err)
	}
	var body struct {
		Type, Webhook string
		Events        []got
	}
	if err := json.Unmarshal(text, &body); err != nil || body.Type != "popelago.events" || body.Webhook != "crm" || len(body.Events) == 0 {
		r.t.Errorf("body %s: %v", text, err)
	}
	r.mu.Lock()
	id := in.Header.Get("Webhook-Id")
	if before, ok := r.ids[id]; ok && before != string(text) {
		r.t.Errorf("the id %s had another body", id)
	}
	r.ids[id] = string(text)
	r.requests++
	r.mu.Unlock()
	if f := r.answer.Load(); f != nil && !(*f)(w, body.Events) {
		return
	}
	r.mu.Lock()
	r.events = append(r.events, body.Events...)
	r.mu.Unlock()
	w.WriteHeader(http.StatusNoContent)
}

func (r *receiver) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.events)
}

func (r *receiver) asked() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.requests
}

// perMaildrop returns the numbers of the events by address, each the first time only, and the count of repetitions.
func (r *receiver) perMaildrop() (numbers map[string][]int64, repeated int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	numbers = map[string][]int64{}
	seen := map[string]bool{}
	for _, e := range r.events {
		k := fmt.Sprint(e.Event.Address, e.Event.Octets)
		if seen[k] {
			repeated++
			continue
		}
		seen[k] = true
		numbers[e.Event.Address] = append(numbers[e.Event.Address], e.Event.Octets)
	}
	return numbers, repeated
}

// wantAll waits until maildrops have n events each, 1 to n, and checks their order.
func (r *receiver) wantAll(maildrops, n int) {
	r.t.Helper()
	eventually(r.t, "all events", func() bool {
		numbers, _ := r.perMaildrop()
		total := 0
		for _, all := range numbers {
			total += len(all)
		}
		return total >= maildrops*n
	})
	numbers, _ := r.perMaildrop()
	for i := range maildrops {
		for j, number := range numbers[address(i)] {
			if number != int64(j+1) {
				r.t.Fatalf("%s: event %d stands at place %d: %v", address(i), number, j+1, numbers[address(i)])
			}
		}
	}
}

// eventually waits for a condition, as long as the slowest machine may need.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(2 * time.Minute); !is(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s: not seen", what)
		}
	}
}

func address(i int) string { return fmt.Sprintf("user%d@example.test", i) }

// server is a server of the store: it queues and sends.
type server struct {
	*webhook.Outbox
	*webhook.Sender
	reg  *prometheus.Registry
	once sync.Once
}

func (s *server) close() {
	s.once.Do(func() {
		s.Outbox.Close(context.Background())
		s.Sender.Close(context.Background())
	})
}

func newStore(t *testing.T) store.Store {
	t.Helper()
	engine, err := embedded.Open(embedded.Config{Dir: "data", FS: vfs.NewMem()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { engine.Close() })
	return store.Single(engine)
}

// configured is a configuration with a webhook.
func configured(r *receiver) webhook.Config {
	cfg := webhook.DefaultConfig()
	cfg.Enabled = true
	cfg.FlushEvery, cfg.RetryMax, cfg.Batch = 2*time.Millisecond, 20*time.Millisecond, 7
	cfg.Alone, cfg.Timeout = true, time.Hour
	cfg.Place = event.Place{Server: "mx1", Now: time.Now}
	cfg.Form = func(e event.Event) any {
		return form{string(e.Kind), e.Address, e.Size, e.Server}
	}
	if r != nil {
		cfg.Targets = []webhook.Target{{Name: "crm", URL: r.URL, Key: key}}
	}
	return cfg
}

// start starts a server, which ends with the test.
func start(t *testing.T, cfg webhook.Config, st store.Store) *server {
	t.Helper()
	s := &server{reg: prometheus.NewRegistry()}
	var err error
	if s.Sender, err = webhook.NewSender(cfg, st, s.reg); err != nil {
		t.Fatal(err)
	}
	if s.Outbox, err = webhook.NewOutbox(cfg, st, s.reg, s.Wake); err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(s.close)
	return s
}

// began waits until a webhook has begun: later events are sent.
func began(t *testing.T, cfg webhook.Config, st store.Store) {
	t.Helper()
	q := webhook.NewQueue(cfg, st, nil)
	eventually(t, "the begin of the webhook", func() bool {
		all := q.Statuses(t.Context())
		return len(all) > 0 && all[0].Err == nil && all[0].Began
	})
}

// accepted is the n-th event of a maildrop.
func accepted(maildrop, n int) event.Event {
	return event.Event{Kind: event.Accepted, Mailbox: mail.MailboxID{byte(maildrop), byte(maildrop >> 8)}, Address: address(maildrop), Size: int64(n)}
}

// Events arrive signed, in the order of each maildrop, and each once.
func TestEventsArriveInOrder(t *testing.T) {
	r, st := newReceiver(t), newStore(t)
	cfg := configured(r)
	s := start(t, cfg, st)
	began(t, cfg, st)
	const maildrops, n = 30, 40
	for i := range n {
		for m := range maildrops {
			s.Happened(accepted(m, i+1))
		}
	}
	s.Happened(event.Event{Kind: event.LoggedIn, Address: address(0), Size: 99}) // not among the default kinds
	r.wantAll(maildrops, n)
	if _, repeated := r.perMaildrop(); repeated > 0 || r.count() != maildrops*n {
		t.Errorf("%d events, %d repeated", r.count(), repeated)
	}
	if e := r.events[0].Event; e.Kind != "accepted" || e.Server != "mx1" {
		t.Errorf("%+v", e)
	}
}

// A webhook that is down for a while, in every way, gets all events in order afterwards. Meanwhile
// nothing waits for it, and the failure is shown.
func TestReceiverDown(t *testing.T) {
	r, st := newReceiver(t), newStore(t)
	cfg := configured(r)
	cfg.Timeout = 3 * time.Second // for the request that hangs; the others have many tries
	s := start(t, cfg, st)
	began(t, cfg, st)
	hang := make(chan struct{})
	defer close(hang)
	ways := []func(w http.ResponseWriter, _ []got) bool{
		func(w http.ResponseWriter, _ []got) bool { w.WriteHeader(http.StatusInternalServerError); return false },
		func(w http.ResponseWriter, _ []got) bool {
			w.Header().Set("Retry-After", "3600") // no longer than RetryMax
			w.WriteHeader(http.StatusTooManyRequests)
			return false
		},
		func(w http.ResponseWriter, _ []got) bool {
			w.Header().Set("Location", r.URL+"/elsewhere")
			w.WriteHeader(http.StatusTemporaryRedirect)
			return false
		},
		func(http.ResponseWriter, []got) bool { <-hang; return false },
		func(http.ResponseWriter, []got) bool { panic(http.ErrAbortHandler) },
	}
	const maildrops = 5
	for i, way := range ways {
		r.answers(way)
		before := r.asked()
		for m := range maildrops {
			s.Happened(accepted(m, i+1))
		}
		eventually(t, "two requests", func() bool { return r.asked() >= before+2 })
		eventually(t, "the failure", func() bool { return !s.Failures()["crm"].Since.IsZero() })
	}
	if n := r.count(); n != 0 {
		t.Fatalf("%d events were taken", n)
	}
	q := webhook.NewQueue(cfg, st, s.Outbox)
	if all := q.Statuses(t.Context()); len(all) != 1 || !all[0].Waiting || all[0].Oldest.IsZero() {
		t.Errorf("statuses %+v", all)
	}
	r.taking()
	r.wantAll(maildrops, len(ways))
	eventually(t, "the end of the failure", func() bool { return len(s.Failures()) == 0 })
	eventually(t, "no event that waits", func() bool { all := q.Statuses(t.Context()); return !all[0].Waiting })
}

// A webhook that refuses the events of one maildrop gets those of maildrops in other parts.
func TestRefusedEvents(t *testing.T) {
	r, st := newReceiver(t), newStore(t)
	cfg := configured(r)
	s := start(t, cfg, st)
	began(t, cfg, st)
	r.answers(func(w http.ResponseWriter, events []got) bool {
		for _, e := range events {
			if e.Event.Address == address(0) {
				w.WriteHeader(http.StatusBadRequest)
				return false
			}
		}
		return true
	})
	const maildrops = 40
	for m := range maildrops {
		s.Happened(accepted(m, 1))
	}
	eventually(t, "events of other parts", func() bool { numbers, _ := r.perMaildrop(); return len(numbers) >= maildrops/4 })
	r.taking()
	r.wantAll(maildrops, 1)
}

// After a stop, also with a webhook that was down, the next process sends all that waits, and nothing again.
func TestStopAndStart(t *testing.T) {
	r, st := newReceiver(t), newStore(t)
	cfg := configured(r)
	s := start(t, cfg, st)
	began(t, cfg, st)
	s.Happened(accepted(1, 1))
	r.wantAll(2, 0)
	eventually(t, "the first event", func() bool { return r.count() == 1 })
	s.close()
	for i := range 3 { // down over three processes
		r.answers(func(w http.ResponseWriter, _ []got) bool { w.WriteHeader(http.StatusServiceUnavailable); return false })
		s = start(t, cfg, st)
		before := r.asked()
		s.Happened(accepted(1, i+2))
		s.Happened(accepted(2, i+1))
		eventually(t, "a request", func() bool { return r.asked() > before })
		s.close()
	}
	r.taking()
	start(t, cfg, st)
	eventually(t, "all events", func() bool { return r.count() >= 7 })
	numbers, repeated := r.perMaildrop()
	if fmt.Sprint(numbers) != fmt.Sprint(map[string][]int64{address(1): {1, 2, 3, 4}, address(2): {1, 2, 3}}) || repeated > 0 {
		t.Errorf("events %v, %d repeated", numbers, repeated)
	}
}

// shared is the share of a server: a test moves it.
type shared struct {
	store.Upkeep
	mine *atomic.Bool
}

func (s shared) Mine(string) bool { return s.mine.Load() }

// shareOf returns the store with a share of a server.
func shareOf(st store.Store, mine *atomic.Bool) store.Store {
	st.Upkeep = store.OneLevel[store.Upkeep](shared{st.Upkeep.Local, mine})
	return st
}

// Two servers write to the queue, and the work moves between them, for a while to both and to none, with a webhook
// that fails now and then. Nothing is lost.
func TestTwoServers(t *testing.T) {
	r, st := newReceiver(t), newStore(t)
	r.answers(func(w http.ResponseWriter, _ []got) bool {
		if rand.N(5) == 0 {
			w.WriteHeader(http.StatusBadGateway)
			return false
		}
		return true
	})
	cfg := configured(r)
	cfg.Alone, cfg.Settle = false, 20*time.Millisecond
	var mine [2]atomic.Bool
	mine[0].Store(true)
	servers := []*server{start(t, cfg, shareOf(st, &mine[0])), start(t, cfg, shareOf(st, &mine[1]))}
	began(t, cfg, st)
	const maildrops, n = 10, 60
	for i := range n {
		for m := range maildrops {
			s := servers[rand.N(2)]
			s.Happened(accepted(m, i+1))
		}
		if i%10 == 0 {
			mine[0].Store(rand.N(2) == 0)
			mine[1].Store(rand.N(2) == 0)
		}
		time.Sleep(3 * time.Millisecond)
	}
	mine[0].Store(false)
	mine[1].Store(true)
	eventually(t, "all events", func() bool {
		numbers, _ := r.perMaildrop()
		for m := range maildrops {
			if len(numbers[address(m)]) < n {
				return false
			}
		}
		return true
	})
	_, repeated := r.perMaildrop()
	t.Logf("%d of %d events were repeated", repeated, maildrops*n)
}

// Events of two servers, which wait until a webhook is back, arrive in the order of each maildrop.
func TestOrderOverServers(t *testing.T) {
	r, st := newReceiver(t), newStore(t)
	r.answers(func(w http.ResponseWriter, _ []got) bool { w.WriteHeader(http.StatusBadGateway); return false })
	cfg := configured(r)
	cfg.Alone, cfg.Settle = false, time.Millisecond
	var mine, none atomic.Bool
	mine.Store(true)
	servers := []*server{start(t, cfg, shareOf(st, &mine)), start(t, cfg, shareOf(st, &none))}
	began(t, cfg, st)
	const maildrops, n = 10, 40
	for i := range n {
		for m := range maildrops {
			servers[rand.N(2)].Happened(accepted(m, i+1))
		}
		servers[0].Flush(t.Context())
		servers[1].Flush(t.Context())
	}
	// The present request has few events, and none of them again once a second server takes over.
	r.taking()
	r.wantAll(maildrops, n)
}

// Events of two servers that happen during a request keep their order in the following requests.
func TestOrderOverServersDuringRequest(t *testing.T) {
	r, st := newReceiver(t), newStore(t)
	asked, taken := make(chan struct{}, 1), make(chan struct{})
	r.answers(func(http.ResponseWriter, []got) bool {
		select {
		case asked <- struct{}{}:
		default:
		}
		<-taken
		return true
	})
	cfg := configured(r)
	cfg.Alone, cfg.Settle, cfg.Batch = false, time.Millisecond, 2
	var mine, none atomic.Bool
	mine.Store(true)
	first, second := start(t, cfg, shareOf(st, &mine)), start(t, cfg, shareOf(st, &none))
	began(t, cfg, st)
	for n := range 3 {
		first.Happened(accepted(1, n+1))
	}
	first.Flush(t.Context())
	<-asked
	second.Happened(accepted(1, 4))
	second.Flush(t.Context())
	first.Happened(accepted(1, 5))
	first.Flush(t.Context())
	time.Sleep(10 * cfg.Settle) // the events settle during the request
	close(taken)
	eventually(t, "all events", func() bool { return r.count() >= 5 })
	if numbers, _ := r.perMaildrop(); !slices.Equal(numbers[address(1)], []int64{1, 2, 3, 4, 5}) {
		t.Errorf("%v", numbers)
	}
}

// A server that dies leaves its events to another one.
func TestServerDies(t *testing.T) {
	r, st := newReceiver(t), newStore(t)
	cfg := configured(r)
	var mine [2]atomic.Bool
	mine[0].Store(true)
	r.answers(func(w http.ResponseWriter, _ []got) bool { w.WriteHeader(http.StatusBadGateway); return false })
	dies := start(t, cfg, shareOf(st, &mine[0]))
	began(t, cfg, st)
	for i := range 20 {
		dies.Happened(accepted(1, i+1))
	}
	dies.Flush(t.Context())
	dies.close()
	r.taking()
	mine[1].Store(true)
	start(t, cfg, shareOf(st, &mine[1]))
	r.wantAll(0, 0)
	eventually(t, "all events", func() bool { return r.count() == 20 })
	if numbers, _ := r.perMaildrop(); len(numbers[address(1)]) != 20 {
		t.Errorf("%v", numbers)
	}
}

// wrongClock is a clock that jumps.
type wrongClock struct{ ahead atomic.Int64 }

func (c *wrongClock) now() time.Time { return time.Now().Add(time.Duration(c.ahead.Load())) }

// A clock that jumps ahead and back, twice, and a process that starts meanwhile, lose no event.
func TestWrongClock(t *testing.T) {
	r, st := newReceiver(t), newStore(t)
	c := &wrongClock{}
	cfg := configured(r)
	cfg.Place.Now = c.now
	s := start(t, cfg, st)
	began(t, cfg, st)
	n := 0
	next := func() {
		n++
		s.Happened(accepted(1, n))
		eventually(t, fmt.Sprintf("event %d", n), func() bool { numbers, _ := r.perMaildrop(); return len(numbers[address(1)]) == n })
	}
	for _, ahead := range []time.Duration{0, 100 * 24 * time.Hour, 0, -4 * time.Minute, 24 * time.Hour, 0} {
		c.ahead.Store(int64(ahead))
		next()
		next()
		s.close()
		s = start(t, cfg, st)
		next()
	}
}

// A row of a server whose clock is behind is sent, though rows with later times were sent before.
func TestClockBehind(t *testing.T) {
	r, st := newReceiver(t), newStore(t)
	behind := &wrongClock{}
	behind.ahead.Store(-int64(3 * time.Minute))
	cfg := configured(r)
	cfg.Alone, cfg.Settle = false, time.Millisecond
	var mine, none atomic.Bool
	mine.Store(true)
	s := start(t, cfg, shareOf(st, &mine))
	began(t, cfg, st)
	late := cfg
	late.Place.Now = behind.now
	other := start(t, late, shareOf(st, &none))
	s.Happened(accepted(1, 1))
	eventually(t, "the first event", func() bool { return r.count() == 1 })
	// The lane begins three minutes ago, before the webhook.
	behind.ahead.Store(0)
	other.Happened(accepted(2, 1))
	eventually(t, "the second event", func() bool { return r.count() == 2 })
	behind.ahead.Store(-int64(3 * time.Minute))
	other.Happened(accepted(2, 2))
	eventually(t, "the third event", func() bool { return r.count() == 3 })
}

// damaged returns some rows of the queue with other octets than were written.
type damaged struct {
	store.Journal
	of func(e event.Event) bool
}

func (d damaged) RecordsAfter(ctx context.Context, j store.JournalName, key string, day int, after store.Record, limit int) ([]store.Record, bool, error) {
	rows, more, err := d.Journal.RecordsAfter(ctx, j, key, day, after, limit)
	for i, r := range rows {
		if e, err := event.Decode(r.At, r.Data[8:]); err == nil && d.of(e) {
			rows[i].Data = []byte("damaged")
		}
	}
	return rows, more, err
}

func (d damaged) Records(ctx context.Context, j store.JournalName, key string, day int, before store.Record, limit int) ([]store.Record, bool, error) {
	rows, more, err := d.Journal.Records(ctx, j, key, day, before, limit)
	for i, r := range rows {
		if e, err := event.Decode(r.At, r.Data[8:]); err == nil && d.of(e) {
			rows[i].Data = []byte("damaged")
		}
	}
	return rows, more, err
}

// A damaged row is counted and logged, and does not hold back the events behind it, also where all rows of a request
// are damaged.
func TestDamagedRows(t *testing.T) {
	r, st := newReceiver(t), newStore(t)
	st.Journal.Local = damaged{st.Journal.Local, func(e event.Event) bool { return e.Size == 3 || e.Size > 10 && e.Size <= 30 }}
	cfg := configured(r)
	var log mailtest.Log
	cfg.Logger = slog.New(slog.NewTextHandler(&log, nil))
	s := start(t, cfg, st)
	began(t, cfg, st)
	const n = 40
	for i := range n {
		s.Happened(accepted(0, i+1))
	}
	eventually(t, "the last event", func() bool {
		numbers, _ := r.perMaildrop()
		all := numbers[address(0)]
		return len(all) > 0 && all[len(all)-1] == n
	})
	numbers, _ := r.perMaildrop()
	if got := numbers[address(0)]; len(got) != n-21 || got[1] != 2 || got[2] != 4 || got[9] != 31 {
		t.Errorf("events %v", got)
	}
	if got := counter(t, s, "popelago_webhook_damaged_total"); got != 21 {
		t.Errorf("%v damaged events are counted, want 21", got)
	}
	eventually(t, "the count of sent events", func() bool { return counter(t, s, "popelago_webhook_sent_total") == n-21 })
	if text := log.String(); strings.Count(text, "an event is damaged") != 21 || !strings.Contains(text, "level=ERROR") {
		t.Errorf("the log:\n%s", text)
	}
}
