package smtpserver

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"popelago/account"
	"popelago/delivery"
	"popelago/mail"
	"popelago/quota"
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
		s.refuseMisplaced(replyNotASCII())
		return
	}
	e := &s.tx.envelope
	if s.tooMany(p.addr, len(e.Recipients), s.srv.cfg.MaxRecipients) { // the members of groups included: each takes memory
		return
	}
	found, err := s.srv.deliverer.Check(ctx, p.addr)
	if err != nil {
		s.refuseRecipient(p.addr, err)
		return
	}
	s.c.Known()
	if !s.mayHold(len(found)) {
		s.refuseFurther(p.addr, errManyOpen)
		return
	}
	fewest := fewest(found, s.tx.fewest)
	if s.tooMany(p.addr, e.Commands(), fewest) {
		return
	}
	switch err := s.srv.deliverer.AdmitBeside(ctx, *e, &s.tx.accepted, found, s.tx.size); {
	case errors.Is(err, delivery.ErrTooManyCopies):
		s.refuseFurther(p.addr, err)
		return
	case err != nil:
		s.refuseRecipient(p.addr, err)
		return
	}
	s.tx.accepted.Add(found)
	s.tx.fewest = fewest
	s.srv.metrics.recipients.WithLabelValues("accepted").Inc()
	s.accepted++
	e.Recipients, e.PerCommand = append(e.Recipients, found...), append(e.PerCommand, len(found))
	s.srv.openRecipients.Add(int64(len(found)))
	s.reply(replyRecipientOK())
}

// freeRecipients is the number of recipients that a transaction may have whatever Config.MaxOpenRecipients says (RFC 5321
// section 4.5.3.1.8 asks for 100).
const freeRecipients = 100

// errManyOpen is the cause in the log of a recipient beyond Config.MaxOpenRecipients.
var errManyOpen = errors.New("the transactions in progress have too many recipients together")

// mayHold reports whether the transaction may have more further recipients.
func (s *session) mayHold(more int) bool {
	limit := s.srv.cfg.MaxOpenRecipients
	return limit < 0 || len(s.tx.envelope.Recipients) < freeRecipients || s.srv.openRecipients.Load()+int64(more) <= int64(limit)
}

// tooMany refuses the further recipient to if the transaction has limit recipients already.
func (s *session) tooMany(to mail.Address, has, limit int) bool {
	if has < limit {
		return false
	}
	s.refuseFurther(to, fmt.Errorf("the message has %d recipients already", has))
	return true
}

// refuseFurther refuses a recipient beyond those that the message may have.
func (s *session) refuseFurther(to mail.Address, cause error) {
	s.recipientRefused(slog.LevelInfo, to, "too_many", cause)
	s.refuseMisplaced(replyTooManyRecipients())
}

// misplacedFactor times Config.MaxRecipients limits the misplaced recipients of a session before a message is stored: a
// pipelining client sends all its recipients behind a refused MAIL, or behind the last recipient that the message may have.
const misplacedFactor = 10

// refuseMisplaced refuses a recipient whose account does not matter: outside a transaction, beyond the recipients of a
// message, or with an address that the transaction does not allow. No other limit counts such a recipient.
func (s *session) refuseMisplaced(r reply) {
	s.misplaced++
	if s.srv.cfg.MaxRefusedRecipients >= 0 && s.misplaced > misplacedFactor*s.srv.cfg.MaxRecipients {
		s.endFlood(replyTooManyRefused())
		return
	}
	s.reply(r)
}

// shownRefusals and shownBurst limit the refused recipients that the log shows at the level info, and likewise at the level
// warn: so many in a second, and so many at once. Strangers can cause any number; further lines have the level debug.
const (
	shownRefusals = 20
	shownBurst    = 200
)

// recipientRefused counts and logs a recipient refused at RCPT.
func (s *session) recipientRefused(level slog.Level, to mail.Address, result string, cause error) {
	s.srv.metrics.recipients.WithLabelValues(result).Inc()
	s.turnedAway++
	s.log(s.shownLevel(level), "recipient refused", "result", result, "from", s.tx.envelope.ReversePath, "to", mail.LogText(to.String()), "cause", cause)
}

// shownLevel returns the level for the log line of a refused recipient, see shownRefusals.
func (s *session) shownLevel(level slog.Level) slog.Level {
	if shown := s.srv.shown[level]; shown != nil && !shown.Allow() {
		return slog.LevelDebug
	}
	return level
}

// fewest returns the least of a limit of recipients and the limits of the recipients.
func fewest(recipients []mail.Recipient, limit int) int {
	for _, r := range recipients {
		if n := r.Limits.Recipients; n > 0 {
			limit = min(limit, n)
		}
	}
	return limit
}

// refuseRecipient answers the recipient to, which delivery.Check refused with err.
func (s *session) refuseRecipient(to mail.Address, err error) {
	result, level := "deferred", slog.LevelWarn
	switch {
	case errors.Is(err, account.ErrNoSuchRecipient):
		result, level = "unknown", slog.LevelInfo
	case errors.Is(err, account.ErrDisabled):
		result, level = "disabled", slog.LevelInfo
	case errors.Is(err, delivery.ErrNotHosted):
		result, level = "not_hosted", slog.LevelInfo
	case errors.Is(err, quota.ErrOver):
		result, level = "over_quota", slog.LevelInfo
	case errors.Is(err, delivery.ErrTooLarge):
		result, level = "too_large", slog.LevelInfo
	case errors.Is(err, account.ErrBusyElsewhere):
		level = slog.LevelDebug // a metric counts these refusals, which strangers cause
		s.refused++
	}
	s.recipientRefused(level, to, result, err)
	switch result {
	case "deferred", "over_quota", "too_large": // the address is right
		s.deferred++
	default:
		s.refused++
	}
	if limit := s.srv.cfg.MaxRefusedRecipients; limit >= 0 && (s.refused > limit || s.deferred > s.srv.cfg.MaxRecipients) {
		s.endFlood(replyTooManyRefused())
		return
	}
	s.reply(replyTo(err))
}
