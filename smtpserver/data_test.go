package smtpserver_test

import (
	"fmt"
	"strings"
	"testing"

	"popelago/mailtest"
	"popelago/smtpserver"
	"popelago/smtpserver/smtptest"
)

// begin starts a transaction from sender@example.org to alice.
func begin(c *mailtest.Client) {
	c.Do("MAIL FROM:<sender@example.org>", "250 ")
	c.Do("RCPT TO:<alice@example.test>", "250 ")
}

// TestSmuggling sends sequences that some servers mistake for the end of a text. No sequence may end
// the text: the message is refused whole, and the commands behind are never executed.
func TestSmuggling(t *testing.T) {
	const smuggled = "MAIL FROM:<smuggled@example.org>\r\nRCPT TO:<bob@example.test>\r\nDATA\r\nsmuggled\r\n"
	ends := []struct {
		octets string
		plain  bool // no bare CR or LF: an ordinary text
	}{
		{"\n.\n", false}, {"\n.\r\n", false}, {"\n.\r", false}, {"\n\n.\n", false},
		{"\r.\r", false}, {"\r.\n", false}, {"\r.\r\n", false}, {"\r\r.\r\n", false},
		{"\r\n.\n", false}, {"\r\n.\r", false}, {"\r\n.\r\r\n", false}, {"\r\n.\n\r\n", false},
		{"\r\r\n.\r\r\n", false}, {"\n\r.\r\n", false}, {"\n\r.\n\r", false},
		{"\r\n.\r\x00\n", false}, {"\r\n\x00.\r\n", true}, {"\r\n.\x00\r\n", true}, {"\x00\r.\r\n", false},
		{"\r\n.\x00\n", false}, {"\r\x00\n.\r\n", false}, {"\r\n. \r\n", true}, {"\r\n.\t\r\n", true},
		{"\r\n..\r\n", true}, {"\r\n .\r\n", true}, {"\x85.\x85", true}, {"\xe2\x80\xa8.\xe2\x80\xa8", true},
		{"\x0b.\x0b", true}, {"\x0c.\x0c", true}, {"\r\n.\r\r", false}, {"\r\n.\n\n", false},
	}
	r := newRig(t, smtpserver.SMTP, nil)
	for _, cut := range []string{"whole", "octets"} {
		for _, end := range ends {
			t.Run(fmt.Sprintf("%s/%q", cut, end.octets), func(t *testing.T) {
				before := len(r.Inbox(t, "alice"))
				c := r.Client(t, "EHLO client.example")
				begin(c)
				c.Do("DATA", "354 ")
				octets := "Subject: x\r\n\r\nfirst" + end.octets + smuggled + ".\r\n"
				if cut == "whole" {
					c.Send(octets)
				} else {
					for i := range len(octets) {
						c.Send(octets[i : i+1])
						c.Sync()
					}
				}
				if end.plain {
					c.Expect("250 2.0.0 ok ")
				} else {
					c.Expect("550 5.6.0 ")
				}
				c.Do("NOOP", "250 2.0.0 ok") // no reply in between
				c.Do("QUIT", "221 ")
				c.ExpectEOF()
				if end.plain {
					before++
				}
				if got := len(r.Inbox(t, "alice")); got != before {
					t.Errorf("alice has %d messages, want %d", got, before)
				}
				if got := r.Inbox(t, "bob"); len(got) > 0 {
					t.Errorf("bob got %q", got)
				}
			})
		}
	}
}

// TestSmugglingByChunks is TestSmuggling for BDAT, whose chunks may split a line end.
func TestSmugglingByChunks(t *testing.T) {
	r := newRig(t, smtpserver.SMTP, nil)
	for _, chunks := range [][]string{
		{"a\r", "b\r\n"}, {"a\n", "b\r\n"}, {"a", "\n"}, {"a\r\n.\n"}, {"a\r\n\r"}, {"a\r", ""}, {"\n"}, {"\r"},
	} {
		t.Run(fmt.Sprintf("%q", chunks), func(t *testing.T) {
			c := r.Client(t, "EHLO client.example")
			begin(c)
			for i, chunk := range chunks {
				last := ""
				if i == len(chunks)-1 {
					last = " LAST"
				}
				c.Send(fmt.Sprintf("BDAT %d%s\r\n%s", len(chunk), last, chunk))
			}
			for answer := c.Line(); !strings.HasPrefix(answer, "550 5.6.0 "); answer = c.Line() {
				if !strings.HasPrefix(answer, "250 2.0.0 chunk received") {
					t.Fatalf("the server says %q", answer)
				}
			}
		})
	}
	if got := r.Inbox(t, "alice"); len(got) > 0 {
		t.Errorf("alice got %q", got)
	}
}

// TestCorpus sends the awkward messages by DATA and in chunks of several sizes, and expects the same
// octets in the mailbox.
func TestCorpus(t *testing.T) {
	for _, protocol := range []smtpserver.Protocol{smtpserver.SMTP, smtpserver.LMTP} {
		r := newRig(t, protocol, nil)
		hello := "EHLO client.example"
		if protocol == smtpserver.LMTP {
			hello = "LHLO client.example"
		}
		c := r.Client(t, hello)
		var want []string
		for _, m := range mailtest.Corpus() {
			if m.Large {
				continue
			}
			octets := string(m.Octets())
			for _, chunk := range []int{0, 7, 4096, 1 << 20} {
				if chunk == 7 && len(octets) > 20_000 {
					continue
				}
				want = append(want, m.Gap+octets)
				begin(c)
				if chunk == 0 {
					c.Do("DATA", "354 ")
					c.Send(stuff(octets) + ".\r\n")
				} else {
					sendChunks(c, octets, chunk, m.NoFinalCRLF)
				}
				c.Expect("250 2.0.0 ok ")
			}
		}
		got := r.Inbox(t, "alice")
		if len(got) != len(want) {
			t.Fatalf("%s: %d messages, want %d", protocol, len(got), len(want))
		}
		for i := range got {
			if smtptest.Text(t, got[i]) != want[i] {
				t.Errorf("%s: message %d is %.200q, want %.200q", protocol, i, got[i], want[i])
			}
		}
	}
}

// stuff does the dot-stuffing of a text that ends in CRLF.
func stuff(s string) string {
	s = strings.ReplaceAll(s, "\r\n.", "\r\n..")
	if strings.HasPrefix(s, ".") {
		s = "." + s
	}
	return s
}

// sendChunks sends a text by BDAT, pipelined, and reads all replies but the last.
func sendChunks(c *mailtest.Client, octets string, size int, noFinalCRLF bool) {
	if noFinalCRLF {
		octets = strings.TrimSuffix(octets, "\r\n")
	}
	n := 0
	for len(octets) > size {
		c.Send(fmt.Sprintf("BDAT %d\r\n%s", size, octets[:size]))
		octets = octets[size:]
		n++
	}
	c.Send(fmt.Sprintf("BDAT %d LAST\r\n%s", len(octets), octets))
	for range n {
		c.Expect("250 2.0.0 chunk received")
	}
}

// TestOnePacket sends whole sessions at once, as Postfix and Exim do.
func TestOnePacket(t *testing.T) {
	r := newRig(t, smtpserver.LMTP, nil)
	c := r.Client(t, "LHLO client.example")

	// Postfix: MAIL, all RCPT and DATA in one segment.
	all := "MAIL FROM:<a@example.org>\r\n" + strings.Repeat("RCPT TO:<alice@example.test>\r\n", 100) + "DATA\r\n"
	c.Send(all)
	for range 101 {
		c.Expect("250 ")
	}
	c.Expect("354 ")
	c.Send("Subject: one\r\n.\r\nMAIL FROM:<b@example.org>\r\nRCPT TO:<bob@example.test>\r\n")
	for range 100 {
		c.Expect("250 2.0.0 ok ")
	}
	c.Expect("250 2.1.0 ")
	c.Expect("250 2.1.5 ")
	c.Do("RSET", "250 ")

	// Exim: a chunk in the same write as the commands around it, and a refused RCPT.
	c.Send("MAIL FROM:<a@example.org>\r\nRCPT TO:<alice@example.test>\r\nRCPT TO:<nobody@example.test>\r\n" +
		"RCPT TO:<bob@example.test>\r\nBDAT 14\r\nSubject: two\r\nBDAT 5 LAST\r\n\r\nx\r\nQUIT\r\n")
	for _, prefix := range []string{"250 2.1.0", "250 2.1.5", "550 5.1.1", "250 2.1.5", "250 2.0.0 chunk", "250 2.0.0 ok ", "250 2.0.0 ok ", "221 "} {
		c.Expect(prefix)
	}
	c.ExpectEOF()
	for a, want := range map[string][]string{"alice": {"Subject: one\r\n", "Subject: two\r\n\r\nx\r\n"}, "bob": {"Subject: two\r\n\r\nx\r\n"}} {
		got := r.Inbox(t, a)
		if len(got) != len(want) {
			t.Fatalf("%s has %q", a, got)
		}
		for i := range want {
			if smtptest.Text(t, got[i]) != want[i] {
				t.Errorf("%s has %q, want %q", a, got[i], want[i])
			}
		}
	}
}

// TestTrace checks the lines in front of a message.
func TestTrace(t *testing.T) {
	tests := []struct {
		name, hello, mail string
		protocol          smtpserver.Protocol
		tls               bool
		want              string
	}{
		{"helo", "HELO client.example", "MAIL FROM:<a@example.org>", smtpserver.SMTP, false, " with SMTP id "},
		{"ehlo", "EHLO client.example", "MAIL FROM:<a@example.org>", smtpserver.SMTP, false, " with ESMTP id "},
		{"ehlo-tls", "EHLO client.example", "MAIL FROM:<a@example.org>", smtpserver.SMTP, true, " with ESMTPS (TLS 1.3 TLS_"},
		{"helo-tls", "HELO client.example", "MAIL FROM:<a@example.org>", smtpserver.SMTP, true, " with SMTP (TLS 1.3 TLS_"},
		{"utf8", "EHLO client.example", "MAIL FROM:<a@example.org> SMTPUTF8", smtpserver.SMTP, false, " with UTF8SMTP id "},
		{"utf8-tls", "EHLO client.example", "MAIL FROM:<a@example.org> SMTPUTF8", smtpserver.SMTP, true, " with UTF8SMTPS ("},
		{"lhlo", "LHLO client.example", "MAIL FROM:<a@example.org>", smtpserver.LMTP, false, " with LMTP id "},
		{"lhlo-tls", "LHLO client.example", "MAIL FROM:<a@example.org>", smtpserver.LMTP, true, " with LMTPS ("},
		{"lhlo-utf8", "LHLO client.example", "MAIL FROM:<a@example.org> SMTPUTF8", smtpserver.LMTP, true, " with UTF8LMTPS ("},
		{"null", "LHLO client.example", "MAIL FROM:<>", smtpserver.LMTP, false, "Return-Path: <>\r\nDelivered-To: alice@example.test\r\nReceived: "},
		{"path", "LHLO x", `MAIL FROM:<@relay:"a b"@example.org>`, smtpserver.LMTP, false, "Return-Path: <\"a b\"@example.org>\r\n"},
		{"from", "LHLO a(b);c\\\"", "MAIL FROM:<>", smtpserver.LMTP, false, "Received: from a?b??c?? ([192.0.2.1])\r\n\tby mx.example.test with "},
		{"for", "LHLO x", "MAIL FROM:<>", smtpserver.LMTP, false, "\r\n\tfor <alice@example.test>; "},
	}
	cert := mailtest.Certificate(t)
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r := newRig(t, test.protocol, func(s *smtptest.Settings) { s.Server.TLS = cert.Server })
			c := mailtest.NewClient(t, r.Dial(t, "192.0.2.1"))
			c.Expect("220 ")
			if test.tls {
				c.Do("STARTTLS", "220 ")
				c.StartTLS(nil)
			}
			c.Cmd(test.hello)
			for line := c.Expect("250"); line[3] == '-'; {
				line = c.Expect("250")
			}
			c.Do(test.mail, "250 ")
			c.Do("RCPT TO:<alice@example.test>", "250 ")
			c.Do("DATA", "354 ")
			c.Send("Return-Path: <kept@example.org>\r\n\r\n.\r\n")
			c.Expect("250 ")
			got := r.Inbox(t, "alice")
			if len(got) != 1 || !strings.Contains(got[0], test.want) || !strings.HasSuffix(got[0], "\r\nReturn-Path: <kept@example.org>\r\n\r\n") {
				t.Errorf("got %q, want a text with %q", got, test.want)
			}
		})
	}
}
