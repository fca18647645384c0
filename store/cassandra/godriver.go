package cassandra

import (
	"context"
	"fmt"
	"sync"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"popelago/store/cassandra/driver"
)

// goDriver is the cluster that Config leads to, reached by the driver for Go.
type goDriver struct{ cfg Config }

// Open implements driver.Cluster.
func (n goDriver) Open(ctx context.Context, o driver.Options) (driver.Session, error) {
	c := n.cfg
	c.Hosts, c.Datacenter, c.Rack = o.Hosts, o.Datacenter, o.Rack
	hosts, limit := resolve, c.limitToContact // the driver cannot filter by a name that nobody can look up
	if o.Datacenter != "" {
		hosts, limit = contactsOf, c.limitToDatacenter
	}
	contacts, err := hosts(ctx, c.Hosts)
	if err != nil {
		return nil, err
	}
	d := c.driver(contacts)
	limit(d)
	d.Keyspace = o.Keyspace // makes batches token-aware
	if o.Observe != nil {
		d.QueryObserver = observer(o.Observe)
		d.BatchObserver = observer(o.Observe)
	}
	session, err := open(ctx, d)
	if err != nil {
		return nil, err
	}
	return &goSession{session}, nil
}

// driver returns the driver configuration common to all sessions, with contact points.
func (c Config) driver(contacts []string) *gocql.ClusterConfig {
	d := gocql.NewCluster(contacts...)
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
	return d
}

// limitToContact limits a session to the contact point, which gets much time for an answer.
func (c Config) limitToContact(d *gocql.ClusterConfig) {
	d.NumConns = 1
	d.ReconnectInterval = 0
	d.HostFilter = gocql.WhiteListHostFilter(d.Hosts...)
	d.MaxWaitSchemaAgreement = time.Millisecond // ApplyWith waits instead, and names the nodes
	d.Timeout = max(d.Timeout, 20*time.Second)  // making a table may take long
}

// limitToDatacenter limits a session to the nodes of one datacenter. Without a filter the driver would fail
// over to other datacenters silently, and LOCAL_QUORUM would mean a quorum there.
func (c Config) limitToDatacenter(d *gocql.ClusterConfig) {
	d.HostFilter = gocql.DataCenterHostFilter(c.Datacenter)
	near := gocql.DCAwareRoundRobinPolicy(c.Datacenter)
	if c.Rack != "" {
		near = gocql.RackAwareRoundRobinPolicy(c.Datacenter, c.Rack)
	}
	d.PoolConfig.HostSelectionPolicy = newUntriedHosts(gocql.TokenAwareHostPolicy(withoutHost(near), gocql.ShuffleReplicas(), gocql.NonLocalReplicasFallback()))
	if c.nodes != nil {
		d.Metadata.HostListener.HostStateChangeListener, d.Metadata.HostListener.TopologyChangeListener = c.nodes, c.nodes
	}
	if c.Trace != nil {
		d.Tracer = tracer(c.Trace)
	}
}

// tracer passes the ids of traces to itself.
type tracer func([]byte)

// Trace implements gocql.Tracer.
func (t tracer) Trace(session []byte) { t(session) }

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
				r.session.Close()
			}
		}()
		return nil, fmt.Errorf("%w: %w", ctx.Err(), failures.end(errNoAnswer))
	}
}

// goSession is a session of the driver for Go.
type goSession struct {
	*gocql.Session
}

// Execute implements driver.Session.
func (s *goSession) Execute(ctx context.Context, st *driver.Statement) (driver.Rows, error) {
	if st.Batch != nil {
		return emptyRows{}, s.batch(st).ExecContext(ctx)
	}
	if st.Choice != nil {
		ctx = context.WithValue(ctx, choiceKey{}, st.Choice)
	}
	q := s.Query(st.CQL, st.Values...).Consistency(st.Consistency).Idempotent(!st.Once).RetryPolicy(policy(st)).
		Prefetch(0).PageState(st.Page)
	if st.PageSize > 0 {
		q = q.PageSize(st.PageSize)
	}
	if st.Node != "" {
		q = q.SetHostID(st.Node)
	}
	if st.Quiet {
		q = q.Observer(nil).Trace(nil)
	}
	rows := q.IterContext(ctx)
	if rows.NumRows() > 0 {
		return &goRows{rows, rows.Scanner()}, nil
	}
	next := rows.PageState()
	return emptyRows{next}, rows.Close()
}

func (s *goSession) batch(st *driver.Statement) *gocql.Batch {
	b := s.Batch(gocql.UnloggedBatch).Consistency(st.Consistency).RetryPolicy(policy(st)).DefaultTimestamp(false)
	b.Entries = make([]gocql.BatchEntry, len(st.Batch))
	for i := range st.Batch {
		b.Entries[i] = gocql.BatchEntry{Stmt: st.CQL, Args: st.Batch[i], Idempotent: !st.Once}
	}
	return b
}

// Nodes implements driver.Session.
func (s *goSession) Nodes() []driver.Node {
	hosts := s.GetHosts()
	list := make([]driver.Node, 0, len(hosts))
	for _, h := range hosts {
		internal := h.Peer()
		if internal == nil || internal.IsUnspecified() {
			internal = h.BroadcastAddress()
		}
		list = append(list, driver.Node{
			ID: h.HostID(), Address: h.ConnectAddress().String(), Internal: internal.String(), Datacenter: h.DataCenter(), Up: h.IsUp(),
		})
	}
	return list
}

// goRows is a page of rows of the driver for Go.
type goRows struct {
	rows    *gocql.Iter
	scanner gocql.Scanner
}

func (r *goRows) Len() int               { return r.rows.NumRows() }
func (r *goRows) Page() []byte           { return r.rows.PageState() }
func (r *goRows) Next() bool             { return r.scanner.Next() }
func (r *goRows) Scan(dest ...any) error { return r.scanner.Scan(dest...) }
func (r *goRows) Close() error           { return r.scanner.Err() }

// emptyRows is a page without rows, and the position of the next page.
type emptyRows struct{ next []byte }

func (r emptyRows) Len() int          { return 0 }
func (r emptyRows) Page() []byte      { return r.next }
func (r emptyRows) Next() bool        { return false }
func (r emptyRows) Scan(...any) error { return gocql.ErrNotFound }
func (r emptyRows) Close() error      { return nil }

// retryPolicy is the retry policy of one execution: it asks driver.Statement.Retry.
type retryPolicy struct {
	another  func(ctx context.Context, attempts int, err error) bool
	attempts int
	ctx      context.Context
}

// policy returns the retry policy of a statement; nil: no other node is tried.
func policy(st *driver.Statement) gocql.RetryPolicy {
	if st.Retry == nil {
		return nil
	}
	return &retryPolicy{another: st.Retry}
}

// Attempt implements gocql.RetryPolicy. The driver calls Attempt and then GetRetryType after each attempt.
func (p *retryPolicy) Attempt(q gocql.RetryableQuery) bool {
	p.attempts, p.ctx = q.Attempts(), q.Context()
	return true
}

// GetRetryType implements gocql.RetryPolicy.
func (p *retryPolicy) GetRetryType(err error) gocql.RetryType {
	if p.another(p.ctx, p.attempts, err) {
		return gocql.RetryNextHost
	}
	return gocql.Rethrow
}

// choiceKey is the key of a *driver.Choice in the context of a read.
type choiceKey struct{}

// withoutHost returns a policy that answers for nil, too. The token-aware policy asks about nil while its ring is empty, as
// for a moment when the only node of a datacenter comes back under another address; the policies of the driver then panic.
func withoutHost(policy gocql.HostSelectionPolicy) gocql.HostSelectionPolicy {
	if tiers, ok := policy.(gocql.HostTierer); ok {
		return tiersWithoutHost{localWithoutHost{policy}, tiers}
	}
	return localWithoutHost{policy}
}

type localWithoutHost struct{ gocql.HostSelectionPolicy }

// IsLocal implements gocql.HostSelectionPolicy.
func (p localWithoutHost) IsLocal(host *gocql.HostInfo) bool {
	return host != nil && p.HostSelectionPolicy.IsLocal(host)
}

type tiersWithoutHost struct {
	localWithoutHost
	tiers gocql.HostTierer
}

// HostTier implements gocql.HostTierer.
func (p tiersWithoutHost) HostTier(host *gocql.HostInfo) uint {
	if host == nil {
		return p.tiers.MaxHostTier()
	}
	return p.tiers.HostTier(host)
}

// MaxHostTier implements gocql.HostTierer.
func (p tiersWithoutHost) MaxHostTier() uint { return p.tiers.MaxHostTier() }

// untriedHosts is a policy that keeps the second call of a hedged read away from the nodes of the
// first call.
//
// The policies of the driver know a host by its address alone. If a new node with a host id of its own took the
// address of an old node, the driver adds the new node, in vain, and then removes the old node with the address.
// So untriedHosts adds the new node once more.
//
// The driver announces a new schema to a token-aware policy through an unexported interface, which
// untriedHosts lacks. Instead the driver calls KeyspaceChanged for each keyspace that is new or has
// a new replication; afterwards the policy knows the same replicas.
type untriedHosts struct {
	gocql.HostSelectionPolicy
	mu    sync.Mutex
	hosts map[string]*gocql.HostInfo // by host id
}

func newUntriedHosts(policy gocql.HostSelectionPolicy) *untriedHosts {
	return &untriedHosts{HostSelectionPolicy: policy, hosts: map[string]*gocql.HostInfo{}}
}

// AddHost implements gocql.HostSelectionPolicy.
func (u *untriedHosts) AddHost(host *gocql.HostInfo) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.hosts[host.HostID()] = host
	u.HostSelectionPolicy.AddHost(host)
}

// RemoveHost implements gocql.HostSelectionPolicy.
func (u *untriedHosts) RemoveHost(host *gocql.HostInfo) {
	u.mu.Lock()
	defer u.mu.Unlock()
	delete(u.hosts, host.HostID())
	u.HostSelectionPolicy.RemoveHost(host)
	for _, h := range u.hosts {
		if h.ConnectAddress().Equal(host.ConnectAddress()) {
			u.HostSelectionPolicy.AddHost(h)
		}
	}
}

// AddHosts implements an optional interface of the driver. Without AddHosts the driver would make a
// new token ring for each node.
func (u *untriedHosts) AddHosts(hosts []*gocql.HostInfo) {
	p, ok := u.HostSelectionPolicy.(interface{ AddHosts([]*gocql.HostInfo) })
	if !ok {
		for _, h := range hosts {
			u.AddHost(h)
		}
		return
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, h := range hosts {
		u.hosts[h.HostID()] = h
	}
	p.AddHosts(hosts)
}

// Pick implements gocql.HostSelectionPolicy.
func (u *untriedHosts) Pick(st gocql.ExecutableStatement) gocql.NextHost {
	next := u.HostSelectionPolicy.Pick(st)
	q, ok := st.(gocql.RetryableQuery)
	if !ok {
		return next
	}
	c, ok := q.Context().Value(choiceKey{}).(*driver.Choice)
	if !ok {
		return next
	}
	return func() gocql.SelectedHost {
		for {
			host := next()
			if host == nil || host.Info() == nil || c.Admits(host.Info().ConnectAddress().String()) {
				return host
			}
		}
	}
}
