package cassandra

import (
	"context"
	"errors"
	"sync"

	gocql "github.com/apache/cassandra-gocql-driver/v2"
	"golang.org/x/sync/errgroup"
)

// Limits of what background work tries while replicas are away.
const (
	// parallelProofs is how many partitions are read at ALL at the same time.
	parallelProofs = 16
	// hopelessAfter failures without a single success end a run: a whole datacenter is away.
	hopelessAfter = 200
	// maxSlow time-outs end a run. The next run goes on from there. By then the nodes have
	// noticed who is away, and answer at once.
	maxSlow = 16
)

// errTired ends a run that waited for too many time-outs.
var errTired = errors.New("cassandra: too many statements timed out")

// obstacle is the error of a statement that some replicas of one partition kept from succeeding.
// Other partitions may be on other replicas.
type obstacle struct {
	statement // no cql: nothing can tell when the obstacle is gone
	err       error
}

// blocks reports whether an error concerns the replicas of one partition, or the load, and so
// tells nothing about other partitions.
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

// costTime reports whether somebody waited in vain before an error came: for an answer, for a
// replica's, or for a place among the statements under way.
func costTime(err error) bool {
	var answer gocql.RequestError
	written := errors.As(err, &answer) && answer.Code() == gocql.ErrCodeWriteTimeout
	return written || timedOut(err) || errors.Is(err, errOverloaded) || errors.Is(err, context.DeadlineExceeded)
}

// tally counts the proofs of one run. Safe for concurrent use.
type tally struct {
	mu                    sync.Mutex
	proven, blocked, slow int
	first                 error // of those that blocked
}

// proof notes the result of a read at ALL. What only blocked is an obstacle. The error is not
// nil if the run has to end: for another reason, because nothing can be proven, or errTired.
func (t *tally) proof(ctx context.Context, st statement, err error) (*obstacle, error) {
	if err == nil {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.proven++
		return nil, nil
	}
	return t.failed(ctx, st, err)
}

// failed notes the error of a statement that is no proof itself, see proof. err may be nil.
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

// verdict is the first error that blocked if nothing at all could be proven.
func (t *tally) verdict() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.proven > 0 {
		return nil
	}
	return t.first
}

// prove reads one partition at ALL. After an obstacle some rows may have been given to row: they
// do not count.
func (r *sweeper) prove(ctx context.Context, st statement, size int, row func(scan func(...any) error) error) (*obstacle, error) {
	st.consistency = gocql.All
	if err := r.beginProof(ctx); err != nil {
		return nil, err
	}
	defer r.endProof()
	return r.tally.proof(ctx, st, r.readAll(ctx, st, size, row))
}

// beginProof waits until one more proof may be under way; endProof must follow.
func (r *sweeper) beginProof(ctx context.Context) error {
	select {
	case r.proofs <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (r *sweeper) endProof() { <-r.proofs }

// gone reports whether what blocked before does so no more.
func (r *sweeper) gone(ctx context.Context, o *obstacle) (bool, error) {
	if o == nil || o.cql == "" {
		return true, nil
	}
	_, err := r.read(ctx, o.statement, 10, nil, func(func(...any) error) error { return nil })
	still, err := r.tally.proof(ctx, o.statement, err)
	return still == nil, err
}

// atOnce calls do for each of some things, n of them at the same time, until a call fails.
func atOnce[T any](ctx context.Context, n int, things []T, do func(context.Context, T) error) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(n)
	for _, thing := range things {
		if ctx.Err() != nil {
			break
		}
		group.Go(func() error { return do(ctx, thing) })
	}
	return group.Wait()
}
