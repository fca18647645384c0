package admin_test

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

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
