package cassandra

import (
	"sync"
	"time"
)

// hourState holds the memory of this process about a partition of the trash. A forgotten state costs
// another read of the partition.
type hourState struct {
	complete bool      // no row was left
	blocked  int       // removals that could not be proven
	retry    time.Time // not before
	obstacle *obstacle // the first obstacle; while it lasts no other removal is tried
	from     page      // where to continue after errTired; rows before are counted
}

// trashState holds the memory of this process about the trash. Safe for concurrent use.
type trashState struct {
	mu    sync.Mutex
	next  map[string]int          // the next hour of each shard, as last read or noted
	hours map[trashPart]hourState // the hours from next on that were read
}

// maxHours bounds the memory of trashState.
const maxHours = 100_000

func (s *trashState) nextOf(name string) (next int, known bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	next, known = s.next[name]
	return next, known
}

// remember notes the next hour of a shard, and forgets the hours from p up to it.
func (s *trashState) remember(p trashPart, next int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for ; p.hour < next; p.hour++ {
		delete(s.hours, p)
	}
	if s.next == nil {
		s.next = map[string]int{}
	}
	s.next[trashName(p.datacenter, p.shard)] = next
}

func (s *trashState) hour(p trashPart) hourState {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.hours[p]
}

func (s *trashState) setHour(p trashPart, h hourState) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.hours == nil || len(s.hours) >= maxHours {
		s.hours = map[trashPart]hourState{}
	}
	s.hours[p] = h
}

// note counts removals blocked by an obstacle; nil: none.
func (h *hourState) note(o *obstacle, n int) {
	if o == nil {
		return
	}
	h.blocked += n
	if h.obstacle == nil {
		h.obstacle = o
	}
}
