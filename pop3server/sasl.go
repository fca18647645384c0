package pop3server

import (
	"bytes"
	"context"
	"encoding/base64"
)

// cmdAUTH: RFC 5034. Without an argument AUTH lists the mechanisms, for old clients.
func (s *session) cmdAUTH(ctx context.Context, arg []byte) {
	s.user = ""
	name, initial, hasInitial := bytes.Cut(trim(arg), []byte(" "))
	if len(name) == 0 {
		s.reply(replyOK("mechanisms follow"))
		if s.mayLogIn() {
			s.c.WriteString("PLAIN\r\nLOGIN\r\n")
		}
		s.c.WriteString(".\r\n")
		return
	}
	var exchange func(ctx context.Context, response []byte)
	switch {
	case bytes.EqualFold(name, []byte("PLAIN")):
		exchange = s.authPLAIN
	case bytes.EqualFold(name, []byte("LOGIN")):
		exchange = s.authLOGIN
	default:
		s.reply(replyNoMechanism())
		return
	}
	if !s.mayLogIn() {
		s.reply(replyNeedTLS())
		return
	}
	var response []byte // nil: no initial response
	if hasInitial {
		var ok bool
		if response, ok = s.decodeResponse(trim(initial)); !ok {
			return
		}
	}
	exchange(ctx, response)
}

// decodeResponse decodes a response of the client. If the text is bad, decodeResponse answers and
// returns false. A decoded response is never nil.
func (s *session) decodeResponse(text []byte) ([]byte, bool) {
	response, ok := decodeBase64(text)
	if !ok {
		s.reply(replyBase64())
	}
	return response, ok
}

// decodeBase64 decodes base64 in its canonical form; "=" alone is the empty response (RFC 5034
// section 4).
func decodeBase64(text []byte) ([]byte, bool) {
	if string(text) == "=" {
		return []byte{}, true
	}
	// Package base64 skips CR and LF.
	if len(text) > maxSASL || bytes.ContainsAny(text, "\r\n") {
		return nil, false
	}
	out := make([]byte, base64.StdEncoding.DecodedLen(len(text)))
	n, err := base64.StdEncoding.Strict().Decode(out, text)
	return out[:n], err == nil
}

// challenge sends a challenge in base64 and returns the client's response. If there is no response,
// challenge answers and returns false.
func (s *session) challenge(text string) ([]byte, bool) {
	s.c.WriteString("+ ")
	s.c.WriteString(text)
	s.c.WriteString("\r\n")
	line, err := s.c.ReadLine()
	switch {
	case err != nil:
		s.readFailed(err)
		return nil, false
	case string(line) == "*":
		// RFC 5034 section 4: the client cancels. The limit of bad commands ends a session that
		// begins and cancels without end.
		s.reply(replyCancelled())
		return nil, false
	}
	return s.decodeResponse(trim(line))
}

// authPLAIN: RFC 4616. response is nil if the command had no initial response.
func (s *session) authPLAIN(ctx context.Context, response []byte) {
	if response == nil {
		var ok bool
		if response, ok = s.challenge(""); !ok {
			return
		}
	}
	authzid, authcid, password, ok := parsePLAIN(response)
	switch {
	case !ok:
		s.reply(replySyntax())
	case authzid != "" && authzid != authcid:
		// No user may act for another user.
		s.loginFailed(ctx, "AUTH", authcid, errOtherIdentity)
	default:
		s.logIn(ctx, "AUTH", authcid, password)
	}
}

// parsePLAIN splits [authzid] NUL authcid NUL passwd. The last two must not be empty.
func parsePLAIN(message []byte) (authzid, authcid, password string, ok bool) {
	parts := bytes.Split(message, []byte{0})
	if len(parts) != 3 || len(parts[1]) == 0 || len(parts[2]) == 0 {
		return "", "", "", false
	}
	return string(parts[0]), string(parts[1]), string(parts[2]), true
}

// authLOGIN asks for name and password, for old clients of Microsoft. The initial response is the
// name.
func (s *session) authLOGIN(ctx context.Context, response []byte) {
	if response == nil {
		var ok bool
		if response, ok = s.challenge("VXNlcm5hbWU6"); !ok { // Username:
			return
		}
	}
	user := string(response)
	password, ok := s.challenge("UGFzc3dvcmQ6") // Password:
	if !ok {
		return
	}
	if user == "" || len(password) == 0 {
		s.reply(replySyntax())
		return
	}
	s.logIn(ctx, "AUTH", user, string(password))
}
