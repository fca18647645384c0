package delivery

import "fmt"

// opening is how a text begins. It decides what has to stand between our Received line and the
// text, for the text to stay a text: otherwise a first line that begins with white space would
// continue the Received line, and a first line that is no header field would stand in the header.
type opening int

const (
	// openingUnknown: too little has come.
	openingUnknown opening = iota
	// openingHeader: a header field, or the empty line that ends a header without fields.
	openingHeader
	// openingText: there is no header.
	openingText
	// openingMailbox: a line that begins "From ", as messages do in an mbox file, and a header
	// field behind it.
	openingMailbox
)

// maxOpening is how many octets of a text may be looked at, and held back, before it is known how
// the text opens: two lines of RFC 5322 section 2.1.1. A text of which nothing is known by then has
// no header.
const maxOpening = 2000

// gap is what stands between our Received line and the text. A text that ends before its opening
// is known has no header. (Postfix makes a Mailbox-Line of the same form.)
func (o opening) gap() string {
	switch o {
	case openingHeader:
		return ""
	case openingMailbox:
		return "Mailbox-Line: "
	}
	return "\r\n"
}

// scanOpening looks at as much of p as may be looked at before the opening is known, and returns
// how many octets those were.
func (t *text) scanOpening(p []byte) int {
	n := min(len(p), maxOpening-t.looked)
	t.scanHeader(p[:n])
	t.looked += n
	if t.opening == openingUnknown && t.looked == maxOpening {
		t.opening, t.body = openingText, true
	}
	return n
}

// isMailbox reports whether the line is the first one and begins "From " without being a field.
func (t *text) isMailbox() bool {
	const name = "From"
	return t.opening == openingUnknown && !t.mailbox && t.blanks > 0 && t.nameLen == len(name) && string(t.name[:len(name)]) == name
}

// openHeader notes that there is a header field.
func (t *text) openHeader() {
	switch {
	case t.opening != openingUnknown:
	case t.mailbox:
		t.opening = openingMailbox
	default:
		t.opening = openingHeader
	}
}

// endHeader notes that the header is over: there is a line that does not belong to it. c is an octet
// of the line; CR is the first one of an empty line.
func (t *text) endHeader(c byte) {
	t.body = true
	if t.opening != openingUnknown {
		return
	}
	t.opening = openingText
	if c == '\r' && !t.mailbox && t.nameLen == 0 {
		t.opening = openingHeader
	}
}

// write hands on a piece of the text that was looked at, behind what has to stand before it.
func (in *Incoming) write(p []byte) error {
	if !in.opened && in.text.opening == openingUnknown {
		in.held = append(in.held, p...)
		return nil
	}
	if err := in.open(); err != nil {
		return err
	}
	return in.writeContent(p)
}

// open writes the gap and what was held back, once.
func (in *Incoming) open() error {
	if in.opened {
		return nil
	}
	in.opened = true
	held := in.held
	in.held = nil
	if err := in.writeContent([]byte(in.text.opening.gap())); err != nil {
		return err
	}
	return in.writeContent(held)
}

func (in *Incoming) writeContent(p []byte) error {
	if len(p) == 0 {
		return nil
	}
	if _, err := in.content.Write(p); err != nil {
		return fmt.Errorf("delivery: write content: %w", err)
	}
	return nil
}
