package cassandra

import "context"

// notes implements store.Notes at one level.
type notes struct {
	at  level
	cfg Config
	run *runner
}

// Progress implements store.Notes.
func (n *notes) Progress(ctx context.Context, name string) (string, error) {
	text, _, err := n.readNote(ctx, name)
	return text, err
}

func (n *notes) readNote(ctx context.Context, name string) (text string, written int64, err error) {
	var at *int64
	if _, err = n.run.readOne(ctx, statement{
		cql: selectNote, values: []any{name}, consistency: n.at.reads(), what: "read the note " + name,
	}, &text, &at); err != nil {
		return "", 0, err
	}
	if at != nil {
		written = *at
	}
	return text, written, nil
}

// SetProgress implements store.Notes. The timestamp is above the timestamp of the old text, so that a
// clock that was ahead does not win over a later text.
func (n *notes) SetProgress(ctx context.Context, name, text string) error {
	_, written, err := n.readNote(ctx, name)
	if err != nil {
		return err
	}
	return n.run.exec(ctx, statement{
		cql: insertNote, values: []any{name, text, max(micros(n.cfg.Now()), written+1)}, consistency: n.at.writes(), what: "write the note " + name,
	})
}
