package keyload

import (
	"cmp"
	"math/rand/v2"
	"slices"
)

// Cluster describes the nodes of one datacenter.
type Cluster struct {
	// Nodes is the count of nodes in the datacenter, in as many racks as replicas, at least one in each.
	Nodes int
	// Tokens is the count of tokens of a node (num_tokens).
	Tokens int
	// Random is set if nodes choose their tokens at random. Else a node divides the largest ranges of its rack, as
	// with allocate_tokens_for_local_replication_factor.
	Random bool
}

// replicas is the count of replicas in a datacenter, and of its racks. With as many racks as replicas, each rack has
// one replica of everything, and the nodes of a rack divide the token range among them.
const replicas = 3

// rack holds the tokens of the nodes of a rack, in order.
type rack struct {
	tokens []int64
	owners []int // the node of each token
}

// racks chooses tokens for the nodes. Node n is in rack n mod 3.
func (c Cluster) racks(random *rand.Rand) []rack {
	all := make([]rack, replicas)
	for n := range c.Nodes {
		all[n%replicas].add(n, c.Tokens, c.Random, random)
	}
	return all
}

// add chooses the tokens of a new node.
func (r *rack) add(node, count int, atRandom bool, random *rand.Rand) {
	if atRandom || len(r.tokens) < count {
		for range count {
			r.insert(int64(random.Uint64()), node)
		}
		return
	}
	r.divide(node, count)
}

// insert adds a token.
func (r *rack) insert(token int64, node int) {
	i, found := slices.BinarySearch(r.tokens, token)
	if found {
		return
	}
	r.tokens = slices.Insert(r.tokens, i, token)
	r.owners = slices.Insert(r.owners, i, node)
}

// width returns the part of the token range that belongs to token i, from 0 to 1.
func (r *rack) width(i int) float64 {
	before := r.tokens[(i+len(r.tokens)-1)%len(r.tokens)]
	return float64(uint64(r.tokens[i])-uint64(before)) / (1 << 64)
}

// share is the part of the token range of a node.
type share struct {
	node   int
	weight float64
	ranges []tokenRange // the widest first
}

type tokenRange struct {
	token int64
	width float64
}

// shares lists the shares of the nodes, the largest first.
func (r *rack) shares() []share {
	byNode := map[int]*share{}
	for i, node := range r.owners {
		s := byNode[node]
		if s == nil {
			s = &share{node: node}
			byNode[node] = s
		}
		w := r.width(i)
		s.weight += w
		s.ranges = append(s.ranges, tokenRange{r.tokens[i], w})
	}
	all := make([]share, 0, len(byNode))
	for _, s := range byNode {
		slices.SortFunc(s.ranges, func(a, b tokenRange) int {
			return cmp.Or(cmp.Compare(b.width, a.width), cmp.Compare(a.token, b.token))
		})
		all = append(all, *s)
	}
	slices.SortFunc(all, func(a, b share) int { return cmp.Or(cmp.Compare(b.weight, a.weight), cmp.Compare(a.node, b.node)) })
	return all
}

// divide gives a new node parts of the widest ranges of the nodes with the largest shares, so that they and the new
// node have about equal shares afterwards. A range keeps at least a tenth, and loses at least a tenth.
func (r *rack) divide(node, count int) {
	const least, most = 0.1, 0.9
	var givers []share
	var sum, target float64
	for _, s := range r.shares() {
		average := (sum + s.weight) / float64(len(givers)+2)
		if len(givers) == count || s.weight <= average {
			break
		}
		sum, target = sum+s.weight, average
		givers = append(givers, s)
	}
	for n, giver := range givers {
		parts := count / len(givers)
		if n < count%len(givers) {
			parts++
		}
		ranges := giver.ranges[:min(parts, len(giver.ranges))]
		var width float64
		for _, t := range ranges {
			width += t.width
		}
		slice := min(most, max(least, (giver.weight-target)/width))
		for _, t := range ranges {
			i, _ := slices.BinarySearch(r.tokens, t.token)
			before := r.tokens[(i+len(r.tokens)-1)%len(r.tokens)]
			wide := float64(uint64(t.token) - uint64(before))
			r.insert(int64(uint64(before)+uint64(slice*wide)), node)
		}
	}
}

// owner returns the node of a token: the node of the next token at or after it.
func (r *rack) owner(token int64) int {
	i, _ := slices.BinarySearch(r.tokens, token)
	return r.owners[i%len(r.tokens)]
}
