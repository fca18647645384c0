package app

import (
	"context"
	"errors"
	"fmt"
	"time"

	"popelago/config"
	"popelago/store"
	"popelago/store/embedded"
)

// engine is an opened storage engine with all values in which engines differ for the other parts of
// a server.
type engine struct {
	store store.Store
	// name and datacenter name this server in its cluster, see store.Server.
	name, datacenter string
	// window is the in-flight window of deliveries and of contents without entries.
	window time.Duration
	// mailboxWindow is the in-flight window of entries, for purge and expire. Zero on a single
	// machine, where an entry is in flight only while the server writes it.
	mailboxWindow time.Duration
	// ledgerPoll is the interval at which the server reads the ledger of other servers; zero: no
	// other server uses the store.
	ledgerPoll time.Duration
	// free returns the octets that incoming texts may take on their disk.
	free func() (int64, error)
	// readAllAccounts: each start reads the retentions of all accounts. A cluster may have too many.
	readAllAccounts bool
	// remote: a read of a message waits for other machines.
	remote bool
	// examine returns findings about the cluster; nil without a cluster.
	examine func(ctx context.Context) ([]Finding, error)
}

// engineSettings are the settings of one storage engine.
type engineSettings interface {
	// open opens the engine for a.
	open(ctx context.Context, a *App) (engine, error)
	// check checks the files that the settings name, as open would.
	check() error
	// examine returns findings about the storage of a server that may be running or not.
	examine(ctx context.Context) ([]Finding, error)
}

// settingsOf returns the settings of the configured engine. All differences between engines begin here.
func settingsOf(cfg config.Config) (engineSettings, error) {
	switch cfg.Store.Engine {
	case config.EngineEmbedded:
		return embeddedSettings{cfg}, nil
	case config.EngineCassandra:
		return cassandraSettings{cfg}, nil
	}
	return nil, asSetting(fmt.Errorf("unknown storage engine %q", cfg.Store.Engine))
}

// embeddedSettings are the settings of the embedded engine.
type embeddedSettings struct{ config.Config }

func (s embeddedSettings) open(_ context.Context, a *App) (engine, error) {
	cfg := s.Store.Config
	cfg.Dir, cfg.Undelete = s.DataDir, s.Tasks.Sweep.Undelete
	cfg.Logger, cfg.Registerer, cfg.Now = a.logger, a.registry, a.now
	cfg.Synchronized = embedded.Synchronized
	st, err := embedded.Open(cfg)
	if errors.Is(err, embedded.ErrLocked) {
		return engine{}, fmt.Errorf("%s: %w", s.DataDir, embedded.ErrLocked)
	}
	if errors.Is(err, store.ErrCorrupt) {
		return engine{}, fmt.Errorf("open the store: %w\nRestore the folder from a copy. Without a copy: docs/data-folder.md, \"When the server says that the folder is damaged\"", err)
	}
	if err != nil {
		return engine{}, fmt.Errorf("open the store: %w", err)
	}
	name, err := serverName(s.DataDir)
	if err != nil {
		return engine{}, errors.Join(err, st.Close())
	}
	return engine{
		name: name, store: store.Single(st), window: store.LocalWindow, readAllAccounts: true,
		free: func() (int64, error) {
			free, err := embedded.FreeSpace(s.DataDir)
			return free - max(s.Store.Reserve, 0), err
		},
	}, nil
}

func (s embeddedSettings) check() error { return nil }

func (s embeddedSettings) examine(ctx context.Context) ([]Finding, error) {
	return append(examineStored(ctx, s.DataDir), examineSpace(s.DataDir, s.Store.Reserve)), ctx.Err()
}
