package delivery

import "bytes"

// text examines a message that passes in pieces: its line ends, its opening, and the Received lines
// of its header. It keeps no octet of the text but a field name.
type text struct {
	lastCR bool // the octet before is CR
	ends   bool // the text so far ends in CRLF, or is empty

	body     bool // the header has ended
	start    bool // the next octet begins a line
	field    bool // in the name of a possible header field, before its colon
	name     [len(receivedName)]byte
	nameLen  int // octets of the field's name; only the first len(name) are kept
	blanks   int // octets of white space behind the name
	received int // Received lines so far

	opening opening
	mailbox bool // the first line is a separator of an mbox file
	looked  int  // octets examined while the opening was unknown
}

// receivedName names the field that text counts.
const receivedName = "Received"

func newText() text { return text{ends: true, start: true} }

// scan examines the next piece. It returns ErrBareLineEnd at the first bare CR or LF.
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

// scanLineEnds checks the octet before every LF; then no CR is bare if the numbers of CR and LF are
// equal. (A CR at the very end waits for the next piece.)
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

// end returns ErrBareLineEnd if the text ends in a bare CR.
func (t *text) end() error {
	if t.lastCR {
		return ErrBareLineEnd
	}
	return nil
}

// scanHeader counts Received lines until the header ends: at an empty line, or at the first line
// that is neither a field nor the continuation of a field (RFC 5322 section 2.2).
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

// beginLine classifies a line of the header by its first octet.
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

// scanName scans a field name and returns the octets behind its colon. White space before the colon
// is obsolete but valid (RFC 5322 section 4.5).
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
