// Command comparecassandra measures Popelago on a real Cassandra cluster on this machine, and the
// same cluster with a bare loop of the writes that a delivery needs. bench/compare-cassandra runs
// comparecassandra.
//
// The command starts the cluster (package cassandratest, with time-outs of 10 s), applies the
// schema, starts a Popelago for each datacenter and makes 80 accounts. The rest depends on
// --scenario:
//
// "deliveries" alternates between the bare loop and LMTP deliveries of the same size with the same
// count of connections, in all datacenters at once. The tables are emptied before each run, and a
// first round of both warms up the nodes and is not counted. Then the bare loop is compared with
// the same loop plus a UID and a MODSEQ for each message by compare-and-set, as stores do that
// number their messages.
//
// The bare loop (bare.go) has a keyspace of its own, which is dropped after each run. Its UID and
// MODSEQ are the only conditional statements and reads at SERIAL of this tree, beside the schema
// (CREATE ... IF NOT EXISTS). No server, no task and no schema command uses them. They leave rows in
// system.paxos.
//
// "published" is the published scenario of the idea behind this mail store: 100 messages a second
// to 80 users, through both datacenters; STAT of all; DELE of all and QUIT. Every message is
// checked in between, and system.paxos at the end.
//
// "mail" alternates between the bare loop and two servers, with and without compression, all with realistic
// mail of the same size, and lets POP3 fetch the messages of each server. Beside the rates it shows the time of processors,
// of the load generator too.
//
// "cost" measures the time of processors that servers and nodes need for a delivery, a login, a retrieval and a
// removal. The load generator does not count.
//
// "fill" measures the server beside more and more rows of other maildrops.
//
// "steady" delivers, retrieves and removes the same count of messages each minute, and shows how speed, disk and trash
// develop.
//
// "compaction" compares strategies of compaction on tables in which almost all rows are removed.
//
// The results are Markdown tables on standard output; progress goes to standard error.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"time"

	"popelago/bench/process"
	"popelago/cassandratest"
)

// settings are the command's flags.
type settings struct {
	datacenters []cassandratest.Datacenter
	version     string // of Cassandra; empty: the default
	commitLog   string // batch or periodic
	// commitLogAccess is legacy, Cassandra's default, or another commitlog_disk_access_mode of Cassandra 5.0.
	commitLogAccess string
	dir             string
	heap            string // of each node; empty: the default
	brief           bool
	keep            bool

	rounds   int
	duration time.Duration // of one load in one round
	warmup   time.Duration // of each load before
	lwt      bool

	rows   int           // in the full store
	length time.Duration // of the deliveries of the published scenario, and of a steady time
	window time.Duration // in-flight window: space of removed messages is reclaimed later
	users  int           // of a steady time
}

// Constants of all runs.
const (
	users       = 80
	connections = 32 // in all datacenters together
	size        = 8192
	rate        = 100 // messages a second in the published scenario
)

func main() {
	var s settings
	var datacenters, scenario string
	flag.StringVar(&datacenters, "datacenters", "", "NAME:NODES[,NAME:NODES...] (default dc1:1, and dc1:3,dc2:3 for the published scenario)")
	flag.StringVar(&scenario, "scenario", "deliveries", "deliveries, published, mail, cost, fill, steady or compaction")
	flag.StringVar(&s.version, "version", "", "version of Cassandra")
	flag.StringVar(&s.commitLog, "commitlog-sync", "batch", "batch: nodes acknowledge what is on disk; periodic: what will be within 10s, Cassandra's default")
	flag.StringVar(&s.commitLogAccess, "commitlog-access", "legacy", "legacy: nodes map the commit log into memory, Cassandra's default; direct: nodes of version 5.0 write it past the page cache")
	flag.StringVar(&s.dir, "dir", "", "make the temporary folder in this one: its disk is part of what is measured")
	flag.StringVar(&s.heap, "heap", "", "heap of each node, such as 512M")
	flag.BoolVar(&s.brief, "brief", false, "nodes compile with Java's first compiler alone: their code is ready after seconds, and always slower")
	flag.BoolVar(&s.keep, "keep", false, "leave the temporary folder, with logs and configurations")
	flag.IntVar(&s.rounds, "rounds", 3, "deliveries: rounds of each load")
	flag.DurationVar(&s.duration, "duration", 20*time.Second, "deliveries, cost: how long each load runs in one round")
	flag.DurationVar(&s.warmup, "warmup", 2*time.Minute, "how long each load runs before anything is measured")
	flag.BoolVar(&s.lwt, "lwt", true, "deliveries: compare with compare-and-set, too")
	flag.IntVar(&s.rows, "rows", 50_000_000, "fill: rows in the full store")
	flag.DurationVar(&s.length, "length", 2*time.Minute, "published, steady: how long to deliver; the published scenario took 10m")
	flag.DurationVar(&s.window, "window", time.Hour, "in-flight window of the servers; the space of removed messages is reclaimed after it")
	flag.IntVar(&s.users, "users", users, "steady: users that share the messages of each minute")
	flag.Parse()
	process.Main("compare-cassandra", func(ctx context.Context) error { return compare(ctx, s, datacenters, scenario) })
}

// compare does everything and leaves nothing running.
func compare(ctx context.Context, s settings, datacenters, scenario string) (err error) {
	scenarios := map[string]struct {
		datacenters string // by default
		run         func(context.Context, *lab) error
	}{
		"deliveries": {"dc1:1", deliveries},
		"published":  {"dc1:3,dc2:3", published},
		"mail":       {"dc1:1", realMail},
		"cost":       {"dc1:1", cost},
		"fill":       {"dc1:1", fill},
		"steady":     {"dc1:1", steady},
		"compaction": {"dc1:1", compaction},
	}
	chosen, ok := scenarios[scenario]
	switch {
	case !ok:
		return fmt.Errorf("scenario %q: want deliveries, published, mail, cost, fill, steady or compaction", scenario)
	case flag.NArg() > 0:
		return fmt.Errorf("unexpected argument %q", flag.Arg(0))
	case s.rounds < 1 || s.duration <= 0 || s.length <= 0 || s.warmup < 0 || s.window <= 0 || s.rows < 100:
		return errors.New("rounds, durations: want positive numbers; rows: at least 100")
	case s.users < users || s.users > steadyMessages || steadyMessages%s.users != 0:
		return fmt.Errorf("users: want %d to %d, a divisor of %d", users, steadyMessages, steadyMessages)
	case s.commitLog != "batch" && s.commitLog != "periodic":
		return fmt.Errorf("commitlog-sync %q: want batch or periodic", s.commitLog)
	case s.commitLogAccess != "legacy" && s.commitLogAccess != "direct":
		return fmt.Errorf("commitlog-access %q: want legacy or direct", s.commitLogAccess)
	}
	if datacenters == "" {
		datacenters = chosen.datacenters
	}
	if s.datacenters, err = cassandratest.ParseDatacenters(datacenters); err != nil {
		return err
	}
	return process.InFolder(s.dir, "compare-cassandra", s.keep, func(dir string) (err error) {
		l := &lab{settings: s, dir: dir}
		if l.binary, err = process.Build(ctx, dir); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, l.stop()) }()
		if err := l.start(ctx); err != nil {
			return err
		}
		return chosen.run(ctx, l)
	})
}
