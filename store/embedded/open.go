package embedded

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"popelago/store"
)

// Store is the engine. It implements store.Engine.
type Store struct {
	cfg     Config
	folder  *folder
	files   *contentFiles
	space   *space
	spare   *spare
	metrics *metrics
	closing *closing

	opener    *opener
	link      *link
	committer *committer
	pending   *pending
	tidier    *tidier

	closeOnce sync.Once
	closeErr  error

	removals removals

	trash       *trash
	housekeeper *housekeeper
	*sweeper
	*clockWatch
}

var _ store.Engine = (*Store)(nil)

// Open opens the data folder, and makes a missing folder.
//
// Errors: ErrLocked, ErrNewerFormat, store.ErrCorrupt with the name of the damaged file,
// store.ErrFull, store.ErrUnavailable.
func Open(cfg Config) (*Store, error) {
	if err := cfg.setDefaults(); err != nil {
		return nil, err
	}
	cfg.FS = privateFS{cfg.FS}
	s := &Store{
		cfg:     cfg,
		folder:  newFolder(cfg),
		files:   newContentFiles(cfg),
		space:   newSpace(cfg),
		metrics: newMetrics(),
		closing: newClosing(),
	}
	s.spare = newSpare(cfg, s.space)
	s.opener = newOpener(cfg, s.folder, s.metrics)
	s.link = newLink(cfg, s.opener, s.space, s.spare, s.closing)
	s.committer = newCommitter(s.link, s.closing, s.metrics)
	s.pending = newPending(cfg, s.committer)
	s.tidier = newTidier(cfg, s.link, s.closing, s.metrics)
	s.clockWatch = newClockWatch(cfg, newWatermark(s.link, s.committer), s.closing)
	s.trash = newTrash(s.link)
	mk := newMarkers(cfg, s.link, s.committer, s.trash)
	r := newRemover(cfg, s.link, s.committer, s.files, mk, s.metrics)
	state := newSweepState(s.metrics)
	s.sweeper = &sweeper{
		link: s.link, closing: s.closing, clock: s.clockWatch, state: state, trash: s.trash, remover: r, markers: mk,
		orphans:   newOrphans(s.link, s.committer, s.pending, s.files, r),
		leftovers: newLeftovers(cfg, s.link, s.pending, s.files), tidier: s.tidier,
	}
	s.housekeeper = newHousekeeper(cfg, s.space, s.spare, s.link, newFreer(cfg, s.link, s.clockWatch, state, s.trash, r), s.closing)
	s.metrics.gauges(s.link, s.pending, func() bool { return s.Clock() == nil })
	if err := s.open(); err != nil {
		s.opener.release()
		return nil, translate(err, "open "+cfg.Dir)
	}
	s.housekeeper.start(cfg.SpaceEvery)
	s.link.start(cfg.StateEvery)
	s.tidier.start()
	s.closing.loop(s.committer.run)
	s.clockWatch.start()
	return s, nil
}

func (s *Store) open() error {
	if err := s.folder.open(s.files); err != nil {
		return err
	}
	if err := s.metrics.register(s.cfg.Registerer); err != nil {
		return errors.Join(err, s.folder.close())
	}
	if err := s.link.open(); err != nil {
		s.metrics.unregister(s.cfg.Registerer)
		return errors.Join(err, s.folder.close())
	}
	return nil
}

// read, commit and checkSpace are for the directory.
func (s *Store) read(what string, f func(db *pebble.DB) error) error { return s.link.read(what, f) }

func (s *Store) commit(ctx context.Context, what string, w *write) error {
	return s.committer.commit(ctx, what, w)
}

func (s *Store) checkSpace(what string) error { return s.space.check(what) }

// closePatience bounds the wait of Close for writes in flight, which a full disk may stall.
const closePatience = 5 * time.Second

// Close implements store.Engine. Further calls return the result of the first call.
func (s *Store) Close() error {
	s.closeOnce.Do(func() { s.closeErr = s.close() })
	return s.closeErr
}

func (s *Store) close() error {
	s.pending.keep()
	s.clockWatch.keepTime()
	s.closing.begin()
	patience := time.NewTimer(closePatience)
	defer patience.Stop()
	stopped := make(chan struct{})
	go func() {
		s.closing.wait()
		close(stopped)
	}()
	select {
	case <-stopped:
	case <-patience.C:
		s.link.giveUp()
		<-stopped
	}
	err := s.link.close()
	s.opener.release()
	s.metrics.unregister(s.cfg.Registerer)
	err = errors.Join(err, s.folder.close())
	return translate(err, "close")
}
