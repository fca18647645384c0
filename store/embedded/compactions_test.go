package embedded

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2"
)

// failingDB has a compaction that always waits, and always fails.
type failingDB struct {
	c    *compactions
	runs int
}

func (d *failingDB) GetAllowedWithoutPermission() int { return 1 }

func (d *failingDB) GetWaitingCompaction() (bool, pebble.WaitingCompaction) {
	return true, pebble.WaitingCompaction{}
}

func (d *failingDB) Schedule(h pebble.CompactionGrantHandle) bool {
	d.runs++
	d.c.fail()
	go h.Done()
	return true
}

// A compaction that fails again and again is repeated ever more slowly, once a second at least; after a failure of the database
// nothing pauses, because commits may wait for compactions.
func TestFailingCompactionsPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var broken atomic.Bool
		c := newCompactions(func() error {
			if broken.Load() {
				return errNoFile
			}
			return nil
		})
		db := &failingDB{c: c}
		c.Register(1, db)
		time.Sleep(time.Hour)
		synctest.Wait()
		if db.runs < 3000 || db.runs > 3700 {
			t.Errorf("%d runs in an hour", db.runs)
		}
		if ok, _ := c.TrySchedule(); ok {
			t.Error("a compaction is taken in the pause")
		}
		synctest.Wait()
		broken.Store(true)
		if ok, _ := c.TrySchedule(); !ok {
			t.Error("a compaction waits although the database is broken")
		} else {
			c.running-- // no Done, which would start the next
		}
		c.Unregister()
		if ok, _ := c.TrySchedule(); ok {
			t.Error("a compaction is taken after the end")
		}
	})
}
