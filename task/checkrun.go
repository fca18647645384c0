package task

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"golang.org/x/time/rate"

	"popelago/account"
	"popelago/mail"
	"popelago/store"
)

// The phases of a run.
const (
	phaseEntries  = "entries"
	phaseContents = "contents"
)

// resumeWithin is the largest age of a position that a run resumes from.
const resumeWithin = 7 * 24 * time.Hour

// checkRun is one run, for use by one goroutine.
type checkRun struct {
	*Checker
	options     CheckOptions
	generations []account.Generation // of options.Address; nil: all addresses
	before      time.Time            // later ids are too young to be judged
	limiter     *rate.Limiter

	at     checkpoint
	looked int // entries and contents read since findings were last settled

	held time.Time // the last hold of the floor, for rebuilding

	entries  []entryCandidate
	contents []contentCandidate
	weight   int // mailboxes that contents name
}

// checkpoint is the position of a run, from which a later run resumes.
type checkpoint struct {
	Phase string
	// Domain and After: all addresses of earlier domains are done, and the addresses of this domain up
	// to this local-part.
	Domain, After []byte
	// Position: see store.ListContents.
	Position string
	Saved    time.Time
	Report   CheckReport
}

func newCheckRun(c *Checker, o CheckOptions, generations []account.Generation) *checkRun {
	return &checkRun{
		Checker: c, options: o, generations: generations, before: c.cfg.Now().Add(-c.cfg.Window),
		limiter: rate.NewLimiter(rate.Limit(c.cfg.Rate), max(c.cfg.Rate/10, 1)),
	}
}

// run executes the run, from the position of an earlier run if possible.
func (r *checkRun) run(ctx context.Context) error {
	if err := r.resume(ctx); err != nil {
		return err
	}
	if r.at.Phase == phaseEntries {
		if err := r.checkEntries(ctx); err != nil {
			return err
		}
		r.at.Phase, r.at.Position = phaseContents, ""
		if err := r.save(ctx); err != nil {
			return err
		}
	}
	if err := r.checkContents(ctx); err != nil {
		return err
	}
	return r.keep(ctx, "")
}

// resume sets the position: the last position of a run of this kind, or the start.
func (r *checkRun) resume(ctx context.Context) error {
	var text string
	err := r.try(ctx, func() (err error) {
		text, err = r.notes.Progress(ctx, r.options.name())
		return err
	})
	if err != nil {
		return fmt.Errorf("task: read the position of a check: %w", err)
	}
	now := r.cfg.Now()
	fresh := checkpoint{Phase: phaseEntries, Report: CheckReport{Begun: now}}
	if r.options.Rebuild {
		fresh.Phase = phaseContents
	}
	// A position that cannot be decoded is from a different release.
	usable := !r.options.Restart && text != "" && json.Unmarshal([]byte(text), &r.at) == nil
	resumed := usable && now.Sub(r.at.Saved).Abs() < resumeWithin
	if !resumed {
		r.at = fresh
	}
	r.mu.Lock()
	r.state.Resumed = resumed
	r.mu.Unlock()
	r.publish()
	return nil
}

// publish copies the report to the state of the Checker.
func (r *checkRun) publish() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.state.Phase = r.at.Phase
	r.state.Report = r.at.Report.clone()
}

// save stores the position of the run. All findings must be settled.
func (r *checkRun) save(ctx context.Context) error {
	r.publish()
	r.at.Saved = r.cfg.Now()
	text, err := json.Marshal(r.at)
	if err != nil {
		return fmt.Errorf("task: check: %w", err)
	}
	return r.keep(ctx, string(text))
}

func (r *checkRun) keep(ctx context.Context, text string) error {
	err := r.try(ctx, func() error { return r.notes.SetProgress(ctx, r.options.name(), text) })
	if err != nil {
		return fmt.Errorf("task: store the position of a check: %w", err)
	}
	return nil
}

// try calls do while the clock is trusted, and repeats failed calls up to Retries times.
func (r *checkRun) try(ctx context.Context, do func() error) error {
	return r.repeat(ctx, func() error {
		if err := r.upkeep.Clock(); err != nil {
			return err
		}
		return do()
	})
}

// longestPause times CheckConfig.RetryPause is the longest pause between two attempts.
const longestPause = 16

// repeat is try without a look at the clock.
func (r *checkRun) repeat(ctx context.Context, do func() error) error {
	pause, n, waited := r.cfg.RetryPause, 0, time.Duration(0)
	for {
		err := do()
		if err == nil || ctx.Err() != nil || !store.Unreached(err) {
			return err
		}
		if busy := errors.Is(err, store.ErrOverloaded); busy && waited < r.cfg.BusyTime {
			waited += pause
		} else if n++; n > r.cfg.Retries {
			return err
		}
		wait := time.NewTimer(pause)
		select {
		case <-wait.C:
		case <-ctx.Done():
			wait.Stop()
			return err
		}
		pause = min(4*pause, longestPause*r.cfg.RetryPause)
	}
}

// pace waits until the rate allows to read n more entries or contents.
func (r *checkRun) pace(ctx context.Context, n int) error {
	for n > 0 {
		some := min(n, r.limiter.Burst())
		if err := r.limiter.WaitN(ctx, some); err != nil {
			return fmt.Errorf("task: check: %w", err)
		}
		n -= some
	}
	return nil
}

// young reports whether a message is too young to be judged.
func (r *checkRun) young(id mail.MessageID) bool { return !id.Time().Before(r.before) }

// leave counts a message that is too young to be judged.
func (r *checkRun) leave(id mail.MessageID) {
	r.at.Report.Young++
	if from := id.Time().Add(r.cfg.Window); from.After(r.at.Report.JudgedFrom) {
		r.at.Report.JudgedFrom = from
	}
}

// found reports a settled finding.
func (r *checkRun) found(f CheckFinding) {
	r.at.Report.add(f, r.cfg.Findings)
	r.metrics.found.WithLabelValues(string(f.Kind)).Inc()
	if f.Repaired {
		r.metrics.repaired.WithLabelValues(string(f.Kind)).Inc()
		r.cfg.Logger.Info("check repaired", "finding", string(f.Kind), "message", f.Message.String(),
			"mailbox", f.Mailbox.String(), "detail", f.Detail)
	}
}

// tooMany reports whether n findings since findings were last settled exceed the limit of repairs.
func (r *checkRun) tooMany(n int) bool {
	return n > r.cfg.BrakeCount && n*r.cfg.BrakeShare > r.looked
}

// errGone: the finding has gone before its repair.
var errGone = errors.New("the finding is gone")
