package task

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"popelago/account"
	"popelago/mail"
	"popelago/store"
)

// What Start may answer.
var (
	// ErrCheckRunning: one run at a time.
	ErrCheckRunning = errors.New("a check is under way")
	// ErrBadCheck: the options do not go together.
	ErrBadCheck = errors.New("options do not go together")
	// ErrNotAll: not every replica could be read, so nothing was concluded from the others. A
	// run may end with it, too.
	ErrNotAll = errors.New("not every replica could be read")
)

// CheckConfig holds the settings of a Checker. The zero value of each field means its default.
type CheckConfig struct {
	// Window is the in-flight window: younger messages are not judged. Default 1h.
	Window time.Duration
	// Rate is how many entries and contents are looked at in a second. Default 2000.
	Rate int
	// Retries is how often a read that fails is repeated. Default 3; negative: never.
	Retries int
	// RetryPause is the pause before that, four times as long before each further one.
	// Default 1s.
	RetryPause time.Duration
	// BrakeCount and BrakeShare are the brake of repairs: where more than BrakeCount, and more
	// than one in BrakeShare of all that was looked at, would be taken away or made anew,
	// nothing is. Nor is content for a mailbox that lacks more than BrakeCount entries.
	// Defaults 100 and 10.
	BrakeCount, BrakeShare int
	// Findings is how many findings a report names; the others are counted. Default 500.
	Findings int
	// Batch is how much is looked at until candidates are judged and the position is noted.
	// Default 500,000; of candidates, a fifth.
	Batch int
	// Now tells the time. Default time.Now.
	Now func() time.Time
	// IDs makes the ids of messages that are stored anew. Default: a source of its own.
	IDs *mail.IDSource
	// Logger takes the beginning and the end of runs, and repairs. Default: nothing is logged.
	Logger *slog.Logger
}

func (c CheckConfig) withDefaults() CheckConfig {
	setDefault(&c.Window, time.Hour)
	setDefault(&c.Rate, 2000)
	setDefault(&c.Retries, 3)
	setDefault(&c.RetryPause, time.Second)
	setDefault(&c.BrakeCount, 100)
	setDefault(&c.BrakeShare, 10)
	setDefault(&c.Findings, 500)
	setDefault(&c.Batch, 500_000)
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.IDs == nil {
		c.IDs = mail.NewIDSource(c.Now)
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

func setDefault[T comparable](v *T, to T) {
	var zero T
	if *v == zero {
		*v = to
	}
}

// CheckOptions say what a run does.
type CheckOptions struct {
	// Address, if not zero, is the only one that is looked at, with all its generations.
	Address mail.Address
	// Repair puts right what can be put right without a doubt.
	Repair bool
	// Rebuild adds the entries that the mailbox of Address lacks. Nothing else is done.
	Rebuild bool
	// Deep reads all octets of all contents.
	Deep bool
	// Force repairs also what is found in such numbers that the brake holds it.
	Force bool
	// Restart begins anew where an earlier run of the same kind was stopped half way.
	Restart bool
}

// name is under which the position of such runs is kept.
func (o CheckOptions) name() string {
	words := []string{"check"}
	for word, on := range map[string]bool{"repair": o.Repair, "rebuild": o.Rebuild, "deep": o.Deep, "force": o.Force} {
		if on {
			words = append(words, word)
		}
	}
	slices.Sort(words[1:])
	name := strings.Join(words, "+")
	if o.Address != (mail.Address{}) {
		name += "/" + o.Address.String()
	}
	return name
}

// CheckResult is what became of a run.
type CheckResult string

// The results. The zero value means that there was none.
const (
	CheckRunning CheckResult = "running"
	CheckDone    CheckResult = "done"
	CheckStopped CheckResult = "stopped" // it can be gone on with
	CheckFailed  CheckResult = "failed"  // likewise
)

// CheckState tells about the last run.
type CheckState struct {
	Options CheckOptions
	Result  CheckResult
	// Phase is what a run is at: "entries", "contents".
	Phase string
	// Resumed says that it went on with an earlier run, which Report includes.
	Resumed bool
	// Window is the in-flight window: what was younger at Started was not judged.
	Window time.Duration
	// Started and Ended are of this run, not of an earlier one.
	Started, Ended time.Time
	Report         CheckReport
	// Err is why it failed.
	Err error
}

// Checker compares the index with the content, both ways, when asked to. See the package
// comment. Safe for concurrent use.
type Checker struct {
	cfg     CheckConfig
	metrics *checkMetrics

	// The roles, at the level All.
	mail      store.Mail
	directory store.Directory
	upkeep    store.Upkeep
	// notes is at the level Local.
	notes store.Notes

	mu     sync.Mutex
	state  CheckState
	cancel context.CancelFunc // of the run under way, or the last one
	ended  chan struct{}      // closed when it has ended
	closed bool
}

// NewChecker makes a Checker, which needs to be closed before the store. reg may be nil.
func NewChecker(cfg CheckConfig, st store.Store, reg prometheus.Registerer) *Checker {
	c := &Checker{
		cfg: cfg.withDefaults(), metrics: newCheckMetrics(reg),
		mail: st.Mail.All, directory: st.Directory.All, upkeep: st.Upkeep.All, notes: st.Upkeep.Local,
		cancel: func() {}, ended: make(chan struct{}),
	}
	close(c.ended)
	return c
}

// Start begins a run, which goes on after ctx has ended.
//
// Errors: ErrCheckRunning, ErrBadCheck, ErrNotAll, ErrStopped, account.ErrNoSuchAccount, those
// of package store.
func (c *Checker) Start(ctx context.Context, o CheckOptions) error {
	if o.Rebuild && (o.Repair || o.Deep || o.Force || o.Address == (mail.Address{})) {
		return fmt.Errorf("%w: rebuilding is for one address, and nothing else is done then", ErrBadCheck)
	}
	if o.Force && !o.Repair {
		return fmt.Errorf("%w: only a repair can be forced", ErrBadCheck)
	}
	if err := c.upkeep.Clock(); err != nil {
		return fmt.Errorf("task: a check has to wait: %w", err)
	}
	var owners []owner
	if o.Address != (mail.Address{}) {
		o.Address = o.Address.Canonical()
		var err error
		if owners, err = ownersOf(ctx, c.directory, o.Address); err != nil {
			return explainCheck(err)
		}
		if o.Rebuild {
			owners = slices.DeleteFunc(owners, func(o owner) bool { return !o.live })
		}
		if len(owners) == 0 {
			return fmt.Errorf("account %s: %w", o.Address, account.ErrNoSuchAccount)
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.closed:
		return ErrStopped
	case c.state.Result == CheckRunning:
		return ErrCheckRunning
	}
	run, cancel := context.WithCancel(context.Background())
	c.cancel, c.ended = cancel, make(chan struct{})
	c.state = CheckState{Options: o, Result: CheckRunning, Started: c.cfg.Now()}
	r := newCheckRun(c, o, owners)
	go func() {
		defer close(c.ended)
		c.do(run, r)
	}()
	return nil
}

// do does a run and notes, logs and counts how it ended.
func (c *Checker) do(ctx context.Context, r *checkRun) {
	c.metrics.running.Set(1)
	c.cfg.Logger.Info("check begins", "kind", r.options.name())
	err := guardCheck(func() error { return r.run(ctx) })
	c.metrics.running.Set(0)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.state.Ended, c.state.Err = c.cfg.Now(), nil
	switch {
	case err == nil:
		c.state.Result = CheckDone
	case ctx.Err() != nil:
		c.state.Result = CheckStopped
	default:
		c.state.Result, c.state.Err = CheckFailed, explainCheck(err)
	}
	c.metrics.runs.WithLabelValues(string(c.state.Result)).Inc()
	attrs := append(c.state.Report.attrs(), slog.String("kind", r.options.name()), slog.String("result", string(c.state.Result)))
	level := slog.LevelInfo
	if c.state.Err != nil {
		level, attrs = slog.LevelError, append(attrs, slog.Any("cause", err))
	}
	c.cfg.Logger.LogAttrs(ctx, level, "check ended", attrs...)
}

// explainCheck marks the errors of a store that could not read or write all it had to.
func explainCheck(err error) error {
	if store.Unreached(err) {
		return fmt.Errorf("%w: %w", ErrNotAll, err)
	}
	return err
}

// guardCheck turns a panic into an error.
func guardCheck(run func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("task: check panicked: %v\n%s", p, debug.Stack())
		}
	}()
	return run()
}

// State tells about the run under way, or the last one.
func (c *Checker) State() CheckState {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.state
	s.Window = c.cfg.Window
	s.Report = s.Report.clone()
	return s
}

// Cancel stops the run under way, if there is one, and waits until it has ended or ctx has.
func (c *Checker) Cancel(ctx context.Context) error {
	c.mu.Lock()
	cancel, ended := c.cancel, c.ended
	c.mu.Unlock()
	cancel()
	select {
	case <-ended:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("task: the check has not stopped yet: %w", ctx.Err())
	}
}

// Close stops the run under way and waits for it. No further one can be started.
func (c *Checker) Close() {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	_ = c.Cancel(context.Background()) // has no end, so no error
}
