package smtpserver_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"popelago/smtpserver"
	"popelago/smtpserver/smtptest"
)

// lineBreakers are sequences that some servers mistake for a line end or the end of a text.
var lineBreakers = []string{
	"\n.\n", "\n.\r\n", "\n.\r", "\n\n.\n", "\r.\r", "\r.\n", "\r.\r\n", "\r\r.\r\n", "\r\n.\n", "\r\n.\r", "\r\n.\r\r\n",
	"\r\n.\n\r\n", "\r\r\n.\r\r\n", "\n\r.\r\n", "\n\r.\n\r", "\r\n.\r\x00\n", "\r\n\x00.\r\n", "\r\n.\x00\r\n", "\x00\r.\r\n",
	"\r\n.\x00\n", "\r\x00\n.\r\n", "\n\x00.\n", "\n.\x00\n", "\x00\n.\n\x00", "\n.\n\x00", "\r\n. \r\n", "\r\n..\r\n", "\n..\n", "\n..\r\n",
	"\n.x\n", "\n...\r\n", "\r\n.\n.\n", "\n.\r\n.\n", "\n.\n.\n.\n", "\x85.\x85", "\x0b.\x0b", "\r\n.\n\n", "\r\n.\r\r",
}

// normalized is the stored form of a text if a bare LF ends a line. dots says that the text was
// dot-stuffed. A text with a bare CR has no stored form.
func normalized(text string, dots bool) (string, bool) {
	text = strings.ReplaceAll(text, "\r\n", "\n")
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		if dots && len(line) > 1 {
			lines[i] = strings.TrimPrefix(line, ".")
		}
	}
	return strings.Join(lines, "\r\n"), !strings.Contains(text, "\r")
}

// TestSmugglingNormalized: if a bare LF is a line end, only CRLF "." CRLF ends a text, as without the
// setting. The text before the end is a single message.
func TestSmugglingNormalized(t *testing.T) {
	const smuggled = "MAIL FROM:<smuggled@example.org>\r\nRCPT TO:<bob@example.test>\r\nDATA\r\nsmuggled\r\n"
	r := newRig(t, smtpserver.SMTP, func(s *smtptest.Settings) { s.Server.NormalizeLF = true })
	var want []string
	for _, cut := range []string{"whole", "octets"} {
		for _, between := range lineBreakers {
			c := r.Client(t, "EHLO client.example")
			begin(c)
			c.Do("DATA", "354 ")
			sent := "Subject: x\n\r\nfirst" + between + smuggled
			stored, good := normalized(sent, true)
			if cut == "whole" {
				c.Send(sent + ".\r\n")
			} else {
				for i := range len(sent) {
					c.Send(sent[i : i+1])
					c.Sync()
				}
				c.Send(".\r\n")
			}
			if good {
				c.Expect("250 2.0.0 ok ")
				want = append(want, stored)
			} else {
				c.Expect("550 5.6.0 ")
			}
			c.Do("NOOP", "250 2.0.0 ok") // no reply in between
			c.Do("QUIT", "221 ")
			c.ExpectEOF()
		}
	}
	checkInbox(t, r, "alice", want)
	checkInbox(t, r, "bob", nil)
}

// TestSmugglingByChunksNormalized: a chunk ends at its last octet, independent of its lines.
func TestSmugglingByChunksNormalized(t *testing.T) {
	const smuggled = "MAIL FROM:<smuggled@example.org>\r\nRCPT TO:<bob@example.test>\r\nDATA\r\nsmuggled\r\n.\r\nQUIT\r\n"
	for _, protocol := range []smtpserver.Protocol{smtpserver.SMTP, smtpserver.LMTP} {
		r := newRig(t, protocol, func(s *smtptest.Settings) { s.Server.NormalizeLF = true })
		hello := map[smtpserver.Protocol]string{smtpserver.SMTP: "EHLO c", smtpserver.LMTP: "LHLO c"}[protocol]
		var want []string
		for _, size := range []int{1, 2, 3, 1000} {
			for _, between := range append(lineBreakers, "\r\n.\r\n") {
				c := r.Client(t, hello)
				begin(c)
				sent := "Subject: x\n\r\n" + between + smuggled
				stored, good := normalized(sent, false)
				for at := 0; at < len(sent); at += size {
					chunk := sent[at:min(at+size, len(sent))]
					c.Send(fmt.Sprintf("BDAT %d\r\n%s", len(chunk), chunk))
					if line := c.Line(); strings.HasPrefix(line, "550 5.6.0 ") {
						good = false
						break
					} else if !strings.HasPrefix(line, "250 2.0.0 chunk received") {
						t.Fatalf("%q by %d: the server says %q", between, size, line)
					}
				}
				if good {
					c.Do("BDAT 0 LAST", "250 2.0.0 ok ")
					want = append(want, stored)
				}
				c.Do("NOOP", "250 2.0.0 ok")
			}
		}
		checkInbox(t, r, "alice", want)
		checkInbox(t, r, "bob", nil)
	}
}

func checkInbox(t *testing.T, r *smtptest.Fixture, local string, want []string) {
	t.Helper()
	got := r.Inbox(t, local)
	if len(got) != len(want) {
		t.Fatalf("%s has %d messages, want %d", local, len(got), len(want))
	}
	for i := range want {
		if text := smtptest.Text(t, got[i]); text != want[i] {
			t.Errorf("%s has %q, want %q", local, text, want[i])
		}
	}
}

// TestBareLF: the effects of the setting, and their limits.
func TestBareLF(t *testing.T) {
	for _, normalize := range []bool{false, true} {
		var log bytes.Buffer
		r := newRig(t, smtpserver.LMTP, func(s *smtptest.Settings) {
			s.Server.NormalizeLF = normalize
			s.Server.Logger = slog.New(slog.NewTextHandler(&log, nil))
		})
		c := r.Client(t, "LHLO client.example")
		send := func(text, want string) {
			t.Helper()
			begin(c)
			c.Do("DATA", "354 ")
			c.Send(text)
			c.Expect(want)
		}
		answer := map[bool]string{false: "550 5.6.0 ", true: "250 2.0.0 ok "}[normalize]
		send("Subject: x\n\n..dot\n.\n\r\n.\r\n", answer)
		send("Subject: x\r\n\r\nbare\rCR\r\n.\r\n", "550 5.6.0 ")
		c.Send("NOOP\n")
		c.Expect("500 5.5.2 line ends in a bare LF")
		c.Do("QUIT", "221 ")
		c.ExpectEOF()
		var want []string
		if normalize {
			want = []string{"Subject: x\r\n\r\n.dot\r\n.\r\n\r\n"}
		}
		checkInbox(t, r, "alice", want)
		if told := strings.Contains(log.String(), " octets=25 ") && strings.Contains(log.String(), " bare_lf=4"); told != normalize {
			t.Errorf("normalize %t: the log says %s", normalize, &log)
		}
	}
}
