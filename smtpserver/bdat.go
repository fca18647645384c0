package smtpserver

import (
	"context"
	"errors"
	"io"
	"strconv"
	"strings"
	"time"

	"popelago/delivery"
)

var errBDAT = errors.New("not a BDAT command")

// parseBDAT reads "count" or "count LAST" (RFC 3030 section 2).
func parseBDAT(arg string) (count int64, last bool, err error) {
	number, rest, more := strings.Cut(arg, " ")
	if more {
		if !strings.EqualFold(strings.Trim(rest, " "), "LAST") {
			return 0, false, errBDAT
		}
		last = true
	}
	if number == "" || strings.Trim(number, "0123456789") != "" {
		return 0, false, errBDAT
	}
	count, err = strconv.ParseInt(number, 10, 64)
	if err != nil {
		return 0, false, errBDAT
	}
	return count, last, nil
}

// isBDAT reports whether a command line begins as BDAT does, however malformed the rest is.
func isBDAT(line []byte) bool {
	const verb = "BDAT"
	return len(line) >= len(verb) && strings.EqualFold(string(line[:len(verb)]), verb) &&
		(len(line) == len(verb) || !isLabel(line[len(verb)]) || '0' <= line[len(verb)] && line[len(verb)] <= '9')
}

// badBDAT ends the session at a malformed BDAT: the count of octets of text that follow is unknown,
// and no octet of a text may be executed as a command.
func (s *session) badBDAT() { s.end(outcomeBadText, replySyntax("syntax: BDAT octets [LAST]")) }

// cmdBDAT receives one chunk. Whatever the reply, cmdBDAT reads exactly the chunk behind the command.
func (s *session) cmdBDAT(ctx context.Context, arg string) {
	count, last, err := parseBDAT(arg)
	if err != nil {
		s.badBDAT()
		return
	}
	if count > s.maxText() {
		s.logRefused(delivery.ErrTooLarge)
		s.cut(errEndless, replyTo(delivery.ErrTooLarge))
		return
	}
	chunk := s.c.NewBodyReader(count)
	switch {
	case s.tx == nil: // also the rest of a pipeline behind a refused chunk
		s.skipChunk(chunk, replyOutOfState("BDAT", s.state()))
		return
	case len(s.tx.envelope.Recipients) == 0:
		s.skipChunk(chunk, replyNoRecipients(s.srv.cfg.Protocol))
		return
	}
	ctx = s.startWork(ctx, "BDAT")
	defer s.endWork()
	start := time.Now()
	err = s.receiveChunk(ctx, chunk, count)
	if err == nil && !last {
		s.reply(replyOK("chunk received"))
		return
	}
	defer s.reset()
	if err != nil {
		if end := s.drain(chunk); end != nil {
			s.logRefused(end)
			s.cut(end, replyTo(err))
			return
		}
	}
	switch {
	case !last:
		s.logRefused(err)
		s.reply(replyTo(err))
	case s.tx.incoming != nil:
		s.answer(s.tx.incoming.Finish(ctx), start)
	default:
		s.answer(delivery.Result{Errors: repeat(err, s.tx.envelope.Commands())}, start)
	}
}

// receiveChunk adds a chunk to the text of the present transaction.
func (s *session) receiveChunk(ctx context.Context, chunk io.Reader, count int64) error {
	if s.tx.incoming == nil {
		if err := s.begin(ctx); err != nil {
			return err
		}
	}
	if err := s.tx.incoming.Expect(count); err != nil {
		return err
	}
	_, err := s.tx.incoming.ReadFrom(chunk)
	return err
}

// skipChunk reads a chunk that belongs to no transaction or no recipient, and refuses the chunk.
func (s *session) skipChunk(chunk io.Reader, r reply) {
	defer s.c.EndText()
	if end := s.drain(chunk); end != nil {
		s.cut(end, r)
		return
	}
	s.reply(r)
}

// repeat is n times the same error.
func repeat(err error, n int) []error {
	errs := make([]error, n)
	for i := range errs {
		errs[i] = err
	}
	return errs
}
