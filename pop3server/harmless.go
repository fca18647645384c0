package pop3server

import (
	"context"
	"time"
)

// harmlessPause is how long the answer to a harmless command waits after login, beyond
// Config.MaxHarmlessCommands.
const harmlessPause = time.Second

// countHarmless bounds what a session costs that goes on without ever logging in, or without ever
// asking for a message: beyond Config.MaxHarmlessCommands in a row, a session that has not logged
// in ends, and the commands of one that has are answered late. Mail programs that keep a session
// open with NOOP do not feel it.
func (s *session) countHarmless(ctx context.Context, v verb) {
	switch string(v[:]) {
	case "PASS\x00\x00\x00\x00", "AUTH\x00\x00\x00\x00": // Config.MaxFailedLogins bounds these
		s.harmless = 0
		return
	case "LIST\x00\x00\x00\x00", "UIDL\x00\x00\x00\x00", "RETR\x00\x00\x00\x00", "TOP\x00\x00\x00\x00\x00", "DELE\x00\x00\x00\x00":
		s.harmless = 0
		return
	}
	s.harmless++
	switch {
	case s.harmless <= s.srv.cfg.MaxHarmlessCommands || string(v[:]) == "QUIT\x00\x00\x00\x00":
	case s.state == stateAuthorization:
		s.err("", textTooManyHarmless)
		s.c.Linger()
		s.end = outcomeBadCommands
	default:
		s.srv.metrics.paused.Inc()
		s.c.Flush()
		wait := time.NewTimer(harmlessPause)
		defer wait.Stop()
		select {
		case <-wait.C:
		case <-ctx.Done():
		}
	}
}
