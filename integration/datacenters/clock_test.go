package datacenters

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"popelago/adminclient"
	"popelago/integration/servertest"
	"popelago/integration/sitetest"
	"popelago/mailtest"
)

// TestClockFarOff: a server whose clock is 100 days ahead, or hours behind, refuses all work that
// needs the time, and loses no mail: with a retention nothing expires, and no maildrop looks empty.
// When the clock is right again the server resumes. Its log has one error for each period of a wrong
// clock, however many requests were refused.
func TestClockFarOff(t *testing.T) {
	s := newSites(t)
	admin := s.One.Admin()
	defer admin.Close()
	if _, err := admin.ChangeDomain(servertest.Deadline(t, servertest.StartLimit), servertest.Domain, adminclient.DomainSettings{Retention: "30d"}); err != nil {
		t.Fatal(err)
	}
	expires, stays := sitetest.Owner("expires", 1), sitetest.Owner("stays", 1)
	names := map[servertest.Account][]string{expires: {"first"}, stays: {"first"}}
	for a := range names {
		s.Known(t, a, "first")
	}
	if err := admin.SetRetention(servertest.Deadline(t, servertest.StartLimit), stays.Address, "forever"); err != nil {
		t.Fatal(err)
	}
	for name, off := range map[string]time.Duration{"100 days ahead": 100 * 24 * time.Hour, "3 hours behind": -3 * time.Hour} {
		t.Run(name, func(t *testing.T) {
			var ahead atomic.Int64
			ahead.Store(int64(off))
			wrong, log, _ := s.StartClock(t, "dc1", func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) },
				`store.clock_settle = "0s"`) // the clock is the only reason of the refusal
			refuses(t, s, wrong, expires, stays, names[stays])
			saysClock(t, log, 1, 0)
			ahead.Store(0)
			for a := range names {
				name := strings.ReplaceAll(name, " ", "-")
				mailtest.WaitFor(t, sitetest.Limit, func() error {
					if !s.Take(t, wrong, a, name) {
						return fmt.Errorf("mail for %s is put off although the clock is right", a.Address)
					}
					return nil
				})
				names[a] = append(names[a], name)
				s.Shows(t, wrong, a, names[a]...)
			}
			saysClock(t, log, 1, 1)
			ahead.Store(int64(off)) // while the server runs
			refuses(t, s, wrong, expires, stays, names[stays])
			saysClock(t, log, 2, 1)
		})
	}
	for a := range names {
		for _, at := range s.Both() {
			s.Shows(t, at, a, names[a]...)
		}
	}
}

// refuses expects a server to do no work that needs a clock.
func refuses(t *testing.T, s *sitetest.Sites, wrong *servertest.Server, expires, stays servertest.Account, want []string) {
	t.Helper()
	for _, a := range []servertest.Account{expires, stays} {
		if s.Take(t, wrong, a, "refused") {
			t.Errorf("mail for %s was taken", a.Address)
		}
	}
	if names, refused := s.Look(t, wrong, expires); !strings.HasPrefix(refused, "-ERR [SYS/TEMP] ") {
		t.Errorf("the maildrop with a retention: %q, %q, want [SYS/TEMP]", names, refused)
	}
	s.Shows(t, wrong, stays, want...)
	admin := wrong.Admin()
	defer admin.Close()
	for _, job := range []string{"expire", "floor", "reap", "orphans", "purge", "usage", "alarms"} {
		run, err := admin.RunTask(servertest.Deadline(t, sitetest.Limit), job, true)
		if err != nil || run.Result != "refused" {
			t.Errorf("%s: %s %+v, %v; want refused", job, run.Result, run.Report, err)
		}
	}
	ctx := servertest.Deadline(t, servertest.StartLimit)
	if _, err := admin.AddDomain(ctx, "wrong-clock.test"); err == nil {
		t.Error("a domain was added")
	}
	if err := admin.SetPassword(ctx, stays.Address, "another password"); err == nil {
		t.Error("a password was changed")
	}
}

// saysClock waits until a server's log reports wantWrong times a wrong clock, and wantRight times a
// right clock, and expects no further line about the clock, except for sessions and heartbeats.
func saysClock(t *testing.T, log *servertest.Output, wantWrong, wantRight int) {
	t.Helper()
	mailtest.WaitFor(t, sitetest.Limit, func() error {
		var wrong, right int
		for line := range strings.Lines(log.String()) {
			switch {
			case strings.Contains(line, "level=ERROR") && strings.Contains(line, "the clock is wrong"):
				wrong++
			case strings.Contains(line, "the clock is right"):
				right++
			case strings.Contains(line, "heartbeat"): // on a busy machine one may fail, also in the question for a clock
			case strings.Contains(line, "clock") && !strings.Contains(line, " session="):
				t.Fatalf("a further line about the clock: %s", line)
			}
		}
		if wrong != wantWrong || right != wantRight {
			err := fmt.Errorf("%d times the clock is said to be wrong, and %d times to be right; want %d and %d", wrong, right, wantWrong, wantRight)
			if wrong > wantWrong || right > wantRight {
				t.Fatal(err)
			}
			return err
		}
		return nil
	})
}
