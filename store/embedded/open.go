package embedded

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"popelago/mail"
	"popelago/store"
)

// Store is the engine. It implements store.Engine.
type Store struct {
	cfg     Config
	lock    *pebble.Lock
	cache   *pebble.Cache
	dirs    dirs
	metrics *metrics
	tmpSeq  atomic.Uint64

	// mu guards database: held shared for use, exclusively for replacement.
	mu       sync.RWMutex
	database *database
	down     error // why database is nil or read-only
	closed   bool

	closing    chan struct{} // closed first by Close
	closeOnce  sync.Once
	closeErr   error
	revive     chan struct{}
	background sync.WaitGroup

	writes    chan *write
	committed chan struct{} // closed when the committer has ended
	groupBuf  []*write

	pending  pending
	removals removals
	tidy     tidy
	sweep    sweepState
	spare    struct {
		sync.Mutex
		kept bool
	}
	clock clockWatch
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
		closing:   make(chan struct{}),
		revive:    make(chan struct{}, 1),
		writes:    make(chan *write, maxGroup),
		committed: make(chan struct{}),
	}
	s.pending.rows = make(map[mail.MessageID]*pendingRow)
	s.tidy.init()
	s.sweep.seq.Store(rand.Uint64() / 2) // must rise
	s.dirs.fs = cfg.FS
	s.dirs.content = cfg.FS.PathJoin(cfg.Dir, contentDir)
	s.dirs.tmp = cfg.FS.PathJoin(s.dirs.content, tmpDir)
	s.metrics = newMetrics(s)
	if err := s.open(); err != nil {
		return nil, translate(err, "open "+cfg.Dir)
	}
	s.background.Add(4)
	go s.housekeeper()
	go s.reviver()
	go s.tidier()
	go s.noter()
	go s.committer()
	s.startWatch()
	return s, nil
}

func (s *Store) open() (err error) {
	fs := s.cfg.FS
	if err := makeFolder(fs, s.cfg.Dir); err != nil {
		return err
	}
	for _, dir := range []string{fs.PathJoin(s.cfg.Dir, dbDir), s.dirs.content, s.dirs.tmp} {
		if err := fs.MkdirAll(dir, 0o700); err != nil {
			return err
		}
	}
	s.lock, err = pebble.LockDirectory(fs.PathJoin(s.cfg.Dir, dbDir), fs)
	if err != nil {
		if isLocked(err) {
			return fmt.Errorf("%w: %s: %w", ErrLocked, s.cfg.Dir, err)
		}
		return err
	}
	defer func() {
		if err != nil {
			s.lock.Close()
		}
	}()
	if err := openFormat(fs, s.cfg.Dir); err != nil {
		return err
	}
	for _, dir := range []string{s.dirs.content, s.cfg.Dir, fs.PathDir(s.cfg.Dir)} {
		if err := syncDir(fs, dir); err != nil {
			return err
		}
	}
	if err := s.removeTemporary(); err != nil {
		return err
	}
	if err := s.metrics.register(s.cfg.Registerer); err != nil {
		return err
	}
	s.cache = pebble.NewCache(s.cfg.CacheSize)
	s.sweep.openedAt = s.cfg.Now()
	if err = s.openFirst(); err != nil {
		s.cache.Unref()
		s.metrics.unregister(s.cfg.Registerer)
	}
	return err
}

// openWriting opens the database for writing, on a full disk in the space of the spare.
func (s *Store) openWriting() (*database, error) {
	d, err := s.openDatabase(false)
	if err != nil && isFull(err) && s.giveUpSpare() {
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

// isLocked reports whether a lock is held by another process (or by this one).
func isLocked(err error) bool {
	return errors.Is(err, syscall.EAGAIN) || // EACCES is a matter of file modes
		strings.Contains(err.Error(), "lock held by current process")
}

// removeTemporary removes the temporary files of deliveries interrupted by a crash. The lock on the folder
// is held, so no process is writing.
func (s *Store) removeTemporary() error {
	names, err := s.cfg.FS.List(s.dirs.tmp)
	if err != nil {
		return err
	}
	for _, name := range names {
		if strings.HasSuffix(name, tmpSuffix) {
			if err := s.cfg.FS.Remove(s.cfg.FS.PathJoin(s.dirs.tmp, name)); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *Store) isClosing() bool {
	select {
	case <-s.closing:
		return true
	default:
		return false
	}
}

// untilClosed returns a context for background work. The context ends when the store is closed, or with
// cancel, which must be called.
func (s *Store) untilClosed() (ctx context.Context, cancel context.CancelFunc) {
	ctx, cancel = context.WithCancel(context.Background())
	go func() {
		select {
		case <-s.closing:
			cancel()
		case <-ctx.Done():
		}
	}()
	return ctx, cancel
}

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
	close(s.closing)
	patience := time.NewTimer(closePatience)
	defer patience.Stop()
	stopped := make(chan struct{})
	go func() {
		<-s.committed
		s.background.Wait()
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
	err = errors.Join(err, s.lock.Close())
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
