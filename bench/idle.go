package bench

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// IdleConfig says which sessions Idle holds.
type IdleConfig struct {
	Target Target

	// Logins are used in turn. Empty: the sessions do not log in.
	Logins []Login

	// Sessions is the number of sessions at one time. Default 1.
	Sessions int

	// Hold is the time that all sessions stay open. Default 10s.
	Hold time.Duration

	// Held, if not nil, is called when all sessions are open, with how many there are.
	Held func(open int)

	// Progress is updated while the sessions are opened. May be nil.
	Progress *Progress
}

// validate fills in the defaults and describes errors in words for the user.
func (c *IdleConfig) validate() error {
	c.Sessions = max(c.Sessions, 1)
	if c.Hold <= 0 {
		c.Hold = 10 * time.Second
	}
	if err := c.Target.validate(); err != nil {
		return err
	}
	if len(c.Logins) == 0 {
		return nil
	}
	return validateLogins(c.Logins)
}

// opening is the number of sessions that Idle opens, or ends, at the same time.
const opening = 32

// Idle opens POP3 sessions, waits, and then checks which sessions still answer QUIT with +OK. The
// report has the row "opened" (latency of connect and login) and the facts "opened" and "answered
// at the end". Sessions that were not opened, or did not answer, are errors.
func Idle(ctx context.Context, cfg IdleConfig) (Report, error) {
	if err := cfg.validate(); err != nil {
		return Report{}, err
	}
	start := time.Now()
	cfg.Progress.begin("open sessions", int64(cfg.Sessions))
	next := newPace(0, 0, int64(cfg.Sessions))
	clients := make([]*popClient, cfg.Sessions)
	opened := make([]measure, opening)
	var failed failures
	var wg sync.WaitGroup
	for i := range opened {
		wg.Go(func() {
			for {
				n, due, ok := next.take(ctx)
				if !ok {
					return
				}
				c, err := openIdle(ctx, &cfg, n)
				if err != nil {
					failed.add(err, 1)
					cfg.Progress.fail(1)
				} else {
					clients[n] = c
					opened[i].add(1, 0, time.Since(due))
				}
				cfg.Progress.step(1)
			}
		})
	}
	wg.Wait()

	report := Report{Name: "idle", Start: start, Seconds: time.Since(start).Seconds()}
	var sum measure
	for i := range opened {
		sum.merge(&opened[i])
	}
	report.addRow("opened", &sum)
	report.addFact("opened", sum.count)
	if cfg.Held != nil && ctx.Err() == nil {
		cfg.Held(int(sum.count))
	}
	sleep(ctx, cfg.Hold)

	cfg.Progress.begin("end sessions", int64(cfg.Sessions))
	report.addFact("answered at the end", endIdle(clients, &failed, cfg.Progress))
	report.Errors = failed.list()
	return finish(ctx, report, nil)
}

// openIdle opens session number n. It releases the buffers of the session: thousands of idle
// sessions should cost the generator little.
func openIdle(ctx context.Context, cfg *IdleConfig, n int64) (*popClient, error) {
	c, err := dialPOP(ctx, cfg.Target)
	if err != nil {
		return nil, err
	}
	if len(cfg.Logins) > 0 {
		if err := c.login(cfg.Logins[n%int64(len(cfg.Logins))]); err != nil {
			c.link.close()
			return nil, err
		}
	}
	c.wire = nil
	if err := c.link.rest(); err != nil {
		return nil, err
	}
	return c, nil
}

// endIdle does QUIT in all sessions and returns how many answered +OK.
func endIdle(clients []*popClient, failed *failures, p *Progress) int64 {
	var answered atomic.Int64
	work := make(chan *popClient)
	var wg sync.WaitGroup
	for range opening {
		wg.Go(func() {
			for c := range work {
				c.link.wake()
				if err := c.quit(); err != nil {
					failed.add(err, 1)
					p.fail(1)
				} else {
					answered.Add(1)
				}
				p.step(1)
			}
		})
	}
	for _, c := range clients {
		if c != nil {
			work <- c
		}
	}
	close(work)
	wg.Wait()
	return answered.Load()
}
