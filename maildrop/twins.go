package maildrop

import (
	"cmp"
	"slices"
	"sort"

	"popelago/mail"
)

// twins are the rows of a list that have the unique-id of an earlier row. Twins have no message-number
// of their own.
type twins struct {
	pairs []twin // in the order of first, then of row
	rows  []int  // of all pairs, in order
}

// twin is a row that has the unique-id of an earlier row.
type twin struct {
	first int // the first row with the unique-id
	row   int
}

// bearer is a row and its unique-id.
type bearer struct {
	uidl mail.UIDL
	row  int
}

func compareBearers(a, b bearer) int {
	return cmp.Or(cmp.Compare(a.uidl, b.uidl), cmp.Compare(a.row, b.row))
}

// findTwins finds the twins of a list. Two rows can have the same unique-id only if at least one row
// has a unique-id of its own.
func findTwins(l *list) twins {
	if l.carried == 0 {
		return twins{}
	}
	bearers := make([]bearer, 0, l.carried)
	for i := range l.len() {
		if u := l.row(i).UIDL; u != "" {
			bearers = append(bearers, bearer{u, i})
		}
	}
	slices.SortFunc(bearers, compareBearers)
	brought := bearers
	for i := range l.len() {
		row := l.row(i)
		if row.UIDL != "" {
			continue
		}
		own := row.UniqueID()
		_, found := slices.BinarySearchFunc(brought, own, func(b bearer, u mail.UIDL) int { return cmp.Compare(b.uidl, u) })
		if found { // the message was restored under another id
			bearers = append(bearers, bearer{own, i})
		}
	}
	if len(bearers) > len(brought) {
		slices.SortFunc(bearers, compareBearers)
	}
	return pair(bearers)
}

// pair makes the twins of bearers, which must be in the order of their unique-ids.
func pair(bearers []bearer) (t twins) {
	first := 0
	for i := 1; i < len(bearers); i++ {
		if bearers[i].uidl != bearers[first].uidl {
			first = i
			continue
		}
		t.pairs = append(t.pairs, twin{bearers[first].row, bearers[i].row})
		t.rows = append(t.rows, bearers[i].row)
	}
	slices.SortFunc(t.pairs, func(a, b twin) int {
		return cmp.Or(cmp.Compare(a.first, b.first), cmp.Compare(a.row, b.row))
	})
	slices.Sort(t.rows)
	return twins{slices.Clone(t.pairs), slices.Clone(t.rows)} // without spare capacity
}

// rowOf is the row of message n.
func (t *twins) rowOf(n int) int {
	before := sort.Search(len(t.rows), func(i int) bool { return t.rows[i]-i >= n })
	return n - 1 + before
}

// of returns the twins of a row.
func (t *twins) of(row int) []twin {
	from := sort.Search(len(t.pairs), func(i int) bool { return t.pairs[i].first >= row })
	to := from
	for to < len(t.pairs) && t.pairs[to].first == row {
		to++
	}
	return t.pairs[from:to]
}
