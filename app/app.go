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
	"popelago/ledger"
	"popelago/pop3server"
	"popelago/smtpserver"
	"popelago/store"
	"popelago/task"
)

// App is a server, running or not.
type App struct {
	cfg      config.Config
	logger   *slog.Logger
	registry *prometheus.Registry
	now      func() time.Time
	// countLocal: see WithLocalCounted.
	countLocal bool

	store     store.Store
	directory *account.Directory
	certs     *certificates // nil without TLS
	pop3      *pop3server.Server
	smtp      *smtpserver.Server
	lmtp      *smtpserver.Server
	ledger    *ledger.Ledger
	tasks     *task.Runner
	checker   *task.Checker
	late      *task.Late

	mu    sync.Mutex
	addrs map[string][]net.Addr
	https []*http.Server
	// endLook ends looking at the cluster; nil if nobody does.
	endLook context.CancelFunc
	// endWatch ends looking at the certificate; nil if nobody does.
	endWatch chan struct{}
	// endWork ends the work that Start began in the background; nil before Start.
	endWork context.CancelFunc
	serving sync.WaitGroup
	stopped bool
}

// service is one address to listen on and what serves it.
type service struct {
	name    string      // as in Addrs; several addresses have the same
	address string      // host:port or unix:/path
	mode    fs.FileMode // of a unix socket
	network string      // of host:port: tcp, tcp4 or tcp6
	serve   func(net.Listener) error
}

// Start listens on everything that is configured and begins to serve. If one address cannot
// be had, it listens on none and says which it was; the App is then of no further use but
// for Stop.
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
			a.logger.Error("the disk is full: the socket is made when there is space", "service", s.name, "cause", err)
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
	a.tasks.Start()
	if a.cfg.Store.Engine == config.EngineCassandra {
		var look context.Context
		look, a.endLook = context.WithCancel(context.WithoutCancel(ctx))
		a.serving.Go(func() { a.logFindings(look) })
	} else if f, ok := examinePostmaster(a.cfg); ok {
		a.logger.Warn(f.Text, "check", f.Check, "hint", f.Hint)
	}
	if a.certs != nil {
		a.endWatch = make(chan struct{})
		a.serving.Go(func() { a.certs.watch(a.endWatch) })
	}
	var work context.Context
	work, a.endWork = context.WithCancel(context.WithoutCancel(ctx))
	a.serving.Go(func() { a.learnRetentions(work) })
	for _, s := range late {
		a.serving.Go(func() { a.listenLate(work, s) })
	}
	return nil
}

// serveLocked serves what is on a listener.
func (a *App) serveLocked(s service, l net.Listener) {
	a.addrs[s.name] = append(a.addrs[s.name], l.Addr())
	a.logger.Info("listening", "service", s.name, "address", l.Addr().String())
	a.serving.Go(func() {
		if err := s.serve(l); err != nil && !errors.Is(err, http.ErrServerClosed) {
			a.logger.Error("listener failed", "service", s.name, "cause", err)
		}
	})
}

// lateEvery is how often a socket is tried for which a full disk had no room.
const lateEvery = time.Second

// listenLate makes a unix socket once there is room for it, unless the server stops before.
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

// learnRetentions makes known how long messages of accounts stay, for clients that have not logged
// in. One machine looks at all its accounts. A cluster may have too many for each start: its servers
// look only if no server ever has.
func (a *App) learnRetentions(ctx context.Context) {
	err := a.directory.LearnRetentions(ctx, a.cfg.Store.Engine == config.EngineEmbedded)
	if err != nil && ctx.Err() == nil {
		a.logger.Warn("the retentions of accounts could not be read: until the next run of expire POP3 clients may be told less before login", "cause", err)
	}
}

// Addrs is where the services listen since Start, in the order that is configured: by name "pop3",
// "pop3s", "smtp", "lmtp", "admin-socket", "admin", "metrics".
func (a *App) Addrs() map[string][]net.Addr {
	a.mu.Lock()
	defer a.mu.Unlock()
	addrs := make(map[string][]net.Addr, len(a.addrs))
	for name, all := range a.addrs {
		addrs[name] = slices.Clone(all)
	}
	return addrs
}

// Directory is the accounts, usable from New until Stop.
func (a *App) Directory() *account.Directory { return a.directory }

// CertificateFile is the PEM file of the certificate in use, empty without TLS.
func (a *App) CertificateFile() string {
	if a.certs == nil {
		return ""
	}
	return a.certs.certFile
}

// ReloadCertificate reads the files of the certificate again if they have changed, and logs what is
// wrong with them.
func (a *App) ReloadCertificate() {
	if a.certs != nil {
		a.certs.reload()
	}
}

// Stop ends everything: listeners first, then sessions (told if idle, left to finish their
// command if not; a delivery in its DATA phase too), background work, and last the store.
// When ctx ends first, sessions are closed by force, and ctx's error is returned once all is
// closed. Stop may be called without Start, and again.
func (a *App) Stop(ctx context.Context) error {
	a.mu.Lock()
	if a.stopped {
		a.mu.Unlock()
		return nil
	}
	a.stopped = true
	https, endWork := a.https, a.endWork
	if a.endLook != nil {
		a.endLook()
	}
	if a.endWatch != nil {
		close(a.endWatch)
	}
	a.mu.Unlock()

	shutdowns := []func(context.Context) error{a.pop3.Shutdown, a.smtp.Shutdown, a.lmtp.Shutdown}
	for _, h := range https {
		shutdowns = append(shutdowns, func(ctx context.Context) error {
			if err := h.Shutdown(ctx); err != nil {
				return errors.Join(err, h.Close())
			}
			return nil
		})
	}
	errs := make([]error, len(shutdowns))
	var wg sync.WaitGroup
	for i, shutdown := range shutdowns {
		wg.Go(func() { errs[i] = shutdown(ctx) })
	}
	wg.Wait()
	if endWork != nil {
		endWork()
	}
	a.serving.Wait()
	a.ledger.Close() // after the sessions: closed by force, they report lost replies
	a.tasks.Stop()
	a.checker.Close()
	if err := a.store.Close(); err != nil {
		errs = append(errs, fmt.Errorf("close the store: %w", err))
	}
	return errors.Join(errs...)
}
