package smtpserver

import "strings"

// RcptReply returns the reply to RCPT for an error of package delivery; nil: accepted.
func RcptReply(err error) string {
	if err == nil {
		return line(replyRecipientOK())
	}
	return line(replyTo(err))
}

// TextReply returns the reply to a text for an error of package delivery; nil: accepted. The reply of a
// session also has the id of the message.
func TextReply(err error) string {
	if err == nil {
		return line(replyOK("ok"))
	}
	return line(replyTo(err))
}

// line returns a reply without its line end.
func line(r reply) string { return strings.TrimSpace(string(r.append(nil, ""))) }
