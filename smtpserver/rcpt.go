package smtpserver

import (
	"context"
	"errors"
	"log/slog"
	"strings"

	"popelago/account"
	"popelago/delivery"
)

func (s *session) cmdRCPT(ctx context.Context, arg string) {
	rest, ok := cutPrefixFold(arg, "TO:")
	if !ok {
		s.reply(replySyntax("syntax: RCPT TO:<forward-path>"))
		return
	}
	p, rest, err := parsePath(strings.TrimLeft(rest, " "))
	if err != nil || p.null() {
		s.reply(replyBadRecipient())
		return
	}
	switch params, err := parseParams(rest); {
	case err != nil:
		s.reply(replySyntax("syntax error in parameters"))
		return
	case len(params) > 0:
		s.reply(replyParameter())
		return
	}
	if !p.ascii && !s.tx.utf8 {
		s.reply(replyNotASCII())
		return
	}
	m := s.srv.metrics
	if len(s.tx.envelope.Recipients) >= s.srv.cfg.MaxRecipients {
		m.recipients.WithLabelValues("too_many").Inc()
		s.reply(replyTooManyRecipients())
		return
	}
	r, err := s.srv.deliverer.Check(ctx, p.addr)
	if err != nil {
		s.refuseRecipient(err)
		return
	}
	s.c.Known()
	m.recipients.WithLabelValues("accepted").Inc()
	s.tx.envelope.Recipients = append(s.tx.envelope.Recipients, r)
	s.reply(replyRecipientOK())
}

// refuseRecipient answers a recipient that delivery.Check refused with err.
func (s *session) refuseRecipient(err error) {
	result, level := "deferred", slog.LevelWarn
	switch {
	case errors.Is(err, account.ErrNoSuchRecipient):
		result, level = "unknown", slog.LevelDebug
	case errors.Is(err, account.ErrDisabled):
		result, level = "disabled", slog.LevelDebug
	case errors.Is(err, delivery.ErrNotHosted):
		result, level = "not_hosted", slog.LevelDebug
	case errors.Is(err, account.ErrBusyElsewhere):
		level = slog.LevelDebug // a metric counts these refusals, which strangers cause
		s.refused++
	}
	s.srv.metrics.recipients.WithLabelValues(result).Inc()
	s.log(level, "recipient refused", "result", result, "from", s.tx.envelope.ReversePath, "cause", err)
	if result != "deferred" {
		s.refused++
	}
	if limit := s.srv.cfg.MaxRefusedRecipients; limit >= 0 && s.refused > limit {
		s.endFlood(replyTooManyRefused())
		return
	}
	s.reply(replyTo(err))
}
