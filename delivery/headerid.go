package delivery

import (
	"bytes"

	"popelago/event"
)

// headerID finds the first field Message-ID in the header of a text that passes in pieces.
type headerID struct {
	line  []byte // the beginning of the present line, at most maxHeaderLine octets
	value []byte // of the field so far
	found bool   // the line before belongs to the field
	done  bool   // the header, or the field, has ended
}

// maxHeaderLine bounds the octets of a line that headerID keeps: more than event.MaxHeaderID and the name.
const maxHeaderLine = 400

// headerIDName is the name of the field with its colon.
const headerIDName = "Message-ID:"

// scan examines the next piece of the text.
func (h *headerID) scan(p []byte) {
	for !h.done && len(p) > 0 {
		end := bytes.IndexByte(p, '\n')
		piece, rest := p, []byte(nil)
		if end >= 0 {
			piece, rest = p[:end], p[end+1:]
		}
		h.line = append(h.line, piece[:min(len(piece), maxHeaderLine-len(h.line))]...)
		if p = rest; end >= 0 {
			h.endLine()
			h.line = h.line[:0]
		}
	}
}

// endLine examines a whole line.
func (h *headerID) endLine() {
	line := bytes.TrimSuffix(h.line, []byte{'\r'})
	folded := len(line) > 0 && (line[0] == ' ' || line[0] == '\t')
	switch {
	case h.found && folded && len(h.value) < maxHeaderLine:
		h.value = append(h.value, line...)
	case h.found || len(line) == 0:
		h.done = true
	case len(line) >= len(headerIDName) && bytes.EqualFold(line[:len(headerIDName)], []byte(headerIDName)):
		h.found, h.value = true, append(h.value, line[len(headerIDName):]...)
	}
}

// text returns the field in the form of events; empty: the header has none.
func (h *headerID) text() string { return event.HeaderID(string(h.value)) }
