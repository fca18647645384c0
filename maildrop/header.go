package maildrop

import (
	"context"
	"errors"
	"io"
	"strings"
)

// Field is a field of a header (RFC 5322 section 2.2). Both texts come from the sender, and may hold
// any octet but CR and LF.
type Field struct {
	// Name is the text before the colon, without white space at its end.
	Name string
	// Body is the unfolded text behind the colon, without white space around it.
	Body string
}

// maxHeader bounds the octets of a message that Header reads.
const maxHeader = 64 << 10

// Header returns the fields of the header of message n in their order, with the lines that final
// delivery adds. whole reports whether the header ended within the first 64 KiB; a last field that
// is cut there is left out. Errors: those of Read.
func (m *Maildrop) Header(ctx context.Context, n int) (fields []Field, whole bool, err error) {
	r, err := m.Read(ctx, n)
	if err != nil {
		return nil, false, err
	}
	defer r.Close()
	octets := make([]byte, min(r.Size, maxHeader))
	if _, err := io.ReadFull(r, octets); err != nil {
		if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
			err = r.wrongSize()
		}
		return nil, false, err
	}
	fields, whole = parseHeader(string(octets), r.Size > maxHeader)
	return fields, whole, nil
}

// parseHeader returns the fields of a header, up to its end or to the first line that is no field. cut
// reports that text is only the beginning of a message.
func parseHeader(text string, cut bool) (fields []Field, whole bool) {
	for {
		line, rest, ended := strings.Cut(text, "\r\n")
		switch {
		case !ended && cut:
			if (line == "" || folded(line)) && len(fields) > 0 { // the last field goes on, or may
				fields = fields[:len(fields)-1]
			}
			return fields, false
		case line == "":
			return fields, true
		case folded(line):
			if len(fields) > 0 {
				last := &fields[len(fields)-1]
				last.Body = strings.Trim(last.Body+line, blanks)
			}
		default:
			name, body, ok := strings.Cut(line, ":")
			if !ok {
				return fields, true
			}
			fields = append(fields, Field{Name: strings.TrimRight(name, blanks), Body: strings.Trim(body, blanks)})
		}
		if text = rest; !ended {
			return fields, true
		}
	}
}

// blanks is the white space of RFC 5322 section 2.2.3.
const blanks = " \t"

// folded reports whether a line continues the line before.
func folded(line string) bool { return line[0] == ' ' || line[0] == '\t' }
