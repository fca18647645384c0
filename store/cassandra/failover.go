package cassandra

import (
	"context"
	"errors"
	"time"
)

// backFactor times Config.FailoverAfter the local nodes have to answer before the server returns to
// them. Afterwards they have to be without hints for at least as long before their reads are
// trusted alone.
const backFactor = 3

// failover leads statements to another datacenter while no local node answers, and back.
//
//	local      --no node answers for FailoverAfter, recorded on disk--> another
//	another    --a quorum answers for 3 x FailoverAfter--> another, reads confirmed
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
	local, other *route    // nil: not open
	since        time.Time // begin of the present run of probes with one result
	answered     time.Time // when a local node answered last
	confirmed    time.Time // when reads began to be confirmed, before a failback
	learnt       time.Time // when a node was last asked for the addresses of all nodes
}

func newFailover(l *link, c *complaints) *failover {
	return &failover{cfg: l.cfg, link: l, peers: l.peers, complaints: c, confirmation: newConfirmation(l, c)}
}

// open opens the local route. If localAway, or if no local node can be reached, open fails over to
// another datacenter. An absence that an earlier process recorded is resumed.
func (f *failover) open(ctx context.Context, localAway bool) error {
	now := time.Now()
	recorded := f.confirmation.file.load()
	var err error
	if !localAway {
		if f.local, err = f.link.open(ctx, f.cfg.Datacenter); err == nil {
			f.answered = now
			f.link.current.Store(f.local)
			if recorded != nil {
				f.confirmation.resume(recorded, now)
			}
			return nil
		}
	}
	f.confirmation.absence = recorded
	for _, datacenter := range f.cfg.Failover {
		other, otherErr := f.link.open(ctx, datacenter)
		if otherErr == nil {
			if otherErr = f.depart(other, f.peers.lastSeen()); otherErr == nil {
				f.other = other
				return nil
			}
			other.close()
		}
		err = errors.Join(err, otherErr)
	}
	return err
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
	f.other.close()
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
			f.other.close()
			f.other = nil
		}
	case f.since.IsZero():
		f.since = now
	case now.Sub(f.since) >= f.cfg.FailoverAfter:
		f.failOver(ctx)
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
	f.watchReturn(f.local != nil && f.local.serves(ctx, f.cfg.Keyspace), now)
}

// watchReturn returns to the local nodes step by step, as long as they serve.
func (f *failover) watchReturn(serves bool, now time.Time) {
	switch {
	case !serves:
		f.since = time.Time{}
		f.link.setConfirming(false)
	case f.since.IsZero():
		f.since = now
	case now.Sub(f.since) < backFactor*f.cfg.FailoverAfter:
	case !f.link.confirming.Load():
		f.confirmed = now
		f.link.setConfirming(true)
	case now.Sub(f.confirmed) >= f.cfg.QueueTime+time.Second: // unconfirmed reads have begun
		f.failBack(now)
	}
}

// failOver fails over to the first other datacenter that serves.
func (f *failover) failOver(ctx context.Context) {
	for _, datacenter := range f.cfg.Failover {
		if f.other == nil || f.other.datacenter != datacenter {
			other, err := f.link.open(ctx, datacenter)
			if err != nil {
				f.complaints.warn("cannot fail over to another datacenter", "datacenter", datacenter, "cause", err)
				continue
			}
			f.other.close()
			f.other = other
		}
		if !f.other.serves(ctx, f.cfg.Keyspace) {
			continue
		}
		if err := f.depart(f.other, f.answered); err != nil {
			f.complaints.warn("cannot fail over to another datacenter", "datacenter", datacenter, "cause", err)
		}
		return
	}
}

// depart leads statements to another datacenter. left is when a local node answered last; it may be
// zero. If the absence cannot be recorded on disk statements stay at the local nodes: otherwise a
// restarted server would treat rows that the local nodes lack as removed.
func (f *failover) depart(other *route, left time.Time) error {
	if err := f.confirmation.begin(left); err != nil {
		return err
	}
	f.since = time.Time{}
	f.link.switchTo(other, "no node of the local datacenter answers: failing over to another datacenter")
	return nil
}

// failBack leads statements to the local nodes again.
func (f *failover) failBack(now time.Time) {
	f.since, f.answered = time.Time{}, now
	f.confirmation.localReturned(now)
	f.link.switchTo(f.local, "the nodes of the local datacenter are back: reads are confirmed with the other datacenters until the local nodes have received the writes they missed")
}

// learnNodes asks a local node for the addresses of all nodes, and records them together with the
// time of the answer.
func (f *failover) learnNodes(ctx context.Context, now time.Time) {
	if f.link.current.Load() != f.local || now.Sub(f.learnt) < learnEvery {
		return
	}
	f.learnt = now
	if nodes, err := f.local.allNodes(ctx); err == nil && len(nodes) > 0 {
		f.peers.set(nodes, now)
		f.peers.save()
	}
}
