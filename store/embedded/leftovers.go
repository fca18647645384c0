package embedded

import (
	"context"
	"errors"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"popelago/mail"
	"popelago/store"
)

// leftovers removes content files of an earlier process without a row.
type leftovers struct {
	link     *link
	pending  *pending
	files    *contentFiles
	clock    *clockWatch
	openedAt time.Time
}

func newLeftovers(cfg Config, l *link, p *pending, f *contentFiles, clock *clockWatch) *leftovers {
	return &leftovers{link: l, pending: p, files: f, clock: clock, openedAt: cfg.Now()}
}

// sweep removes the files, unless all files were compared with their rows before.
func (l *leftovers) sweep(ctx context.Context, run *sweepRun) error {
	if l.files.compared.Load() || !l.isEarlier(run.putBefore) {
		return nil
	}
	err := l.files.each(func(path string, id mail.MessageID, nonce [8]byte) (bool, error) {
		if ctx.Err() != nil {
			return false, nil
		}
		if named, err := l.named(id, nonce); err != nil || named {
			return true, err
		}
		octets, err := l.files.removeAt(path)
		if err == nil {
			run.count(octets)
			run.show(ctx, run.report)
		}
		return true, err
	})
	if err == nil && ctx.Err() == nil {
		l.files.compared.Store(true)
	}
	return err
}

// isEarlier reports whether the store was opened before a moment: by the clock, or, because the clock may have been
// ahead at the start, by the time that has passed since.
func (l *leftovers) isEarlier(moment time.Time) bool {
	return moment.After(l.openedAt) || l.clock.opened.passed() > l.clock.now().Sub(moment)
}

// named reports whether a content row, pending or written, names the file.
func (l *leftovers) named(id mail.MessageID, nonce [8]byte) (bool, error) {
	// Pending first: a row is written before it stops pending.
	if v := l.pending.get(id); v != nil {
		return true, nil
	}
	key := contentKey(id)
	named := false
	err := l.link.read("sweep files", func(db *pebble.DB) error {
		v, err := get(db, key[:])
		if err != nil {
			return err
		}
		row, err := decodeContent(v)
		named = err != nil || row.kind == kindFile && row.nonce == nonce
		return nil
	})
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	return named, err
}
