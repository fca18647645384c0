package bench

import (
	"errors"
	"io"
	"net"
	"sync"
	"testing"

	"github.com/emersion/go-smtp"
)

// mailPeer is an SMTP or LMTP server that stores in a peer. emersion/go-smtp speaks the protocol,
// so that the client is tested against an independent reading of the RFCs.
type mailPeer struct {
	peer *peer
	addr string

	mu sync.Mutex
	// rcpt refuses a recipient; store decides the result of storing for a recipient. Both are
	// called with mu held; nil accepts all.
	rcpt  func(to string) error
	store func(to string, text []byte) error
	conns []*smtp.Conn
}

// newMailPeer starts a server; it stops with the test.
func newMailPeer(t *testing.T, p *peer, protocol Protocol) *mailPeer {
	t.Helper()
	m := &mailPeer{peer: p}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	m.addr = l.Addr().String()
	s := smtp.NewServer(m)
	s.Domain = "peer.example.test"
	s.LMTP = protocol == LMTP
	done := make(chan error, 1)
	go func() { done <- s.Serve(l) }()
	t.Cleanup(func() { s.Close(); <-done })
	return m
}

// NewSession implements smtp.Backend.
func (m *mailPeer) NewSession(c *smtp.Conn) (smtp.Session, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.conns = append(m.conns, c)
	return &mailSession{peer: m, conn: c}, nil
}

// connections returns how many were made so far.
func (m *mailPeer) connections() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.conns)
}

// mailSession implements smtp.LMTPSession.
type mailSession struct {
	peer *mailPeer
	conn *smtp.Conn
	to   []string
}

func (s *mailSession) Reset()                                      { s.to = nil }
func (s *mailSession) Logout() error                               { return nil }
func (s *mailSession) Mail(from string, _ *smtp.MailOptions) error { return nil }

func (s *mailSession) Rcpt(to string, _ *smtp.RcptOptions) error {
	s.peer.mu.Lock()
	defer s.peer.mu.Unlock()
	if s.peer.rcpt != nil {
		if err := s.peer.rcpt(to); err != nil {
			return err
		}
	}
	s.to = append(s.to, to)
	return nil
}

func (s *mailSession) Data(r io.Reader) error {
	text, err := io.ReadAll(r)
	for _, to := range s.to {
		if err == nil {
			err = s.save(to, text)
		}
	}
	return err
}

func (s *mailSession) LMTPData(r io.Reader, status smtp.StatusCollector) error {
	text, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	for _, to := range s.to {
		status.SetStatus(to, s.save(to, text))
	}
	return nil
}

// errKilled makes the peer close the connection instead of replying.
var errKilled = errors.New("killed")

// save stores text for a recipient, below a trace header.
func (s *mailSession) save(to string, text []byte) error {
	s.peer.mu.Lock()
	defer s.peer.mu.Unlock()
	if s.peer.store != nil {
		if err := s.peer.store(to, text); err != nil {
			if errors.Is(err, errKilled) {
				s.conn.Conn().Close()
			}
			return err
		}
	}
	s.peer.peer.add(to, traced(text))
	return nil
}

// traced puts a trace header before text.
func traced(text []byte) []byte {
	return append([]byte("Return-Path: <bench@example.test>\r\nReceived: from bench\r\n\tby peer\r\n"), text...)
}
