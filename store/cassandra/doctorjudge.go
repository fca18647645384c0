package cassandra

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"popelago/store"
)

// judgeContacts reports the contact points.
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

// judgeDatacenter reports whether the local datacenter exists.
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

// judgeNodes reports nodes that could not be asked. Nodes of another datacenter may be behind a firewall.
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
				Text: fmt.Sprintf("no node of datacenter %s can be reached from here (%s): their clocks and settings are not known", name, nodeNames(away)),
				Hint: "run popelago doctor in that datacenter, too; a server here cannot use it if this datacenter fails",
			})
			continue
		}
		for _, n := range away {
			f := Finding{Level: FindingWarning, Check: "node"}
			if dead(n) {
				f.Text = fmt.Sprintf("%s (%s, %s) is down: the other nodes do not hear it", n.address, n.datacenter, n.rack)
				f.Hint = "start it again within max_hint_window, or repair or replace it"
			} else {
				f.Text = fmt.Sprintf("%s (%s, %s) cannot be reached from here: %s", n.address, n.datacenter, n.rack, contactText(n.err))
			}
			found = append(found, f)
		}
	}
	if len(found) == 0 {
		found = append(found, Finding{Level: FindingOK, Check: "node", Text: count(len(nodes), "node") + " reached: " + nodeNames(nodes)})
	}
	return found
}

// judgeVersions reports the releases of the nodes.
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
		f := Finding{Level: FindingOK, Check: "version", Text: fmt.Sprintf("Cassandra %s on %s", version, nodeNames(some))}
		switch r := some[0].release(); {
		case some[0].tooOld():
			f.Level, f.Hint = FindingError, "upgrade Cassandra: 4.1 and 5.0 are supported"
		case r == 0 || r > newestRelease:
			f.Level, f.Hint = FindingWarning, "4.1 and 5.0 are supported: the tests cover no other release"
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

// judgeClocks compares the clocks of nodes with the clock of this machine. If the nodes agree, and all
// differ from this machine, one finding reports this machine.
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

// clockFinding reports the lead of the clock of a node, or with the sign -1 of this machine.
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
