package pop3server

import (
	"bytes"
	"context"
	"encoding/base64"
)

// cmdAUTH: RFC 5034. Without an argument it lists the mechanisms, which old clients ask for.
func (s *session) cmdAUTH(ctx context.Context, rest []byte) {
	s.user = ""
	name, initial, hasInitial := bytes.Cut(trim(rest), []byte(" "))
	if len(name) == 0 {
		s.ok("mechanisms follow")
		if s.mayLogIn() {
			s.c.WriteString("PLAIN\r\nLOGIN\r\n")
		}
		s.c.WriteString(".\r\n")
		return
	}
	mechanism, _ := splitVerb(name)
	var exchange func(ctx context.Context, response []byte)
	switch string(mechanism[:]) {
	case "PLAIN\x00\x00\x00":
		exchange = s.authPLAIN
	case "LOGIN\x00\x00\x00":
		exchange = s.authLOGIN
	default:
		s.bad(textNoMechanism)
		return
	}
	if !s.mayLogIn() {
		s.refuseClearText()
		return
	}
	var response []byte // nil: none yet
	if hasInitial {
		var ok bool
		if response, ok = s.decodeResponse(trim(initial)); !ok {
			return
		}
	}
	exchange(ctx, response)
}

// decodeResponse decodes a response of the client, or answers and returns false. The result
// is never nil.
func (s *session) decodeResponse(text []byte) ([]byte, bool) {
	response, ok := decodeBase64(text)
	if !ok {
		s.bad(textBase64)
	}
	return response, ok
}

// decodeBase64 decodes base64 in its one canonical form; a lone "=" is the empty response
// (RFC 5034 section 4).
func decodeBase64(text []byte) ([]byte, bool) {
	if string(text) == "=" {
		return []byte{}, true
	}
	// The library skips CR and LF wherever they are.
	if len(text) > maxSASL || bytes.ContainsAny(text, "\r\n") {
		return nil, false
	}
	out := make([]byte, base64.StdEncoding.DecodedLen(len(text)))
	n, err := base64.StdEncoding.Strict().Decode(out, text)
	return out[:n], err == nil
}

// challenge sends a challenge, in base64 already, and returns the client's response, or
// answers and returns false.
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
		// RFC 5034 section 4: the client cancels. It counts as a bad command, so that nobody
		// begins and cancels for ever.
		s.bad(textCancelled)
		return nil, false
	}
	return s.decodeResponse(trim(line))
}

// authPLAIN: RFC 4616. response is nil if the client has not sent it with the command.
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
		s.bad(textSyntax)
	case authzid != "" && authzid != authcid:
		// Nobody may act for somebody else.
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

// authLOGIN asks for name and password, as Microsoft's clients of old expect it. The initial
// response is the name.
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
		s.bad(textSyntax)
		return
	}
	s.logIn(ctx, "AUTH", user, string(password))
}
