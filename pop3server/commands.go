package pop3server

import (
	"context"

	"github.com/prometheus/client_golang/prometheus"

	"popelago/wire"
)

// state is the state of a session, RFC 1939 section 3, as one bit of a set of states. QUIT enters
// UPDATE, which lasts until the end of the session.
type state int

const (
	stateAuthorization state = 1 << iota
	stateTransaction
	stateUpdate

	anyState = stateAuthorization | stateTransaction
)

// String returns the word of RFC 1939 in lower case.
func (s state) String() string {
	switch s {
	case stateTransaction:
		return "transaction"
	case stateUpdate:
		return "update"
	}
	return "authorization"
}

// command is a row of the table of commands.
type command struct {
	verb   string
	states state // the states that allow the command
	run    func(s *session, ctx context.Context, arg []byte)

	seconds prometheus.Observer // of the durations of the command

	noArgument bool // an argument is a syntax error
	longLine   bool // the line may be longer than Config.MaxLine
	useful     bool // the command ends a row of harmless commands, see countHarmless

	needsArgument bool // the command is useful with an argument only
	reads         bool // the command reads a message, and the first argument is the message-number
}

// commandTable returns the commands by verb. arg of command.run is the rest of the line behind the
// first space. The slice is valid until the next read. m observes their durations.
func commandTable(m *metrics) map[wire.Verb]command {
	table := map[wire.Verb]command{}
	for _, c := range []command{
		{verb: "CAPA", states: anyState, run: (*session).cmdCAPA, noArgument: true},
		{verb: "QUIT", states: anyState, run: (*session).cmdQUIT, noArgument: true, useful: true},
		{verb: "LANG", states: anyState, run: (*session).cmdLANG},
		{verb: "UTF8", states: anyState, run: (*session).cmdUTF8, noArgument: true},

		// Config.MaxFailedLogins limits PASS and AUTH.
		{verb: "USER", states: stateAuthorization, run: (*session).cmdUSER},
		{verb: "PASS", states: stateAuthorization, run: (*session).cmdPASS, useful: true},
		{verb: "AUTH", states: stateAuthorization, run: (*session).cmdAUTH, useful: true, needsArgument: true, longLine: true},
		{verb: "STLS", states: stateAuthorization, run: (*session).cmdSTLS, noArgument: true},

		{verb: "STAT", states: stateTransaction, run: (*session).cmdSTAT, noArgument: true},
		{verb: "LIST", states: stateTransaction, run: (*session).cmdLIST, useful: true},
		{verb: "UIDL", states: stateTransaction, run: (*session).cmdUIDL, useful: true},
		{verb: "RETR", states: stateTransaction, run: (*session).cmdRETR, useful: true, reads: true},
		{verb: "TOP", states: stateTransaction, run: (*session).cmdTOP, useful: true, reads: true},
		{verb: "DELE", states: stateTransaction, run: (*session).cmdDELE, useful: true},
		{verb: "RSET", states: stateTransaction, run: (*session).cmdRSET, noArgument: true},
		{verb: "NOOP", states: stateTransaction, run: (*session).cmdNOOP, noArgument: true},
	} {
		c.seconds = m.commands.WithLabelValues(c.verb)
		table[wire.VerbOf(c.verb)] = c
	}
	return table
}
