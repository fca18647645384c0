package keyload

import "slices"

// spread divides the token range at the tokens of all nodes of all clusters. All tokens of a part have the same
// replicas in each cluster, so a load is counted once for all clusters.
type spread struct {
	ends  []int64 // the last token of each part, in order; what follows the last belongs to the first part
	index []int   // the first part that may hold tokens with the same upper 16 bits
}

func newSpread(rings [][]rack) *spread {
	s := &spread{index: make([]int, 1<<16)}
	for _, racks := range rings {
		for _, r := range racks {
			s.ends = append(s.ends, r.tokens...)
		}
	}
	slices.Sort(s.ends)
	s.ends = slices.Compact(s.ends)
	for i := range s.index {
		s.index[i], _ = slices.BinarySearch(s.ends, int64(uint64(i)<<48-1<<63))
	}
	return s
}

// part returns the part of a token.
func (s *spread) part(token int64) int {
	i := s.index[(uint64(token)+1<<63)>>48]
	for i < len(s.ends) && s.ends[i] < token {
		i++
	}
	if i == len(s.ends) {
		return 0
	}
	return i
}

// width returns the size of a part of the token range, from 0 to 1.
func (s *spread) width(i int) float64 {
	if len(s.ends) == 1 {
		return 1
	}
	before := s.ends[(i+len(s.ends)-1)%len(s.ends)]
	return float64(uint64(s.ends[i])-uint64(before)) / (1 << 64)
}
