package maildrop

import (
	"context"
	"errors"
	"fmt"
	"io"

	"popelago/mail"
	"popelago/store"
)

// Reader reads the octets of a message: exactly Size octets, or an error. Lines end in CRLF, and so
// does the message; dots are not stuffed.
type Reader struct {
	// Size is the count of octets of the message.
	Size int64

	header  string // the rest of the delivery header
	content io.ReadCloser
	left    int64 // octets of content not read yet
	out     afterHeader
	release context.CancelFunc // of the context of content; nil: the context is the caller's
}

// Read opens message n. The Reader must be closed.
//
// Errors: ErrNoSuchMessage, ErrMarked, ErrRemoved; store.ErrUnavailable; store.ErrCorrupt if the
// sizes of content and row differ.
func (m *Maildrop) Read(ctx context.Context, n int) (*Reader, error) {
	if err := m.check(n); err != nil {
		return nil, err
	}
	if r := m.takeAhead(n); r != nil {
		return r, nil
	}
	first := m.twins.rowOf(n)
	row := m.list.row(first)
	r, err := m.open(ctx, row)
	for _, t := range m.twins.of(first) {
		if err == nil {
			break
		}
		if twin := m.list.row(t.row); twin.Size == row.Size {
			if other, otherErr := m.open(ctx, twin); otherErr == nil {
				r, err = other, nil
			}
		}
	}
	return r, err
}

func (m *Maildrop) open(ctx context.Context, row mail.Message) (*Reader, error) {
	info, content, err := m.store.Local.OpenContent(ctx, row.ID, row.Origin)
	if err != nil {
		if errors.Is(err, store.ErrNotFound) {
			err = m.whyMissing(ctx, row.ID)
		}
		return nil, fmt.Errorf("maildrop: open message %s: %w", row.ID, err)
	}
	header := row.Header(info.ReversePath)
	if int64(len(header))+info.Size != row.Size {
		content.Close()
		return nil, fmt.Errorf("maildrop: message %s has %d octets of header and %d of content, but %d were listed: %w",
			row.ID, len(header), info.Size, row.Size, store.ErrCorrupt)
	}
	r := &Reader{Size: row.Size, header: header, content: content, left: info.Size}
	r.out.r = r
	return r, nil
}

// whyMissing returns the reason why the content of a listed message is missing: ErrRemoved, or
// ErrNoContent if the row is still in the mailbox.
func (m *Maildrop) whyMissing(ctx context.Context, id mail.MessageID) error {
	_, err := m.listed.Message(ctx, m.mailbox, id)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return ErrRemoved
	case err != nil:
		return err
	}
	return ErrNoContent
}

// Read implements io.Reader.
func (r *Reader) Read(p []byte) (int, error) {
	if r.header != "" {
		n := copy(p, r.header)
		r.header = r.header[n:]
		return n, nil
	}
	n, err := r.content.Read(p)
	r.left -= int64(n)
	if err == io.EOF && r.left != 0 || r.left < 0 {
		return n, r.wrongSize()
	}
	return n, err
}

// WriteTo implements io.WriterTo. WriteTo writes no octet before it has read the first octets of the
// content, so that an error of the first read comes before all output. WriteTo returns an error of w
// unchanged; all other errors wrap an error of package store.
func (r *Reader) WriteTo(w io.Writer) (int64, error) {
	r.out.w, r.out.n = w, 0
	_, err := io.Copy(&r.out, r.content)
	if err == nil && r.left != 0 {
		err = r.wrongSize()
	}
	if err == nil {
		err = r.out.header()
	}
	return r.out.n, err
}

// afterHeader writes the rest of the header, then the content.
type afterHeader struct {
	r *Reader
	w io.Writer
	n int64 // octets written
}

func (a *afterHeader) header() error {
	if a.r.header == "" {
		return nil
	}
	n, err := io.WriteString(a.w, a.r.header)
	a.n += int64(n)
	a.r.header = a.r.header[n:]
	return err
}

// Write implements io.Writer.
func (a *afterHeader) Write(p []byte) (int, error) {
	a.r.left -= int64(len(p))
	if a.r.left < 0 {
		return 0, a.r.wrongSize()
	}
	if err := a.header(); err != nil {
		return 0, err
	}
	n, err := a.w.Write(p)
	a.n += int64(n)
	return n, err
}

// wrongSize is the error for content whose size differs from the list.
func (r *Reader) wrongSize() error {
	return fmt.Errorf("maildrop: content misses its size by %d octets: %w", r.left, store.ErrCorrupt)
}

// Close closes the content.
func (r *Reader) Close() error {
	if r.release != nil {
		defer r.release()
	}
	return r.content.Close()
}
