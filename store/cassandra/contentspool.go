package cassandra

import (
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"syscall"

	"popelago/store"
)

// chunkSize is the size of a chunk in octets. Existing rows depend on it.
const chunkSize = 256 << 10

// spools counts the octets of the messages being written that are in memory: strangers may begin thousands of messages and
// never end them. Safe for concurrent use.
type spools struct{ octets atomic.Int64 }

const (
	// maxSpools limits spools.octets. Beyond, a message goes to its file from smallSpool octets on.
	maxSpools  = 64 << 20
	smallSpool = 8 << 10
)

// grow counts n octets for a message that has size octets in memory, or reports that the message should go to its file.
func (s *spools) grow(size, n int) bool {
	if s.octets.Add(int64(n)) <= maxSpools || size+n <= smallSpool {
		return true
	}
	s.octets.Add(-int64(n))
	return false
}

// content is a message being written: in memory up to one chunk, or less while spools is full, then in a local file. The
// file has no name, so a crash leaves nothing behind.
type content struct {
	dir    string
	spools *spools
	memory []byte
	file   *os.File // nil: the content is in memory
	size   int64
	err    error // fails all further writes
}

// errUsedUp: a content was put or discarded before.
var errUsedUp = fmt.Errorf("%w: the content is used up", store.ErrUnavailable)

// Write implements store.Content.
func (c *content) Write(p []byte) (int, error) {
	if c.err != nil {
		return 0, c.err
	}
	if c.file == nil && len(c.memory)+len(p) <= chunkSize && c.spools.grow(len(c.memory), len(p)) {
		c.memory = append(c.memory, p...)
		c.size += int64(len(p))
		return len(p), nil
	}
	if c.file == nil {
		if c.err = c.toFile(); c.err != nil {
			return 0, c.err
		}
	}
	n, err := c.file.Write(p)
	c.size += int64(n)
	c.err = spoolError(err)
	return n, c.err
}

// toFile moves the content from memory to a file.
func (c *content) toFile() error {
	f, err := os.CreateTemp(c.dir, "popelago-spool-")
	if err != nil {
		return spoolError(err)
	}
	if err := os.Remove(f.Name()); err != nil {
		f.Close()
		return spoolError(err)
	}
	if _, err := f.Write(c.memory); err != nil {
		f.Close()
		return spoolError(err)
	}
	c.file = f
	c.forget()
	return nil
}

func spoolError(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT):
		return fmt.Errorf("cassandra: spool: %w: %w", store.ErrFull, err)
	}
	return fmt.Errorf("cassandra: spool: %w: %w", store.ErrUnavailable, err)
}

// chunks returns the count of chunks, at least one.
func (c *content) chunks() int { return chunksOf(c.size) }

// chunksOf returns the count of chunks of a content of a size, at least one.
func chunksOf(size int64) int { return max(1, int((size+chunkSize-1)/chunkSize)) }

// lengthOf returns the length of a chunk of a content of a size.
func lengthOf(chunk int, size int64) int {
	return int(min(chunkSize, size-int64(chunk)*chunkSize))
}

// chunk reads a chunk. Safe for concurrent use.
func (c *content) chunk(n int) ([]byte, error) {
	if c.file == nil {
		return c.memory, nil
	}
	b := make([]byte, lengthOf(n, c.size))
	if _, err := c.file.ReadAt(b, int64(n)*chunkSize); err != nil {
		return nil, spoolError(err)
	}
	return b, nil
}

// Size implements store.Content.
func (c *content) Size() int64 { return c.size }

// Discard implements store.Content.
func (c *content) Discard() {
	if c.file != nil {
		c.file.Close()
	}
	c.forget()
	c.file, c.err = nil, errUsedUp
}

// forget frees the memory of the content.
func (c *content) forget() {
	c.spools.octets.Add(-int64(len(c.memory)))
	c.memory = nil
}
