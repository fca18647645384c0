package smtpserver

import (
	"context"
	"log/slog"

	"github.com/prometheus/client_golang/prometheus"

	"popelago/wire"
)

// state is the state of a session, as one bit of a set of states.
type state int

const (
	stateConnected   state = 1 << iota // before HELO, EHLO or LHLO
	stateReady                         // no mail transaction
	stateTransaction                   // after MAIL
	stateText                          // between the chunks of a text

	anyState = stateConnected | stateReady | stateTransaction | stateText
)

// String returns a word for the administrator.
func (s state) String() string {
	switch s {
	case stateConnected:
		return "connected"
	case stateReady:
		return "ready"
	case stateTransaction:
		return "transaction"
	}
	return "text"
}

// state is the present state of the session.
func (s *session) state() state {
	switch {
	case s.tx != nil && s.tx.incoming != nil:
		return stateText
	case s.tx != nil:
		return stateTransaction
	case s.helo != "":
		return stateReady
	}
	return stateConnected
}

// command is a row of the table of commands.
type command struct {
	verb   string
	states state // the states that allow the command
	run    func(s *session, ctx context.Context, arg string)

	seconds prometheus.Observer // of the durations of the command

	noArgument bool // an argument is a syntax error
	useful     bool // the command is never counted as harmless, see countHarmless
	text       bool // with recipients only a text without octets is counted as harmless
}

// commandTable returns the commands of a protocol by verb. arg of command.run is the rest of the line
// without the spaces around it. m observes their durations.
func commandTable(p Protocol, m *metrics) map[wire.Verb]command {
	table := map[wire.Verb]command{}
	other := m.commands.WithLabelValues(commandOther)
	put := func(c command) { table[wire.VerbOf(c.verb)] = c }
	add := func(commands ...command) {
		for _, c := range commands {
			c.seconds = m.commands.WithLabelValues(c.verb)
			put(c)
		}
	}
	if p == SMTP {
		add(command{verb: "HELO", states: anyState, run: (*session).cmdHELO},
			command{verb: "EHLO", states: anyState, run: (*session).cmdEHLO})
	} else {
		add(command{verb: "LHLO", states: anyState, run: (*session).cmdEHLO}) // RFC 2033 section 4.1
	}
	add(
		command{verb: "STARTTLS", states: anyState, run: (*session).cmdSTARTTLS},
		command{verb: "MAIL", states: stateReady, run: (*session).cmdMAIL},
		command{verb: "RCPT", states: stateTransaction, run: (*session).cmdRCPT, useful: true},
		command{verb: "DATA", states: stateTransaction, run: (*session).cmdDATA, noArgument: true, text: true},
		command{verb: "BDAT", states: anyState, run: (*session).cmdBDAT, text: true}, // has to read its chunk
		command{verb: "RSET", states: anyState, run: (*session).cmdRSET, noArgument: true},
		command{verb: "NOOP", states: anyState, run: (*session).cmdNOOP},
		command{verb: "HELP", states: anyState, run: (*session).cmdHELP},
		command{verb: "VRFY", states: anyState, run: (*session).cmdVRFY},
		command{verb: "QUIT", states: anyState, run: (*session).cmdQUIT, noArgument: true, useful: true},
	)
	for _, verb := range []string{"EXPN", "AUTH", "ETRN", "TURN", "SEND", "SOML", "SAML"} {
		put(command{verb: verb, states: anyState, seconds: other, run: func(s *session, _ context.Context, _ string) {
			s.reply(replyNotOffered(verb))
		}})
	}
	for _, verb := range []string{"GET", "POST", "PUT", "HEAD", "OPTIONS", "CONNECT"} {
		put(command{verb: verb, states: anyState, seconds: other, run: (*session).cmdHTTP})
	}
	return table
}

func (s *session) cmdNOOP(context.Context, string) { s.reply(replyOK("ok")) }

func (s *session) cmdHELP(context.Context, string) { s.reply(replyHelp()) }

// cmdVRFY discloses no address (RFC 5321 section 7.3).
func (s *session) cmdVRFY(_ context.Context, arg string) {
	if arg == "" {
		s.reply(replySyntax("syntax: VRFY address"))
		return
	}
	s.reply(replyVerify())
}

func (s *session) cmdQUIT(context.Context, string) {
	s.ended = outcomeQuit
	s.reply(replyBye())
}

// cmdHTTP ends a session with a web browser that was made to send mail, before a line of its request
// is executed.
func (s *session) cmdHTTP(context.Context, string) {
	s.log(slog.LevelInfo, "client speaks HTTP")
	s.end(outcomeBadCommands, replyHTTP())
}
