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
)

// send sends octets as they are and returns the status and the body of the answer.
func send(t *testing.T, address, octets string) (int, string) {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := io.WriteString(c, octets); err != nil {
		t.Fatal(err)
	}
	r, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return r.StatusCode, string(body)
}

func TestBodiesThatAreNone(t *testing.T) {
	srv := httptest.NewServer((&fixture{}).start(t).handler)
	t.Cleanup(srv.Close)
	address := srv.Listener.Addr().String()
	for name, test := range map[string]struct {
		octets string
		status int
		text   string
	}{
		"not UTF-8":              {plainBody("{\"name\":\"M\xfcnchen.example\"}"), 400, "octet 11 (0xFC) is not UTF-8"},
		"bare LF in a chunk":     {"Transfer-Encoding: chunked\r\n\r\n10\n{\"name\":\"a.test\"}\r\n0\r\n\r\n", 400, "did not come in whole"},
		"a chunk without length": {"Transfer-Encoding: chunked\r\n\r\nx\r\n", 400, "did not come in whole"},
		"too long":               {plainBody(strings.Repeat(" ", 70_000)), 413, "too long"},
	} {
		status, text := send(t, address, "POST /v1/domains HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nConnection: close\r\n"+test.octets)
		if status != test.status || !strings.Contains(text, test.text) {
			t.Errorf("%s: %d %s, want %d %s", name, status, text, test.status, test.text)
		}
	}
}

func plainBody(s string) string { return fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(s), s) }
