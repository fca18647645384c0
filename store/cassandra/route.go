package cassandra

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"
)

// route is a datacenter and the session that leads to its nodes.
type route struct {
	datacenter string
	session    *gocql.Session
}

// open opens a route to one datacenter.
func (s *engine) open(ctx context.Context, datacenter string) (*route, error) {
	cfg := s.cfg
	if datacenter != cfg.Datacenter {
		cfg.Datacenter, cfg.Rack = datacenter, ""
		cfg.Hosts = s.known.of(datacenter, cfg.Hosts)
	}
	session, err := cfg.connect(ctx, s.metrics.observe(s.limit.observe(cfg.Observe)))
	if err != nil {
		return nil, err
	}
	return &route{datacenter, session}, nil
}

// nodesOf lists the nodes of a datacenter that a session leads to. The driver also lists what it leads
// to no more: a contact point in another datacenter that it came across first.
func nodesOf(session *gocql.Session, datacenter string) []*gocql.HostInfo {
	return slices.DeleteFunc(session.GetHosts(), func(h *gocql.HostInfo) bool { return h.DataCenter() != datacenter })
}

// nodes lists the nodes of a route.
func (r *route) nodes() []*gocql.HostInfo { return nodesOf(r.session, r.datacenter) }

// start opens the local route, or if no local node can be reached one that is allowed instead.
// Whether that happened before is known from the spool folder.
func (s *engine) start(ctx context.Context, localAway bool) error {
	f, now := &s.failover, time.Now()
	kept := s.recall()
	var err error
	if !localAway {
		var local *route
		if local, err = s.open(ctx, s.cfg.Datacenter); err == nil {
			f.local, f.answered = local, now
			s.route.Store(local)
			if kept != nil {
				s.resume(kept, now)
			}
			return nil
		}
	}
	f.absence = kept
	for _, datacenter := range s.cfg.Failover {
		other, otherErr := s.open(ctx, datacenter)
		if otherErr == nil {
			if otherErr = s.depart(other, s.known.lastSeen()); otherErr == nil {
				f.other = other
				return nil
			}
			endSession(other.session)
		}
		err = errors.Join(err, otherErr)
	}
	return err
}

// session is where statements go now.
func (s *engine) session() *gocql.Session { return s.route.Load().session }

// origin is the datacenter that acknowledges what is written now.
func (s *engine) origin() string { return s.route.Load().datacenter }

// answers reports whether any node of a route answers. Each is asked for itself: one that hangs
// says nothing about the others.
func (r *route) answers(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, probeTime)
	defer cancel()
	hosts := r.nodes()
	found := make(chan bool, len(hosts))
	for _, h := range hosts {
		go func() {
			var key string
			err := r.session.Query(selectProbe).Consistency(gocql.One).Idempotent(true).RetryPolicy(nil).
				SetHostID(h.HostID()).ScanContext(ctx, &key)
			found <- err == nil
		}()
	}
	for range hosts {
		if <-found {
			return true
		}
	}
	return false
}

// serves reports whether a quorum of a route's datacenter can be read.
func (r *route) serves(ctx context.Context, keyspace string) bool {
	ctx, cancel := context.WithTimeout(ctx, probeTime)
	defer cancel()
	rows := r.session.Query(fmt.Sprintf(selectVersions, keyspace)).Consistency(gocql.LocalQuorum).Idempotent(true).IterContext(ctx)
	return rows.Close() == nil
}
