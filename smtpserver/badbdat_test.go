package smtpserver_test

import (
	"strings"
	"testing"

	"popelago/smtpserver"
)

// TestMalformedBDAT: the input behind the command may be a text, and is never executed as commands.
func TestMalformedBDAT(t *testing.T) {
	for _, line := range []string{
		"BDAT\t40\r\n", "BDAT 40\n", "bdat 40 LAST\n", "BDAT 40\tLAST\r\n", "BDAT40\r\n", "BDAT\r\n", "BDAT\n", "BDAT 40 \x00\r\n", "BDAT\x0b40\r\n",
		"BDAT " + strings.Repeat("0", 5000) + "40\r\n", "BDAT " + strings.Repeat("0", 5000) + "40\n", "BDAT -1\r\n", "BDAT 1e1\r\n",
	} {
		r := newRig(t, smtpserver.SMTP, nil)
		c := r.Client(t, "EHLO client.example")
		begin(c)
		c.Send(line + "RSET\r\nMAIL FROM:<smuggled@example.org>\r\nRCPT TO:<bob@example.test>\r\nDATA\r\n\r\nsmuggled\r\n.\r\n")
		c.Expect("501 5.5.4 syntax: BDAT octets [LAST]")
		c.ExpectEOF()
		if got := r.Inbox(t, "bob"); len(got) > 0 {
			t.Errorf("%q: bob got %q", line, got)
		}
	}
	r := newRig(t, smtpserver.SMTP, nil)
	c := r.Client(t, "EHLO client.example")
	c.Do("BDATE", "500 ")
	c.Do("NOOP", "250 ")
}

// TestUnseenCharactersInPaths: invisible characters are refused, and never stand in a Return-Path line
// or a log.
func TestUnseenCharactersInPaths(t *testing.T) {
	r := newRig(t, smtpserver.SMTP, nil)
	c := r.Client(t, "EHLO client.example\u202E\u0085")
	for _, path := range []string{"a\u202Eb@example.org", "a\u0085b@example.org", "a\u200Bb@example.org", "a\xffb@example.org", "a@b\u202E.example", "a@-b.example", "a@b-.example", "a@[../../x]", "a@[]"} {
		c.Do("MAIL FROM:<"+path+"> SMTPUTF8", "501 5.1.7")
	}
	c.Do("MAIL FROM:<ünï@bücher.example> SMTPUTF8", "250 ")
	c.Do("RCPT TO:<ali\u200Bce@example.test>", "501 5.1.3")
	c.Do("RCPT TO:<alice@example.test>", "250 ")
	c.Do("DATA", "354 ")
	c.Do("Subject: x\r\n\r\n.", "250 ")
	got := r.Inbox(t, "alice")
	if len(got) != 1 || !strings.Contains(got[0], "from client.example?? ") || strings.ContainsAny(got[0], "\u202E\u0085") {
		t.Errorf("%q", got)
	}
}
