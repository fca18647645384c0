package bench

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// PollConfig says how Poll polls.
type PollConfig struct {
	Target Target

	// Logins are used in turn. At least one.
	Logins []Login

	// Connections is the number of sessions at one time. Default 1.
	Connections int

	// Pipeline sends USER, PASS, STAT and QUIT in one write instead of four.
	Pipeline bool

	// Rate is in sessions per second; 0 means as fast as the server takes them. With a
	// rate, latency counts from when the session was due.
	Rate float64

	// Duration and Count end the run, whichever comes first. At least one must be set.
	Duration time.Duration
	Count    int64

	// Reconnect is the time for new attempts after a connection was lost or refused. 0: a refused
	// connection ends the run with an error.
	Reconnect time.Duration

	// Progress is updated during the run. May be nil.
	Progress *Progress
}

// validate fills in the defaults and describes errors in words for the user.
func (c *PollConfig) validate() error {
	if err := c.Target.validate(); err != nil {
		return err
	}
	if c.Duration <= 0 && c.Count <= 0 {
		return errors.New("bench: give a duration or a count")
	}
	c.Connections = max(c.Connections, 1)
	return validateLogins(c.Logins)
}

// Poll opens sessions with login, STAT and QUIT, as mail programs do every few minutes. The report
// has one row, "sessions", with the latency from the connect to the response to QUIT. The fact
// "messages listed" is the sum of all STAT responses. Failed sessions count as errors only.
func Poll(ctx context.Context, cfg PollConfig) (Report, error) {
	if err := cfg.validate(); err != nil {
		return Report{}, err
	}
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	p := newPace(cfg.Rate, cfg.Duration, cfg.Count)
	cfg.Progress.begin("poll", p.total())

	var failed failures
	var listed atomic.Int64
	sessions := make([]measure, cfg.Connections)
	var wg sync.WaitGroup
	for i := range sessions {
		wg.Go(func() {
			for {
				number, due, ok := p.take(ctx)
				if !ok {
					return
				}
				messages, err := pollOnce(ctx, &cfg, cfg.Logins[number%int64(len(cfg.Logins))], &failed)
				var refused *connectError
				switch {
				case err == nil:
					sessions[i].add(1, 0, time.Since(due))
					listed.Add(int64(messages))
				case ctx.Err() != nil:
				case errors.As(err, &refused):
					stop(err)
				default:
					failed.add(err, 1)
					cfg.Progress.fail(1)
				}
				cfg.Progress.step(1)
			}
		})
	}
	wg.Wait()

	report := Report{Name: "poll", Start: p.start, Seconds: time.Since(p.start).Seconds()}
	var sum measure
	for i := range sessions {
		sum.merge(&sessions[i])
	}
	report.addRow("sessions", &sum)
	report.addFact("messages listed", listed.Load())
	report.Errors = failed.list()
	return finish(ctx, report, nil)
}

// pollOnce runs one session and returns the number of messages in STAT.
func pollOnce(ctx context.Context, cfg *PollConfig, login Login, failed *failures) (messages int, err error) {
	c, err := connectPOP(ctx, cfg.Target, cfg.Reconnect, failed, cfg.Progress)
	if err != nil {
		return 0, err
	}
	defer c.link.close()
	if cfg.Pipeline {
		if messages, err = c.poll(login); err != nil {
			return 0, err
		}
		c.link.closeAfterPeer()
		return messages, nil
	}
	if err := c.login(login); err != nil {
		return 0, err
	}
	if messages, _, err = c.stat(); err != nil {
		return 0, err
	}
	return messages, c.quit()
}

// connectError is a failure to connect, after all attempts.
type connectError struct {
	addr string
	err  error
}

// Error names the address.
func (e *connectError) Error() string { return fmt.Sprintf("bench: connect to %s: %v", e.addr, e.err) }

// Unwrap returns the cause.
func (e *connectError) Unwrap() error { return e.err }

// connectPOP connects, with further attempts for the time of patience. Failed attempts are counted;
// the last one is returned as a *connectError.
func connectPOP(ctx context.Context, t Target, patience time.Duration, failed *failures, p *Progress) (c *popClient, err error) {
	err = redial(ctx, patience, func() (err error) {
		c, err = dialPOP(ctx, t)
		return err
	}, func(err error) {
		failed.add(err, 1)
		p.fail(1)
	})
	if err != nil {
		return nil, &connectError{t.Addr, err}
	}
	return c, nil
}
