package delivery

import "fmt"

// opening classifies the beginning of a text. It decides which gap separates our Received line from
// the text. Without a gap a first line that begins with white space would continue the Received
// line, and a first line that is no header field would stand in the header.
type opening int

const (
	// openingUnknown: too few octets have arrived.
	openingUnknown opening = iota
	// openingHeader: a header field, or the empty line that ends a header without fields.
	openingHeader
	// openingText: the text has no header.
	openingText
	// openingMailbox: the separator line of an mbox file, which begins "From ", and a header field
	// behind it.
	openingMailbox
)

// maxOpening limits the octets of a text that are examined, and held back, to find its opening: two
// lines of RFC 5322 section 2.1.1. A text whose opening is still unknown then has no header.
const maxOpening = 2000

// gap returns the octets between our Received line and the text. A text that ends before its
// opening is known has no header. (Postfix writes a Mailbox-Line of the same form.)
func (o opening) gap() string {
	switch o {
	case openingHeader:
		return ""
	case openingMailbox:
		return "Mailbox-Line: "
	}
	return "\r\n"
}

// scanOpening examines p up to maxOpening octets of the text, and returns the number of octets
// examined.
func (t *text) scanOpening(p []byte) int {
	n := min(len(p), maxOpening-t.looked)
	t.scanHeader(p[:n])
	t.looked += n
	if t.opening == openingUnknown && t.looked == maxOpening {
		t.opening, t.body = openingText, true
	}
	return n
}

// isMailbox reports whether the line is the first line, begins "From " and is no field.
func (t *text) isMailbox() bool {
	const name = "From"
	return t.opening == openingUnknown && !t.mailbox && t.blanks > 0 && t.nameLen == len(name) && string(t.name[:len(name)]) == name
}

// openHeader notes a header field.
func (t *text) openHeader() {
	switch {
	case t.opening != openingUnknown:
	case t.mailbox:
		t.opening = openingMailbox
	default:
		t.opening = openingHeader
	}
}

// endHeader notes a line that does not belong to the header. c is an octet of the line; CR is the
// first octet of an empty line.
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

// write writes an examined piece of the text to the content, behind the gap. It holds the piece
// back while the opening is unknown.
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

// open writes the gap and the octets held back, once.
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
