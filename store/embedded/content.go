package embedded

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"strconv"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"popelago/mail"
	"popelago/store"
)

// content is a message being written. The octets gather in buf; each time it is full it goes
// to a temporary file as one block.
type content struct {
	s      *Store
	buf    *blockBuffer // nil when used up
	n      int          // octets of data in buf
	size   int64
	nonce  [8]byte
	blocks int64
	file   vfs.File // nil while everything fits in buf
	path   string
	err    error // the first failure; sticks
}

// NewContent is part of store.Contents.
func (s *Store) NewContent(ctx context.Context) (store.Content, error) {
	const what = "start a content"
	if err := contextErr(ctx, what); err != nil {
		return nil, err
	}
	if s.isClosing() {
		return nil, translate(store.ErrClosed, what)
	}
	if err := s.checkSpace(what); err != nil {
		return nil, err
	}
	return &content{s: s, buf: blockPool.Get().(*blockBuffer)}, nil
}

var errUsedUp = fmt.Errorf("%w: the content is used up", store.ErrUnavailable)

// Write is part of store.Content.
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

// Size is part of store.Content.
func (c *content) Size() int64 { return c.size }

// spaceCheckBlocks is how often, in blocks, a growing file looks at the free space.
const spaceCheckBlocks = 16

// flush writes buf to the file as one block.
func (c *content) flush() error {
	if c.file == nil {
		if err := c.create(); err != nil {
			return err
		}
	}
	if c.blocks%spaceCheckBlocks == 0 {
		if err := c.s.checkSpace("write content"); err != nil {
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
	fs := c.s.cfg.FS
	c.path = fs.PathJoin(c.s.dirs.tmp, strconv.FormatUint(c.s.tmpSeq.Add(1), 10)+tmpSuffix)
	f, err := fs.Create(c.path, vfs.WriteCategoryUnspecified)
	if err != nil {
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

// Discard is part of store.Content.
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
		// What cannot be removed now is removed by the next Open.
		if err := c.s.cfg.FS.Remove(c.path); err != nil {
			c.s.cfg.Logger.Warn("embedded store: cannot remove a temporary file", "path", c.path, "err", err)
		}
		c.path = ""
	}
}

// PutContent is part of store.Contents. The row waits in memory (see pending) until
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
	case s.isClosing():
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
		_, err := s.pending.put(ctx, s, id, row)
		return translate(err, what)
	}
	if err := c.finishLarge(&row); err != nil {
		return translate(err, what)
	}
	// The file gets its name while its row is known already, so that Sweep never takes it
	// for a left-over.
	if put, err := s.pending.put(ctx, s, id, row); err != nil || put {
		return translate(err, what)
	}
	if err := s.dirs.adopt(c.path, id, c.nonce); err != nil {
		s.pending.drop(id)
		s.sweep.filesChecked.Store(false) // the rename may have happened
		return translate(err, what)
	}
	c.path = ""
	return nil
}

// contentKnown reports whether the content was put before: then it stays as it is.
func (s *Store) contentKnown(id mail.MessageID) (known bool, err error) {
	if s.pending.get(id) != nil {
		return true, nil
	}
	key := contentKey(id)
	err = s.read("look for content", func(db *pebble.DB) error {
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

// OpenContent is part of store.Contents.
func (s *Store) OpenContent(ctx context.Context, id mail.MessageID, origin string) (store.ContentInfo, io.ReadCloser, error) {
	if err := contextErr(ctx, "open content"); err != nil {
		return store.ContentInfo{}, nil, err
	}
	info, r, err := s.openContent(id)
	if err != nil {
		err = translate(err, "open content "+id.String())
		if errors.Is(err, store.ErrCorrupt) {
			s.metrics.corrupt.Inc()
		}
		return store.ContentInfo{}, nil, err
	}
	return info, r, nil
}

func (s *Store) openContent(id mail.MessageID) (store.ContentInfo, io.ReadCloser, error) {
	row, small, err := s.contentRow(id)
	if err != nil {
		return store.ContentInfo{}, nil, err
	}
	if row.kind == kindInline {
		return row.info, small, nil
	}
	r, err := s.openFile(id, row)
	if err == nil {
		return row.info, r, nil
	}
	if isNotExist(err) {
		// Sweep removes the row before the file: look whether it has.
		if _, small, again := s.contentRow(id); again != nil {
			return store.ContentInfo{}, nil, again
		} else if small != nil {
			small.Close()
		}
		err = fmt.Errorf("%w: missing: %w", errBadFile, err)
	}
	return store.ContentInfo{}, nil, fmt.Errorf("%s: %w", s.dirs.path(id, row.nonce), err)
}

// contentRow reads the row of a content; for inline content with a reader for the octets.
func (s *Store) contentRow(id mail.MessageID) (row contentRow, small *smallReader, err error) {
	parse := func(v []byte) error {
		if row, err = decodeContent(v); err == nil && row.kind == kindInline {
			small = newSmallReader(row.data)
			row.data = nil
		}
		return err
	}
	if v := s.pending.get(id); v != nil {
		if s.isClosing() {
			return row, nil, store.ErrClosed
		}
		return row, small, parse(v)
	}
	key := contentKey(id)
	s.mu.RLock()
	defer s.mu.RUnlock()
	l, err := s.lifeLocked()
	if err != nil {
		return row, nil, err
	}
	v, closer, err := l.db.Get(key[:])
	if err == nil {
		err = parse(v)
		err = errors.Join(err, closer.Close())
	}
	if fault := l.fs.broken(); fault != nil && err != nil {
		err = downErr(fault)
	}
	if err != nil && small != nil {
		small.Close()
		small = nil
	}
	if isPebbleNotFound(err) {
		err = store.ErrNotFound
	}
	return row, small, err
}

// smallReader reads inline content out of a pooled buffer. Its octets were verified.
type smallReader struct {
	buf  *blockBuffer
	data []byte
}

func newSmallReader(data []byte) *smallReader {
	r := &smallReader{buf: blockPool.Get().(*blockBuffer)}
	r.data = r.buf[:copy(r.buf[:], data)]
	return r
}

func (r *smallReader) Read(p []byte) (int, error) {
	switch {
	case r.buf == nil:
		return 0, errReaderClosed
	case len(p) == 0:
		return 0, nil
	case len(r.data) == 0:
		return 0, io.EOF
	}
	n := copy(p, r.data)
	r.data = r.data[n:]
	return n, nil
}

func (r *smallReader) WriteTo(w io.Writer) (int64, error) {
	if r.buf == nil {
		return 0, errReaderClosed
	}
	if len(r.data) == 0 {
		return 0, nil
	}
	n, err := w.Write(r.data)
	r.data = r.data[n:]
	return int64(n), err
}

func (r *smallReader) Close() error {
	if r.buf != nil {
		blockPool.Put(r.buf)
		r.buf, r.data = nil, nil
	}
	return nil
}

var errReaderClosed = fmt.Errorf("embedded: read content: %w: the reader is closed", store.ErrUnavailable)

// fileReader reads a content file.
type fileReader struct {
	blockReader
	s    *Store
	path string
	file vfs.File
}

// openFile opens the file of a content and verifies its first block.
func (s *Store) openFile(id mail.MessageID, row contentRow) (*fileReader, error) {
	path := s.dirs.path(id, row.nonce)
	f, err := s.cfg.FS.Open(path, vfs.SequentialReadsOption)
	if err != nil {
		return nil, err
	}
	r := &fileReader{s: s, path: path, file: f}
	r.blockReader = blockReader{src: f, nonce: row.nonce, left: row.info.Size, buf: blockPool.Get().(*blockBuffer)}
	if err := r.start(); err != nil {
		r.Close()
		return nil, err
	}
	return r, nil
}

func (r *fileReader) Read(p []byte) (int, error) {
	if r.buf == nil {
		return 0, errReaderClosed
	}
	n, err := r.blockReader.Read(p)
	return n, r.explain(err)
}

func (r *fileReader) WriteTo(w io.Writer) (int64, error) {
	if r.buf == nil {
		return 0, errReaderClosed
	}
	n, err := r.blockReader.WriteTo(w)
	if err != nil && r.err == err {
		err = r.explain(err)
	}
	return n, err
}

// explain puts a failure to read into a class of store; errors of a writer are not its matter.
func (r *fileReader) explain(err error) error {
	if err == nil || err == io.EOF {
		return err
	}
	err = translate(err, "read "+r.path)
	if errors.Is(err, store.ErrCorrupt) {
		r.s.metrics.corrupt.Inc()
	}
	return err
}

func (r *fileReader) Close() error {
	if r.buf == nil {
		return nil
	}
	blockPool.Put(r.buf)
	r.buf, r.data = nil, nil
	return r.file.Close()
}
