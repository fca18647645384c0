package embedded

import (
	"bytes"
	"context"
	"log/slog"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"popelago/mail"
)

// While the free space is below the reserve no mail is accepted, and settled contents of removed messages
// (see sweepRun) are removed before the time given to Sweep. So mail is accepted again soon after the
// maildrops were drained. A session that reads a content keeps the content open.

// freer frees space early. One goroutine calls it.
type freer struct {
	link     *link
	clock    *clockWatch
	state    *sweepState
	trash    *trash
	remover  *remover
	undelete time.Duration // Config.Undelete
	memTable uint64        // Config.MemTableSize
	logger   *slog.Logger
	freed    []byte // the key after the last removal that free has read; nil for none
}

// free removes the settled contents of removals since its last call.
func (f *freer) free(ctx context.Context) error {
	if f.clock.Clock() != nil {
		return nil
	}
	until := f.clock.removalTime()
	if f.undelete > 0 {
		until = f.clock.sureTime().Add(-f.undelete)
	}
	run := f.state.tryBegin(until.Add(time.Microsecond))
	if run == nil {
		return nil
	}
	defer run.end()
	if !f.link.writable() {
		return nil
	}
	defer func() {
		if run.report.Contents > 0 {
			f.logger.Info("embedded store: space is short: removed the contents of removed messages early",
				"contents", run.report.Contents, "octets", run.report.Octets)
		}
	}()
	if f.freed == nil {
		f.freed = []byte{prefixTrash}
	}
	upper := trashKey(prefixTrash, run.olderThan.UnixMicro(), 0)
	for bytes.Compare(f.freed, upper) < 0 && ctx.Err() == nil {
		next := f.freed
		rows, err := f.trash.page(ctx, &next, upper)
		if err != nil || len(rows) == 0 {
			return err
		}
		ids, before := idsOf(rows), run.state.unflushed
		if err := f.remover.remove(ctx, run, ids, func(*pebble.Batch) error { return nil }); err != nil {
			return err
		}
		if removed := run.state.unflushed - before; removed > 0 {
			if err := f.squeeze(ctx, ids, removed); err != nil {
				return err
			}
		}
		f.freed = next
	}
	return nil
}

// squeeze compacts the range of keys of contents, after removed octets of them were removed, to reclaim
// their space. A range with many other octets is left alone, because they would be rewritten.
func (f *freer) squeeze(ctx context.Context, ids []mail.MessageID, removed int64) error {
	lower, upper := contentKey(ids[0]), contentKey(ids[0])
	for _, id := range ids[1:] {
		k := contentKey(id)
		if bytes.Compare(k[:], lower[:]) < 0 {
			lower = k
		}
		if bytes.Compare(k[:], upper[:]) > 0 {
			upper = k
		}
	}
	end := append(upper[:], 0)
	const what = "free space"
	if err := f.link.flush(ctx, what); err != nil {
		return err
	}
	var all uint64
	err := f.link.read(what, func(db *pebble.DB) (err error) {
		all, err = db.EstimateDiskUsage(lower[:], end)
		return err
	})
	if err != nil || int64(all) > 2*removed+int64(f.memTable) {
		return err
	}
	return f.link.compact(ctx, what, lower[:], end)
}
