package embedded

import (
	"cmp"
	"context"
	"encoding/binary"
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
// only the database was restored from a copy. Such files may be the last trace of mail, and stay. The row prefixGap names
// their time, since the database soon is as new as the contents.
type leftovers struct {
	link      *link
	committer *committer
	pending   *pending
	files     *contentFiles
	clock     *clockWatch
	logger    *slog.Logger
	openedAt  time.Time
	// slack bounds the time from latest to a crash.
	slack time.Duration
	// latest is the latest time in the database when the store was opened; zero: not known.
	latest time.Time
	// kept is the gap in the database.
	kept gap
}

// leftoverSlack is the least slack of leftovers.
const leftoverSlack = time.Hour

// maxForeign is the most files without a row that are removed although most of the files that foreign looks at have no row. More
// are no trace of a crash.
const maxForeign = 100

// sampleOfFiles is the most files that foreign looks at. Buckets have random names, so the first files are a sample of all files.
const sampleOfFiles = 1000

// foreign reports whether the files from before a start may be the contents of another data folder that the identity does not
// show: of a folder of an earlier version, or of a folder whose identity was removed. It returns the path of a file without a row.
// Files of the time lost do not count.
func (l *leftovers) foreign(ctx context.Context, start time.Time, lost gap) (path string, foreign bool, err error) {
	named, unnamed := 0, 0
	err = l.files.each(func(file string, id mail.MessageID, nonce [8]byte) (bool, error) {
		if at := id.Time(); ctx.Err() != nil || !at.Before(start) || lost.holds(at) {
			return ctx.Err() == nil, nil
		}
		has, err := l.named(id, nonce)
		if has {
			named++
		} else if err == nil {
			unnamed++
			path = file
		}
		return named+unnamed < sampleOfFiles, err
	})
	return path, unnamed > max(maxForeign, named), err
}

func newLeftovers(cfg Config, l *link, c *committer, p *pending, f *contentFiles, clock *clockWatch) *leftovers {
	return &leftovers{
		link: l, committer: c, pending: p, files: f, clock: clock, logger: cfg.Logger, openedAt: cfg.Now(), slack: max(cfg.Settle, 0) + leftoverSlack,
	}
}

// gap is a time of which the database may lack rows, between two moments in microseconds since 1970. The zero gap is empty.
type gap struct{ from, until int64 }

// gapKey returns the key of the gap.
func gapKey() []byte { return []byte{prefixGap} }

func (g gap) encode() []byte {
	return binary.BigEndian.AppendUint64(encodeMoment(g.from), uint64(g.until))
}

func decodeGap(b []byte) (g gap, err error) {
	d := newDecoder(b)
	from, until := d.bytes(8), d.bytes(8)
	if err := d.end(); err != nil {
		return g, err
	}
	return gap{int64(binary.BigEndian.Uint64(from)), int64(binary.BigEndian.Uint64(until))}, nil
}

// holds reports whether a moment is in the gap.
func (g gap) holds(at time.Time) bool { return g.from < at.UnixMicro() && at.UnixMicro() < g.until }

// join returns the shortest gap with both gaps.
func (g gap) join(other gap) gap {
	switch {
	case other.from >= other.until:
		return g
	case g.from >= g.until:
		return other
	}
	return gap{min(g.from, other.from), max(g.until, other.until)}
}

// opened reads the gap, and the latest time in the database: the latest time that has passed, or the time of the newest content.
func (l *leftovers) opened() {
	err := l.link.read("read the latest time", func(db *pebble.DB) (err error) {
		if v, err := get(db, gapKey()); err == nil {
			l.kept, _ = decodeGap(v)
		}
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

// gapUntil returns the gap in the database, with the time from the latest time in the database to a start.
func (l *leftovers) gapUntil(start time.Time) gap {
	if l.latest.IsZero() {
		return l.kept
	}
	return l.kept.join(gap{l.latest.Add(l.slack).UnixMicro(), start.UnixMicro()})
}

// keep writes the gap before other writes make the database newer. After a failure sweep writes the gap.
func (l *leftovers) keep() {
	ctx, cancel := context.WithTimeout(context.Background(), highPatience)
	defer cancel()
	if err := l.note(ctx, l.gapUntil(l.openedAt)); err != nil {
		l.logger.Debug("embedded store: the gap between the database and the contents is not kept", "cause", err) // the failed write was logged
	}
}

// note writes a gap.
func (l *leftovers) note(ctx context.Context, g gap) error {
	if g == l.kept {
		return nil
	}
	err := l.committer.commit(ctx, "keep the gap", &write{prepare: func(group *group) error {
		if g == (gap{}) {
			return group.batch.Delete(gapKey(), nil)
		}
		return group.batch.Set(gapKey(), g.encode(), nil)
	}})
	if err == nil {
		l.kept = g
	}
	return err
}

// sweep removes the files, unless all files were compared with their rows before. The clock is trusted.
func (l *leftovers) sweep(ctx context.Context, run *sweepRun) error {
	if l.files.compared.Load() || !l.isEarlier(run.putBefore) {
		return nil
	}
	start := l.openedAt
	if corrected := l.clock.now().Add(-l.clock.opened.passed()); corrected.After(start) {
		start = corrected // the clock was behind at the start
	}
	lost := l.gapUntil(start)
	path, foreign, err := l.foreign(ctx, start, lost)
	if err != nil || ctx.Err() != nil {
		return err
	}
	if foreign {
		l.files.compared.Store(true)
		l.logger.Error("embedded store: most files in the folder content have no row in the database: they may be of another data folder, and stay. "+
			"If the database is the right one, move the files without a row away", "such_as", path)
		return nil
	}
	newer, first := 0, ""
	err = l.files.each(func(path string, id mail.MessageID, nonce [8]byte) (bool, error) {
		if ctx.Err() != nil {
			return false, nil
		}
		if named, err := l.named(id, nonce); err != nil || named {
			return true, err
		}
		if lost.holds(id.Time()) {
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
	whole, noted := err == nil && ctx.Err() == nil, error(nil)
	switch {
	case newer > 0:
		l.logger.Error("embedded store: the database is older than the folder content: contents of later messages have no row, and stay. "+
			"If the database is the right one, move these files away", "files", newer, "such_as", first, "later_than", time.UnixMicro(lost.from).UTC())
		noted = l.note(ctx, lost)
	case whole:
		noted = l.note(ctx, gap{})
	}
	if whole && noted == nil { // else the next sweep compares, and writes, again
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
