package cassandra

import (
	"sync"
	"time"
)

// seldom lets one line of a kind into the log in a while, and counts the lines that it keeps out.
// Safe for concurrent use.
type seldom struct {
	every time.Duration
	now   func() time.Time // nil: time.Now

	mu    sync.Mutex
	kinds map[string]*seldomKind
}

// seldomKind is one kind of line.
type seldomKind struct {
	last    time.Time // when a line was let in
	skipped int       // lines kept out since
}

// maxKinds bounds the memory of seldom. Beyond it, kinds are forgotten.
const maxKinds = 1000

// allow reports whether a line of a kind may be logged now, and how many of that kind were kept
// out before it.
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
