package maildrop

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"popelago/store"
)

// Verify reads message n to its end, all rows with its unique-id, and returns the octets of the first
// row as read, and the count of rows. Verify stores nothing in memory.
//
// Errors: those of Read; store.ErrCorrupt if the content cannot be read to its end, differs in size
// from the list, or contains a line end other than CRLF.
func (m *Maildrop) Verify(ctx context.Context, n int) (octets int64, rows int, err error) {
	if err := m.check(n); err != nil {
		return 0, 0, err
	}
	first := m.twins.rowOf(n)
	if octets, err = m.verifyRow(ctx, first); err != nil {
		return octets, 1, err
	}
	rows = 1
	for _, t := range m.twins.of(first) {
		if _, err := m.verifyRow(ctx, t.row); err != nil {
			return octets, rows, err
		}
		rows++
	}
	return octets, rows, nil
}

func (m *Maildrop) verifyRow(ctx context.Context, row int) (int64, error) {
	message := m.list.row(row)
	r, err := m.open(ctx, message)
	if err != nil {
		return 0, err
	}
	var v verifier
	n, err := r.WriteTo(&v)
	if err == nil {
		err = v.end()
	}
	if err := errors.Join(err, r.Close()); err != nil {
		return n, fmt.Errorf("maildrop: verify message %s: %w", message.ID, err)
	}
	return n, nil
}

// errLineEnd: the octets of a message hold a bare CR or LF, or lack the final CRLF.
var errLineEnd = fmt.Errorf("%w: a line does not end in CRLF", store.ErrCorrupt)

// verifier checks the line ends of a message that passes in pieces.
type verifier struct {
	lastCR, lastLF bool // the octet before
}

// Write implements io.Writer. Errors: errLineEnd.
func (v *verifier) Write(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if v.lastCR != (p[0] == '\n') {
		return 0, errLineEnd
	}
	last := p[len(p)-1]
	pairs := bytes.Count(p, []byte("\r\n"))
	feeds, returns := pairs, pairs
	if v.lastCR {
		feeds++
	}
	if last == '\r' {
		returns++
	}
	if bytes.Count(p, []byte{'\n'}) != feeds || bytes.Count(p, []byte{'\r'}) != returns {
		return 0, errLineEnd
	}
	v.lastCR, v.lastLF = last == '\r', last == '\n'
	return len(p), nil
}

func (v *verifier) end() error {
	if !v.lastLF {
		return errLineEnd
	}
	return nil
}
