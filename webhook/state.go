package webhook

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// remindEvery is the pause between two lines of the log about a webhook that takes no events.
const remindEvery = 10 * time.Minute

// state holds the state of a webhook, and reports its changes to the log. Safe for concurrent use.
type state struct {
	logger *slog.Logger
	name   string
	// storeTrouble bounds the lines about the store, lost about expired events, unreadable about damaged ones.
	storeTrouble, lost, unreadable rate.Sometimes

	mu       sync.Mutex
	now      Failure
	failing  map[int]bool // parts whose last request failed
	reminded time.Time
}

func newState(logger *slog.Logger, name string) *state {
	return &state{
		logger: logger, name: name, failing: map[int]bool{},
		storeTrouble: rate.Sometimes{First: 1, Interval: time.Minute}, lost: rate.Sometimes{First: 1, Interval: time.Hour}, unreadable: rate.Sometimes{First: 100, Interval: time.Minute},
	}
}

func (s *state) failure() Failure {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now
}

// failed takes a failed request of a part.
func (s *state) failed(part int, at time.Time, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failing[part] = true
	if s.now.Since.IsZero() {
		s.now.Since = at
	}
	s.now.Cause = err.Error()
	if at.Sub(s.reminded) >= remindEvery {
		s.reminded = at
		s.logger.Warn("a webhook takes no events: they wait in the queue", "webhook", s.name, "since", s.now.Since.UTC(), "cause", s.now.Cause)
	}
}

// taken takes a successful request of a part.
func (s *state) taken(part int) { s.ended(part, "the webhook takes events again") }

// left forgets the failed request of a part that another server sends, or that a replay has passed.
func (s *state) left(part int) {
	s.ended(part, "this server no longer sends the events that a webhook did not take")
}

// ended forgets the failed request of a part. The log gets text at the end of the last failure.
func (s *state) ended(part int, text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.failing, part)
	if len(s.failing) > 0 || s.now.Since.IsZero() {
		return
	}
	s.logger.Info(text, "webhook", s.name, "since", s.now.Since.UTC())
	s.now, s.reminded = Failure{}, time.Time{}
}

// store reports a failure of the store.
func (s *state) store(ctx context.Context, err error) {
	s.storeTrouble.Do(func() {
		s.logger.WarnContext(ctx, "the queue of a webhook cannot be read or written: events wait", "webhook", s.name, "cause", err)
	})
}

// expired reports that an event waited beyond Config.Keep: events before it may have expired.
func (s *state) expired(ctx context.Context, h *hook, since time.Time) {
	h.metrics.expired.WithLabelValues(h.Name).Inc()
	s.lost.Do(func() {
		s.logger.ErrorContext(ctx, "events wait longer than events.keep: earlier events may have expired unsent", "webhook", s.name, "oldest", since.UTC(), "kept", h.cfg.Keep.String())
	})
}

// damaged reports an event that no request can carry: its row is damaged, and is passed over.
func (s *state) damaged(ctx context.Context, h *hook, q queued, err error) {
	h.metrics.damaged.WithLabelValues(h.Name).Inc()
	s.unreadable.Do(func() {
		s.logger.ErrorContext(ctx, "an event is damaged: the webhook does not get it, and the next events are sent", "webhook", s.name, "queued", q.row.At.UTC(), "id", q.eventID(), "cause", err)
	})
}
