package delivery

import "bytes"

// lineEnds replaces every bare LF by CRLF in a text that passes in pieces. All other octets stay,
// a bare CR too.
type lineEnds struct {
	lastCR bool   // the octet before is CR
	out    []byte // the piece last returned, if changed
	made   int64  // number of replacements
}

// normalize returns p with CRLF in the place of each bare LF. The slice is valid until the next
// call. Without a bare LF normalize returns p itself.
func (l *lineEnds) normalize(p []byte) []byte {
	l.out = l.out[:0]
	rest := p
	for at := 0; ; {
		k := bytes.IndexByte(rest[at:], '\n')
		if k < 0 {
			break
		}
		at += k
		if at > 0 && rest[at-1] == '\r' || at == 0 && l.lastCR {
			at++
			continue
		}
		l.made++
		l.out = append(append(l.out, rest[:at]...), '\r', '\n')
		rest, at, l.lastCR = rest[at+1:], 0, false
	}
	if len(p) > 0 {
		l.lastCR = p[len(p)-1] == '\r'
	}
	if len(l.out) == 0 {
		return p
	}
	l.out = append(l.out, rest...)
	return l.out
}
