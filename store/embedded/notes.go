package embedded

import (
	"context"
	"errors"

	"github.com/cockroachdb/pebble/v2"

	"popelago/store"
)

// notes implements store.Notes.
type notes struct {
	link      *link
	committer *committer
	space     *space
}

// Progress implements store.Notes.
func (n *notes) Progress(ctx context.Context, name string) (text string, err error) {
	const what = "read progress"
	if err := contextErr(ctx, what); err != nil {
		return "", err
	}
	err = n.link.read(what, func(db *pebble.DB) error {
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
func (n *notes) SetProgress(ctx context.Context, name, text string) error {
	const what = "note progress"
	if err := n.space.check(what); err != nil {
		return err
	}
	return n.committer.commit(ctx, what, &write{prepare: func(g *group) error {
		if text == "" {
			return g.batch.Delete(progressKey(name), nil)
		}
		return g.batch.Set(progressKey(name), textColumn(text), nil)
	}})
}
