package embedded

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"

	"github.com/cockroachdb/pebble/v2/vfs"

	"popelago/store"
	"popelago/store/codec"
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
	coder   *codec.Coder
	// compress is set if new contents are compressed.
	compress bool
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
// block. The first block decides for a codec.
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

	chosen bool // codec is final
	codec  codec.ID
	coded  *codedBuffer // of a coded content
	form   []byte       // the first block as compressed, until it is written; in coded
	length int64        // octets of the file
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
	c.choose()
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
	block := c.block()
	if _, err := c.file.Write(block); err != nil {
		return err
	}
	c.length += int64(len(block))
	c.blocks++
	c.n = 0
	return nil
}

// data returns the octets in buf.
func (c *content) data() []byte { return c.buf[blockPrefix : blockPrefix+c.n] }

// block returns the octets in buf as a block of the file.
func (c *content) block() []byte {
	if c.codec == codec.Raw {
		return sealBlock(c.buf, c.n, c.nonce, c.blocks)
	}
	form := c.form
	if c.form = nil; form == nil {
		form = c.store.coder.Next(c.codec, c.coded[codedPrefix:codedPrefix], c.data())
	}
	if len(form) == 0 {
		form = c.data() // not shorter when compressed
	}
	return sealCodedBlock(c.coded, form, c.nonce, c.blocks)
}

// choose compresses the first block, and so decides for the codec of the content.
func (c *content) choose() {
	if c.chosen {
		return
	}
	c.chosen = true
	if !c.store.compress {
		return
	}
	c.coded = codedPool.Get().(*codedBuffer)
	if c.codec, c.form = c.store.coder.First(c.coded[codedPrefix:codedPrefix], c.data()); c.codec == codec.Raw {
		c.dropCoded()
	}
}

// dropCoded releases the memory for coded blocks.
func (c *content) dropCoded() {
	if c.coded != nil {
		codedPool.Put(c.coded)
		c.coded, c.form = nil, nil
	}
}

func (c *content) create() error {
	rand.Read(c.nonce[:])
	var f vfs.File
	var err error
	if c.path, f, err = c.store.files.create(); err != nil {
		return err
	}
	c.file = f
	h := encodeFileHeader(c.codec, c.nonce)
	c.length = int64(len(h))
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
	c.dropCoded()
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
	row.codec = c.codec
	row.nonce = c.nonce
	row.length = c.length
	return nil
}
