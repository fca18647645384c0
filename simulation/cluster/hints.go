package cluster

import (
	"cmp"
	"maps"
	"slices"
	"time"
)

// hints holds the mutations that a node keeps for others, by target.
type hints struct {
	stores               map[*node]*hintStore
	flushing, dispatches bool // an event is on the agenda
}

// hint is a mutation for a node that missed it.
type hint struct {
	mutation *mutation
	at       int64
}

// hintStore holds the hints for one node. They are in memory first, then in a file that is written, then in a
// file that is ready to be delivered: only such files are listed in system_views.pending_hints. A file in
// delivery is not listed.
type hintStore struct {
	memory, written, ready []hint
	sending                bool
}

func (s *hintStore) count() int { return len(s.memory) + len(s.written) + len(s.ready) }

// hintPage is the count of hints in a message.
const hintPage = 128

// hint keeps a mutation for a target, unless it has been away for too long.
func (n *node) hint(target *node, m *mutation) {
	c := n.cluster
	if target == n || target.removed || !n.keepsHints(target) {
		c.counters.HintsLost++
		return
	}
	c.counters.Hints++
	if n.hints.stores == nil {
		n.hints.stores = map[*node]*hintStore{}
	}
	s := n.hints.stores[target]
	if s == nil {
		s = &hintStore{}
		n.hints.stores[target] = s
	}
	s.memory = append(s.memory, hint{m, c.now()})
	n.scheduleHints()
}

// keepsHints reports whether the hint window is open.
func (n *node) keepsHints(target *node) bool {
	c := n.cluster
	if s := c.sights.of(n, target); s != nil && !s.alive(c) && c.now()-s.since > int64(c.config.ConvictAfter+c.config.HintWindow) {
		return false
	}
	s := n.hints.stores[target]
	if s == nil {
		return true
	}
	for _, list := range [][]hint{s.ready, s.written, s.memory} {
		if len(list) > 0 {
			return c.now()-list[0].at <= int64(c.config.HintWindow)
		}
	}
	return true
}

// scheduleHints puts the next flush and the next dispatch on the agenda, at fixed times since the start of
// the node.
func (n *node) scheduleHints() {
	c, life := n.cluster, n.life
	next := func(every time.Duration) int64 {
		return n.begun + ((c.now()-n.begun)/int64(every)+1)*int64(every)
	}
	if !n.hints.flushing {
		n.hints.flushing = true
		c.at(next(c.config.HintFlush), func() {
			if n.life == life {
				n.flushHints()
			}
		})
	}
	if !n.hints.dispatches {
		n.hints.dispatches = true
		c.at(next(c.config.HintDispatch), func() {
			if n.life == life {
				n.dispatchHints()
			}
		})
	}
}

func (n *node) flushHints() {
	n.hints.flushing = false
	if !n.paused {
		for _, s := range n.hints.stores {
			s.written, s.memory = append(s.written, s.memory...), nil
		}
	}
	n.continueHints()
}

// continueHints keeps the events on the agenda while there are hints.
func (n *node) continueHints() {
	for _, s := range n.hints.stores {
		if s.count() > 0 || s.sending {
			n.scheduleHints()
			return
		}
	}
}

// dispatchHints delivers the files that are ready, and closes the files that are written, of targets that are
// alive.
func (n *node) dispatchHints() {
	n.hints.dispatches = false
	if !n.paused {
		for _, target := range n.hintTargets() {
			s := n.hints.stores[target]
			if s.sending || !n.cluster.alive(n, target) {
				continue
			}
			if len(s.ready) > 0 {
				n.sendHints(target, s)
			}
			s.ready, s.written = append(s.ready, s.written...), nil
		}
	}
	n.continueHints()
}

// hintTargets lists the nodes with hints, in order.
func (n *node) hintTargets() []*node {
	return slices.SortedFunc(maps.Keys(n.hints.stores), func(a, b *node) int { return cmp.Compare(a.index, b.index) })
}

// sendHints delivers the hints that are ready.
func (n *node) sendHints(target *node, s *hintStore) {
	s.sending = true
	batch := s.ready
	s.ready = nil
	n.sendHintPage(target, s, batch)
}

func (n *node) sendHintPage(target *node, s *hintStore, batch []hint) {
	c, life := n.cluster, n.life
	if len(batch) == 0 {
		s.sending = false
		return
	}
	sent := batch[:min(hintPage, len(batch))]
	var end *deadline
	c.send(&n.peer, target, c.config.WriteTimeout, func() {
		for _, h := range sent {
			if c.now()-h.at < int64(h.mutation.table.gcGrace) {
				target.apply(h.mutation)
			}
		}
		c.send(&target.peer, n, c.config.WriteTimeout, func() {
			if end.waiter == nil || n.life != life {
				return
			}
			end.waiter = nil
			c.counters.HintsDelivered += int64(len(sent))
			n.sendHintPage(target, s, batch[len(sent):])
		})
	})
	end = c.writes.add(func() {
		if n.life == life {
			s.ready, s.sending = append(slices.Clone(batch), s.ready...), false
			n.continueHints()
		}
	})
}

// restoreHints gives up the hints in memory after a crash. Those in files stay.
func (n *node) restoreHints() {
	for _, s := range n.hints.stores {
		n.cluster.counters.HintsLost += int64(len(s.memory))
		s.ready = append(s.ready, s.written...)
		s.memory, s.written, s.sending = nil, nil, false
	}
	n.hints.flushing, n.hints.dispatches = false, false
}

// dropHints gives up all hints of a node.
func (n *node) dropHints() {
	for _, s := range n.hints.stores {
		n.cluster.counters.HintsLost += int64(s.count())
	}
	n.hints = hints{}
}
