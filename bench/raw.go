package bench

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"
)

// RawConfig says how Raw writes to a Cassandra cluster.
type RawConfig struct {
	// Datacenters share the load equally, each at its own LOCAL_QUORUM. At least one.
	Datacenters []RawDatacenter

	// Replication is the count of replicas in each datacenter. Default: one in each of Datacenters.
	Replication map[string]int

	// Keyspace is made for the run and dropped after it. An existing keyspace is refused, unless a
	// killed run has left it. Default popelago_bench.
	Keyspace string

	// Username and Password sign in to the cluster; both empty without.
	Username, Password string

	// Timeout bounds the wait for the answer of a node. Default 5s.
	Timeout time.Duration

	// NodeConnections is the number of connections to each node. Default 2.
	NodeConnections int

	// Workers is the number of messages in flight. Default 32.
	Workers int

	// Mailboxes take the messages in turn. Default 80.
	Mailboxes int

	// Size is the size of a message in octets, MinSize to MaxRawSize. Default 8192.
	Size int

	// LWT measures the loop a second time with a UID and a MODSEQ for each message, taken by
	// compare-and-set at SERIAL, in rounds that alternate with the bare loop.
	LWT bool

	// Rounds is the number of measurements of each loop. Default 1.
	Rounds int

	// Duration is the duration of one loop in one round. Default 10s.
	Duration time.Duration

	// Warmup is the time that each loop runs before the measurements. 0 means no warm-up: a freshly
	// started node then reaches a fraction of its speed.
	Warmup time.Duration

	// Progress is updated during the run. May be nil.
	Progress *Progress
}

// RawDatacenter is a datacenter by its name in Cassandra, and contact points in it: IP addresses
// with or without a port.
type RawDatacenter struct {
	Name  string
	Hosts []string
}

// MaxRawSize is the largest Size of RawConfig in octets: the limit of one row.
const MaxRawSize = 256 << 10

// validate fills in the defaults and describes errors in words for the user.
func (c *RawConfig) validate() error {
	if len(c.Datacenters) == 0 {
		return errors.New("bench: no datacenter to write to")
	}
	for i, d := range c.Datacenters {
		if d.Name == "" || len(d.Hosts) == 0 || slices.Contains(d.Hosts, "") {
			return fmt.Errorf("bench: datacenter %q with hosts %q: want a name and at least one host", d.Name, d.Hosts)
		}
		if slices.ContainsFunc(c.Datacenters[:i], func(o RawDatacenter) bool { return o.Name == d.Name }) {
			return fmt.Errorf("bench: datacenter %s is given twice", d.Name)
		}
	}
	if len(c.Replication) == 0 {
		c.Replication = make(map[string]int)
		for _, d := range c.Datacenters {
			c.Replication[d.Name] = 1
		}
	}
	for name, n := range c.Replication {
		if n < 1 {
			return fmt.Errorf("bench: replication of datacenter %s: %d replicas: want at least 1", name, n)
		}
	}
	for _, d := range c.Datacenters {
		if c.Replication[d.Name] == 0 {
			return fmt.Errorf("bench: datacenter %s gets load, but has no replicas", d.Name)
		}
	}
	c.Keyspace = cmp.Or(c.Keyspace, "popelago_bench")
	if err := checkKeyspace(c.Keyspace); err != nil {
		return err
	}
	c.Timeout = cmp.Or(c.Timeout, 5*time.Second)
	c.NodeConnections = cmp.Or(c.NodeConnections, 2)
	c.Workers = cmp.Or(c.Workers, 32)
	c.Mailboxes = cmp.Or(c.Mailboxes, 80)
	c.Size = cmp.Or(c.Size, 8192)
	c.Rounds = cmp.Or(c.Rounds, 1)
	c.Duration = cmp.Or(c.Duration, 10*time.Second)
	if c.Size < MinSize || c.Size > MaxRawSize {
		return fmt.Errorf("bench: message size %d: want %d to %d octets", c.Size, MinSize, MaxRawSize)
	}
	for _, v := range []struct {
		name string
		n    int64
	}{
		{"connections", int64(c.Workers)}, {"connections to each node", int64(c.NodeConnections)}, {"mailboxes", int64(c.Mailboxes)},
		{"rounds", int64(c.Rounds)}, {"duration", int64(c.Duration)}, {"timeout", int64(c.Timeout)}, {"warm-up", int64(c.Warmup)},
	} {
		if v.n < 0 {
			return fmt.Errorf("bench: %s: want a positive number", v.name)
		}
	}
	return nil
}

// driver returns the driver's configuration for one datacenter, as a popelago server sets it.
func (c *RawConfig) driver(d RawDatacenter) *gocql.ClusterConfig {
	cluster := gocql.NewCluster(d.Hosts...)
	cluster.ProtoVersion = 4
	cluster.Timeout = c.Timeout
	cluster.WriteTimeout = c.Timeout
	cluster.ConnectTimeout = c.Timeout
	cluster.NumConns = c.NodeConnections
	cluster.Consistency = gocql.LocalQuorum
	cluster.WriteCoalesceWaitTime = 0
	cluster.DefaultTimestamp = false
	cluster.Metadata.CacheMode = gocql.KeyspaceOnly
	cluster.HostFilter = gocql.DataCenterHostFilter(d.Name)
	cluster.PoolConfig.HostSelectionPolicy = gocql.TokenAwareHostPolicy(
		gocql.DCAwareRoundRobinPolicy(d.Name), gocql.ShuffleReplicas(), gocql.NonLocalReplicasFallback())
	if c.Username != "" {
		cluster.Authenticator = gocql.PasswordAuthenticator{Username: c.Username, Password: c.Password}
	}
	return cluster
}

// Raw measures a Cassandra cluster with only the two writes of one delivery: a row with the content
// and a row in the index of a mailbox. A server on the same cluster can be compared with the
// result.
//
// The report has a part for each loop of each round, "bare 1", "lwt 1", "bare 2" and so on, with
// the rows "messages", "content", "index" and, with LWT, "uid and modseq", and the facts
// "conflicts" and "SERIAL timeouts". With LWT it has the ratio "lwt to bare".
//
// An error means that the run did not start or did not end; the report is valid even then, and the
// keyspace is dropped.
func Raw(ctx context.Context, cfg RawConfig) (report Report, err error) {
	if err := cfg.validate(); err != nil {
		return Report{}, err
	}
	keyspace, err := makeRawKeyspace(ctx, &cfg)
	if err != nil {
		return Report{}, err
	}
	defer func() { err = errors.Join(err, keyspace.drop()) }()
	run, err := newRawRun(&cfg)
	if err != nil {
		return Report{}, err
	}
	defer run.close()

	report = Report{Name: "raw-cassandra", Start: time.Now()}
	loops := []rawLoop{bareLoop}
	if cfg.LWT {
		loops = append(loops, lwtLoop)
	}
	if cfg.Warmup > 0 {
		for _, loop := range loops {
			cfg.Progress.begin("warm up "+string(loop), 0)
			warm := run.measure(ctx, loop, cfg.Warmup)
			report.addFact("errors while warming up", warm.ErrorCount())
		}
	}
	rates := map[rawLoop][]float64{}
	for round := 1; round <= cfg.Rounds; round++ {
		for _, loop := range loops {
			if ctx.Err() != nil {
				break
			}
			part := fmt.Sprintf("%s %d", loop, round)
			cfg.Progress.begin(part, 0)
			measured := run.measure(ctx, loop, cfg.Duration)
			measured.Name = part
			report.Parts = append(report.Parts, measured)
			rates[loop] = append(rates[loop], measured.Row("messages").PerSecond)
		}
	}
	report.Seconds = time.Since(report.Start).Seconds()
	if cfg.LWT && len(rates[lwtLoop]) > 0 {
		report.addRatio("lwt to bare", rates[lwtLoop], rates[bareLoop])
	}
	return finish(ctx, report, nil)
}
