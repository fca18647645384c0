package bench

import "sync"

// rounds gives out the maildrops 0 to n-1 in turn, each to one taker at a time, for a number of
// passes. Safe for concurrent use.
type rounds struct {
	mu    sync.Mutex
	freed *sync.Cond
	ready []int // may be taken, in this order
	out   int   // taken now
	left  []int // passes still to do, per maildrop
	noEnd bool
}

// newRounds begins with all n maildrops; passes 0 means without end.
func newRounds(n, passes int) *rounds {
	r := &rounds{left: make([]int, n), noEnd: passes == 0}
	r.freed = sync.NewCond(&r.mu)
	for i := range n {
		r.ready = append(r.ready, i)
		r.left[i] = passes
	}
	return r
}

// take waits for the next free maildrop and returns it. ok is false after all passes. The caller
// calls done afterwards.
func (r *rounds) take() (i int, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for len(r.ready) == 0 {
		if r.out == 0 {
			return 0, false
		}
		r.freed.Wait()
	}
	i, r.ready = r.ready[0], r.ready[1:]
	r.out++
	return i, true
}

// done gives maildrop i back. finished says that its pass is complete; otherwise it comes again.
func (r *rounds) done(i int, finished bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.out--
	if finished {
		r.left[i]--
	}
	if r.noEnd || r.left[i] > 0 {
		r.ready = append(r.ready, i)
	}
	r.freed.Broadcast()
}
