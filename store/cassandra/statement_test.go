package cassandra

import (
	"context"
	"errors"
	"testing"
	"time"

	"popelago/store"
)

// What there is no room for is not sent, and says so.
func TestConcurrencyIsBounded(t *testing.T) {
	s := &engine{cfg: Config{QueueTime: time.Millisecond}, slots: make(chan struct{}, 2)}
	ctx := t.Context()
	for range 2 {
		if err := s.enter(ctx, "x"); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.enter(ctx, "x"); !errors.Is(err, store.ErrUnavailable) || !errors.Is(err, errOverloaded) {
		t.Errorf("a third statement: %v", err)
	}
	s.leave()
	if err := s.enter(ctx, "x"); err != nil {
		t.Errorf("after one has ended: %v", err)
	}
	s.cfg.QueueTime = time.Hour
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan error)
	go func() { ended <- s.enter(ctx, "x") }()
	cancel()
	if err := <-ended; !errors.Is(err, store.ErrUnavailable) || !errors.Is(err, context.Canceled) {
		t.Errorf("a context that ended: %v", err)
	}
	s.leave()
	s.leave()
	s.closed = true
	for range 3 { // each gives its place back
		if err := s.enter(t.Context(), "x"); !errors.Is(err, store.ErrClosed) {
			t.Errorf("after Close: %v", err)
		}
	}
}
