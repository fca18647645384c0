package account

import (
	"net/netip"
	"slices"
)

// ring holds members that take turns.
type ring[M interface{ key() netip.Prefix }] struct {
	members []M // the first is served next
	byKey   map[netip.Prefix]M
}

func (r *ring[M]) get(k netip.Prefix) M { return r.byKey[k] }

// find returns the member with a key. If the ring has no such member, find adds one at the end.
func (r *ring[M]) find(k netip.Prefix, make func(netip.Prefix) M) M {
	if m, ok := r.byKey[k]; ok {
		return m
	}
	if r.byKey == nil {
		r.byKey = map[netip.Prefix]M{}
	}
	m := make(k)
	r.byKey[k] = m
	r.members = append(r.members, m)
	return m
}

// next returns the first member and moves the member to the end.
func (r *ring[M]) next() (m M, ok bool) {
	if len(r.members) == 0 {
		return m, false
	}
	m = r.members[0]
	copy(r.members, r.members[1:])
	r.members[len(r.members)-1] = m
	return m, true
}

func (r *ring[M]) drop(m M) {
	k := m.key()
	delete(r.byKey, k)
	r.members = slices.DeleteFunc(r.members, func(o M) bool { return o.key() == k })
}

// network holds the waiting logins of one network, in turn by address.
type network struct {
	prefix  netip.Prefix
	waiting int
	hosts   ring[*host]
}

func newNetwork(k netip.Prefix) *network { return &network{prefix: k} }

func (n *network) key() netip.Prefix { return n.prefix }

func (n *network) add(w *waiter) {
	h := n.hosts.find(w.from.address, newHost)
	h.waiters = append(h.waiters, w)
	n.waiting++
}

// next removes and returns the login whose turn has come. The network must have waiting logins.
func (n *network) next() *waiter {
	h, _ := n.hosts.next()
	w := h.waiters[0]
	n.remove(w)
	return w
}

// last returns the newest login of the address with the most waiting logins.
func (n *network) last() *waiter {
	h := n.longestHost()
	return h.waiters[len(h.waiters)-1]
}

func (n *network) longestHost() *host {
	longest := n.hosts.members[0]
	for _, h := range n.hosts.members {
		if len(h.waiters) > len(longest.waiters) {
			longest = h
		}
	}
	return longest
}

// fewer reports whether one more login from a client of n, which may be nil, leaves n, or the
// client's address in n, shorter than the longest network.
func (n *network) fewer(longest *network, from client) bool {
	switch {
	case n == nil:
		return longest.waiting > 1
	case n != longest:
		return n.waiting+1 < longest.waiting
	}
	h, longestHost := n.hosts.get(from.address), n.longestHost()
	if h == nil {
		return len(longestHost.waiters) > 1
	}
	return len(h.waiters)+1 < len(longestHost.waiters)
}

func (n *network) remove(w *waiter) bool {
	h := n.hosts.get(w.from.address)
	if h == nil {
		return false
	}
	i := slices.Index(h.waiters, w)
	if i < 0 {
		return false
	}
	h.waiters = slices.Delete(h.waiters, i, i+1)
	if len(h.waiters) == 0 {
		n.hosts.drop(h)
	}
	n.waiting--
	return true
}

// host holds the waiting logins of one address, the oldest first.
type host struct {
	prefix  netip.Prefix
	waiters []*waiter
}

func newHost(k netip.Prefix) *host { return &host{prefix: k} }

func (h *host) key() netip.Prefix { return h.prefix }
