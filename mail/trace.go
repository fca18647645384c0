package mail

import (
	"strings"
	"unicode/utf8"
)

// DeliveryHeader is the header lines that final delivery adds for one recipient in front of
// the stored content: Return-Path (RFC 5321 section 4.4) and Delivered-To.
//
//	Return-Path: <sender@example.org>\r\n
//	Delivered-To: alice@example.test\r\n
//
// They are made anew at each RETR, and their length is part of Message.Size: so this form
// must never change for messages already stored.
func DeliveryHeader(reversePath, recipient string) string {
	return "Return-Path: <" + reversePath + ">\r\nDelivered-To: " + recipient + "\r\n"
}

// ReceivedHeader is the Received line of RFC 5321 section 4.4 that goes in front of a message.
// It names the recipient in a FOR clause only when there is exactly one (section 7.6).
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
	if len(e.Recipients) == 1 {
		b = append(b, "\r\n\tfor <"...)
		b = append(b, traceText(e.Recipients[0].Address.PathString())...)
		b = append(b, '>')
	}
	b = append(b, "; "...)
	b = r.Time.UTC().AppendFormat(b, "Mon, 2 Jan 2006 15:04:05 -0700")
	b = append(b, "\r\n"...)
	return string(b)
}

// traceAtom keeps what a client said from meaning more than a name in its header line: only
// letters, digits and the marks of domain names and address literals stay, everything else
// becomes "?". An empty text becomes fallback.
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

// traceText keeps a text from breaking out of its comment or path: control characters and
// parentheses become "?", and so do octets that are no UTF-8.
func traceText(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7F || r == '(' || r == ')' || r == utf8.RuneError {
			return '?'
		}
		return r
	}, s)
}
