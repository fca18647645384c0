package smtpserver

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"slices"
	"strings"

	"popelago/delivery"
	"popelago/wire"
)

// session is one client connection. It belongs to one goroutine.
type session struct {
	srv *Server
	c   *wire.Conn
	ctx context.Context // ends when the connection is closed by force

	helo     string // the argument of the last hello; empty: none yet
	extended bool   // it was EHLO or LHLO
	tx       *transaction
	count    int  // transactions begun
	wrong    int  // commands that were mistakes
	refused  int  // recipients refused for good since a message was stored
	harmless int  // commands since a message was stored, see countHarmless
	over     bool // no further command is to be read
	out      []byte

	// promised are messages of which the client is not known to have got the reply.
	promised []delivery.Result
}

// serve is the life of one connection.
func (s *Server) serve(ctx context.Context, c *wire.Conn) {
	ss := &session{srv: s, c: c, ctx: ctx}
	defer ss.reset()
	ss.run()
}

func (s *session) run() {
	kind := " ESMTP Popelago"
	if s.srv.cfg.Protocol == LMTP {
		kind = " LMTP Popelago"
	}
	s.reply(reply{code: 220, text: s.srv.cfg.Hostname + kind})
	for !s.over {
		line, err := s.c.ReadLine()
		if err == nil {
			s.confirm()
			s.command(line)
		} else {
			s.unreadable(line, err)
		}
		if !s.over && s.wrong > s.srv.cfg.MaxBadCommands {
			s.endFlood(replyTooManyBad())
		}
	}
	s.settle()
}

// maxPromised is how many messages a client may send without ever looking at the replies before
// the oldest are taken for known to it.
const maxPromised = 100

// promise notes that the reply to a message was written.
func (s *session) promise(res delivery.Result) {
	if len(s.promised) == maxPromised {
		s.promised = slices.Delete(s.promised, 0, 1)
	}
	s.promised = append(s.promised, res)
}

// confirm finds out, at the next command, whether the client has got the replies before: it may
// have sent the command before them.
func (s *session) confirm() {
	if len(s.promised) > 0 && s.c.Acknowledged() {
		s.promised = nil
	}
}

// settle tells package delivery of replies that did not reach the client.
func (s *session) settle() {
	if len(s.promised) == 0 || s.c.Taken() {
		return
	}
	for _, res := range s.promised {
		s.srv.deliverer.ReplyLost(s.ctx, res)
	}
}

// end makes this the end of the session. The client may still be sending.
func (s *session) end() {
	s.over = true
	s.c.Linger()
}

// unreadable answers a command line that could not be read; line is how it begins, if anything is
// known of it.
func (s *session) unreadable(line []byte, err error) {
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
	case errors.Is(err, wire.ErrStopping):
		s.reply(replyStopping())
	case errors.Is(err, wire.ErrTooManyConns):
		s.reply(replyTooManyConns())
	case errors.Is(err, wire.ErrTimeout):
		s.reply(replyTimeout())
	case errors.Is(err, wire.ErrEndless):
		s.reply(replyLineTooLong())
	case !wire.IsDisconnect(err):
		s.log(slog.LevelInfo, "connection failed", "cause", err)
	}
	if s.tx != nil && s.tx.incoming != nil {
		s.logRefused(err) // between two chunks
	}
	s.end()
}

// command executes one command line.
func (s *session) command(line []byte) {
	for _, c := range line {
		if c < ' ' && c != '\t' || c == 0x7F {
			if isBDAT(line) {
				s.badBDAT()
				return
			}
			s.reply(replyControl())
			return
		}
	}
	if isBDAT(line) && len(line) > len("BDAT") && line[len("BDAT")] != ' ' {
		s.badBDAT()
		return
	}
	verb, arg, _ := strings.Cut(strings.TrimRight(string(line), " \t"), " ")
	arg = strings.TrimLeft(arg, " ")
	verb = strings.ToUpper(verb)
	if s.countHarmless(verb, arg); s.over {
		return
	}
	switch verb {
	case "HELO":
		s.cmdHello(arg, SMTP, false)
	case "EHLO":
		s.cmdHello(arg, SMTP, true)
	case "LHLO":
		s.cmdHello(arg, LMTP, true)
	case "MAIL":
		s.cmdMAIL(arg)
	case "RCPT":
		s.cmdRCPT(arg)
	case "DATA":
		s.cmdDATA(arg)
	case "BDAT":
		s.cmdBDAT(arg)
	case "RSET":
		s.cmdRSET(arg)
	case "STARTTLS":
		s.cmdSTARTTLS(arg)
	case "QUIT":
		s.cmdQUIT(arg)
	case "NOOP":
		s.reply(replyOK("ok"))
	case "HELP":
		s.reply(replyHelp())
	case "VRFY":
		s.cmdVRFY(arg)
	case "EXPN", "AUTH", "ETRN", "TURN", "SEND", "SOML", "SAML":
		s.reply(replyNotOffered("this"))
	case "GET", "POST", "PUT", "HEAD", "OPTIONS", "CONNECT":
		// A web browser that was made to send mail: no line of its request may become a
		// command.
		s.log(slog.LevelInfo, "client speaks HTTP")
		s.reply(replyForeign())
		s.end()
	default:
		s.reply(replyUnknown())
	}
}

func (s *session) cmdQUIT(arg string) {
	if arg != "" {
		s.reply(replySyntax("QUIT has no argument"))
		return
	}
	s.reply(replyBye())
	s.over = true
}

// cmdVRFY tells nothing (RFC 5321 section 7.3).
func (s *session) cmdVRFY(arg string) {
	if arg == "" {
		s.reply(replySyntax("syntax: VRFY address"))
		return
	}
	s.reply(replyVerify())
}

// reply writes r. Errors of the connection come up at the next read.
func (s *session) reply(r reply) {
	if r.wrong() {
		s.wrong++
	}
	s.srv.metrics.reply(r.code)
	s.out = r.append(s.out[:0], s.c.ID())
	s.c.Write(s.out)
}

// tlsText describes TLS for the Received line; empty without TLS.
func (s *session) tlsText() string {
	t := s.c.TLS()
	if t == nil {
		return ""
	}
	return tls.VersionName(t.Version) + " " + tls.CipherSuiteName(t.CipherSuite)
}

// log writes a line with what all lines about a session have.
func (s *session) log(level slog.Level, text string, args ...any) {
	if !s.srv.cfg.Logger.Enabled(s.ctx, level) {
		return
	}
	base := []any{"protocol", string(s.srv.cfg.Protocol), "session", s.c.ID(), "remote", remoteText(s.c), "helo", s.helo}
	s.srv.cfg.Logger.Log(s.ctx, level, text, append(base, args...)...)
}

func remoteText(c *wire.Conn) string {
	if a := c.Remote(); a.IsValid() {
		return a.String()
	}
	return "local"
}
