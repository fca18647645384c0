package datacenters

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"popelago/adminclient"
	"popelago/integration/servertest"
	"popelago/mailtest"
)

// judgeAhead sets the clock of a judging server ahead, by less than the skew at which the server
// refuses the work.
const judgeAhead = 4*time.Minute + 30*time.Second

// startJudge starts a server in dc1 for which no message is too young to be judged: its clock is
// further ahead of all ids than the in-flight window. Background work waits while other running
// servers have another window.
func (c *cluster) startJudge(t testing.TB, window time.Duration) *servertest.Server {
	t.Helper()
	judge, _ := c.startAhead(t, "dc1", judgeAhead, windowSetting(window), `tasks.check_rate = 10000`)
	return judge
}

// windowSetting is the line of the configuration file for an in-flight window.
func windowSetting(window time.Duration) string { return fmt.Sprintf("cassandra.window = %q", window) }

// checked lets a server compare all entries with all contents, repairs the remains of interrupted
// deliveries, and expects a second comparison without findings. The servers that accepted the mail
// do not run meanwhile: they have another window.
func (c *chaos) checked(t testing.TB) {
	t.Helper()
	c.one.Stop(t)
	c.two.Stop(t)
	s := c.cluster.startJudge(t, time.Second)
	c.cluster.run(t, s, "purge") // waits for the heartbeats with another window to expire
	found := checkAll(t, s, adminclient.CheckOptions{Deep: true, Restart: true})
	t.Logf("check: %s", counted(found))
	for _, n := range found.Counts {
		// An orphan, or a missing copy of several, belongs to a refused delivery.
		if n.Kind != "orphan" && n.Kind != "unlisted" && n.Found > 0 {
			t.Errorf("check: %d times %s: %v", n.Found, n.Kind, found.Findings)
		}
	}
	if found.Problems > 0 {
		repaired := checkAll(t, s, adminclient.CheckOptions{Repair: true, Force: true})
		t.Logf("check --repair: %s", counted(repaired))
		found = checkAll(t, s, adminclient.CheckOptions{Deep: true, Restart: true})
	}
	if found.Problems > 0 {
		t.Errorf("check after a repair: %s: %v", counted(found), found.Findings)
	}
	if found.Young > 0 || found.Entries == 0 || found.Contents == 0 {
		t.Errorf("check: %s: want all judged", counted(found))
	}
	c.one.Start(t)
	c.two.Start(t)
}

// checkAll runs a check to its end.
func checkAll(t testing.TB, s *servertest.Server, o adminclient.CheckOptions) adminclient.Check {
	t.Helper()
	admin := s.Admin()
	defer admin.Close()
	var check adminclient.Check
	mailtest.WaitFor(t, nodesLimit, func() (err error) {
		check, err = admin.StartCheck(servertest.Deadline(t, servertest.StartLimit), o)
		return err
	})
	mailtest.WaitFor(t, nodesLimit, func() (err error) {
		if check, err = admin.Check(servertest.Deadline(t, servertest.StartLimit)); err == nil && check.State == adminclient.CheckRunning {
			err = fmt.Errorf("still at it: %s", counted(check))
		}
		return err
	})
	if check.State != adminclient.CheckDone {
		t.Fatalf("check: %s: %s", check.State, check.Error)
	}
	return check
}

// counted is the numbers of a check.
func counted(check adminclient.Check) string {
	text := []string{fmt.Sprintf("%d entries, %d contents, %d too young, %d problems", check.Entries, check.Contents, check.Young, check.Problems)}
	for _, n := range check.Counts {
		text = append(text, fmt.Sprintf("%s %d, repaired %d, held %d", n.Kind, n.Found, n.Repaired, n.Held))
	}
	return strings.Join(text, "; ")
}
