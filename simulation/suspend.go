package simulation

import (
	"context"
	"time"

	"popelago/event"
)

// suspend lets the machine of a server stand still: its clock stands, and none of its statements is sent or answered.
// The function returned wakes the machine up. Its clock is behind then, until it is corrected.
//
// The timers of the process and its monotonic clock cannot stand still in virtual time: the process notices at once
// that its last look at the clocks of the nodes is old.
func (w *World) suspend(ctx context.Context, f Fault, s *slot) (undo func()) {
	if s.cfg.clock.standing() || s.process() == nil {
		return func() {}
	}
	s.cfg.clock.stop()
	w.cluster.Hold(s.cfg.name)
	return func() {
		s.cfg.clock.goOn()
		w.cluster.Release(s.cfg.name)
		w.story.add("%s wakes up, its clock is behind by %v", s.cfg.name, time.Since(s.cfg.clock.Now()).Round(time.Second))
		event.Pause(ctx, f.By)
		s.cfg.clock.set(0)
	}
}
