package smtpserver

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
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
	case errors.Is(cause, wire.ErrTimeout) || wire.IsDisconnect(cause):
		result = "incomplete"
	default:
		result, level = "deferred", slog.LevelWarn
	}
	s.srv.metrics.messages.WithLabelValues(result).Inc()
	if !s.srv.cfg.Logger.Enabled(context.Background(), level) {
		return
	}
	var e mail.Envelope // empty for a chunk without transaction
	if s.tx != nil {
		e = s.tx.envelope
	}
	args := []any{
		"result", result, "from", e.ReversePath, "to", recipientNames(e), "recipients", e.Commands(), "stored", stored,
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
