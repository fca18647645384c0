package embedded

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/prometheus/client_golang/prometheus"

	"popelago/mail"
	"popelago/store"
	"popelago/store/codec"
)

// OpenContent implements store.Contents.
func (c *contents) OpenContent(ctx context.Context, id mail.MessageID, origin string) (store.ContentInfo, io.ReadCloser, error) {
	if err := contextErr(ctx, "open content"); err != nil {
		return store.ContentInfo{}, nil, err
	}
	info, r, err := c.openContent(id)
	if err != nil {
		err = translate(err, "open content "+id.String())
		if errors.Is(err, store.ErrCorrupt) {
			c.metrics.corrupt.Inc()
		}
		return store.ContentInfo{}, nil, err
	}
	return info, r, nil
}

func (c *contents) openContent(id mail.MessageID) (store.ContentInfo, io.ReadCloser, error) {
	row, small, err := c.contentRow(id)
	if err != nil {
		return store.ContentInfo{}, nil, err
	}
	if row.kind == kindInline {
		return row.info, small, nil
	}
	r, err := c.openFile(id, row)
	if err == nil {
		return row.info, r, nil
	}
	if isNotExist(err) {
		// Sweep removes the row before the file: check the row again.
		if _, small, again := c.contentRow(id); again != nil {
			return store.ContentInfo{}, nil, again
		} else if small != nil {
			small.Close()
		}
		err = fmt.Errorf("%w: missing: %w", errBadFile, err)
	}
	return store.ContentInfo{}, nil, fmt.Errorf("%s: %w", c.files.path(id, row.nonce), err)
}

// contentRow reads the row of a content; for inline content with a reader for the octets.
func (c *contents) contentRow(id mail.MessageID) (row contentRow, small *smallReader, err error) {
	parse := func(v []byte) error {
		if row, err = decodeContent(v); err == nil && row.kind == kindInline {
			small, err = c.newSmallReader(row)
			row.data = nil
		}
		return err
	}
	if v := c.pending.get(id); v != nil {
		if c.closing.hasBegun() {
			return row, nil, store.ErrClosed
		}
		return row, small, parse(v)
	}
	key := contentKey(id)
	d, err := c.link.use()
	defer c.link.done()
	if err != nil {
		return row, nil, err
	}
	v, closer, err := d.db.Get(key[:])
	if err == nil {
		err = parse(v)
		err = errors.Join(err, closer.Close())
	}
	if fault := d.fs.broken(); fault != nil && err != nil {
		err = downErr(fault)
	}
	if err != nil && small != nil {
		small.Close()
		small = nil
	}
	if errors.Is(err, pebble.ErrNotFound) {
		err = store.ErrNotFound
	}
	return row, small, err
}

var errReaderClosed = fmt.Errorf("embedded: read content: %w: the reader is closed", store.ErrUnavailable)

// smallReader reads inline content from a pooled buffer with verified octets.
type smallReader struct {
	buf  *blockBuffer
	data []byte
}

func (c *contents) newSmallReader(row contentRow) (*smallReader, error) {
	size := row.info.Size
	if size > blockPayload {
		return nil, fmt.Errorf("%w: %d octets in a row", errBadRow, size)
	}
	r := &smallReader{buf: blockPool.Get().(*blockBuffer)}
	var err error
	if r.data, err = c.coder.Decode(row.codec, r.buf[:0], row.data, int(size)); err != nil {
		r.Close()
		return nil, err
	}
	return r, nil
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

// fileReader reads a content file.
type fileReader struct {
	blockReader
	path    string
	file    vfs.File
	corrupt prometheus.Counter // counts damage
}

// openFile opens the file of a content and verifies its first block.
func (c *contents) openFile(id mail.MessageID, row contentRow) (*fileReader, error) {
	if err := codec.Known(row.codec); err != nil {
		return nil, err
	}
	path := c.files.path(id, row.nonce)
	f, err := c.files.open(path)
	if err != nil {
		return nil, err
	}
	r := &fileReader{path: path, file: f, corrupt: c.metrics.corrupt}
	r.blockReader = blockReader{
		src: f, nonce: row.nonce, left: row.info.Size, buf: blockPool.Get().(*blockBuffer), codec: row.codec, coder: c.coder,
	}
	if row.codec != codec.Raw {
		r.coded = codedPool.Get().(*codedBuffer)
	}
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
	if r.err != nil && errors.Is(err, r.err) {
		err = r.explain(err)
	}
	return n, err
}

// explain translates a failure to read into an error of store. Errors of a writer are not translated.
func (r *fileReader) explain(err error) error {
	if err == nil || errors.Is(err, io.EOF) {
		return err
	}
	err = translate(err, "read "+r.path)
	if errors.Is(err, store.ErrCorrupt) {
		r.corrupt.Inc()
	}
	return err
}

func (r *fileReader) Close() error {
	if r.buf == nil {
		return nil
	}
	blockPool.Put(r.buf)
	r.buf, r.data = nil, nil
	if r.coded != nil {
		codedPool.Put(r.coded)
		r.coded = nil
	}
	return r.file.Close()
}
