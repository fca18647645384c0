package admin_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/prometheus/client_golang/prometheus"

	"popelago/account"
	"popelago/admin"
	"popelago/adminclient"
	"popelago/mail"
	"popelago/mailtest"
	"popelago/store"
	"popelago/store/embedded"
	"popelago/store/storetest"
	"popelago/task"
	"popelago/trace"
)

// fixture is an API on a fresh store.
type fixture struct {
	engine  store.Engine
	log     *mailtest.Log
	handler http.Handler
	wrap    func(store.Store) store.Store
	metrics *admin.Metrics
	tasks   *task.Runner
	checker *task.Checker
	token   string
	// insecure accepts passwords of users without TLS.
	insecure bool
	process  admin.Process
	peers    admin.Peers
	// config changes the configuration; nil: no change.
	config func(*adminConfig, store.Store)
	keeper *trace.Keeper    // of traced
	now    func() time.Time // of the penalties; nil: time.Now
	// defaultDomain is account.Config.DefaultDomain.
	defaultDomain string
}

// adminConfig is admin.Config.
type adminConfig = admin.Config

func (f *fixture) start(t *testing.T) *fixture {
	t.Helper()
	if f.engine == nil {
		engine, err := embedded.Open(embedded.Config{Dir: "data", FS: vfs.NewMem(), Reserve: -1})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := engine.Close(); err != nil {
				t.Error(err)
			}
		})
		f.engine = engine
	}
	st := store.Single(f.engine)
	if f.wrap != nil {
		st = f.wrap(st)
	}
	f.log = &mailtest.Log{}
	dir, err := account.New(account.Config{Argon2Memory: 64, Argon2Time: 1, MinPasswordLength: 6, DefaultDomain: f.defaultDomain, Now: f.now}, st.Directory, nil)
	if err != nil {
		t.Fatal(err)
	}
	cfg := admin.Config{
		Open: f.token == "", AllowInsecureAuth: f.insecure, Token: f.token, Version: "v9", Tasks: f.tasks, Checker: f.checker, Metrics: f.metrics, Process: f.process, Peers: f.peers, Logger: slog.New(slog.NewTextHandler(f.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	if f.config != nil {
		f.config(&cfg, st)
	}
	f.handler, err = admin.New(cfg, dir, st)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// unix serves the API on a unix socket and returns a client.
func (f *fixture) unix(t *testing.T) *adminclient.Client {
	t.Helper()
	dir, err := os.MkdirTemp("", "admin") // t.TempDir is too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	socket := filepath.Join(dir, "admin.sock")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{Handler: f.handler}
	done := make(chan error, 1)
	go func() { done <- srv.Serve(l) }()
	c := adminclient.Unix(socket)
	t.Cleanup(func() {
		c.Close()
		srv.Close()
		<-done
	})
	return c
}

// wantStatus checks that err is a refusal with a status and, if text is not empty, a text.
func wantStatus(t *testing.T, what string, err error, status int, text string) {
	t.Helper()
	var refused *adminclient.Error
	if !errors.As(err, &refused) || refused.Status != status || !strings.Contains(err.Error(), text) {
		t.Errorf("%s: %v (%T), want status %d and %q", what, err, err, status, text)
	}
}

func TestDomains(t *testing.T) {
	c := new(fixture).start(t).unix(t)
	ctx := t.Context()
	list, err := c.Domains(ctx)
	if err != nil || len(list) != 0 {
		t.Errorf("at first: %v, %v", list, err)
	}
	for _, name := range []string{"example.org", "Bücher.example", "EXAMPLE.com."} {
		if _, err := c.AddDomain(ctx, name); err != nil {
			t.Errorf("add %s: %v", name, err)
		}
	}
	_, err = c.AddDomain(ctx, "Example.org")
	wantStatus(t, "add again", err, http.StatusConflict, "example.org: already exists")
	_, err = c.AddDomain(ctx, "not a domain")
	wantStatus(t, "add a bad one", err, http.StatusBadRequest, "not a domain")
	list, err = c.Domains(ctx)
	var names []string
	for _, d := range list {
		names = append(names, d.Name)
		if d.Created.IsZero() {
			t.Errorf("%s was never created", d.Name)
		}
	}
	if want := []string{"example.com", "example.org", "xn--bcher-kva.example"}; err != nil || !slices.Equal(names, want) {
		t.Errorf("domains %v, %v; want %v", names, err, want)
	}
	if err := c.RemoveDomain(ctx, "example.com"); err != nil {
		t.Error(err)
	}
	wantStatus(t, "remove again", c.RemoveDomain(ctx, "example.com"), http.StatusNotFound, "no such domain")
	if _, err := c.AddAccount(ctx, "alice@example.org", "secret1"); err != nil {
		t.Error(err)
	}
	wantStatus(t, "remove with an account", c.RemoveDomain(ctx, "example.org"), http.StatusConflict, "still has accounts")
}

func TestAccounts(t *testing.T) {
	f := new(fixture).start(t)
	c := f.unix(t)
	ctx := t.Context()
	_, err := c.AddAccount(ctx, "alice@example.org", "secret1")
	wantStatus(t, "without domain", err, http.StatusNotFound, "no such domain")
	if _, err := c.AddDomain(ctx, "example.org"); err != nil {
		t.Fatal(err)
	}
	// Names with characters that a URL must escape.
	for _, address := range []string{"Alice@Example.org", "a/b@example.org", "x#y:1@example.org", "50%25@example.org", "ünï?@example.org", "..@example.org", "a+b&c=d@example.org"} {
		a, err := c.AddAccount(ctx, address, "secret1")
		if err != nil {
			t.Errorf("%s: %v", address, err)
			continue
		}
		if a.Address != strings.ToLower(address) || a.State != adminclient.Enabled || a.Mailbox == "" || a.Created.IsZero() {
			t.Errorf("%s: %+v", address, a)
		}
		shown, err := c.Account(ctx, address)
		if err != nil || shown.Account != a || shown.Messages == nil || *shown.Messages != 0 || *shown.Octets != 0 {
			t.Errorf("%s: %+v, %v; want %+v", address, shown, err, a)
		}
		if err := c.SetPassword(ctx, address, "secret2"); err != nil {
			t.Errorf("%s: %v", address, err)
		}
	}
	_, err = c.AddAccount(ctx, "alice@example.org", "secret1")
	wantStatus(t, "add again", err, http.StatusConflict, "already exists")
	_, err = c.AddAccount(ctx, "alice", "secret1")
	wantStatus(t, "no address", err, http.StatusBadRequest, "no @")
	for _, password := range []string{"", "short", "with\nline", strings.Repeat("x", account.MaxPassword+1)} {
		_, err = c.AddAccount(ctx, "bob@example.org", password)
		wantStatus(t, "bad password", err, http.StatusBadRequest, "password")
		wantStatus(t, "bad password", c.SetPassword(ctx, "alice@example.org", password), http.StatusBadRequest, "password")
	}
	for what, err := range map[string]error{
		"password": c.SetPassword(ctx, "nobody@example.org", "secret1"),
		"state":    c.SetState(ctx, "nobody@example.org", adminclient.Disabled),
		"show":     func() error { _, err := c.Account(ctx, "nobody@example.org"); return err }(),
		"remove":   func() error { _, err := c.RemoveAccount(ctx, "nobody@example.org"); return err }(),
	} {
		wantStatus(t, what, err, http.StatusNotFound, "no such account")
	}

	if err := c.SetState(ctx, "alice@example.org", adminclient.Disabled); err != nil {
		t.Error(err)
	}
	if a, err := c.Account(ctx, "alice@example.org"); err != nil || a.State != adminclient.Disabled {
		t.Errorf("%+v, %v; want it disabled", a, err)
	}
	if err := c.SetState(ctx, "alice@example.org", "perhaps"); err == nil {
		t.Error("a state of no meaning was taken")
	}
	for range 2 {
		if err := c.SetState(ctx, "alice@example.org", adminclient.Enabled); err != nil {
			t.Error(err)
		}
	}

	// Messages that are counted and removed with the account.
	a, err := c.Account(ctx, "alice@example.org")
	if err != nil {
		t.Fatal(err)
	}
	mailbox := mailboxID(t, a.Mailbox)
	ids := mail.NewIDSource(nil)
	var entries []store.Entry
	for range 1234 {
		entries = append(entries, store.Entry{Mailbox: mailbox, Message: mail.Message{ID: ids.Next(), Size: 10}})
	}
	if err := errors.Join(f.engine.AddMessages(ctx, entries)...); err != nil {
		t.Fatal(err)
	}
	if a, err := c.Account(ctx, "alice@example.org"); err != nil || a.Messages == nil || *a.Messages != 1234 || *a.Octets != 12340 {
		t.Errorf("%+v, %v; want 1234 messages and 12340 octets", a, err)
	}
	if r, err := c.RemoveAccount(ctx, "alice@example.org"); err != nil || r.Messages != 1234 || r.Pending {
		t.Errorf("%+v, %v; want 1234 messages removed", r, err)
	}
	again, err := c.AddAccount(ctx, "alice@example.org", "secret1")
	if err != nil || again.Mailbox == a.Mailbox {
		t.Errorf("made again: %+v, %v; want another mailbox than %s", again, err, a.Mailbox)
	}
}

func TestPages(t *testing.T) {
	c := new(fixture).start(t).unix(t)
	ctx := t.Context()
	_, err := c.Accounts(ctx, "example.org", "", 10)
	wantStatus(t, "without domain", err, http.StatusNotFound, "no such domain")
	if _, err := c.AddDomain(ctx, "example.org"); err != nil {
		t.Fatal(err)
	}
	if list, err := c.Accounts(ctx, "example.org", "", 0); err != nil || list.Accounts == nil || len(list.Accounts) != 0 {
		t.Errorf("at first: %+v, %v", list, err)
	}
	for i := range 7 {
		if _, err := c.AddAccount(ctx, fmt.Sprintf("user %d@example.org", i), "secret1"); err == nil {
			t.Error("an address with a space was taken")
		}
		if _, err := c.AddAccount(ctx, fmt.Sprintf("user#%d&@example.org", i), "secret1"); err != nil {
			t.Fatal(err)
		}
	}
	var seen []string
	for after, pages := "", 0; ; pages++ {
		list, err := c.Accounts(ctx, "example.org", after, 3)
		if err != nil || len(list.Accounts) > 3 {
			t.Fatalf("page %d: %+v, %v", pages, list, err)
		}
		for _, a := range list.Accounts {
			seen = append(seen, a.Address)
		}
		if after = list.Next; after == "" {
			break
		}
	}
	slices.Sort(seen)
	if len(slices.Compact(seen)) != 7 {
		t.Errorf("accounts %v", seen)
	}
	for _, limit := range []int{-1, 1001} {
		if _, err := c.Accounts(ctx, "example.org", "", limit); limit > 0 && err == nil {
			t.Errorf("limit %d was taken", limit)
		}
	}
}

func TestHealth(t *testing.T) {
	c := new(fixture).start(t).unix(t)
	h, err := c.Health(t.Context())
	if err != nil || h.Status != "ok" || h.Version != "v9" {
		t.Errorf("%+v, %v", h, err)
	}
}

// brokenReads fails to read the first of the domains that it was ever asked for, as many as broken says.
type brokenReads struct {
	store.Directory
	broken *atomic.Int32
	asked  *sync.Map // to the number of the first question
	count  *atomic.Int32
}

func (s brokenReads) Domain(ctx context.Context, name string) (store.Domain, error) {
	number, known := s.asked.Load(name)
	if !known {
		number, _ = s.asked.LoadOrStore(name, s.count.Add(1))
	}
	if number.(int32) <= s.broken.Load() {
		return store.Domain{}, store.ErrUnavailable
	}
	return s.Directory.Domain(ctx, name)
}

// A server that can read most of its store is ready, and says that a part of the store cannot be read.
func TestReadyInPart(t *testing.T) {
	var broken, count atomic.Int32
	f := &fixture{process: serving{}, wrap: func(st store.Store) store.Store {
		st.Directory.Local = brokenReads{st.Directory.Local, &broken, new(sync.Map), &count}
		return st
	}}
	c := f.start(t).unix(t)
	for n, ready := range map[int]bool{0: true, 1: true, account.Probes / 2: true, account.Probes/2 + 1: false, account.Probes: false} {
		for path, ask := range map[string]func(context.Context) (adminclient.Health, error){"healthz": c.Health, "readyz": c.Ready} {
			broken.Store(int32(n))
			h, err := ask(t.Context())
			if (err == nil) != ready {
				t.Errorf("%s with %d broken reads: %v", path, n, err)
			}
			if part := fmt.Sprintf("%d of %d", n, account.Probes); (n > 0 && ready) != strings.Contains(h.Warning, part) || n == 0 && h.Warning != "" {
				t.Errorf("%s with %d broken reads: %+v", path, n, h)
			}
		}
	}
}

// serving is the process of a server in service.
type serving struct{ admin.Process }

func (serving) Service() adminclient.Service { return adminclient.Service{State: adminclient.Serving} }

func TestToken(t *testing.T) {
	f := &fixture{token: "right"}
	f.start(t)
	srv := httptest.NewServer(f.handler)
	defer srv.Close()
	for token, want := range map[string]int{"": 401, "wrong": 401, "righ": 401, "rights": 401, "right": 0} {
		c, err := adminclient.HTTP(srv.URL, token)
		if err != nil {
			t.Fatal(err)
		}
		_, err = c.Domains(t.Context())
		switch {
		case want == 0 && err != nil:
			t.Errorf("token %q: %v", token, err)
		case want != 0:
			wantStatus(t, "token "+token, err, want, "token")
		}
		if _, err := c.Health(t.Context()); err != nil {
			t.Errorf("health with token %q: %v", token, err)
		}
		c.Close()
	}
	for _, header := range []string{"", "right", "Basic right", "Bearer", "Bearer  right"} {
		req := httptest.NewRequest(http.MethodGet, "/v1/domains", nil)
		if header != "" {
			req.Header.Set("Authorization", header)
		}
		w := httptest.NewRecorder()
		f.handler.ServeHTTP(w, req)
		if w.Code != http.StatusUnauthorized || !strings.HasPrefix(w.Header().Get("WWW-Authenticate"), "Bearer") {
			t.Errorf("Authorization %q: %d %v", header, w.Code, w.Header())
		}
	}
}

func TestNoServer(t *testing.T) {
	c := adminclient.Unix(filepath.Join(t.TempDir(), "none.sock"))
	if _, err := c.Health(t.Context()); !errors.Is(err, adminclient.ErrNoServer) || !strings.Contains(err.Error(), "none.sock") {
		t.Errorf("%v, want ErrNoServer with the name of the socket", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.Health(ctx); errors.Is(err, adminclient.ErrNoServer) || !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	for _, bad := range []string{"", "example.org", "ftp://example.org", "http://", "http://user:geheim@example.org", "http://example.org/?x", "http://a b/"} {
		_, err := adminclient.HTTP(bad, "")
		if err == nil || strings.Contains(err.Error(), "geheim") {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

// Requests with shapes that the client never sends.
func TestBadRequests(t *testing.T) {
	f := new(fixture).start(t)
	for _, test := range []struct {
		method, path, body string
		want               int
	}{
		{"POST", "/v1/accounts", `{"address":"a@example.org","password":"` + strings.Repeat("x", 100<<10) + `"}`, http.StatusRequestEntityTooLarge},
		{"POST", "/v1/accounts", `{"address":"a@example.org"}`, http.StatusUnprocessableEntity},
		{"POST", "/v1/accounts", `{"address":"a@example.org","password":["secret1"]}`, http.StatusUnprocessableEntity},
		{"POST", "/v1/accounts", `{"address":"a@example.org","password":"secret1","admin":"secret1"}`, http.StatusUnprocessableEntity},
		{"POST", "/v1/accounts", `not JSON: secret1`, http.StatusBadRequest},
		{"POST", "/v1/accounts", ``, http.StatusBadRequest},
		{"PUT", "/v1/accounts/a@example.org/state", `{"state":"secret1"}`, http.StatusUnprocessableEntity},
		{"GET", "/v1/domains?x=1", ``, http.StatusUnprocessableEntity},
		{"PATCH", "/v1/domains", ``, http.StatusMethodNotAllowed},
		{"GET", "/", ``, http.StatusNotFound},
		{"GET", "/v2/domains", ``, http.StatusNotFound},
	} {
		t.Run(test.method+" "+test.path+" "+test.body[:min(len(test.body), 40)], func(t *testing.T) {
			req := httptest.NewRequest(test.method, test.path, strings.NewReader(test.body))
			req.Header.Set("Content-Type", "application/json")
			w := httptest.NewRecorder()
			f.handler.ServeHTTP(w, req)
			if w.Code != test.want {
				t.Errorf("status %d, want %d: %s", w.Code, test.want, w.Body)
			}
			if strings.Contains(w.Body.String(), "secret1") {
				t.Errorf("the answer tells what was sent: %s", w.Body)
			}
		})
	}
	if strings.Contains(f.log.String(), "secret1") {
		t.Errorf("the log tells a password:\n%s", f.log)
	}
}

// A storage fault is a fault for the client too, with its cause in the log only.
func TestFaults(t *testing.T) {
	storetest.EachFault(t, func(t *testing.T, wrap func(store.Store) store.Store) {
		f := &fixture{wrap: wrap}
		c := f.start(t).unix(t)
		ctx := t.Context()
		for _, step := range []struct {
			name    string
			do      func() error
			already int // the status when the fault came after the deed
		}{
			{"add domain", func() error { _, err := c.AddDomain(ctx, "example.org"); return err }, 409},
			{"list domains", func() error { _, err := c.Domains(ctx); return err }, 0},
			{"health", func() error { _, err := c.Health(ctx); return err }, 0},
			{"add", func() error { _, err := c.AddAccount(ctx, "alice@example.org", "geheim1"); return err }, 409},
			{"list", func() error { _, err := c.Accounts(ctx, "example.org", "", 0); return err }, 0},
			{"show", func() error { _, err := c.Account(ctx, "alice@example.org"); return err }, 0},
			{"password", func() error { return c.SetPassword(ctx, "alice@example.org", "geheim2") }, 0},
			{"disable", func() error { return c.SetState(ctx, "alice@example.org", adminclient.Disabled) }, 0},
			{"remove", func() error { _, err := c.RemoveAccount(ctx, "alice@example.org"); return err }, 404},
			{"remove domain", func() error { return c.RemoveDomain(ctx, "example.org") }, 404},
		} {
			err := step.do()
			if err == nil {
				continue
			}
			wantStatus(t, step.name, err, http.StatusServiceUnavailable, "in the server's log")
			if strings.Contains(err.Error(), "injected") {
				t.Errorf("%s: the client is told the cause: %v", step.name, err)
			}
			if !strings.Contains(f.log.String(), "injected") {
				t.Errorf("%s: the log does not tell the cause:\n%s", step.name, f.log)
			}
			if err := step.do(); err != nil {
				wantStatus(t, step.name+" again", err, step.already, "")
			}
		}
		if strings.Contains(f.log.String(), "geheim") {
			t.Errorf("the log tells a password:\n%s", f.log)
		}
	})
}

// panicky panics when it is asked for the domains.
type panicky struct{ store.Directory }

func (panicky) ListDomains(context.Context) ([]store.Domain, error) { panic("a defect") }

// A panic ends its request only, and is logged and counted.
func TestPanic(t *testing.T) {
	reg := prometheus.NewRegistry()
	f := &fixture{wrap: func(st store.Store) store.Store {
		return storetest.WithDirectory(st, panicky{st.Directory.Local})
	}, metrics: admin.NewMetrics(reg)}
	c := f.start(t).unix(t)
	for range 2 {
		_, err := c.Domains(t.Context())
		wantStatus(t, "list domains", err, http.StatusInternalServerError, "internal error")
		if err != nil && strings.Contains(err.Error(), "a defect") {
			t.Errorf("the client is told the cause: %v", err)
		}
	}
	if !strings.Contains(f.log.String(), "a defect") {
		t.Errorf("the log does not tell the cause:\n%s", f.log)
	}
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	if len(families) != 1 || families[0].GetMetric()[0].GetCounter().GetValue() != 2 {
		t.Errorf("metrics %v, want 2 panics", families)
	}
}

// The document describes every operation, and docs/openapi.json is the same.
func TestOpenAPI(t *testing.T) {
	f := (&fixture{token: "secret"}).start(t) // the document says so
	w := httptest.NewRecorder()
	r := httptest.NewRequest(http.MethodGet, "/openapi.json", nil)
	r.Header.Set("Authorization", "Bearer secret")
	f.handler.ServeHTTP(w, r)
	body, err := io.ReadAll(w.Body)
	if err != nil || w.Code != http.StatusOK {
		t.Fatalf("status %d, %v", w.Code, err)
	}
	var doc struct {
		OpenAPI string
		Paths   map[string]map[string]any
	}
	if err := json.Unmarshal(body, &doc); err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, operations := range doc.Paths {
		n += len(operations)
	}
	if !strings.HasPrefix(doc.OpenAPI, "3.1") || n != 87 {
		t.Errorf("OpenAPI %s with %d operations, want 3.1 and 87:\n%s", doc.OpenAPI, n, body)
	}
	var page bytes.Buffer
	if err := json.Indent(&page, body, "", "  "); err != nil {
		t.Fatal(err)
	}
	mailtest.Golden(t, "../docs/openapi.json", strings.TrimSpace(page.String())+"\n")
}

// mailboxID parses the mailbox of an account.
func mailboxID(t *testing.T, text string) mail.MailboxID {
	t.Helper()
	id, err := mail.ParseMailboxID(text)
	if err != nil {
		t.Fatal(err)
	}
	return id
}
