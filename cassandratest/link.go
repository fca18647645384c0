package cassandratest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
)

// link is the network of a cluster whose datacenters can be cut off from each other. Each
// datacenter is a network namespace, and so is the router between them:
//
//	this host  10.(100+K).0.1   --- router --- 10.(100+K).1.M  datacenter 1
//	                                       \-- 10.(100+K).2.M  datacenter 2
//
// This host reaches all datacenters at all times. A cut is a rule in the router for each direction
// that silently drops the packets from one datacenter to another, as a broken line does.
type link struct {
	network     int
	datacenters []string

	mu   sync.Mutex
	cut  map[[2]int]bool // from, to: numbers of datacenters
	slow *os.File        // the device of a lag
}

// linkedAddress is address for a cluster with a link.
func linkedAddress(network, datacenter, node int) string {
	return fmt.Sprintf("10.%d.%d.%d", 100+network, datacenter, node)
}

func (l *link) router() string             { return fmt.Sprintf("pl%dr", l.network) }
func (l *link) namespace(dc int) string    { return fmt.Sprintf("pl%dd%d", l.network, dc) }
func (l *link) host() string               { return fmt.Sprintf("pl%d", l.network) }
func (l *link) subnet(dc int) string       { return linkedAddress(l.network, dc, 0) + "/24" }
func (l *link) at(dc, node int) string     { return linkedAddress(l.network, dc, node) }
func (l *link) onLine(dc, node int) string { return l.at(dc, node) + "/24" }

// gateway is the router's number in every network.
const gateway = 254

// canLink names the missing requirements of a link.
func canLink() error {
	if _, err := exec.LookPath("ip"); err != nil {
		return fmt.Errorf("%w: ip (on Debian: apt-get install iproute2)", ErrMissing)
	}
	if os.Geteuid() != 0 {
		return fmt.Errorf("%w: only root can make network namespaces", ErrMissing)
	}
	return nil
}

// ip runs one command of iproute2, given as a line.
func ip(format string, args ...any) error {
	line := fmt.Sprintf(format, args...)
	if out, err := exec.Command("ip", strings.Fields(line)...).CombinedOutput(); err != nil {
		return fmt.Errorf("cassandratest: ip %s: %w: %s", line, err, out)
	}
	return nil
}

// up makes the network for some nodes in each datacenter.
func (l *link) up(nodes []int) error {
	l.down() // remains of a killed process
	r := l.router()
	lines := []string{
		"netns add " + r,
		"link add " + l.host() + " type veth peer name out netns " + r,
		"address add " + l.onLine(0, 1) + " dev " + l.host(),
		"link set " + l.host() + " up",
		"-n " + r + " link set lo up",
		"-n " + r + " address add " + l.onLine(0, gateway) + " dev out",
		"-n " + r + " link set out up",
		"netns exec " + r + " tee /proc/sys/net/ipv4/ip_forward",
	}
	for i, count := range nodes {
		dc := i + 1
		ns, port := l.namespace(dc), fmt.Sprintf("d%d", dc)
		lines = append(lines,
			"netns add "+ns,
			"-n "+r+" link add "+port+" type veth peer name eth0 netns "+ns,
			"-n "+r+" address add "+l.onLine(dc, gateway)+" dev "+port,
			"-n "+r+" link set "+port+" up",
			"-n "+ns+" link set lo up",
			"-n "+ns+" link set eth0 up",
		)
		for m := range count {
			lines = append(lines, "-n "+ns+" address add "+l.onLine(dc, m+1)+" dev eth0")
		}
		lines = append(lines,
			"-n "+ns+" route add default via "+l.at(dc, gateway),
			"route add "+l.subnet(dc)+" via "+l.at(0, gateway),
		)
	}
	for _, line := range lines {
		cmd := exec.Command("ip", strings.Fields(line)...)
		cmd.Stdin = strings.NewReader("1") // for ip_forward
		if out, err := cmd.CombinedOutput(); err != nil {
			l.down()
			return fmt.Errorf("cassandratest: ip %s: %w: %s", line, err, out)
		}
	}
	return nil
}

// down removes the network, if it exists.
func (l *link) down() {
	l.hurry()
	_ = ip("link delete %s", l.host())
	_ = ip("netns delete %s", l.router())
	for dc := 1; ip("netns delete %s", l.namespace(dc)) == nil; dc++ {
	}
}

// healAll restores all lines, whatever this process knows about them: a killed process may have left
// cuts and lags.
func (l *link) healAll() {
	l.hurry()
	l.mu.Lock()
	defer l.mu.Unlock()
	for x := range l.datacenters {
		for y := range l.datacenters {
			if x != y {
				_ = l.rule("delete", x+1, y+1) // most do not exist
			}
		}
	}
	clear(l.cut)
}

// rule adds or deletes the rule that drops the packets from one datacenter to the second.
func (l *link) rule(do string, from, to int) error {
	return ip("-n %s rule %s pref %d iif d%d to %s blackhole", l.router(), do, cutRule, from, l.subnet(to))
}

// Cut breaks the line between two datacenters: silently, in both directions. All remaining lines
// stay. Needs Options.Link.
func (c *Cluster) Cut(a, b string) error {
	return errors.Join(c.setCut(a, b, true), c.setCut(b, a, true))
}

// CutOneWay drops the packets of one direction, but not the packets back.
func (c *Cluster) CutOneWay(from, to string) error { return c.setCut(from, to, true) }

// Heal restores a cut line in both directions.
func (c *Cluster) Heal(a, b string) error {
	return errors.Join(c.setCut(a, b, false), c.setCut(b, a, false))
}

func (c *Cluster) setCut(from, to string, cut bool) error {
	if c.link == nil {
		return fmt.Errorf("cassandratest: this cluster was started without a link that can be cut")
	}
	l := c.link
	x, y, err := l.numbers(from, to)
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	way := [2]int{x, y}
	if l.cut[way] == cut {
		return nil
	}
	do := "delete"
	if cut {
		do = "add"
	}
	if err := l.rule(do, x, y); err != nil {
		return err
	}
	if l.cut == nil {
		l.cut = map[[2]int]bool{}
	}
	l.cut[way] = cut
	return nil
}

// numbers returns the numbers of two different datacenters.
func (l *link) numbers(a, b string) (x, y int, err error) {
	x, y = slices.Index(l.datacenters, a)+1, slices.Index(l.datacenters, b)+1
	if x == 0 || y == 0 || x == y {
		return 0, 0, fmt.Errorf("cassandratest: no line between datacenters %q and %q: there are %q", a, b, l.datacenters)
	}
	return x, y, nil
}
