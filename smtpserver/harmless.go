package smtpserver

import (
	"errors"
	"log/slog"
	"strings"
)

// countHarmless ends a session that goes on and on without bringing a message. Recipients and
// texts are not counted: Config.MaxRecipients, Config.MaxRefusedRecipients and wire.Config.MinBodyRate
// bound these. An empty chunk is no text.
func (s *session) countHarmless(verb, arg string) {
	empty := verb == "BDAT" && arg != "" && strings.Trim(arg, "0") == ""
	switch {
	case verb == "RCPT", verb == "QUIT", (verb == "DATA" || verb == "BDAT") && s.tx != nil && !empty:
		return
	}
	s.harmless++
	if limit := s.srv.cfg.MaxHarmlessCommands; limit < 0 || s.harmless <= limit {
		return
	}
	s.endFlood(replyTooManyHarmless())
}

// errFlood is the cause in the log when a session is ended for what it sent too much of.
var errFlood = errors.New("the limit of a session is reached")

// endFlood ends a session that sent too much of something. Strangers can begin another one at
// once, so that the log sums such ends up.
func (s *session) endFlood(r reply) {
	s.c.LogSummed(slog.LevelInfo, r.text, errFlood)
	s.reply(r)
	s.end()
}
