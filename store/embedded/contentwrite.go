package embedded

import (
	"context"
	"crypto/rand"
	"fmt"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"popelago/mail"
	"popelago/store"
)

// content is a message being written. The octets gather in buf; a full buf goes to a temporary file as one
// block.
type content struct {
	s      *Store
	buf    *blockBuffer // nil when used up
	n      int          // octets of data in buf
	size   int64
	nonce  [8]byte
	blocks int64
	file   vfs.File // nil while the content fits in buf
	path   string
	err    error // the first failure; sticks
}

// NewContent implements store.Contents.
func (s *Store) NewContent(ctx context.Context) (store.Content, error) {
	const what = "start a content"
	if err := contextErr(ctx, what); err != nil {
		return nil, err
	}
	if s.closing.hasBegun() {
		return nil, translate(store.ErrClosed, what)
	}
	if err := s.space.check(what); err != nil {
		return nil, err
	}
	return &content{s: s, buf: blockPool.Get().(*blockBuffer)}, nil
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
		if err := c.s.space.check("write content"); err != nil {
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
	if c.path, f, err = c.s.files.create(); err != nil {
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
		if err := c.s.cfg.FS.Remove(c.path); err != nil {
			c.s.cfg.Logger.Warn("embedded store: cannot remove a temporary file", "path", c.path, "cause", err)
		}
		c.path = ""
	}
}

// PutContent implements store.Contents. The row waits in memory (see pending) until
// AddMessages writes it with the first row that needs it.
func (s *Store) PutContent(ctx context.Context, id mail.MessageID, sc store.Content, info store.ContentInfo) error {
	what := "put content " + id.String()
	c, ok := sc.(*content)
	if !ok {
		return fmt.Errorf("embedded: %s: %w: not a content of this store", what, store.ErrUnavailable)
	}
	defer c.Discard()
	if err := contextErr(ctx, what); err != nil {
		return err
	}
	switch {
	case s.closing.hasBegun():
		return translate(store.ErrClosed, what)
	case c.s != s || c.buf == nil:
		return translate(errUsedUp, what)
	case c.err != nil:
		return translate(c.err, what)
	}
	if put, err := s.contentKnown(id); err != nil || put {
		return translate(err, what)
	}
	row := contentRow{info: info, kind: kindInline}
	row.info.Size = c.size
	if c.size <= inlineLimit {
		row.data = c.buf[blockPrefix : blockPrefix+c.n]
		_, err := s.pending.put(ctx, id, row)
		return translate(err, what)
	}
	if err := c.finishLarge(&row); err != nil {
		return translate(err, what)
	}
	// The file gets its name after its row, so that Sweep never treats the file as left over.
	if put, err := s.pending.put(ctx, id, row); err != nil || put {
		return translate(err, what)
	}
	if err := s.files.adopt(c.path, id, c.nonce); err != nil {
		s.pending.drop(id)
		s.files.compared.Store(false) // the rename may have happened
		return translate(err, what)
	}
	c.path = ""
	return nil
}

// contentKnown reports whether the content was put before. It then stays unchanged.
func (s *Store) contentKnown(id mail.MessageID) (known bool, err error) {
	if s.pending.get(id) != nil {
		return true, nil
	}
	key := contentKey(id)
	err = s.link.read("look for content", func(db *pebble.DB) error {
		known, err = has(db, key[:])
		return err
	})
	return known, err
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

var errReaderClosed = fmt.Errorf("embedded: read content: %w: the reader is closed", store.ErrUnavailable)
