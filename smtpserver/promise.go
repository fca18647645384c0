package smtpserver

import (
	"context"
	"slices"

	"popelago/delivery"
)

// maxPromised limits session.promised. A client may send many messages without ever reading the
// replies; the oldest replies then count as known to the client.
const maxPromised = 100

// promise notes that the reply to a message was written.
func (s *session) promise(res delivery.Result) {
	if len(s.promised) == maxPromised {
		s.promised = slices.Delete(s.promised, 0, 1)
	}
	s.promised = append(s.promised, res)
}

// confirm checks, at the next command, whether the client has received the replies: a client may
// send a command before it has received the replies to earlier commands.
func (s *session) confirm() {
	if len(s.promised) > 0 && s.c.Acknowledged() {
		s.promised = nil
	}
}

// reportLost reports, at the end of the session, replies that may not have reached the client.
func (s *session) reportLost(ctx context.Context) {
	if len(s.promised) == 0 || s.c.AwaitAcknowledgement() {
		return
	}
	for _, res := range s.promised {
		s.srv.deliverer.ReplyLost(ctx, res)
	}
}
