package smtpserver

import (
	"errors"
	"strings"
)

var errParam = errors.New("not a parameter")

// param is one parameter of MAIL or RCPT: esmtp-keyword ["=" esmtp-value] (RFC 5321 section
// 4.1.2).
type param struct {
	key      string // upper case
	value    string
	hasValue bool
}

// parseParams reads the parameters behind a path. A keyword may occur only once.
func parseParams(s string) ([]param, error) {
	var params []param
	for field := range strings.SplitSeq(s, " ") {
		if field == "" {
			continue
		}
		var p param
		p.key, p.value, p.hasValue = strings.Cut(field, "=")
		p.key = strings.ToUpper(p.key)
		if !isKeyword(p.key) || p.hasValue && !isValue(p.value) {
			return nil, errParam
		}
		for _, other := range params {
			if other.key == p.key {
				return nil, errParam
			}
		}
		params = append(params, p)
	}
	return params, nil
}

func isKeyword(s string) bool {
	for i := range len(s) {
		c := s[i]
		if !('A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' && i > 0) {
			return false
		}
	}
	return s != ""
}

func isValue(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] == '=' || s[i] == 0x7F {
			return false
		}
	}
	return s != ""
}
