package wire

import (
	"bytes"
	"errors"
	"io"
	"time"
)

// progress is the count of octets of a text after which the read deadline is renewed.
const progress = 16 << 10

// body reads octets of a text from the connection, and renews the deadline with progress.
type body struct {
	c       *Conn
	started bool
	octets  int // since the deadline was last renewed
}

// newBody begins a text, of which most octets at most have been received with the command before. Such octets count, too: a
// client may send each chunk together with its command.
func (c *Conn) newBody(most int64) body {
	c.text.begin()
	c.countText(min(most, int64(c.w-c.r)))
	return body{c: c}
}

// more reads further input from the connection.
func (b *body) more() error {
	c := b.c
	if err := c.Flush(); err != nil {
		return err
	}
	var deadline time.Time // zero: the present deadline stays
	if !b.started || b.octets >= progress {
		b.started, b.octets = true, 0
		deadline = c.earliest(time.Now().Add(c.cfg.BodyTimeout))
	}
	if err := c.beginReceive(deadline); err != nil {
		return err
	}
	before := c.w - c.r
	err := c.fill(false)
	if dropped := c.endReceive(); dropped != nil {
		return dropped
	}
	if err == nil {
		b.octets += c.w - c.r - before
		c.countText(int64(c.w - c.r - before))
		return nil
	}
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return c.countTimeout(translate(err))
}

// DotReader reads one text that ends in CRLF "." CRLF and removes the dot-stuffing (RFC 5321
// section 4.5.2). Only exactly CRLF "." CRLF ends the text. LF "." LF, LF "." CRLF, CR "." CR and
// the like are returned unchanged as part of the text, for the receiver to refuse.
//
// With LFEndsLine a dot behind a bare LF is stuffing too, and the receiver must treat the LF as a
// line end. A line of one dot that does not end the text keeps its dot.
//
// Read returns io.EOF after the end, io.ErrUnexpectedEOF if the connection ended before the end,
// ErrTimeout, or an error of the connection.
type DotReader struct {
	// LFEndsLine may be set before the first Read. The text still ends in CRLF "." CRLF only.
	LFEndsLine bool

	body      body
	lineStart bool // the next octet is the first of a line
	crlf      bool // the previous line ended in CRLF
	lastCR    bool // the previous octet was CR
	err       error
}

// NewDotReader starts to read a text from c.
func (c *Conn) NewDotReader() *DotReader {
	return &DotReader{body: c.newBody(bufferSize), lineStart: true, crlf: true}
}

// Read implements io.Reader.
func (d *DotReader) Read(p []byte) (int, error) {
	if d.err != nil || len(p) == 0 {
		return 0, d.err
	}
	c := d.body.c
	n := 0
	for n < len(p) {
		in := c.in[c.r:c.w]
		if d.lineStart && len(in) > 0 && in[0] == '.' {
			switch {
			case d.crlf && len(in) >= 3 && in[1] == '\r' && in[2] == '\n':
				c.r += 3
				d.err = io.EOF
				return n, d.eofUnless(n)
			case len(in) < 2 || len(in) < 3 && in[1] == '\r':
				if n > 0 {
					return n, nil
				}
				if d.err = d.body.more(); d.err != nil {
					return 0, d.err
				}
				continue
			}
			if d.LFEndsLine && endsLine(in[1:]) {
				p[n] = '.'
				n++
			}
			c.r++ // the dot
			d.lineStart, d.lastCR = false, false
			continue
		}
		if len(in) == 0 {
			if n > 0 {
				return n, nil
			}
			if d.err = d.body.more(); d.err != nil {
				return 0, d.err
			}
			continue
		}
		n += d.copyText(p[n:], in)
	}
	return n, nil
}

// eofUnless returns io.EOF if the present Read has no octets to return; n counts the octets.
func (d *DotReader) eofUnless(n int) error {
	if n > 0 {
		return nil
	}
	return io.EOF
}

// endsLine reports whether in begins with a line end.
func endsLine(in []byte) bool {
	return in[0] == '\n' || in[0] == '\r' && in[1] == '\n'
}

// copyText copies from in to p up to the next dot that begins a line. It returns the count of
// octets.
func (d *DotReader) copyText(p, in []byte) int {
	k := min(len(p), len(in))
	switch {
	case d.lastCR && in[0] == '\n':
		k = 1 // CRLF across two reads: a dot may follow
	case d.LFEndsLine:
		if i := bytes.Index(in[:k], []byte("\n.")); i >= 0 {
			k = i + 1
		}
	default:
		if i := bytes.Index(in[:k], []byte("\r\n.")); i >= 0 {
			k = i + 2
		}
	}
	copy(p, in[:k])
	d.body.c.r += k
	last, afterCR := in[k-1], d.lastCR
	if k > 1 {
		afterCR = in[k-2] == '\r'
	}
	d.crlf = last == '\n' && afterCR
	d.lineStart = d.crlf || d.LFEndsLine && last == '\n'
	d.lastCR = last == '\r'
	return k
}

// BodyReader reads a fixed count of octets of the connection: the chunk of a BDAT command (RFC 3030
// section 2). Read returns io.EOF behind the chunk.
type BodyReader struct {
	body body
	left int64
}

// NewBodyReader starts to read a chunk of n octets from c.
func (c *Conn) NewBodyReader(n int64) *BodyReader {
	return &BodyReader{body: c.newBody(n), left: n}
}

// Read implements io.Reader.
func (b *BodyReader) Read(p []byte) (int, error) {
	if b.left == 0 {
		return 0, io.EOF
	}
	if len(p) == 0 {
		return 0, nil
	}
	c := b.body.c
	for c.r == c.w {
		if err := b.body.more(); err != nil {
			return 0, err
		}
	}
	n := int(min(int64(len(p)), int64(c.w-c.r), b.left))
	copy(p, c.in[c.r:c.r+n])
	c.r += n
	b.left -= int64(n)
	return n, nil
}

// DotWriter writes one multi-line text, which breaks off with ErrEnded if the administrator ends the session.
// DotWriter stuffs the dots at the begin of a line (RFC 1939
// section 3), and Close ends the text with "." CRLF.
type DotWriter struct {
	c         *Conn
	lineStart bool
}

// NewDotWriter starts a text on c.
func (c *Conn) NewDotWriter() *DotWriter {
	c.noteText(true)
	return &DotWriter{c: c, lineStart: true}
}

// Write implements io.Writer. Line ends in p must be CRLF.
func (d *DotWriter) Write(p []byte) (int, error) {
	written := 0
	for len(p) > 0 {
		if d.lineStart && p[0] == '.' {
			if _, err := d.c.WriteString("."); err != nil {
				return written, err
			}
		}
		k := len(p)
		if i := bytes.Index(p, []byte("\n.")); i >= 0 {
			k = i + 1
		}
		n, err := d.c.Write(p[:k])
		written += n
		if err != nil {
			return written, err
		}
		d.lineStart = p[k-1] == '\n'
		p = p[k:]
	}
	return written, nil
}

// Close ends the text. If the last line has no line end, Close adds the line end.
func (d *DotWriter) Close() error {
	end := ".\r\n"
	if !d.lineStart {
		end = "\r\n.\r\n"
	}
	_, err := d.c.WriteString(end)
	d.c.noteText(false)
	return err
}
