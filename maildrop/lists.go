package maildrop

import "sync"

// Lists holds the lists of all open maildrops in memory, and equal parts of lists only once: the
// sessions of a mailbox share the equal parts of their lists. Lists is no cache: every Open reads the
// whole list from the store.
//
// Safe for concurrent use. See NewLists.
type Lists struct {
	mu     sync.Mutex
	blocks map[string]*block // by block.packed
	octets int64

	packers sync.Pool
}

// NewLists makes a Lists without any list.
func NewLists() *Lists { return &Lists{blocks: map[string]*block{}} }

// packer returns a packer without rows, for Lists.packers.
func (l *Lists) packer() *packer {
	p, ok := l.packers.Get().(*packer)
	if !ok {
		p = new(packer)
	}
	p.reset()
	return p
}

// blockOverhead is the memory of a block beside block.packed, in octets: the struct, the place in the
// map, and the rounding of allocations.
const blockOverhead = 160

func (b *block) octets() int64 { return int64(len(b.packed)) + blockOverhead }

// Octets is the memory of the lists, to about a tenth. The memory of single sessions is not counted:
// 16 octets for about 256 messages, 1 bit for each message once a message is marked, and 24 octets for
// each further row with the same unique-id.
func (l *Lists) Octets() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.octets
}

// hold returns the block with the given packed rows, for one more user. hold copies packed if needed.
func (l *Lists) hold(packed []byte) *block {
	l.mu.Lock()
	defer l.mu.Unlock()
	b := l.blocks[string(packed)]
	if b == nil {
		b = newBlock(string(packed))
		l.blocks[b.packed] = b
		l.octets += b.octets()
	}
	b.users++
	return b
}

// release undoes one hold of each block.
func (l *Lists) release(blocks []*block) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, b := range blocks {
		if b.users--; b.users == 0 {
			delete(l.blocks, b.packed)
			l.octets -= b.octets()
		}
	}
}
