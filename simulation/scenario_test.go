package simulation_test

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"popelago/mail"
	"popelago/simulation"
)

// scenario is a row of the table of faults in docs/multi-datacenter.md.
type scenario struct {
	event  string // the first column, without markup
	faults []simulation.Fault
	change func(*simulation.Config)
	check  func(simulation.Result) error
	not    string // why the row is not simulated
}

// every repeats a fault.
func every(pause, length time.Duration, kind simulation.Kind, places int) []simulation.Fault {
	var all []simulation.Fault
	for i := range 12 {
		all = append(all, simulation.Fault{Kind: kind, At: time.Duration(i+1) * pause, For: length, A: i % places})
	}
	return all
}

// lost loses a datacenter after an hour, and builds it again.
var lost = []simulation.Fault{{Kind: simulation.DatacenterLost, At: time.Hour, For: 25 * time.Minute, A: 0}}

func lostSome(r simulation.Result) error {
	if r.LostMessages == 0 || r.LostRemovals == 0 || r.LostAccounts == 0 {
		return fmt.Errorf("%d messages, %d removals and %d accounts are lost", r.LostMessages, r.LostRemovals, r.LostAccounts)
	}
	return nil
}

func lostNone(r simulation.Result) error {
	if r.LostMessages+r.LostRemovals > 0 {
		return fmt.Errorf("%d messages and %d removals are lost", r.LostMessages, r.LostRemovals)
	}
	return nil
}

// servedByTheThird: two datacenters of three are away for 70 minutes of two hours, and clients of all are served.
func servedByTheThird(r simulation.Result) error {
	if 10*r.Failed > r.Sent || 10*r.FailedLogins > r.Logins {
		return fmt.Errorf("%d of %d messages had to be sent again, %d of %d logins failed", r.Failed, r.Sent, r.FailedLogins, r.Logins)
	}
	return nil
}

func busy(cfg *simulation.Config)     { cfg.OwnerEvery = 5 * time.Minute }
func each(cfg *simulation.Config)     { cfg.Durability = mail.DurabilityEach }
func failover(cfg *simulation.Config) { cfg.Failover = true }
func ofThree(cfg *simulation.Config)  { cfg.Datacenters, cfg.Failover = 3, true }

// scenarios are in the order of the table.
var scenarios = []scenario{
	{event: "a popelago is killed, at any moment", faults: every(7*time.Minute, time.Minute, simulation.ServerKill, 4)},
	{event: "a node is killed, or loses power", faults: every(9*time.Minute, 7*time.Minute, simulation.NodeCrash, 6)},
	{event: "a node loses its disks", faults: every(10*time.Minute, time.Minute, simulation.NodeReplace, 6)},
	{event: "two nodes of a datacenter lose their disks at once", change: each, faults: []simulation.Fault{
		{Kind: simulation.NodeReplace, At: time.Hour, For: time.Minute, A: 0}, {Kind: simulation.NodeReplace, At: time.Hour, For: time.Minute, A: 1},
	}},
	{event: "a datacenter loses power", faults: every(14*time.Minute, 5*time.Minute, simulation.DatacenterDown, 2)},
	{event: "a datacenter loses power, and commitlog_sync is periodic", change: each, faults: []simulation.Fault{
		{Kind: simulation.NodeLosesLog, At: time.Hour, For: 5 * time.Minute, A: 0}, {Kind: simulation.NodeLosesLog, At: time.Hour, For: 5 * time.Minute, A: 1},
		{Kind: simulation.NodeLosesLog, At: time.Hour, For: 5 * time.Minute, A: 2},
	}},
	{event: "a datacenter is lost permanently", change: busy, check: lostSome, faults: append(lost, simulation.Fault{
		Kind: simulation.LinesCut, At: 30 * time.Minute, For: 31 * time.Minute, A: 0, B: 1,
	})},
	{event: "a datacenter is away, and its servers fail over", change: failover, faults: []simulation.Fault{
		{Kind: simulation.DatacenterDown, At: 30 * time.Minute, For: 40 * time.Minute, A: 0},
	}},
	{event: "the datacenter goes away again before it has all missed writes, for any length of time", change: failover, faults: []simulation.Fault{
		{Kind: simulation.DatacenterDown, At: 20 * time.Minute, For: 30 * time.Minute, A: 0},
		{Kind: simulation.DatacenterDown, At: 54 * time.Minute, For: 3 * time.Minute, A: 0},
		{Kind: simulation.DatacenterDown, At: 60 * time.Minute, For: time.Minute, A: 0},
	}},
	{event: "the datacenter that servers fail over to goes away, too", change: ofThree, check: servedByTheThird, faults: []simulation.Fault{
		{Kind: simulation.DatacenterDown, At: 20 * time.Minute, For: 60 * time.Minute, A: 0},
		{Kind: simulation.DatacenterDown, At: 30 * time.Minute, For: 60 * time.Minute, A: 1},
	}},
	{event: "a server restarts while its datacenter is away, or before the nodes have all missed writes", change: failover, faults: []simulation.Fault{
		{Kind: simulation.DatacenterDown, At: 20 * time.Minute, For: 30 * time.Minute, A: 0},
		{Kind: simulation.ServerKill, At: 30 * time.Minute, For: time.Minute, A: 0},
		{Kind: simulation.ServerKill, At: 51 * time.Minute, For: 10 * time.Second, A: 1},
	}},
	{event: "the line between the datacenters is cut", faults: []simulation.Fault{
		{Kind: simulation.LinesCut, At: 10 * time.Minute, For: 50 * time.Minute, A: 0, B: 1},
		{Kind: simulation.LinesCutOneWay, At: 70 * time.Minute, For: 30 * time.Minute, A: 1, B: 0},
	}},
	{event: "bit rot on a stopped node", not: "nodes have no files"},
	{event: "a repair is forgotten", change: func(cfg *simulation.Config) {
		life := simulation.Life(cfg.Seed)
		life.Datacenters, life.Nodes, life.Servers, life.Failover = 2, 3, 1, false
		life.Length, life.Pace.Repair = 20*24*time.Hour, 0
		life.Faults = simulation.Draw(life, 30*time.Hour, simulation.NodeCrash, simulation.NodeCompact, simulation.LinesCut)
		*cfg = life
	}},
	{event: "the clock of a server is wrong by more than 5 minutes", faults: []simulation.Fault{
		{Kind: simulation.ServerClock, At: 10 * time.Minute, For: 20 * time.Minute, A: 0, By: 100 * 24 * time.Hour},
		{Kind: simulation.ServerClock, At: 40 * time.Minute, For: 20 * time.Minute, A: 1, By: -20 * time.Minute},
		{Kind: simulation.ServerClock, At: 70 * time.Minute, For: 20 * time.Minute, A: 2, By: 7 * time.Minute},
	}},
	{event: "a server is suspended, and its clock is behind when it wakes up", faults: []simulation.Fault{
		{Kind: simulation.ServerSuspended, At: 5 * time.Minute, For: 3 * time.Minute, By: time.Minute, A: 0},
		{Kind: simulation.ServerSuspended, At: 20 * time.Minute, For: 40 * time.Minute, By: 8 * time.Minute, A: 1},
		{Kind: simulation.ServerSuspended, At: 25 * time.Minute, For: 80 * time.Minute, By: 6 * time.Minute, A: 2},
		{Kind: simulation.ServerSuspended, At: 75 * time.Minute, For: 20 * time.Minute, A: 0},
	}},
}

// TestScenarios lives through each row of the table of faults.
func TestScenarios(t *testing.T) {
	for _, s := range scenarios {
		if s.not != "" {
			continue
		}
		t.Run(s.event, func(t *testing.T) {
			if testing.Short() {
				t.Skip("long")
			}
			s.live(t)
		})
	}
}

// live lives through a scenario: two datacenters of three nodes and two servers, for two hours.
func (s scenario) live(t *testing.T) {
	t.Helper()
	cfg := simulation.Shape(1)
	cfg.Datacenters, cfg.Nodes, cfg.Racks, cfg.Servers, cfg.Failover, cfg.Length = 2, 3, 3, 2, false, 2*time.Hour
	cfg.Faults = s.faults
	if s.change != nil {
		s.change(&cfg)
	}
	r := run(t, cfg)
	if len(r.Violations) > 0 {
		report(t, cfg, r)
		t.Log(strings.Join(r.About(), "\n"))
	}
	if r.Acknowledged == 0 || r.Retrieved == 0 || r.Removed == 0 {
		t.Errorf("nothing happened: %+v", r.Tally)
	}
	if s.check != nil {
		if err := s.check(r); err != nil {
			t.Error(err)
		}
	}
}

// TestLostDatacenter: with durability each a lost datacenter takes nothing with it.
func TestLostDatacenter(t *testing.T) {
	if testing.Short() {
		t.Skip("long")
	}
	scenario{faults: lost, change: each, check: lostNone}.live(t)
}

// TestScenariosFollowTheDocs: each row of the table has a scenario, or a reason.
func TestScenariosFollowTheDocs(t *testing.T) {
	text, err := os.ReadFile("../docs/multi-datacenter.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, found := strings.Cut(string(text), "| event | lost with `local` | lost with `each` |\n")
	if !found {
		t.Fatal("the table is missing")
	}
	link := regexp.MustCompile(`\[([^]]*)\]\([^)]*\)`)
	var events []string
	for _, line := range strings.Split(table, "\n")[1:] {
		if !strings.HasPrefix(line, "|") {
			break
		}
		event := strings.TrimSpace(strings.Split(line, "|")[1])
		events = append(events, strings.ReplaceAll(link.ReplaceAllString(event, "$1"), "`", ""))
	}
	var known []string
	for _, s := range scenarios {
		known = append(known, s.event)
	}
	if got, want := strings.Join(known, "\n"), strings.Join(events, "\n"); got != want {
		t.Errorf("scenarios:\n%s\nevents in the table:\n%s", got, want)
	}
}

// TestOnlyClockIsWrong: a server starts while one of its two nodes has a clock that is months ahead. It distrusts its
// own clock. What it removes is reclaimed all the same.
func TestOnlyClockIsWrong(t *testing.T) {
	cfg := simulation.Shape(1)
	cfg.Datacenters, cfg.Nodes, cfg.Racks, cfg.Servers, cfg.Failover, cfg.Length = 1, 3, 1, 2, false, 2*time.Hour
	cfg.Faults = []simulation.Fault{
		{Kind: simulation.NodeCrash, At: 20 * time.Minute, For: time.Hour, A: 2},
		{Kind: simulation.NodeClock, At: 21 * time.Minute, For: time.Hour, A: 0, By: 100 * 24 * time.Hour},
		{Kind: simulation.ServerKill, At: 22 * time.Minute, For: time.Minute, A: 0},
		{Kind: simulation.ServerKill, At: 23 * time.Minute, For: time.Minute, A: 1},
	}
	r := run(t, cfg)
	if len(r.Violations) > 0 {
		report(t, cfg, r)
		t.Log(strings.Join(r.About(), "\n"))
	}
}
