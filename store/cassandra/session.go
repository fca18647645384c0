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

// driver returns the driver configuration common to all sessions.
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
	d.WriteCoalesceWaitTime = 0  // waiting for more statements costs more than it saves
	d.DefaultTimestamp = false   // every write has an explicit timestamp
	d.DefaultIdempotence = false // set for each statement
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

// connect opens a session to nodes of the local datacenter only. Without a filter the driver would fail
// over to other datacenters silently, and LOCAL_QUORUM would mean a quorum there.
func (c Config) connect(ctx context.Context, observe func(Statement)) (*gocql.Session, error) {
	d, err := c.driver(ctx)
	if err != nil {
		return nil, err
	}
	d.Keyspace = c.Keyspace // makes batches token-aware
	d.HostFilter = gocql.DataCenterHostFilter(c.Datacenter)
	near := gocql.DCAwareRoundRobinPolicy(c.Datacenter)
	if c.Rack != "" {
		near = gocql.RackAwareRoundRobinPolicy(c.Datacenter, c.Rack)
	}
	d.PoolConfig.HostSelectionPolicy = untriedHosts{gocql.TokenAwareHostPolicy(near, gocql.ShuffleReplicas(), gocql.NonLocalReplicasFallback())}
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

// tracer passes the ids of traces to itself.
type tracer func([]byte)

// Trace implements gocql.Tracer.
func (t tracer) Trace(session []byte) { t(session) }

// connectAny opens a session to one node, the first contact point that can be signed in to. The schema
// and Doctor use it: the system tables of different nodes differ.
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
		d.MaxWaitSchemaAgreement = time.Millisecond // ApplyWith waits instead, and names the nodes
		d.Timeout = max(d.Timeout, 20*time.Second)  // making a table may take long
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

// open is CreateSession with a context, and with the errors of all contact points.
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

// closeLimit is the time that the driver has to close a session.
const closeLimit = 10 * time.Second

// endSession closes a session; nil is allowed. After closeLimit endSession returns while the driver is
// still closing the session. The driver's Close never returns while the control connection is being made
// again: that waits for a refresh of the schema, which Close has stopped.
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

// resolve looks up the addresses of contact points: the driver would treat a name and its address as two
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
