package smtpserver

import (
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
	s.log(slog.LevelInfo, "too many commands without a message")
	s.reply(replyTooManyHarmless())
	s.end()
}
