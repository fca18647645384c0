package cassandra

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"popelago/store"
)

func judgeContacts(cfg Config, contacts []contact, nodes []node) []Finding {
	var found []Finding
	good := 0
	for _, c := range contacts {
		f := Finding{Level: FindingOK, Check: "contact", Text: c.host + " can be used"}
		switch {
		case c.err != nil:
			f.Level, f.Text = FindingWarning, fmt.Sprintf("%s cannot be used: %s", c.host, contactText(c.err))
			f.Hint = "correct cassandra.hosts, or what keeps that node away"
			if errors.Is(c.err, ErrSignIn) {
				f.Hint = "correct cassandra.username and cassandra.password_file"
			}
		case c.datacenter != cfg.Datacenter && len(inDatacenter(nodes, cfg.Datacenter)) > 0:
			f.Level, f.Text = FindingWarning, fmt.Sprintf("%s is in datacenter %q, not in %q", c.host, c.datacenter, cfg.Datacenter)
			f.Hint = "name nodes of the server's own datacenter in cassandra.hosts"
		default:
			good++
		}
		found = append(found, f)
	}
	if good == 0 {
		for i := range found {
			found[i].Level = FindingError
		}
	}
	return found
}

func judgeDatacenter(cfg Config, nodes []node) Finding {
	names := datacenters(nodes)
	if !slices.Contains(names, cfg.Datacenter) {
		return Finding{
			Level: FindingError, Check: "datacenter",
			Text: fmt.Sprintf("the cluster has no datacenter %q, but %s", cfg.Datacenter, strings.Join(names, ", ")),
			Hint: "correct cassandra.datacenter",
		}
	}
	var texts []string
	for _, name := range names {
		texts = append(texts, fmt.Sprintf("%s with %s", name, count(len(inDatacenter(nodes, name)), "node")))
	}
	return Finding{Level: FindingOK, Check: "datacenter", Text: "the cluster has " + strings.Join(texts, ", ")}
}

// judgeNodes tells of nodes that could not be asked. Those of another datacenter may be behind a
// firewall, which harms nothing but what needs them.
func judgeNodes(cfg Config, nodes []node) []Finding {
	var found []Finding
	for _, name := range datacenters(nodes) {
		all := inDatacenter(nodes, name)
		away := slices.DeleteFunc(slices.Clone(all), func(n node) bool { return n.err == nil })
		if isCut(cfg, nodes, name) {
			found = append(found, judgeCut(name, all))
			continue
		}
		dead := func(n node) bool { return n.alive != nil && !*n.alive }
		if name != cfg.Datacenter && len(away) == len(all) && !slices.ContainsFunc(away, dead) {
			found = append(found, Finding{
				Level: FindingWarning, Check: "node",
				Text: fmt.Sprintf("no node of datacenter %s can be reached from here (%s): their clocks and settings are not known", name, addresses(away)),
				Hint: "run popelago doctor in that datacenter, too; a server here cannot use it if this datacenter fails",
			})
			continue
		}
		for _, n := range away {
			f := Finding{Level: FindingWarning, Check: "node"}
			if dead(n) {
				f.Text = fmt.Sprintf("%s (%s, %s) is down: the other nodes do not hear from it", n.address, n.datacenter, n.rack)
				f.Hint = "start it again within max_hint_window, or repair or replace it"
			} else {
				f.Text = fmt.Sprintf("%s (%s, %s) cannot be reached from here: %s", n.address, n.datacenter, n.rack, contactText(n.err))
			}
			found = append(found, f)
		}
	}
	if len(found) == 0 {
		found = append(found, Finding{Level: FindingOK, Check: "node", Text: count(len(nodes), "node") + " reached: " + addresses(nodes)})
	}
	return found
}

// release is the major and minor version of a node, as 4.1 is 401; zero if it cannot be told.
func (n node) release() int {
	parts := strings.SplitN(n.version, ".", 3)
	if len(parts) < 2 {
		return 0
	}
	minor, _, _ := strings.Cut(parts[1], "-") // 6.0-SNAPSHOT
	major, err1 := strconv.Atoi(parts[0])
	small, err2 := strconv.Atoi(minor)
	if err1 != nil || err2 != nil {
		return 0
	}
	return major*100 + small
}

// What versions are known to work.
const (
	oldestRelease = 401
	newestRelease = 500
)

func (n node) tooOld() bool { return n.release() > 0 && n.release() < oldestRelease }

func judgeVersions(nodes []node) []Finding {
	byVersion := map[string][]node{}
	releases := map[int]bool{}
	for _, n := range nodes {
		byVersion[n.version] = append(byVersion[n.version], n)
		releases[n.release()] = true
	}
	var found []Finding
	for _, version := range slices.Sorted(maps.Keys(byVersion)) {
		some := byVersion[version]
		f := Finding{Level: FindingOK, Check: "version", Text: fmt.Sprintf("Cassandra %s on %s", version, addresses(some))}
		switch r := some[0].release(); {
		case some[0].tooOld():
			f.Level, f.Hint = FindingError, "upgrade Cassandra: 4.1 and 5.0 are supported"
		case r == 0 || r > newestRelease:
			f.Level, f.Hint = FindingWarning, "this program was tried with 4.1 and 5.0 only"
		}
		found = append(found, f)
	}
	if len(releases) > 1 {
		found = append(found, Finding{
			Level: FindingWarning, Check: "version", Text: "the nodes run different releases of Cassandra",
			Hint: "finish the upgrade, and run popelago schema apply before or after it, not in between",
		})
	}
	return found
}

// judgeClocks compares the clocks of nodes with this machine's. If all of them say the same it is
// this one that is wrong, which is one finding.
func judgeClocks(nodes []node) []Finding {
	known := having(nodes, func(n node) bool { return n.err == nil })
	off := having(known, func(n node) bool { return n.ahead.Abs()-n.uncertain > store.ClockWarning })
	if len(off) > 1 && len(off) == len(known) {
		least, most := off[0], off[0]
		for _, n := range off {
			if n.ahead < least.ahead {
				least = n
			}
			if n.ahead > most.ahead {
				most = n
			}
		}
		if most.ahead-least.ahead <= store.ClockWarning {
			return []Finding{clockFinding(least, "this machine's clock is %[2]v %[3]s those of all "+count(len(off), "node")+" that tell theirs", -1)}
		}
	}
	var found []Finding
	for _, n := range off {
		found = append(found, clockFinding(n, "the clock of %[1]s is %[2]v %[3]s this machine's", 1))
	}
	if len(found) == 0 && len(known) > 0 {
		worst := time.Duration(0)
		for _, n := range known {
			worst = max(worst, n.ahead.Abs())
		}
		found = append(found, Finding{Level: FindingOK, Check: "clock",
			Text: fmt.Sprintf("the clocks of %s are within %v of this machine's", count(len(known), "node"), worst.Round(time.Millisecond))})
	}
	return found
}

// clockFinding says how far a clock is off: a node's, or with the sign -1 this machine's.
func clockFinding(n node, format string, sign time.Duration) Finding {
	f := Finding{Level: FindingWarning, Check: "clock", Hint: "let NTP set the clocks of all nodes and servers"}
	if n.ahead.Abs()-n.uncertain > store.MaxClockSkew {
		f.Level = FindingError
	}
	direction := "ahead of"
	if sign*n.ahead < 0 {
		direction = "behind"
	}
	f.Text = fmt.Sprintf(format, n.address, n.ahead.Abs().Round(time.Millisecond), direction)
	return f
}

// datacenters are the names of those the nodes are in, in order.
func datacenters(nodes []node) []string {
	names := map[string]bool{}
	for _, n := range nodes {
		names[n.datacenter] = true
	}
	return sortedKeys(names)
}

func inDatacenter(nodes []node, name string) []node {
	var some []node
	for _, n := range nodes {
		if n.datacenter == name {
			some = append(some, n)
		}
	}
	return some
}

// addresses names nodes, the first few of many.
func addresses(nodes []node) string {
	const most = 6
	var list []string
	for _, n := range nodes {
		list = append(list, n.address)
	}
	slices.Sort(list)
	if len(list) > most {
		return fmt.Sprintf("%s and %d more", strings.Join(list[:most], ", "), len(list)-most)
	}
	return strings.Join(list, ", ")
}

// count is like "1 node" or "3 nodes".
func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
