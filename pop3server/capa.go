package pop3server

import (
	"strconv"
	"time"
)

// cmdCAPA: RFC 2449 section 5.
func (s *session) cmdCAPA(rest []byte) {
	if !blank(rest) {
		s.bad(textSyntax)
		return
	}
	cfg := &s.srv.cfg
	s.ok("capabilities follow")
	s.c.WriteString("TOP\r\nUIDL\r\nRESP-CODES\r\nAUTH-RESP-CODE\r\nPIPELINING\r\n")
	if cfg.ExpireDays > 0 {
		s.c.WriteString("EXPIRE " + strconv.Itoa(cfg.ExpireDays) + "\r\n")
	} else {
		s.c.WriteString("EXPIRE NEVER\r\n")
	}
	if cfg.LoginDelay > 0 {
		seconds := (cfg.LoginDelay + time.Second - 1) / time.Second
		s.c.WriteString("LOGIN-DELAY " + strconv.Itoa(int(seconds)) + "\r\n")
	}
	if s.mayLogIn() {
		s.c.WriteString("USER\r\nSASL PLAIN LOGIN\r\n")
	}
	// RFC 2595 section 4: announced in AUTHORIZATION state only.
	if s.state == stateAuthorization && cfg.TLS != nil && s.c.TLS() == nil {
		s.c.WriteString("STLS\r\n")
	}
	s.c.WriteString("UTF8\r\nLANG\r\n")
	if cfg.Implementation != "" {
		s.c.WriteString("IMPLEMENTATION " + cfg.Implementation + "\r\n")
	}
	s.c.WriteString(".\r\n")
}
