package bench

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"
)

// filled returns a peer with n messages for each of users, as Deliver would send them.
func filled(t *testing.T, users, n int) *peer {
	t.Helper()
	p := newPeer(t)
	m := Messages{Seed: 7, Size: 3000, Awkward: 0.3}
	for _, u := range userNames(users) {
		for i := range int64(n) {
			p.add(u, traced(appendMessage(nil, m.token(i))))
		}
	}
	return p
}

func TestPoll(t *testing.T) {
	for _, pipeline := range []bool{false, true} {
		p := filled(t, 3, 2)
		cfg := PollConfig{Target: p.target(), Logins: logins(3), Connections: 2, Count: 20, Pipeline: pipeline}
		report, err := Poll(t.Context(), cfg)
		if err != nil || report.Row("sessions").Count != 20 || report.Fact("messages listed") != 40 || report.ErrorCount() != 0 {
			t.Errorf("pipeline %v: report %+v, error %v", pipeline, report, err)
		}
		cfg.Logins[1].Password = "wrong"
		report, err = Poll(t.Context(), cfg)
		if err != nil || report.Row("sessions").Count != 13 || report.Fact("messages listed") != 26 || report.ErrorCount() != 7 {
			t.Errorf("pipeline %v: report %+v, error %v", pipeline, report, err)
		}
		if len(report.Errors) != 1 || report.Errors[0].Class != "PASS: -ERR [AUTH] no" {
			t.Errorf("pipeline %v: errors %+v", pipeline, report.Errors)
		}
	}
}

// Whatever the window, each message is fetched once, checked and removed once.
func TestDrain(t *testing.T) {
	for _, window := range []int{1, 2, 3, 10, maxWindow} {
		p := filled(t, 4, 25)
		report, err := Drain(t.Context(), DrainConfig{
			Target: p.target(), Logins: logins(4), Connections: 3, Window: window, Check: true,
		})
		if err != nil || report.ErrorCount() != 0 {
			t.Fatalf("window %d: errors %+v, %v", window, report.Errors, err)
		}
		if r, d := report.Row("RETR").Count, report.Row("DELE+QUIT").Count; r != 100 || d != 100 || p.total() != 0 {
			t.Errorf("window %d: %d fetched, %d removed, %d left", window, r, d, p.total())
		}
	}
}

func TestDrainHalves(t *testing.T) {
	p := filled(t, 2, 10)
	report, err := Drain(t.Context(), DrainConfig{Target: p.target(), Logins: logins(2), NoDele: true, Passes: 3})
	if err != nil || report.Row("RETR").Count != 60 || p.total() != 20 {
		t.Errorf("report %+v, %d left, %v", report, p.total(), err)
	}
	if want := int64(3 * 2 * 10 * (3000 + len(traced(nil)))); report.Row("RETR").Octets != want {
		t.Errorf("%d octets, want %d", report.Row("RETR").Octets, want)
	}
	report, err = Drain(t.Context(), DrainConfig{Target: p.target(), Logins: logins(2), NoRetr: true})
	if err != nil || report.Row("DELE+QUIT").Count != 20 || p.total() != 0 {
		t.Errorf("report %+v, %d left, %v", report, p.total(), err)
	}
}

// A checking drain notices errors without any journal.
func TestDrainChecks(t *testing.T) {
	p := filled(t, 1, 5)
	p.listSize = func(m stored) int64 { return int64(len(m.text)) + 1 }
	report, err := Drain(t.Context(), DrainConfig{Target: p.target(), Logins: logins(1), Check: true})
	if err != nil || report.ErrorCount() != 5 || !strings.Contains(report.Errors[0].Class, "LIST says") {
		t.Errorf("report %+v, %v", report, err)
	}
}

// A maildrop that refuses is counted and does not delay the others.
func TestDrainRefused(t *testing.T) {
	p := filled(t, 3, 5)
	p.refuse = func(command string) string {
		if command == "USER user2@example.test" {
			return "-ERR [IN-USE] busy"
		}
		return ""
	}
	report, err := Drain(t.Context(), DrainConfig{Target: p.target(), Logins: logins(3)})
	if err != nil || report.ErrorCount() != 1 || report.Row("DELE+QUIT").Count != 10 || p.total() != 5 {
		t.Errorf("report %+v, %d left, %v", report, p.total(), err)
	}
}

// With Reconnect a lost session is continued; its marks are recorded as unknown.
func TestDrainLostSessions(t *testing.T) {
	p := newPeer(t)
	m := newMailPeer(t, p, LMTP)
	j, path := journalIn(t)
	if _, err := Deliver(t.Context(), DeliverConfig{Target: Target{Addr: m.addr}, Users: userNames(3), Count: 30, Journal: j}); err != nil {
		t.Fatal(err)
	}
	lost := 0
	p.loseQUIT = func(string) bool { lost++; return lost == 2 }
	_, err := Drain(t.Context(), DrainConfig{Target: p.target(), Logins: logins(3), Journal: j})
	if err == nil || !strings.Contains(err.Error(), "session of user2@example.test") {
		t.Errorf("without Reconnect: error %v, want one about user2", err)
	}
	report, err := Drain(t.Context(), DrainConfig{Target: p.target(), Logins: logins(3), Journal: j, Reconnect: time.Minute})
	if err != nil || report.ErrorCount() != 0 || p.total() != 0 {
		t.Errorf("report %+v, error %v, %d left", report, err, p.total())
	}
	f := verified(t, p, 3, path)
	if f.Failures() != 0 || f.Acknowledged != 30 || f.Removed != 20 || f.UnknownRemovals != 10 || f.UnknownRemovalsPresent != 0 {
		t.Errorf("findings %+v", f)
	}
}

// A drain without end goes on until it is cancelled, and is then no error.
func TestDrainUntilCancelled(t *testing.T) {
	p := filled(t, 2, 1)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	n := 0
	p.loseQUIT = func(string) bool {
		if n++; n == 10 {
			cancel()
		}
		return false
	}
	report, err := Drain(ctx, DrainConfig{Target: p.target(), Logins: logins(2), Duration: time.Hour})
	if err != nil || !report.Stopped || report.Row("sessions").Count < 9 {
		t.Errorf("report %+v, error %v", report, err)
	}
}

func TestIdle(t *testing.T) {
	p := filled(t, 2, 1)
	held := 0
	report, err := Idle(t.Context(), IdleConfig{
		Target: p.target(), Logins: logins(2), Sessions: 50, Hold: time.Millisecond, Held: func(open int) { held = open },
	})
	if err != nil || held != 50 || report.Fact("answered at the end") != 50 || report.ErrorCount() != 0 {
		t.Errorf("held %d, report %+v, error %v", held, report, err)
	}
}

// Sessions that the server ends meanwhile are counted.
func TestIdleLost(t *testing.T) {
	p := newPeer(t)
	p.refuse = func(command string) string {
		if command == "QUIT" {
			return "close"
		}
		return ""
	}
	report, err := Idle(t.Context(), IdleConfig{Target: p.target(), Sessions: 5, Hold: time.Millisecond})
	if err != nil || report.Fact("opened") != 5 || report.Fact("answered at the end") != 0 || report.ErrorCount() != 5 {
		t.Errorf("report %+v, error %v", report, err)
	}
}

func TestSeed(t *testing.T) {
	p := newPeer(t)
	m := newMailPeer(t, p, LMTP)
	j, path := journalIn(t)
	report, err := Seed(t.Context(), SeedConfig{
		Mail: Target{Addr: m.addr}, POP3: p.target(), Logins: logins(4),
		Rate: 10_000, Scale: 0.00001, Journal: j, Messages: Messages{Size: 1000},
	})
	if err != nil || len(report.Parts) != 3 || report.ErrorCount() != 0 {
		t.Fatalf("report %+v, error %v", report, err)
	}
	got := fmt.Sprint(report.Parts[0].Row("messages").Count, report.Parts[1].Row("sessions").Count, report.Parts[2].Row("DELE+QUIT").Count)
	if want := "60 4 60"; got != want || p.total() != 0 {
		t.Errorf("delivered, polled, removed: %s, want %s; %d left", got, want, p.total())
	}
	if f := verified(t, p, 4, path); f.Failures() != 0 || f.Removed != 60 {
		t.Errorf("findings %+v", f)
	}
}

// Broken listings are errors, not wrong figures.
func TestBrokenResponses(t *testing.T) {
	for _, c := range []struct{ command, response string }{
		{"STAT", "+OK"},
		{"STAT", "+OK many"},
		{"STAT", "+OK 1 -5"},
		{"STAT", "hello"},
		{"LIST", "+OK\r\n2 5\r\n."},
		{"LIST", "+OK\r\n1 x\r\n."},
		{"LIST", "+OK\r\n."},
		{"UIDL", "+OK\r\n1 a\r\n2 b\r\n."},
	} {
		p := filled(t, 1, 1)
		p.refuse = func(command string) string {
			if command == c.command {
				return c.response
			}
			return ""
		}
		if _, err := Verify(t.Context(), VerifyConfig{Target: p.target(), Logins: logins(1)}); err == nil {
			t.Errorf("%s answered with %q: no error", c.command, c.response)
		}
	}
}
