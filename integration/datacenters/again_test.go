package datacenters

import (
	"fmt"
	"testing"
	"time"

	"popelago/adminclient"
	"popelago/cassandratest"
	"popelago/integration/servertest"
	"popelago/integration/sitetest"
	"popelago/mailtest"
)

// story is the history of an address: events while the line is whole, events while the line is cut,
// and the result.
type story struct {
	name           string
	whole, cut, in func(t *testing.T, s *sitetest.Sites)
	// late is the number of messages acknowledged for an ended or displaced account. The number is
	// known after in.
	late int
	// after continues when the late messages were found.
	after func(t *testing.T, s *sitetest.Sites)
}

// TestAgain: an address changes its owner, in one datacenter and in both, with or without a cut.
// Every owner sees only messages for that owner, mail acknowledged to the final owner is present, and
// in the end both datacenters agree on the owner. Likewise aliases, domains, settings, quotas and access tokens
// change on both sides.
func TestAgain(t *testing.T) {
	const window = 4 * time.Minute // less than sitetest.JudgeAhead
	s := newSites(t, sitetest.WindowSetting(window), `admin.listen = "127.0.0.1:0"`, "trace.enabled = true", "audit.enabled = true")
	stories := []*story{
		createdElsewhere(), againHere(), againThere(), againApart(), againAcross(), twoOwners(), madeTwice(),
		passwordOfRemoved("changed-later", false), passwordOfRemoved("changed-earlier", true),
		aliasesAcross(), loopMadeApart(), settingsApart(), domainsApart(), quotaApart(), tokensAcross(), traceAcross(),
	}
	stage := func(name string, of func(*story) func(*testing.T, *sitetest.Sites)) {
		t.Run(name, func(t *testing.T) {
			for _, l := range stories {
				if do := of(l); do != nil {
					t.Run(l.name, func(t *testing.T) {
						t.Parallel()
						do(t, s)
					})
				}
			}
		})
		if t.Failed() {
			t.FailNow()
		}
	}
	stage("whole", func(s *story) func(*testing.T, *sitetest.Sites) { return s.whole })
	if err := s.Cut("dc1", "dc2"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Heal("dc1", "dc2") })
	stage("cut", func(s *story) func(*testing.T, *sitetest.Sites) { return s.cut })
	if err := s.Heal("dc1", "dc2"); err != nil {
		t.Fatal(err)
	}
	s.WaitWhole(t)
	stage("healed", func(s *story) func(*testing.T, *sitetest.Sites) { return s.in })
	late := 0
	for _, l := range stories {
		late += l.late
	}
	if late == 0 {
		t.Error("no mail was late: the test has lost its point")
	}
	kept := func(at ...*servertest.Server) {
		t.Helper()
		for _, at := range at {
			mailtest.WaitFor(t, sitetest.Limit, func() error {
				if n := s.RunJob(t, at, "purge")["late"]; n != int64(late) {
					return fmt.Errorf("%d messages are kept as late %s, want %d", n, s.Place(at), late)
				}
				return nil
			})
		}
	}
	kept(s.Both()...)
	// A check judges the same.
	found := checkAll(t, s.StartJudge(t, window), adminclient.CheckOptions{Deep: true, Repair: true, Force: true})
	if found.Problems > 0 || found.Young > 0 || found.Entries == 0 {
		t.Errorf("check: %s: %v", counted(found), found.Findings)
	}
	kept(s.Two) // two servers of dc1 share the work
	t.Logf("%d messages are kept, acknowledged for accounts that had ended in the other datacenter", late)
	stage("afterwards", func(s *story) func(*testing.T, *sitetest.Sites) { return s.after })
	if err := cassandratest.Uncoordinated(s.Cluster.Cluster); err != nil {
		t.Error(err)
	}
}
