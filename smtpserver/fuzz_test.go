package smtpserver_test

import (
	"bufio"
	"context"
	"io"
	"strings"
	"testing"
	"time"

	"popelago/mail"
	"popelago/maildrop"
	"popelago/mailtest"
	"popelago/mailtest/sessiontest"
	"popelago/smtpserver"
	"popelago/smtpserver/smtptest"
)

// prefixes lead to the states from which FuzzSession sends its octets.
var prefixes = []string{
	"",
	"EHLO c\r\n",
	"EHLO c\r\nMAIL FROM:<a@example.org>\r\n",
	"EHLO c\r\nMAIL FROM:<a@example.org> SMTPUTF8\r\nRCPT TO:<alice@example.test>\r\n",
	"EHLO c\r\nMAIL FROM:<a@example.org>\r\nRCPT TO:<alice@example.test>\r\nDATA\r\n",
	"EHLO c\r\nMAIL FROM:<a@example.org>\r\nRCPT TO:<alice@example.test>\r\nBDAT 3\r\nabc",
	"EHLO c\r\nMAIL FROM:<a@example.org>\r\nRCPT TO:<alice@example.test>\r\nBDAT 70\r\n",
}

// FuzzSession sends any octets in any state. The server answers or closes, writes only well-formed
// replies, and stores exactly the messages that it answered with 250.
func FuzzSession(f *testing.F) {
	for state := range prefixes {
		for _, octets := range []string{
			"NOOP\r\nQUIT\r\n", "MAIL FROM:<>\r\nRCPT TO:<alice@example.test>\r\nDATA\r\nx\r\n.\r\nQUIT\r\n",
			"x\n.\nQUIT\n\r\n.\r\n", "BDAT 3 LAST\r\na\r\n", "BDAT x\r\n", "RSET\r\nSTARTTLS\r\n", "\r\n.\r\n", ".\r\n", "\x00\xff\r\n",
			"RCPT TO:<bob@example.test>\r\nRCPT TO:<@a:\"b\"@example.test>\r\nBDAT 0 LAST\r\n", strings.Repeat("x", 5000) + "\r\nHELP\r\n",
		} {
			f.Add(state%2 == 0, uint8(state), octets)
		}
	}
	var rigs [2]*smtptest.Fixture
	for i, protocol := range []smtpserver.Protocol{smtpserver.SMTP, smtpserver.LMTP} {
		rigs[i] = newRig(f, protocol, func(s *smtptest.Settings) {
			s.Delivery.MaxMessageSize = 4000
			s.Server.MaxRecipients = 3
			// The server ends the sessions, so that no answer is lost.
			s.Server.IdleTimeout, s.Server.BodyTimeout = 10*time.Millisecond, 10*time.Millisecond
		})
	}
	f.Fuzz(func(t *testing.T, lmtp bool, state uint8, octets string) {
		r, hello := rigs[0], "EHLO"
		if lmtp {
			r, hello = rigs[1], "LHLO"
		}
		prefix := strings.Replace(prefixes[int(state)%len(prefixes)], "EHLO", hello, 1)
		stored := play(t, r, prefix+octets)
		if got := empty(t, r); got < stored || !lmtp && got > 3*stored || got > 0 && stored == 0 {
			t.Errorf("%d rows were made, the server acknowledged %d messages", got, stored)
		}
	})
}

// empty reads and then removes all messages of the mailboxes, and returns the number of rows.
func empty(t *testing.T, r *smtptest.Fixture) int {
	n := 0
	ctx := context.Background()
	for _, local := range []string{"alice", "bob", "carol", "dave", "postmaster"} {
		n += len(r.Inbox(t, local))
		drop, err := maildrop.Open(ctx, r.Store.Mail, mail.DeriveMailboxID(sessiontest.Address(local), mail.MessageID{}), maildrop.Options{})
		if err != nil {
			t.Fatal(err)
		}
		for i := range drop.Len() {
			drop.Mark(i + 1)
		}
		if _, err := drop.Commit(ctx); err != nil {
			t.Fatal(err)
		}
	}
	return n
}

// play sends octets to a session, and returns the number of messages acknowledged, by their ids in
// the replies.
func play(t *testing.T, r *smtptest.Fixture, octets string) int {
	client, server := mailtest.Pipe("192.0.2.1")
	done := make(chan struct{})
	go func() {
		defer close(done)
		r.ServeConn(server)
	}()
	defer client.Close()
	go io.WriteString(client, octets) // ends with the connection
	lines := make(chan string)
	go func() {
		defer close(lines)
		in := bufio.NewReader(client)
		for {
			line, err := in.ReadString('\n')
			if line != "" {
				lines <- line
			}
			if err != nil {
				return
			}
		}
	}()
	ids := map[string]bool{}
	timeout := time.After(2 * time.Minute)
	for {
		select {
		case line, open := <-lines:
			if !open {
				<-done
				return len(ids)
			}
			checkReply(t, line)
			if id, ok := strings.CutPrefix(line, "250 2.0.0 ok "); ok {
				ids[id] = true
			}
		case <-timeout:
			t.Fatal("the session hangs")
		}
	}
}

// checkReply fails if line is no reply of RFC 5321 section 4.2.
func checkReply(t *testing.T, line string) {
	ok := len(line) >= 6 && len(line) <= 512 && strings.HasSuffix(line, "\r\n") &&
		line[0] >= '2' && line[0] <= '5' && (line[3] == ' ' || line[3] == '-')
	for i := range len(line) - 2 {
		ok = ok && line[i] >= ' ' && line[i] <= '~'
	}
	if !ok {
		t.Errorf("the server says %q", line)
	}
}
