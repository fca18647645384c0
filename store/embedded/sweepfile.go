package embedded

import (
	"context"
	"errors"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"popelago/mail"
	"popelago/store"
)

// sweepFiles removes content files of an earlier process without a row.
func (s *Store) sweepFiles(ctx context.Context, olderThan time.Time, report *store.SweepReport) error {
	if s.files.compared.Load() || !olderThan.After(s.sweep.openedAt) {
		return nil
	}
	fs := s.cfg.FS
	buckets, err := fs.List(s.files.dir)
	if err != nil {
		return err
	}
	for _, bucket := range buckets {
		if len(bucket) != 2 { // tmpDir, or a foreign folder
			continue
		}
		dir := fs.PathJoin(s.files.dir, bucket)
		names, err := fs.List(dir)
		if err != nil {
			return err
		}
		for _, name := range names {
			if ctx.Err() != nil {
				return nil
			}
			id, nonce, ok := fileID(name)
			if !ok {
				continue
			}
			if named, err := s.fileNamed(id, nonce); err != nil {
				return err
			} else if named {
				continue
			}
			path := fs.PathJoin(dir, name)
			info, err := fs.Stat(path)
			if err == nil {
				err = fs.Remove(path)
			}
			if err != nil {
				return err
			}
			s.count(report, info.Size())
		}
	}
	s.files.compared.Store(true)
	return nil
}

// sweepSpace reclaims the space of removed contents.
func (s *Store) sweepSpace(ctx context.Context, _ time.Time, _ *store.SweepReport) error {
	if s.sweep.deleted >= flushAfter {
		if err := s.link.read("sweep", func(db *pebble.DB) error { return db.Flush() }); err != nil {
			return err
		}
		s.sweep.deleted = 0
	}
	return s.tidier.sweep(ctx)
}

// fileNamed reports whether a content row, pending or written, names the file.
func (s *Store) fileNamed(id mail.MessageID, nonce [8]byte) (bool, error) {
	// Pending first: a row is written before it stops pending.
	if v := s.pending.get(id); v != nil {
		return true, nil
	}
	key := contentKey(id)
	named := false
	err := s.link.read("sweep files", func(db *pebble.DB) error {
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
