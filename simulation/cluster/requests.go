package cluster

// requests holds the open requests at a node, in the order in which they began.
type requests struct{ first, last *request }

func (l *requests) add(r *request) {
	if r.before = l.last; l.last == nil {
		l.first = r
	} else {
		l.last.after = r
	}
	l.last = r
}

// remove removes a request of the list.
func (l *requests) remove(r *request) {
	if r.before == nil {
		l.first = r.after
	} else {
		r.before.after = r.after
	}
	if r.after == nil {
		l.last = r.before
	} else {
		r.after.before = r.before
	}
	r.before, r.after = nil, nil
}

// all lists the requests: what ends one of them changes the list.
func (l *requests) all() (list []*request) {
	for r := l.first; r != nil; r = r.after {
		list = append(list, r)
	}
	return list
}
