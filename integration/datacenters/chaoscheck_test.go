package datacenters

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"popelago/adminclient"
	"popelago/integration/servertest"
	"popelago/integration/sitetest"
	"popelago/mailtest"
)

// checked lets a server compare all entries with all contents, repairs the remains of interrupted
// deliveries, and expects a second comparison without findings. The accepting servers do not run
// meanwhile: they have another window.
func (c *chaos) checked(t testing.TB) {
	t.Helper()
	c.one.Stop(t)
	c.two.Stop(t)
	s := c.cluster.StartJudge(t, time.Second)
	c.cluster.RunJob(t, s, "purge") // waits for the heartbeats with another window to expire
	found := checkAll(t, s, adminclient.CheckOptions{Deep: true})
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
		found = checkAll(t, s, adminclient.CheckOptions{Deep: true})
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

// checkAll runs a check to its end. On a busy machine a check may fail, because its statements found no place: the check begins
// again.
func checkAll(t testing.TB, s *servertest.Server, o adminclient.CheckOptions) adminclient.Check {
	t.Helper()
	admin := s.Admin()
	defer admin.Close()
	o.Restart = true
	var check adminclient.Check
	running := false
	mailtest.WaitFor(t, sitetest.Limit, func() (err error) {
		if !running {
			check, err = admin.StartCheck(servertest.Deadline(t, servertest.StartLimit), o)
			running = err == nil
		} else {
			check, err = admin.Check(servertest.Deadline(t, servertest.StartLimit))
		}
		switch {
		case err != nil:
			return err
		case check.State == adminclient.CheckDone:
			return nil
		}
		running = check.State == adminclient.CheckRunning
		return fmt.Errorf("check: %s: %s: %s", check.State, check.Error, counted(check))
	})
	return check
}

// counted returns the numbers of a check.
func counted(check adminclient.Check) string {
	text := []string{fmt.Sprintf("%d entries, %d contents, %d too young, %d problems", check.Entries, check.Contents, check.Young, check.Problems)}
	for _, n := range check.Counts {
		text = append(text, fmt.Sprintf("%s %d, repaired %d, held %d", n.Kind, n.Found, n.Repaired, n.Held))
	}
	return strings.Join(text, "; ")
}
