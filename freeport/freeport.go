// Package freeport finds ports for servers of tests and measurements.
package freeport

import (
	"fmt"
	"math/rand/v2"
	"net"
	"os"
)

// few is the smallest number of ports among which several programs seldom choose the same port.
const few = 1000

// Take returns n different ports that nobody uses on any address of this machine. The system gives none of the ports to
// a connection, where its range of ports for connections leaves enough others: so each port stays free until a server
// listens there.
func Take(n int) ([]int, error) {
	first, last := outside()
	var ports []int
	for range 1000 {
		if len(ports) == n {
			return ports, nil
		}
		port := first + rand.IntN(last-first+1)
		l, err := net.Listen("tcp", fmt.Sprint(":", port))
		if err != nil {
			continue
		}
		defer l.Close() // only at the end, so that all ports differ
		ports = append(ports, port)
	}
	return nil, fmt.Errorf("freeport: less than %d free ports from %d to %d", n, first, last)
}

// outside returns the first and the last of a range of ports that connections do not take.
func outside() (first, last int) {
	low, high := 32_768, 60_999 // the defaults of Linux
	if b, err := os.ReadFile("/proc/sys/net/ipv4/ip_local_port_range"); err == nil {
		fmt.Sscan(string(b), &low, &high)
	}
	return choose(low, high)
}

// choose returns a range without the ports from low to high: servers of the machine use many ports below 10,000.
func choose(low, high int) (first, last int) {
	const most = 65_535
	switch {
	case low-10_000 >= few:
		return 10_000, low - 1
	case most-high >= few:
		return high + 1, most
	case low-1024 >= few:
		return 1024, low - 1
	}
	return 10_000, most
}
