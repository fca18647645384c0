package cassandra

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"
	"github.com/prometheus/client_golang/prometheus"

	"popelago/mail"
)

// Config says where the cluster is and how to use it.
type Config struct {
	// Hosts are contact points of the local datacenter: names or IP addresses, with or
	// without a port. At least one. Those of other datacenters are of use only if all local nodes
	// are away at the very first start, see Failover.
	Hosts []string
	// Datacenter is the local one, as Cassandra names it. Required.
	Datacenter string
	// Rack is the nearest rack of the local datacenter; its nodes are asked first. May be
	// empty.
	Rack string
	// Keyspace holds our tables. Default: popelago.
	Keyspace string
	// Replication is the count of replicas in each datacenter. Needed by Schema, and by Apply
	// for a new keyspace only.
	Replication map[string]int

	// Username and Password sign in to the cluster; both empty without.
	Username, Password string
	// TLS is for the connections to the nodes; nil without.
	TLS *tls.Config

	// Timeout is how long to wait for the answer of a node. Default 5s. It should be longer
	// than the timeouts of the nodes themselves.
	Timeout time.Duration
	// ConnectTimeout is how long to wait for a connection. Default 5s.
	ConnectTimeout time.Duration
	// Retries is how many other nodes are tried after one failed. Default 2; negative: none.
	Retries int
	// Connections to each node. Default 2.
	Connections int
	// Concurrency is how many statements may be under way at once, at most: while the cluster
	// cannot keep up it is less, down to 16. Default 512.
	Concurrency int
	// QueueTime is how long a statement waits for others to end before it is given up as
	// unavailable, without having been sent: better early than late. Default 1s.
	QueueTime time.Duration
	// SpeculativeDelay is how long a read of the local datacenter waits for a node before a
	// second one is asked, too. Default 200ms; negative: never.
	SpeculativeDelay time.Duration
	// ProtocolVersion of the native protocol, 4 or 5. Default 4.
	ProtocolVersion int
	// Reconnect is how often nodes that are down are tried again. Default 2s.
	Reconnect time.Duration

	// SpoolDir is where messages larger than 256 KiB wait until they have arrived whole. With
	// Failover it also keeps what a later process has to know (absence.go, known.go). Each server
	// needs one of its own then. Default: the folder of temporary files.
	SpoolDir string

	// Window is the in-flight window: how old an id must be before anything that happened to
	// it is over for good. Background work leaves all younger ones alone. Default 1h.
	Window time.Duration
	// FloorEvery is how many removals from one mailbox make RaiseFloors look whether its floor
	// can rise. Default 2000.
	FloorEvery int
	// BulkAfter is how many messages of an ordinary mailbox, or how many removals from one
	// while its floor could not rise, make RaiseFloors report it as grown. Default 100,000;
	// negative: never.
	BulkAfter int
	// ScanRate is how many pieces of content SweepOrphans looks at in a second. Default 2000.
	ScanRate int
	// WrittenOff lists datacenters that will not come back and that were taken out of the
	// keyspace's replication. The servers of this one work off what is left of their trash.
	WrittenOff []string

	// Server names this server for good: what it remembers in the cluster is found by it. Two
	// servers must not have the same. Default: the name of the machine.
	Server string
	// Address and Version tell others about this server. May be empty.
	Address, Version string
	// Heartbeat is how often this server tells that it is alive, sees which others are, and
	// compares its clock with theirs and the nodes'. Default 10s.
	Heartbeat time.Duration

	// MissedBeats is the number of heartbeats that a server may miss until it counts as gone: a
	// server that was killed counts as alive for so long. Default 6.
	MissedBeats int

	// ClockEvery is how often one node is asked whether our clock still agrees: for how long a
	// machine that was suspended may go on without noticing. Default 1s.
	ClockEvery time.Duration

	// Failover names datacenters to go on through while none of the local nodes can be reached,
	// the first choice first. Where SpoolDir cannot be written to, the store does not. Default: none.
	Failover []string
	// FailoverAfter is for how long no local node can be reached before that happens, and a
	// third of how long they have to be there before it ends. Default 10s.
	FailoverAfter time.Duration

	// DefaultDurability is what domains have that say nothing about it. Only Doctor asks.
	DefaultDurability mail.Durability

	// DownReminder is how often the log says that nodes still do not answer. Default 5m.
	DownReminder time.Duration

	// Now tells the time. Nil means time.Now.
	Now func() time.Time
	// Registerer gets the metrics popelago_cassandra_*; nil for none.
	Registerer prometheus.Registerer
	// Logger may be nil.
	Logger *slog.Logger
	// Observe, if not nil, is called after every attempt to execute a statement, also at
	// the same time from several goroutines.
	Observe func(Statement)
	// Trace, if not nil, makes the nodes trace every statement about mail, and is called with the
	// session_id of each trace, which they keep in system_traces for a day. It costs them much:
	// it is for measurements. Several goroutines may call it at the same time.
	Trace func(session []byte)

	// nodes watches the nodes of the sessions; nil: nobody does.
	nodes *nodeWatch
	// dialer makes the connections to the nodes; nil: the driver does. For tests.
	dialer gocql.Dialer
}

// DefaultKeyspace is the keyspace if none is configured.
const DefaultKeyspace = "popelago"

func (c Config) withDefaults() (Config, error) {
	if len(c.Hosts) == 0 {
		return c, errors.New("cassandra: no hosts configured")
	}
	if c.Datacenter == "" {
		return c, errors.New("cassandra: no datacenter configured")
	}
	if c.Keyspace == "" {
		c.Keyspace = DefaultKeyspace
	}
	if err := checkName(c.Keyspace); err != nil {
		return c, fmt.Errorf("cassandra: keyspace: %w", err)
	}
	setDefault(&c.Timeout, 5*time.Second)
	setDefault(&c.ConnectTimeout, 5*time.Second)
	setDefault(&c.Retries, 2)
	setDefault(&c.Connections, 2)
	setDefault(&c.Concurrency, 512)
	setDefault(&c.QueueTime, time.Second)
	setDefault(&c.SpeculativeDelay, 200*time.Millisecond)
	setDefault(&c.FailoverAfter, 10*time.Second)
	setDefault(&c.ProtocolVersion, 4)
	setDefault(&c.Reconnect, 2*time.Second)
	setDefault(&c.Window, time.Hour)
	setDefault(&c.FloorEvery, 2000)
	setDefault(&c.BulkAfter, 100_000)
	setDefault(&c.ScanRate, 2000)
	setDefault(&c.Heartbeat, 10*time.Second)
	setDefault(&c.MissedBeats, 6)
	setDefault(&c.DownReminder, 5*time.Minute)
	setDefault(&c.ClockEvery, time.Second)
	if c.Server == "" {
		name, err := os.Hostname()
		if err != nil {
			return c, fmt.Errorf("cassandra: name of this server: %w", err)
		}
		c.Server = name
	}
	if c.ClockEvery < 0 {
		return c, fmt.Errorf("cassandra: looks at the clock %v apart", c.ClockEvery)
	}
	if c.Heartbeat < 0 {
		return c, fmt.Errorf("cassandra: heartbeats %v apart", c.Heartbeat)
	}
	if c.MissedBeats < 0 {
		return c, fmt.Errorf("cassandra: a server cannot be gone after %d missed heartbeats", c.MissedBeats)
	}
	if c.Concurrency < 0 {
		return c, fmt.Errorf("cassandra: %d statements cannot be under way at once", c.Concurrency)
	}
	if c.ScanRate < 0 {
		return c, fmt.Errorf("cassandra: %d pieces of content cannot be looked at in a second", c.ScanRate)
	}
	if slices.Contains(c.WrittenOff, c.Datacenter) {
		return c, fmt.Errorf("cassandra: the local datacenter %q cannot be written off", c.Datacenter)
	}
	if c.ProtocolVersion != 4 && c.ProtocolVersion != 5 {
		return c, fmt.Errorf("cassandra: protocol version %d: only 4 and 5 are known", c.ProtocolVersion)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c, nil
}

func setDefault[T comparable](v *T, to T) {
	var zero T
	if *v == zero {
		*v = to
	}
}

// checkName returns an error if a keyspace's name needs quotes in CQL.
func checkName(s string) error {
	for i := range len(s) {
		c := s[i]
		if !('a' <= c && c <= 'z' || i > 0 && ('0' <= c && c <= '9' || c == '_')) || len(s) > 48 {
			return fmt.Errorf("%q is not up to 48 small letters, digits and _", s)
		}
	}
	return nil
}
