package pop3server

import (
	"strconv"

	"popelago/maildrop"
)

// cmdSTAT: RFC 1939 section 5.
func (s *session) cmdSTAT(rest []byte) {
	if !blank(rest) {
		s.bad(textSyntax)
		return
	}
	count, octets := s.drop.Stat()
	s.okNumbers(int64(count), octets, "")
}

// cmdLIST: RFC 1939 section 5.
func (s *session) cmdLIST(rest []byte) {
	s.listing(rest, "LIST", func(line []byte, e maildrop.Entry) []byte {
		return strconv.AppendInt(line, e.Size, 10)
	})
}

// cmdUIDL: RFC 1939 section 7.
func (s *session) cmdUIDL(rest []byte) {
	s.listing(rest, "UIDL", func(line []byte, e maildrop.Entry) []byte {
		return append(line, e.UIDL...)
	})
}

// listing answers with one scan line, or with all of them. value adds what the command tells
// about a message.
func (s *session) listing(rest []byte, command string, value func([]byte, maildrop.Entry) []byte) {
	if !blank(rest) {
		n, ok := oneNumber(rest)
		if !ok {
			s.bad(textSyntax)
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
	s.okCounts()
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
