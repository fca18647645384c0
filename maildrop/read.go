package maildrop

import (
	"context"
	"errors"
	"fmt"
	"io"

	"popelago/mail"
	"popelago/store"
)

// Reader gives the octets of one message: exactly Size of them, or an error, never fewer.
// Lines end in CRLF, and so does the message; dots are not stuffed.
type Reader struct {
	// Size is the count of octets in all.
	Size int64

	header  string // what is left of the delivery header
	content io.ReadCloser
	left    int64 // octets of content still to come
}

// Read opens message n. The Reader must be closed.
//
// Errors: ErrNoSuchMessage, ErrMarked, ErrRemoved; store.ErrUnavailable; store.ErrCorrupt
// when content and list do not fit together.
func (m *Maildrop) Read(ctx context.Context, n int) (*Reader, error) {
	if err := m.check(n); err != nil {
		return nil, err
	}
	row := m.list[n-1]
	info, content, err := m.store.OpenContent(ctx, row.ID, row.Origin)
	if err != nil {
		if errors.Is(err, store.ErrNotFound) {
			err = m.whyMissing(ctx, row.ID)
		}
		return nil, fmt.Errorf("maildrop: open message %s: %w", row.ID, err)
	}
	header := mail.DeliveryHeader(info.ReversePath, row.Recipient)
	if int64(len(header))+info.Size != row.Size {
		content.Close()
		return nil, fmt.Errorf("maildrop: message %s has %d octets of header and %d of content, but %d were listed: %w",
			row.ID, len(header), info.Size, row.Size, store.ErrCorrupt)
	}
	return &Reader{Size: row.Size, header: header, content: content, left: info.Size}, nil
}

// whyMissing finds out why the content of a listed message is not there. If its row is still
// in the mailbox the content may only be late: that is unavailable, not removed.
func (m *Maildrop) whyMissing(ctx context.Context, id mail.MessageID) error {
	_, err := m.store.Message(ctx, m.mailbox, id)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return ErrRemoved
	case err != nil:
		return err
	}
	return fmt.Errorf("%w: the row is there, its content is not", store.ErrUnavailable)
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
		return n, fmt.Errorf("maildrop: content is %d octets off its size: %w", r.left, store.ErrCorrupt)
	}
	return n, err
}

// WriteTo implements io.WriterTo. An error of w is returned as it is; all others wrap one of
// package store.
func (r *Reader) WriteTo(w io.Writer) (int64, error) {
	var written int64
	if r.header != "" {
		n, err := io.WriteString(w, r.header)
		written += int64(n)
		r.header = r.header[n:]
		if err != nil {
			return written, err
		}
	}
	n, err := io.Copy(w, r.content)
	written += n
	r.left -= n
	if err == nil && r.left != 0 {
		err = fmt.Errorf("maildrop: content is %d octets off its size: %w", r.left, store.ErrCorrupt)
	}
	return written, err
}

// Close gives the content back to the store.
func (r *Reader) Close() error { return r.content.Close() }
