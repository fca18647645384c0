package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-smtp"
)

// journalIn opens a journal in a folder of the test and returns its path too.
func journalIn(t *testing.T) (*Journal, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "journal")
	j, err := OpenJournal(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { j.Close() })
	return j, path
}

// verified runs Verify and returns its findings.
func verified(t *testing.T, p *peer, n int, path string) *Findings {
	t.Helper()
	report, err := Verify(t.Context(), VerifyConfig{Target: p.target(), Logins: logins(n), Journal: path, Record: path != "", Connections: 2})
	if err != nil {
		t.Fatalf("Verify: %v", err)
	}
	return report.Findings
}

// Delivered messages are stored octet for octet, by either protocol, with DATA and with BDAT, to
// one recipient and to several, with reused and with fresh connections.
func TestDeliver(t *testing.T) {
	for _, protocol := range []Protocol{LMTP, SMTP} {
		for _, chunking := range []bool{false, true} {
			for _, recipients := range []int{1, 3} {
				t.Run(fmt.Sprintf("%s/chunking=%v/%d", protocol, chunking, recipients), func(t *testing.T) {
					p := newPeer(t)
					m := newMailPeer(t, p, protocol)
					j, path := journalIn(t)
					report, err := Deliver(t.Context(), DeliverConfig{
						Target: Target{Addr: m.addr}, Protocol: protocol, Users: userNames(5), Recipients: recipients,
						Messages: Messages{Awkward: 0.5, Size: 5000}, Connections: 3, PerConnection: 10, Count: 60,
						Chunking: chunking, Journal: j,
					})
					if err != nil {
						t.Fatal(err)
					}
					if n := report.ErrorCount(); n != 0 {
						t.Fatalf("errors: %+v", report.Errors)
					}
					row := report.Row("messages")
					if row.Count != 60 || row.Octets != 60*5000 || row.Max <= 0 || report.Fact("taken") != int64(60*recipients) {
						t.Errorf("report: %+v", report)
					}
					if n := m.connections(); n < 6 {
						t.Errorf("60 messages, 10 on each connection, took %d connections", n)
					}
					f := verified(t, p, 5, path)
					if f.Failures() != 0 || f.Messages != int64(60*recipients) || f.Acknowledged != f.Messages {
						t.Errorf("findings: %+v", f)
					}
				})
			}
		}
	}
}

// Each recipient has a verdict, and refusals are grouped by reply.
func TestDeliverRefusals(t *testing.T) {
	p := newPeer(t)
	m := newMailPeer(t, p, LMTP)
	m.rcpt = func(to string) error {
		if strings.HasPrefix(to, "user1@") {
			return &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "no such user " + to}
		}
		return nil
	}
	m.store = func(to string, _ []byte) error {
		switch {
		case strings.HasPrefix(to, "user2@"):
			return &smtp.SMTPError{Code: 452, EnhancedCode: smtp.EnhancedCode{4, 2, 2}, Message: "full"}
		case strings.HasPrefix(to, "user3@"):
			return &smtp.SMTPError{Code: 552, EnhancedCode: smtp.EnhancedCode{5, 3, 4}, Message: "too large"}
		}
		return nil
	}
	j, path := journalIn(t)
	report, err := Deliver(t.Context(), DeliverConfig{
		Target: Target{Addr: m.addr}, Users: userNames(4), Recipients: 4, Count: 10, Journal: j,
	})
	if err != nil {
		t.Fatal(err)
	}
	if report.Fact("taken") != 10 || report.Fact("refused") != 20 || report.Fact("unknown") != 10 || report.ErrorCount() != 30 || len(report.Errors) != 3 {
		t.Errorf("report: %+v", report)
	}
	f := verified(t, p, 4, path)
	if f.Failures() != 0 || f.Acknowledged != 10 || f.UnknownAbsent != 10 {
		t.Errorf("findings: %+v", f)
	}
}

// A message refused for every recipient leaves the connection usable.
func TestDeliverNobody(t *testing.T) {
	for _, chunking := range []bool{false, true} {
		p := newPeer(t)
		m := newMailPeer(t, p, LMTP)
		m.rcpt = func(to string) error {
			if strings.HasPrefix(to, "user1@") {
				return &smtp.SMTPError{Code: 550, Message: "no"}
			}
			return nil
		}
		report, err := Deliver(t.Context(), DeliverConfig{
			Target: Target{Addr: m.addr}, Users: userNames(2), Count: 10, Chunking: chunking,
		})
		if err != nil {
			t.Fatalf("chunking %v: %v", chunking, err)
		}
		if report.Fact("taken") != 5 || report.Fact("refused") != 5 || m.connections() != 1 {
			t.Errorf("chunking %v: %d connections, report %+v", chunking, m.connections(), report)
		}
	}
}

// A server that dies between storing and replying loses no message. Duplicates appear only where
// the outcome was unknown, and Verify says so.
func TestDeliverLostReplies(t *testing.T) {
	for _, resend := range []bool{false, true} {
		t.Run(fmt.Sprintf("resend=%v", resend), func(t *testing.T) {
			p := newPeer(t)
			m := newMailPeer(t, p, LMTP)
			n := 0
			m.store = func(to string, text []byte) error {
				switch n++; n % 10 {
				case 3: // stored, and no reply
					p.add(to, traced(text))
					return errKilled
				case 7: // not stored, and no reply
					return errKilled
				}
				return nil
			}
			j, path := journalIn(t)
			report, err := Deliver(t.Context(), DeliverConfig{
				Target: Target{Addr: m.addr}, Users: userNames(3), Count: 50, Connections: 2,
				Reconnect: time.Minute, Resend: resend, Journal: j,
			})
			if err != nil {
				t.Fatal(err)
			}
			if report.ErrorCount() == 0 || report.Fact("unknown") == 0 {
				t.Errorf("report: %+v", report)
			}
			f := verified(t, p, 3, path)
			if f.Failures() != 0 {
				t.Errorf("findings: %+v", f)
			}
			if resend {
				if f.Acknowledged != 50 || f.UnknownDuplicates == 0 || f.UnknownPresent+f.UnknownAbsent != 0 {
					t.Errorf("findings: %+v", f)
				}
			} else if f.Acknowledged != 40 || f.UnknownPresent != 5 || f.UnknownAbsent != 5 {
				t.Errorf("findings: %+v", f)
			}
		})
	}
}

// Without Reconnect a lost connection ends the run, and the report is there all the same.
func TestDeliverGivesUp(t *testing.T) {
	p := newPeer(t)
	m := newMailPeer(t, p, LMTP)
	n := 0
	m.store = func(string, []byte) error {
		if n++; n > 5 {
			return errKilled
		}
		return nil
	}
	report, err := Deliver(t.Context(), DeliverConfig{Target: Target{Addr: m.addr}, Users: userNames(1), Count: 50})
	if err == nil || !strings.Contains(err.Error(), "connection lost") {
		t.Errorf("error %v, want one that tells of the loss", err)
	}
	if report.Fact("taken") != 5 || !report.Stopped {
		t.Errorf("report: %+v", report)
	}
}

// A cancelled run is no error and keeps its measurements.
func TestDeliverCancelled(t *testing.T) {
	p := newPeer(t)
	m := newMailPeer(t, p, SMTP)
	ctx, cancel := context.WithCancel(t.Context())
	n := 0
	m.store = func(string, []byte) error {
		if n++; n == 20 {
			cancel()
		}
		return nil
	}
	report, err := Deliver(ctx, DeliverConfig{Target: Target{Addr: m.addr}, Protocol: SMTP, Users: userNames(1), Count: 1_000_000})
	if err != nil || !report.Stopped || report.Fact("taken") < 20 || report.ErrorCount() != 0 {
		t.Errorf("report %+v, error %v", report, err)
	}
}

func TestDeliverConfigErrors(t *testing.T) {
	good := DeliverConfig{Target: Target{Addr: "127.0.0.1:1"}, Users: userNames(1), Count: 1}
	for want, change := range map[string]func(*DeliverConfig){
		"host:port":           func(c *DeliverConfig) { c.Target.Addr = "nowhere" },
		"TLS mode":            func(c *DeliverConfig) { c.Target.TLS = "maybe" },
		"protocol":            func(c *DeliverConfig) { c.Protocol = "uucp" },
		"no users":            func(c *DeliverConfig) { c.Users = nil },
		"without blanks":      func(c *DeliverConfig) { c.Users = []string{"a b"} },
		"only 1 users":        func(c *DeliverConfig) { c.Recipients = 2 },
		"duration or a count": func(c *DeliverConfig) { c.Count = 0 },
		"message size":        func(c *DeliverConfig) { c.Messages.Size = 10 },
		"share":               func(c *DeliverConfig) { c.Messages.Awkward = 2 },
		"connection refused":  func(c *DeliverConfig) {},
	} {
		cfg := good
		change(&cfg)
		if _, err := Deliver(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
}

// An unwritable journal is an error of the run: a check would blame the server.
func TestJournalErrors(t *testing.T) {
	if _, err := os.Stat("/dev/full"); err != nil {
		t.Skip("no /dev/full here")
	}
	j, err := OpenJournal("/dev/full")
	if err != nil {
		t.Fatal(err)
	}
	p := newPeer(t)
	m := newMailPeer(t, p, LMTP)
	_, err = Deliver(t.Context(), DeliverConfig{Target: Target{Addr: m.addr}, Users: userNames(1), Count: 3, Journal: j})
	if err == nil || errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "write journal") {
		t.Errorf("error %v, want one about the journal", err)
	}
}
