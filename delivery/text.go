package delivery

import "bytes"

// text looks at a message as it passes by in pieces: at its line ends, at how it opens, and at its
// header for signs of a loop. It keeps nothing of it.
type text struct {
	lastCR bool // the octet before was CR
	ends   bool // what was seen ends in CRLF; also true of nothing at all

	body     bool // the header is over
	start    bool // the next octet begins a line
	field    bool // in a line that may still turn out to be a header field: before its colon
	name     [len(receivedName)]byte
	nameLen  int // octets of the field's name; only the first len(name) are kept
	blanks   int // octets of white space behind the name
	received int // Received lines so far

	opening opening
	mailbox bool // the first line is one of an mbox file
	looked  int  // octets that were looked at before opening was known
}

// receivedName is the name of the field that is counted.
const receivedName = "Received"

func newText() text { return text{ends: true, start: true} }

// scan looks at the next piece. It returns ErrBareLineEnd at the first bare CR or LF.
func (t *text) scan(p []byte) error {
	if len(p) == 0 {
		return nil
	}
	if err := t.scanLineEnds(p); err != nil {
		return err
	}
	if t.opening == openingUnknown {
		p = p[t.scanOpening(p):]
	}
	t.scanHeader(p)
	return nil
}

// scanLineEnds finds every LF and looks at the octet before it; then as many CR as LF means
// that no CR is bare. (A CR at the very end waits for the next piece.)
func (t *text) scanLineEnds(p []byte) error {
	if t.lastCR && p[0] != '\n' {
		return ErrBareLineEnd
	}
	pairs := 0 // CRLF with the CR in p
	for i := 0; ; {
		k := bytes.IndexByte(p[i:], '\n')
		if k < 0 {
			break
		}
		i += k
		switch {
		case i > 0 && p[i-1] == '\r':
			pairs++
		case i == 0 && t.lastCR:
		default:
			return ErrBareLineEnd
		}
		i++
	}
	last := p[len(p)-1]
	open := 0
	if last == '\r' {
		open = 1
	}
	if bytes.Count(p, []byte{'\r'}) != pairs+open {
		return ErrBareLineEnd
	}
	t.lastCR = last == '\r'
	t.ends = last == '\n'
	return nil
}

// end says whether the text may end here: not in a bare CR.
func (t *text) end() error {
	if t.lastCR {
		return ErrBareLineEnd
	}
	return nil
}

// scanHeader counts Received lines until the header ends: at an empty line, or at the first
// line that is neither a field nor the continuation of one (RFC 5322 section 2.2).
func (t *text) scanHeader(p []byte) {
	for len(p) > 0 && !t.body {
		if t.start {
			t.beginLine(p[0])
		}
		if t.field {
			p = t.scanName(p)
			continue
		}
		k := bytes.IndexByte(p, '\n')
		if k < 0 {
			return
		}
		t.start = true
		p = p[k+1:]
	}
}

// beginLine decides by its first octet what a line of the header may be.
func (t *text) beginLine(c byte) {
	t.start = false
	t.field, t.nameLen, t.blanks = false, 0, 0
	switch {
	case (c == ' ' || c == '\t') && t.opening != openingUnknown: // a continuation
	case isFieldName(c):
		t.field = true
	default:
		t.endHeader(c)
	}
}

// scanName reads on in a field name and returns what is behind its colon. White space in
// front of the colon is obsolete but valid (RFC 5322 section 4.5).
func (t *text) scanName(p []byte) []byte {
	for i, c := range p {
		switch {
		case c == ':':
			t.field = false
			t.openHeader()
			if t.nameLen == len(t.name) && bytes.EqualFold(t.name[:], []byte(receivedName)) {
				t.received++
			}
			return p[i+1:]
		case c == ' ' || c == '\t':
			t.blanks++
		case t.isMailbox():
			t.field, t.mailbox = false, true
			return p[i:]
		case t.blanks > 0 || !isFieldName(c):
			t.endHeader(c)
			return nil
		default:
			if t.nameLen < len(t.name) {
				t.name[t.nameLen] = c
			}
			t.nameLen++
		}
	}
	return nil
}

// isFieldName reports whether c may be part of a field name (RFC 5322 section 3.6.8).
func isFieldName(c byte) bool { return c > ' ' && c < 0x7F && c != ':' }
