package mail

import (
	"strings"
	"unicode/utf8"
)

// DeliveryHeader returns the header lines that final delivery adds in front of the stored content for
// one recipient: Return-Path (RFC 5321 section 4.4) and Delivered-To.
//
//	Return-Path: <sender@example.org>\r\n
//	Delivered-To: alice@example.test\r\n
//
// Each RETR makes the lines anew, and their length is part of Message.Size. The form must therefore
// never change for stored messages.
func DeliveryHeader(reversePath, recipient string) string {
	return "Return-Path: <" + reversePath + ">\r\nDelivered-To: " + recipient + "\r\n"
}

// ReceivedHeader is the Received line of RFC 5321 section 4.4 for the beginning of a message. Only the
// line of a message with a single recipient has a FOR clause (section 7.6).
//
//	Received: from helo.example ([192.0.2.1])\r\n
//	\tby mx.example.test with ESMTPS (TLS 1.3 TLS_AES_128_GCM_SHA256) id 0f2d41a99b03.1\r\n
//	\tfor <alice@example.test>; Mon, 2 Jan 2006 15:04:05 +0000\r\n
func ReceivedHeader(e Envelope) string {
	r := e.Received
	b := make([]byte, 0, 256)
	b = append(b, "Received: from "...)
	b = append(b, traceAtom(r.Helo, "unknown")...)
	if r.Remote.IsValid() {
		literal := r.Remote.Unmap().WithZone("")
		b = append(b, " (["...)
		if literal.Is6() {
			b = append(b, "IPv6:"...)
		}
		b = literal.AppendTo(b)
		b = append(b, "])"...)
	}
	b = append(b, "\r\n\tby "...)
	b = append(b, traceAtom(r.By, "localhost")...)
	b = append(b, " with "...)
	b = append(b, traceAtom(r.With, "SMTP")...)
	if r.TLS != "" {
		b = append(b, " ("...)
		b = append(b, traceText(r.TLS)...)
		b = append(b, ')')
	}
	if r.ID != "" {
		b = append(b, " id "...)
		b = append(b, traceAtom(r.ID, "")...)
	}
	if e.Commands() == 1 {
		b = append(b, "\r\n\tfor <"...)
		b = append(b, traceText(e.Recipients[0].Named().PathString())...)
		b = append(b, '>')
	}
	b = append(b, "; "...)
	b = r.Time.UTC().AppendFormat(b, "Mon, 2 Jan 2006 15:04:05 -0700")
	b = append(b, "\r\n"...)
	return string(b)
}

// traceAtom makes a text of a client safe as a name in a header line: characters other than letters,
// digits and the marks of domain names and address literals become "?". An empty text becomes
// fallback.
func traceAtom(s, fallback string) string {
	if s == "" {
		return fallback
	}
	return strings.Map(func(r rune) rune {
		switch {
		case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9',
			strings.ContainsRune("-._:[]", r):
			return r
		}
		return '?'
	}, s)
}

// traceText makes a text safe in a comment or path of a header line: control characters, parentheses
// and octets that are not UTF-8 become "?".
func traceText(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7F || r == '(' || r == ')' || r == utf8.RuneError {
			return '?'
		}
		return r
	}, s)
}
