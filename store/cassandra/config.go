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

	"popelago/defaults"
	"popelago/mail"
	"popelago/store"
	"popelago/store/cassandra/driver"
	"popelago/store/codec"
)

// Config holds the addresses of the cluster and the settings of the engine. The zero value of a field
// means its default, see DefaultConfig.
type Config struct {
	// Hosts lists contact points of the local datacenter: names or IP addresses, with or without a
	// port. At least one. Contact points of other datacenters are used only if all local nodes are away
	// at the very first start, see Failover.
	Hosts []string
	// Datacenter is the name of the local datacenter in Cassandra. Required.
	Datacenter string
	// Rack is the nearest rack of the local datacenter. Its nodes are asked first. May be empty.
	Rack string
	// Keyspace holds the tables.
	Keyspace string
	// Replication holds the count of replicas in each datacenter. Needed by Schema, and by Apply for a
	// new keyspace.
	Replication map[string]int

	// Username and Password sign in to the cluster; both empty without sign-in.
	Username, Password string
	// TLS configures the connections to the nodes; nil without TLS.
	TLS *tls.Config

	// Timeout bounds the wait for the answer of a node. It should be longer than the timeouts of the
	// nodes.
	Timeout time.Duration
	// ConnectTimeout bounds the wait for a connection.
	ConnectTimeout time.Duration
	// Retries is the count of further nodes tried after a failure. Negative: none.
	Retries int
	// Connections is the count of connections to each node.
	Connections int
	// Concurrency is the highest count of statements in flight. While the cluster cannot keep up the
	// limit falls, down to 16.
	Concurrency int
	// QueueTime bounds the wait of a statement for a place in flight. After it the statement fails
	// unsent as unavailable: better early than late.
	QueueTime time.Duration
	// SpeculativeDelay is the wait of a read in the local datacenter for a node before a second node is asked
	// too. Negative: never.
	SpeculativeDelay time.Duration
	// ProtocolVersion is the version of the native protocol, 4 or 5.
	ProtocolVersion int
	// Reconnect is the interval between attempts to reach nodes that are down.
	Reconnect time.Duration

	// Compression is the method for new contents, codec.MethodZstd or codec.MethodNone. Contents written
	// with either method are read with both.
	Compression string

	// SpoolDir holds messages larger than 256 KiB until they have arrived. With Failover it also
	// holds files for a later process (absence.go, peernodes.go), and each server needs a folder of
	// its own. Empty: the folder of temporary files.
	SpoolDir string

	// Window is the in-flight window: beyond this age of an id no write under the id is in flight.
	// Background work leaves younger ids alone.
	Window time.Duration
	// FloorEvery is the count of removals from a mailbox after which RaiseFloors tries to raise its
	// floor. Messages younger than Window do not count yet.
	FloorEvery int
	// BulkAfter is the count of messages of an ordinary mailbox, or of removals while its floor could
	// not rise, after which RaiseFloors reports the mailbox as grown. Negative: never.
	BulkAfter int
	// ScanRate is the count of chunks that SweepOrphans reads in a second.
	ScanRate int
	// WrittenOff lists datacenters that will not come back and were removed from the replication of the
	// keyspace. The servers of this datacenter sweep their trash.
	WrittenOff []string

	// Server names this server permanently. The name is the key of its rows in the cluster, and must
	// be unique. Empty: the name of the machine.
	Server string
	// Admin is the URL of the administration API of this server for the peers; empty: no peer can
	// ask this server.
	Admin string
	// Address and Version describe this server to operators. May be empty.
	Address, Version string
	// Heartbeat is the interval at which this server announces itself, reads the other servers, and
	// compares its clock.
	Heartbeat time.Duration

	// MissedBeats is the count of missed heartbeats after which a server counts as gone.
	MissedBeats int

	// ClockEvery is the interval at which one node is asked for its clock. It bounds the time for
	// which a machine that was suspended trusts its clock.
	ClockEvery time.Duration

	// Failover names datacenters to fail over to while no local node can be reached, the first choice
	// first; if the datacenter in use loses its quorum, the next one is taken. Without a writable
	// SpoolDir the store does not fail over. Empty: no failover.
	Failover []string
	// FailoverAfter is the time without a local node, or without a quorum of the datacenter in use,
	// before a failover, and a third of the time that
	// the local nodes have to answer before the return.
	FailoverAfter time.Duration

	// DefaultDurability is the durability of domains without a setting. Only Doctor uses it.
	DefaultDurability mail.Durability

	// DownReminder is the interval between log lines about nodes that do not answer.
	DownReminder time.Duration

	// Now returns the time. Nil means time.Now.
	Now func() time.Time
	// Registerer receives the metrics popelago_cassandra_*; nil for none.
	Registerer prometheus.Registerer
	// Logger may be nil.
	Logger *slog.Logger
	// Observe, if not nil, is called after every attempt to execute a statement, by several goroutines
	// at the same time.
	Observe func(Statement)
	// Trace, if not nil, makes the nodes trace every statement about mail, and is called with the
	// session_id of each trace in system_traces, by several goroutines at the same time. Tracing is
	// expensive, and meant for measurements.
	Trace func(session []byte)

	// Cluster opens the sessions; nil: the driver for Go connects to Hosts. A simulation sets it.
	Cluster driver.Cluster

	// coder compresses contents; made of Compression.
	coder *codec.Coder
	// nodes watches the nodes of the sessions; nil: none are watched.
	nodes *nodeWatch
	// dialer makes the connections to the nodes, for tests; nil: the driver makes them.
	dialer gocql.Dialer
}

// DefaultConfig returns the defaults of all settings that have a default value.
func DefaultConfig() Config {
	return Config{
		Keyspace:         "popelago",
		Timeout:          5 * time.Second,
		ConnectTimeout:   5 * time.Second,
		Retries:          2,
		Connections:      2,
		Concurrency:      512,
		QueueTime:        time.Second,
		SpeculativeDelay: 200 * time.Millisecond,
		ProtocolVersion:  4,
		Reconnect:        2 * time.Second,
		Window:           store.DefaultWindow,
		FloorEvery:       100,
		BulkAfter:        100_000,
		ScanRate:         2000,
		Heartbeat:        10 * time.Second,
		MissedBeats:      6,
		ClockEvery:       time.Second,
		FailoverAfter:    10 * time.Second,
		DownReminder:     5 * time.Minute,
		Compression:      codec.MethodZstd,
	}
}

func (c Config) withDefaults() (Config, error) {
	if len(c.Hosts) == 0 {
		return c, errors.New("cassandra: no hosts configured")
	}
	if c.Datacenter == "" {
		return c, errors.New("cassandra: no datacenter configured")
	}
	c = defaults.Fill(c, DefaultConfig())
	if err := checkName(c.Keyspace); err != nil {
		return c, fmt.Errorf("cassandra: keyspace: %w", err)
	}
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
		return c, fmt.Errorf("cassandra: %d statements cannot be in flight", c.Concurrency)
	}
	if c.ScanRate < 0 {
		return c, fmt.Errorf("cassandra: %d chunks cannot be read in a second", c.ScanRate)
	}
	if slices.Contains(c.WrittenOff, c.Datacenter) {
		return c, fmt.Errorf("cassandra: the local datacenter %q cannot be written off", c.Datacenter)
	}
	if c.ProtocolVersion != 4 && c.ProtocolVersion != 5 {
		return c, fmt.Errorf("cassandra: protocol version %d: only 4 and 5 are known", c.ProtocolVersion)
	}
	var err error
	if c.coder, err = codec.New(c.Compression); err != nil {
		return c, fmt.Errorf("cassandra: %w", err)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c, nil
}

// checkName returns an error if the name of a keyspace needs quotes in CQL.
func checkName(s string) error {
	for i := range len(s) {
		c := s[i]
		if !('a' <= c && c <= 'z' || i > 0 && ('0' <= c && c <= '9' || c == '_')) || len(s) > 48 {
			return fmt.Errorf("%q is not up to 48 small letters, digits and _", s)
		}
	}
	return nil
}
