package smtpserver

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"time"

	"popelago/delivery"
	"popelago/span"
	"popelago/wire"
)

// session is one client connection. A session belongs to one goroutine.
type session struct {
	srv *Server
	c   *wire.Conn

	helo     string // the argument of the last HELO, EHLO or LHLO; empty: none yet
	extended bool   // the last hello was EHLO or LHLO
	tx       *transaction
	ended    outcome // empty: the session goes on
	buf      []byte

	began        time.Time
	transactions int // begun
	commands     int64
	messages     int64 // stored for a recipient at least
	octets       int64 // of these messages
	badCommands  int
	accepted     int // recipients at RCPT
	turnedAway   int // recipients at RCPT
	refused      int // recipients refused permanently since a message was stored
	deferred     int // recipients refused temporarily, or for the message, since a message was stored
	harmless     int // harmless commands since a message was stored, see countHarmless
	misplaced    int // recipients refused whatever their account, since a message was stored, see refuseMisplaced

	// promised are the stored messages whose replies may not have reached the client.
	promised []delivery.Result

	// work is the span of the present command with text, and failure the first error of its message.
	work    span.Span
	failure error
}

// handle serves one connection.
func (s *Server) handle(ctx context.Context, c *wire.Conn) {
	sess := &session{srv: s, c: c, began: time.Now()}
	defer sess.finish()
	sess.run(ctx)
}

// run reads and executes commands until the session ends.
func (s *session) run(ctx context.Context) {
	s.report("")
	s.reply(replyGreeting(s.srv.cfg.Hostname, s.srv.cfg.Protocol))
	for s.ended == "" {
		line, err := s.c.ReadLine()
		if err != nil {
			s.readFailed(line, err)
			continue
		}
		s.confirm()
		s.execute(ctx, line)
	}
	s.reportLost(ctx)
}

// readFailed answers an error of ReadLine. line is the beginning of the line, if known.
func (s *session) readFailed(line []byte, err error) {
	switch {
	case isBDAT(line):
		s.badBDAT()
		return
	case errors.Is(err, wire.ErrLineTooLong):
		s.reply(replyLineTooLong())
		return
	case errors.Is(err, wire.ErrBareLineEnd):
		s.reply(replyBareLineEnd())
		return
	}
	if s.state() == stateText {
		defer s.logRefused(err)
	}
	switch why := outcomeOf(err); {
	case errors.Is(err, wire.ErrEndless):
		s.end(outcomeBadCommands, replyLineTooLong())
	case why == outcomeShutdown:
		s.end(why, replyStopping())
	case why == outcomeAdministrator:
		s.end(why, replyEnded())
	case why == outcomeCrowded:
		s.end(why, replyTooManyConns())
	case why == outcomeTimeout:
		s.end(why, replyTimeout())
	default:
		if !wire.IsDisconnect(err) {
			s.log(slog.LevelInfo, "connection failed", "cause", err)
		}
		s.ended = why
	}
}

// execute executes one command line.
func (s *session) execute(ctx context.Context, line []byte) {
	control := hasControl(line)
	switch {
	case isBDAT(line) && (control || len(line) > len("BDAT") && line[len("BDAT")] != ' '):
		s.badBDAT()
		return
	case control:
		s.reply(replyControl())
		return
	}
	start := time.Now()
	verb, rest := wire.SplitVerb(bytes.TrimRight(line, " \t"))
	arg := strings.TrimLeft(string(rest), " ")
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
	if s.countHarmless(c, arg); s.ended != "" {
		return
	}
	switch {
	case c.run == nil:
		s.reply(replyUnknown())
	case c.states&s.state() == 0 && c.verb == "RCPT":
		s.refuseMisplaced(replyOutOfState(c.verb, s.state()))
	case c.states&s.state() == 0:
		s.reply(replyOutOfState(c.verb, s.state()))
	case c.noArgument && arg != "":
		s.reply(replySyntax(c.verb + " has no argument"))
	default:
		c.run(s, ctx, arg)
	}
}

// report shows the session to the administrator, with the verb of the command in execution; empty: none.
func (s *session) report(command string) {
	s.c.Report(wire.Progress{
		State: s.state().String(), Command: command, Commands: s.commands, Messages: s.messages, Octets: s.octets,
	})
}

// reply writes the reply to a command, and ends the session after too many bad commands. The next
// read returns the errors of the connection.
func (s *session) reply(r reply) {
	s.write(r)
	if !r.bad() {
		return
	}
	s.badCommands++
	if s.badCommands > s.srv.cfg.MaxBadCommands {
		s.endFlood(replyTooManyBad())
	}
}

// finish counts and logs the session.
func (s *session) finish() {
	s.reset()
	if s.ended == "" {
		s.ended = outcomePanicked
	}
	s.srv.metrics.sessions[s.ended].Inc()
	s.logEnd()
}

// end writes r as the last reply and ends the session. The client may still be sending.
func (s *session) end(o outcome, r reply) {
	s.ended = o
	s.write(r)
	s.c.Linger()
}

func (s *session) write(r reply) {
	s.srv.metrics.reply(r.code)
	s.buf = r.append(s.buf[:0], s.c.ID())
	s.c.Write(s.buf)
}

// hasControl reports whether a command line has a control character other than a tab.
func hasControl(line []byte) bool {
	for _, c := range line {
		if c < ' ' && c != '\t' || c == 0x7F {
			return true
		}
	}
	return false
}
