package simulation

import (
	"fmt"
	"hash/fnv"
	"sync"
	"time"
)

// story holds what happened, in order, and the violations of promises. Safe for concurrent use.
type story struct {
	start time.Time

	mu         sync.Mutex
	lines      []string
	hash       uint64
	count      int
	violations []string
	broken     time.Duration // when the first promise was broken
}

// keptLines is the count of lines that a story keeps: the first half and the last half of the limit.
const keptLines = 4000

func newStory() *story { return &story{start: time.Now()} }

// add adds a line.
func (s *story) add(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	line := fmt.Sprintf("%12s  %s", time.Since(s.start).Round(time.Millisecond), fmt.Sprintf(format, args...))
	h := fnv.New64a()
	fmt.Fprint(h, s.hash, line)
	s.hash = h.Sum64()
	s.count++
	if s.lines = append(s.lines, line); len(s.lines) > keptLines {
		s.lines = append(s.lines[:keptLines/2], s.lines[len(s.lines)-keptLines/2+keptLines/4:]...)
	}
}

// violated adds a violation of a promise.
func (s *story) violated(promise, format string, args ...any) {
	text := promise + ": " + fmt.Sprintf(format, args...)
	s.add("VIOLATED %s", text)
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.violations) == 0 {
		s.broken = time.Since(s.start)
	}
	if len(s.violations) < 100 {
		s.violations = append(s.violations, text)
	}
}

// failed reports whether a promise was violated.
func (s *story) failed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.violations) > 0
}
