package embedded

import (
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2"
)

// compactions lets Pebble compact, and pauses after a failure: Pebble repeats a compaction of a damaged table at once and without
// end, thousands of times in a second. Safe for concurrent use.
//
// Pebble asks by TrySchedule with its own lock held, so mu is taken last. The loop of granter starts compactions that had to wait.
type compactions struct {
	broken func() error // the failure that broke the database: a commit may wait for a compaction then, and there is no pause

	db    pebble.DBForCompaction
	poke  chan struct{}
	stop  chan struct{}
	ended sync.WaitGroup

	mu      sync.Mutex
	running int
	closed  bool
	pause   time.Duration // after the last failure
	failed  time.Time     // the last failure
}

const (
	firstCompactionPause = 100 * time.Millisecond
	// lastCompactionPause is short: in a pause no compaction begins, and commits wait for compactions of level 0.
	lastCompactionPause = time.Second
	// compactionsEvery is the interval at which granter asks for waiting compactions.
	compactionsEvery = 100 * time.Millisecond
)

var _ pebble.CompactionScheduler = (*compactions)(nil)

func newCompactions(broken func() error) *compactions {
	return &compactions{broken: broken, poke: make(chan struct{}, 1), stop: make(chan struct{})}
}

// fail begins a pause, twice as long as the last pause if there was a failure not long ago.
func (c *compactions) fail() {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	c.pause *= 2
	if c.pause == 0 || now.Sub(c.failed) > 10*lastCompactionPause {
		c.pause = firstCompactionPause
	}
	c.pause = min(c.pause, lastCompactionPause)
	c.failed = now
}

// takeLocked takes a place for a compaction if there is one.
func (c *compactions) takeLocked() bool {
	paused := time.Since(c.failed) < c.pause && c.broken() == nil
	if c.closed || paused || c.running >= c.db.GetAllowedWithoutPermission() {
		return false
	}
	c.running++
	return true
}

// Register implements pebble.CompactionScheduler.
func (c *compactions) Register(_ int, db pebble.DBForCompaction) {
	c.db = db
	c.ended.Go(c.granter)
}

// Unregister implements pebble.CompactionScheduler.
func (c *compactions) Unregister() {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	close(c.stop)
	c.ended.Wait()
}

// TrySchedule implements pebble.CompactionScheduler.
func (c *compactions) TrySchedule() (bool, pebble.CompactionGrantHandle) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.takeLocked(), c
}

// UpdateGetAllowedWithoutPermission implements pebble.CompactionScheduler.
func (c *compactions) UpdateGetAllowedWithoutPermission() {
	select {
	case c.poke <- struct{}{}:
	default:
	}
}

// granter starts waiting compactions.
func (c *compactions) granter() {
	again := time.NewTicker(compactionsEvery)
	defer again.Stop()
	for {
		select {
		case <-again.C:
		case <-c.poke:
		case <-c.stop:
			return
		}
		for c.grant() {
		}
	}
}

// grant starts a waiting compaction. It reports whether another one may follow.
func (c *compactions) grant() bool {
	c.mu.Lock()
	taken := c.takeLocked()
	c.mu.Unlock()
	if !taken {
		return false
	}
	if waiting, _ := c.db.GetWaitingCompaction(); waiting && c.db.Schedule(c) {
		return true
	}
	c.mu.Lock()
	c.running--
	c.mu.Unlock()
	return false
}

// Started implements pebble.CompactionGrantHandle.
func (c *compactions) Started() {}

// MeasureCPU implements pebble.CompactionGrantHandle.
func (c *compactions) MeasureCPU(pebble.CompactionGoroutineKind) {}

// CumulativeStats implements pebble.CompactionGrantHandle.
func (c *compactions) CumulativeStats(pebble.CompactionGrantHandleStats) {}

// Done implements pebble.CompactionGrantHandle.
func (c *compactions) Done() {
	c.mu.Lock()
	c.running--
	c.mu.Unlock()
	c.UpdateGetAllowedWithoutPermission()
}
