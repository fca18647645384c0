package cassandratest

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"
)

// lateTable is the routing table of packets that arrive late.
const lateTable = 100

// Rules of the router, by their order: a cut counts before a lag.
const (
	cutRule  = 1000
	lateRule = 2000
)

// late is the router's device for packets that arrive late. The device hands each packet to this
// process, and accepts the packet again after a while.
func (l *link) late() string { return fmt.Sprintf("pl%dt", l.network) }

// Lag lets each packet between two datacenters arrive later by d, in both directions, until the next
// call. A lag of 0 ends the lag. Only one pair of datacenters has a lag at a time. The lag ends with
// this process. Needs Options.Link, and Linux.
func (c *Cluster) Lag(a, b string, d time.Duration) error {
	if c.link == nil {
		return fmt.Errorf("cassandratest: this cluster was started without a link that can lag")
	}
	x, y, err := c.link.numbers(a, b)
	if err != nil {
		return err
	}
	c.link.hurry()
	if d <= 0 {
		return nil
	}
	return c.link.delay(x, y, d)
}

// delay sends the packets between two datacenters through a device that delays them.
func (l *link) delay(x, y int, d time.Duration) (err error) {
	device, err := openTUN(l.late())
	if err != nil {
		return err
	}
	l.mu.Lock()
	l.slow = device
	l.mu.Unlock()
	defer func() {
		if err != nil {
			l.hurry()
		}
	}()
	r, off := l.router(), func(name string) string {
		return "netns exec " + l.router() + " tee /proc/sys/net/ipv4/conf/" + name + "/rp_filter"
	}
	for _, line := range []string{
		"link set " + l.late() + " netns " + r,
		"-n " + r + " link set " + l.late() + " up",
		off("all"), off(l.late()), // packets come back from another side than their senders'
		fmt.Sprintf("-n %s route replace default dev %s table %d", r, l.late(), lateTable),
		fmt.Sprintf("-n %s rule add pref %d iif d%d to %s lookup %d", r, lateRule, x, l.subnet(y), lateTable),
		fmt.Sprintf("-n %s rule add pref %d iif d%d to %s lookup %d", r, lateRule, y, l.subnet(x), lateTable),
	} {
		cmd := exec.Command("ip", strings.Fields(line)...)
		cmd.Stdin = strings.NewReader("0") // for rp_filter
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("cassandratest: ip %s: %w: %s", line, err, out)
		}
	}
	go relay(device, d)
	return nil
}

// hurry ends the lag. Packets on their way are lost.
func (l *link) hurry() {
	for ip("-n %s rule delete pref %d", l.router(), lateRule) == nil {
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.slow != nil {
		l.slow.Close() // the device ends with it
		l.slow = nil
	}
}

// relay writes each packet that it reads from a device back, later by d, until the device is closed.
func relay(device *os.File, d time.Duration) {
	type packet struct {
		due    time.Time
		octets []byte
	}
	queue := make(chan packet, 1<<16)
	go func() {
		defer close(queue)
		buffer := make([]byte, 1<<16)
		for {
			n, err := device.Read(buffer)
			if err != nil {
				return
			}
			queue <- packet{time.Now().Add(d), append([]byte(nil), buffer[:n]...)}
		}
	}()
	for p := range queue {
		time.Sleep(time.Until(p.due))
		_, _ = device.Write(p.octets) // a lost packet is sent again by its sender
	}
}
