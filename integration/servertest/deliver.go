package servertest

import (
	"fmt"
	"strings"
	"testing"

	"popelago/mailtest"
)

// Lines joins the lines of a configuration file.
func Lines(l ...string) string { return strings.Join(l, "\n") + "\n" }

// SmallName is the mark of a small message.
func SmallName(n int) string { return fmt.Sprintf("small-%05d", n) }

// SmallMessage returns the text of a small message, as sent.
func SmallMessage(n int) []byte {
	return fmt.Appendf(nil, "X-Number: %d\r\nSubject: small\r\n\r\nThe body of number %d.\r\n", n, n)
}

// TryLogin opens a POP3 session and returns the response to PASS.
func TryLogin(t testing.TB, s *Server, a Account) string {
	t.Helper()
	c, reply := s.SignIn(t, a)
	defer c.Close()
	c.Cmd("QUIT")
	return reply
}

// TryDeliver sends a message and returns a reply for each recipient: the reply to RCPT if it
// refused the recipient, else the reply after the text. After a refusal the session can go on.
func TryDeliver(t testing.TB, c *mailtest.Client, lmtp bool, name string, to []Account) []string {
	t.Helper()
	c.Do("MAIL FROM:<"+Sender(name)+">", "250")
	replies := make([]string, len(to))
	var accepted []int
	for i, a := range to {
		if replies[i] = c.Do("RCPT TO:<"+a.Address+">", ""); strings.HasPrefix(replies[i], "250") {
			accepted = append(accepted, i)
		}
	}
	if len(accepted) == 0 {
		c.Do("RSET", "250")
		return replies
	}
	c.Do("DATA", "354")
	c.Send(string(SmallMessage(0)) + ".\r\n")
	reply := ""
	for k, i := range accepted {
		if lmtp || k == 0 {
			reply = c.Expect("")
		}
		replies[i] = reply
	}
	return replies
}
