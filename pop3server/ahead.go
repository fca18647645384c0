package pop3server

import (
	"bytes"
	"context"

	"popelago/wire"
)

// readAhead begins to read the messages of the RETR and TOP that the client has sent behind the present command,
// whose argument is arg. Commands in between that keep the maildrop open, as DELE, are passed over.
func (s *session) readAhead(ctx context.Context, arg []byte) {
	if s.srv.cfg.ReadAhead <= 0 {
		return
	}
	now, ok := firstNumber(arg)
	if !ok {
		return
	}
	next := s.next[:0]
	for in := s.c.Received(); len(next) < s.srv.cfg.ReadAhead; {
		line, rest, whole := bytes.Cut(in, []byte("\n"))
		if !whole {
			break
		}
		in = rest
		verb, arg := wire.SplitVerb(bytes.TrimSuffix(line, []byte("\r")))
		if verb == verbQUIT {
			break
		}
		if !s.srv.commands[verb].reads {
			continue
		}
		if n, ok := firstNumber(arg); ok {
			next = append(next, n)
		}
	}
	s.next = next
	s.drop.ReadAhead(ctx, now, next)
}

var verbQUIT = wire.VerbOf("QUIT")
