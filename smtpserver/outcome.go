package smtpserver

import (
	"errors"

	"popelago/wire"
)

// outcome is the reason for the end of a session; the label "result".
type outcome string

const (
	outcomeQuit          outcome = "quit"          // QUIT
	outcomeDisconnected  outcome = "disconnected"  // the client went away
	outcomeTimeout       outcome = "timeout"       // the client sent too little for too long
	outcomeBadCommands   outcome = "bad_commands"  // over a limit of commands or refused recipients
	outcomeBadText       outcome = "bad_text"      // a text without end, or a malformed BDAT
	outcomeCrowded       outcome = "crowded"       // displaced by a new connection
	outcomeTLS           outcome = "tls_failed"    // the handshake of STARTTLS failed
	outcomeShutdown      outcome = "shutdown"      // of the server
	outcomeAdministrator outcome = "administrator" // ended by the administrator
	outcomePanicked      outcome = "panicked"      // a defect
)

// outcomes lists all values.
var outcomes = [...]outcome{outcomeQuit, outcomeDisconnected, outcomeTimeout, outcomeBadCommands, outcomeBadText, outcomeCrowded,
	outcomeTLS, outcomeShutdown, outcomeAdministrator, outcomePanicked}

// outcomeOf returns the outcome of a session that ends with an error of the connection.
func outcomeOf(err error) outcome {
	switch {
	case errors.Is(err, wire.ErrTimeout):
		return outcomeTimeout
	case errors.Is(err, wire.ErrStopping):
		return outcomeShutdown
	case errors.Is(err, wire.ErrEnded):
		return outcomeAdministrator
	case errors.Is(err, wire.ErrTooManyConns):
		return outcomeCrowded
	}
	return outcomeDisconnected
}
