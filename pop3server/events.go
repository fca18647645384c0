package pop3server

import (
	"context"

	"popelago/account"
	"popelago/event"
	"popelago/mail"
	"popelago/maildrop"
)

// about returns the part of an event that all events of a session of an account share.
func (s *session) about(kind event.Kind, login account.Login) event.Event {
	e := event.Event{
		Kind: kind, Mailbox: login.Mailbox, Address: login.Address.String(), Remote: s.c.Remote(), Protocol: "POP3", Session: s.c.ID(),
	}
	if s.c.TLS() != nil {
		e.Protocol = "POP3S"
	}
	return e
}

// reportLogin reports a login and the list of its maildrop. Errors: those of event.Recorder.
func (s *session) reportLogin(ctx context.Context, login account.Login, drop *maildrop.Maildrop) error {
	if s.srv.cfg.Events == nil && s.srv.cfg.Required == nil {
		return nil
	}
	e := s.about(event.LoggedIn, login)
	count, octets := drop.Stat()
	e.Messages, e.Size = int64(count), octets
	if s.srv.cfg.Required != nil {
		return s.srv.cfg.Required.Record(ctx, e)
	}
	s.srv.cfg.Events.Happened(e)
	return nil
}

// reportLoginFailed reports a failed login. A name that may be a password in the wrong place is not
// reported, see account.MayShow.
func (s *session) reportLoginFailed(user string, cause error) {
	if s.srv.cfg.Events == nil {
		return
	}
	e := s.about(event.LoginFailed, account.Login{})
	e.Address, e.Cause = "", loginReason(cause)
	if address, ok := s.srv.dir.LoginAddress(user); ok && account.MayShow(user, cause) {
		e.Address = address.String()
	}
	s.srv.cfg.Events.Happened(e)
}

// recordRetrieval waits, before message n is sent, for the record of its retrieval, where a record is
// required. Errors: those of event.Recorder.
func (s *session) recordRetrieval(ctx context.Context, n int) error {
	if s.srv.cfg.Required == nil {
		return nil
	}
	row, err := s.drop.Row(n)
	if err != nil || s.retrievalReported(n) {
		return nil // send answers the error
	}
	if err := s.srv.cfg.Required.Record(ctx, s.about(event.Retrieved, s.login).Of(row)); err != nil {
		return err
	}
	s.noteReported(n)
	return nil
}

// reportRetrieval reports the retrieval of message n, once in a session.
func (s *session) reportRetrieval(n int) {
	if s.srv.cfg.Events == nil || s.retrievalReported(n) {
		return
	}
	row, err := s.drop.Row(n)
	if err != nil {
		return
	}
	s.noteReported(n)
	s.srv.cfg.Events.Happened(s.about(event.Retrieved, s.login).Of(row))
}

func (s *session) retrievalReported(n int) bool {
	return s.reported != nil && s.reported[(n-1)/64]&(1<<((n-1)%64)) != 0
}

func (s *session) noteReported(n int) {
	if s.reported == nil {
		s.reported = make([]uint64, (s.drop.Len()+63)/64)
	}
	s.reported[(n-1)/64] |= 1 << ((n - 1) % 64)
}

// reportRemoved reports the messages that QUIT has removed, or may have removed: doubt says why not surely.
func (s *session) reportRemoved(doubt string) {
	if s.srv.cfg.Events == nil {
		return
	}
	e := s.about(event.Removed, s.login)
	e.Reached, e.Cause = s.reached, doubt
	s.drop.EachMarked(func(row mail.Message) { s.srv.cfg.Events.Happened(e.Of(row)) })
}
