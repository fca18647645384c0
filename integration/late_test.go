package integration

import (
	"fmt"
	"strings"
	"testing"

	"popelago/integration/servertest"
	"popelago/mailtest"
)

// lateServers are two servers with one storage.
type lateServers struct {
	*testing.T
	both []*servertest.Server
	runs []*servertest.Process // of both servers, including ended ones
}

func (l *lateServers) start(s *servertest.Server) {
	l.Helper()
	s.Start(l)
	l.runs = append(l.runs, s.Proc)
}

// purged waits until the purge of both servers counts want messages as late.
func (l *lateServers) purged(want int64) {
	l.Helper()
	mailtest.WaitFor(l, servertest.StartLimit, func() error {
		var kept int64
		for _, s := range l.both {
			admin := s.Admin()
			run, err := admin.RunTask(servertest.Deadline(l, servertest.StartLimit), "purge", true)
			admin.Close()
			if err != nil || run.Result != "ok" {
				return fmt.Errorf("purge: %+v, %v", run, err)
			}
			for _, n := range run.Report {
				if n.Name == "late" {
					kept += n.Count
				}
			}
		}
		if kept != want {
			return fmt.Errorf("%d messages are kept as late, want %d", kept, want)
		}
		return nil
	})
}

// warned checks that the servers have warned of late mail once for each account.
func (l *lateServers) warned(accounts []servertest.Account) {
	l.Helper()
	var warnings []string
	for _, run := range l.runs {
		for line := range strings.Lines(run.Out.String()) {
			if strings.Contains(line, "is kept for a while") {
				warnings = append(warnings, line)
			}
		}
	}
	all := strings.Join(warnings, "")
	for _, a := range accounts {
		if strings.Count(all, "address="+a.Address+" ") != 1 {
			l.Errorf("%s is not warned of once", a.Address)
		}
	}
	if len(warnings) != len(accounts) || strings.Count(all, "level=WARN") != len(accounts) || strings.Count(all, "messages=1 ") != len(accounts) {
		l.Errorf("the servers have warned of late mail for %d accounts:\n%s", len(accounts), all)
	}
}

// command runs a command about late mail at a server.
func (l *lateServers) command(at int, name string, args ...string) string {
	l.Helper()
	args = append([]string{"late", name, "--config", l.both[at].Conf}, args...)
	return servertest.Program{}.Must(l, servertest.Binary(l), args...)
}

// TestLateMail: a server ends accounts, and a domain with one of them. The other server still has
// them cached, and goes on to acknowledge their mail. No maildrop lists that mail, but it is kept:
// the servers warn of it once, even after a restart, and an operator can list it and hand it over.
func TestLateMail(t *testing.T) {
	setup := node.Setup(t)
	setup.FixedPorts = true
	setup.Settings = append(setup.Settings, `auth.address_cache_ttl = "1h"`, `tasks.purge_every = "0s"`, `cassandra.heartbeat = "1s"`)
	l := &lateServers{T: t}
	for range 2 {
		s := servertest.NewServer(t, setup)
		l.both = append(l.both, s)
		l.start(s)
	}
	ctx := servertest.Deadline(t, servertest.StartLimit)
	admin := l.both[0].Admin()
	defer admin.Close()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	ended := []servertest.Account{{Address: "alice@" + servertest.Domain}, {Address: "carol@gone.test"}}
	heir := servertest.Account{Address: "heir@" + servertest.Domain, Password: "secret of heir"}
	for _, domain := range []string{servertest.Domain, "gone.test"} {
		_, err := admin.AddDomain(ctx, domain)
		must(err)
	}
	for _, a := range []servertest.Account{ended[0], ended[1], heir} {
		_, err := admin.AddAccount(ctx, a.Address, "secret of heir")
		must(err)
	}

	session := l.both[1].LMTPSession(t)
	taken := func(name string) {
		t.Helper()
		for _, a := range ended {
			if reply := servertest.TryDeliver(t, session, true, name, []servertest.Account{a})[0]; !strings.HasPrefix(reply, "250 ") {
				t.Fatalf("message %s for %s: %q", name, a.Address, reply)
			}
		}
	}
	taken("early")
	for _, a := range ended {
		_, err := admin.RemoveAccount(ctx, a.Address)
		must(err)
	}
	must(admin.RemoveDomain(ctx, "gone.test"))
	taken("late")

	l.purged(2)
	l.warned(ended)
	l.both[1].Stop(t)
	l.start(l.both[1])
	l.purged(2)
	l.warned(ended)

	list := l.command(1, "list")
	if strings.Count(list, "<"+servertest.Sender("late")+">") != 2 || strings.Contains(list, "early") {
		t.Errorf("late mail is listed as\n%s", list)
	}
	step := mailtest.ConsoleSection(t, "../docs/observability.md", "Mail for an account that has ended")[0]
	if printed := l.command(1, "list", ended[0].Address); !step.Matches(printed) {
		t.Errorf("$ %s\nprints\n%s\nthe page says\n%s", step.Command, printed, step.Output)
	}
	for _, a := range ended {
		if !strings.Contains(list, "\n"+a.Address+" ") {
			t.Errorf("late mail of %s is not listed:\n%s", a.Address, list)
		}
		if out := l.command(1, "hand-over", a.Address, heir.Address); !strings.Contains(out, "messages handed over to "+heir.Address+": 1") {
			t.Errorf("hand over the late mail of %s: %s", a.Address, out)
		}
	}
	for _, s := range l.both {
		got := s.Maildrop(t, heir)
		if len(got) != 2 || servertest.Mark(got[0].Octets) != "late" || servertest.Mark(got[1].Octets) != "late" {
			t.Errorf("%d messages were handed over, want the 2 that came late: %q", len(got), got)
		}
	}
	l.purged(0)
	if list := l.command(0, "list"); strings.Contains(list, "@") {
		t.Errorf("when all is handed over, late mail is listed as\n%s", list)
	}
}
