package webhook

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"popelago/store"
)

// pollEvery is the pause between two looks at the queue. Rows of the local server are sent without a wait.
const pollEvery = time.Second

// Sender sends the events of the queue to the webhooks: the share of this server, of the events of its
// datacenter. Safe for concurrent use.
type Sender struct {
	cfg   Config
	hooks []*hook
	loops sync.WaitGroup
	// ctx ends with Close, and requests with the patience of Close.
	ctx, requests  context.Context
	cancel, giveUp context.CancelFunc
}

// NewSender makes a Sender, and registers its metrics with reg, which may be nil. Start begins to send.
func NewSender(cfg Config, st store.Store, reg prometheus.Registerer) (*Sender, error) {
	cfg = cfg.filled()
	m, err := newSendMetrics(reg, cfg.Targets)
	if err != nil {
		return nil, err
	}
	s := &Sender{cfg: cfg}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.requests, s.giveUp = context.WithCancel(context.Background())
	c := newClient(cfg)
	for _, t := range cfg.Targets {
		h := &hook{Target: t, cfg: cfg, journal: st.Journal.Local, place: st.Mail.Local, share: st.Upkeep.Local, client: c, requests: s.requests, metrics: m, wake: make(chan struct{}, 1), state: newState(cfg.Logger, t.Name)}
		for i := range h.parts {
			h.parts[i] = &part{hook: h, number: i}
		}
		s.hooks = append(s.hooks, h)
	}
	return s, nil
}

// Start starts to send.
func (s *Sender) Start() {
	for _, h := range s.hooks {
		s.loops.Go(func() { h.run(s.ctx) })
	}
}

// Close waits for the requests in flight, and gives up at the end of ctx. The events of a request without an
// answer are sent again after the next start.
func (s *Sender) Close(ctx context.Context) {
	s.cancel()
	stop := context.AfterFunc(ctx, s.giveUp)
	defer stop()
	s.loops.Wait()
	s.giveUp()
	for _, h := range s.hooks {
		h.client.http.CloseIdleConnections()
	}
}

// Wake makes the Sender look at the queue at once.
func (s *Sender) Wake() {
	for _, h := range s.hooks {
		h.look()
	}
}

// Failure describes the last failure of a webhook, as long as it lasts.
type Failure struct {
	// Since is the first failure; zero: the last request succeeded.
	Since time.Time
	// Cause is the last failure.
	Cause string
}

// Failures returns the failures that last, by the name of the webhook, as this server sees them.
func (s *Sender) Failures() map[string]Failure {
	all := map[string]Failure{}
	for _, h := range s.hooks {
		if f := h.state.failure(); !f.Since.IsZero() {
			all[h.Name] = f
		}
	}
	return all
}

// hook sends the events of the queue to one webhook.
type hook struct {
	Target
	cfg     Config
	journal store.Journal
	place   store.Place
	share   store.WorkShare
	client  *client
	// requests ends with the patience of Sender.Close.
	requests context.Context
	metrics  *sendMetrics
	wake     chan struct{}
	state    *state

	// Of the loop alone.
	epoch epoch
	// renewed is the time at which the mark of the epoch was written last.
	renewed time.Time
	parts   [parts]*part
}

// look makes the loop look at the queue at once.
func (h *hook) look() {
	select {
	case h.wake <- struct{}{}:
	default:
	}
}

func (h *hook) run(ctx context.Context) {
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		h.round(ctx)
		select {
		case <-tick.C:
		case <-h.wake:
		case <-ctx.Done():
			return
		}
	}
}

// away reports whether the store has failed over to another datacenter: rows may be missing there, and a position
// would pass them.
func (h *hook) away() bool { return away(h.place, h.cfg) }

// round sends what waits, in all parts of this server at the same time. During a failover nothing is sent.
func (h *hook) round(ctx context.Context) {
	if h.away() {
		for _, p := range h.parts {
			p.forgetPositions()
		}
		h.showAge(h.parts[:])
		return
	}
	var mine []*part
	for _, p := range h.parts {
		if p.mine() {
			mine = append(mine, p)
		} else {
			p.forget()
		}
	}
	if len(mine) == 0 {
		h.metrics.behind.WithLabelValues(h.Name).Set(0)
		return
	}
	asOf := h.cfg.Place.Now()
	heads, err := h.positions(ctx, mine)
	if err != nil {
		h.state.store(ctx, err)
		return
	}
	var wg sync.WaitGroup
	for _, p := range mine {
		wg.Go(func() { p.send(ctx, heads[p.number], asOf) })
	}
	wg.Wait()
	h.showAge(mine)
}

// positions reads the heads of all lanes, and for parts that begin, also the positions sent.
func (h *hook) positions(ctx context.Context, mine []*part) (heads [parts]map[string]store.Position, err error) {
	ctx, cancel := context.WithTimeout(ctx, storePatience)
	defer cancel()
	datacenter := h.cfg.Place.Datacenter
	e, found, err := readEpoch(ctx, h.journal, datacenter, h.Name)
	if err != nil {
		return heads, err
	}
	if !found {
		if e, err = h.beginFirst(ctx); err != nil {
			return heads, err
		}
	}
	h.renew(ctx, e)
	if e != h.epoch {
		for _, p := range h.parts {
			p.forget()
		}
		h.epoch = e
	}
	if slices.ContainsFunc(mine, func(p *part) bool { return p.lanes == nil }) {
		sent, err := marksOf(ctx, h.journal, sentList(datacenter, h.Name, e))
		if err != nil {
			return heads, err
		}
		for _, p := range mine {
			p.begin(sent[p.number])
		}
	}
	return marksOf(ctx, h.journal, headList(datacenter))
}

// renewEvery is the pause between two writes of the mark of an epoch, which a store keeps for store.MaxNoteAge.
const renewEvery = 30 * 24 * time.Hour

// renew writes the mark of an epoch again, now and then: without the mark the webhook would begin behind all rows that wait. Events do not wait for a store that cannot be written.
func (h *hook) renew(ctx context.Context, e epoch) {
	now := h.cfg.Place.Now()
	if since := now.Sub(h.renewed); e == h.epoch && since >= 0 && since < renewEvery {
		return
	}
	if err := e.keep(ctx, h.journal, h.cfg.Place.Datacenter, h.Name); err != nil {
		h.state.store(ctx, err)
		return
	}
	h.renewed = now
}

// beginFirst begins the first epoch of the webhook: behind all rows of the present.
func (h *hook) beginFirst(ctx context.Context) (epoch, error) {
	e := firstEpoch(h.cfg.Place.Now())
	heads, err := h.journal.Marks(ctx, headList(h.cfg.Place.Datacenter))
	if err != nil {
		return e, err
	}
	return e, e.begin(ctx, h.journal, h.cfg, h.cfg.Place.Datacenter, h.Name, heads)
}

// showAge shows the age of the oldest event that waits.
func (h *hook) showAge(mine []*part) {
	var age time.Duration
	for _, p := range mine {
		if !p.oldest.IsZero() {
			age = max(age, h.cfg.Place.Now().Sub(p.oldest))
		}
	}
	h.metrics.behind.WithLabelValues(h.Name).Set(age.Seconds())
}
