package cluster

import "sort"

// interval is a run of positions in a partition: from start, without end. Positions sort as strings, see
// orderComponent.
type interval struct{ start, end string }

// endOfPartition is after all positions.
const endOfPartition = "\xff"

var everything = interval{"", endOfPartition}

func (v interval) isEmpty() bool { return v.start >= v.end }

func (v interval) and(o interval) interval { return interval{max(v.start, o.start), min(v.end, o.end)} }

// afterPosition is the first position after all keys that begin with a prefix.
func afterPosition(prefix string) string { return prefix + string(rune(afterMark)) }

// rangeDeletion deletes all older cells in an interval.
type rangeDeletion struct {
	interval
	deleted deletion
}

// rangeList holds deletions of intervals that do not overlap, in order. A rangeList is never changed.
type rangeList []rangeDeletion

// at returns the deletion at a position.
func (l rangeList) at(position string) deletion {
	if len(l) == 0 {
		return live
	}
	i := sort.Search(len(l), func(i int) bool { return l[i].end > position })
	if i < len(l) && l[i].start <= position {
		return l[i].deleted
	}
	return live
}

// with returns the list with one more deletion. Where two deletions overlap, the superseding one counts.
func (l rangeList) with(added rangeDeletion) rangeList {
	if added.isEmpty() {
		return l
	}
	merged := make(rangeList, 0, len(l)+2)
	rest := added
	for _, r := range l {
		if !rest.isEmpty() && rest.start < r.start {
			before := rest
			before.end = min(rest.end, r.start)
			merged = merged.push(before)
			rest.start = before.end
		}
		overlap := r.and(rest.interval)
		if overlap.isEmpty() {
			merged = merged.push(r)
			continue
		}
		merged = merged.push(rangeDeletion{interval{r.start, overlap.start}, r.deleted})
		merged = merged.push(rangeDeletion{overlap, latest(r.deleted, rest.deleted)})
		merged = merged.push(rangeDeletion{interval{overlap.end, r.end}, r.deleted})
		rest.start = overlap.end
	}
	return merged.push(rest)
}

// push appends a deletion that begins at or after the end of the list, and joins equal neighbours.
func (l rangeList) push(r rangeDeletion) rangeList {
	if r.isEmpty() {
		return l
	}
	if n := len(l); n > 0 && l[n-1].end == r.start && l[n-1].deleted == r.deleted {
		l[n-1].end = r.end
		return l
	}
	return append(l, r)
}

// within returns the parts of the list inside intervals.
func (l rangeList) within(intervals []interval) rangeList {
	if len(l) == 0 {
		return nil
	}
	var parts rangeList
	for _, v := range intervals {
		i := sort.Search(len(l), func(i int) bool { return l[i].end > v.start })
		for ; i < len(l) && l[i].start < v.end; i++ {
			parts = parts.push(rangeDeletion{l[i].and(v), l[i].deleted})
		}
	}
	return parts
}

// after returns the list without deletions that an outer deletion supersedes.
func (l rangeList) after(outer deletion) rangeList {
	for i, r := range l {
		if r.deleted.at <= outer.at {
			kept := append(rangeList(nil), l[:i]...)
			for _, r := range l[i:] {
				if r.deleted.at > outer.at {
					kept = kept.push(r)
				}
			}
			return kept
		}
	}
	return l
}

func sameRanges(a, b rangeList) bool {
	if len(a) != len(b) {
		return false
	}
	for i, r := range a {
		if r.interval != b[i].interval || !r.deleted.same(b[i].deleted) {
			return false
		}
	}
	return true
}
