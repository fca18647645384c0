package bench

import (
	"bufio"
	"errors"
	"io"
)

// dotReader reads the text of a multi-line response (RFC 1939 section 3): it removes the
// dot-stuffing and stops after the final dot. It returns slices of the input buffer without
// copying.
type dotReader struct {
	br        *bufio.Reader
	lineStart bool
}

// newDotReader starts at the first line of a text.
func newDotReader(br *bufio.Reader) dotReader { return dotReader{br: br, lineStart: true} }

// next returns the next piece of the text: of any length except zero, valid until the following
// call. At the end it returns io.EOF; an early end of the connection is io.ErrUnexpectedEOF.
func (r *dotReader) next() ([]byte, error) {
	if r.lineStart {
		b, err := r.br.Peek(1)
		if err != nil {
			return nil, noEOF(err)
		}
		if b[0] == '.' {
			if b, err = r.br.Peek(3); err != nil {
				return nil, noEOF(err)
			}
			if b[1] == '\r' && b[2] == '\n' {
				r.br.Discard(3)
				return nil, io.EOF
			}
			r.br.Discard(1)
		}
		r.lineStart = false
	}
	b, err := r.br.Peek(max(1, r.br.Buffered()))
	if err == nil && len(b) == 1 && b[0] == '\r' {
		b, err = r.br.Peek(2) // the next two octets decide whether b ends a line
	}
	if err != nil {
		return nil, noEOF(err)
	}
	b = b[:r.br.Buffered()]
	switch i := indexDot(b); {
	case i >= 0:
		b = b[:i+2]
		r.lineStart = true
	case len(b) >= 2 && b[len(b)-2] == '\r' && b[len(b)-1] == '\n':
		r.lineStart = true
	case len(b) >= 2 && b[len(b)-1] == '\r':
		b = b[:len(b)-1]
	}
	// The octets stay in the buffer: no read fills it before the next call.
	r.br.Discard(len(b))
	return b, nil
}

// noEOF turns the end of the connection into an unexpected end.
func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// skipText reads a text to its end and returns its length in octets.
func (c *popClient) skipText() (octets int64, err error) {
	r := newDotReader(c.link.br)
	for {
		b, err := r.next()
		octets += int64(len(b))
		if errors.Is(err, io.EOF) {
			return octets, nil
		}
		if err != nil {
			return octets, err
		}
	}
}

// readText appends a text to b.
func (c *popClient) readText(b []byte) ([]byte, error) {
	r := newDotReader(c.link.br)
	for {
		piece, err := r.next()
		b = append(b, piece...)
		if errors.Is(err, io.EOF) {
			return b, nil
		}
		if err != nil {
			return b, err
		}
	}
}
