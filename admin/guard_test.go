package admin_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"popelago/adminclient"
)

// A token revoked while the body of a request is on its way permits nothing.
func TestRevokedBeforeTheBody(t *testing.T) {
	for name, test := range map[string]struct{ path, kind, body string }{
		"a token":   {"/v1/tokens", "application/json", `{"role":"admin","scopes":["all"],"note":"successor"}`},
		"a domain":  {"/v1/domains", "application/json", `{"name":"successor.test"}`},
		"a message": {"/v1/maildrops/alice@a.test/messages", "message/rfc822", "Subject: x\r\n\r\nx\r\n"},
	} {
		t.Run(name, func(t *testing.T) {
			f := (&fixture{token: "configured-secret"}).start(t)
			srv := httptest.NewServer(f.handler)
			t.Cleanup(srv.Close)
			root := client(t, srv.URL, "configured-secret")
			addTwoDomains(t, root)
			_, leaked := made(t, srv.URL, root, "admin", "all")
			c, err := net.Dial("tcp", srv.Listener.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			answers := bufio.NewReader(c)
			_, err = fmt.Fprintf(c, "POST %s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Type: %s\r\nContent-Length: %d\r\nExpect: 100-continue\r\n\r\n",
				test.path, leaked.Secret, test.kind, len(test.body))
			if err != nil {
				t.Fatal(err)
			}
			if line, err := answers.ReadString('\n'); err != nil || !strings.Contains(line, "100 Continue") { // the token was judged
				t.Fatal(line, err)
			}
			if line, err := answers.ReadString('\n'); err != nil || line != "\r\n" {
				t.Fatal(line, err)
			}
			if _, err := root.RevokeToken(t.Context(), leaked.Token.ID, true); err != nil {
				t.Fatal(err)
			}
			if _, err := io.WriteString(c, test.body); err != nil {
				t.Fatal(err)
			}
			r, err := http.ReadResponse(answers, nil)
			if err != nil {
				t.Fatal(err)
			}
			defer r.Body.Close()
			if text, err := io.ReadAll(r.Body); err != nil || r.StatusCode != http.StatusUnauthorized || !strings.Contains(string(text), "revoked") {
				t.Errorf("%d %s, %v", r.StatusCode, text, err)
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
