package pop3server

import (
	"context"
	"errors"
	"time"

	"popelago/mail"
	"popelago/store"
)

// Removal at QUIT is repeated when it fails: half of the clients do not show the user an
// -ERR to QUIT.
const (
	commitTries = 4
	commitPause = 50 * time.Millisecond // before the second try; four times as long each time
)

// cmdQUIT: RFC 1939 section 6. In TRANSACTION state it removes what is marked and answers
// when that is done.
func (s *session) cmdQUIT(ctx context.Context, rest []byte) {
	if !blank(rest) {
		s.bad(textSyntax)
		return
	}
	s.end = outcomeQuit
	if s.c.Buffered() > 0 {
		s.c.Linger()
	}
	if s.state != stateTransaction || s.drop.Marked() == 0 {
		s.ok("bye")
		return
	}
	s.state = stateUpdate
	reached, err := s.commit(ctx)
	if err != nil {
		s.end = outcomeQuitFailed
		s.log("QUIT", err)
		s.err(codeTemp, s.withID(textNotRemoved))
		return
	}
	s.removed = s.drop.Marked()
	s.reached = reached
	s.srv.metrics.removed.WithLabelValues(reached.String()).Add(float64(s.removed))
	s.ok(textBye(reached))
}

// textBye is the text of the last response after a removal. A client that asked for more than
// it got is told so.
func textBye(reached mail.Reached) string {
	if reached == mail.ReachedFallback {
		return "bye, removed in the local datacenter only: another cannot be reached"
	}
	return "bye"
}

// commit removes the marked messages. It does not stop when the client goes away or the
// server shuts down: the client has given the order.
func (s *session) commit(ctx context.Context) (mail.Reached, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.srv.cfg.CommitTimeout)
	defer cancel()
	pause := commitPause
	for try := 1; ; try++ {
		reached, err := s.drop.Commit(ctx)
		if err == nil || try == commitTries || errors.Is(err, store.ErrClosed) {
			return reached, err
		}
		wait := time.NewTimer(pause)
		select {
		case <-wait.C:
		case <-ctx.Done():
			wait.Stop()
			return reached, err
		}
		pause *= 4
	}
}
