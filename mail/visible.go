package mail

import (
	"fmt"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/secure/bidirule"
	"golang.org/x/text/secure/precis"
	"golang.org/x/text/unicode/bidi"
	"golang.org/x/text/unicode/norm"
	"golang.org/x/text/width"
)

// CheckUTF8 returns the first place where s is not UTF-8, or nil. Engines cannot store text that is
// not UTF-8.
func CheckUTF8(s string) error {
	for i, r := range s {
		if r != utf8.RuneError {
			continue
		}
		if _, n := utf8.DecodeRuneInString(s[i:]); n == 1 {
			return fmt.Errorf("octet %d (0x%02X) is not UTF-8", i+1, s[i])
		}
	}
	return nil
}

// CheckVisible returns the first place where s has octets that are not UTF-8 or characters that a
// reader cannot see: control characters (including C1, RFC 5198 section 2), characters that change the
// direction of a text, and invisible characters. Nil: none.
func CheckVisible(s string) error {
	if err := CheckUTF8(s); err != nil {
		return err
	}
	for i, r := range s {
		if invisible(r) {
			return fmt.Errorf("octet %d begins the character U+%04X, which cannot be seen", i+1, r)
		}
	}
	return nil
}

// invisible reports whether a reader cannot see r. The ASCII space does not count as invisible.
func invisible(r rune) bool {
	if r < utf8.RuneSelf {
		return r < ' ' || r == 0x7F
	}
	return unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp, unicode.Zs, unicode.Co, unicode.Cs,
		unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector, unicode.Noncharacter_Code_Point)
}

// Printable is s with a question mark in place of each character that CheckVisible refuses, and of
// each octet that is not UTF-8.
func Printable(s string) string {
	out := make([]rune, 0, len(s))
	for _, r := range s { // octets that are not UTF-8 are RuneError
		if invisible(r) || r == utf8.RuneError {
			r = '?'
		}
		out = append(out, r)
	}
	return string(out)
}

// checkName returns the reason why the canonical local-part of an account is unusable as a user name
// (RFC 8265 section 3): characters outside of PRECIS' IdentifierClass, mixed directions of writing,
// wide or narrow forms of ordinary characters. Nil: usable. Any ASCII text is usable.
func checkName(canonical string) error {
	if IsASCII(canonical) {
		return nil
	}
	if _, err := precis.NewIdentifier(precis.Norm(norm.NFC)).String(canonical); err != nil {
		return fmt.Errorf("%s has characters that user names do not have (RFC 8265): %w", quoted(canonical), err)
	}
	// RFC 8265 section 3.3.1 applies the rule only to texts with a right-to-left character.
	if bidirule.DirectionString(canonical) != bidi.LeftToRight && !bidirule.ValidString(canonical) {
		return fmt.Errorf("%s mixes directions of writing (RFC 8265)", quoted(canonical))
	}
	if width.Fold.String(canonical) != canonical {
		return fmt.Errorf("%s has a character in another width than usual (RFC 8265)", quoted(canonical))
	}
	return nil
}

// IsASCII reports whether s has ASCII characters only, or is empty.
func IsASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}
