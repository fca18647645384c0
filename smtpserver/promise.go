package smtpserver

import (
	"context"
	"slices"

	"popelago/delivery"
)

// maxPromised and maxPromisedRecipients limit session.promised, in messages and in their recipients: each recipient takes
// about 200 octets. A client may send many messages without ever reading the replies; the oldest replies then count as known
// to the client. The newest message counts whatever its recipients.
const (
	maxPromised           = 100
	maxPromisedRecipients = 500
)

// promise notes that the reply to a message was written.
func (s *session) promise(res delivery.Result) {
	s.promised = append(s.promised, res)
	recipients := 0
	for _, p := range s.promised {
		recipients += p.Recipients
	}
	known := 0
	for len(s.promised)-known > maxPromised || len(s.promised)-known > 1 && recipients > maxPromisedRecipients {
		recipients -= s.promised[known].Recipients
		known++
	}
	s.promised = slices.Delete(s.promised, 0, known)
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
