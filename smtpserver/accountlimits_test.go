package smtpserver_test

import (
	"strings"
	"testing"

	"popelago/mail"
	"popelago/mailtest"
	"popelago/mailtest/sessiontest"
	"popelago/smtpserver"
	"popelago/smtpserver/smtptest"
	"popelago/store"
)

// withSettings makes an LMTP server with settings of alice, and a session.
func withSettings(t *testing.T, settings map[string]string) *mailtest.Client {
	t.Helper()
	f := smtptest.New(t, openStore(t), smtpserver.LMTP, nil)
	if err := f.Directory.SetAccountSettings(t.Context(), sessiontest.Address("alice"), settings); err != nil {
		t.Fatal(err)
	}
	return f.Client(t, "LHLO client.example")
}

// sendLarge sends a message of 2,000 octets to alice and bob, and returns the replies to the text.
func sendLarge(c *mailtest.Client) (alice, bob string) {
	c.Cmd("MAIL FROM:<a@example.org>")
	c.Expect("250 ")
	for _, to := range []string{"alice", "bob"} {
		c.Cmd("RCPT TO:<" + to + "@example.test>")
		c.Expect("250 ")
	}
	c.Cmd("DATA")
	c.Expect("354 ")
	for range 50 {
		c.Cmd(strings.Repeat("x", 38))
	}
	c.Cmd(".")
	return c.Line(), c.Line()
}

// The replies to mail that exceeds a limit of an account.
func TestLimitsOfAccount(t *testing.T) {
	for _, c := range []struct {
		name     string
		settings map[string]string
		mail     string // the reply to RCPT with a SIZE
		data     string // the reply to the text
	}{
		{"retry", map[string]string{"quota": "1KiB"}, "452 4.2.2 mailbox full, try again later", "452 4.2.2 "},
		{"refuse", map[string]string{"quota": "1KiB", "over_quota": "refuse"}, "552 5.2.2 mailbox full", "552 5.2.2 "},
		{"size", map[string]string{"message_size": "1KiB"}, "552 5.3.4 message too large", "552 5.3.4 "},
		{"room", map[string]string{"quota": "1MiB"}, "250 2.1.5 ", "250 2.0.0 "},
		{"deliver", map[string]string{"deliver": "off", "reason": "secret"}, "550 5.2.1 mailbox disabled", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			client := withSettings(t, c.settings)
			client.Cmd("MAIL FROM:<a@example.org> SIZE=2000")
			client.Expect("250 ")
			client.Cmd("RCPT TO:<alice@example.test>")
			if line := client.Line(); !strings.HasPrefix(line, c.mail) || strings.Contains(line, "secret") {
				t.Errorf("RCPT: %s", line)
			}
			client.Cmd("RSET")
			client.Expect("250 ")
			if c.data == "" {
				return
			}
			if alice, bob := sendLarge(client); !strings.HasPrefix(alice, c.data) || !strings.HasPrefix(bob, "250 ") {
				t.Errorf("the text: %s, %s", alice, bob)
			}
		})
	}
}

// An account with a limit of recipients gets messages to few recipients only, wherever it stands among them.
func TestRecipientsOfAccount(t *testing.T) {
	client := withSettings(t, map[string]string{"recipients": "2"})
	for _, order := range [][]string{{"alice", "bob", "carol"}, {"bob", "carol", "alice"}} {
		client.Cmd("MAIL FROM:<a@example.org>")
		client.Expect("250 ")
		for i, to := range order {
			client.Cmd("RCPT TO:<" + to + "@example.test>")
			want := "250 "
			if i == 2 {
				want = "452 4.5.3 "
			}
			client.Expect(want)
		}
		client.Cmd("RSET")
		client.Expect("250 ")
	}
}

// A group is refused if the limits of all members refuse the message, and counts as one recipient.
func TestLimitsOfGroup(t *testing.T) {
	f := smtptest.New(t, openStore(t), smtpserver.LMTP, nil)
	ctx := t.Context()
	alice, bob := sessiontest.Address("alice"), sessiontest.Address("bob")
	if _, err := f.Directory.AddAlias(ctx, sessiontest.Address("team"), store.KindGroup, []mail.Address{alice, bob}); err != nil {
		t.Fatal(err)
	}
	set := func(a mail.Address, settings map[string]string) {
		t.Helper()
		if err := f.Directory.SetAccountSettings(ctx, a, settings); err != nil {
			t.Fatal(err)
		}
	}
	client := f.Client(t, "LHLO client.example")
	rcpt := func(size string, replies ...string) {
		t.Helper()
		client.Cmd("MAIL FROM:<a@example.org>" + size)
		client.Expect("250 ")
		for i, reply := range replies {
			client.Cmd("RCPT TO:<" + []string{"team", "carol"}[i] + "@example.test>")
			client.Expect(reply)
		}
		client.Cmd("RSET")
		client.Expect("250 ")
	}
	set(alice, map[string]string{"quota": "1KiB", "over_quota": "refuse", "recipients": "2"})
	rcpt(" SIZE=2000", "250 ", "250 ")
	set(bob, map[string]string{"quota": "1KiB", "recipients": "1"})
	rcpt(" SIZE=2000", "452 4.2.2 ")
	rcpt("", "250 ", "452 4.5.3 ")
	set(bob, map[string]string{"over_quota": "refuse"})
	rcpt(" SIZE=2000", "552 5.2.2 ")
}

// A sender repeats the message for the addresses beyond the copies that a maildrop gets, and no copy is missing.
func TestLimitOfCopies(t *testing.T) {
	f := smtptest.New(t, openStore(t), smtpserver.SMTP, func(s *smtptest.Settings) { s.Delivery.MaxCopies = 2 })
	change := store.DomainChange{Settings: map[string]string{"delimiter": "+"}}
	if _, err := f.Directory.ChangeDomain(t.Context(), "example.test", change); err != nil {
		t.Fatal(err)
	}
	c := f.Client(t, "HELO client.example")
	send := func(replies map[string]string) {
		c.Do("MAIL FROM:<a@example.org>", "250 ")
		for _, local := range []string{"alice+1", "alice+2", "alice+3", "bob"} {
			if reply := replies[local]; reply != "" {
				c.Do("RCPT TO:<"+local+"@example.test>", reply)
			}
		}
		c.Do("DATA", "354 ")
		c.Do("Subject: x\r\n\r\nx\r\n.", "250 ")
	}
	send(map[string]string{"alice+1": "250 ", "alice+2": "250 ", "alice+3": "452 4.5.3 too many recipients", "bob": "250 "})
	send(map[string]string{"alice+3": "250 "})
	if n := len(f.Inbox(t, "alice")); n != 3 {
		t.Errorf("alice has %d messages, want 3", n)
	}
}
