package bench

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"
)

// rawLoop is the work that the workers of Raw repeat.
type rawLoop string

// The loops.
const (
	bareLoop rawLoop = "bare" // the two writes
	lwtLoop  rawLoop = "lwt"  // a UID and a MODSEQ by compare-and-set, then the two writes
)

// rawRun holds the values shared by all loops.
type rawRun struct {
	cfg       *RawConfig
	sessions  []*gocql.Session // one for each datacenter
	mailboxes []gocql.UUID
	texts     [][]byte
	number    atomic.Int64 // of the next message
}

// rawTexts is the number of different messages, used in turn.
const rawTexts = 64

// newRawRun connects to all datacenters. The caller closes it.
func newRawRun(cfg *RawConfig) (*rawRun, error) {
	r := &rawRun{cfg: cfg}
	for _, datacenter := range cfg.Datacenters {
		d := cfg.driver(datacenter)
		d.Keyspace = cfg.Keyspace
		session, err := connectRaw(d, datacenter)
		if err != nil {
			r.close()
			return nil, err
		}
		r.sessions = append(r.sessions, session)
	}
	for range cfg.Mailboxes {
		id, err := gocql.RandomUUID()
		if err != nil {
			r.close()
			return nil, fmt.Errorf("bench: %w", err)
		}
		r.mailboxes = append(r.mailboxes, id)
	}
	messages := Messages{Seed: 1, Size: cfg.Size}
	for i := range int64(rawTexts) {
		r.texts = append(r.texts, appendMessage(nil, messages.token(i)))
	}
	return r, nil
}

func (r *rawRun) close() {
	for _, s := range r.sessions {
		s.Close()
	}
}

// measure runs a loop for some time.
func (r *rawRun) measure(ctx context.Context, loop rawLoop, d time.Duration) Report {
	pace := newPace(0, d, 0)
	var failed failures
	workers := make([]rawWorker, r.cfg.Workers)
	var wg sync.WaitGroup
	for i := range workers {
		n := i % len(r.sessions)
		w := &workers[i]
		w.run, w.loop, w.session, w.datacenter = r, loop, r.sessions[n], r.cfg.Datacenters[n].Name
		wg.Go(func() { w.work(ctx, pace, &failed) })
	}
	wg.Wait()

	report := Report{Name: string(loop), Start: pace.start, Seconds: time.Since(pace.start).Seconds(), Stopped: ctx.Err() != nil}
	var sum rawWorker
	for i := range workers {
		w := &workers[i]
		sum.messages.merge(&w.messages)
		sum.content.merge(&w.content)
		sum.index.merge(&w.index)
		sum.numbers.merge(&w.numbers)
		sum.conflicts.Add(w.conflicts.Load())
		sum.timeouts.Add(w.timeouts.Load())
	}
	report.addRow("messages", &sum.messages)
	report.addRow("content", &sum.content)
	report.addRow("index", &sum.index)
	if loop == lwtLoop {
		report.addRow("uid and modseq", &sum.numbers)
		report.addFact("conflicts", sum.conflicts.Load())
		report.addFact("SERIAL timeouts", sum.timeouts.Load())
	}
	report.Errors = failed.list()
	return report
}

// rawWorker writes one message after the other. Its figures are read after its end.
type rawWorker struct {
	run        *rawRun
	loop       rawLoop
	session    *gocql.Session
	datacenter string

	messages, content, index, numbers measure

	conflicts, timeouts atomic.Int64
}

// work runs the loop until its time is over.
func (w *rawWorker) work(ctx context.Context, pace *pace, failed *failures) {
	for {
		_, due, ok := pace.take(ctx)
		if !ok {
			return
		}
		err := w.message(ctx, w.run.number.Add(1)-1)
		switch {
		case err == nil:
			w.messages.add(1, int64(w.run.cfg.Size), time.Since(due))
			w.run.cfg.Progress.step(1)
		case ctx.Err() == nil:
			failed.add(err, 1)
			w.run.cfg.Progress.fail(1)
			sleep(ctx, 10*time.Millisecond) // an unreachable cluster fails at once
		}
	}
}

// message does the work of the loop once.
func (w *rawWorker) message(ctx context.Context, number int64) error {
	mailbox := w.run.mailboxes[number%int64(len(w.run.mailboxes))]
	if w.loop == lwtLoop {
		start := time.Now()
		if err := w.takeNumbers(ctx, mailbox); err != nil {
			return fmt.Errorf("uid and modseq: %w", err)
		}
		w.numbers.add(1, 0, time.Since(start))
	}
	id := gocql.TimeUUID()
	at := id.Time().UnixMicro()
	text := w.run.texts[number%rawTexts]
	start := time.Now()
	if err := w.write(ctx, rawInsertContent, id, 0, text, int64(len(text)), 1, []gocql.UUID{mailbox}, "bench@example.test", at); err != nil {
		return fmt.Errorf("content: %w", err)
	}
	stored := time.Now()
	w.content.add(1, int64(len(text)), stored.Sub(start))
	if err := w.write(ctx, rawInsertIndex, mailbox, 0, id, int64(len(text)), "user@example.test", nil, w.datacenter, at); err != nil {
		return fmt.Errorf("index: %w", err)
	}
	w.index.add(1, 0, time.Since(stored))
	return nil
}

// write executes one of the two writes.
func (w *rawWorker) write(ctx context.Context, cql string, values ...any) error {
	return w.session.Query(cql, values...).Consistency(gocql.LocalQuorum).Idempotent(true).ExecContext(ctx)
}
