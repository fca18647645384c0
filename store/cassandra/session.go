package cassandra

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"
)

// driver is the configuration that all our sessions share.
func (c Config) driver(ctx context.Context) (*gocql.ClusterConfig, error) {
	hosts, err := resolve(ctx, c.Hosts)
	if err != nil {
		return nil, err
	}
	d := gocql.NewCluster(hosts...)
	d.ProtoVersion = c.ProtocolVersion
	d.Timeout = c.Timeout
	d.WriteTimeout = c.Timeout
	d.ConnectTimeout = c.ConnectTimeout
	d.NumConns = c.Connections
	d.Consistency = gocql.LocalQuorum
	d.WriteCoalesceWaitTime = 0  // waiting for company costs more than it saves
	d.DefaultTimestamp = false   // every write carries its own
	d.DefaultIdempotence = false // every statement says so
	d.ReconnectInterval = c.Reconnect
	d.Metadata.CacheMode = gocql.KeyspaceOnly
	d.Dialer = c.dialer
	d.Logger = newDriverLogger(c)
	if c.Username != "" {
		d.Authenticator = gocql.PasswordAuthenticator{Username: c.Username, Password: c.Password}
	}
	if c.TLS != nil {
		d.SslOpts = &gocql.SslOptions{Config: c.TLS, EnableHostVerification: !c.TLS.InsecureSkipVerify}
	}
	return d, nil
}

// connect opens the session that statements go through: to nodes of the local datacenter only.
// Without a filter the driver would go to other ones silently, and LOCAL_QUORUM would mean
// their quorum.
func (c Config) connect(ctx context.Context, observe func(Statement)) (*gocql.Session, error) {
	d, err := c.driver(ctx)
	if err != nil {
		return nil, err
	}
	d.Keyspace = c.Keyspace // without it batches are not token-aware
	d.HostFilter = gocql.DataCenterHostFilter(c.Datacenter)
	near := gocql.DCAwareRoundRobinPolicy(c.Datacenter)
	if c.Rack != "" {
		near = gocql.RackAwareRoundRobinPolicy(c.Datacenter, c.Rack)
	}
	d.PoolConfig.HostSelectionPolicy = elsewhere{gocql.TokenAwareHostPolicy(near, gocql.ShuffleReplicas(), gocql.NonLocalReplicasFallback())}
	if c.nodes != nil {
		d.Metadata.HostListener.HostStateChangeListener, d.Metadata.HostListener.TopologyChangeListener = c.nodes, c.nodes
	}
	if observe != nil {
		d.QueryObserver = observer(observe)
		d.BatchObserver = observer(observe)
	}
	if c.Trace != nil {
		d.Tracer = tracer(c.Trace)
	}
	session, err := open(ctx, d)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNoContact, err)
	}
	if c.nodes != nil {
		c.nodes.join(session, c.Datacenter)
	}
	return session, nil
}

// tracer calls itself with the ids of traces.
type tracer func([]byte)

// Trace implements gocql.Tracer.
func (t tracer) Trace(session []byte) { t(session) }

// connectAny opens a session to one node, the first of the contact points that lets us in, for
// looking at the cluster and for the schema. What a node tells of itself and of the others fits
// together only if it is one and the same.
func (c Config) connectAny(ctx context.Context) (*gocql.Session, error) {
	hosts, err := resolve(ctx, c.Hosts)
	if err != nil {
		return nil, err
	}
	var failed contactErrors
	for _, host := range hosts {
		one := c
		one.Hosts = []string{host}
		d, err := one.driver(ctx)
		if err != nil {
			return nil, err
		}
		d.NumConns = 1
		d.ReconnectInterval = 0
		d.HostFilter = gocql.WhiteListHostFilter(host)
		d.MaxWaitSchemaAgreement = time.Millisecond // ApplyWith waits itself, and names the nodes
		d.Timeout = max(d.Timeout, 20*time.Second)  // making a table may take that long
		session, err := open(ctx, d)
		if err == nil {
			return session, nil
		}
		failed = append(failed, err)
		if ctx.Err() != nil {
			break
		}
	}
	return nil, fmt.Errorf("%w: %w", ErrNoContact, failed)
}

// open is CreateSession with a context, and with errors that tell of each contact point.
func open(ctx context.Context, d *gocql.ClusterConfig) (*gocql.Session, error) {
	type result struct {
		session *gocql.Session
		err     error
	}
	opened := make(chan result, 1)
	failures := &contactFailures{}
	d.ConnectObserver = failures
	go func() {
		session, err := d.CreateSession()
		opened <- result{session, err}
	}()
	select {
	case r := <-opened:
		if err := failures.end(r.err); r.err != nil {
			return nil, err
		}
		return r.session, nil
	case <-ctx.Done():
		go func() {
			if r := <-opened; r.session != nil {
				endSession(r.session)
			}
		}()
		return nil, fmt.Errorf("%w: %w", ctx.Err(), failures.end(errNoAnswer))
	}
}

// closeLimit is how long the driver may take to close a session.
const closeLimit = 10 * time.Second

// endSession closes a session, if there is one, or leaves it to itself after closeLimit. The
// driver's Close never returns if the control connection is just being made again: that waits for
// a refresh of the schema, which nobody does any more, and Close waits for that.
func endSession(session *gocql.Session) {
	if session == nil {
		return
	}
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		session.Close()
	}()
	select {
	case <-closed:
	case <-time.After(closeLimit):
	}
}

// resolve turns names into addresses: the driver would take a name and its address for two
// nodes.
func resolve(ctx context.Context, hosts []string) ([]string, error) {
	var list []string
	var failed error
	for _, host := range hosts {
		name, port, err := net.SplitHostPort(host)
		if err != nil {
			name, port = strings.Trim(host, "[]"), ""
		}
		addresses, err := net.DefaultResolver.LookupHost(ctx, name)
		if err != nil {
			failed = errors.Join(failed, err)
			continue
		}
		for _, address := range addresses {
			if port != "" {
				address = net.JoinHostPort(address, port)
			}
			if !slices.Contains(list, address) {
				list = append(list, address)
			}
		}
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("%w: %w", ErrNoContact, failed)
	}
	return list, nil
}
