package admin_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"popelago/account"
	"popelago/adminclient"
	"popelago/mail"
	"popelago/store"
	"popelago/store/storetest"
)

// self asks for the retention of the own account, from an address.
func (f *fixture) self(method, path, remote, name, password, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.RemoteAddr = remote
	r.Header.Set("Content-Type", "application/json")
	if name != "" {
		r.SetBasicAuth(name, password)
	}
	w := httptest.NewRecorder()
	f.handler.ServeHTTP(w, r)
	return w
}

const (
	ownPath = "/v1/self/retention"
	local   = "127.0.0.1:1234"
	distant = "192.0.2.1:1234"
)

// addBounded adds example.test with bounds of retentions, and alice.
func addBounded(t *testing.T, root *adminclient.Client) {
	t.Helper()
	ctx := t.Context()
	if _, err := root.AddDomain(ctx, "example.test"); err != nil {
		t.Fatal(err)
	}
	if _, err := root.SetDomainSettings(ctx, "example.test", map[string]string{"retention": "90d", "retention_min": "10d", "retention_max": "365d"}); err != nil {
		t.Fatal(err)
	}
	if _, err := root.AddAccount(ctx, "alice@example.test", "secret word"); err != nil {
		t.Fatal(err)
	}
}

func TestOwnRetention(t *testing.T) {
	f := (&fixture{token: "configured-secret"}).start(t)
	url := f.serve(t)
	ctx := t.Context()
	root := client(t, url, "configured-secret")
	addBounded(t, root)
	alice := client(t, url, "").AsUser("ALICE@example.test", "secret word")
	want := func(r adminclient.OwnRetention, err error, own, inForce string) {
		t.Helper()
		w := adminclient.OwnRetention{Address: "alice@example.test", Retention: own, InForce: inForce, Free: true, Least: "10d", Greatest: "365d"}
		if err != nil || r != w {
			t.Errorf("%+v, %v; want %+v", r, err, w)
		}
	}
	r, err := alice.OwnRetention(ctx)
	want(r, err, "domain", "90d")
	r, err = alice.SetOwnRetention(ctx, "365d")
	want(r, err, "365d", "365d")
	for _, bad := range []string{"9d", "366d", "forever", "a while", "1m"} {
		_, err = alice.SetOwnRetention(ctx, bad)
		wantStatus(t, bad, err, http.StatusBadRequest, "retention")
	}
	if _, err := root.SetDomainSettings(ctx, "example.test", map[string]string{"retention_max": "100d"}); err != nil {
		t.Fatal(err)
	}
	if a, err := root.Account(ctx, "alice@example.test"); err != nil || a.Retention != "365d" || a.RetentionInForce != "100d" {
		t.Errorf("%+v, %v", a, err)
	}
	if _, err := root.SetDomainSettings(ctx, "example.test", map[string]string{"retention_min": "none", "retention_max": "none"}); err != nil {
		t.Fatal(err)
	}
	_, err = alice.SetOwnRetention(ctx, "30d")
	wantStatus(t, "no bounds", err, http.StatusForbidden, "no choice")
	if r, err := alice.OwnRetention(ctx); err != nil || r.Free || r.InForce != "365d" {
		t.Errorf("%+v, %v", r, err)
	}
}

// The login of a user has the rules of a POP3 login.
func TestOwnRetentionLogins(t *testing.T) {
	f := (&fixture{token: "configured-secret"}).start(t)
	ctx := t.Context()
	root := client(t, f.serve(t), "configured-secret")
	addBounded(t, root)
	status := func(what, remote, name, password string, want int) *httptest.ResponseRecorder {
		t.Helper()
		w := f.self(http.MethodGet, ownPath, remote, name, password, "")
		if w.Code != want || strings.Contains(w.Body.String(), "moved") {
			t.Errorf("%s: %d %s, want %d", what, w.Code, w.Body, want)
		}
		if challenge := w.Header().Get("WWW-Authenticate"); (want == http.StatusUnauthorized) != strings.HasPrefix(challenge, "Basic ") {
			t.Errorf("%s: challenge %q", what, challenge)
		}
		return w
	}
	status("right", local, "alice@example.test", "secret word", http.StatusOK)
	status("no password", local, "", "", http.StatusUnauthorized)
	unknown := status("unknown", local, "nobody@example.test", "secret word", http.StatusUnauthorized)
	wrong := status("wrong", local, "alice@example.test", "wrong word", http.StatusUnauthorized)
	if unknown.Body.String() != wrong.Body.String() {
		t.Errorf("an unknown account looks different: %s, %s", unknown.Body, wrong.Body)
	}
	if wrong.Header().Get("Connection") != "close" {
		t.Errorf("the connection goes on after a wrong password")
	}
	status("without TLS", distant, "alice@example.test", "secret word", http.StatusForbidden)

	set := func(texts map[string]string) {
		t.Helper()
		if _, err := root.SetAccountSettings(ctx, "alice@example.test", texts); err != nil {
			t.Fatal(err)
		}
	}
	set(map[string]string{"pop3": "off", "reason": "moved to another server"})
	status("no permission", local, "alice@example.test", "secret word", http.StatusForbidden)
	status("no permission, wrong password", local, "alice@example.test", "wrong word", http.StatusUnauthorized)
	set(map[string]string{"pop3": "on", "deliver": "off"})
	status("permission again", local, "alice@example.test", "secret word", http.StatusOK)
	if err := root.SetState(ctx, "alice@example.test", adminclient.Disabled); err != nil {
		t.Fatal(err)
	}
	status("disabled", local, "alice@example.test", "secret word", http.StatusForbidden)
}

// Wrong passwords of users count for the same penalties as at POP3, and a storage fault is no wrong password.
func TestOwnRetentionPenalties(t *testing.T) {
	fault := &storetest.Fault{Lasting: true}
	fault.Off.Store(true)
	now := time.Now()
	f := &fixture{token: "configured-secret", insecure: true, now: func() time.Time { return now }} // no penalty passes
	f.wrap = func(st store.Store) store.Store { return storetest.Faulty(st, fault) }
	f.start(t)
	addBounded(t, client(t, f.serve(t), "configured-secret"))
	for i := range account.DefaultConfig().PenaltyAfter + 1 {
		w := f.self(http.MethodGet, ownPath, distant, "alice@example.test", fmt.Sprint("wrong ", i), "")
		if w.Code != http.StatusUnauthorized {
			t.Fatalf("wrong password %d: %d %s", i, w.Code, w.Body)
		}
	}
	// The next login waits, and the client hangs up meanwhile.
	gone, hangUp := context.WithCancel(t.Context())
	hangUp()
	r := httptest.NewRequestWithContext(gone, http.MethodGet, ownPath, nil)
	r.RemoteAddr = distant
	r.SetBasicAuth("alice@example.test", "secret word")
	w := httptest.NewRecorder()
	f.handler.ServeHTTP(w, r)
	if w.Code != http.StatusServiceUnavailable || !strings.Contains(f.log.String(), "penalty") {
		t.Errorf("no penalty: %d %s\n%s", w.Code, w.Body, f.log)
	}
	fault.Off.Store(false)
	w = f.self(http.MethodGet, ownPath, local, "bob@example.test", "secret word", "")
	if w.Code != http.StatusServiceUnavailable || w.Header().Get("WWW-Authenticate") != "" {
		t.Errorf("storage fault: %d %s", w.Code, w.Body)
	}
}

// The password of an account opens no other operation, and a token opens no operation of a user.
func TestPasswordOpensNothingElse(t *testing.T) {
	f := (&fixture{token: "configured-secret"}).start(t)
	root := client(t, f.serve(t), "configured-secret")
	addBounded(t, root)
	get := func(path, authorization string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(http.MethodGet, path, nil)
		r.RemoteAddr = local
		r.Header.Set("Authorization", authorization)
		w := httptest.NewRecorder()
		f.handler.ServeHTTP(w, r)
		return w
	}
	var doc struct{ Paths map[string]map[string]any }
	if err := json.Unmarshal(get("/openapi.json", "Bearer configured-secret").Body.Bytes(), &doc); err != nil {
		t.Fatal(err)
	}
	// The operations of a user on the account, which the other tests of this file and of selfmail_test.go cover.
	own := map[string]int{ownPath: 2, "/v1/self/password": 1, "/v1/self/sessions": 1, "/v1/self/sessions/disconnect": 1, "/v1/self/removed": 1, "/v1/self/restore": 1}
	for path, operations := range own {
		if len(doc.Paths[path]) != operations {
			t.Errorf("operations at %s: %v", path, doc.Paths[path])
		}
	}
	paths := []string{"/openapi.json", "/", "/v1", "/v1/self", "/v1/self/../domains", "/v1/self/%2e%2e/domains", "//v1/self/retention", "/v1/self/retention/../../domains"}
	parameter := regexp.MustCompile(`\{[a-z]+\}`)
	for path := range doc.Paths {
		if own[path] == 0 && path != "/healthz" && path != "/readyz" {
			paths = append(paths, parameter.ReplaceAllString(path, "alice@example.test"))
		}
	}
	for _, path := range paths {
		for _, method := range []string{http.MethodGet, http.MethodPut, http.MethodPost, http.MethodDelete, http.MethodPatch} {
			for _, body := range []string{"", `{"retention":"30d"}`, `{"state":"disabled"}`, `{"pop3":"off"}`} {
				w := f.self(method, path, local, "alice@example.test", "secret word", body)
				if w.Code < 300 {
					t.Errorf("%s %s %s: %d %s", method, path, body, w.Code, w.Body)
				}
			}
		}
	}
	for _, authorization := range []string{"Bearer configured-secret", "bearer configured-secret", "Basic configured-secret", ""} {
		if w := get(ownPath, authorization); w.Code != http.StatusUnauthorized {
			t.Errorf("%q: %d %s", authorization, w.Code, w.Body)
		}
	}
	open := new(fixture).start(t) // the socket of the server
	if w := open.self(http.MethodGet, ownPath, "@", "", "", ""); w.Code != http.StatusUnauthorized {
		t.Errorf("on the socket, without a password: %d %s", w.Code, w.Body)
	}
}

// A password that another server has just replaced is a wrong password, also while this server remembers the account.
func TestOwnPasswordReplacedElsewhere(t *testing.T) {
	f := (&fixture{token: "configured-secret"}).start(t)
	addBounded(t, client(t, f.serve(t), "configured-secret"))
	ctx := t.Context()
	other, err := account.New(account.Config{}, store.Single(f.engine).Directory, nil)
	if err != nil {
		t.Fatal(err)
	}
	alice, err := mail.ParseAddress("alice@example.test")
	if err != nil {
		t.Fatal(err)
	}
	password := "secret word"
	for _, step := range []struct {
		what   string
		change func() error
		want   int
	}{
		{"unchanged", func() error { return nil }, http.StatusOK},
		{"another password", func() error { return other.SetPassword(ctx, alice, "another word") }, http.StatusUnauthorized},
		{"the new password", func() error { password = "another word"; return nil }, http.StatusOK},
		{"disabled", func() error { return other.SetState(ctx, alice, store.StateDisabled) }, http.StatusForbidden},
		{"removed", func() error { return other.RemoveAccount(ctx, alice) }, http.StatusUnauthorized},
	} {
		if err := step.change(); err != nil {
			t.Fatal(err)
		}
		for method, body := range map[string]string{http.MethodGet: "", http.MethodPut: `{"retention":"30d"}`} {
			w := f.self(method, ownPath, local, "alice@example.test", password, body)
			challenge := strings.HasPrefix(w.Header().Get("WWW-Authenticate"), "Basic ")
			if w.Code != step.want || challenge != (step.want == http.StatusUnauthorized) {
				t.Errorf("%s, %s: %d %s, challenge %v; want %d", step.what, method, w.Code, w.Body, challenge, step.want)
			}
		}
	}
}
