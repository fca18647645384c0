package maildrop

import "sync"

// Lists holds the lists of all open maildrops in memory, equal parts of them once: the sessions of
// one mailbox share what their lists have in common. A list is never taken from here. Every Open
// reads the whole list from the store, and what it has read is kept once.
//
// Safe for concurrent use. See NewLists.
type Lists struct {
	mu     sync.Mutex
	blocks map[string]*block // by what is packed in them
	octets int64
}

// NewLists makes a Lists without any list.
func NewLists() *Lists { return &Lists{blocks: map[string]*block{}} }

// blockOverhead is what a block takes beside what is packed in it, in octets: its struct, its place
// in the map, and what an allocation is rounded up by.
const blockOverhead = 160

func (b *block) octets() int64 { return int64(len(b.packed)) + blockOverhead }

// Octets is the memory that the lists take, to about a tenth. What is a session's own is not
// counted: 16 octets for about 256 messages, 1 bit for each message once one is marked, and 24
// octets for each further row with the same unique-id.
func (l *Lists) Octets() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.octets
}

// hold returns the block that is packed so, for one more user. packed is copied if need be.
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
