package cassandra

import "time"

// Suspend advances the clocks of the nodes by d without this machine noticing, for tests. The caller
// sets the clock of s back by d.
func Suspend(s *Store, d time.Duration) {
	last := s.clockWatch.last.Load()
	s.clockWatch.last.Store(&clockReading{ahead: last.ahead, wall: last.wall.Add(-d), at: last.at})
}

// LastLook moves the last comparison of the clock into the past by ago, for tests.
func LastLook(s *Store, ago time.Duration) {
	last := s.clockWatch.last.Load()
	s.clockWatch.last.Store(&clockReading{ahead: last.ahead, wall: last.wall.Add(-ago), at: last.at.Add(-ago)})
}

// OthersAhead advances the clocks of all others by d, for tests without further comparisons.
func OthersAhead(s *Store, d time.Duration) {
	last := s.clockWatch.last.Load()
	s.clockWatch.last.Store(&clockReading{ahead: last.ahead - d, wall: last.wall, at: last.at})
}
