package embedded

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"popelago/store"
	"popelago/store/codec"
)

var _ store.Engine = (*Store)(nil)

// Store is the engine: one object for each part of the contract of package store. See DESIGN.md.
type Store struct {
	*engine
	*contents
	*mailboxes
	addresses
	domains
	ledger
	checks
	notes
	tokens
	retrievals
	logins
	*journals
	place
	*sweeper
	*clockWatch
}

// engine holds the objects behind the parts of a Store, and opens and closes them in order.
type engine struct {
	cfg         Config
	metrics     *metrics
	closing     *closing
	folder      *folder
	files       *contentFiles
	coder       *codec.Coder
	space       *space
	opener      *opener
	link        *link
	committer   *committer
	pending     *pending
	trash       *trash
	tidier      *tidier
	clock       *clockWatch
	sweep       *sweeper
	housekeeper *housekeeper

	closeOnce sync.Once
	closeErr  error
}

// Open opens the data folder, and makes a missing folder.
//
// Errors: an unknown Config.Compression, ErrLocked, ErrNewerFormat, store.ErrCorrupt with the name of the damaged file,
// store.ErrFull, store.ErrUnavailable.
func Open(cfg Config) (*Store, error) {
	if err := cfg.setDefaults(); err != nil {
		return nil, err
	}
	coder, err := codec.New(cfg.Compression)
	if err != nil {
		return nil, fmt.Errorf("embedded: %w", err)
	}
	cfg.FS = privateFS{cfg.FS}
	e := newEngine(cfg)
	e.coder = coder
	if err := e.open(); err != nil {
		e.opener.release()
		return nil, translate(err, "open "+cfg.Dir)
	}
	e.start()
	return e.store(), nil
}

// newEngine makes the objects, without touching the folder. Each object gets the objects it calls.
func newEngine(cfg Config) *engine {
	e := &engine{
		cfg: cfg, metrics: newMetrics(), closing: newClosing(),
		folder: newFolder(cfg), files: newContentFiles(cfg), space: newSpace(cfg),
	}
	spare := newSpare(cfg, e.space)
	e.opener = newOpener(cfg, e.folder, spare, e.metrics)
	e.link = newLink(cfg, e.opener, e.space, e.closing)
	e.committer = newCommitter(e.link, e.closing, e.metrics)
	e.pending = newPending(cfg, e.committer)
	e.trash = newTrash(e.link)
	e.tidier = newTidier(cfg, e.link, e.closing, e.metrics)
	e.clock = newClockWatch(cfg, newWatermark(e.link, e.committer), e.closing)
	e.metrics.gauges(e.link, e.pending, e.clock)

	markers := newMarkers(cfg, e.link, e.committer, e.trash)
	remover := &remover{
		link: e.link, committer: e.committer, files: e.files, markers: markers,
		logger: cfg.Logger, metrics: e.metrics,
	}
	state := newSweepState(e.metrics)
	e.sweep = &sweeper{
		link: e.link, closing: e.closing, clock: e.clock, state: state, trash: e.trash, remover: remover,
		markers: markers, tidier: e.tidier, undelete: cfg.Undelete,
		orphans:   &orphans{link: e.link, committer: e.committer, pending: e.pending, files: e.files, remover: remover},
		leftovers: newLeftovers(cfg, e.link, e.committer, e.pending, e.files, e.clock),
	}
	e.housekeeper = &housekeeper{
		space: e.space, spare: spare, link: e.link, closing: e.closing, logger: cfg.Logger,
		freer: &freer{
			link: e.link, clock: e.clock, state: state, trash: e.trash, remover: remover,
			undelete: cfg.Undelete, memTable: cfg.MemTableSize, logger: cfg.Logger,
		},
	}
	return e
}

// store puts the parts of the contract together.
func (e *engine) store() *Store {
	directory := &directoryWriter{committer: e.committer, clock: e.clock, space: e.space}
	return &Store{
		engine: e,
		contents: &contents{
			link: e.link, pending: e.pending, files: e.files, space: e.space, closing: e.closing,
			logger: e.cfg.Logger, metrics: e.metrics, coder: e.coder, compress: e.folder.format >= formatCoded && e.coder.Compresses(),
		},
		mailboxes: &mailboxes{
			link: e.link, committer: e.committer, pending: e.pending, trash: e.trash, tidier: e.tidier,
			clock: e.clock, space: e.space,
		},
		addresses:  addresses{link: e.link, writer: directory},
		domains:    domains{link: e.link, writer: directory},
		tokens:     tokens{link: e.link, writer: directory},
		retrievals: retrievals{link: e.link, writer: directory},
		logins:     logins{link: e.link, writer: directory},
		journals:   newJournals(e.cfg, e.link, e.committer, e.clock, e.space),
		checks:     checks{link: e.link, pending: e.pending, files: e.files, trash: e.trash, sweeper: e.sweep},
		notes:      notes{link: e.link, committer: e.committer, space: e.space},
		sweeper:    e.sweep,
		clockWatch: e.clock,
	}
}

// open locks the folder and opens the database.
func (e *engine) open() error {
	if err := e.folder.open(e.files); err != nil {
		return err
	}
	if err := e.metrics.register(e.cfg.Registerer); err != nil {
		return errors.Join(err, e.folder.close())
	}
	if err := e.link.open(); err != nil {
		e.metrics.unregister(e.cfg.Registerer)
		return errors.Join(err, e.folder.close())
	}
	e.sweep.leftovers.opened()
	var err error
	if e.folder.gone {
		err = e.makeContents(context.Background())
	}
	if err == nil {
		err = e.claimContents()
	}
	if err != nil {
		err = errors.Join(err, e.link.close(), e.folder.close())
		e.metrics.unregister(e.cfg.Registerer)
	}
	return err
}

// start starts the loops. The clock writes the latest time through the committer, and comes last.
func (e *engine) start() {
	e.housekeeper.start(e.cfg.SpaceEvery)
	e.link.start(e.cfg.StateEvery)
	e.tidier.start()
	e.committer.start()
	e.sweep.leftovers.keep()
	e.clock.start()
}

// closePatience bounds the wait of Close for writes in flight, which a full disk may stall.
const closePatience = 5 * time.Second

// Close implements store.Engine. Further calls return the result of the first call.
func (e *engine) Close() error {
	e.closeOnce.Do(func() { e.closeErr = e.close() })
	return e.closeErr
}

func (e *engine) close() error {
	e.pending.keep()
	e.clock.keepTime()
	e.closing.begin()
	patience := time.NewTimer(closePatience)
	defer patience.Stop()
	stopped := make(chan struct{})
	go func() {
		e.closing.wait()
		close(stopped)
	}()
	select {
	case <-stopped:
	case <-patience.C:
		e.link.giveUp()
		<-stopped
	}
	err := e.link.close()
	e.opener.release()
	e.metrics.unregister(e.cfg.Registerer)
	return translate(errors.Join(err, e.folder.close()), "close")
}
