package embedded

import (
	"context"
	"errors"

	"github.com/cockroachdb/pebble/v2"

	"popelago/store"
)

// Progress implements store.Notes.
func (s *Store) Progress(ctx context.Context, name string) (text string, err error) {
	const what = "read progress"
	if err := contextErr(ctx, what); err != nil {
		return "", err
	}
	err = s.link.read(what, func(db *pebble.DB) error {
		v, err := get(db, progressKey(name))
		if errors.Is(err, store.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		d := newDecoder(v)
		text = d.text()
		return d.end()
	})
	return text, err
}

// SetProgress implements store.Notes.
func (s *Store) SetProgress(ctx context.Context, name, text string) error {
	const what = "note progress"
	if err := s.space.check(what); err != nil {
		return err
	}
	return s.committer.commit(ctx, what, &write{prepare: func(g *group) error {
		if text == "" {
			return g.batch.Delete(progressKey(name), nil)
		}
		return g.batch.Set(progressKey(name), textColumn(text), nil)
	}})
}
