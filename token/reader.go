package token

import (
	"context"
	"fmt"
	"sync"
	"time"

	"popelago/store"
)

// readLimit bounds the time of one read of all tokens.
const readLimit = 10 * time.Second

// reader reads the tokens for any number of callers at once, with one read in flight: callers that come
// during a read share the next read. So wrong tokens cost the store no more than one read at a time.
type reader struct {
	load func(context.Context) (*list, error)
	work sync.WaitGroup

	mu     sync.Mutex
	next   *result // the callers that wait for the next read; nil: none
	busy   bool
	closed bool
}

// result is the result of one read, once done is closed.
type result struct {
	done chan struct{}
	list *list
	err  error
}

// read returns the result of a read that began after the call. Errors: the store's.
func (r *reader) read(ctx context.Context) (*list, error) {
	r.mu.Lock()
	if r.closed {
		r.mu.Unlock()
		return nil, fmt.Errorf("token: read the tokens: %w", store.ErrClosed)
	}
	if r.next == nil {
		r.next = &result{done: make(chan struct{})}
	}
	mine := r.next
	if !r.busy {
		r.busy = true
		r.work.Go(r.loop)
	}
	r.mu.Unlock()
	select {
	case <-mine.done:
		return mine.list, mine.err
	case <-ctx.Done():
		return nil, fmt.Errorf("token: read the tokens: %w: %w", store.ErrUnavailable, ctx.Err())
	}
}

// loop reads until no caller waits.
func (r *reader) loop() {
	for {
		r.mu.Lock()
		mine := r.next
		r.next = nil
		r.busy = mine != nil
		r.mu.Unlock()
		if mine == nil {
			return
		}
		ctx, cancel := context.WithTimeout(context.Background(), readLimit)
		mine.list, mine.err = r.load(ctx)
		cancel()
		close(mine.done)
	}
}

// close refuses further callers and waits for the read in flight.
func (r *reader) close() {
	r.mu.Lock()
	r.closed = true
	r.mu.Unlock()
	r.work.Wait()
}
