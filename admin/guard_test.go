package admin_test

import (
	"bufio"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"popelago/adminclient"
)

// held is a request whose client holds the body back.
type held struct {
	net.Conn
	answers *bufio.Reader
	body    string
}

// hold sends the headers of a request, and returns when the server waits for the body.
func hold(t *testing.T, url, start, authorization, kind, body string) *held {
	t.Helper()
	c, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	h := &held{c, bufio.NewReader(c), body}
	_, err = fmt.Fprintf(c, "%s HTTP/1.1\r\nHost: x\r\nAuthorization: %s\r\nContent-Type: %s\r\nContent-Length: %d\r\nExpect: 100-continue\r\n\r\n",
		start, authorization, kind, len(body))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"HTTP/1.1 100 Continue\r\n", "\r\n"} {
		if line, err := h.answers.ReadString('\n'); err != nil || line != want {
			t.Fatalf("%q, %v", line, err)
		}
	}
	return h
}

// finish sends the body and returns the answer.
func (h *held) finish(t *testing.T) (status int, text string) {
	t.Helper()
	if _, err := io.WriteString(h, h.body); err != nil {
		t.Fatal(err)
	}
	r, err := http.ReadResponse(h.answers, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	all, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return r.StatusCode, string(all)
}

// A token revoked while the body of a request is on its way permits nothing.
func TestRevokedBeforeTheBody(t *testing.T) {
	for name, test := range map[string]struct{ path, kind, body string }{
		"a token":   {"/v1/tokens", "application/json", `{"role":"admin","scopes":["all"],"note":"successor"}`},
		"a domain":  {"/v1/domains", "application/json", `{"name":"successor.test"}`},
		"a message": {"/v1/maildrops/alice@a.test/messages", "message/rfc822", "Subject: x\r\n\r\nx\r\n"},
	} {
		t.Run(name, func(t *testing.T) {
			f := (&fixture{token: "configured-secret"}).start(t)
			url := f.serve(t)
			root := client(t, url, "configured-secret")
			addTwoDomains(t, root)
			_, leaked := made(t, url, root, "admin", "all")
			h := hold(t, url, "POST "+test.path, "Bearer "+leaked.Secret, test.kind, test.body)
			if _, err := root.RevokeToken(t.Context(), leaked.Token.ID, true); err != nil {
				t.Fatal(err)
			}
			if status, text := h.finish(t); status != http.StatusUnauthorized || !strings.Contains(text, "revoked") {
				t.Errorf("%d %s", status, text)
			}
			if tokens, err := root.Tokens(t.Context(), false); err != nil || len(tokens) != 0 {
				t.Errorf("in force: %+v, %v", tokens, err)
			}
			list, err := root.Maildrop(t.Context(), "alice@a.test", adminclient.MaildropQuery{}, "", 0)
			if err != nil || len(list.Messages) != 0 {
				t.Errorf("%+v, %v", list, err)
			}
		})
	}
}

// A user whose password an administrator resets while the body of a request is on its way changes nothing.
func TestResetBeforeTheBody(t *testing.T) {
	for start, body := range map[string]string{
		"PUT /v1/self/password":             `{"password":"word of the thief"}`,
		"PUT /v1/self/retention":            `{"retention":"30d"}`,
		"POST /v1/self/sessions/disconnect": `{"all":true}`,
		"POST /v1/self/restore":             `{"all":true}`,
	} {
		for name, end := range map[string]func(*adminclient.Client) error{
			"reset": func(root *adminclient.Client) error {
				return root.SetPassword(t.Context(), "alice@example.test", "another word")
			},
			"disabled": func(root *adminclient.Client) error {
				return root.SetState(t.Context(), "alice@example.test", adminclient.Disabled)
			},
		} {
			t.Run(start+", "+name, func(t *testing.T) {
				f := (&fixture{token: "configured-secret", process: serverNamed("a")}).start(t)
				url := f.serve(t)
				root := client(t, url, "configured-secret")
				addBounded(t, root)
				basic := base64.StdEncoding.EncodeToString([]byte("alice@example.test:secret word"))
				h := hold(t, url, start, "Basic "+basic, "application/json", body)
				if err := end(root); err != nil {
					t.Fatal(err)
				}
				want := map[string]int{"reset": http.StatusUnauthorized, "disabled": http.StatusForbidden}[name]
				if status, text := h.finish(t); status != want {
					t.Errorf("%d %s", status, text)
				}
			})
		}
	}
}
