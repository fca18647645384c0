package smtpserver

import (
	"errors"
	"log/slog"
	"strings"
)

// countHarmless ends a session that sends command after command and no message. Recipients and texts
// are not counted: Config.MaxRecipients, Config.MaxRefusedRecipients and wire.Config.MinBodyRate
// limit both. An empty chunk counts, and so does a text without recipients.
func (s *session) countHarmless(c command, arg string) {
	if c.useful || c.text && s.tx != nil && len(s.tx.envelope.Recipients) > 0 && !emptyChunk(arg) {
		return
	}
	s.harmless++
	if limit := s.srv.cfg.MaxHarmlessCommands; limit < 0 || s.harmless <= limit {
		return
	}
	s.endFlood(replyTooManyHarmless())
}

// emptyChunk reports whether the argument of BDAT announces no octets.
func emptyChunk(arg string) bool { return arg != "" && strings.Trim(arg, "0") == "" }

// errFlood is the cause in the log of the end of a session that exceeded a limit.
var errFlood = errors.New("the limit of a session is reached")

// endFlood ends a session that exceeded a limit. Strangers can begin another session at once, so the
// log sums such ends up.
func (s *session) endFlood(r reply) {
	s.c.LogSummed(slog.LevelInfo, r.text, errFlood)
	s.end(outcomeBadCommands, r)
}
