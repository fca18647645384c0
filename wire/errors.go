package wire

import (
	"errors"
	"io"
	"net"
	"os"
	"syscall"
)

// Errors of reading a command line or a text. ErrLineTooLong and ErrBareLineEnd concern one line
// only: ReadLine has consumed the line, and the session may go on.
var (
	// ErrLineTooLong: the line was longer than Config.MaxLine, and was skipped whole.
	ErrLineTooLong = errors.New("line too long")
	// ErrBareLineEnd: the line ended in LF without CR, and Config.StrictLineEnd asks for CRLF.
	ErrBareLineEnd = errors.New("line ends in LF without CR")
	// ErrEndless: a line was far longer than MaxLine. The connection is of no further use.
	ErrEndless = errors.New("line without end")
	// ErrStopping: the server is shutting down, and no further command may be read.
	ErrStopping = errors.New("server is shutting down")
	// ErrEnded: the administrator ended the session, and no further command may be read.
	ErrEnded = errors.New("session was ended by the administrator")
	// ErrTimeout: the peer sent or received too little for too long.
	ErrTimeout = errors.New("timeout")
	// ErrGone: the peer hung up while a command waited (see Conn.Watch).
	ErrGone = errors.New("client has hung up")
)

// Reasons for refusing a connection, given to Config.Refuse.
var (
	ErrTooManyConns        = errors.New("too many connections")
	ErrTooManyConnsPerAddr = errors.New("too many connections from this address")
)

// translate replaces the timeouts of package net by ErrTimeout.
func translate(err error) error {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return ErrTimeout
	}
	return err
}

// IsDisconnect reports whether err only means that the peer has disconnected, which deserves no
// warning.
func IsDisconnect(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) ||
		errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}
