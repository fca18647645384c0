package smtpserver

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"time"

	"popelago/delivery"
	"popelago/mail"
	"popelago/wire"
)

func (s *session) cmdDATA(arg string) {
	switch {
	case arg != "":
		s.reply(replySyntax("DATA has no argument"))
		return
	case s.tx == nil:
		s.reply(replySequence("say MAIL first"))
		return
	case s.tx.incoming != nil: // RFC 3030 section 2
		s.reply(replySequence("DATA after BDAT"))
		return
	case len(s.tx.envelope.Recipients) == 0:
		s.reply(replyNoRecipients())
		return
	}
	defer s.reset()
	if err := s.begin(); err != nil {
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
	s.answer(s.tx.incoming.Finish(s.ctx), start)
}

// begin starts the text of the present transaction.
func (s *session) begin() (err error) {
	s.tx.incoming, err = s.srv.deliverer.Begin(s.ctx, s.tx.envelope)
	return err
}

// drain reads what is left of a text that is refused, so that the session can go on behind it.
// An error means that it cannot: errEndless, or what the connection says.
func (s *session) drain(text io.Reader) error {
	_, err := io.CopyN(io.Discard, text, s.maxText())
	switch err {
	case io.EOF:
		return nil
	case nil:
		return errEndless
	}
	return err
}

// maxText is how long a text that is refused may go on before the client is given up.
func (s *session) maxText() int64 { return s.srv.deliverer.MaxMessageSize() + 1<<20 }

var errEndless = errors.New("refused message goes on without end")

// cut ends a session in the middle of a text, because of end. If the client still listens it
// gets r, or is told that it was too slow.
func (s *session) cut(end error, r reply) {
	s.over = true
	switch {
	case end == errEndless:
		s.reply(r)
		s.c.Linger()
	case errors.Is(end, wire.ErrTimeout):
		s.reply(replyTimeout())
		s.c.Linger()
	}
}

// answer replies to a text that has come in whole.
func (s *session) answer(res delivery.Result, start time.Time) {
	s.logMessage(res, start)
	if slices.Contains(res.Errors, nil) {
		s.refused, s.harmless = 0, 0
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

// logRefused notes that a message is not taken, or did not come in whole.
func (s *session) logRefused(err error) {
	s.logMessage(delivery.Result{Errors: []error{err}}, time.Now())
}

// logMessage writes the one line of the log that every message gets.
func (s *session) logMessage(res delivery.Result, start time.Time) {
	stored := 0
	var cause error
	for _, err := range res.Errors {
		if err == nil {
			stored++
		} else if cause == nil || replyTo(err).temporary() {
			cause = err
		}
	}
	result, level := "stored", slog.LevelInfo
	switch {
	case cause == nil:
	case stored > 0:
		result, level = "partly", slog.LevelWarn
	case !replyTo(cause).temporary():
		result = "refused"
	case errors.Is(cause, wire.ErrTimeout) || wire.IsDisconnect(cause):
		result = "incomplete"
	default:
		result, level = "deferred", slog.LevelWarn
	}
	s.srv.metrics.messages.WithLabelValues(result).Inc()
	if !s.srv.cfg.Logger.Enabled(s.ctx, level) {
		return
	}
	var e mail.Envelope // empty for a chunk without transaction
	if s.tx != nil {
		e = s.tx.envelope
	}
	args := []any{
		"result", result, "from", e.ReversePath, "to", recipientNames(e.Recipients), "recipients", len(e.Recipients), "stored", stored,
		"octets", res.Size, "seconds", time.Since(start).Seconds(),
	}
	if stored > 0 {
		args = append(args, "durability", res.Least().String())
	}
	if !res.ID.IsZero() {
		args = append(args, "message", res.ID.String())
	}
	if res.Normalized > 0 {
		args = append(args, "bare_lf", res.Normalized)
	}
	if res.Repeated {
		args = append(args, "repeated", true)
	}
	if cause != nil {
		args = append(args, "cause", cause)
	}
	s.log(level, "message", args...)
}

// maxNames is the largest number of recipients that a log line names.
const maxNames = 100

// recipientNames are recipients for the log, separated by commas. They are addresses that RCPT
// named and that exist here.
func recipientNames(recipients []mail.Recipient) string {
	var b strings.Builder
	for i, r := range recipients {
		if i > 0 {
			b.WriteByte(',')
		}
		if i == maxNames {
			fmt.Fprintf(&b, "and %d more", len(recipients)-maxNames)
			break
		}
		b.WriteString(mail.LogText(r.Address.String()))
	}
	return b.String()
}
