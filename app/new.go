package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"popelago/account"
	"popelago/admin"
	"popelago/config"
	"popelago/delivery"
	"popelago/event"
	"popelago/ledger"
	"popelago/mail"
	"popelago/pop3server"
	"popelago/quota"
	"popelago/smtpserver"
	"popelago/task"
	"popelago/token"
	"popelago/trace"
	"popelago/visit"
	"popelago/wire"
)

// New makes a server from a valid configuration: it opens the store and makes all parts above. Stop
// must follow, also without Start. Errors: SettingError, ErrSchemaNotApplied, ErrSchemaNewer, ErrSchemaLayout, ErrNotAllowed,
// ErrNewerFormat, ErrLocked, ErrFull, ErrUnavailable, others.
func New(ctx context.Context, cfg config.Config, logger *slog.Logger, options ...Option) (_ *App, err error) {
	if cfg.Hostname, err = hostName(cfg); err != nil {
		return nil, err
	}
	a := &App{cfg: cfg, logger: logger, registry: prometheus.NewRegistry(), now: time.Now}
	a.background, a.endBackground = context.WithCancel(context.WithoutCancel(ctx))
	defer func() {
		if err != nil {
			a.endBackground()
		}
	}()
	for _, o := range options {
		o(a)
	}
	a.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	// A user who may write there can replace files, and read mail.
	if err := config.CheckPrivate(cfg.DataDir); err != nil {
		return nil, asSetting(fmt.Errorf("data_dir: %w", err))
	}
	settings, err := settingsOf(cfg)
	if err != nil {
		return nil, err
	}
	if a.engine, err = settings.open(ctx, a); err != nil {
		return nil, err
	}
	// The embedded engine has made the folder already, durably.
	if err := os.MkdirAll(cfg.DataDir, 0o700); err != nil {
		return nil, errors.Join(asSetting(fmt.Errorf("make the data folder: %w", err)), a.engine.store.Close())
	}
	if err := a.build(); err != nil {
		return nil, errors.Join(err, a.abandon(ctx), a.engine.store.Close())
	}
	return a, nil
}

// abandon ends the parts that work from the moment they are made, after a failure of build. All other parts begin with
// Start or with their first call.
func (a *App) abandon(ctx context.Context) error {
	var errs []error
	if a.traces != nil {
		errs = append(errs, a.closeTraces(ctx))
	}
	if a.hooks.sender != nil {
		errs = append(errs, a.closeWebhooks(ctx))
	}
	return errors.Join(errs...)
}

// build makes all parts above the store.
func (a *App) build() error {
	cfg := &a.cfg
	ids := mail.NewIDSource(a.now)
	if err := a.loadCertificate(); err != nil {
		return asSetting(err)
	}
	accounts := cfg.Auth.Config
	accounts.CountLocal, accounts.Durability = a.countLocal, cfg.Cassandra.DefaultDurability()
	accounts.IDs, accounts.Now, accounts.Logger = ids, a.now, a.logger
	var err error
	a.directory, err = account.New(accounts, a.engine.store.Directory, a.registry)
	if err != nil {
		return err
	}
	a.reload.inForce = cfg.Clone()
	a.drain.set(cfg.DrainDelay, cfg.DrainTimeout)
	a.levels.configure(cfg.Log.Level)
	tokens := cfg.Admin.Tokens
	tokens.CountLocal, tokens.Now, tokens.Logger = a.countLocal, a.now, a.logger
	if a.tokens, err = token.New(tokens, a.engine.store.Directory, a.registry); err != nil {
		return err
	}
	if err := a.buildTraces(); err != nil {
		return err
	}
	if err := a.buildWebhooks(); err != nil {
		return err
	}
	if next := a.events(); next != nil {
		a.logins = event.NewFailures(next)
	}
	if err := a.buildServers(ids); err != nil {
		return err
	}
	if err := a.buildTasks(ids); err != nil {
		return err
	}
	return a.registerMetrics()
}

// historyFile is the file in the data folder with the history of the background jobs.
const historyFile = "task-history.json"

// buildTasks makes the background jobs.
func (a *App) buildTasks(ids *mail.IDSource) error {
	cfg := a.cfg.Tasks
	window := a.engine.mailboxWindow
	sweep := cfg.Sweep
	sweep.Grace, sweep.Now, sweep.Logger = a.engine.window, a.now, a.logger
	purge := cfg.Purge
	purge.Late, purge.Window, purge.Now, purge.Logger = max(purge.Late, sweep.Undelete), window, a.now, a.logger
	purge.Settle = a.cfg.Store.Settle
	expire := cfg.Expire
	expire.After, expire.Window, expire.Directory, expire.Now = a.cfg.Store.Settle, window, a.directory, a.now
	expire.Keeping = a.directory.Keeping
	expire.Events, purge.Events = a.events(), a.events()
	usage := cfg.Usage
	usage.Now = a.now
	alarm := cfg.Alarm
	alarm.NotesLogins, alarm.Keeping, alarm.Now, alarm.Logger = a.cfg.Visits.LoginEvery > 0, a.directory.Keeping, a.now, a.logger
	alarm.Events = a.events()
	var err error
	if a.alarms, err = task.NewAlarms(alarm, a.engine.store, a.registry); err != nil {
		return err
	}
	upkeep := a.engine.store.Upkeep.Local
	runner := task.Config{
		MayRun: upkeep.MayReclaim, History: a.cfg.Tasks.History, HistoryFile: filepath.Join(a.cfg.DataDir, historyFile),
		Describe: admin.DescribeFailure, Logger: a.logger,
	}
	a.tasks = task.New(runner, a.registry,
		task.Floor(sweep, a.directory, upkeep),
		task.Reap(sweep, upkeep),
		task.Orphans(sweep, upkeep),
		task.Purge(purge, a.directory, a.engine.store, a.registry),
		task.Expire(expire, a.engine.store),
		task.Usage(usage, a.directory, a.quotas, a.engine.store),
		a.alarms.Job(),
	)
	a.late = task.NewLate(a.directory, a.engine.store, ids, a.now)
	kept := max(sweep.Grace, sweep.Undelete)
	a.undelete = task.NewUndelete(task.UndeleteConfig{Window: kept, IDs: ids, Now: a.now}, a.directory, a.engine.store)
	check := cfg.Check
	check.Window, check.Keeping = a.engine.window, a.directory.Keeping
	check.IDs, check.Now, check.Logger = ids, a.now, a.logger
	a.checker = task.NewChecker(check, a.engine.store, a.registry)
	return nil
}

func (a *App) loadCertificate() (err error) {
	cert, key := a.cfg.TLS.Certificate, a.cfg.TLS.Key
	if a.cfg.TLS.SelfSigned {
		if cert, key, err = selfSigned(a.cfg.DataDir, a.cfg.Hostname, a.logger); err != nil {
			return err
		}
	}
	if cert == "" {
		return nil
	}
	if a.certs, err = newCertificates(cert, key, a.cfg.Hostname, a.logger); err != nil {
		return err
	}
	if a.cfg.TLS.SelfSigned {
		a.certs.renew = func() error {
			_, _, err := selfSigned(a.cfg.DataDir, a.cfg.Hostname, a.logger)
			return err
		}
	}
	return a.registry.Register(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "popelago_app_certificate_end_seconds", Help: "When the TLS certificate in use ends, in seconds since 1970.",
	}, func() float64 { return float64(a.certs.end().Unix()) }))
}

func (a *App) buildServers(ids *mail.IDSource) error {
	cfg := &a.cfg
	connections := wire.NewMetrics(a.registry)
	var err error
	quotas := cfg.Quota
	quotas.Now, quotas.Logger = a.now, a.logger
	if a.quotas, err = quota.New(quotas, a.directory, a.engine.store, a.registry); err != nil {
		return err
	}
	visits := cfg.Visits
	visits.Now, visits.Logger = a.now, a.logger
	if a.visits, err = visit.New(visits, a.engine.store, a.registry); err != nil {
		return err
	}
	if a.ledger, err = a.buildLedger(); err != nil {
		return err
	}
	if a.deliverer, err = a.buildDeliverer(ids); err != nil {
		return err
	}
	pop3 := cfg.POP3.Config
	pop3.Implementation = "Popelago" // as the SMTP greeting says; no version
	pop3.TLS, pop3.HandshakeTimeout = a.tlsConfig(), cfg.TLS.HandshakeTimeout
	pop3.AllowInsecureAuth, pop3.CountLocal = cfg.Auth.AllowInsecureAuth, a.countLocal
	pop3.SummaryEvery, pop3.Connections = cfg.Log.SummaryEvery, connections
	pop3.Now, pop3.Logger = a.now, a.logger
	pop3.Events, pop3.Required = a.loginEvents(), a.required()
	pop3.Removed = func(mailbox mail.MailboxID, messages int, octets int64) {
		a.quotas.Removed(mailbox, quota.Usage{Octets: octets, Messages: int64(messages)})
	}
	pop3.LoggedIn = func(l account.Login) { a.visits.LoggedIn(l.Mailbox) }
	pop3.Retrieved = func(l account.Login, ids []mail.MessageID) {
		a.visits.Retrieved(l.Mailbox, ids, time.Duration(l.AfterRetrieval)+account.NoteSlack)
	}
	if !a.engine.remote {
		pop3.ReadAhead = -1
	}
	a.pop3, err = pop3server.New(pop3, a.directory, a.engine.store.Mail, a.registry)
	if err != nil {
		return err
	}
	if a.smtp, err = a.buildSMTP(smtpserver.SMTP, cfg.SMTP, a.deliverer, connections); err != nil {
		return err
	}
	a.lmtp, err = a.buildSMTP(smtpserver.LMTP, cfg.LMTP, a.deliverer, connections)
	return err
}

// buildLedger makes the ledger, which the servers of a cluster share.
func (a *App) buildLedger() (*ledger.Ledger, error) {
	cfg := a.cfg.Ledger
	cfg.Poll, cfg.Window = a.engine.ledgerPoll, a.engine.window
	cfg.Now, cfg.Logger = a.now, a.logger
	return ledger.New(cfg, a.engine.store, a.registry)
}

func (a *App) buildDeliverer(ids *mail.IDSource) (*delivery.Deliverer, error) {
	cfg := a.cfg.Delivery
	cfg.Free, cfg.Window, cfg.Ledger, cfg.Quota = a.engine.free, a.engine.window, a.ledger, a.quotas
	cfg.IDs, cfg.Now, cfg.Logger, cfg.Events = ids, a.now, a.logger, a.events()
	return delivery.New(cfg, a.directory, a.engine.store, a.registry)
}

func (a *App) buildSMTP(protocol smtpserver.Protocol, cfg config.SMTP, d *delivery.Deliverer, connections *wire.Metrics) (*smtpserver.Server, error) {
	server := cfg.Config
	server.Protocol, server.Hostname, server.NormalizeLF = protocol, a.cfg.Hostname, cfg.BareLF == config.BareLFNormalize
	server.TLS, server.HandshakeTimeout = a.tlsConfig(), a.cfg.TLS.HandshakeTimeout
	server.CountLocal, server.SummaryEvery, server.Connections = a.countLocal, a.cfg.Log.SummaryEvery, connections
	server.Logger = a.logger
	return smtpserver.New(server, d, a.registry)
}

// buildAdmin makes the handler of the admin API. open serves requests without a token, for the unix
// socket; secret is the token of the configuration.
func (a *App) buildAdmin(open bool, secret string, metrics *admin.Metrics) (http.Handler, error) {
	peers, err := peers(a.cfg, secret)
	if err != nil {
		return nil, err
	}
	if open {
		secret = ""
	}
	return admin.New(admin.Config{
		Peers: peers,
		Open:  open, AllowInsecureAuth: a.cfg.Auth.AllowInsecureAuth, FailureDelay: max(a.cfg.POP3.FailureDelay, 0),
		NotesLogins: a.cfg.Visits.LoginEvery > 0, Token: secret, Tokens: a.tokens, Logger: a.logger, Version: Version(), Hostname: a.cfg.Hostname,
		Tasks: a.tasks, Checker: a.checker, Late: a.late, Undelete: a.undelete, Deliverer: a.deliverer, Quotas: a.quotas, Alarms: a.alarms, Metrics: metrics, Process: a,
		Events: a.loginEvents(), Required: a.required(), Traces: trace.NewReader(a.traceConfig(), a.engine.store, a.traces),
		Webhooks: admin.Webhooks{Queue: a.hooks.queue, Failures: a.hooks.sender.Failures},
	}, a.directory, a.engine.store)
}
