package cluster

import (
	"math/rand/v2"
	"time"

	"popelago/store/cassandra/driver"
)

// Config describes a cluster. The zero values of most fields have defaults, see withDefaults.
type Config struct {
	// Datacenters lists the datacenters with their nodes.
	Datacenters []Datacenter
	// Schema holds statements that make keyspaces and tables, each with a semicolon at the end of a line. More
	// can be executed through a session.
	Schema string
	// Random is the source of all chance: latencies, lost messages, and the order of replicas. Nil: a fixed
	// seed. Only the cluster uses it, under its own lock.
	Random *rand.Rand
	// Serial lets statements through one after the other, and answers them one after the other, each at a moment
	// of its own: equal seeds make equal stories. Turn, if not nil, is called before each statement, with a number
	// that tells statements apart, while nothing else runs.
	Serial bool
	Turn   func(server string, st *driver.Statement, key uint64)
	// Release is the version of Cassandra that the nodes tell.
	Release string

	// Near is the latency of a message within a datacenter, Far between two, Self within a node.
	Near, Far, Self Latency
	// Tail is the share of messages, in parts per million, that take TailTime more. Some pass a time-out.
	Tail     int
	TailTime time.Duration
	// Loss is the share of messages between nodes, in parts per million, that are lost.
	Loss int
	// Grain is the grain of latencies. A coarse grain saves work: more happens at the same moment.
	Grain time.Duration

	// WriteTimeout, ReadTimeout and ScanTimeout bound the wait of a coordinator for replicas; ClientTimeout
	// bounds the wait of a session for a node.
	WriteTimeout, ReadTimeout, ScanTimeout, ClientTimeout time.Duration
	// Speculate is the wait after which a coordinator asks one more replica for a read; negative: never.
	Speculate time.Duration
	// ConvictAfter is the silence after which a node takes another for dead. GreetAfter is the time from the end
	// of the silence until the other counts as alive.
	ConvictAfter, GreetAfter time.Duration
	// LeaveAfter is the silence after which a session gives up its connections to a node. ReturnAfter is the time
	// from the end of the silence until the session has connections again.
	LeaveAfter, ReturnAfter time.Duration

	// HintWindow is the time for which hints for a dead node are kept. HintFlush is the interval after which
	// hints are on disk, and HintDispatch the interval at which a node looks for hints to deliver.
	HintWindow, HintFlush, HintDispatch time.Duration
	// LogSync is the interval at which the commit log reaches the disk: a crash without log loses the writes
	// since. Negative: every write is on disk before it is acknowledged, and none is lost.
	LogSync time.Duration
	// FailTombstones is the count of tombstones that makes a read fail.
	FailTombstones int
}

// Datacenter describes a datacenter: its nodes are named NAME-1, NAME-2 and so on.
type Datacenter struct {
	Name  string
	Nodes int
	// Racks is the count of racks, rack1, rack2 and so on, which the nodes take in turn. Zero: one rack.
	Racks int
	// Tokens is the count of tokens of each node. Zero: 8.
	Tokens int
}

// Latency is the time of a message: Base, and a random part that is Jitter on average.
type Latency struct {
	Base, Jitter time.Duration
}

func (c Config) withDefaults() Config {
	if c.Random == nil {
		c.Random = rand.New(rand.NewPCG(1, 2))
	}
	if c.Release == "" {
		c.Release = "4.1.4"
	}
	duration := func(d *time.Duration, byDefault time.Duration) {
		if *d == 0 {
			*d = byDefault
		}
	}
	latency := func(l *Latency, byDefault Latency) {
		if *l == (Latency{}) {
			*l = byDefault
		}
	}
	latency(&c.Self, Latency{50 * time.Microsecond, 50 * time.Microsecond})
	latency(&c.Near, Latency{200 * time.Microsecond, 300 * time.Microsecond})
	latency(&c.Far, Latency{10 * time.Millisecond, 2 * time.Millisecond})
	duration(&c.TailTime, time.Second)
	duration(&c.Grain, 10*time.Microsecond)
	duration(&c.WriteTimeout, 2*time.Second)
	duration(&c.ReadTimeout, 5*time.Second)
	duration(&c.ScanTimeout, 10*time.Second)
	duration(&c.ClientTimeout, 12*time.Second)
	duration(&c.Speculate, 100*time.Millisecond)
	duration(&c.ConvictAfter, 8*time.Second)
	duration(&c.GreetAfter, 2*time.Second)
	duration(&c.LeaveAfter, 10*time.Second)
	duration(&c.ReturnAfter, 2*time.Second)
	duration(&c.HintWindow, 3*time.Hour)
	duration(&c.HintFlush, 10*time.Second)
	duration(&c.HintDispatch, 10*time.Second)
	duration(&c.LogSync, 10*time.Second)
	if c.FailTombstones == 0 {
		c.FailTombstones = 100_000
	}
	return c
}
