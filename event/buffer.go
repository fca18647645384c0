package event

import (
	"context"
	"sync"
	"time"
)

// The reasons for a dropped event: label values of metrics.
const (
	DropFull    = "full"    // too many events waited
	DropFailed  = "failed"  // the store did not take the event
	DropStopped = "stopped" // the server stopped
)

// BufferConfig holds the settings of a Buffer. All fields are required.
type BufferConfig struct {
	// Place stamps the events.
	Place Place
	// Waiting is the largest number of events that wait.
	Waiting int
	// FlushEvery is the longest time that an event waits before it is written.
	FlushEvery time.Duration
	// FlushEvents is the number of waiting events that are written without a wait.
	FlushEvents int
	// Write writes events, in the order in which they happened. It keeps no event after it returns. ctx ends
	// with the patience of Close.
	Write func(ctx context.Context, events []Event)
	// Dropped counts an event that finds no room, with DropFull or DropStopped.
	Dropped func(reason string)
}

// Buffer is a Listener that gathers events, and writes them in batches beside the callers. Safe for concurrent
// use.
type Buffer struct {
	cfg    BufferConfig
	writer sync.WaitGroup
	ctx    context.Context // of the writes
	cancel context.CancelFunc
	wake   chan struct{} // enough events wait, or the buffer closes

	mu      sync.Mutex
	waiting []Event
	spare   []Event // written, for the next round
	closed  bool
	last    time.Time     // of an event, see orderedLocked
	taken   uint64        // events that waited so far
	done    uint64        // events of these that were written or dropped
	moved   chan struct{} // closed when done grows
}

// NewBuffer makes a Buffer. Close must follow.
func NewBuffer(cfg BufferConfig) *Buffer {
	b := &Buffer{cfg: cfg, wake: make(chan struct{}, 1), moved: make(chan struct{})}
	b.ctx, b.cancel = context.WithCancel(context.Background())
	b.writer.Go(b.run)
	return b
}

// Waiting returns the number of waiting events.
func (b *Buffer) Waiting() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.waiting)
}

// Happened implements Listener.
func (b *Buffer) Happened(e Event) {
	untimed := e.Time.IsZero()
	e = b.cfg.Place.Stamp(e)
	b.mu.Lock()
	defer b.mu.Unlock()
	if untimed {
		e.Time = b.orderedLocked(e.Time)
	}
	switch {
	case b.closed:
		b.cfg.Dropped(DropStopped)
		return
	case len(b.waiting) >= b.cfg.Waiting:
		b.cfg.Dropped(DropFull)
		return
	}
	b.waiting, b.taken = append(b.waiting, e), b.taken+1
	if len(b.waiting) == b.cfg.FlushEvents {
		b.signal()
	}
}

// orderedLocked returns a time to the microsecond, and a later one for each event: events of one moment keep
// their order.
func (b *Buffer) orderedLocked(at time.Time) time.Time {
	at = at.Truncate(time.Microsecond)
	if ahead := b.last.Sub(at); ahead >= 0 && ahead < time.Second {
		at = b.last.Add(time.Microsecond)
	}
	b.last = at
	return at
}

func (b *Buffer) signal() {
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

// Close writes the waiting events, and gives up at the end of ctx. Later events are dropped.
func (b *Buffer) Close(ctx context.Context) {
	b.mu.Lock()
	b.closed = true
	b.mu.Unlock()
	b.signal()
	stop := context.AfterFunc(ctx, b.cancel)
	defer stop()
	b.writer.Wait()
	b.cancel()
}

// run writes events until Close.
func (b *Buffer) run() {
	tick := time.NewTicker(b.cfg.FlushEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-b.wake:
		}
		for {
			events, closed := b.take()
			if len(events) == 0 && closed {
				return
			}
			if len(events) == 0 {
				break
			}
			b.cfg.Write(b.ctx, events)
			b.giveBack(events)
		}
	}
}

// take takes the waiting events.
func (b *Buffer) take() (events []Event, closed bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	events, b.waiting, b.spare = b.waiting, b.spare, nil
	return events, b.closed
}

// giveBack returns the memory of written events, unless a peak made it large.
func (b *Buffer) giveBack(events []Event) {
	clear(events)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.done += uint64(len(events))
	close(b.moved)
	b.moved = make(chan struct{})
	if cap(events) <= 2*b.cfg.FlushEvents {
		b.spare = events[:0]
	}
}

// Flush writes the events that wait now, and returns when they are written or dropped, or at the end of ctx.
func (b *Buffer) Flush(ctx context.Context) {
	b.mu.Lock()
	target := b.taken
	b.mu.Unlock()
	for {
		b.mu.Lock()
		moved, done := b.moved, b.done >= target
		b.mu.Unlock()
		if done {
			return
		}
		b.signal()
		select {
		case <-moved:
		case <-ctx.Done():
			return
		}
	}
}

// Pause waits between two tries of a write, and returns false if ctx ends before.
func Pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// Listeners is a Listener that passes each event to several.
type Listeners []Listener

// Happened implements Listener.
func (all Listeners) Happened(e Event) {
	for _, l := range all {
		l.Happened(e)
	}
}
