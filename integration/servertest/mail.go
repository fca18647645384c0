package servertest

import (
	"fmt"
	"strings"
	"testing"

	"popelago/mailtest"
)

// Send delivers a message in an open LMTP session, and expects every recipient to be served.
func Send(t testing.TB, c *mailtest.Client, from string, to []Account, octets []byte) {
	t.Helper()
	StartTransaction(c, from, to)
	c.Cmd("DATA")
	c.Expect("250")
	for range to {
		c.Expect("250")
	}
	c.Expect("354")
	c.Send(Stuff(octets) + ".\r\n")
	for range to {
		c.Expect("250")
	}
}

// sendBDAT sends with CHUNKING, for content that does not end in CRLF.
func sendBDAT(t testing.TB, c *mailtest.Client, from string, to []Account, octets []byte) {
	t.Helper()
	StartTransaction(c, from, to)
	c.Cmdf("BDAT %d LAST", len(octets))
	c.Send(string(octets))
	c.Expect("250")
	for range to {
		c.Expect("250")
	}
	for range to {
		c.Expect("250")
	}
}

// StartTransaction sends MAIL and RCPT, without reading the replies.
func StartTransaction(c *mailtest.Client, from string, to []Account) {
	c.Cmdf("MAIL FROM:<%s>", from)
	for _, a := range to {
		c.Cmdf("RCPT TO:<%s>", a.Address)
	}
}

// Stuff doubles the dots at the beginning of lines.
func Stuff(octets []byte) string {
	s := strings.ReplaceAll(string(octets), "\r\n.", "\r\n..")
	if strings.HasPrefix(s, ".") {
		s = "." + s
	}
	return s
}

// Stored is one message of a maildrop.
type Stored struct {
	UIDL   string
	Octets []byte
}

// Maildrop reads all messages of a maildrop and removes none. It checks the sizes in LIST against
// the octets.
func (s *Server) Maildrop(t testing.TB, a Account) []Stored {
	t.Helper()
	c := s.Login(t, a)
	defer c.Close()
	var all []Stored
	uidls := Listing(t, c, "UIDL")
	sizes := Listing(t, c, "LIST")
	for i := range uidls {
		c.Do(fmt.Sprintf("RETR %d", i+1), "+OK")
		octets := c.ReadMultiline()
		if fmt.Sprint(len(octets)) != sizes[i] {
			t.Errorf("message %d of %s has %d octets, LIST says %s", i+1, a.Address, len(octets), sizes[i])
		}
		all = append(all, Stored{UIDL: uidls[i], Octets: octets})
	}
	c.Do("QUIT", "+OK")
	return all
}

// Listing returns the response to UIDL or LIST for each message.
func Listing(t testing.TB, c *mailtest.Client, command string) []string {
	t.Helper()
	c.Do(command, "+OK")
	var values []string
	for line := range strings.Lines(string(c.ReadMultiline())) {
		number, value, ok := strings.Cut(strings.TrimSpace(line), " ")
		if !ok || number != fmt.Sprint(len(values)+1) {
			t.Fatalf("%s: line %q in place %d", command, line, len(values)+1)
		}
		values = append(values, value)
	}
	return values
}

// Count is the number of messages in a maildrop, by STAT.
func (s *Server) Count(t testing.TB, a Account) int {
	t.Helper()
	c := s.Login(t, a)
	defer c.Close()
	var n, size int
	if _, err := fmt.Sscanf(c.Do("STAT", "+OK "), "+OK %d %d", &n, &size); err != nil {
		t.Fatal(err)
	}
	c.Do("QUIT", "+OK")
	return n
}
