package cassandra

import (
	"log/slog"
	"sync"
	"time"
)

// seldom lets through one log line of a kind per interval, and counts the suppressed lines. Safe for
// concurrent use.
type seldom struct {
	every time.Duration
	now   func() time.Time // nil: time.Now

	mu    sync.Mutex
	kinds map[string]*seldomKind
}

// seldomKind is the state of one kind of line.
type seldomKind struct {
	last    time.Time // when a line was let through
	skipped int       // lines suppressed since
}

// maxKinds bounds the memory of seldom. Beyond it all kinds are forgotten.
const maxKinds = 1000

// allow reports whether a line of a kind may be logged now, and the count of lines of the kind that
// were suppressed before.
func (s *seldom) allow(kind string) (skipped int, ok bool) {
	now := time.Now
	if s.now != nil {
		now = s.now
	}
	at := now()
	s.mu.Lock()
	defer s.mu.Unlock()
	k := s.kinds[kind]
	switch {
	case k == nil:
		if s.kinds == nil || len(s.kinds) >= maxKinds {
			s.kinds = map[string]*seldomKind{}
		}
		s.kinds[kind] = &seldomKind{last: at}
		return 0, true
	case at.Sub(k.last) < s.every:
		k.skipped++
		return 0, false
	}
	skipped = k.skipped
	k.last, k.skipped = at, 0
	return skipped, true
}

// complainEvery is the interval at which a complaint is repeated while its cause lasts.
const complainEvery = 5 * time.Minute

// complaints logs warnings about failover: at once, and then every complainEvery. Safe for concurrent
// use.
type complaints struct {
	logger *slog.Logger
	lines  seldom
}

func newComplaints(logger *slog.Logger) *complaints {
	return &complaints{logger: logger, lines: seldom{every: complainEvery}}
}

// warn logs a warning unless the same text was logged lately.
func (c *complaints) warn(text string, args ...any) {
	if _, ok := c.lines.allow(text); ok {
		c.logger.Warn(text, args...)
	}
}
