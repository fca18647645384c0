package freeport

import (
	"fmt"
	"net"
	"testing"
)

func TestChoose(t *testing.T) {
	for _, c := range [][4]int{
		{32_768, 60_999, 10_000, 32_767}, {16_000, 65_535, 10_000, 15_999}, {10_500, 60_999, 61_000, 65_535},
		{10_500, 65_000, 1024, 10_499}, {1024, 65_535, 10_000, 65_535},
	} {
		if first, last := choose(c[0], c[1]); first != c[2] || last != c[3] {
			t.Errorf("connections from %d to %d: servers from %d to %d, want from %d to %d", c[0], c[1], first, last, c[2], c[3])
		}
	}
}

func TestTake(t *testing.T) {
	ports, err := Take(20)
	if err != nil || len(ports) != 20 {
		t.Fatal(ports, err)
	}
	first, last := outside()
	for _, port := range ports {
		l, err := net.Listen("tcp", fmt.Sprint("127.0.0.1:", port)) // fails if the port came twice
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		if port < first || port > last {
			t.Errorf("port %d is not from %d to %d", port, first, last)
		}
	}
	if _, err := Take(last); err == nil {
		t.Error("Take returned more ports than there are")
	}
}
