package mail

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxLogText limits the octets that LogText keeps.
const maxLogText = 100

// LogText makes a text of a client fit for a log line or a terminal. LogText escapes control
// characters, invisible characters, characters that change the direction of writing, quotes,
// backslashes and octets that are not UTF-8, as in Go strings: \n, \u202e, \xfc. A text of more than
// 100 octets is cut and ends in "...".
func LogText(s string) string {
	cut := s
	if len(s) > maxLogText {
		end := maxLogText
		for end > maxLogText-utf8.UTFMax && !utf8.RuneStart(s[end]) {
			end--
		}
		cut = s[:end]
	}
	text := escapeInvisible(strings.TrimSuffix(strings.TrimPrefix(strconv.Quote(cut), `"`), `"`))
	if len(cut) < len(s) {
		text += "..."
	}
	return text
}

// escapeInvisible escapes the invisible characters that Go counts as printable, as in \u115f.
func escapeInvisible(s string) string {
	if strings.IndexFunc(s, invisible) < 0 {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		if invisible(r) {
			b.WriteString(strings.Trim(strconv.QuoteRuneToASCII(r), "'"))
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}

// quoted is LogText in quotation marks, for the text of an error.
func quoted(s string) string { return `"` + LogText(s) + `"` }
