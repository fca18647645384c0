package smtpserver

import (
	"errors"
	"strings"
	"unicode/utf8"

	"popelago/mail"
)

// maxPath is the longest accepted path in octets, without < and >. The path has to fit into a
// Return-Path line of 998 octets (RFC 5322 section 2.1.1), with the two quotes that
// mail.Address.PathString may add. RFC 5321 section 4.5.3.1.3 asks for 256; longer reverse-paths are
// in use.
const maxPath = 998 - len(`Return-Path: <"">`)

var errPath = errors.New("not a path")

// path is the text between < and > in MAIL and RCPT (RFC 5321 section 4.1.2).
type path struct {
	// addr is the address; both parts are empty for the null reverse-path. The domain alone
	// is empty for <Postmaster>.
	addr mail.Address
	// ascii is false if the path needs SMTPUTF8 (RFC 6531 section 3.3).
	ascii bool
}

func (p path) null() bool { return p.addr.IsZero() }

// parsePath reads a path at the beginning of s. rest is the text behind the path: empty, or
// parameters with the space in front. A source route is checked and left out (RFC 5321 appendix C).
func parsePath(s string) (p path, rest string, err error) {
	if !strings.HasPrefix(s, "<") {
		return path{}, "", errPath
	}
	s = s[1:]
	whole := s
	if strings.HasPrefix(s, "@") {
		if s, err = skipSourceRoute(s); err != nil {
			return path{}, "", err
		}
		if strings.HasPrefix(s, ">") {
			return path{}, "", errPath
		}
	}
	if !strings.HasPrefix(s, ">") {
		p.addr.Local, s, err = parseLocal(s)
		if err != nil {
			return path{}, "", err
		}
		if strings.HasPrefix(s, "@") {
			if p.addr.Domain, s, err = parseDomain(s[1:]); err != nil {
				return path{}, "", err
			}
		}
	}
	if !strings.HasPrefix(s, ">") {
		return path{}, "", errPath
	}
	whole, rest = whole[:len(whole)-len(s)], s[1:]
	if len(whole) > maxPath || mail.CheckVisible(whole) != nil || rest != "" && rest[0] != ' ' {
		return path{}, "", errPath
	}
	p.ascii = mail.IsASCII(p.addr.Local) && mail.IsASCII(p.addr.Domain)
	return p, rest, nil
}

// skipSourceRoute reads "@a,@b:".
func skipSourceRoute(s string) (rest string, err error) {
	for {
		if !strings.HasPrefix(s, "@") {
			return "", errPath
		}
		if _, s, err = parseDomain(s[1:]); err != nil {
			return "", err
		}
		switch {
		case strings.HasPrefix(s, ":"):
			return s[1:], nil
		case strings.HasPrefix(s, ","):
			s = s[1:]
		default:
			return "", errPath
		}
	}
}

// parseLocal reads a local-part: a quoted-string, or atoms and dots. Dots may stand in any place:
// Japanese telephone companies gave out addresses such as a..b@example.jp.
func parseLocal(s string) (local, rest string, err error) {
	if strings.HasPrefix(s, `"`) {
		return parseQuoted(s[1:])
	}
	n := 0
	for n < len(s) && (s[n] == '.' || mail.IsAtomText(s[n])) {
		n++
	}
	if n == 0 {
		return "", "", errPath
	}
	return s[:n], s[n:], nil
}

// parseQuoted reads a quoted-string behind its first quote.
func parseQuoted(s string) (local, rest string, err error) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c == '"':
			if b.Len() == 0 {
				return "", "", errPath
			}
			return b.String(), s[i+1:], nil
		case c == '\\':
			if i++; i == len(s) || s[i] < ' ' || s[i] > '~' {
				return "", "", errPath
			}
			b.WriteByte(s[i])
		case c < ' ' || c == 0x7F:
			return "", "", errPath
		default:
			b.WriteByte(c)
		}
	}
	return "", "", errPath
}

// parseDomain reads a domain or an address literal.
func parseDomain(s string) (domain, rest string, err error) {
	if strings.HasPrefix(s, "[") {
		end := strings.IndexByte(s, ']')
		if end < 0 {
			return "", "", errPath
		}
		if _, ok := mail.LiteralAddress(s[:end+1]); !ok {
			return "", "", errPath
		}
		return s[:end+1], s[end+1:], nil
	}
	n, label := 0, 0
	for ; n < len(s); n++ {
		c := s[n]
		if c == '.' {
			if label == 0 || s[n-1] == '-' {
				return "", "", errPath
			}
			label = 0
			continue
		}
		if !isLabel(c) {
			break
		}
		if label == 0 && c == '-' {
			return "", "", errPath
		}
		label++
	}
	if label == 0 || n > mail.MaxDomain || s[n-1] == '-' {
		return "", "", errPath
	}
	return s[:n], s[n:], nil
}

// isLabel reports whether c may be part of a label. The underscore is in use, though RFC 5321 does not
// allow underscores.
func isLabel(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '_' || c >= utf8.RuneSelf
}
