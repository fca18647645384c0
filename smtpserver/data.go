package smtpserver

import (
	"context"
	"errors"
	"io"
	"slices"
	"time"

	"popelago/delivery"
	"popelago/span"
	"popelago/wire"
)

func (s *session) cmdDATA(ctx context.Context, _ string) {
	if len(s.tx.envelope.Recipients) == 0 {
		s.reply(replyNoRecipients(s.srv.cfg.Protocol))
		return
	}
	defer s.reset()
	ctx = s.startWork(ctx, "DATA")
	defer s.endWork()
	if err := s.begin(ctx); err != nil {
		s.logMessage(delivery.Result{Errors: []error{err}}, time.Now())
		s.reply(replyTo(err))
		return
	}
	s.reply(replyGoAhead())
	start := time.Now()
	text := s.c.NewDotReader()
	text.LFEndsLine = s.srv.cfg.NormalizeLF
	if _, err := s.tx.incoming.ReadFrom(text); err != nil {
		if end := s.drain(text); end != nil {
			s.logRefused(end)
			s.cut(end, replyTo(err))
			return
		}
	}
	s.answer(s.tx.incoming.Finish(ctx), start)
}

// startWork begins the span of a command with text. endWork must follow.
func (s *session) startWork(ctx context.Context, command string) context.Context {
	ctx, s.work = span.Start(ctx, command)
	s.work.Text("protocol", string(s.srv.cfg.Protocol))
	s.work.Text("session", s.c.ID())
	s.work.Int("recipients", int64(s.tx.envelope.Commands()))
	return ctx
}

// noteWork notes the result of a message in the span of its command.
func (s *session) noteWork(res delivery.Result, result string, cause error) {
	s.failure = cause
	s.work.Text("result", result)
	s.work.Int("octets", res.Size)
	if span.Built && !res.ID.IsZero() {
		s.work.Text("message", res.ID.String())
	}
}

// endWork ends the span of a command with text.
func (s *session) endWork() {
	s.work.End(s.failure)
	s.work, s.failure = span.Span{}, nil
}

// begin starts the text of the present transaction.
func (s *session) begin(ctx context.Context) (err error) {
	s.tx.incoming, err = s.srv.deliverer.Begin(ctx, s.tx.envelope)
	return err
}

// drain reads the rest of a refused text, so that the session can go on behind the text. After an
// error the session must end. Errors: errEndless, or an error of the connection.
func (s *session) drain(text io.Reader) error {
	_, err := io.CopyN(io.Discard, text, s.maxText())
	switch {
	case err == nil:
		return errEndless
	case errors.Is(err, io.EOF):
		return nil
	}
	return err
}

// maxText limits the octets of a refused text. A longer text ends the session.
func (s *session) maxText() int64 { return s.srv.deliverer.MaxMessageSize() + 1<<20 }

var errEndless = errors.New("refused message goes on without end")

// cut ends a session in the middle of a text, because of end. A client that sends too much gets r, a
// client that is too slow gets replyTimeout, and a client displaced by a new connection replyTooManyConns.
func (s *session) cut(end error, r reply) {
	switch {
	case errors.Is(end, errEndless):
		s.end(outcomeBadText, r)
	case errors.Is(end, wire.ErrTimeout):
		s.end(outcomeTimeout, replyTimeout())
	case errors.Is(end, wire.ErrTooManyConns):
		s.end(outcomeCrowded, replyTooManyConns())
	default:
		s.ended = outcomeOf(end)
	}
}

// answer replies to a text that was received whole.
func (s *session) answer(res delivery.Result, start time.Time) {
	s.logMessage(res, start)
	if slices.Contains(res.Errors, nil) {
		s.refused, s.deferred, s.harmless, s.misplaced = 0, 0, 0, 0
		s.c.Progressed()
	}
	s.promise(res)
	if s.srv.cfg.Protocol == SMTP {
		s.reply(replyToAll(res.Errors, replyStored(res.ID, res.Least())))
		return
	}
	for i, err := range res.Errors { // RFC 2033 section 4.2
		if err != nil {
			s.reply(replyTo(err))
		} else {
			s.reply(replyStored(res.ID, res.Reached[i]))
		}
	}
}
