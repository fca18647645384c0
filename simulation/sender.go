package simulation

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/netip"
	"time"

	"popelago/event"
	"popelago/mail"
)

// client is the address of every client.
var client = netip.MustParseAddr("192.0.2.1")

// sender is a mail transfer agent: it sends messages, one after the other, and repeats each message that was
// not answered, or answered with a temporary failure, with the same octets.
type sender struct {
	w    *World
	rand *rand.Rand
}

// pauses are the pauses of a sender between attempts.
var pauses = []time.Duration{10 * time.Second, time.Minute, 5 * time.Minute, 15 * time.Minute, 30 * time.Minute, time.Hour, time.Hour}

// run sends until the context ends.
func (s *sender) run(ctx context.Context) {
	for event.Pause(ctx, draw(s.rand, s.w.cfg.SendEvery)) {
		number := int(s.w.numbers.Add(1))
		to := s.w.choose(s.rand, 1+s.rand.IntN(3)*s.rand.IntN(2))
		if len(to) > 0 {
			s.w.clients.Go(func() {
				(&sending{w: s.w, rand: rand.New(rand.NewPCG(s.w.cfg.Seed, uint64(number))), number: number, to: to, single: number%2 == 0}).run(ctx)
			})
		}
	}
}

// sending is a message on its way to maildrops.
type sending struct {
	w      *World
	rand   *rand.Rand
	number int
	to     []*drop
	single bool // a single reply for all, as SMTP has it
	last   *server
	died   bool // a server died during an attempt
	faulty bool // an attempt was made during a fault
	gaveUp bool // an attempt was given up while its server was suspended
}

// run tries until all is answered, or until the sender gives up.
func (m *sending) run(ctx context.Context) {
	text := m.w.texts.of(m.number)
	for _, pause := range pauses {
		if m.try(ctx, text); len(m.to) == 0 || !event.Pause(ctx, pause) {
			return
		}
	}
}

// try makes one attempt; to keeps the maildrops that have to be tried again.
func (m *sending) try(ctx context.Context, text string) {
	s := m.w.server(m.rand, m.last)
	if s == nil {
		return
	}
	// Another server recognizes a repetition by the ledger, which a fault may have kept from it.
	excused := m.gaveUp || m.last != nil && m.last != s && (m.died || m.faulty || m.last.cfg.datacenter != s.cfg.datacenter)
	m.last = s
	m.faulty = m.faulty || m.w.faults.Load() > 0
	addresses := make([]mail.Address, len(m.to))
	for i, d := range m.to {
		addresses[i] = d.address
		m.w.model.trying(d, m.number)
	}
	began, origin := time.Now(), s.engine.Origin()
	errs, as := m.deliver(context.WithoutCancel(ctx), s, mail.Envelope{
		ReversePath: "sender@example.org", SingleReply: m.single,
		Received: mail.Received{Helo: "client.example", Remote: client, By: s.cfg.name, With: "ESMTP", ID: "session.1", Time: began},
	}, addresses, text)
	through := origin
	origin = m.w.place(origin, s.engine.Origin())
	var again []*drop
	for i, d := range m.to {
		m.w.story.add("message %d for %s through %s: %v", m.number, d.name, s, short(errs[i]))
		m.w.model.result(d, m.number, began, through, origin, excused, as, errs[i])
		if errs[i] != nil && !permanent(errs[i]) {
			again = append(again, d)
			m.died = m.died || errors.Is(errs[i], errDied)
		}
	}
	if first := m.to[0]; errs[0] == nil && m.rand.IntN(6) == 0 { // the recipient looks at once
		if other := m.w.server(m.rand, nil); other != nil {
			(&fetcher{w: m.w, rand: m.rand}).begin(ctx, other, first, false)
		}
	}
	m.to = again
}

// patience is the time for which a client waits for the reply of a suspended server.
const patience = 11 * time.Minute

// deliver delivers through a server. A sender gives up at a server that is suspended. What becomes of the delivery
// when the server wakes up, the sender never hears.
func (m *sending) deliver(ctx context.Context, s *server, e mail.Envelope, to []mail.Address, text string) ([]error, stored) {
	if !m.w.suspends {
		ctx, cancel := context.WithTimeout(ctx, 10*time.Minute)
		defer cancel()
		return s.deliver(ctx, e, to, text)
	}
	type reply struct {
		errs []error
		as   stored
	}
	got := make(chan reply, 1)
	m.w.clients.Go(func() {
		errs, as := s.deliver(ctx, e, to, text)
		got <- reply{errs, as}
	})
	waited := time.NewTimer(patience)
	defer waited.Stop()
	select {
	case r := <-got:
		return r.errs, r.as
	case <-waited.C:
	}
	m.gaveUp = true
	errs := make([]error, len(to))
	for i := range errs {
		errs[i] = errDied
	}
	return errs, stored{}
}
