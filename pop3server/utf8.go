package pop3server

import (
	"context"
	"strings"
)

// cmdUTF8: RFC 6856 section 2. UTF8 changes nothing: names, passwords and messages are octets in any
// case. The RFC allows UTF8 before login only; Outlook sends UTF8 after login and gives up on -ERR.
func (s *session) cmdUTF8(context.Context, []byte) { s.reply(replyOK("")) }

// cmdLANG: RFC 6856 section 3. All texts are English.
func (s *session) cmdLANG(_ context.Context, arg []byte) {
	if blank(arg) {
		s.reply(replyOK("languages follow"))
		s.c.WriteString("en English\r\n.\r\n")
		return
	}
	tag := strings.ToLower(string(trim(arg)))
	switch {
	case tag == "*", tag == "i-default", tag == "en", strings.HasPrefix(tag, "en-") && languageTag(tag):
		s.reply(replyOK("en"))
	case languageTag(tag):
		s.reply(replyNoLanguage())
	default:
		s.reply(replySyntax())
	}
}

// languageTag reports whether s has the form of a tag of RFC 5646: alphanumeric parts of up to eight
// characters, joined by hyphens.
func languageTag(s string) bool {
	for part := range strings.SplitSeq(s, "-") {
		if len(part) < 1 || len(part) > 8 {
			return false
		}
		for i := range len(part) {
			if c := part[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') {
				return false
			}
		}
	}
	return true
}
