package pop3server

import (
	"context"
	"errors"

	"popelago/account"
	"popelago/mail"
	"popelago/maildrop"
	"popelago/wire"
)

// state is the state of a session, RFC 1939 section 3. UPDATE is entered by QUIT only, and
// left with the end of the session.
type state int

const (
	stateAuthorization state = iota
	stateTransaction
	stateUpdate
)

// session is one connection after the greeting. It belongs to one goroutine.
type session struct {
	srv   *Server
	c     *wire.Conn
	state state
	user  string // what USER said, until PASS
	login account.Login
	drop  *maildrop.Maildrop // from stateTransaction on

	badCommands  int
	harmless     int // commands in a row that lead nowhere, see countHarmless
	failedLogins int
	end          outcome // how the session ends; "" while it goes on

	retrieved int          // messages sent by RETR
	octets    int64        // of messages sent by RETR and TOP
	removed   int          // messages
	reached   mail.Reached // by the removal

	text textWriter // of RETR and TOP
	buf  [128]byte  // for responses in the making
}

// run reads and executes commands until the session ends.
func (s *session) run(ctx context.Context) {
	s.ok(s.srv.cfg.Banner)
	for s.end == "" {
		line, err := s.c.ReadLine()
		if err != nil {
			s.readFailed(err)
			continue
		}
		if len(line) > s.srv.cfg.MaxLine && !isAUTH(line) {
			s.bad(textTooLong)
			continue
		}
		s.execute(ctx, line)
	}
}

// isAUTH reports whether line is an AUTH command, whose initial response may be long.
func isAUTH(line []byte) bool {
	verb, _ := splitVerb(line)
	return string(verb[:]) == "AUTH\x00\x00\x00\x00"
}

// readFailed answers what ReadLine returned instead of a line.
func (s *session) readFailed(err error) {
	switch {
	case errors.Is(err, wire.ErrLineTooLong), errors.Is(err, wire.ErrBareLineEnd):
		s.bad(textTooLong)
	case errors.Is(err, wire.ErrEndless):
		s.err("", textTooLong)
		s.c.Linger()
		s.end = outcomeBadCommands
	case errors.Is(err, wire.ErrStopping):
		s.err(codeTemp, textStopping)
		s.c.Linger()
		s.end = outcomeShutdown
	case errors.Is(err, wire.ErrTooManyConns):
		s.err(codeTemp, textTooManyConns)
		s.c.Linger()
		s.end = outcomeCrowded
	case errors.Is(err, wire.ErrTimeout):
		// RFC 1939 section 3: close without removing anything or sending a response.
		s.end = outcomeTimeout
	default:
		s.end = outcomeDisconnected
	}
}

// execute answers one command.
func (s *session) execute(ctx context.Context, line []byte) {
	verb, rest := splitVerb(line)
	if s.countHarmless(ctx, verb); s.end != "" {
		return
	}
	switch string(verb[:]) {
	case "CAPA\x00\x00\x00\x00":
		s.cmdCAPA(ctx, rest)
	case "QUIT\x00\x00\x00\x00":
		s.cmdQUIT(ctx, rest)
	case "LANG\x00\x00\x00\x00":
		s.cmdLANG(rest)
	case "UTF8\x00\x00\x00\x00":
		s.cmdUTF8(rest)

	case "USER\x00\x00\x00\x00":
		if s.inState(stateAuthorization) {
			s.cmdUSER(rest)
		}
	case "PASS\x00\x00\x00\x00":
		if s.inState(stateAuthorization) {
			s.cmdPASS(ctx, rest)
		}
	case "AUTH\x00\x00\x00\x00":
		if s.inState(stateAuthorization) {
			s.cmdAUTH(ctx, rest)
		}
	case "STLS\x00\x00\x00\x00":
		if s.inState(stateAuthorization) {
			s.cmdSTLS(ctx, rest)
		}

	case "STAT\x00\x00\x00\x00":
		if s.inState(stateTransaction) {
			s.cmdSTAT(rest)
		}
	case "LIST\x00\x00\x00\x00":
		if s.inState(stateTransaction) {
			s.cmdLIST(rest)
		}
	case "UIDL\x00\x00\x00\x00":
		if s.inState(stateTransaction) {
			s.cmdUIDL(rest)
		}
	case "RETR\x00\x00\x00\x00":
		if s.inState(stateTransaction) {
			s.cmdRETR(ctx, rest)
		}
	case "TOP\x00\x00\x00\x00\x00":
		if s.inState(stateTransaction) {
			s.cmdTOP(ctx, rest)
		}
	case "DELE\x00\x00\x00\x00":
		if s.inState(stateTransaction) {
			s.cmdDELE(rest)
		}
	case "RSET\x00\x00\x00\x00":
		if s.inState(stateTransaction) {
			s.cmdRSET(rest)
		}
	case "NOOP\x00\x00\x00\x00":
		if s.inState(stateTransaction) {
			s.cmdNOOP(rest)
		}
	default:
		s.bad(textUnknown)
	}
}

// inState reports whether the session is in the state that a command needs, and answers if
// not.
func (s *session) inState(want state) bool {
	if s.state == want {
		return true
	}
	if s.state == stateAuthorization {
		s.bad(textNotYet)
	} else {
		s.bad(textNotNow)
	}
	return false
}

// finish counts and logs the session.
func (s *session) finish() {
	if s.end == "" {
		s.end = outcomePanicked
	}
	s.srv.metrics.sessions[s.end].Inc()
	if s.drop == nil {
		return
	}
	s.drop.Close()
	s.srv.open.end(s.login.Mailbox)
	args := []any{"protocol", "pop3", "session", s.c.ID(),
		"user", s.login.Address.String(), "ended", string(s.end),
		"retrieved", s.retrieved, "octets", s.octets, "removed", s.removed}
	if s.removed > 0 {
		args = append(args, "durability", s.reached.String())
	}
	s.srv.cfg.Logger.Info("logout", args...)
}
