package smtpserver_test

import (
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"popelago/mailtest"
	"popelago/smtpserver"
	"popelago/smtpserver/smtptest"
)

// linesOf are the log lines with a text.
func linesOf(t *testing.T, log *mailtest.Log, text string) (lines []map[string]any) {
	t.Helper()
	for line := range strings.Lines(log.String()) {
		var entry map[string]any
		if err := json.Unmarshal([]byte(line), &entry); err != nil {
			t.Fatal(err)
		}
		if entry["msg"] == text {
			lines = append(lines, entry)
		}
	}
	return lines
}

// Each recipient of a message, each recipient refused at RCPT, and each session has one line, with all keys.
func TestLogOfRecipientsAndSessions(t *testing.T) {
	var log mailtest.Log
	r := newRig(t, smtpserver.LMTP, func(s *smtptest.Settings) {
		s.Server.Logger = slog.New(slog.NewJSONHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	})
	c := r.Client(t, "LHLO client.example")
	begin(c)
	c.Do("RCPT TO:<bob@example.test>", "250 ")
	c.Do("RCPT TO:<nobody@example.test>", "550 ")
	c.Do("DATA", "354 ")
	c.Send("Subject: confidential\r\n\r\nx\r\n.\r\n")
	c.Expect("250 ")
	c.Expect("250 ")
	begin(c)
	c.Do("DATA", "354 ")
	c.Send("x\r\n.\r\n")
	c.Expect("250 ")
	c.Do("NONSENSE", "500 ")
	c.Do("QUIT", "221 ")
	c.ExpectEOF()
	r.Client(t, "LHLO stranger.example").Close()
	mailtest.WaitFor(t, 10*time.Minute, func() error {
		if len(linesOf(t, &log, "session ended")) < 2 {
			return errors.New("a session has no line yet")
		}
		return nil
	})

	recipients := linesOf(t, &log, "recipient")
	if len(recipients) != 2 {
		t.Fatalf("%d lines for the two recipients of the first message, and none for the second: %v", len(recipients), recipients)
	}
	for i, to := range []string{"alice@example.test", "bob@example.test"} {
		got := recipients[i]
		if got["to"] != to || got["account"] != to || got["result"] != "stored" || got["durability"] != "local" || got["message"] == nil || got["from"] != "sender@example.org" {
			t.Errorf("recipient %d: %v", i, got)
		}
	}
	if messages := linesOf(t, &log, "message"); len(messages) != 2 || messages[1]["account"] != "alice@example.test" || messages[1]["tls"] != false {
		t.Errorf("messages: %v", messages)
	}
	refused := linesOf(t, &log, "recipient refused")
	if len(refused) != 1 || refused[0]["to"] != "nobody@example.test" || refused[0]["result"] != "unknown" || refused[0]["level"] != "INFO" || refused[0]["cause"] == nil {
		t.Errorf("refused: %v", refused)
	}
	byEnd := map[any]map[string]any{}
	for _, line := range linesOf(t, &log, "session ended") {
		byEnd[line["ended"]] = line
	}
	for key, want := range map[string]any{
		"protocol": "lmtp", "remote": "192.0.2.1", "helo": "client.example", "tls": false, "recipients": 3.0, "refused": 1.0,
		"messages": 2.0, "octets": 31.0, "commands": 11.0, "level": "INFO",
	} {
		if got := byEnd["quit"][key]; got != want {
			t.Errorf("the end of the session has %s=%v, want %v: %v", key, got, want, byEnd["quit"])
		}
	}
	if gone := byEnd["disconnected"]; gone == nil || gone["level"] != "DEBUG" || gone["seconds"] == nil {
		t.Errorf("the session of a stranger: %v", byEnd)
	}
	for _, line := range linesOf(t, &log, "session ended") {
		if len(line["session"].(string)) != 12 {
			t.Errorf("no session id: %v", line)
		}
	}
	families, err := r.Registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			name := f.GetName()
			for _, l := range m.GetLabel() {
				name += "," + l.GetName() + "=" + l.GetValue()
			}
			seen[name] = m.GetCounter().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
	}
	for name, want := range map[string]float64{
		"popelago_smtpserver_sessions_total,protocol=lmtp,result=quit":         1,
		"popelago_smtpserver_sessions_total,protocol=lmtp,result=disconnected": 1,
		"popelago_smtpserver_command_seconds,command=DATA,protocol=lmtp":       2,
		"popelago_smtpserver_command_seconds,command=other,protocol=lmtp":      1,
	} {
		if seen[name] != want {
			t.Errorf("%s is %v, want %v", name, seen[name], want)
		}
	}
}

// Strangers cannot fill the log with refused recipients: beyond a burst the lines have the level debug.
func TestLogOfManyRefusedRecipients(t *testing.T) {
	var log mailtest.Log
	bubble(t, func(s *smtptest.Settings) {
		s.Server.MaxRefusedRecipients = -1
		s.Server.Logger = slog.New(slog.NewJSONHandler(&log, &slog.HandlerOptions{Level: slog.LevelInfo}))
	}, func(t *testing.T, _ *smtptest.Fixture, c *mailtest.Client) {
		c.Do("MAIL FROM:<x@example.org>", "250 ")
		const refused = 2000
		c.Send(strings.Repeat("RCPT TO:<nobody@example.test>\r\n", refused))
		for range refused {
			c.Expect("550 ")
		}
		if n := len(linesOf(t, &log, "recipient refused")); n != 200 {
			t.Errorf("%d lines for %d refused recipients in a moment, want 200", n, refused)
		}
	})
}
