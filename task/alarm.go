package task

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"popelago/account"
	"popelago/event"
	"popelago/mail"
	"popelago/store"
)

// The kinds of alarms: label values of popelago_task_alarms.
const (
	// AlarmUnfetched: the maildrop has old mail, and nobody logs in.
	AlarmUnfetched = "unfetched"
	// AlarmGrowing: many more messages than usual arrived in a day, and stay in the maildrop.
	AlarmGrowing = "growing"
)

// AlarmConfig holds the settings of the job alarms.
type AlarmConfig struct {
	// Every is the pause between two runs. Zero: only on request.
	Every time.Duration
	// Unfetched is the age of the oldest message, and of the last login, from which mail counts as unfetched.
	// Zero: no alarm.
	Unfetched time.Duration
	// Growing is the least number of messages of a day of growth. Zero: no alarm.
	Growing int
	// Factor is the least ratio of the day to an average day before.
	Factor int
	// NotesLogins is set while logins are noted. Otherwise nothing is known about unfetched mail.
	NotesLogins bool
	// Keeping is account.Directory.Keeping. Nil: the rule of a server without a policy.
	Keeping func(store.Domain) account.Keeping
	// Events is told of alarms that the run before did not have. Nil: nobody is.
	Events event.Listener
	// Now returns the time. Nil means time.Now.
	Now func() time.Time
	// Logger receives a line with counts after each run with alarms. Default: no log.
	Logger *slog.Logger
}

// DefaultAlarmConfig returns the defaults.
func DefaultAlarmConfig() AlarmConfig {
	return AlarmConfig{Every: 24 * time.Hour, Unfetched: 30 * 24 * time.Hour, Growing: 1000, Factor: 10}
}

// Alarm is a maildrop for the attention of an administrator.
type Alarm struct {
	Kind    string
	Address mail.Address
	Mailbox mail.MailboxID
	// Since is the last login of AlarmUnfetched, or the arrival of the oldest message if no later login is noted; and
	// the beginning of the day of AlarmGrowing.
	Since time.Time
	// LastLogin is the last login noted; zero: none.
	LastLogin time.Time
	// Oldest is the arrival of the oldest message.
	Oldest time.Time
	// Day counts the messages of the day, up to maxCounted, and Usual the messages of an average day before.
	// Both belong to AlarmGrowing.
	Day   int
	Usual float64
}

// maxAlarms is the largest number of alarms kept of each kind: about 200 octets each. Further alarms are
// counted.
const maxAlarms = 10_000

// Alarms holds the alarms of the last run of the job, in the share of this server. Safe for concurrent use.
type Alarms struct {
	cfg       AlarmConfig
	mail      store.Mail
	directory store.Directory
	upkeep    store.Upkeep
	gauge     *prometheus.GaugeVec

	mu     sync.Mutex
	ended  time.Time
	counts map[string]int
	all    []Alarm
}

// NewAlarms makes the memory of the job, and registers its metric with reg, which may be nil.
func NewAlarms(cfg AlarmConfig, st store.Store, reg prometheus.Registerer) (*Alarms, error) {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	a := &Alarms{
		cfg: cfg, mail: st.Mail.Local, directory: st.Directory.Local, upkeep: st.Upkeep.Local, counts: map[string]int{},
		gauge: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "popelago_task_alarms",
			Help: "Maildrops with an alarm in the share of this server, as of the last run of the job alarms, by kind: unfetched (old mail, and nobody logs in), growing (many more messages than usual in a day). The servers of each datacenter share all maildrops.",
		}, []string{"kind"}),
	}
	for _, kind := range []string{AlarmUnfetched, AlarmGrowing} {
		a.gauge.WithLabelValues(kind)
	}
	if reg == nil {
		return a, nil
	}
	return a, reg.Register(a.gauge)
}

// List returns the alarms, by kind and address, with the number of alarms of each kind, and the end of the
// run; zero: no run has ended yet.
func (a *Alarms) List() (alarms []Alarm, counts map[string]int, ended time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	counts = map[string]int{}
	for kind, n := range a.counts {
		counts[kind] = n
	}
	return slices.Clone(a.all), counts, a.ended
}

// Job returns the job, which looks for maildrops with alarms. A run reads two short lists of each maildrop in the
// share of this server, and the last login where the lists give reason to. The run derives all from messages and
// logins; nothing is counted beside the path of mail, and nothing is written.
func (a *Alarms) Job() Job {
	return Job{Name: "alarms", Every: a.cfg.Every, Run: func(ctx context.Context, _ bool) (Report, error) {
		r := alarmRun{Alarms: a, now: a.cfg.Now(), unjudged: map[mail.MailboxID]bool{}, found: map[string]int{}}
		if err := a.upkeep.Clock(); err != nil { // after Now: the moment read can be trusted
			return nil, fmt.Errorf("task: alarms: %w", err)
		}
		err := r.run(ctx)
		return r.report(), err
	}}
}

// alarmRun is a run of the job.
type alarmRun struct {
	*Alarms
	now time.Time

	looked, skipped int
	found           map[string]int // by kind
	alarms          []Alarm
	unjudged        map[mail.MailboxID]bool // maildrops whose judgement failed
	failed          failures
	unread          int             // parts of the directory that could not be read
	whole           map[string]bool // domains that were read to the end
}

func (r *alarmRun) report() (out Report) {
	out.add("looked", int64(r.looked))
	for _, kind := range []string{AlarmUnfetched, AlarmGrowing} {
		out.add(kind, int64(r.found[kind]))
	}
	out.add(othersShare, int64(r.skipped))
	out.add(blocked, int64(r.unread))
	return out
}

func (r *alarmRun) run(ctx context.Context) error {
	var err error
	r.whole, err = eachReadable(ctx, r.directory, keepingOf(r.cfg.Keeping).orPlain(), func(generations []account.Generation) error {
		for _, g := range generations {
			if g.Status != account.Live || g.Row.Kind != store.KindAccount {
				continue
			}
			if !r.upkeep.Mine("alarms/" + g.Mailbox.String()) {
				r.skipped++
				continue
			}
			r.looked++
			err := r.judge(ctx, g)
			if err != nil {
				r.unjudged[g.Mailbox] = true
			}
			if err := r.failed.add(ctx, err); err != nil {
				return err
			}
			showProgress(ctx, r.report())
		}
		return nil
	})
	r.unread = unreadParts(err)
	if unread := new(account.UnreadError); err == nil || errors.As(err, &unread) && len(r.whole) > 0 {
		r.publish()
	}
	return r.failed.join(err)
}

// publish replaces the alarms of the last run. A maildrop whose judgement failed, or whose domain
// could not be read, keeps its alarms.
func (r *alarmRun) publish() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, before := range r.all {
		unread := r.unread > 0 && !r.whole[before.Address.Domain]
		if (r.unjudged[before.Mailbox] || unread) && !slices.ContainsFunc(r.alarms, func(a Alarm) bool { return a.Mailbox == before.Mailbox && a.Kind == before.Kind }) {
			r.note(before)
		}
	}
	slices.SortFunc(r.alarms, func(a, b Alarm) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Address.Domain, b.Address.Domain), cmp.Compare(a.Address.Local, b.Address.Local))
	})
	r.reportNew()
	r.all, r.counts, r.ended = r.alarms, r.found, r.now
	for _, kind := range []string{AlarmUnfetched, AlarmGrowing} {
		r.gauge.WithLabelValues(kind).Set(float64(r.found[kind]))
	}
	if r.found[AlarmUnfetched]+r.found[AlarmGrowing] > 0 {
		r.cfg.Logger.Warn("maildrops need attention: \"popelago alarm list\" names them",
			AlarmUnfetched, r.found[AlarmUnfetched], AlarmGrowing, r.found[AlarmGrowing])
	}
}

// reportNew reports the alarms that the run before did not have. After a start of the server, all are new.
func (r *alarmRun) reportNew() {
	if r.cfg.Events == nil {
		return
	}
	type name struct {
		kind    string
		mailbox mail.MailboxID
	}
	before := map[name]bool{}
	for _, a := range r.all {
		before[name{a.Kind, a.Mailbox}] = true
	}
	for _, a := range r.alarms {
		if !before[name{a.Kind, a.Mailbox}] {
			r.cfg.Events.Happened(event.Event{Kind: event.Kind(a.Kind), Time: r.now, Mailbox: a.Mailbox, Address: a.Address.String(), Messages: int64(a.Day)})
		}
	}
}

// note adds an alarm.
func (r *alarmRun) note(a Alarm) {
	if r.found[a.Kind]++; r.found[a.Kind] <= maxAlarms {
		r.alarms = append(r.alarms, a)
	}
}

// judge looks for the alarms of a maildrop.
func (r *alarmRun) judge(ctx context.Context, g account.Generation) error {
	var start mail.MessageID // messages past the retention are not listed
	if g.Retention.Ends() {
		start = mail.MinMessageID(r.now.Add(-time.Duration(g.Retention)))
	}
	rows, _, err := r.mail.ListMessages(ctx, g.Mailbox, start, 1)
	if err != nil {
		return fmt.Errorf("task: alarms: list mailbox %s: %w", g.Mailbox, err)
	}
	if len(rows) == 0 {
		return nil
	}
	base := Alarm{Address: g.Row.Address, Mailbox: g.Mailbox, Oldest: rows[0].ID.Time()}
	return errors.Join(r.judgeUnfetched(ctx, base), r.judgeGrowth(ctx, g, base))
}

// lastLogin reads the last login noted into an alarm.
func (r *alarmRun) lastLogin(ctx context.Context, a *Alarm) (err error) {
	if a.LastLogin, err = r.directory.LastLogin(ctx, a.Mailbox); err != nil {
		return fmt.Errorf("task: alarms: read the last login of mailbox %s: %w", a.Mailbox, err)
	}
	return nil
}

// judgeUnfetched notes a maildrop with old mail and without logins.
func (r *alarmRun) judgeUnfetched(ctx context.Context, a Alarm) error {
	if r.cfg.Unfetched <= 0 || !r.cfg.NotesLogins || r.now.Sub(a.Oldest) < r.cfg.Unfetched {
		return nil
	}
	if err := r.lastLogin(ctx, &a); err != nil {
		return err
	}
	a.Kind, a.Since = AlarmUnfetched, a.Oldest
	if a.LastLogin.After(a.Since) {
		a.Since = a.LastLogin
	}
	if r.now.Sub(a.Since) >= r.cfg.Unfetched {
		r.note(a)
	}
	return nil
}
