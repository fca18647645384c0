package smtpserver

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"popelago/delivery"
	"popelago/mail"
	"popelago/wire"
)

// log writes a log line, which begins with the protocol, the session id and the client.
func (s *session) log(level slog.Level, text string, args ...any) {
	ctx := context.Background()
	if !s.srv.cfg.Logger.Enabled(ctx, level) {
		return
	}
	base := []any{"protocol", string(s.srv.cfg.Protocol), "session", s.c.ID(), "remote", s.c.RemoteText(), "helo", s.helo}
	s.srv.cfg.Logger.Log(ctx, level, text, append(base, args...)...)
}

// logRefused reports a message that is refused, or was not received whole.
func (s *session) logRefused(err error) {
	s.logMessage(delivery.Result{Errors: []error{err}}, time.Now())
}

// logMessage writes the log line of a message. Every message has one line.
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
	if stored > 0 {
		s.messages, s.octets = s.messages+1, s.octets+res.Size
	}
	result, level := "stored", slog.LevelInfo
	switch {
	case cause == nil:
	case stored > 0:
		result, level = "partly", slog.LevelWarn
	case !replyTo(cause).temporary():
		result = "refused"
	case errors.Is(cause, wire.ErrTimeout) || errors.Is(cause, wire.ErrTooManyConns) || wire.IsDisconnect(cause):
		result = "incomplete"
	default:
		result, level = "deferred", slog.LevelWarn
	}
	s.srv.metrics.messages.WithLabelValues(result).Inc()
	s.noteWork(res, result, cause)
	if !s.srv.cfg.Logger.Enabled(context.Background(), level) {
		return
	}
	var e mail.Envelope // empty for a chunk without transaction
	if s.tx != nil {
		e = s.tx.envelope
	}
	args := []any{
		"tls", s.c.TLS() != nil, "result", result, "from", e.ReversePath, "to", recipientNames(e), "recipients", e.Commands(), "stored", stored,
		"octets", res.Size, "seconds", time.Since(start).Seconds(),
	}
	if e.Commands() == 1 {
		args = append(args, "account", accountNames(e.Recipients))
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
	s.logRecipients(e, res)
}

// logRecipients writes a line for each recipient of a complete message with several recipients, and one for equal
// recipients: a stranger may name a recipient a thousand times. The line of the message has the same keys for a single
// recipient. Of messages that are stored for nobody, which cost strangers little, the log shows as many lines as of recipients
// refused at RCPT.
func (s *session) logRecipients(e mail.Envelope, res delivery.Result) {
	if e.Commands() < 2 || len(res.Errors) != e.Commands() {
		return
	}
	logged := map[mail.Address]bool{}
	some := slices.Contains(res.Errors, nil)
	e.EachCommand(func(i, from, to int) {
		named := e.Recipients[from].Named()
		if logged[named.Canonical()] {
			return
		}
		logged[named.Canonical()] = true
		args := []any{"result", "stored", "from", e.ReversePath, "to", mail.LogText(named.String()),
			"account", accountNames(e.Recipients[from:to])}
		if !res.ID.IsZero() {
			args = append(args, "message", res.ID.String())
		}
		err := res.Errors[i]
		switch {
		case err == nil:
			s.log(slog.LevelInfo, "recipient", append(args, "durability", res.Reached[i].String())...)
			return
		case replyTo(err).temporary():
			args[1] = "deferred"
		default:
			args[1] = "refused"
		}
		level := slog.LevelInfo
		if !some {
			level = s.shownLevel(level)
		}
		s.log(level, "recipient", append(args, "cause", err)...)
	})
}

// logEnd writes the line at the end of the session: at the level debug for a session without an accepted
// recipient, which any stranger can begin.
func (s *session) logEnd() {
	level := slog.LevelInfo
	if s.accepted == 0 {
		level = slog.LevelDebug
	}
	s.log(level, "session ended", "tls", s.c.TLS() != nil, "ended", string(s.ended), "commands", s.commands,
		"recipients", s.accepted, "refused", s.turnedAway, "messages", s.messages, "octets", s.octets,
		"seconds", time.Since(s.began).Seconds())
}

// accountNames are the addresses of the accounts behind a recipient, for the log, separated by commas.
func accountNames(recipients []mail.Recipient) string {
	if len(recipients) == 1 {
		return mail.LogText(recipients[0].Address.String())
	}
	var b strings.Builder
	for i, r := range recipients {
		if i == maxNames {
			fmt.Fprintf(&b, ",and %d more", len(recipients)-maxNames)
			break
		}
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(mail.LogText(r.Address.String()))
	}
	return b.String()
}

// maxNames limits the recipients that a log line names.
const maxNames = 100

// recipientNames are the addresses of RCPT, for the log, separated by commas. RCPT has checked that
// the addresses exist.
func recipientNames(e mail.Envelope) string {
	var b strings.Builder
	e.EachCommand(func(command, from, _ int) {
		if command > maxNames {
			return
		}
		if command > 0 {
			b.WriteByte(',')
		}
		if command == maxNames {
			fmt.Fprintf(&b, "and %d more", e.Commands()-maxNames)
			return
		}
		b.WriteString(mail.LogText(e.Recipients[from].Named().String()))
	})
	return b.String()
}
