package embedded

import (
	"context"
	"errors"
	"slices"

	"github.com/cockroachdb/pebble/v2"

	"popelago/mail"
)

// orphans removes contents that were put without a message, from memory and from the database.
type orphans struct {
	link      *link
	committer *committer
	pending   *pending
	files     *contentFiles
	remover   *remover
}

// sweepPending forgets contents in memory.
func (o *orphans) sweepPending(ctx context.Context, run *sweepRun) error {
	for id, row := range o.pending.takeOld(run.putBefore.UnixMicro()) {
		written, err := o.written(ctx, id)
		if err == nil && !written && row.kind == kindFile {
			err = o.files.remove(id, row.nonce)
		}
		if err != nil {
			o.files.suspect()
			return err
		}
		if !written {
			run.count(row.size)
			run.show(ctx, run.report)
		}
	}
	return nil
}

// written reports whether a content row is in the database. An AddMessages may write the row after its
// caller stopped waiting or received an error: so written reads after all waiting writes.
func (o *orphans) written(ctx context.Context, id mail.MessageID) (bool, error) {
	written := false
	key := contentKey(id)
	err := o.committer.commit(ctx, "sweep", &write{alone: true, prepare: func(g *group) (err error) {
		written, err = has(g.db, key[:])
		return translate(err, "sweep "+id.String())
	}})
	if err != nil {
		return false, err // the committer may still write the row
	}
	return written, nil
}

// sweepRows removes contents in the database.
func (o *orphans) sweepRows(ctx context.Context, run *sweepRun) error {
	var ids []mail.MessageID
	err := o.link.scan(ctx, []byte{prefixOrphan}, []byte{prefixOrphan + 1}, func(k, v []byte) (bool, error) {
		putAt, err := decodeMoment(v)
		if err != nil || len(k) != contentKeyLen {
			return false, errors.Join(err, errBadRow)
		}
		if putAt < run.putBefore.UnixMicro() {
			ids = append(ids, fromSortKey(k[1:]))
		}
		return true, nil
	})
	if err != nil {
		return err
	}
	return o.remove(ctx, run, ids)
}

// remove removes contents with their orphan rows.
func (o *orphans) remove(ctx context.Context, run *sweepRun, ids []mail.MessageID) error {
	for page := range slices.Chunk(ids, sweepPage) {
		if err := o.remover.remove(ctx, run, page, func(b *pebble.Batch) error { return forgetOrphans(b, page) }); err != nil {
			return err
		}
	}
	return nil
}

// forgetOrphans removes the orphan rows of contents.
func forgetOrphans(b *pebble.Batch, ids []mail.MessageID) error {
	for _, id := range ids {
		k := orphanKey(id)
		if err := b.Delete(k[:], nil); err != nil {
			return err
		}
	}
	return nil
}
