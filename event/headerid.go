package event

import "strings"

// MaxHeaderID is the longest form of HeaderID, in octets.
const MaxHeaderID = 250

// HeaderID returns the form in which events have the value of a header field Message-ID (RFC 5322 section
// 3.6.4): the text between < and >, or else the whole value without white space at its ends. A longer value is
// cut after MaxHeaderID octets.
//
//	" <1234@example.org> (comment)"  ->  "1234@example.org"
func HeaderID(value string) string {
	if _, after, ok := strings.Cut(value, "<"); ok {
		if inside, _, ok := strings.Cut(after, ">"); ok {
			value = inside
		}
	}
	value = strings.TrimSpace(value)
	return value[:min(len(value), MaxHeaderID)]
}
