package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"popelago/bench"
	"popelago/bench/process"
)

// bareConfig holds the settings of measureBare.
type bareConfig struct {
	// datacenters get the load in equal parts, each at its own LOCAL_QUORUM. At least one.
	datacenters []bareDatacenter

	// replication is the count of replicas in each datacenter. Default: one in each of
	// datacenters.
	replication map[string]int

	// keyspace is created for the run and dropped after the run. An existing keyspace is refused,
	// except a leftover of a killed run. Default popelago_bench.
	keyspace string

	// timeout limits the wait for the answer of a node. Default 5s.
	timeout time.Duration

	// workers is the count of messages in flight. Default 32.
	workers int

	// mailboxes is the count of mailboxes, which take the messages in turn. Default 80.
	mailboxes int

	// size is the size of a message in octets, bench.MinSize to maxBareSize. Default 8192.
	size int

	// realistic writes realistic mail, see bench.Messages.
	realistic bool

	// lwt measures the loop a second time with a UID and a MODSEQ for each message, taken by
	// compare-and-set at SERIAL, in rounds that alternate with the bare loop.
	lwt bool

	// rounds is the count of measurements of each loop. Default 1.
	rounds int

	// duration is the length of a measurement. Default 10s.
	duration time.Duration

	// used returns the time of processors so far, see bareResult.spent. May be nil.
	used func() (spent, error)

	// warmup is the time that each loop runs before the first measurement. Zero: no warm-up. A
	// node that has just been started shows a fraction of its speed then.
	warmup time.Duration
}

// bareDatacenter is a datacenter as Cassandra names it, and contact points in the datacenter: IP
// addresses with or without a port.
type bareDatacenter struct {
	name  string
	hosts []string
}

const (
	// maxBareSize is the largest size of a message in octets: the content is one row.
	maxBareSize = 256 << 10
	// nodeConnections is the count of connections to each node.
	nodeConnections = 2
)

// validate fills in the defaults and returns an error for a wrong setting.
func (c *bareConfig) validate() error {
	if len(c.datacenters) == 0 {
		return errors.New("no datacenter to write to")
	}
	for i, d := range c.datacenters {
		if d.name == "" || len(d.hosts) == 0 || slices.Contains(d.hosts, "") {
			return fmt.Errorf("datacenter %q with hosts %q: want a name and at least one host", d.name, d.hosts)
		}
		if slices.ContainsFunc(c.datacenters[:i], func(o bareDatacenter) bool { return o.name == d.name }) {
			return fmt.Errorf("datacenter %s is given twice", d.name)
		}
	}
	if len(c.replication) == 0 {
		c.replication = make(map[string]int)
		for _, d := range c.datacenters {
			c.replication[d.name] = 1
		}
	}
	for name, n := range c.replication {
		if n < 1 {
			return fmt.Errorf("replication of datacenter %s: %d replicas: want at least 1", name, n)
		}
	}
	for _, d := range c.datacenters {
		if c.replication[d.name] == 0 {
			return fmt.Errorf("datacenter %s gets load, but has no replicas", d.name)
		}
	}
	c.keyspace = cmp.Or(c.keyspace, "popelago_bench")
	if err := checkKeyspace(c.keyspace); err != nil {
		return err
	}
	c.timeout = cmp.Or(c.timeout, 5*time.Second)
	c.workers = cmp.Or(c.workers, 32)
	c.mailboxes = cmp.Or(c.mailboxes, 80)
	c.size = cmp.Or(c.size, 8192)
	c.rounds = cmp.Or(c.rounds, 1)
	c.duration = cmp.Or(c.duration, 10*time.Second)
	if c.size < bench.MinSize || c.size > maxBareSize {
		return fmt.Errorf("message size %d: want %d to %d octets", c.size, bench.MinSize, maxBareSize)
	}
	for _, v := range []struct {
		name string
		n    int64
	}{
		{"connections", int64(c.workers)}, {"mailboxes", int64(c.mailboxes)}, {"rounds", int64(c.rounds)},
		{"duration", int64(c.duration)}, {"timeout", int64(c.timeout)}, {"warm-up", int64(c.warmup)},
	} {
		if v.n < 0 {
			return fmt.Errorf("%s: want a positive number", v.name)
		}
	}
	return nil
}

// driver returns the settings of a session to one datacenter: the settings of a Popelago server.
func (c *bareConfig) driver(d bareDatacenter) *gocql.ClusterConfig {
	cluster := gocql.NewCluster(d.hosts...)
	cluster.ProtoVersion = 4
	cluster.Timeout = c.timeout
	cluster.WriteTimeout = c.timeout
	cluster.ConnectTimeout = c.timeout
	cluster.NumConns = nodeConnections
	cluster.Consistency = gocql.LocalQuorum
	cluster.WriteCoalesceWaitTime = 0
	cluster.DefaultTimestamp = false
	cluster.Metadata.CacheMode = gocql.KeyspaceOnly
	cluster.HostFilter = gocql.DataCenterHostFilter(d.name)
	cluster.PoolConfig.HostSelectionPolicy = gocql.TokenAwareHostPolicy(
		gocql.DCAwareRoundRobinPolicy(d.name), gocql.ShuffleReplicas(), gocql.NonLocalReplicasFallback())
	return cluster
}

// measureBare measures a Cassandra cluster with the two writes that one delivery needs: a row with
// the content and a row in the index of a mailbox. The result is the yardstick for a server on the
// same cluster.
//
// The results are in order, for each round "bare" and, with lwt, "lwt". An error means that the run
// could not start, or not end. The results are valid also then, and the keyspace is dropped.
func measureBare(ctx context.Context, cfg bareConfig) (results []bareResult, err error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	keyspace, err := makeBareKeyspace(ctx, &cfg)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, keyspace.drop()) }()
	run, err := newBareRun(&cfg)
	if err != nil {
		return nil, err
	}
	defer run.close()

	loops := []loop{bareLoop}
	if cfg.lwt {
		loops = append(loops, lwtLoop)
	}
	if cfg.warmup > 0 {
		for _, l := range loops {
			process.Note("warming up: %s for %s", l, cfg.warmup)
			run.measure(ctx, l, cfg.warmup)
		}
	}
	for range cfg.rounds {
		for _, l := range loops {
			if ctx.Err() != nil {
				break
			}
			results = append(results, run.measure(ctx, l, cfg.duration))
		}
	}
	return results, context.Cause(ctx)
}
