package mail

import (
	"fmt"
	"strings"
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

// ReceivedHeader is the Received line of RFC 5321 section 4.4 for a message with the given id.
// It names the recipient in a FOR clause only when there is exactly one (section 7.6).
//
//	Received: from helo.example (192.0.2.1)\r\n
//	\tby mx.example.test with ESMTPS (TLS 1.3 TLS_AES_128_GCM_SHA256) id 0f2d...\r\n
//	\tfor <alice@example.test>; Mon, 2 Jan 2006 15:04:05 +0000\r\n
func ReceivedHeader(e Envelope, id MessageID) string {
	r := e.Received
	var b strings.Builder
	b.WriteString("Received: from ")
	b.WriteString(traceText(r.Helo, "unknown"))
	if r.Remote.IsValid() {
		literal := r.Remote.Unmap().WithZone("")
		if literal.Is6() {
			fmt.Fprintf(&b, " ([IPv6:%s])", literal)
		} else {
			fmt.Fprintf(&b, " ([%s])", literal)
		}
	}
	fmt.Fprintf(&b, "\r\n\tby %s with %s", traceText(r.By, "localhost"), traceText(r.With, "SMTP"))
	if r.TLS != "" {
		fmt.Fprintf(&b, " (%s)", traceText(r.TLS, "TLS"))
	}
	fmt.Fprintf(&b, " id %s", id)
	if len(e.Recipients) == 1 {
		fmt.Fprintf(&b, "\r\n\tfor <%s>", traceText(e.Recipients[0].Address.PathString(), "unknown"))
	}
	fmt.Fprintf(&b, "; %s\r\n", r.Time.UTC().Format("Mon, 2 Jan 2006 15:04:05 -0700"))
	return b.String()
}

// traceText keeps what a client said from breaking out of its header line: control characters
// and parentheses become "?", and an empty text becomes fallback.
func traceText(s, fallback string) string {
	if s == "" {
		return fallback
	}
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7F || r == '(' || r == ')' {
			return '?'
		}
		return r
	}, s)
}
