package embedded

import (
	"context"

	"popelago/store"
)

// Servers implements store.Upkeep: a folder has one server.
func (e *engine) Servers(ctx context.Context) ([]store.Server, error) {
	if err := contextErr(ctx, "list servers"); err != nil {
		return nil, err
	}
	own := store.Server{Name: e.cfg.Dir, Own: true}
	if e.clock.Clock() == nil {
		own.Clock = e.cfg.Now()
	}
	return []store.Server{own}, nil
}
