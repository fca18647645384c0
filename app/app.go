package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"popelago/account"
	"popelago/config"
	"popelago/delivery"
	"popelago/event"
	"popelago/ledger"
	"popelago/pop3server"
	"popelago/quota"
	"popelago/smtpserver"
	"popelago/task"
	"popelago/token"
	"popelago/trace"
	"popelago/visit"
)

// App is a server, running or not.
type App struct {
	cfg      config.Config
	logger   *slog.Logger
	registry *prometheus.Registry
	now      func() time.Time
	// countLocal: see WithLocalCounted.
	countLocal bool

	engine    engine
	directory *account.Directory
	certs     *certificates // nil without TLS
	pop3      *pop3server.Server
	smtp      *smtpserver.Server
	lmtp      *smtpserver.Server
	ledger    *ledger.Ledger
	tasks     *task.Runner
	checker   *task.Checker
	late      *task.Late
	undelete  *task.Undelete
	alarms    *task.Alarms
	deliverer *delivery.Deliverer
	tokens    *token.Keeper
	drain     drain
	reload    reload
	levels    levels
	quotas    *quota.Keeper
	visits    *visit.Keeper
	hooks     webhooks
	traces    *trace.Keeper
	logins    *event.Failures // nil: no listener

	// background ends first at Stop: work that Start begins and that ends by itself.
	background    context.Context
	endBackground context.CancelFunc
	serving       sync.WaitGroup // listeners and work in the background

	mu      sync.Mutex
	addrs   map[string][]net.Addr
	https   []*http.Server
	stopped bool
}

// service is one address to listen on, with its server.
type service struct {
	name    string      // see Addrs; several addresses may have the same name
	address string      // host:port or unix:/path
	mode    fs.FileMode // of a unix socket
	network string      // of host:port: tcp, tcp4 or tcp6
	serve   func(net.Listener) error
}

// Start listens on all configured addresses and begins to serve. If one address is not available,
// Start listens on none, and returns an ErrListen with the address; only Stop may be called afterwards.
func (a *App) Start(ctx context.Context) error {
	services, err := a.services()
	if err != nil {
		return err
	}
	a.checkDescriptors()
	a.ledger.Start(ctx)
	listeners := make([]net.Listener, 0, len(services))
	var on, late []service
	for _, s := range services {
		l, err := s.listen(ctx)
		if errors.Is(err, syscall.ENOSPC) {
			a.logger.Error("the disk is full: the server makes the socket as soon as the disk has space", "service", s.name, "cause", err)
			late = append(late, s)
			continue
		}
		if err != nil {
			for _, l := range listeners {
				l.Close()
			}
			return err
		}
		listeners, on = append(listeners, l), append(on, s)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.addrs = map[string][]net.Addr{}
	for i, s := range on {
		a.serveLocked(s, listeners[i])
	}
	if f, ok := examinePostmaster(a.cfg); ok {
		logFinding(a.logger, f)
	}
	for _, f := range append(examineLogins(a.cfg), examineKey(a.cfg)...) {
		logFinding(a.logger, f)
	}
	a.tasks.Start()
	a.hooks.sender.Start()
	if a.certs != nil {
		a.certs.start()
	}
	a.serving.Go(func() { a.learnRetentions(a.background) })
	a.serving.Go(func() { a.traces.Expire(a.background, a.cfg.Events.Keep) })
	if a.engine.examine != nil {
		a.serving.Go(func() { a.logFindings(a.background) })
	}
	for _, s := range late {
		a.serving.Go(func() { a.listenLate(a.background, s) })
	}
	return nil
}

// serveLocked serves the connections of a listener.
func (a *App) serveLocked(s service, l net.Listener) {
	a.addrs[s.name] = append(a.addrs[s.name], l.Addr())
	a.logger.Info("listening", "service", s.name, "address", l.Addr().String())
	a.serving.Go(func() {
		if err := s.serve(l); err != nil && !errors.Is(err, http.ErrServerClosed) {
			a.logger.Error("listener failed", "service", s.name, "cause", err)
		}
	})
}

// lateEvery is the interval of tries to make a socket that a full disk had no room for.
const lateEvery = time.Second

// listenLate makes a unix socket once the disk has room, unless the server stops before.
func (a *App) listenLate(ctx context.Context, s service) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(lateEvery):
		}
		l, err := s.listen(ctx)
		if err != nil {
			continue
		}
		a.mu.Lock()
		defer a.mu.Unlock()
		if a.stopped {
			l.Close()
			return
		}
		a.serveLocked(s, l)
		return
	}
}

// learnRetentions reads the retentions of accounts for LeastRetention, which clients see before login.
// The servers of a cluster, which may have too many accounts, read them only if no server ever has.
func (a *App) learnRetentions(ctx context.Context) {
	err := a.directory.LearnRetentions(ctx, a.engine.readAllAccounts)
	if err != nil && ctx.Err() == nil {
		a.logger.Warn("the retentions of accounts could not be read: until the next run of expire POP3 clients may be told less before login", "cause", err)
	}
}

// Addrs returns the addresses of the services since Start, in the configured order, by name: "pop3",
// "pop3s", "smtp", "lmtp", "admin-socket", "admin", "userpage", "metrics".
func (a *App) Addrs() map[string][]net.Addr {
	a.mu.Lock()
	defer a.mu.Unlock()
	addrs := make(map[string][]net.Addr, len(a.addrs))
	for name, all := range a.addrs {
		addrs[name] = slices.Clone(all)
	}
	return addrs
}

// Directory returns the accounts, usable from New until Stop.
func (a *App) Directory() *account.Directory { return a.directory }

// CertificateFile returns the PEM file of the certificate in use; empty without TLS.
func (a *App) CertificateFile() string {
	if a.certs == nil {
		return ""
	}
	return a.certs.file()
}

// ReloadCertificate reads the files of the certificate again if they have changed, and logs problems
// with them.
func (a *App) ReloadCertificate() {
	if a.certs != nil {
		a.certs.reload()
	}
}

// Stop stops the server. Idle sessions end at once, other sessions after their current command, and a
// delivery after its DATA phase. If ctx ends first, Stop closes the sessions by force, and returns
// the error of ctx at the end. Stop may be called without Start, and more than once.
func (a *App) Stop(ctx context.Context) error {
	a.mu.Lock()
	stopped := a.stopped
	a.stopped = true
	a.mu.Unlock()
	if stopped {
		return nil
	}
	var errs []error
	for _, step := range a.closers() {
		errs = append(errs, step(ctx))
	}
	return errors.Join(errs...)
}

// closers returns the steps of Stop in their order.
func (a *App) closers() []func(context.Context) error {
	step := func(end func()) func(context.Context) error {
		return func(context.Context) error { end(); return nil }
	}
	steps := []func(context.Context) error{step(a.endBackground), step(a.stopDrain), step(a.levels.stop)}
	if a.certs != nil {
		steps = append(steps, step(a.certs.close))
	}
	return append(steps,
		a.shutdownServers,
		step(a.serving.Wait),
		step(a.ledger.Close), // after the sessions: closed by force, they report lost replies
		step(a.tasks.Close),
		step(a.checker.Close),
		step(a.tokens.Close),
		a.closeVisits, // after the sessions, which tell of retrievals at their end
		a.closeTraces,
		a.closeWebhooks,
		a.closeStore,
	)
}

// visitPatience bounds the wait for notes about visits at the end.
const visitPatience = 5 * time.Second

func (a *App) closeVisits(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), visitPatience)
	defer cancel()
	a.visits.Close(ctx)
	return nil
}

// shutdownServers ends all listeners and sessions, at the same time.
func (a *App) shutdownServers(ctx context.Context) error {
	shutdowns := []func(context.Context) error{a.pop3.Shutdown, a.smtp.Shutdown, a.lmtp.Shutdown}
	a.mu.Lock()
	for _, h := range a.https {
		shutdowns = append(shutdowns, func(ctx context.Context) error {
			if err := h.Shutdown(ctx); err != nil {
				return errors.Join(err, h.Close())
			}
			return nil
		})
	}
	a.mu.Unlock()
	errs := make([]error, len(shutdowns))
	var wg sync.WaitGroup
	for i, shutdown := range shutdowns {
		wg.Go(func() { errs[i] = shutdown(ctx) })
	}
	wg.Wait()
	return errors.Join(errs...)
}

// closeStore closes the storage engine.
func (a *App) closeStore(context.Context) error {
	if err := a.engine.store.Close(); err != nil {
		return fmt.Errorf("close the store: %w", err)
	}
	return nil
}
