package embedded

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"popelago/mail"
	"popelago/store"
)

// Store is the engine. It implements store.Engine.
type Store struct {
	cfg     Config
	folder  *folder
	files   *contentFiles
	space   *space
	spare   *spare
	cache   *pebble.Cache
	metrics *metrics
	closing *closing

	// mu guards database: held shared for use, exclusively for replacement.
	mu       sync.RWMutex
	database *database
	down     error // why database is nil or read-only
	closed   bool

	closeOnce sync.Once
	closeErr  error
	revive    chan struct{}

	writes    chan *write
	committed chan struct{} // closed when the committer has ended
	groupBuf  []*write

	pending  pending
	removals removals
	tidy     tidy
	sweep    sweepState
	clock    clockWatch
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
		cfg:       cfg,
		folder:    newFolder(cfg),
		files:     newContentFiles(cfg),
		space:     newSpace(cfg),
		closing:   newClosing(),
		revive:    make(chan struct{}, 1),
		writes:    make(chan *write, maxGroup),
		committed: make(chan struct{}),
	}
	s.pending.rows = make(map[mail.MessageID]*pendingRow)
	s.tidy.init()
	s.sweep.seq.Store(rand.Uint64() / 2) // must rise
	s.spare = newSpare(cfg, s.space)
	s.metrics = newMetrics(s)
	if err := s.open(); err != nil {
		return nil, translate(err, "open "+cfg.Dir)
	}
	s.closing.every(cfg.SpaceEvery, s.lookAtSpace)
	s.closing.loop(s.reviver)
	s.closing.loop(s.tidier)
	s.closing.every(cfg.StateEvery, s.note)
	s.closing.loop(s.committer)
	s.startWatch()
	return s, nil
}

func (s *Store) open() error {
	if err := s.folder.open(s.files); err != nil {
		return err
	}
	if err := s.metrics.register(s.cfg.Registerer); err != nil {
		return errors.Join(err, s.folder.close())
	}
	s.cache = pebble.NewCache(s.cfg.CacheSize)
	s.sweep.openedAt = s.cfg.Now()
	if err := s.openFirst(); err != nil {
		s.cache.Unref()
		s.metrics.unregister(s.cfg.Registerer)
		return errors.Join(err, s.folder.close())
	}
	return nil
}

// openWriting opens the database for writing, on a full disk in the space of the spare.
func (s *Store) openWriting() (*database, error) {
	d, err := s.openDatabase(false)
	if err != nil && isFull(err) && s.spare.giveUp() {
		s.cfg.Logger.Warn("embedded store: the disk is full: mail is refused, and can be removed in the space that was kept for this", "cause", err)
		d, err = s.openDatabase(false)
	}
	return d, err
}

// openFirst opens the database, on a full disk for reading only. The reviver then opens it for writing once
// there is space.
func (s *Store) openFirst() (err error) {
	if s.database, err = s.openWriting(); err == nil || !isFull(err) {
		return err
	}
	d, readErr := s.openDatabase(true)
	if readErr != nil {
		return errors.Join(err, readErr)
	}
	s.cfg.Logger.Error("embedded store: the disk is full; the database is open for reading only until there is space", "cause", err)
	s.database, s.down = d, err
	s.revive <- struct{}{}
	return nil
}

// checkSpace, for the directory.
func (s *Store) checkSpace(what string) error { return s.space.check(what) }

// closePatience bounds the wait of Close for writes in flight, which a full disk may stall.
const closePatience = 5 * time.Second

// Close implements store.Engine. Further calls return the result of the first call.
func (s *Store) Close() error {
	s.closeOnce.Do(func() { s.closeErr = s.close() })
	return s.closeErr
}

func (s *Store) close() error {
	s.keepPending()
	s.keepTime()
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
		// Durable writes stay durable; other writes were not acknowledged.
		s.mu.RLock()
		if s.database != nil {
			s.database.fs.fail(store.ErrClosed)
		}
		s.mu.RUnlock()
		<-stopped
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	var err error
	if s.database != nil {
		err = s.closeDatabase(s.database)
	}
	s.cache.Unref()
	s.metrics.unregister(s.cfg.Registerer)
	err = errors.Join(err, s.folder.close())
	return translate(err, "close")
}

// keepPending writes the contents without a message, so that a delivery can continue after a restart. Such
// contents may be lost, so a failure does not fail Close.
func (s *Store) keepPending() {
	ctx, cancel := context.WithTimeout(context.Background(), closePatience)
	defer cancel()
	for id, row := range s.pending.takeOld(1<<63 - 1) {
		if err := s.commit(ctx, "keep content "+id.String(), spill(id, row)); err != nil {
			s.cfg.Logger.Warn("embedded store: content without a message not kept", "cause", err)
			return
		}
	}
}
