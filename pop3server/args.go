package pop3server

import "bytes"

// verb is a command keyword in upper case, filled up with zero octets. What is no keyword
// (longer than eight octets, or with anything but letters and digits) is the zero verb.
type verb [8]byte

// splitVerb splits a command line at its first space. rest is what follows the space,
// unchanged: a password may begin and end with spaces.
func splitVerb(line []byte) (v verb, rest []byte) {
	word := line
	if i := bytes.IndexByte(line, ' '); i >= 0 {
		word, rest = line[:i], line[i+1:]
	}
	if len(word) > len(v) {
		return verb{}, rest
	}
	for i, c := range word {
		switch {
		case 'a' <= c && c <= 'z':
			v[i] = c - 'a' + 'A'
		case 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
			v[i] = c
		default:
			return verb{}, rest
		}
	}
	return v, rest
}

// blank reports whether an argument is absent. Some clients leave a space behind a command.
func blank(rest []byte) bool { return len(trim(rest)) == 0 }

func trim(b []byte) []byte { return bytes.Trim(b, " ") }

// maxNumber is the largest number that is read as what it says; no message-number and no
// useful count of lines is larger.
const maxNumber = 1<<31 - 1

// parseNumber reads 1*DIGIT. Larger numbers than maxNumber are taken as maxNumber, which no
// message has. Signs, other bases, and anything behind the number are refused.
func parseNumber(b []byte) (n int, ok bool) {
	if len(b) == 0 {
		return 0, false
	}
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = min(n*10+int(c-'0'), maxNumber)
	}
	return n, true
}

// oneNumber reads the argument of RETR, DELE and the like.
func oneNumber(rest []byte) (int, bool) { return parseNumber(trim(rest)) }

// twoNumbers reads the arguments of TOP.
func twoNumbers(rest []byte) (first, second int, ok bool) {
	a, b, found := bytes.Cut(trim(rest), []byte(" "))
	if !found {
		return 0, 0, false
	}
	first, ok1 := parseNumber(a)
	second, ok2 := parseNumber(trim(b))
	return first, second, ok1 && ok2
}
