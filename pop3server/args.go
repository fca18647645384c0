package pop3server

import "bytes"

// blank reports whether an argument is absent. Some clients leave a space behind a command.
func blank(arg []byte) bool { return len(trim(arg)) == 0 }

func trim(b []byte) []byte { return bytes.Trim(b, " ") }

// maxNumber is the largest number that parseNumber distinguishes. No message-number and no useful
// count of lines is larger.
const maxNumber = 1<<31 - 1

// parseNumber reads 1*DIGIT. Numbers above maxNumber are read as maxNumber, which is the number of
// no message. Signs, other bases, and characters behind the number are refused.
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
func oneNumber(arg []byte) (int, bool) { return parseNumber(trim(arg)) }

// twoNumbers reads the arguments of TOP.
func twoNumbers(arg []byte) (first, second int, ok bool) {
	a, b, found := bytes.Cut(trim(arg), []byte(" "))
	if !found {
		return 0, 0, false
	}
	first, ok1 := parseNumber(a)
	second, ok2 := parseNumber(trim(b))
	return first, second, ok1 && ok2
}

// firstNumber reads the first of one or two numbers: the message-number of RETR and TOP.
func firstNumber(arg []byte) (int, bool) {
	first, _, _ := bytes.Cut(trim(arg), []byte(" "))
	return parseNumber(first)
}
