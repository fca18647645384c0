package smtpserver_test

import (
	"log/slog"
	"strings"
	"testing"
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
