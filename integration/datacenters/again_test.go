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

// life is a story of one address: events while the line is whole, events while it is cut, and the
// result.
type life struct {
	name           string
	whole, cut, in func(t *testing.T, s *sitetest.Sites)
	// late is the number of messages acknowledged for an account that had ended elsewhere, or was
	// displaced. It is known after in.
	late int
	// after goes on when the late messages were found.
	after func(t *testing.T, s *sitetest.Sites)
}

// TestAgain: an address changes its owner, in one datacenter and in the other, with the line
// between them cut or not. No owner ever sees another owner's mail, mail acknowledged to the final
// owner is present, and in the end both datacenters agree on the owner.
func TestAgain(t *testing.T) {
	const window = 4 * time.Minute // less than sitetest.JudgeAhead
	s := newSites(t, sitetest.WindowSetting(window))
	stories := []*life{
		createdElsewhere(), againHere(), againThere(), againApart(), againAcross(), twoOwners(), madeTwice(),
		passwordOfRemoved("changed-later", false), passwordOfRemoved("changed-earlier", true),
	}
	stage := func(name string, of func(*life) func(*testing.T, *sitetest.Sites)) {
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
	stage("whole", func(l *life) func(*testing.T, *sitetest.Sites) { return l.whole })
	if err := s.Cut("dc1", "dc2"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Heal("dc1", "dc2") })
	stage("cut", func(l *life) func(*testing.T, *sitetest.Sites) { return l.cut })
	if err := s.Heal("dc1", "dc2"); err != nil {
		t.Fatal(err)
	}
	s.WaitWhole(t)
	stage("healed", func(l *life) func(*testing.T, *sitetest.Sites) { return l.in })
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
	kept(s.Two) // dc1 has two servers that share the work
	t.Logf("%d messages are kept that were acknowledged for accounts which had ended elsewhere", late)
	stage("afterwards", func(l *life) func(*testing.T, *sitetest.Sites) { return l.after })
	if err := cassandratest.Uncoordinated(s.Cluster.Cluster); err != nil {
		t.Error(err)
	}
}
