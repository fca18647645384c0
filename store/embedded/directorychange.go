package embedded

import "context"

// directoryWriter writes changes of the directory: only while the clock is trusted, see store.Clocks.
type directoryWriter struct {
	committer *committer
	clock     *clockWatch
	space     *space
}

// change makes the writes of prepare durable, unless the disk is full.
func (w *directoryWriter) change(ctx context.Context, what string, prepare func(g *group) error) error {
	if err := contextErr(ctx, what); err != nil {
		return err
	}
	if err := w.clock.mayChange(what); err != nil {
		return err
	}
	if err := w.space.check(what); err != nil {
		return err
	}
	return w.committer.commit(ctx, what, &write{prepare: prepare})
}

// remove is change for a removal, which a full disk does not refuse.
func (w *directoryWriter) remove(ctx context.Context, what string, prepare func(g *group) error) error {
	if err := w.clock.mayChange(what); err != nil {
		return err
	}
	return w.committer.commit(ctx, what, &write{prepare: prepare})
}
