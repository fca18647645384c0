package cassandra

import (
	"context"
	"errors"
	"fmt"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"
)

// backFactor times Config.FailoverAfter the local nodes have to answer before the server returns to
// them. Afterwards they have to be without hints for at least as long before their reads are
// trusted alone.
const backFactor = 3

// Why statements go to another datacenter, for the log.
const (
	noLocalNode   = "no node of the local datacenter answers: failing over to another datacenter"
	noOtherEither = "the other datacenter does not serve either: failing over to the next datacenter"
	servesPart    = "the local datacenter serves a part of what the datacenter in use serves: statements stay with the other datacenter"
	notBackYet    = "the local datacenter does not serve yet, or reads cannot be confirmed: statements stay with another datacenter"
)

// failover leads statements to another datacenter while no local node answers, and back.
//
//	local      --no node answers for FailoverAfter, recorded on disk--> another
//	another    --no quorum of it answers for FailoverAfter--> the next one that serves
//	           --as much of the local datacenter serves for 3 x FailoverAfter, and confirmed reads work--> another, reads confirmed
//	           --reads begun before have ended--> local, reads confirmed
//	local, reads confirmed --no hints left, see confirmation--> local
//	                       --no node answers for FailoverAfter, recorded--> another
//
// An absence is recorded from the failover until reads are no longer confirmed.
type failover struct {
	cfg          Config
	link         *link
	peers        *peerNodes
	complaints   *complaints
	confirmation *confirmation

	cancel context.CancelFunc
	ended  chan struct{}

	// Used by open, and then by the loop.
	local     *route            // nil: not open
	others    map[string]*route // the open routes to other datacenters, by datacenter
	since     time.Time         // begin of the present run of probes of local nodes with one result
	unserved  time.Time         // since when the other datacenter in use does not serve; zero: it serves
	answered  time.Time         // when a local node answered last
	confirmed time.Time         // since when all new reads are confirmed, before a failback; zero: not known yet
	learnt    time.Time         // when a node was last asked for the addresses of all nodes
}

func newFailover(l *link, c *complaints) *failover {
	return &failover{cfg: l.cfg, link: l, peers: l.peers, complaints: c, confirmation: newConfirmation(l, c)}
}

// open opens the local route. If localAway, or if no local node can be reached, open fails over to
// another datacenter. An absence that an earlier process recorded is resumed, see stayAway.
func (f *failover) open(ctx context.Context, localAway bool) error {
	now := time.Now()
	recorded := f.confirmation.file.load()
	f.confirmation.absence = recorded
	var err error
	if !localAway {
		if f.local, err = f.link.open(ctx, f.cfg.Datacenter); err == nil {
			if recorded.lasts() && f.stayAway(ctx) {
				return nil
			}
			f.answered = now
			f.link.current.Store(f.local)
			if recorded != nil {
				f.confirmation.resume(recorded, now)
			}
			return nil
		}
	}
	other, otherErr := f.openOther(ctx)
	if other != nil {
		if otherErr = f.depart(other, f.peers.lastSeen(), noLocalNode); otherErr == nil {
			return nil
		}
		f.closeOthers()
	}
	return errors.Join(err, otherErr)
}

// stayAway leads statements to another datacenter at a start during an absence, if the local nodes cannot take
// them back yet and another datacenter serves: servers that did not restart wait as well, see watchReturn.
func (f *failover) stayAway(ctx context.Context) bool {
	local, confirmed := f.local.readable(ctx, f.cfg.Keyspace, gocql.LocalQuorum), 0
	if areMost(local) {
		confirmed = f.local.readable(ctx, f.cfg.Keyspace, gocql.EachQuorum)
	}
	if min(local, confirmed) == probes {
		return false
	}
	if other, _ := f.openOther(ctx); other != nil {
		served := other.readable(ctx, f.cfg.Keyspace, gocql.LocalQuorum)
		if areMost(served) && !asMany(min(local, confirmed), served) && f.depart(other, f.peers.lastSeen(), notBackYet) == nil {
			return true
		}
	}
	f.closeOthers()
	return false
}

// openOther returns the first other datacenter that serves, else the first that can be reached: its quorum
// may be back soon. Nil: there is none, with the errors of those in Config.Failover.
func (f *failover) openOther(ctx context.Context) (*route, error) {
	var reached *route
	var failed error
	for _, datacenter := range f.cfg.Failover {
		other, err := f.routeTo(ctx, datacenter)
		if err != nil {
			failed = errors.Join(failed, err)
			continue
		}
		if other.serves(ctx, f.cfg.Keyspace) {
			return other, nil
		}
		if reached == nil {
			reached = other
		}
	}
	if reached != nil {
		return reached, nil
	}
	return nil, failed
}

// routeTo returns the route to another datacenter. It stays open until closeOthers.
func (f *failover) routeTo(ctx context.Context, datacenter string) (*route, error) {
	if other := f.others[datacenter]; other != nil {
		return other, nil
	}
	other, err := f.link.open(ctx, datacenter)
	if err != nil {
		return nil, err
	}
	if f.others == nil {
		f.others = map[string]*route{}
	}
	f.others[datacenter] = other
	return other, nil
}

func (f *failover) closeOthers() {
	for _, other := range f.others {
		other.close()
	}
	f.others = nil
}

// start begins the loop. Without other datacenters to fail over to, and without an absence that
// another configuration left, there is nothing to watch.
func (f *failover) start(ctx context.Context) {
	f.ended = make(chan struct{})
	watching, cancel := context.WithCancel(context.Background())
	f.cancel = cancel
	if len(f.cfg.Failover) == 0 && f.confirmation.absence == nil {
		close(f.ended)
		return
	}
	f.learnNodes(ctx, time.Now())
	every := min(max(f.cfg.FailoverAfter/5, 200*time.Millisecond), probeTime)
	go func() {
		defer close(f.ended)
		again := time.NewTicker(every)
		defer again.Stop()
		for {
			select {
			case <-again.C:
				f.step(watching, time.Now())
			case <-watching.Done():
				return
			}
		}
	}()
}

// stop ends the loop. closeRoutes closes the sessions.
func (f *failover) stop() {
	f.cancel()
	<-f.ended
}

func (f *failover) closeRoutes() {
	f.confirmation.asker.close()
	f.local.close()
	f.closeOthers()
}

// step does one step of the loop.
func (f *failover) step(ctx context.Context, now time.Time) {
	if f.link.current.Load() == f.local {
		f.watchLocal(ctx, now)
	} else {
		f.watchOther(ctx, now)
	}
}

// watchLocal does a step while statements go to local nodes.
func (f *failover) watchLocal(ctx context.Context, now time.Time) {
	switch {
	case f.local.answers(ctx):
		f.since, f.answered = time.Time{}, now
		f.learnNodes(ctx, now)
		if f.confirmation.step(ctx, f.local, now) {
			f.closeOthers()
		}
	case f.since.IsZero():
		f.since = now
	case now.Sub(f.since) >= f.cfg.FailoverAfter:
		f.failOver(ctx, noLocalNode)
	}
}

// watchOther does a step while statements go to another datacenter.
func (f *failover) watchOther(ctx context.Context, now time.Time) {
	if f.local == nil {
		if local, err := f.link.open(ctx, f.cfg.Datacenter); err == nil {
			f.local = local
		}
	}
	f.confirmation.restoreFile()
	local := 0
	if f.local != nil {
		local = f.local.readable(ctx, f.cfg.Keyspace, gocql.LocalQuorum)
	}
	other := f.link.current.Load().readable(ctx, f.cfg.Keyspace, gocql.LocalQuorum)
	otherServes := f.watchServing(ctx, areMost(other), now)
	if areMost(local) && !asMany(local, other) {
		f.complaints.warn(servesPart, "datacenter", f.link.origin(), "partitions", fmt.Sprintf("%d of %d probed", local, probes))
	}
	f.watchReturn(asMany(local, other), now, func() bool {
		return !otherServes || asMany(f.local.readable(ctx, f.cfg.Keyspace, gocql.EachQuorum), other)
	})
}

// watchServing reports whether the other datacenter in use serves, or served within FailoverAfter. If it has not
// served for FailoverAfter, statements go to the next datacenter that serves.
func (f *failover) watchServing(ctx context.Context, serves bool, now time.Time) bool {
	switch {
	case serves:
		f.unserved = time.Time{}
		return true
	case f.unserved.IsZero():
		f.unserved = now
	case now.Sub(f.unserved) >= f.cfg.FailoverAfter:
		return f.failOver(ctx, noOtherEither)
	}
	return true
}

// watchReturn returns to the local nodes step by step, as long as they serve. confirms reports whether
// confirmed reads work, or statements fail where they are. Confirmed reads need every datacenter: without
// one of them they would fail after the return, and statements stay where they are.
func (f *failover) watchReturn(serves bool, now time.Time, confirms func() bool) {
	switch {
	case !serves:
		f.since = time.Time{}
		f.link.setConfirming(false)
	case f.since.IsZero():
		f.since = now
	case now.Sub(f.since) < backFactor*f.cfg.FailoverAfter:
	case !confirms():
		f.link.setConfirming(false)
		f.complaints.warn("the local datacenter serves again, and statements stay with another datacenter: reads cannot be confirmed while a datacenter has no quorum",
			"datacenter", f.link.origin())
	case !f.link.confirming.Load():
		f.confirmed = time.Time{}
		f.link.setConfirming(true)
	case f.confirmed.IsZero():
		f.confirmed = now // later than setConfirming: the probes of a step take time
	case now.Sub(f.confirmed) >= f.cfg.QueueTime+time.Second: // unconfirmed reads have begun
		f.failBack(now)
	}
}

// failOver fails over to the first other datacenter that serves, and is not in use, and reports whether
// there is one.
func (f *failover) failOver(ctx context.Context, why string) bool {
	for _, datacenter := range f.cfg.Failover {
		if datacenter == f.link.origin() {
			continue
		}
		other, err := f.routeTo(ctx, datacenter)
		if err != nil {
			f.complaints.warn("cannot fail over to another datacenter", "datacenter", datacenter, "cause", err)
			continue
		}
		if !other.serves(ctx, f.cfg.Keyspace) {
			continue
		}
		if err := f.depart(other, f.answered, why); err != nil {
			f.complaints.warn("cannot fail over to another datacenter", "datacenter", datacenter, "cause", err)
			return false
		}
		return true
	}
	return false
}

// depart leads statements to another datacenter. left is when a local node answered last; it may be
// zero. If the absence cannot be recorded on disk statements stay at the local nodes: otherwise a
// restarted server would treat rows that the local nodes lack as removed.
func (f *failover) depart(other *route, left time.Time, why string) error {
	if err := f.confirmation.begin(left); err != nil {
		return err
	}
	f.since, f.unserved = time.Time{}, time.Time{}
	f.link.switchTo(other, why)
	return nil
}

// failBack leads statements to the local nodes again.
func (f *failover) failBack(now time.Time) {
	f.since, f.answered = time.Time{}, now
	f.confirmation.localReturned(now)
	f.link.switchTo(f.local, "the nodes of the local datacenter are back: reads are confirmed with the other datacenters until the local nodes have received the writes they missed")
}

// learnNodes asks a local node for the addresses and generations of all nodes, and records them together with the
// time of the answer.
func (f *failover) learnNodes(ctx context.Context, now time.Time) {
	if f.link.current.Load() != f.local || now.Sub(f.learnt) < learnEvery {
		return
	}
	f.learnt = now
	if nodes, started, err := f.local.allNodes(ctx); err == nil && len(nodes) > 0 {
		f.peers.set(nodes, now)
		if len(started) > 0 {
			f.peers.setStarts(started)
		}
		f.peers.save()
	}
}
