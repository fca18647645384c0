package pop3server

import (
	"context"
	"time"
)

// harmlessPause delays the responses to harmless commands after login, beyond
// Config.MaxHarmlessCommands.
const harmlessPause = time.Second

// countHarmless limits the cost of a session that never logs in, or never asks for a message.
// Beyond Config.MaxHarmlessCommands harmless commands in a row, a session that has not logged in
// ends, and the commands of a session that has logged in are answered late. Mail programs that keep
// a session open with NOOP stay below the limit.
func (s *session) countHarmless(ctx context.Context, c command, arg []byte) {
	if c.useful && !(c.needsArgument && blank(arg)) {
		s.harmless = 0
		return
	}
	s.harmless++
	switch {
	case s.harmless <= s.srv.cfg.MaxHarmlessCommands:
	case s.state == stateAuthorization:
		s.end(outcomeBadCommands, replyTooManyHarmless())
	default:
		s.srv.metrics.paused.Inc()
		s.c.Flush()
		sleep(ctx, harmlessPause)
	}
}

// sleep waits for d, or until ctx ends. It reports whether d has passed.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
