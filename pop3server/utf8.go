package pop3server

import "strings"

// cmdUTF8: RFC 6856 section 2. Names, passwords and messages are octets here in any case, so
// there is nothing to switch. The RFC allows it before login only; Outlook sends it after and
// gives up on -ERR.
func (s *session) cmdUTF8(rest []byte) {
	if !blank(rest) {
		s.bad(textSyntax)
		return
	}
	s.ok("")
}

// cmdLANG: RFC 6856 section 3. All texts are English.
func (s *session) cmdLANG(rest []byte) {
	if blank(rest) {
		s.ok("languages follow")
		s.c.WriteString("en English\r\n.\r\n")
		return
	}
	tag := strings.ToLower(string(trim(rest)))
	switch {
	case tag == "*", tag == "i-default", tag == "en", strings.HasPrefix(tag, "en-") && languageTag(tag):
		s.ok("en")
	case languageTag(tag):
		s.err("", textNoLanguage)
	default:
		s.bad(textSyntax)
	}
}

// languageTag reports whether s looks like a tag of RFC 5646: alphanumeric parts of up to
// eight characters, joined by hyphens.
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
