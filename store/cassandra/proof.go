package cassandra

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"

	gocql "github.com/apache/cassandra-gocql-driver/v2"
	"golang.org/x/sync/errgroup"

	"popelago/store"
)

// Limits of background work while replicas are away.
const (
	// parallelProofs is the count of partitions read at ALL at the same time.
	parallelProofs = 16
	// hopelessAfter failures without a single success end a run: a whole datacenter is away.
	hopelessAfter = 200
	// maxSlow time-outs end a run; the next run continues. By then the nodes have noticed the missing
	// replicas, and answer at once.
	maxSlow = 16
)

// errTired ends a run after too many time-outs.
var errTired = errors.New("cassandra: too many statements timed out")

// obstacle holds a statement that failed because replicas of one partition are away. Other partitions
// may be on other replicas.
type obstacle struct {
	statement // without cql: the end of the obstacle cannot be tested
	err       error
}

// blocks reports whether an error concerns the replicas of one partition, or the load. Other partitions
// may still succeed.
func blocks(err error) bool {
	var answer gocql.RequestError
	if errors.As(err, &answer) {
		switch answer.Code() {
		case gocql.ErrCodeUnavailable, gocql.ErrCodeReadFailure, gocql.ErrCodeWriteFailure:
			return true
		}
	}
	return costTime(err)
}

// costTime reports whether an error came after a fruitless wait for an answer, for a replica, or for a
// place among the statements in flight.
func costTime(err error) bool {
	var answer gocql.RequestError
	written := errors.As(err, &answer) && answer.Code() == gocql.ErrCodeWriteTimeout
	return written || timedOut(err) || errors.Is(err, store.ErrOverloaded) || errors.Is(err, context.DeadlineExceeded)
}

// tally counts the proofs of one run. Safe for concurrent use.
type tally struct {
	mu                    sync.Mutex
	proven, blocked, slow int
	first                 error // the first error that blocked
}

// proof notes the result of a read at ALL. An error that only blocks becomes an obstacle. The error is
// not nil if the run has to end: for another cause, because nothing can be proven, or errTired.
func (t *tally) proof(ctx context.Context, st statement, err error) (*obstacle, error) {
	if err == nil {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.proven++
		return nil, nil
	}
	return t.failed(ctx, st, err)
}

// failed notes the error of a statement that is not a proof, see proof. err may be nil.
func (t *tally) failed(ctx context.Context, st statement, err error) (*obstacle, error) {
	switch {
	case err == nil:
		return nil, nil
	case ctx.Err() != nil || !blocks(err):
		return nil, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.blocked++
	if t.first == nil {
		t.first = err
	}
	if costTime(err) {
		t.slow++
	}
	o := &obstacle{st, err}
	switch {
	case t.proven == 0 && t.blocked >= hopelessAfter:
		return o, t.first
	case t.slow >= maxSlow:
		return o, errTired
	}
	return o, nil
}

// verdict returns the first error that blocked if nothing could be proven.
func (t *tally) verdict() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.proven > 0 {
		return nil
	}
	return t.first
}

// prover reads partitions at ALL for one run, parallelProofs at a time.
type prover struct {
	runner *runner
	tally  tally
	proofs chan struct{} // holds a value for each proof in flight
}

func newProver(run *runner) *prover {
	return &prover{runner: run, proofs: make(chan struct{}, parallelProofs)}
}

// prove reads one partition at ALL. After an obstacle the rows passed to row do not count.
func (p *prover) prove(ctx context.Context, st statement, size int, row func(scan func(...any) error) error) (*obstacle, error) {
	st.consistency = gocql.All
	if err := p.begin(ctx); err != nil {
		return nil, err
	}
	defer p.end()
	return p.tally.proof(ctx, st, p.runner.readAll(ctx, st, size, row))
}

// begin waits until one more proof may be in flight; end must follow.
func (p *prover) begin(ctx context.Context) error {
	select {
	case p.proofs <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (p *prover) end() { <-p.proofs }

// gone reports whether an obstacle is gone.
func (p *prover) gone(ctx context.Context, o *obstacle) (bool, error) {
	if o == nil || o.cql == "" {
		return true, nil
	}
	_, err := p.runner.read(ctx, o.statement, 10, nil, func(func(...any) error) error { return nil })
	still, err := p.tally.proof(ctx, o.statement, err)
	return still == nil, err
}

// atOnce calls do for each item, n of them at the same time, until a call fails.
func atOnce[T any](ctx context.Context, n int, items []T, do func(context.Context, T) error) error {
	group, ctx := errgroup.WithContext(ctx)
	n = min(n, len(items))
	var next atomic.Int64
	next.Store(int64(n))
	for first := range n { // a goroutine for each item would grow its stack each time
		group.Go(func() error {
			for i := first; i < len(items) && ctx.Err() == nil; i = int(next.Add(1)) - 1 {
				if err := do(ctx, items[i]); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return group.Wait()
}
