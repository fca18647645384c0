package embedded

import (
	"log/slog"
	"time"
)

// housekeeper looks at the free space: it keeps the spare, and frees space below the reserve.
type housekeeper struct {
	space   *space
	spare   *spare
	link    *link
	freer   *freer
	closing *closing
	logger  *slog.Logger
}

// start starts the loop that looks at the space.
func (h *housekeeper) start(every time.Duration) { h.closing.every(every, h.look) }

func (h *housekeeper) look() {
	if h.space.check("") == nil {
		if h.link.writable() {
			h.spare.keep()
		}
		return
	}
	ctx, cancel := h.closing.context()
	defer cancel()
	if err := h.freer.free(ctx); err != nil && ctx.Err() == nil {
		h.logger.Debug("embedded store: freeing space", "cause", err)
	}
}
