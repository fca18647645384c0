package wire

import "bytes"

// Verb is the keyword of a command in upper case, padded with zero octets. The zero Verb stands
// for a word that is no keyword of any protocol: longer than eight octets, or with characters
// other than ASCII letters and digits.
type Verb [8]byte

// VerbOf is the Verb of a keyword in any case.
func VerbOf(keyword string) Verb {
	v, _ := SplitVerb([]byte(keyword))
	return v
}

// SplitVerb splits a command line at its first space. arg is the rest of the line behind the
// space, unchanged: a password may begin and end with spaces. arg shares the memory of line.
func SplitVerb(line []byte) (v Verb, arg []byte) {
	word := line
	if i := bytes.IndexByte(line, ' '); i >= 0 {
		word, arg = line[:i], line[i+1:]
	}
	if len(word) > len(v) {
		return Verb{}, arg
	}
	for i, c := range word {
		switch {
		case 'a' <= c && c <= 'z':
			v[i] = c - 'a' + 'A'
		case 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
			v[i] = c
		default:
			return Verb{}, arg
		}
	}
	return v, arg
}

// String is the keyword without its padding.
func (v Verb) String() string { return string(bytes.TrimRight(v[:], "\x00")) }
