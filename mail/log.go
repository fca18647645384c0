package mail

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxLogText is the longest text that LogText keeps, in octets.
const maxLogText = 100

// LogText makes a text of a client fit for a log line or a terminal: control characters,
// characters that are invisible or turn the direction of writing, quotes, backslashes and octets
// that are not UTF-8 are written as Go writes them in strings, as in \n, \u202e and \xfc. A
// text of more than 100 octets is cut and ends in "...".
func LogText(s string) string {
	cut := s
	if len(s) > maxLogText {
		end := maxLogText
		for end > maxLogText-utf8.UTFMax && !utf8.RuneStart(s[end]) {
			end--
		}
		cut = s[:end]
	}
	text := strings.TrimSuffix(strings.TrimPrefix(strconv.Quote(cut), `"`), `"`)
	if len(cut) < len(s) {
		text += "..."
	}
	return text
}
