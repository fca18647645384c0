package pop3server

import "strings"

// LoginReply returns the response to a password for an error of account.Directory.SignIn; nil: accepted. The
// response of a session also has the counts of the maildrop.
func LoginReply(err error) string {
	if err == nil {
		return "+OK"
	}
	return line(replyTo(err, stateAuthorization))
}

// ClearReply returns the response to a login on a connection that needs TLS.
func ClearReply() string { return line(replyNeedTLS()) }

// MayLogIn reports whether a client may send a password with or without TLS, from this machine (local) or
// another (RFC 8314 section 4.1).
func (s *Server) MayLogIn(tls, local bool) bool { return tls || s.cfg.AllowInsecureAuth || local }

// line returns a response without its line end.
func line(r reply) string { return strings.TrimSpace(string(r.append(nil, ""))) }
