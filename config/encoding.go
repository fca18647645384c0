package config

import (
	"bytes"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"popelago/mail"
)

// plainText returns the text of a configuration file without the byte order mark of some editors. The
// error is for a text in UTF-16.
func plainText(file string, data []byte) ([]byte, error) {
	const mark = "\xEF\xBB\xBF"
	data = bytes.TrimPrefix(data, []byte(mark))
	utf16 := bytes.HasPrefix(data, []byte("\xFF\xFE")) || bytes.HasPrefix(data, []byte("\xFE\xFF")) ||
		len(data) >= 2 && (data[0] == 0) != (data[1] == 0) // the first character of TOML is ASCII
	if utf16 {
		return nil, &Error{Problems: []Problem{{Where: file, Text: "is UTF-16: save it as UTF-8, which TOML asks for"}}}
	}
	return data, nil
}

// isQuotationMark reports whether r is, or looks like, a quotation mark that word processors and web
// pages put in the place of " and '.
func isQuotationMark(r rune) bool {
	return r >= utf8.RuneSelf && (unicode.Is(unicode.Quotation_Mark, r) || r == '\u2032' || r == '\u2033')
}

// quotesInLine explains a syntax error in a line, counted from 1, that has typographic quotation
// marks. The result for a line without such marks is empty.
func quotesInLine(data []byte, line int) string {
	for _, r := range lineOf(data, line) {
		if isQuotationMark(r) {
			return fmt.Sprintf("%c (%U) is a typographic quotation mark: write \" in its place", r, r)
		}
	}
	return ""
}

// strangeCharacter explains a syntax error at a line and a column, counted from 1 in octets, at a
// character outside of ASCII. The result for a character of ASCII is empty.
func strangeCharacter(data []byte, line, column int) string {
	text := lineOf(data, line)
	if column < 1 || column > len(text) || text[column-1] < utf8.RuneSelf {
		return ""
	}
	switch r, n := utf8.DecodeRuneInString(text[column-1:]); {
	case r == utf8.RuneError && n == 1:
		return fmt.Sprintf("octet 0x%02X is not UTF-8: save the file as UTF-8", text[column-1])
	case mail.CheckVisible(string(r)) != nil:
		return fmt.Sprintf("here stands the invisible character %U: remove it, or write an ordinary space", r)
	default:
		return fmt.Sprintf("%c (%U) can stand only in a text in quotation marks, or in a comment", r, r)
	}
}

// lineOf returns a line of data, counted from 1, without its end; empty if data has fewer lines.
func lineOf(data []byte, line int) string {
	lines := strings.Split(string(data), "\n")
	if line < 1 || line > len(lines) {
		return ""
	}
	return lines[line-1]
}
