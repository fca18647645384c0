package smtpserver_test

import (
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"popelago/mailtest"
	"popelago/smtpserver"
	"popelago/smtpserver/smtptest"
)

// A stranger can begin session after session: the log sums up the ends of such sessions.
func TestEndsOfFloodsAreSummedUp(t *testing.T) {
	var log mailtest.Log
	r := newRig(t, smtpserver.SMTP, func(s *smtptest.Settings) {
		s.Server.MaxHarmlessCommands, s.Server.SummaryEvery = 10, 24*time.Hour
		s.Server.Logger = slog.New(slog.NewTextHandler(&log, nil))
	})
	for range 20 {
		flood(t, r.Client(t, "HELO client.example"), 20, "NOOP")
	}
	const text = "too many commands without a message"
	if n := strings.Count(log.String(), text); n != 1 {
		t.Errorf("%d lines for 20 sessions, want 1:\n%s", n, log.String())
	}
}

// A stranger can name one recipient a thousand times, and can have the text refused at no cost: the log has one line for equal
// recipients, and 200 lines at once of recipients of refused texts.
func TestRecipientsOfFloodsFillNoLog(t *testing.T) {
	for _, test := range []struct {
		name, text      string
		messages, lines int
	}{
		{"stored", "x\r\n.\r\n", 150, 300},
		{"refused", "a bare\rCR\r\n.\r\n", 150, 200},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var log mailtest.Log
				r := newRig(t, smtpserver.SMTP, func(s *smtptest.Settings) {
					s.Server.MaxHarmlessCommands = -1
					s.Server.Logger = slog.New(slog.NewJSONHandler(&log, nil))
				})
				c := r.Client(t, "EHLO client.example")
				for range test.messages {
					c.Do("MAIL FROM:<sender@example.org>", "250 ")
					for range 5 {
						c.Do("RCPT TO:<alice@example.test>", "250 ")
						c.Do("RCPT TO:<Bob@example.test>", "250 ")
						c.Do("RCPT TO:<bob@EXAMPLE.test>", "250 ")
					}
					c.Do("DATA", "354 ")
					c.Send(test.text)
					c.Expect("")
				}
				if n := len(linesOf(t, &log, "recipient")); n != test.lines {
					t.Errorf("%d lines of recipients of %d messages, want %d", n, test.messages, test.lines)
				}
				c.Close()
			})
		})
	}
}
