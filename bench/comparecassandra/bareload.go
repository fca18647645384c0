package main

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"popelago/bench"
)

// loop is the work that a worker repeats.
type loop string

// The loops.
const (
	bareLoop loop = "bare" // the two writes
	lwtLoop  loop = "lwt"  // a UID and a MODSEQ by compare-and-set, then the two writes
)

// bareResult holds the counts of one measurement of a loop.
type bareResult struct {
	loop     loop
	messages int64
	octets   int64
	seconds  float64 // by the wall clock
	errors   int64
	err      error // the first error

	spent spent // of the measurement alone; zero without bareConfig.used

	numbers   int64 // messages with a UID and a MODSEQ
	conflicts int64 // compare-and-set that another worker won
	timeouts  int64 // time-outs at SERIAL
}

// perSecond returns the rate of messages.
func (r *bareResult) perSecond() float64 {
	if r.seconds == 0 {
		return 0
	}
	return float64(r.messages) / r.seconds
}

// bareRun holds the state that all loops share.
type bareRun struct {
	cfg       *bareConfig
	sessions  []*gocql.Session // one for each datacenter
	mailboxes []gocql.UUID
	texts     [][]byte
	number    atomic.Int64 // of the next message
}

// bareTexts is the count of different messages, written in turn.
const bareTexts = 64

// newBareRun connects to all datacenters. The caller closes the run.
func newBareRun(cfg *bareConfig) (*bareRun, error) {
	r := &bareRun{cfg: cfg}
	for _, datacenter := range cfg.datacenters {
		d := cfg.driver(datacenter)
		d.Keyspace = cfg.keyspace
		session, err := connect(d, datacenter)
		if err != nil {
			r.close()
			return nil, err
		}
		r.sessions = append(r.sessions, session)
	}
	for range cfg.mailboxes {
		id, err := gocql.RandomUUID()
		if err != nil {
			r.close()
			return nil, err
		}
		r.mailboxes = append(r.mailboxes, id)
	}
	messages := bench.Messages{Seed: 1, Size: cfg.size, Realistic: cfg.realistic}
	for i := range int64(bareTexts) {
		r.texts = append(r.texts, messages.Text(i))
	}
	return r, nil
}

func (r *bareRun) close() {
	for _, s := range r.sessions {
		s.Close()
	}
}

// measure runs a loop for some time.
func (r *bareRun) measure(ctx context.Context, l loop, d time.Duration) bareResult {
	used := func() (s spent) {
		if r.cfg.used != nil {
			s, _ = r.cfg.used() // a process that has gone fails the measurement in any case
		}
		return s
	}
	before, start := used(), time.Now()
	c := bareCount{}
	var workers sync.WaitGroup
	for i := range r.cfg.workers {
		n := i % len(r.sessions)
		w := &bareWorker{run: r, count: &c, loop: l, session: r.sessions[n], datacenter: r.cfg.datacenters[n].name, end: start.Add(d)}
		workers.Go(func() { w.work(ctx) })
	}
	workers.Wait()
	return bareResult{
		spent: used().minus(before),
		loop:  l, messages: c.messages.Load(), octets: c.messages.Load() * int64(r.cfg.size), seconds: time.Since(start).Seconds(),
		errors: c.errors.Load(), err: c.first,
		numbers: c.numbers.Load(), conflicts: c.conflicts.Load(), timeouts: c.timeouts.Load(),
	}
}

// bareCount holds the counts of all workers.
type bareCount struct {
	messages, errors, numbers, conflicts, timeouts atomic.Int64

	once  sync.Once
	first error // the first error
}

// bareWorker writes one message after the other.
type bareWorker struct {
	run        *bareRun
	count      *bareCount
	loop       loop
	session    *gocql.Session
	datacenter string
	end        time.Time
}

// work repeats the loop until the end.
func (w *bareWorker) work(ctx context.Context) {
	for ctx.Err() == nil && time.Now().Before(w.end) {
		err := w.message(ctx, w.run.number.Add(1)-1)
		switch {
		case err == nil:
			w.count.messages.Add(1)
		case ctx.Err() == nil:
			w.count.errors.Add(1)
			w.count.once.Do(func() { w.count.first = err })
			pause(ctx, 10*time.Millisecond) // an unreachable cluster answers at once
		}
	}
}

// message does the work of the loop once.
func (w *bareWorker) message(ctx context.Context, number int64) error {
	mailbox := w.run.mailboxes[number%int64(len(w.run.mailboxes))]
	if w.loop == lwtLoop {
		if err := w.takeNumbers(ctx, mailbox); err != nil {
			return fmt.Errorf("uid and modseq: %w", err)
		}
		w.count.numbers.Add(1)
	}
	id := gocql.TimeUUID()
	at := id.Time().UnixMicro()
	text := w.run.texts[number%bareTexts]
	if err := w.write(ctx, insertContent, id, 0, text, int64(len(text)), 1, []gocql.UUID{mailbox}, "bench@example.test", at); err != nil {
		return fmt.Errorf("content: %w", err)
	}
	if err := w.write(ctx, insertIndex, mailbox, 0, id, int64(len(text)), "user@example.test", nil, w.datacenter, at); err != nil {
		return fmt.Errorf("index: %w", err)
	}
	return nil
}

// write executes one of the two writes.
func (w *bareWorker) write(ctx context.Context, cql string, values ...any) error {
	return w.session.Query(cql, values...).Consistency(gocql.LocalQuorum).Idempotent(true).ExecContext(ctx)
}

// pause waits, and reports whether ctx goes on.
func pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-ctx.Done():
		return false
	}
}
