package pop3server

import (
	"context"
	"errors"
	"time"

	"popelago/event"
	"popelago/mail"
	"popelago/span"
	"popelago/store"
)

// Removal at QUIT is repeated when it fails: half of the clients do not show the user a -ERR to
// QUIT.
const (
	commitTries = 4
	commitPause = 50 * time.Millisecond // before the second try; four times as long each time
)

// cmdQUIT: RFC 1939 section 6. In TRANSACTION state QUIT removes the marked messages and answers
// after the removal.
func (s *session) cmdQUIT(ctx context.Context, _ []byte) {
	s.ended = outcomeQuit
	s.confirmRetrieved()
	if s.c.Buffered() > 0 {
		s.c.Linger()
	}
	if s.state != stateTransaction || s.drop.Marked() == 0 {
		s.reply(replyBye(mail.ReachedLocal))
		return
	}
	s.state = stateUpdate
	s.report("QUIT")
	ctx, work := span.Start(ctx, "QUIT")
	work.Int("messages", int64(s.drop.Marked()))
	reached, err := s.commit(ctx)
	work.End(err)
	if err != nil {
		s.ended = outcomeQuitFailed
		s.reportRemoved(event.CauseRemovalDoubt)
		s.logFault("QUIT", err)
		s.reply(replyNotRemoved())
		return
	}
	s.removed = s.drop.Marked()
	if removed := s.srv.cfg.Removed; removed != nil {
		removed(s.login.Mailbox, s.removed, s.drop.MarkedOctets())
	}
	s.reached = reached
	s.reportRemoved("")
	s.srv.metrics.removed.WithLabelValues(reached.String()).Add(float64(s.removed))
	s.reply(replyBye(reached))
}

// commit removes the marked messages. The client has ordered the removal, so commit goes on when
// the client disconnects or the server shuts down.
func (s *session) commit(ctx context.Context) (mail.Reached, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.srv.cfg.CommitTimeout)
	defer cancel()
	pause := commitPause
	for try := 1; ; try++ {
		reached, err := s.drop.Commit(ctx)
		if err == nil || try == commitTries || errors.Is(err, store.ErrClosed) || !sleep(ctx, pause) {
			return reached, err
		}
		pause *= 4
	}
}
