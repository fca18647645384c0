package bench

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// DrainConfig selects the messages that Drain fetches and removes.
type DrainConfig struct {
	Target Target

	// Logins are the maildrops. One session at a time uses a maildrop.
	Logins []Login

	// Connections is the number of sessions at one time. Default 1.
	Connections int

	// Window is the number of RETR or DELE commands ahead of their responses, 1 to 2,000.
	// Default 100.
	Window int

	// NoRetr leaves out RETR. With a Journal the messages are then identified by TOP n 0.
	NoRetr bool

	// NoDele leaves out DELE, so that the messages stay.
	NoDele bool

	// Check compares each message with the sent one, and its size with LIST.
	Check bool

	// Passes is the number of passes over all maildrops. 0 means one, or without end if Duration is
	// set.
	Passes int

	// Duration ends the run before the next session. 0 means never.
	Duration time.Duration

	// Reconnect is the time for new attempts after a connection was lost or refused. 0: a lost
	// connection ends the run with an error.
	Reconnect time.Duration

	// Journal takes notes for Verify. May be nil.
	Journal *Journal

	// Progress is updated during the run. May be nil.
	Progress *Progress
}

// validate fills in the defaults and describes errors in words for the user.
func (c *DrainConfig) validate() error {
	if err := c.Target.validate(); err != nil {
		return err
	}
	if c.Window == 0 {
		c.Window = 100
	}
	if c.Window < 1 || c.Window > maxWindow {
		return fmt.Errorf("bench: window %d: want 1 to %d", c.Window, maxWindow)
	}
	if c.NoRetr && c.Check {
		return errors.New("bench: nothing can be checked without RETR")
	}
	if c.Passes == 0 && c.Duration == 0 {
		c.Passes = 1
	}
	c.Connections = max(c.Connections, 1)
	return validateLogins(c.Logins)
}

// Drain empties maildrops: STAT, RETR of all messages, DELE of all, QUIT. The rows of the report
// are "RETR" (messages; latency per message, from the sending of its command), "DELE+QUIT"
// (messages removed; latency per session, from the first DELE to the response to QUIT) and
// "sessions" (latency from connect to close). A message that fails a check is an error.
//
// An error means that the run did not start or did not end; the report is valid even then.
func Drain(ctx context.Context, cfg DrainConfig) (Report, error) {
	if err := cfg.validate(); err != nil {
		return Report{}, err
	}
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	r := &drainRun{cfg: cfg, start: time.Now(), stop: stop, rounds: newRounds(len(cfg.Logins), cfg.Passes)}
	if cfg.Duration > 0 {
		r.end = r.start.Add(cfg.Duration)
	}
	cfg.Progress.begin("drain", int64(len(cfg.Logins)*cfg.Passes))

	workers := make([]drainWorker, cfg.Connections)
	var wg sync.WaitGroup
	for i := range workers {
		w := &workers[i]
		w.run = r
		wg.Go(func() { w.work(ctx) })
	}
	wg.Wait()

	report := Report{Name: "drain", Start: r.start, Seconds: time.Since(r.start).Seconds()}
	var sum drainWorker
	for i := range workers {
		sum.retr.merge(&workers[i].retr)
		sum.dele.merge(&workers[i].dele)
		sum.sessions.merge(&workers[i].sessions)
		sum.unknown += workers[i].unknown
	}
	if !cfg.NoRetr {
		report.addRow("RETR", &sum.retr)
	}
	if !cfg.NoDele {
		report.addRow("DELE+QUIT", &sum.dele)
	}
	report.addRow("sessions", &sum.sessions)
	report.addFact("removal unknown", sum.unknown)
	report.Errors = r.failures.list()
	return finish(ctx, report, cfg.Journal)
}

// drainRun holds the values shared by the connections of a run.
type drainRun struct {
	cfg      DrainConfig
	start    time.Time
	end      time.Time // zero for none
	rounds   *rounds
	failures failures
	stop     context.CancelCauseFunc
}

// drainWorker runs one session after the other. Its figures are read after its end.
type drainWorker struct {
	run  *drainRun
	text []byte // the message being read
	want []byte // the expected message

	retr     measure
	dele     measure
	sessions measure
	unknown  int64 // messages marked in sessions whose QUIT had no response
}

// work drains maildrops until the run is over.
func (w *drainWorker) work(ctx context.Context) {
	cfg := &w.run.cfg
	for ctx.Err() == nil && (w.run.end.IsZero() || time.Now().Before(w.run.end)) {
		i, ok := w.run.rounds.take()
		if !ok {
			return
		}
		start := time.Now()
		err := w.session(ctx, cfg.Logins[i])
		var no *replyError
		var refused *connectError
		// A clear refusal would be repeated: such a maildrop gets no further attempt.
		w.run.rounds.done(i, err == nil || errors.As(err, &no))
		switch {
		case err == nil:
			w.sessions.add(1, 0, time.Since(start))
			cfg.Progress.step(1)
		case ctx.Err() != nil:
			return
		case errors.As(err, &refused):
			w.run.stop(err)
			return
		default:
			w.run.failures.add(err, 1)
			cfg.Progress.fail(1)
			if no == nil && cfg.Reconnect == 0 {
				w.run.stop(fmt.Errorf("bench: session of %s: %w", cfg.Logins[i].Name, err))
				return
			}
		}
	}
}

// session drains one maildrop.
func (w *drainWorker) session(ctx context.Context, login Login) error {
	cfg := &w.run.cfg
	c, err := connectPOP(ctx, cfg.Target, cfg.Reconnect, &w.run.failures, cfg.Progress)
	if err != nil {
		return err
	}
	defer c.link.close()
	if err := c.login(login); err != nil {
		return err
	}
	n, _, err := c.stat()
	if err != nil {
		return err
	}
	m := contents{mailbox: login.Name, n: n}
	if cfg.Journal != nil {
		if m.uidls, err = c.uidl(n); err != nil {
			return err
		}
		m.tokens = make([]string, n)
	}
	if cfg.Check {
		if m.sizes, err = c.list(n); err != nil {
			return err
		}
	}
	if err := w.fetch(ctx, c, &m); err != nil {
		return err
	}
	if cfg.NoDele || n == 0 {
		return c.quit()
	}
	return w.remove(ctx, c, &m)
}

// contents is a maildrop during a session. The slices are nil where they are not needed;
// message number i is at index i-1.
type contents struct {
	mailbox string
	n       int
	uidls   []string
	sizes   []int64
	tokens  []string
	unread  map[int]bool // by number; messages that could not be read
}

// fetch reads all messages, unless NoRetr is set.
func (w *drainWorker) fetch(ctx context.Context, c *popClient, m *contents) error {
	cfg := &w.run.cfg
	verb, suffix := "RETR", ""
	if cfg.NoRetr {
		if cfg.Journal == nil {
			return nil
		}
		verb, suffix = "TOP", " 0"
	}
	return c.pipeline(ctx, verb, suffix, 1, m.n, cfg.Window, func(number int, sent time.Time) error {
		c.link.arm()
		_, err := c.response(verb)
		var no *replyError
		if errors.As(err, &no) { // perhaps removed by another session: go on
			if m.unread == nil {
				m.unread = map[int]bool{}
			}
			m.unread[number] = true
			w.run.failures.add(err, 1)
			cfg.Progress.fail(1)
			return nil
		}
		if err != nil {
			return err
		}
		var octets int64
		if !cfg.Check && cfg.Journal == nil {
			octets, err = c.skipText()
		} else {
			w.text, err = c.readText(w.text[:0])
			octets = int64(len(w.text))
		}
		if err != nil {
			return err
		}
		if verb == "RETR" {
			w.retr.add(1, octets, time.Since(sent))
		}
		w.note(m, number)
		return nil
	})
}

// note records a message that was read, and checks it if Check is set.
func (w *drainWorker) note(m *contents, number int) {
	cfg := &w.run.cfg
	if !cfg.Check && cfg.Journal == nil {
		return
	}
	t, start, err := findToken(w.text)
	if cfg.Journal != nil {
		m.tokens[number-1] = "-"
		if err == nil {
			m.tokens[number-1] = t.String()
		}
		cfg.Journal.seen(m.mailbox, m.uidls[number-1], m.tokens[number-1])
	}
	if !cfg.Check {
		return
	}
	if err == nil {
		w.want = appendMessage(w.want[:0], t)
		err = compare(w.text[start:], w.want)
	}
	if err == nil && int64(len(w.text)) != m.sizes[number-1] {
		err = fmt.Errorf("LIST says %d octets, RETR sends %d", m.sizes[number-1], len(w.text))
	}
	if err != nil {
		w.run.failures.add(fmt.Errorf("check: %w", err), 1)
		cfg.Progress.fail(1)
	}
}

// remove marks all messages except unreadable ones, and sends QUIT.
func (w *drainWorker) remove(ctx context.Context, c *popClient, m *contents) error {
	cfg := &w.run.cfg
	start := time.Now()
	session := cfg.Journal.newSession()
	var marked int64
	take := func(number int, _ time.Time) error {
		c.link.arm()
		_, err := c.response("DELE")
		var no *replyError
		if errors.As(err, &no) {
			w.run.failures.add(err, 1)
			cfg.Progress.fail(1)
			return nil
		}
		if err != nil {
			return err
		}
		marked++
		if cfg.Journal != nil {
			t := m.tokens[number-1]
			if t == "" {
				t = "-"
			}
			cfg.Journal.marked(session, m.mailbox, m.uidls[number-1], t)
		}
		return nil
	}
	var err error
	for first, last := 1, 0; err == nil && first <= m.n; first = last + 2 {
		for last = first - 1; last < m.n && !m.unread[last+1]; last++ {
		}
		err = c.pipeline(ctx, "DELE", "", first, last, cfg.Window, take)
	}
	if err != nil {
		// QUIT was not sent, so nothing may be removed (RFC 1939 section 6).
		cfg.Journal.quit(session, "none")
		return err
	}
	err = c.quit()
	var no *replyError
	switch {
	case err == nil:
		w.dele.add(marked, 0, time.Since(start))
		cfg.Journal.quit(session, "ok")
	case errors.As(err, &no):
		w.unknown += marked
		cfg.Journal.quit(session, "failed")
	default:
		w.unknown += marked
		cfg.Journal.quit(session, "unknown")
	}
	return err
}
