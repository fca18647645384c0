package admin_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"popelago/mail"
	"popelago/store"
	"popelago/store/storetest"
)

// slow is a directory that takes its time to read a domain, and reports the end of the read.
type slow struct {
	store.Directory
	takes time.Duration
	ended chan error
}

func (s slow) Domain(ctx context.Context, name string) (store.Domain, error) {
	select {
	case <-time.After(s.takes):
		s.ended <- nil
		return s.Directory.Domain(ctx, name)
	case <-ctx.Done():
		s.ended <- ctx.Err()
		return store.Domain{}, store.ErrUnavailable
	}
}

// pipes is a listener of connections in memory, which have deadlines by the clock of a bubble.
type pipes chan net.Conn

func (p pipes) Accept() (net.Conn, error) {
	if c, ok := <-p; ok {
		return c, nil
	}
	return nil, net.ErrClosed
}
func (p pipes) Close() error   { return nil }
func (p pipes) Addr() net.Addr { return &net.UnixAddr{} }

// The answer may take longer than the limit for reading, with a body or without. A client that
// disconnects ends the request.
func TestSlowRequest(t *testing.T) {
	const account = `{"address":"alice@example.test","password":"secret word"}`
	for name, test := range map[string]struct {
		request string
		leave   bool
		status  int
	}{
		"with a body":    {"POST /v1/accounts HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n" + plainBody(account), false, http.StatusCreated},
		"without":        {"GET /v1/domains/example.test/accounts HTTP/1.1\r\nHost: x\r\n\r\n", false, http.StatusOK},
		"without client": {"POST /v1/accounts HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n" + plainBody(account), true, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ended := make(chan error, 9)
				f := (&fixture{wrap: func(st store.Store) store.Store {
					return storetest.WithDirectory(st, slow{st.Directory.Local, 4 * time.Minute, ended})
				}}).start(t)
				if err := f.engine.PutDomain(t.Context(), store.Domain{Name: "example.test"}); err != nil {
					t.Fatal(err)
				}
				server := &http.Server{Handler: f.handler, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: time.Minute}
				listener := make(pipes, 1)
				served := make(chan error)
				go func() { served <- server.Serve(listener) }()
				ours, theirs := net.Pipe()
				listener <- theirs
				if _, err := io.WriteString(ours, test.request); err != nil {
					t.Fatal(err)
				}
				if test.leave {
					time.Sleep(2 * time.Minute)
					ours.Close()
					if err := <-ended; err == nil {
						t.Error("the request went on without its client")
					}
				} else {
					r, err := http.ReadResponse(bufio.NewReader(ours), nil)
					if err != nil {
						t.Fatal(err)
					}
					body, err := io.ReadAll(r.Body)
					if r.StatusCode != test.status || err != nil || <-ended != nil {
						t.Errorf("%d %s, %v", r.StatusCode, body, err)
					}
					ours.Close()
				}
				close(listener)
				<-served
				server.Close()
				synctest.Wait()
			})
		})
	}
}

// slowText is a text that comes in pieces, with a pause before each.
type slowText struct {
	pieces int
	pause  time.Duration
}

func (s *slowText) Read(p []byte) (int, error) {
	if s.pieces == 0 {
		return 0, io.EOF
	}
	s.pieces--
	time.Sleep(s.pause)
	return copy(p, "a line of the text\r\n"), nil
}

// The answer to a message whose text takes longer than the time for writing reaches the client, which otherwise stores the
// message once more.
func TestSlowText(t *testing.T) {
	for _, http2 := range []bool{false, true} {
		t.Run(fmt.Sprintf("HTTP2 %t", http2), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := new(fixture).start(t)
				domain := store.Domain{Name: "example.test"}
				if err := f.engine.PutDomain(t.Context(), domain); err != nil {
					t.Fatal(err)
				}
				kind, state := store.KindAccount, store.StateEnabled
				alice := mail.Address{Local: "alice", Domain: domain.Name}
				if err := f.engine.ChangeAddress(t.Context(), alice, mail.MessageID{}, store.AddressChange{Kind: &kind, State: &state}); err != nil {
					t.Fatal(err)
				}
				protocols := new(http.Protocols)
				protocols.SetHTTP1(!http2)
				protocols.SetUnencryptedHTTP2(http2)
				server := &http.Server{Handler: f.handler, ReadTimeout: time.Minute, WriteTimeout: 5 * time.Minute, Protocols: protocols}
				listener := make(pipes, 1)
				served := make(chan error)
				go func() { served <- server.Serve(listener) }()
				transport := &http.Transport{Protocols: protocols, DialContext: func(context.Context, string, string) (net.Conn, error) {
					ours, theirs := net.Pipe()
					listener <- theirs
					return ours, nil
				}}
				client := &http.Client{Transport: transport}
				r, err := client.Post("http://x/v1/maildrops/alice@example.test/messages", "message/rfc822", &slowText{20, 50 * time.Second})
				if err != nil {
					t.Error(err)
				} else {
					if body, err := io.ReadAll(r.Body); r.StatusCode != http.StatusCreated || err != nil {
						t.Errorf("%s %d %s, %v", r.Proto, r.StatusCode, body, err)
					}
					r.Body.Close()
				}
				transport.CloseIdleConnections()
				close(listener)
				<-served
				server.Close()
				synctest.Wait()
			})
		})
	}
}

// slowRemovals is a mail store whose removals take their time.
type slowRemovals struct{ store.Mail }

func (s slowRemovals) RemoveMessages(ctx context.Context, mailbox mail.MailboxID, ids []mail.MessageID) error {
	time.Sleep(30 * time.Second)
	return s.Mail.RemoveMessages(ctx, mailbox, ids)
}

// A request for much late mail ends in time, and reports that more messages are selected.
func TestLateInParts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := (&fixture{wrap: func(st store.Store) store.Store { return storetest.WithMail(st, slowRemovals{st.Mail.Local}) }}).start(t)
		ctx := t.Context()
		alice := mail.Address{Local: "alice", Domain: "example.test"}
		if err := f.engine.PutDomain(ctx, store.Domain{Name: alice.Domain}); err != nil {
			t.Fatal(err)
		}
		ids := mail.NewIDSource(nil)
		kind, removed := store.KindAccount, ids.Next()
		if err := f.engine.ChangeAddress(ctx, alice, mail.MessageID{}, store.AddressChange{Kind: &kind, Removed: &removed}); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			e := store.Entry{Mailbox: mail.DeriveMailboxID(alice, mail.MessageID{}), Message: mail.Message{ID: ids.Next(), Recipient: alice.String()}}
			if err := f.engine.AddMessages(ctx, []store.Entry{e})[0]; err != nil {
				t.Fatal(err)
			}
		}
		for _, want := range []string{`"messages":1,"more":true`, `"messages":1,"more":false`} {
			w := httptest.NewRecorder()
			r := httptest.NewRequestWithContext(ctx, http.MethodPost, "/v1/late/drop", strings.NewReader(`{"address":"alice@example.test"}`))
			r.Header.Set("Content-Type", "application/json")
			f.handler.ServeHTTP(w, r)
			if w.Code != http.StatusOK || !strings.Contains(w.Body.String(), want) {
				t.Errorf("%d %s, want %s", w.Code, w.Body, want)
			}
		}
	})
}
