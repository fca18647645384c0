package cassandra

import "time"

// Suspend is for tests: the nodes' clocks go on for d, while this machine notices nothing. The
// caller sets the clock of s back by d.
func Suspend(s *Store, d time.Duration) {
	last := s.clockWatch.last.Load()
	s.clockWatch.last.Store(&clockReading{ahead: last.ahead, wall: last.wall.Add(-d), at: last.at})
}

// LastLook is for tests: the clock was last compared at a moment that long ago.
func LastLook(s *Store, ago time.Duration) {
	last := s.clockWatch.last.Load()
	s.clockWatch.last.Store(&clockReading{ahead: last.ahead, wall: last.wall.Add(-ago), at: last.at.Add(-ago)})
}
