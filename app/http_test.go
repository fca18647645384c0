package app

import (
	"bufio"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

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

// The answer of an operation that takes longer than answerTime reaches the client, with a text or without. A client that
// does not take the answer loses its connection after answerTime.
func TestAnswerOfLongOperation(t *testing.T) {
	for name, test := range map[string]struct {
		text  string
		takes bool
	}{
		"a text": {"done", true}, "no text": {"", true}, "a long text": {strings.Repeat("done", 1<<20), true},
		"a client that does not read": {strings.Repeat("done", 1<<20), false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := &App{logger: slog.New(slog.DiscardHandler)}
				var written error
				serve := a.serveHTTP(httpLimits{most: 1, perAddr: 1}, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
					time.Sleep(2 * answerTime)
					if test.text != "" {
						_, written = io.WriteString(w, test.text)
					}
				}), nil)
				listener := make(pipes, 1)
				served := make(chan error)
				go func() { served <- serve(listener) }()
				ours, theirs := net.Pipe()
				listener <- theirs
				if _, err := io.WriteString(ours, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
					t.Fatal(err)
				}
				if test.takes {
					r, err := http.ReadResponse(bufio.NewReader(ours), nil)
					var body []byte
					if err == nil {
						body, err = io.ReadAll(r.Body)
					}
					if err != nil || string(body) != test.text {
						t.Errorf("%d octets, want %d: %v", len(body), len(test.text), err)
					}
				} else {
					time.Sleep(3*answerTime + time.Second)
					synctest.Wait()
					if written == nil {
						t.Error("the server still waits for the client")
					}
				}
				ours.Close()
				close(listener)
				<-served
				a.https[0].Close()
				synctest.Wait()
			})
		})
	}
}
