package embedded

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"popelago/store"
)

// watermark holds high, the latest time known to have passed, in the row prefixHigh and thus over restarts.
// The lock of clockWatch guards read and raise.
type watermark struct {
	link      *link
	committer *committer
	high      atomic.Pointer[pastTime] // nil: not read yet
}

// pastTime is a time known to have passed at a moment.
type pastTime struct {
	time.Time
	at instant
}

// now returns the time that is sure to have passed by now.
func (p *pastTime) now() time.Time { return p.Add(p.at.passed()) }

func newWatermark(l *link, c *committer) *watermark { return &watermark{link: l, committer: c} }

// highPatience bounds a write of high.
const highPatience = 5 * time.Second

// highKey returns the key of high.
func highKey() []byte { return []byte{prefixHigh} }

// setFirstHigh writes high in a new database.
func setFirstHigh(db *pebble.DB, now time.Time) error {
	return db.Set(highKey(), encodeMoment(now.UnixMicro()), pebble.NoSync) // flushed next
}

// read reads high. A folder of a release without high gets the time now.
func (w *watermark) read(now time.Time) error {
	var high time.Time
	err := w.link.read("read the latest time", func(db *pebble.DB) error {
		v, err := get(db, highKey())
		if err != nil {
			return err
		}
		micros, err := decodeMoment(v)
		high = time.UnixMicro(micros)
		return err
	})
	switch {
	case errors.Is(err, store.ErrNotFound):
		if err := w.raise(context.Background(), now); err != nil {
			w.know(now) // written later
		}
		return nil
	case err != nil:
		return err
	}
	w.know(high)
	return nil
}

// know keeps high in memory.
func (w *watermark) know(high time.Time) { w.high.Store(&pastTime{Time: high, at: thisInstant()}) }

// raise writes high. TrustClock also lowers high.
func (w *watermark) raise(ctx context.Context, to time.Time) error {
	ctx, cancel := context.WithTimeout(ctx, highPatience)
	defer cancel()
	err := w.committer.commit(ctx, "keep the time", &write{prepare: func(g *group) error {
		return g.batch.Set(highKey(), encodeMoment(to.UnixMicro()), nil)
	}})
	if err == nil {
		w.know(to.Truncate(time.Microsecond))
	}
	return err
}
