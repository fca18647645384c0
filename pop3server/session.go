package pop3server

import (
	"context"
	"errors"
	"time"

	"popelago/account"
	"popelago/mail"
	"popelago/maildrop"
	"popelago/span"
	"popelago/wire"
)

// session is one connection after the greeting. A session belongs to one goroutine.
type session struct {
	srv   *Server
	c     *wire.Conn
	state state
	user  string // the name that USER gave, until PASS
	login account.Login
	// account is the address of login, from stateTransaction on.
	account string
	drop    *maildrop.Maildrop // from stateTransaction on
	ended   outcome            // "" while the session goes on

	began        time.Time
	commands     int64
	badCommands  int
	harmless     int // harmless commands in a row, see countHarmless
	loginFaults  int // see loginFault
	failedLogins int

	next        []int        // memory for readAhead
	unconfirmed []int        // messages sent by RETR, see confirmRetrieved
	reported    []uint64     // a bit for each message whose retrieval was reported, see reportRetrieval
	retrieved   int          // messages sent by RETR
	octets      int64        // of messages sent by RETR and TOP
	removed     int          // messages
	reached     mail.Reached // by the removal

	text textWriter // of RETR and TOP
	buf  [128]byte  // for composing a response
}

// handler returns the function that serves one connection. A method would take more of the stack of each session.
func (s *Server) handler() func(context.Context, *wire.Conn) {
	return func(ctx context.Context, c *wire.Conn) {
		sess := &session{srv: s, c: c, state: stateAuthorization, began: time.Now()}
		ctx, work := span.Start(ctx, "POP3 session")
		work.Text("session", c.ID())
		defer func() { sess.endWork(work) }()
		defer sess.finish()
		sess.run(ctx)
	}
}

// run reads and executes commands until the session ends.
func (s *session) run(ctx context.Context) {
	s.greet()
	for s.ended == "" {
		waited := s.c.Buffered() == 0
		if line, err := s.c.ReadLine(); err != nil {
			s.readFailed(err)
		} else {
			s.take(ctx, line, waited)
		}
	}
}

// greet sends the greeting. greet, readFailed and take are no part of run, so that a session that waits needs little
// stack.
//
//go:noinline
func (s *session) greet() {
	s.report("")
	s.reply(replyOK(s.srv.cfg.Banner))
}

// take takes a command line. waited says that the client sent the line after a pause.
//
//go:noinline
func (s *session) take(ctx context.Context, line []byte, waited bool) {
	if waited {
		s.confirmRetrieved()
	}
	s.execute(ctx, line)
}

// readFailed answers an error of ReadLine.
//
//go:noinline
func (s *session) readFailed(err error) {
	switch {
	case errors.Is(err, wire.ErrLineTooLong), errors.Is(err, wire.ErrBareLineEnd):
		s.reply(replyTooLong())
	case errors.Is(err, wire.ErrEndless):
		s.end(outcomeBadCommands, replyTooLong())
	case errors.Is(err, wire.ErrStopping):
		s.end(outcomeShutdown, replyStopping())
	case errors.Is(err, wire.ErrEnded):
		s.end(outcomeAdministrator, replyEnded())
	case errors.Is(err, wire.ErrTooManyConns):
		s.end(outcomeCrowded, replyTooManyConns())
	case errors.Is(err, wire.ErrTimeout):
		// RFC 1939 section 3: close without removing a message or sending a response.
		s.ended = outcomeTimeout
	default:
		s.ended = outcomeDisconnected
	}
}

// execute executes one command line.
func (s *session) execute(ctx context.Context, line []byte) {
	start := time.Now()
	verb, arg := wire.SplitVerb(line)
	c, known := s.srv.commands[verb]
	if !known {
		c.seconds = s.srv.other
	}
	s.commands++
	s.report(c.verb)
	defer func() {
		c.seconds.Observe(time.Since(start).Seconds())
		s.report("")
	}()
	if len(line) > s.srv.cfg.MaxLine && !c.longLine {
		s.reply(replyTooLong())
		return
	}
	if s.countHarmless(ctx, c, arg); s.ended != "" {
		return
	}
	switch {
	case c.run == nil:
		s.reply(replyUnknown())
	case c.states&s.state == 0:
		s.reply(replyOutOfState(s.state))
	case c.noArgument && !blank(arg):
		s.reply(replySyntax())
	default:
		if c.reads {
			s.readAhead(ctx, arg)
		}
		c.run(s, ctx, arg)
	}
}

// report shows the session to the administrator, with the verb of the command in execution; empty: none.
func (s *session) report(command string) {
	s.c.Report(wire.Progress{
		User: s.account, State: s.state.String(), Command: command,
		Commands: s.commands, Messages: int64(s.retrieved), Octets: s.octets,
	})
}

// reply writes the response to a command, and ends the session after too many bad commands. The
// next read returns the errors of the connection.
func (s *session) reply(r reply) {
	if r.bad {
		s.badCommands++
		if s.badCommands > s.srv.cfg.MaxBadCommands {
			s.end(outcomeBadCommands, replyTooManyBad())
			return
		}
	}
	s.write(r)
}

// end writes r as the last response and ends the session. The client may still be sending.
func (s *session) end(o outcome, r reply) {
	s.ended = o
	s.write(r)
	s.c.Linger()
}

func (s *session) write(r reply) {
	if !r.ok {
		s.srv.metrics.errors[r.code].Inc()
	}
	s.c.Write(r.append(s.buf[:0], s.c.ID()))
}

// endWork ends the span of the session.
func (s *session) endWork(work span.Span) {
	work.Text("ended", string(s.ended))
	work.Int("commands", s.commands)
	work.Int("retrieved", int64(s.retrieved))
	work.Int("removed", int64(s.removed))
	work.End(nil)
}

// finish counts and logs the session.
func (s *session) finish() {
	if s.ended == "" {
		s.ended = outcomePanicked
	}
	s.srv.metrics.sessions[s.ended].Inc()
	if s.drop == nil {
		s.logEnd()
		return
	}
	s.reportRetrieved()
	s.drop.Close()
	s.srv.open.end(s.login.Mailbox)
	s.logLogout()
}
