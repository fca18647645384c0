package pop3server

import (
	"bytes"
	"context"
	"errors"
	"io"

	"popelago/span"
	"popelago/wire"
)

// cmdRETR: RFC 1939 section 5.
func (s *session) cmdRETR(ctx context.Context, arg []byte) {
	n, ok := oneNumber(arg)
	if !ok {
		s.reply(replySyntax())
		return
	}
	ctx, work := span.Start(ctx, "RETR")
	defer func(before int64) {
		work.Int("octets", s.octets-before)
		work.End(nil)
	}(s.octets)
	if err := s.recordRetrieval(ctx, n); err != nil {
		s.fail("RETR", err)
		return
	}
	if s.send(ctx, "RETR", n, -1) {
		s.noteRetrieved(n)
		s.reportRetrieval(n)
		s.retrieved++
		s.srv.metrics.retrieved.Inc()
	}
}

// cmdTOP: RFC 1939 section 7.
func (s *session) cmdTOP(ctx context.Context, arg []byte) {
	n, lines, ok := twoNumbers(arg)
	if !ok {
		s.reply(replySyntax())
		return
	}
	s.send(ctx, "TOP", n, lines)
}

// send streams message n to the client: the whole message, or with lines >= 0 the header and the
// first lines of the body. It reports success.
func (s *session) send(ctx context.Context, command string, n, lines int) bool {
	r, err := s.drop.Read(ctx, n)
	if err != nil {
		s.fail(command, err)
		return false
	}
	defer r.Close()
	t := &s.text
	*t = textWriter{s: s, size: r.Size, top: lines >= 0, left: lines}
	_, err = r.WriteTo(t)
	if errors.Is(err, errEnough) {
		err = nil
	}
	s.octets += t.octets
	s.srv.metrics.octets.Add(float64(t.octets))
	switch {
	case err == nil:
		t.start()
		return t.dots.Close() == nil
	case !t.started:
		s.fail(command, err)
		return false
	}
	// The client has the beginning of a text, and no response can report the fault. The
	// connection breaks in a way that even careless clients treat as an error.
	s.c.Break()
	s.ended = outcomeBroken
	if errors.Is(err, wire.ErrEnded) {
		s.ended = outcomeAdministrator
		return false
	}
	if clientGone(err) || ctx.Err() != nil {
		s.ended = outcomeDisconnected
		if errors.Is(err, wire.ErrTimeout) {
			s.ended = outcomeTimeout
		}
		return false
	}
	s.logFault(command, err)
	return false
}

// errEnough ends the reading of a message for TOP.
var errEnough = errors.New("enough lines")

// textWriter sends a message as the text of a response. The response line is sent with the first
// octets of the message, so that a message that cannot be read at all is still answered with -ERR.
// For TOP, Write stops with errEnough.
type textWriter struct {
	s       *session
	dots    wire.DotWriter
	size    int64
	started bool
	octets  int64 // sent

	top    bool
	body   bool // behind the blank line
	left   int  // lines of the body still wanted
	inLine int  // octets of the present line so far, including CR
}

var _ io.Writer = (*textWriter)(nil)

// start sends the response line.
func (t *textWriter) start() {
	if t.started {
		return
	}
	t.started = true
	t.dots = *t.s.c.NewDotWriter()
	if t.top {
		t.s.reply(replyOK("top follows"))
	} else {
		t.s.replyNumbers(t.size, -1, " octets")
	}
}

// Write implements io.Writer.
func (t *textWriter) Write(p []byte) (int, error) {
	t.start()
	if t.s.c.EndRequested() {
		return 0, wire.ErrEnded
	}
	wanted, enough := p, false
	if t.top {
		var n int
		n, enough = t.scan(p)
		wanted = p[:n]
	}
	n, err := t.dots.Write(wanted)
	t.octets += int64(n)
	if err == nil && enough {
		err = errEnough
	}
	return n, err
}

// scan returns the count of octets of p that TOP wants. enough says that TOP wants no octets behind
// p[:n].
func (t *textWriter) scan(p []byte) (n int, enough bool) {
	for n < len(p) {
		if t.body && t.left == 0 {
			return n, true
		}
		end := bytes.IndexByte(p[n:], '\n')
		if end < 0 {
			t.inLine += len(p) - n
			return len(p), false
		}
		length := t.inLine + end // with CR, without LF
		t.inLine = 0
		n += end + 1
		switch {
		case t.body:
			t.left--
		case length <= 1:
			t.body = true
		}
	}
	return n, t.body && t.left == 0
}

// clientGone reports whether err is an error of the connection, as opposed to the store.
func clientGone(err error) bool {
	return wire.IsDisconnect(err) || errors.Is(err, wire.ErrTimeout)
}
