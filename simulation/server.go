package simulation

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"popelago/account"
	"popelago/delivery"
	"popelago/ledger"
	"popelago/mail"
	"popelago/maildrop"
	"popelago/quota"
	"popelago/store"
	"popelago/store/cassandra"
	"popelago/store/cassandra/driver"
	"popelago/task"
)

// serverConfig holds what a server keeps over restarts, and the lengths of its pauses.
type serverConfig struct {
	name, datacenter string
	hosts            []string // contact points
	dir              string   // for files that outlive a process
	clock            *clock
	cluster          driver.Cluster
	defect           Defect
	pace             Pace
	durability       mail.Durability
	failover         []string
	writtenOff       []string // datacenters
	statements       *atomic.Int64
	changed          *atomic.Int64 // statements that the defect changed
	logger           *slog.Logger
}

// server is one process: the parts of a server between the protocols and the cluster.
type server struct {
	cfg       serverConfig
	link      *link
	engine    *cassandra.Store
	store     store.Store
	directory *account.Directory
	quotas    *quota.Keeper
	ledger    *ledger.Ledger
	deliverer *delivery.Deliverer
	tasks     *task.Runner
	cancel    context.CancelFunc
}

// startServer starts a process. Errors: those of cassandra.Open.
func startServer(cfg serverConfig) (*server, error) {
	s := &server{cfg: cfg, link: &link{cluster: cfg.cluster, defect: cfg.defect, statements: cfg.statements, changed: cfg.changed}}
	ctx, cancel := context.WithCancel(context.Background())
	s.cancel = cancel
	p := cfg.pace
	var err error
	s.engine, err = cassandra.Open(ctx, cassandra.Config{
		Hosts: cfg.hosts, Datacenter: cfg.datacenter, Cluster: s.link, SpoolDir: cfg.dir, Server: cfg.name,
		Window: p.Window, FloorEvery: p.FloorEvery, BulkAfter: p.BulkAfter, Heartbeat: p.Heartbeat, ClockEvery: p.ClockEvery,
		WrittenOff: cfg.writtenOff, Failover: cfg.failover, FailoverAfter: p.Failover, Now: cfg.clock.Now, Logger: cfg.logger,
	})
	if err != nil {
		cancel()
		return nil, err
	}
	s.store = store.New(s.engine.Levels())
	if err := s.build(ctx); err != nil {
		cancel()
		return nil, errors.Join(err, s.engine.Close())
	}
	return s, nil
}

// build makes the parts above the engine, as package app does, and starts them.
func (s *server) build(ctx context.Context) (err error) {
	now, logger, p := s.cfg.clock.Now, s.cfg.logger, s.cfg.pace
	ids := mail.NewIDSource(now)
	if s.directory, err = account.New(account.Config{
		Argon2Memory: 8, Argon2Time: 1, MaxConcurrentHashes: 4, PenaltyAfter: -1, Durability: s.cfg.durability, IDs: ids, Now: now, Logger: logger,
	}, s.store.Directory, nil); err != nil {
		return err
	}
	if s.quotas, err = quota.New(quota.Config{Now: now, Logger: logger}, s.directory, s.store, nil); err != nil {
		return err
	}
	if s.ledger, err = ledger.New(ledger.Config{Poll: p.Poll, Window: p.Window, Now: now, Logger: logger}, s.store, nil); err != nil {
		return err
	}
	if s.deliverer, err = delivery.New(delivery.Config{
		Window: p.Window, Ledger: s.ledger, Quota: s.quotas, IDs: ids, Now: now, Logger: logger,
	}, s.directory, s.store, nil); err != nil {
		return err
	}
	s.buildTasks()
	s.ledger.Start(ctx)
	s.tasks.Start()
	return nil
}

// buildTasks makes the background jobs.
func (s *server) buildTasks() {
	now, logger, p := s.cfg.clock.Now, s.cfg.logger, s.cfg.pace
	upkeep := s.store.Upkeep.Local
	sweep := task.SweepConfig{Floor: p.Floor, Reap: p.Reap, Orphans: p.Orphans, Grace: p.Window, Undelete: p.Undelete, Now: now, Logger: logger}
	purge := task.PurgeConfig{Every: p.Purge, Late: max(p.Window, p.Undelete), Window: p.Window, Now: now, Logger: logger}
	expire := task.ExpireConfig{Every: p.Expire, Window: p.Window, Directory: s.directory, Keeping: s.directory.Keeping, Now: now}
	s.tasks = task.New(task.Config{
		MayRun: upkeep.MayReclaim, History: -1, HistoryFile: filepath.Join(s.cfg.dir, "history"), Logger: logger,
	}, nil,
		task.Floor(sweep, s.directory, upkeep), task.Reap(sweep, upkeep), task.Orphans(sweep, upkeep),
		task.Purge(purge, s.directory, s.store, nil), task.Expire(expire, s.store),
	)
}

// stop ends the process in order.
func (s *server) stop() error {
	s.tasks.Close()
	s.ledger.Close()
	err := s.engine.Close()
	s.cancel()
	return err
}

// alive reports whether the process runs.
func (s *server) alive() bool { return !s.link.dead.Load() }

// answers reports whether clients get answers from the process.
func (s *server) answers() bool { return s.alive() && !s.cfg.clock.standing() }

// errDied is the result of a command whose server died before the reply.
var errDied = errors.New("connection lost")

// deliver sends a text to recipients, and returns an error for each.
func (s *server) deliver(ctx context.Context, e mail.Envelope, to []mail.Address, text string) (errs []error, as stored) {
	errs = make([]error, len(to))
	var accepted []int
	fail := func(err error) ([]error, stored) {
		for _, i := range accepted {
			errs[i] = err
		}
		return errs, as
	}
	for i, a := range to {
		r, err := s.deliverer.Check(ctx, a)
		if err = s.afterwards(err); err != nil {
			errs[i] = err
			continue
		}
		e.Recipients, e.PerCommand, accepted = append(e.Recipients, r...), append(e.PerCommand, len(r)), append(accepted, i)
	}
	if len(accepted) == 0 {
		return errs, as
	}
	in, err := s.deliverer.Begin(ctx, e)
	if err == nil {
		defer in.Discard()
		_, err = in.ReadFrom(strings.NewReader(text))
	}
	if err != nil {
		return fail(err)
	}
	res := in.Finish(ctx)
	as = stored{res.ID, res.Repeated}
	if !s.alive() {
		return fail(errDied)
	}
	for k, i := range accepted {
		if errs[i] = res.Errors[k]; e.SingleReply && errs[i] != nil && !permanent(errs[i]) {
			return fail(errs[i]) // the reply of SMTP is the same for all
		}
	}
	return errs, as
}

// open signs in and opens a maildrop. The caller closes the maildrop.
func (s *server) open(ctx context.Context, a mail.Address, password string) (account.Login, *maildrop.Maildrop, error) {
	login, err := s.directory.SignIn(ctx, account.LoginRequest{Name: a.String(), Password: password, Remote: client})
	if err != nil {
		return login, nil, s.afterwards(err)
	}
	opening, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	drop, err := maildrop.Open(opening, s.store.Mail, login.Mailbox, maildrop.Options{
		Durability: login.Durability, Reading: login.Reading, Retention: login.Retention, Now: s.cfg.clock.Now,
		ReadAhead: readAhead,
	})
	return login, drop, s.afterwards(err)
}

// afterwards returns the result of a command as the client gets it.
func (s *server) afterwards(err error) error {
	if !s.alive() {
		return errDied
	}
	return err
}

func (s *server) String() string { return fmt.Sprintf("%s (%s)", s.cfg.name, s.cfg.datacenter) }
