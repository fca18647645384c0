package embedded

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"popelago/mail"
	"popelago/store"
)

// OpenContent implements store.Contents.
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
		// Sweep removes the row before the file: check the row again.
		if _, small, again := s.contentRow(id); again != nil {
			return store.ContentInfo{}, nil, again
		} else if small != nil {
			small.Close()
		}
		err = fmt.Errorf("%w: missing: %w", errBadFile, err)
	}
	return store.ContentInfo{}, nil, fmt.Errorf("%s: %w", s.files.path(id, row.nonce), err)
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
		if s.closing.hasBegun() {
			return row, nil, store.ErrClosed
		}
		return row, small, parse(v)
	}
	key := contentKey(id)
	d, err := s.link.use()
	defer s.link.done()
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

// smallReader reads inline content from a pooled buffer with verified octets.
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

// fileReader reads a content file.
type fileReader struct {
	blockReader
	s    *Store
	path string
	file vfs.File
}

// openFile opens the file of a content and verifies its first block.
func (s *Store) openFile(id mail.MessageID, row contentRow) (*fileReader, error) {
	path := s.files.path(id, row.nonce)
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
