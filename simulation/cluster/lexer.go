package cluster

import (
	"fmt"
	"strings"
	"unicode"
)

// wordKind is the kind of a word of CQL.
type wordKind int

const (
	endWord wordKind = iota
	nameWord
	stringWord
	numberWord
	signWord
)

type word struct {
	kind wordKind
	text string // of a name in small letters
}

// words splits CQL into words.
func words(cql string) ([]word, error) {
	var list []word
	for rest := cql; ; {
		rest = strings.TrimLeftFunc(rest, unicode.IsSpace)
		if rest == "" {
			return list, nil
		}
		if strings.HasPrefix(rest, "--") {
			_, rest, _ = strings.Cut(rest, "\n")
			continue
		}
		w, n, err := firstWord(rest)
		if err != nil {
			return nil, err
		}
		list, rest = append(list, w), rest[n:]
	}
}

func isLetter(c byte) bool { return c == '_' || c|0x20 >= 'a' && c|0x20 <= 'z' }

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func firstWord(s string) (w word, length int, err error) {
	switch c := s[0]; {
	case isLetter(c):
		n := 1
		for n < len(s) && (isLetter(s[n]) || isDigit(s[n])) {
			n++
		}
		return word{nameWord, strings.ToLower(s[:n])}, n, nil
	case isDigit(c) || c == '-' && len(s) > 1 && isDigit(s[1]):
		n := 1
		for n < len(s) && (isDigit(s[n]) || s[n] == '.' || isLetter(s[n])) {
			n++
		}
		return word{numberWord, s[:n]}, n, nil
	case c == '\'':
		var b strings.Builder
		for i := 1; i < len(s); i++ {
			if s[i] != '\'' {
				b.WriteByte(s[i])
			} else if i+1 < len(s) && s[i+1] == '\'' {
				b.WriteByte('\'')
				i++
			} else {
				return word{stringWord, b.String()}, i + 1, nil
			}
		}
		return word{}, 0, fmt.Errorf("a text has no end")
	case strings.HasPrefix(s, "<=") || strings.HasPrefix(s, ">=") || strings.HasPrefix(s, "!="):
		return word{signWord, s[:2]}, 2, nil
	case strings.IndexByte("()<>=,.?{}[]:;+-*", c) >= 0:
		return word{signWord, s[:1]}, 1, nil
	}
	return word{}, 0, fmt.Errorf("unknown sign %q", s[:1])
}
