package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"os"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"popelago/account"
	"popelago/admin"
	"popelago/config"
	"popelago/delivery"
	"popelago/ledger"
	"popelago/mail"
	"popelago/pop3server"
	"popelago/smtpserver"
	"popelago/store"
	"popelago/store/embedded"
	"popelago/task"
	"popelago/wire"
)

// New makes a server from a valid configuration: it opens the store and makes everything that
// stands on it. Stop must be called, also if Start never is.
func New(ctx context.Context, cfg config.Config, logger *slog.Logger, options ...Option) (*App, error) {
	var err error
	if cfg.Hostname, err = hostName(cfg); err != nil {
		return nil, err
	}
	a := &App{cfg: cfg, logger: logger, registry: prometheus.NewRegistry(), now: time.Now}
	for _, o := range options {
		o(a)
	}
	a.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	// Whoever may write there can put files in the place of others, and read mail.
	if err := config.CheckPrivate(cfg.DataDir); err != nil {
		return nil, fmt.Errorf("data_dir: %w", err)
	}
	st, err := a.openStore(ctx)
	if err != nil {
		return nil, err
	}
	a.store = st
	// An engine that keeps its data there has made the folder already, durably.
	if err := os.MkdirAll(cfg.DataDir, 0o700); err != nil {
		return nil, errors.Join(fmt.Errorf("make the data folder: %w", err), st.Close())
	}
	if err := a.build(); err != nil {
		return nil, errors.Join(err, st.Close())
	}
	return a, nil
}

// openStore opens the configured engine.
func (a *App) openStore(ctx context.Context) (store.Store, error) {
	switch engine := a.cfg.Store.Engine; engine {
	case config.EngineEmbedded:
		st, err := embedded.Open(embedded.Config{
			Dir:        a.cfg.DataDir,
			Logger:     a.logger,
			Registerer: a.registry,
			CacheSize:  a.cfg.Store.CacheSize,
			Reserve:    orNegative(a.cfg.Store.Reserve),
			Undelete:   a.cfg.Tasks.UndeleteWindow,
			MaxStop:    orNegative(a.cfg.Store.MaxStop),
			Settle:     orNegative(a.cfg.Store.ClockSettle),
			Now:        a.now,
		})
		if errors.Is(err, embedded.ErrLocked) {
			return store.Store{}, fmt.Errorf("%s: %w", a.cfg.DataDir, embedded.ErrLocked)
		}
		if err != nil {
			return store.Store{}, fmt.Errorf("open the store: %w", err)
		}
		return store.Single(st), nil
	case config.EngineCassandra:
		return a.openCassandra(ctx)
	default:
		return store.Store{}, fmt.Errorf("unknown storage engine %q", engine)
	}
}

// build makes everything above the store.
func (a *App) build() error {
	cfg := &a.cfg
	ids := mail.NewIDSource(a.now)
	if err := a.loadCertificate(); err != nil {
		return err
	}
	trusted, err := prefixes(cfg.Auth.TrustedNetworks)
	if err != nil {
		return fmt.Errorf("auth.trusted_networks: %w", err)
	}
	a.directory, err = account.New(account.Config{
		DefaultDomain:             cfg.Auth.DefaultDomain,
		CacheTTL:                  orNegative(cfg.Auth.AddressCacheTTL),
		CredentialTTL:             orNegative(cfg.Auth.CredentialCacheTTL),
		CredentialCacheSize:       cfg.Auth.CredentialCacheSize,
		MaxConcurrentHashes:       cfg.Auth.MaxConcurrentHashes,
		MaxWaitingHashes:          cfg.Auth.MaxWaitingHashes,
		PenaltyAfter:              orNegative(cfg.Auth.PenaltyAfter),
		PenaltyMax:                cfg.Auth.PenaltyMax,
		PenaltyHalfLife:           cfg.Auth.PenaltyHalfLife,
		PenaltyMemory:             cfg.Auth.PenaltyMemory,
		KnownFor:                  cfg.Auth.KnownFor,
		TrustedNetworks:           trusted,
		CountLocal:                a.countLocal,
		Argon2Memory:              uint32(cfg.Auth.Argon2Memory >> 10),
		Argon2Time:                cfg.Auth.Argon2Time,
		Argon2Threads:             cfg.Auth.Argon2Threads,
		MinPasswordLength:         cfg.Auth.MinPasswordLength,
		ElsewherePerSecond:        cfg.Auth.ElsewherePerSecond,
		ElsewhereDomainsPerSecond: cfg.Auth.ElsewhereDomainsPerSecond,
		Durability:                durability(*cfg),
		IDs:                       ids,
		Now:                       a.now,
		Logger:                    a.logger,
	}, a.store.Directory, a.registry)
	if err != nil {
		return err
	}
	if err := a.buildServers(ids); err != nil {
		return err
	}
	a.buildTasks(ids)
	return nil
}

// buildTasks makes the background work.
func (a *App) buildTasks(ids *mail.IDSource) {
	cfg := a.cfg.Tasks
	var window time.Duration // one server knows what is in flight
	grace := sweepGrace
	if a.cfg.Store.Engine == config.EngineCassandra {
		window = a.cfg.Cassandra.Window
		grace = window
	}
	sweep := task.SweepConfig{
		Floor:    cfg.FloorEvery,
		Reap:     cfg.ReapEvery,
		Orphans:  cfg.OrphansEvery,
		Grace:    grace,
		Undelete: cfg.UndeleteWindow,
		Now:      a.now,
		Logger:   a.logger,
	}
	upkeep := a.store.Upkeep.Local
	a.tasks = task.New(task.Config{MayRun: upkeep.MayReclaim, Logger: a.logger}, a.registry,
		task.Floor(sweep, a.directory, upkeep),
		task.Reap(sweep, upkeep),
		task.Orphans(sweep, upkeep),
		task.Purge(task.PurgeConfig{
			Every: cfg.PurgeEvery, Late: max(cfg.LateMail, cfg.UndeleteWindow), Window: window, Now: a.now, Logger: a.logger,
		}, a.directory, a.store, a.registry),
		task.Expire(task.ExpireConfig{
			Every: cfg.ExpireEvery, After: a.cfg.Store.ClockSettle, Window: window, Directory: a.directory, Now: a.now,
		}, a.store),
	)
	a.late = task.NewLate(a.directory, a.store, ids, a.now)
	// Content waits for its entries on a single machine, too.
	a.checker = task.NewChecker(task.CheckConfig{
		Window: grace, Rate: cfg.CheckRate, IDs: ids, Now: a.now, Logger: a.logger,
	}, a.store, a.registry)
}

// sweepGrace is how long content stays after its last removal on a single machine: longer than
// any delivery may take between naming it and writing its rows. It is the window that delivery
// knows of, which for half of it writes further rows for a content.
const sweepGrace = 3 * delivery.MaxIDAge

func (a *App) loadCertificate() (err error) {
	cert, key := a.cfg.TLS.Certificate, a.cfg.TLS.Key
	if a.cfg.TLS.SelfSigned {
		if cert, key, err = selfSigned(a.cfg.DataDir, a.cfg.Hostname); err != nil {
			return err
		}
	}
	if cert == "" {
		return nil
	}
	if a.certs, err = newCertificates(cert, key, a.cfg.Hostname, a.logger); err != nil {
		return err
	}
	return a.registry.Register(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "popelago_app_certificate_end_seconds", Help: "When the TLS certificate in use ends, in seconds since 1970.",
	}, func() float64 { return float64(a.certs.end().Unix()) }))
}

func (a *App) buildServers(ids *mail.IDSource) error {
	cfg := &a.cfg
	connections := wire.NewMetrics(a.registry)
	var err error
	if a.ledger, err = a.buildLedger(); err != nil {
		return err
	}
	deliverer, err := a.buildDeliverer(ids)
	if err != nil {
		return err
	}
	a.pop3, err = pop3server.New(pop3server.Config{
		TLS:                   a.tlsConfig(),
		AllowInsecureAuth:     cfg.Auth.AllowInsecureAuth,
		LoginDelay:            cfg.POP3.LoginDelay,
		Implementation:        "Popelago", // as the SMTP greeting says; no version
		MaxConns:              cfg.POP3.MaxConnections,
		MaxConnsPerAddr:       cfg.POP3.MaxConnectionsPerAddress,
		CountLocal:            a.countLocal,
		MaxLine:               int(cfg.POP3.MaxLine),
		MaxBadCommands:        cfg.POP3.MaxBadCommands,
		MaxHarmlessCommands:   cfg.POP3.MaxHarmlessCommands,
		LoginTimeout:          cfg.POP3.LoginTimeout,
		DropAfter:             cfg.POP3.DropAfter,
		SummaryEvery:          cfg.Log.SummaryEvery,
		MaxFailedLogins:       cfg.POP3.MaxFailedLogins,
		MaxSessionsPerAccount: cfg.POP3.MaxSessionsPerAccount,
		FailureDelay:          orNegative(cfg.POP3.FailureDelay),
		IdleTimeout:           cfg.POP3.IdleTimeout,
		OpenTimeout:           cfg.POP3.OpenTimeout,
		WriteTimeout:          cfg.POP3.WriteTimeout,
		HandshakeTimeout:      cfg.TLS.HandshakeTimeout,
		Connections:           connections,
		Now:                   a.now,
		Logger:                a.logger,
	}, a.directory, a.store.Mail, a.registry)
	if err != nil {
		return err
	}
	if a.smtp, err = a.buildSMTP(smtpserver.SMTP, cfg.SMTP, deliverer, connections); err != nil {
		return err
	}
	a.lmtp, err = a.buildSMTP(smtpserver.LMTP, cfg.LMTP, deliverer, connections)
	return err
}

// buildLedger makes the ledger, which the servers of a cluster share.
func (a *App) buildLedger() (*ledger.Ledger, error) {
	cfg := ledger.Config{
		Size:   a.cfg.Delivery.LedgerSize,
		Keep:   a.cfg.Delivery.LedgerKeep,
		Window: a.window(),
		Now:    a.now,
		Logger: a.logger,
	}
	if a.cfg.Store.Engine == config.EngineCassandra {
		cfg.Poll = a.cfg.Delivery.LedgerPoll
	}
	return ledger.New(cfg, a.store, a.registry)
}

// window returns the in-flight window of the store.
func (a *App) window() time.Duration {
	if a.cfg.Store.Engine == config.EngineCassandra {
		return a.cfg.Cassandra.Window
	}
	return sweepGrace
}

func (a *App) buildDeliverer(ids *mail.IDSource) (*delivery.Deliverer, error) {
	cfg := delivery.Config{
		MaxMessageSize:          a.cfg.Delivery.MaxMessageSize,
		MaxReceived:             a.cfg.Delivery.MaxReceived,
		Free:                    a.freeSpace,
		MaxUnfinished:           a.cfg.Delivery.MaxUnfinished,
		MaxUnfinishedPerNetwork: a.cfg.Delivery.MaxUnfinishedPerNetwork,
		Window:                  a.window(),
		Ledger:                  a.ledger,
		IDs:                     ids,
		Now:                     a.now,
		Logger:                  a.logger,
	}
	if text := a.cfg.Delivery.Postmaster; text != "" {
		var err error
		if cfg.Postmaster, err = mail.ParseAddress(text); err != nil {
			return nil, fmt.Errorf("delivery.postmaster: %w", err)
		}
	}
	return delivery.New(cfg, a.directory, a.store, a.registry)
}

// freeSpace is how many octets texts may take on the disk that they are kept on while they come
// in.
func (a *App) freeSpace() (int64, error) {
	if a.cfg.Store.Engine == config.EngineCassandra {
		return embedded.FreeSpace(a.cfg.SpoolDir())
	}
	free, err := embedded.FreeSpace(a.cfg.DataDir)
	return free - a.cfg.Store.Reserve, err
}

func (a *App) buildSMTP(protocol smtpserver.Protocol, cfg config.SMTP, d *delivery.Deliverer, connections *wire.Metrics) (*smtpserver.Server, error) {
	return smtpserver.New(smtpserver.Config{
		Protocol:             protocol,
		Hostname:             a.cfg.Hostname,
		TLS:                  a.tlsConfig(),
		MaxRecipients:        cfg.MaxRecipients,
		MaxBadCommands:       cfg.MaxBadCommands,
		MaxRefusedRecipients: orNegative(cfg.MaxRefusedRecipients),
		MaxHarmlessCommands:  orNegative(cfg.MaxHarmlessCommands),
		DropAfter:            cfg.DropAfter,
		MinBodyRate:          cfg.MinBodyRate,
		SummaryEvery:         a.cfg.Log.SummaryEvery,
		NormalizeLF:          cfg.BareLF == config.BareLFNormalize,
		MaxConns:             cfg.MaxConnections,
		MaxConnsPerAddr:      cfg.MaxConnectionsPerAddress,
		CountLocal:           a.countLocal,
		MaxLine:              int(cfg.MaxLine),
		IdleTimeout:          cfg.CommandTimeout,
		BodyTimeout:          cfg.BodyTimeout,
		WriteTimeout:         cfg.WriteTimeout,
		HandshakeTimeout:     a.cfg.TLS.HandshakeTimeout,
		Logger:               a.logger,
		Connections:          connections,
	}, d, a.registry)
}

// prefixes are networks in CIDR notation, as values.
func prefixes(texts []string) (all []netip.Prefix, err error) {
	for _, text := range texts {
		p, err := netip.ParsePrefix(text)
		if err != nil {
			return nil, err
		}
		all = append(all, p)
	}
	return all, nil
}

// orNegative turns a setting's "0: not at all" into what packages take for it, since their
// zero means the default.
func orNegative[T ~int | ~int64](v T) T {
	if v == 0 {
		return -1
	}
	return v
}

// buildAdmin makes the handler of the admin API; an empty token means that none is asked for.
func (a *App) buildAdmin(token string, metrics *admin.Metrics) (http.Handler, error) {
	return admin.New(admin.Config{Token: token, Logger: a.logger, Version: Version(), Tasks: a.tasks, Checker: a.checker, Late: a.late, Metrics: metrics}, a.directory, a.store)
}
