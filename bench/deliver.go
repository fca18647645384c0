package bench

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// DeliverConfig holds the messages, the target and the speed of Deliver.
type DeliverConfig struct {
	Target Target

	// Protocol is LMTP (the default) or SMTP.
	Protocol Protocol

	// Users are the recipients' addresses, used in turn. At least one.
	Users []string

	// Recipients is the number of recipients of each message. Default 1.
	Recipients int

	// From is the reverse-path. Default bench@example.test.
	From string

	Messages Messages

	// First is the number of the first message. With the Seed of an earlier run and the number
	// after its last message, a run continues the earlier run.
	First int64

	// Connections is the number of connections at one time. Default 1.
	Connections int

	// PerConnection ends a connection after this many messages. 0 means never.
	PerConnection int

	// Chunking sends the content with BDAT (RFC 3030) instead of DATA.
	Chunking bool

	// Rate is in messages per second; 0 means as fast as the server takes them. With a
	// rate, latency counts from when the message was due.
	Rate float64

	// Duration and Count end the run, whichever comes first. At least one must be set.
	Duration time.Duration
	Count    int64

	// Reconnect is the time for new attempts after a connection was lost or refused. 0: a lost
	// connection ends the run with an error.
	Reconnect time.Duration

	// Resend repeats a message, as a mail server does, for the recipients that were refused
	// temporarily or whose outcome is unknown, until all have taken it.
	Resend bool

	// Journal takes notes for Verify. May be nil.
	Journal *Journal

	// Progress is updated during the run. May be nil.
	Progress *Progress
}

// validate fills in the defaults and describes errors in words for the user.
func (c *DeliverConfig) validate() error {
	if err := c.Target.validate(); err != nil {
		return err
	}
	if c.Protocol == "" {
		c.Protocol = LMTP
	}
	if c.Protocol != LMTP && c.Protocol != SMTP {
		return fmt.Errorf("bench: protocol %q: want lmtp or smtp", c.Protocol)
	}
	if len(c.Users) == 0 {
		return errors.New("bench: no users to deliver to")
	}
	for _, u := range c.Users {
		if err := validateName(u); err != nil {
			return err
		}
	}
	c.Recipients = max(c.Recipients, 1)
	if c.Recipients > len(c.Users) {
		return fmt.Errorf("bench: %d recipients per message, but only %d users", c.Recipients, len(c.Users))
	}
	if c.From == "" {
		c.From = "bench@example.test"
	}
	c.Connections = max(c.Connections, 1)
	if c.Duration <= 0 && c.Count <= 0 {
		return errors.New("bench: give a duration or a count")
	}
	return c.Messages.validate()
}

// Deliver sends messages and measures the time of each, from MAIL to the last reply. The rows of
// the report are "messages" (with at least one recipient that was taken) and, if the counts differ,
// "recipients". The facts count the recipients "taken", "refused" and "unknown".
//
// An error means that the run did not start or did not end; the report is valid even then. Refusals
// are counted in the report, and are no errors of the run.
func Deliver(ctx context.Context, cfg DeliverConfig) (Report, error) {
	if err := cfg.validate(); err != nil {
		return Report{}, err
	}
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	r := &deliverRun{cfg: cfg, pace: newPace(cfg.Rate, cfg.Duration, cfg.Count), stop: stop}
	cfg.Progress.begin("deliver", r.pace.total())

	workers := make([]deliverWorker, cfg.Connections)
	var wg sync.WaitGroup
	for i := range workers {
		w := &workers[i]
		w.run = r
		wg.Go(func() { w.work(ctx) })
	}
	wg.Wait()

	report := Report{Name: "deliver " + string(cfg.Protocol), Start: r.pace.start, Seconds: time.Since(r.pace.start).Seconds()}
	var sum deliverWorker
	for i := range workers {
		sum.messages.merge(&workers[i].messages)
		sum.taken += workers[i].taken
		sum.octets += workers[i].octets
		sum.refused += workers[i].refused
		sum.unknown += workers[i].unknown
		sum.resent += workers[i].resent
	}
	report.addRow("messages", &sum.messages)
	if cfg.Recipients > 1 {
		recipients := measure{count: sum.taken, octets: sum.octets, hist: sum.messages.hist}
		report.addRow("recipients", &recipients)
	}
	report.addFact("taken", sum.taken)
	report.addFact("refused", sum.refused)
	report.addFact("unknown", sum.unknown)
	report.addFact("sent again", sum.resent)
	report.Errors = r.failures.list()
	return finish(ctx, report, cfg.Journal)
}

// finish flushes the journal. A run cancelled from outside is no error; an abandoned run is.
func finish(ctx context.Context, report Report, j *Journal) (Report, error) {
	err := j.Flush()
	if cause := context.Cause(ctx); cause != nil {
		report.Stopped = true
		if !errors.Is(cause, context.Canceled) && !errors.Is(cause, context.DeadlineExceeded) {
			err = cause
		}
	}
	return report, err
}

// validateName refuses a name that does not fit in a command line or in the journal.
func validateName(s string) error {
	if s == "" || strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r == 0x7f || r == '<' || r == '>' }) {
		return fmt.Errorf("bench: user %q: want an address without blanks", s)
	}
	return nil
}

// deliverRun holds the values shared by the connections of a run.
type deliverRun struct {
	cfg      DeliverConfig
	pace     *pace
	failures failures
	stop     context.CancelCauseFunc
}

// deliverWorker uses one connection after the other. Its figures are read after its end.
type deliverWorker struct {
	run    *deliverRun
	client *mailClient // nil when not connected
	old    *mailClient // the last connection, for its buffers
	d      delivery

	messages measure
	taken    int64
	octets   int64 // of the recipients that took a message
	refused  int64
	unknown  int64
	resent   int64
}

// work sends messages until the run is over.
func (w *deliverWorker) work(ctx context.Context) {
	cfg := &w.run.cfg
	recipients := make([]string, cfg.Recipients)
	for {
		number, due, ok := w.run.pace.take(ctx)
		if !ok {
			break
		}
		for i := range recipients {
			recipients[i] = cfg.Users[(number*int64(cfg.Recipients)+int64(i))%int64(len(cfg.Users))]
		}
		if err := w.deliver(ctx, cfg.Messages.token(cfg.First+number), recipients, due); err != nil {
			if ctx.Err() == nil {
				w.run.stop(err)
			}
			break
		}
		cfg.Progress.step(1)
	}
	if w.client != nil {
		w.client.quit()
	}
}

// deliver sends one message, with all necessary attempts. It returns an error if no connection is
// possible.
func (w *deliverWorker) deliver(ctx context.Context, t token, recipients []string, due time.Time) error {
	cfg := &w.run.cfg
	pending := recipients
	anyTaken := false
	const first, last = 20 * time.Millisecond, time.Second
	for wait := first; ; wait = min(2*wait, last) {
		if err := w.connect(ctx); err != nil {
			return err
		}
		cfg.Journal.intend(t, pending)
		w.d.prepare(t, pending)
		err := w.client.send(&w.d)
		taken := w.account(ctx, err)
		anyTaken = anyTaken || taken
		if err != nil || w.lostInterest() {
			w.disconnect(err == nil)
			if err != nil && cfg.Reconnect == 0 && ctx.Err() == nil {
				return fmt.Errorf("bench: connection lost: %w", err)
			}
		}
		if !cfg.Resend {
			break
		}
		pending = w.unfinished()
		if len(pending) == 0 || ctx.Err() != nil {
			break
		}
		w.resent++
		// A lost connection waits in connect.
		if err == nil && !sleep(ctx, wait) {
			break
		}
	}
	if anyTaken {
		w.messages.add(1, int64(t.size), time.Since(due))
	}
	return nil
}

// account records the outcomes of an attempt in the journal and in the figures. lost is the error
// of the connection; may be nil.
func (w *deliverWorker) account(ctx context.Context, lost error) (anyTaken bool) {
	cfg := &w.run.cfg
	for i, o := range w.d.outcomes {
		cfg.Journal.outcome(o, w.d.token, w.d.recipients[i], w.d.replies[i])
		switch o {
		case outcomeTaken:
			w.taken++
			w.octets += int64(w.d.token.size)
			anyTaken = true
			continue
		case outcomeUnknown:
			w.unknown++
		default:
			w.refused++
		}
		if command, text, ok := strings.Cut(w.d.replies[i], ": "); ok {
			w.run.failures.add(&replyError{command, text}, 1)
			cfg.Progress.fail(1)
		}
	}
	if lost != nil && ctx.Err() == nil {
		w.run.failures.add(lost, 1)
		cfg.Progress.fail(1)
	}
	return anyTaken
}

// unfinished returns the recipients of the last attempt that need another attempt.
func (w *deliverWorker) unfinished() []string {
	var pending []string
	for i, o := range w.d.outcomes {
		if o.retry() {
			pending = append(pending, w.d.recipients[i])
		}
	}
	return pending
}

// lostInterest reports whether the connection should end: it has carried its share of messages, or
// the server has sent 421 (RFC 5321 section 3.8).
func (w *deliverWorker) lostInterest() bool {
	per := w.run.cfg.PerConnection
	return per > 0 && w.client.sent >= per ||
		slices.ContainsFunc(w.d.replies, func(s string) bool { return strings.Contains(s, ": 421") })
}

// connect makes a connection if there is none.
func (w *deliverWorker) connect(ctx context.Context) error {
	if w.client != nil {
		return nil
	}
	cfg := &w.run.cfg
	err := redial(ctx, cfg.Reconnect, func() (err error) {
		w.client, err = dialMail(ctx, cfg.Target, cfg, w.old)
		return err
	}, func(err error) {
		w.run.failures.add(fmt.Errorf("connect: %w", err), 1)
		cfg.Progress.fail(1)
	})
	if err != nil {
		return fmt.Errorf("bench: connect to %s: %w", cfg.Target.Addr, err)
	}
	return nil
}

// disconnect ends the connection.
func (w *deliverWorker) disconnect(politely bool) {
	if politely {
		w.client.quit()
	} else {
		w.client.link.close()
	}
	w.old, w.client = w.client, nil
}
