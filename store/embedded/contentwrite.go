package embedded

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"

	"github.com/cockroachdb/pebble/v2/vfs"

	"popelago/store"
)

// contents implements store.Contents.
type contents struct {
	link    *link
	pending *pending
	files   *contentFiles
	space   *space
	closing *closing
	logger  *slog.Logger
	metrics *metrics
}

// NewContent implements store.Contents.
func (c *contents) NewContent(ctx context.Context) (store.Content, error) {
	const what = "start a content"
	if err := contextErr(ctx, what); err != nil {
		return nil, err
	}
	if c.closing.hasBegun() {
		return nil, translate(store.ErrClosed, what)
	}
	if err := c.space.check(what); err != nil {
		return nil, err
	}
	return &content{store: c, buf: blockPool.Get().(*blockBuffer)}, nil
}

// content is a message being written. The octets gather in buf; a full buf goes to a temporary file as one
// block.
type content struct {
	store  *contents
	buf    *blockBuffer // nil when used up
	n      int          // octets of data in buf
	size   int64
	nonce  [8]byte
	blocks int64
	file   vfs.File // nil while the content fits in buf
	path   string
	err    error // the first failure; sticks
}

var errUsedUp = fmt.Errorf("%w: the content is used up", store.ErrUnavailable)

// Write implements store.Content.
func (c *content) Write(p []byte) (int, error) {
	total := len(p)
	for len(p) > 0 {
		if c.buf == nil && c.err == nil {
			c.err = errUsedUp
		}
		if c.err != nil {
			return total - len(p), translate(c.err, "write content")
		}
		if c.n == blockPayload {
			c.err = c.flush()
			continue
		}
		n := copy(c.buf[blockPrefix+c.n:], p)
		c.n += n
		c.size += int64(n)
		p = p[n:]
	}
	return total, nil
}

// Size implements store.Content.
func (c *content) Size() int64 { return c.size }

// spaceCheckBlocks is the count of blocks between two checks of the free space.
const spaceCheckBlocks = 16

// flush writes buf to the file as one block.
func (c *content) flush() error {
	if c.file == nil {
		if err := c.create(); err != nil {
			return err
		}
	}
	if c.blocks%spaceCheckBlocks == 0 {
		if err := c.store.space.check("write content"); err != nil {
			return err
		}
	}
	if _, err := c.file.Write(sealBlock(c.buf, c.n, c.nonce, c.blocks)); err != nil {
		return err
	}
	c.blocks++
	c.n = 0
	return nil
}

func (c *content) create() error {
	rand.Read(c.nonce[:])
	var f vfs.File
	var err error
	if c.path, f, err = c.store.files.create(); err != nil {
		return err
	}
	c.file = f
	h := encodeFileHeader(c.nonce)
	_, err = f.Write(h[:])
	return err
}

// finish makes the file durable under its temporary name.
func (c *content) finish() error {
	if c.n > 0 {
		if err := c.flush(); err != nil {
			return err
		}
	}
	if err := c.file.Sync(); err != nil {
		return err
	}
	err := c.file.Close()
	c.file = nil
	return err
}

// Discard implements store.Content.
func (c *content) Discard() {
	if c.buf != nil {
		blockPool.Put(c.buf)
		c.buf = nil
	}
	if c.file != nil {
		c.file.Close()
		c.file = nil
	}
	if c.path != "" {
		// The next Open removes a remaining file.
		if err := c.store.files.discard(c.path); err != nil {
			c.store.logger.Warn("embedded store: cannot remove a temporary file", "path", c.path, "cause", err)
		}
		c.path = ""
	}
}

// finishLarge completes the temporary file of a large content.
func (c *content) finishLarge(row *contentRow) error {
	if c.file == nil {
		if err := c.create(); err != nil {
			return err
		}
	}
	if err := c.finish(); err != nil {
		return err
	}
	row.kind = kindFile
	row.nonce = c.nonce
	return nil
}
