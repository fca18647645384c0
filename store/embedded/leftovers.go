package embedded

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"popelago/mail"
	"popelago/store"
)

// leftovers removes content files of an earlier process without a row.
//
// A crash leaves files of its last deliveries. Files of later deliveries show that the database is older than the contents:
// only the database was restored from a copy. Such files may be the last trace of mail, and stay.
type leftovers struct {
	link     *link
	pending  *pending
	files    *contentFiles
	clock    *clockWatch
	logger   *slog.Logger
	openedAt time.Time
	// slack bounds the time from latest to a crash.
	slack time.Duration
	// latest is the latest time in the database when the store was opened; zero: not known.
	latest time.Time
}

// leftoverSlack is the least slack of leftovers.
const leftoverSlack = time.Hour

func newLeftovers(cfg Config, l *link, p *pending, f *contentFiles, clock *clockWatch) *leftovers {
	return &leftovers{
		link: l, pending: p, files: f, clock: clock, logger: cfg.Logger, openedAt: cfg.Now(), slack: max(cfg.Settle, 0) + leftoverSlack,
	}
}

// opened reads the latest time in the database: the latest time that has passed, or the time of the newest content.
func (l *leftovers) opened() {
	err := l.link.read("read the latest time", func(db *pebble.DB) (err error) {
		v, err := get(db, highKey())
		if err != nil {
			return err
		}
		high, err := decodeMoment(v)
		if err != nil {
			return err
		}
		l.latest = time.UnixMicro(high)
		it, err := db.NewIter(&pebble.IterOptions{LowerBound: []byte{prefixContent}, UpperBound: []byte{prefixContent + 1}})
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, it.Close()) }()
		if it.Last() && len(it.Key()) == contentKeyLen {
			if newest := fromSortKey(it.Key()[1:]).Time(); newest.After(l.latest) {
				l.latest = newest
			}
		}
		return it.Error()
	})
	if err != nil {
		l.latest = time.Time{}
	}
}

// isNewer reports whether an earlier process stored a content long after the latest time in the database.
func (l *leftovers) isNewer(id mail.MessageID) bool {
	at := id.Time()
	return !l.latest.IsZero() && at.After(l.latest.Add(l.slack)) && at.Before(l.openedAt)
}

// sweep removes the files, unless all files were compared with their rows before.
func (l *leftovers) sweep(ctx context.Context, run *sweepRun) error {
	if l.files.compared.Load() || !l.isEarlier(run.putBefore) {
		return nil
	}
	newer, first := 0, ""
	err := l.files.each(func(path string, id mail.MessageID, nonce [8]byte) (bool, error) {
		if ctx.Err() != nil {
			return false, nil
		}
		if named, err := l.named(id, nonce); err != nil || named {
			return true, err
		}
		if l.isNewer(id) {
			newer++
			first = cmp.Or(first, path)
			return true, nil
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
	if newer > 0 {
		l.logger.Error("embedded store: the database is older than the folder content: contents of later messages have no row, and stay. "+
			"If the database is the right one, move these files away", "files", newer, "such_as", first, "later_than", l.latest.Add(l.slack).UTC())
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
