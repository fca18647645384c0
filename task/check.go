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
	"popelago/defaults"
	"popelago/mail"
	"popelago/store"
)

// Errors of Checker.Start.
var (
	// ErrCheckRunning: a run has not ended yet.
	ErrCheckRunning = errors.New("a check is running")
	// ErrBadCheck: the options contradict each other.
	ErrBadCheck = errors.New("options do not go together")
	// ErrNotAll: a replica could not be read, so the run concluded nothing from the others. A run in
	// progress may end with ErrNotAll, too.
	ErrNotAll = errors.New("not every replica could be read")
)

// CheckConfig holds the settings of a Checker. The zero value of each field means its default, see
// DefaultCheckConfig.
type CheckConfig struct {
	// Window is the in-flight window: younger messages are not judged.
	Window time.Duration
	// Rate limits the entries and contents read in a second.
	Rate int
	// Retries limits the repetitions of a failed read. Negative: none.
	Retries int
	// RetryPause is the pause before the first repetition, and grows fourfold with each further
	// repetition, up to 16 times its length.
	RetryPause time.Duration
	// BusyTime limits the pauses in which one read waits for a server with too many statements in flight. Such a wait is no
	// repetition of Retries. Negative: none.
	BusyTime time.Duration
	// BrakeCount and BrakeShare limit repairs: with more than BrakeCount findings, and more than one
	// finding in BrakeShare entries or contents, a run repairs no finding. A run also keeps all content
	// of a mailbox that lacks more than BrakeCount entries.
	BrakeCount, BrakeShare int
	// Findings limits the findings that a report names; further findings are only counted.
	Findings int
	// Batch limits the entries and contents read, and five times the candidates, until a run judges the
	// candidates and stores its position.
	Batch int
	// Keeping is account.Directory.Keeping. Default: the rule of a server without a policy.
	Keeping func(store.Domain) account.Keeping
	// Now returns the time. Default time.Now.
	Now func() time.Time
	// IDs makes the ids of copies of messages. Default: a new source.
	IDs *mail.IDSource
	// Logger receives the beginning and the end of runs, and repairs. Default: no log.
	Logger *slog.Logger
}

// DefaultCheckConfig returns the defaults of all settings that have a default value.
func DefaultCheckConfig() CheckConfig {
	return CheckConfig{
		Window:     store.DefaultWindow,
		Rate:       2000,
		Retries:    3,
		RetryPause: time.Second,
		BusyTime:   10 * time.Minute,
		BrakeCount: 100,
		BrakeShare: 10,
		Findings:   500,
		Batch:      500_000,
	}
}

func (c CheckConfig) withDefaults() CheckConfig {
	c = defaults.Fill(c, DefaultCheckConfig())
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

// CheckOptions are the options of a run.
type CheckOptions struct {
	// Address, if not zero, limits the run to the generations of one address.
	Address mail.Address
	// Repair repairs all findings with a safe repair.
	Repair bool
	// Rebuild only adds the entries that the mailbox of Address lacks.
	Rebuild bool
	// Deep reads all octets of all contents.
	Deep bool
	// Force repairs even if the number of findings exceeds the limit.
	Force bool
	// Restart begins at the start although an earlier run of the same kind stopped half way.
	Restart bool
}

// name returns the name under which the position of runs with these options is stored.
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

// CheckResult is the result of a run.
type CheckResult string

// The results. The zero value: no run yet.
const (
	CheckRunning CheckResult = "running"
	CheckDone    CheckResult = "done"
	CheckStopped CheckResult = "stopped" // a later run may resume
	CheckFailed  CheckResult = "failed"  // a later run may resume
)

// CheckState is the state of the last run.
type CheckState struct {
	Options CheckOptions
	Result  CheckResult
	// Phase of the run: "entries", "contents".
	Phase string
	// Resumed: the run resumed an earlier run, which Report includes.
	Resumed bool
	// Window is the in-flight window: messages younger at Started were not judged.
	Window time.Duration
	// Started and Ended belong to this run, and not to a resumed run.
	Started, Ended time.Time
	Report         CheckReport
	// Err is the cause of CheckFailed.
	Err error
}

// Checker compares the index with the content, both ways, on request. See the package comment. Safe
// for concurrent use.
type Checker struct {
	cfg     CheckConfig
	keeping keepingOf
	metrics *checkMetrics

	// The roles, at the level All.
	mail      store.Mail
	directory store.Directory
	upkeep    store.Upkeep
	// notes is at the level Local.
	notes store.Notes

	mu     sync.Mutex
	state  CheckState
	cancel context.CancelFunc // of the last run
	ended  chan struct{}      // closed at the end of the last run
	closed bool
}

// NewChecker makes a Checker, which the caller closes before the store. reg may be nil.
func NewChecker(cfg CheckConfig, st store.Store, reg prometheus.Registerer) *Checker {
	c := &Checker{
		cfg: cfg.withDefaults(), keeping: keepingOf(cfg.Keeping).orPlain(), metrics: newCheckMetrics(reg),
		mail: st.Mail.All, directory: st.Directory.All, upkeep: st.Upkeep.All, notes: st.Upkeep.Local,
		cancel: func() {}, ended: make(chan struct{}),
	}
	close(c.ended)
	return c
}

// Start begins a run, which continues after the end of ctx.
//
// Errors: ErrCheckRunning, ErrBadCheck, ErrNotAll, ErrStopped, account.ErrNoSuchAccount, those
// of package store.
func (c *Checker) Start(ctx context.Context, o CheckOptions) error {
	if o.Rebuild && (o.Repair || o.Deep || o.Force || o.Address == (mail.Address{})) {
		return fmt.Errorf("%w: rebuilding is for one address, and excludes all other options", ErrBadCheck)
	}
	if o.Force && !o.Repair {
		return fmt.Errorf("%w: only a repair can be forced", ErrBadCheck)
	}
	if err := c.upkeep.Clock(); err != nil {
		return fmt.Errorf("task: a check has to wait: %w", err)
	}
	var generations []account.Generation
	if o.Address != (mail.Address{}) {
		o.Address = o.Address.Canonical()
		var err error
		if generations, err = generationsOf(ctx, c.directory, c.keeping, o.Address); err != nil {
			return explainCheck(err)
		}
		if o.Rebuild {
			generations = slices.DeleteFunc(generations, func(g account.Generation) bool { return g.Status != account.Live || g.Row.Kind != store.KindAccount })
		}
		if len(generations) == 0 {
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
	r := newCheckRun(c, o, generations)
	go func() {
		defer close(c.ended)
		c.do(run, r)
	}()
	return nil
}

// do executes a run, and stores, logs and counts the result.
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

// explainCheck adds ErrNotAll to errors of a store that did not reach all replicas. A statement without a place was not sent.
func explainCheck(err error) error {
	if store.Unreached(err) && !errors.Is(err, store.ErrOverloaded) {
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

// State returns the state of the last run.
func (c *Checker) State() CheckState {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.state
	s.Window = c.cfg.Window
	s.Report = s.Report.clone()
	return s
}

// Cancel stops the run in progress, if any, and waits for its end or the end of ctx.
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

// Close stops the run in progress and waits for its end. Start fails afterwards.
func (c *Checker) Close() {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	_ = c.Cancel(context.Background()) // a context without an end: no error
}
