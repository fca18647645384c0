package pop3server

import (
	"context"
	"strconv"

	"popelago/maildrop"
)

// cmdSTAT: RFC 1939 section 5.
func (s *session) cmdSTAT(context.Context, []byte) {
	count, octets := s.drop.Stat()
	s.replyNumbers(int64(count), octets, "")
}

// cmdLIST: RFC 1939 section 5.
func (s *session) cmdLIST(_ context.Context, arg []byte) {
	s.listing(arg, "LIST", func(line []byte, e maildrop.Entry) []byte {
		return strconv.AppendInt(line, e.Size, 10)
	})
}

// cmdUIDL: RFC 1939 section 7.
func (s *session) cmdUIDL(_ context.Context, arg []byte) {
	s.listing(arg, "UIDL", func(line []byte, e maildrop.Entry) []byte {
		return append(line, e.UIDL...)
	})
}

// listing answers with the scan line of one message, or of all messages that are not marked. value
// appends the size or the unique-id of a message to its line.
func (s *session) listing(arg []byte, command string, value func([]byte, maildrop.Entry) []byte) {
	if !blank(arg) {
		n, ok := oneNumber(arg)
		if !ok {
			s.reply(replySyntax())
			return
		}
		e, err := s.drop.Entry(n)
		if err != nil {
			s.fail(command, err)
			return
		}
		s.c.Write(scanLine(append(s.buf[:0], "+OK "...), e, value))
		return
	}
	s.replyCounts()
	for n := 1; n <= s.drop.Len(); n++ {
		e, err := s.drop.Entry(n)
		if err != nil {
			continue // marked
		}
		if _, err := s.c.Write(scanLine(s.buf[:0], e, value)); err != nil {
			return
		}
	}
	s.c.WriteString(".\r\n")
}

func scanLine(line []byte, e maildrop.Entry, value func([]byte, maildrop.Entry) []byte) []byte {
	line = strconv.AppendInt(line, int64(e.Number), 10)
	line = append(line, ' ')
	line = value(line, e)
	return append(line, "\r\n"...)
}
