package cluster

import (
	"cmp"
	"slices"
	"sort"
	"strings"
)

// storage holds the tables of a node.
type storage struct {
	tables  []*stored // by id; nil: empty
	journal *journal  // nil: a crash loses nothing
}

// stored holds the partitions of a table at a node.
type stored struct {
	parts map[string]*partition
	// ring holds the partitions by token and key; added holds those that are not in ring yet.
	ring, added []*partition
}

func newStorage(journaled bool) *storage {
	s := &storage{}
	if journaled {
		s.journal = &journal{}
	}
	return s
}

func (s *storage) table(id int) *stored {
	for id >= len(s.tables) {
		s.tables = append(s.tables, nil)
	}
	if s.tables[id] == nil {
		s.tables[id] = &stored{parts: map[string]*partition{}}
	}
	return s.tables[id]
}

// drop empties a table.
func (s *storage) drop(id int) {
	if id < len(s.tables) {
		s.tables[id] = nil
	}
}

// apply executes a mutation.
func (s *storage) apply(m *mutation) {
	t := s.table(m.table.id)
	for _, part := range m.parts {
		p := t.parts[part.key]
		if p == nil {
			p = newPartition(part.key, part.token)
			t.parts[p.key] = p
			t.added = append(t.added, p)
		}
		p.apply(part, s.journal)
	}
}

func ringOrder(a, b *partition) int {
	return cmp.Or(cmp.Compare(a.token, b.token), strings.Compare(a.key, b.key))
}

// sorted returns the partitions by token and key.
func (t *stored) sorted() []*partition {
	if len(t.added) > 0 {
		slices.SortFunc(t.added, ringOrder)
		merged := make([]*partition, 0, len(t.ring)+len(t.added))
		a, b := t.ring, t.added
		for len(a) > 0 && len(b) > 0 {
			if ringOrder(a[0], b[0]) < 0 {
				merged, a = append(merged, a[0]), a[1:]
			} else {
				merged, b = append(merged, b[0]), b[1:]
			}
		}
		t.ring, t.added = append(append(merged, a...), b...), nil
	}
	return t.ring
}

// from returns the partitions after a place in the ring; inclusive adds those at the place.
func (t *stored) from(at place) []*partition {
	ring := t.sorted()
	i := sort.Search(len(ring), func(i int) bool { return !at.isAfter(ring[i]) })
	return ring[i:]
}

// place is a place in the ring: before the partitions of a token, after them, or at a partition.
type place struct {
	token int64
	key   string
	kind  placeKind
}

type placeKind int

const (
	beforeToken placeKind = iota
	beforeKey
	afterKey
	afterToken
)

// isAfter reports whether the place is after a partition.
func (a place) isAfter(p *partition) bool {
	if a.token != p.token {
		return a.token > p.token
	}
	switch a.kind {
	case beforeToken:
		return false
	case afterToken:
		return true
	case beforeKey:
		return a.key > p.key
	default:
		return a.key >= p.key
	}
}

// prune removes partitions without content.
func (t *stored) prune() {
	ring := t.sorted()
	t.ring = slices.DeleteFunc(slices.Clone(ring), func(p *partition) bool {
		if p.isEmpty() {
			delete(t.parts, p.key)
			return true
		}
		return false
	})
}
