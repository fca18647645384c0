// Package consoletest starts the console with its API on a storage in memory, for tests.
package consoletest

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"popelago/account"
	"popelago/admin"
	"popelago/adminclient"
	"popelago/console"
	"popelago/event"
	"popelago/mailtest"
	"popelago/store"
	"popelago/store/embedded"
	"popelago/trace"
)

// Secret is the token of the configuration, with all rights.
const Secret = "configured-secret-with-all-rights"

// Setup says how to start a Site. The zero value is possible.
type Setup struct {
	Console console.Config
	// Wrap changes the store before its use. Nil: no change.
	Wrap func(store.Store) store.Store
	// Process is the server itself. Nil: as admin.Config.
	Process admin.Process
	// Peers says how other servers are asked.
	Peers admin.Peers
	// Plain serves HTTP without TLS.
	Plain bool
	// NoRecords keeps no records of events.
	NoRecords bool
}

// Site is a running console.
type Site struct {
	URL     string // of the server, without a final slash
	UserURL string // of the pages for users
	// API calls the API with all rights.
	API *adminclient.Client
	Log *mailtest.Log
	// Events keeps the records of the trace and the audit.
	Events *trace.Keeper
	// Handler serves the console and the API, without a connection.
	Handler http.Handler

	server *httptest.Server
	users  *httptest.Server
	pages  http.Handler // of users
}

// Start starts a console, which ends with the test.
func Start(t testing.TB, setup Setup) *Site {
	t.Helper()
	engine, err := embedded.Open(embedded.Config{Dir: "data", FS: vfs.NewMem(), Reserve: -1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := engine.Close(); err != nil {
			t.Error(err)
		}
	})
	st := store.Single(engine)
	if setup.Wrap != nil {
		st = setup.Wrap(st)
	}
	site := &Site{Log: &mailtest.Log{}}
	logger := slog.New(slog.NewTextHandler(site.Log, nil))
	dir, err := account.New(account.Config{Argon2Memory: 64, Argon2Time: 1, MinPasswordLength: 6}, st.Directory, nil)
	if err != nil {
		t.Fatal(err)
	}
	records := trace.DefaultConfig()
	records.Trace.Enabled, records.Audit.Enabled = !setup.NoRecords, !setup.NoRecords
	records.Place, records.FlushPatience = event.Place{Server: "here", Now: time.Now}, time.Hour
	if site.Events, err = trace.New(records, st, nil); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { site.Events.Close(context.Background()) })
	failures := event.NewFailures(site.Events)
	t.Cleanup(failures.Close)
	api, err := admin.New(admin.Config{
		Token: Secret, Version: "v9", Logger: logger, Process: setup.Process, Peers: setup.Peers, Events: failures,
		Traces: trace.NewReader(records, st, site.Events),
	}, dir, st)
	if err != nil {
		t.Fatal(err)
	}
	setup.Console.Logger = logger
	if setup.Console.Search == 0 {
		setup.Console.Search = time.Hour // the slowest machine examines all accounts
	}
	pages, err := console.New(setup.Console, api)
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/", api)
	mux.Handle(console.Root, pages)
	mux.Handle(strings.TrimSuffix(console.Root, "/"), pages)
	site.Handler = mux
	if setup.Plain {
		site.server = httptest.NewServer(mux)
	} else {
		site.server = httptest.NewTLSServer(mux)
	}
	t.Cleanup(site.server.Close)
	site.URL = site.server.URL
	if site.pages, err = console.NewUserPages(setup.Console, api); err != nil {
		t.Fatal(err)
	}
	site.users = httptest.NewTLSServer(site.pages)
	t.Cleanup(site.users.Close)
	site.UserURL = site.users.URL
	if site.API, err = adminclient.Via(site.URL, Secret, site.server.Client().Transport); err != nil {
		t.Fatal(err)
	}
	return site
}

// Browser is a client that keeps cookies and does not follow redirects.
type Browser struct {
	t    testing.TB
	url  string
	http *http.Client
	// Header is sent with every request.
	Header http.Header
}

// Browser returns a new client, not signed in.
func (s *Site) Browser(t testing.TB) *Browser {
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	c := *s.server.Client()
	c.Jar = jar
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &Browser{t: t, url: s.URL, http: &c, Header: http.Header{"Sec-Fetch-Site": {"same-origin"}}}
}

// UserBrowser returns a new client of the pages for users, not signed in.
func (s *Site) UserBrowser(t testing.TB) *Browser {
	b := s.Browser(t)
	b.url, b.http.Transport = s.UserURL, s.users.Client().Transport
	return b
}

// From sends a form to the pages for users from an address, without a connection and without TLS.
func (s *Site) From(remote, target string, form url.Values) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, target, strings.NewReader(form.Encode()))
	r.RemoteAddr = remote
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	w := httptest.NewRecorder()
	s.pages.ServeHTTP(w, r)
	return w
}

// SignIn signs in with a token, and fails the test if the console refuses.
func (b *Browser) SignIn(token string) *Browser {
	b.t.Helper()
	if a := b.Post("signin", url.Values{"token": {token}}); a.Status != http.StatusSeeOther {
		b.t.Fatalf("sign in: %d\n%s", a.Status, a.Body)
	}
	return b
}

// Answer is an answer of the console.
type Answer struct {
	Status int
	Header http.Header
	Body   string
}

// Get asks for a page of the console, such as "domains".
func (b *Browser) Get(path string) Answer { return b.Do(http.MethodGet, path, nil) }

// Post sends a form.
func (b *Browser) Post(path string, form url.Values) Answer {
	return b.Do(http.MethodPost, path, form)
}

// Do sends a request. A path that begins with / starts at the root of the server.
func (b *Browser) Do(method, path string, form url.Values) Answer {
	b.t.Helper()
	if !strings.HasPrefix(path, "/") {
		path = console.Root + path
	}
	req, err := http.NewRequestWithContext(b.t.Context(), method, b.url+path, strings.NewReader(form.Encode()))
	if err != nil {
		b.t.Fatal(err)
	}
	req.Header = b.Header.Clone()
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	resp, err := b.http.Do(req)
	if err != nil {
		b.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return Answer{resp.StatusCode, resp.Header, string(body)}
}

// Open asks for a page whose body the caller reads. The body is closed at the end of the test.
func (b *Browser) Open(path string) *http.Response {
	b.t.Helper()
	req, err := http.NewRequestWithContext(b.t.Context(), http.MethodGet, b.url+console.Root+path, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	req.Header = b.Header.Clone()
	resp, err := b.http.Do(req)
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { resp.Body.Close() })
	return resp
}
