package embedded

import (
	"context"
	"sync"
	"time"

	"popelago/store"
)

// sweepState holds the memory of background work between two runs. One run is in progress at a time.
type sweepState struct {
	metrics *metrics

	turn sync.Mutex // held by the run
	// unflushed counts octets of inline content removed since the last flush.
	unflushed int64
}

func newSweepState(m *metrics) *sweepState { return &sweepState{metrics: m} }

// sweepRun is one run of background work. It holds the turn of its state until end.
type sweepRun struct {
	state *sweepState
	// olderThan: no mailbox has had a row of a removed content since. The zero time: no mailbox has ever
	// had one.
	olderThan time.Time
	// putBefore limits the contents without a message, and the files without a row: a delivery in flight
	// may still need younger ones.
	putBefore time.Time
	// settled: all mailboxes of a removed content have removed their rows, so that no delivery in flight
	// can add a row. Otherwise olderThan must be longer ago than the longest delivery.
	settled bool
	report  store.SweepReport
	show    func(context.Context, store.SweepReport)
}

// begin waits for the turn, and begins a run for contents not settled. end must follow.
func (s *sweepState) begin(olderThan time.Time) *sweepRun {
	s.turn.Lock()
	return &sweepRun{state: s, olderThan: olderThan, putBefore: olderThan, show: store.Show[store.SweepReport]}
}

// beginOrphans is begin for contents that never had a message. A removed message keeps its content.
func (s *sweepState) beginOrphans(putBefore time.Time) *sweepRun {
	s.turn.Lock()
	return &sweepRun{state: s, putBefore: putBefore, show: func(ctx context.Context, r store.SweepReport) {
		store.Show(ctx, store.OrphanReport{SweepReport: r})
	}}
}

// tryBegin begins a run for settled contents. It returns nil while another run is in progress; otherwise
// end must follow.
func (s *sweepState) tryBegin(olderThan time.Time) *sweepRun {
	if !s.turn.TryLock() {
		return nil
	}
	return &sweepRun{state: s, olderThan: olderThan, settled: true, show: store.Show[store.SweepReport]}
}

func (r *sweepRun) end() { r.state.turn.Unlock() }

// steps does the steps of a run. An ended context stops them without an error.
func (r *sweepRun) steps(ctx context.Context, steps ...func(context.Context, *sweepRun) error) error {
	for _, step := range steps {
		if ctx.Err() != nil {
			return nil
		}
		if err := step(ctx, r); err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
	}
	return nil
}

// count adds a removed content to the report.
func (r *sweepRun) count(octets int64) {
	r.report.Contents++
	r.report.Octets += octets
	r.state.metrics.swept.Add(float64(octets))
}
