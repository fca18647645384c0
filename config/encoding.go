package config

import (
	"bytes"
	"fmt"
	"strings"
)

// plainText returns the text of a configuration file without the byte order mark that some editors
// put before it. The error is for a text that is not UTF-8 but UTF-16.
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

// typographic are quotation marks that word processors and web pages put in the place of " and '.
const typographic = "\u2018\u2019\u201A\u201B\u201C\u201D\u201E\u201F\u00AB\u00BB\u2039\u203A"

// quotesInLine explains a syntax error in a line, counted from 1, that has typographic quotation
// marks. It returns an empty text for a line without.
func quotesInLine(data []byte, line int) string {
	lines := strings.Split(string(data), "\n")
	if line < 1 || line > len(lines) {
		return ""
	}
	for _, r := range lines[line-1] {
		if strings.ContainsRune(typographic, r) {
			return fmt.Sprintf("%c (%U) is a typographic quotation mark: write \" in its place", r, r)
		}
	}
	return ""
}
