package mail

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/idna"
	"golang.org/x/text/unicode/norm"
)

// Address is a mailbox address, local-part "@" domain (RFC 5321 section 4.1.2), without
// quotes or escapes: Local holds the value of a quoted-string.
type Address struct {
	Local  string
	Domain string
}

// Longest parts of an address in octets, RFC 5321 section 4.5.3.1.
const (
	MaxLocal  = 64
	MaxDomain = 255
)

// ErrBadAddress: a text is not an address.
var ErrBadAddress = errors.New("bad address")

// ParseAddress reads local-part "@" domain in the form of commands, logins and configurations: split
// at the last "@", no quoting. The parts may hold UTF-8 but no white space or control characters, and
// must not be empty or too long. Validate has further rules.
func ParseAddress(s string) (Address, error) {
	a, ok := SplitAddress(s)
	if !ok {
		return Address{}, fmt.Errorf("%w: %s has no @", ErrBadAddress, quoted(s))
	}
	if err := a.Validate(); err != nil {
		return Address{}, err
	}
	return a, nil
}

// ParseNewAddress is ParseAddress for the address of a new account. An address with a second "@" is
// mostly a mistake: ParseNewAddress accepts a second "@" only in a local-part in quotes, as in
// "a@b"@example.test.
func ParseNewAddress(s string) (Address, error) {
	if strings.HasPrefix(s, `"`) {
		return ParsePath(s)
	}
	a, err := ParseAddress(s)
	if err == nil && strings.Contains(a.Local, "@") {
		return Address{}, fmt.Errorf("%w: %s has more than one @; if that is meant, write %s", ErrBadAddress, quoted(s), a.PathString())
	}
	return a, err
}

// Validate returns the reason why a is unusable as the address of an account, or nil. Errors:
// ErrBadAddress.
func (a Address) Validate() error {
	switch {
	case a.Local == "":
		return fmt.Errorf("%w: %s has nothing before the @", ErrBadAddress, quoted(a.String()))
	case len(a.Local) > MaxLocal:
		return fmt.Errorf("%w: local-part longer than %d octets", ErrBadAddress, MaxLocal)
	case strings.Contains(a.Local, " "):
		return fmt.Errorf("%w: %s has a space in its local-part", ErrBadAddress, quoted(a.String()))
	}
	if err := CheckVisible(a.Local); err != nil {
		return fmt.Errorf("%w: %s: %w", ErrBadAddress, quoted(a.String()), err)
	}
	if err := checkName(canonicalLocal(a.Local)); err != nil {
		return fmt.Errorf("%w: %w", ErrBadAddress, err)
	}
	_, err := CanonicalDomain(a.Domain)
	return err
}

// canonicalLocal is a local-part in the form for comparing and storing.
func canonicalLocal(local string) string { return norm.NFC.String(strings.ToLower(local)) }

// CanonicalDomain is a domain in the form for comparing and storing: lower case, NFC,
// internationalized labels as A-labels (RFC 5890), no final dot. Address literals such as
// [192.0.2.1] and [ipv6:2001:db8::1] are in lower case, and have the shortest form of the address.
// A domain has no invisible characters and no quotation marks. Errors: ErrBadAddress.
func CanonicalDomain(d string) (string, error) {
	if a, ok := LiteralAddress(d); ok {
		return strings.ToLower(literal(a)), nil
	}
	d = strings.TrimSuffix(d, ".")
	if d == "" || len(d) > MaxDomain {
		return "", fmt.Errorf("%w: domain %s is empty or longer than %d octets", ErrBadAddress, quoted(d), MaxDomain)
	}
	if strings.HasSuffix(d, ".") { // a second dot
		return "", fmt.Errorf("%w: %s is not a domain name", ErrBadAddress, quoted(d))
	}
	ascii := strings.ToLower(d)
	if isLDH(d) && !strings.Contains(ascii, "xn--") {
		return ascii, nil
	}
	// The mapping removes invisible characters, and treats quotation marks as letters.
	if err := CheckVisible(d); err != nil {
		return "", fmt.Errorf("%w: domain %s: %w", ErrBadAddress, quoted(d), err)
	}
	if strings.ContainsFunc(d, func(r rune) bool { return unicode.Is(unicode.Quotation_Mark, r) }) {
		return "", fmt.Errorf("%w: %s is not a domain name: it has a quotation mark", ErrBadAddress, quoted(d))
	}
	mapped, err := idna.Lookup.ToASCII(d)
	switch {
	case err == nil && utf8.ValidString(d):
		ascii = strings.TrimSuffix(mapped, ".")
	case !isLDH(d):
		return "", fmt.Errorf("%w: %s is not a domain name", ErrBadAddress, quoted(d))
	}
	// Domains that exist in practice though IDNA forbids them, such as a_b.xn--c.example, are kept.
	if len(ascii) > MaxDomain || !isLDH(ascii) {
		return "", fmt.Errorf("%w: %s is not a domain name", ErrBadAddress, quoted(d))
	}
	return ascii, nil
}

// isLDH reports whether d consists of dot-separated, non-empty labels of letters, digits, hyphens and
// underscores, up to 63 octets each, without a hyphen at either end (RFC 5321 section 4.1.2).
func isLDH(d string) bool {
	for label := range strings.SplitSeq(d, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		for i := range len(label) {
			switch c := label[i]; {
			case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '_':
			default:
				return false
			}
		}
	}
	return true
}

// Canonical is an address in the form for comparing and storing: CanonicalDomain, and the local-part
// in NFC and lower case. RFC 5321 section 2.4 lets the receiving host decide whether case matters in
// local-parts; here case does not matter. A malformed domain is only changed to lower case, and no
// account will be found for the address.
func (a Address) Canonical() Address {
	domain, err := CanonicalDomain(a.Domain)
	if err != nil {
		domain = strings.ToLower(a.Domain)
	}
	return Address{Local: canonicalLocal(a.Local), Domain: domain}
}

// IsZero reports whether a is empty.
func (a Address) IsZero() bool { return a == Address{} }

// String is local-part "@" domain without quoting.
func (a Address) String() string { return a.Local + "@" + a.Domain }

// SplitAddress undoes String. ok is false without an "@". SplitAddress checks nothing else.
func SplitAddress(s string) (a Address, ok bool) {
	at := strings.LastIndexByte(s, '@')
	if at < 0 {
		return Address{}, false
	}
	return Address{Local: s[:at], Domain: s[at+1:]}, true
}

// AddressTexts returns the texts of addresses.
func AddressTexts(addresses []Address) []string {
	texts := make([]string, len(addresses))
	for i, a := range addresses {
		texts[i] = a.String()
	}
	return texts
}

// PathString is the form of a between < and > on the wire and in trace headers: a local-part that is
// no dot-string is a quoted-string (RFC 5321 section 4.1.2).
func (a Address) PathString() string {
	if isDotString(a.Local) {
		return a.String()
	}
	var b strings.Builder
	b.WriteByte('"')
	for i := range len(a.Local) {
		if c := a.Local[i]; c == '"' || c == '\\' {
			b.WriteByte('\\')
		}
		b.WriteByte(a.Local[i])
	}
	b.WriteString(`"@`)
	b.WriteString(a.Domain)
	return b.String()
}

// ParsePath undoes PathString. Errors: ErrBadAddress.
func ParsePath(s string) (Address, error) {
	if !strings.HasPrefix(s, `"`) {
		return ParseAddress(s)
	}
	at := strings.LastIndex(s, `"@`)
	if at < 1 {
		return Address{}, fmt.Errorf("%w: the quotes of %s do not end", ErrBadAddress, quoted(s))
	}
	var local strings.Builder
	for i := 1; i < at; i++ {
		if s[i] == '\\' && i+1 < at {
			i++
		}
		local.WriteByte(s[i])
	}
	a := Address{Local: local.String(), Domain: s[at+len(`"@`):]}
	if err := a.Validate(); err != nil {
		return Address{}, err
	}
	return a, nil
}

// isDotString reports whether s consists of atoms joined by single dots. Octets from 0x80 count as
// atom text (RFC 6531 section 3.3).
func isDotString(s string) bool {
	for atom := range strings.SplitSeq(s, ".") {
		if atom == "" {
			return false
		}
		for i := range len(atom) {
			if !IsAtomText(atom[i]) {
				return false
			}
		}
	}
	return true
}

// IsAtomText reports whether c is atext of RFC 5322 section 3.2.3, or part of a UTF-8 character as
// RFC 6531 section 3.3 adds.
func IsAtomText(c byte) bool {
	switch {
	case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c >= 0x80:
		return true
	}
	return strings.IndexByte("!#$%&'*+-/=?^_`{|}~", c) >= 0
}
