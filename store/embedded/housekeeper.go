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
	short   bool // the log says that mail is refused; for look alone
}

// start starts the loop that looks at the space.
func (h *housekeeper) start(every time.Duration) { h.closing.every(every, h.look) }

func (h *housekeeper) look() {
	h.report()
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

// report logs the begin and the end of a time without space for mail. The end is a state with an eighth of the reserve
// more than the reserve, so that a disk at the limit does not fill the log.
func (h *housekeeper) report() {
	err := h.space.check("look at the disk")
	switch {
	case err != nil && !h.short:
		h.short = true
		h.logger.Warn("embedded store: the disk is almost full: mail is refused until there is space", "cause", err)
	case err == nil && h.short && h.space.has(uint64(max(h.space.reserve, 0)/8)):
		h.short = false
		h.logger.Info("embedded store: the disk has space again: mail is taken")
	}
}
