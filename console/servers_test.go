package console_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"popelago/adminclient"
	"popelago/console"
	"popelago/console/consoletest"
	"popelago/mailtest"
	"popelago/store"
)

func session(id, user string) adminclient.Session {
	return adminclient.Session{ID: id, Protocol: "pop3", User: user, Client: "192.0.2.1", Since: time.Now().Add(-time.Minute), State: "transaction", Messages: 3}
}

// listed is a store whose heartbeats name servers.
type listed struct {
	store.Upkeep
	servers []store.Server
}

// Servers implements store.Upkeep.
func (l listed) Servers(context.Context) ([]store.Server, error) { return slices.Clone(l.servers), nil }

// twoServers is the setup of a site with the server "here", and a server "there" that does not answer.
func twoServers(process *consoletest.Process) consoletest.Setup {
	return consoletest.Setup{Process: process, Wrap: func(st store.Store) store.Store {
		st.Upkeep.Local = listed{st.Upkeep.Local, []store.Server{
			{Name: "here", Datacenter: "dc1", Address: "here.example.test", Own: true},
			{Name: "there", Datacenter: "dc2", Address: "<b>there</b>.example.test", Admin: "https://192.0.2.1"},
		}}
		return st
	}}
}

func TestServersAndSessions(t *testing.T) {
	process := consoletest.NewProcess("here", session("s1", "alice@a.test"), session("s2", "bob@b.test"), session("s3", ""))
	site := newSite(t, twoServers(process))
	b := site.Browser(t).SignIn(consoletest.Secret)
	silent := []string{"Not every server has answered", "&lt;b&gt;there&lt;/b&gt;.example.test", "did not answer", "gets no token"}
	want(t, "status", b.Get(""), http.StatusOK, append(silent, "Datacenter dc1", "Datacenter dc2", "no answer", `data-server="here"`)...)
	want(t, "tasks", b.Get("tasks"), http.StatusOK, silent...)
	want(t, "sessions", b.Get("sessions"), http.StatusOK, append(silent, "s1", "s2", "s3", "192.0.2.1")...)
	want(t, "sessions of a server", b.Get("sessions?server=nowhere"), http.StatusNotFound)
	a := b.Get("sessions?user=alice%40a.test")
	want(t, "sessions of alice", a, http.StatusOK, "s1")
	if strings.Contains(a.Body, "bob@b.test") {
		t.Error("the search shows another session")
	}
	scoped := site.Browser(t).SignIn(token(t, site, "operator", "1h", "domain:b.test").Secret)
	if a := scoped.Get("sessions"); strings.Contains(a.Body, "alice@a.test") || !strings.Contains(a.Body, "bob@b.test") {
		t.Errorf("sessions for the domain b.test: %d\n%s", a.Status, a.Body)
	}
	want(t, "disconnect another's", scoped.Post("sessions", url.Values{"id": {"s1"}}), http.StatusOK, "0 sessions told to end")
	want(t, "disconnect", b.Post("sessions", url.Values{"id": {"s1"}}), http.StatusOK, append(silent, "1 session told to end")...)
	want(t, "disconnect all unsure", b.Post("sessions", url.Values{}), http.StatusBadRequest, "tick the box")
	want(t, "disconnect bob's", b.Post("sessions", url.Values{"user": {"bob@b.test"}, "sure": {"yes"}}), http.StatusOK, "1 session told to end")
	want(t, "disconnect all", b.Post("sessions", url.Values{"sure": {"yes"}}), http.StatusOK, "1 session told to end", "No session is open")

	want(t, "drain unsure", b.Post("drain", url.Values{"on": {"true"}}), http.StatusBadRequest)
	wantDone(t, "drain", b, b.Post("drain", url.Values{"on": {"true"}, "sure": {"yes"}}), "out of service", "Put back into service")
	wantDone(t, "undrain", b, b.Post("drain", url.Values{"on": {"false"}}), "in service again")
	want(t, "run no job", b.Post("tasks/run", url.Values{"name": {"none"}}), http.StatusNotFound)
	want(t, "cancel no job", b.Post("tasks/cancel", url.Values{"name": {"none"}}), http.StatusNotFound)
}

// sent is a server-sent event.
type sent struct{ name, data string }

// stream opens a stream of live figures.
func stream(t *testing.T, site *consoletest.Site, b *consoletest.Browser) (next func() sent, resp *http.Response) {
	t.Helper()
	resp = b.Open("live")
	lines := bufio.NewScanner(resp.Body)
	return func() sent {
		var e sent
		for lines.Scan() {
			switch name, value, _ := strings.Cut(lines.Text(), ": "); name {
			case "event":
				e.name = value
			case "data":
				e.data = value
			case "":
				return e
			}
		}
		return sent{"closed", ""}
	}, resp
}

func TestLiveFigures(t *testing.T) {
	process := consoletest.NewProcess("here", session("s1", "alice@a.test"))
	background, stop := context.WithCancel(t.Context())
	defer stop()
	setup := twoServers(process)
	setup.Console = console.Config{Streams: 1, Every: time.Millisecond, Background: background}
	site := newSite(t, setup)
	made := token(t, site, "operator", "1h", "all")
	b := site.Browser(t).SignIn(made.Secret)
	next, resp := stream(t, site, b)
	if resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != "text/event-stream" || resp.Header.Get("Content-Security-Policy") == "" {
		t.Fatalf("stream: %d %v", resp.StatusCode, resp.Header)
	}
	type figures struct {
		Servers []struct {
			Name, State, Problem string
			Sessions             int
			Accepted             float64
		}
	}
	mailtest.WaitFor(t, time.Minute, func() error {
		process.Accept(1000)
		var f figures
		e := next()
		if err := json.Unmarshal([]byte(e.data), &f); err != nil {
			t.Fatalf("event %+v: %v", e, err)
		}
		if len(f.Servers) != 2 || f.Servers[0].Name != "here" || f.Servers[0].Sessions != 1 || f.Servers[0].State != "serving" || f.Servers[1].Problem == "" {
			t.Fatalf("figures %+v", f)
		}
		if f.Servers[0].Accepted <= 0 {
			return errNoRate
		}
		return nil
	})
	want(t, "a second stream", b.Get("live"), http.StatusServiceUnavailable, "too many pages")

	last := func(next func() sent) sent {
		for {
			if e := next(); e.name != "" {
				return e
			}
		}
	}
	if _, err := site.API.RevokeToken(t.Context(), made.ID, false); err != nil {
		t.Fatal(err)
	}
	if e := last(next); e.name != "end" || !strings.Contains(e.data, "revoked") {
		t.Errorf("after the end of the token: %+v", e)
	}
	resp.Body.Close()

	b = site.Browser(t).SignIn(consoletest.Secret)
	open := func() func() sent {
		var next func() sent
		mailtest.WaitFor(t, time.Minute, func() error {
			n, resp := stream(t, site, b)
			if resp.StatusCode != http.StatusOK { // the place of the stream before
				resp.Body.Close()
				return errNoPlace
			}
			next = n
			return nil
		})
		return next
	}
	next = open()
	process.Drain()
	if e := last(next); e.name != "end" || !strings.Contains(e.data, "going out of service") {
		t.Errorf("at the drain: %+v", e)
	}
	process.Undrain()
	next = open()
	stop()
	if e := last(next); e.name != "end" || !strings.Contains(e.data, "stopping") {
		t.Errorf("at the stop: %+v", e)
	}
}

// A page whose API fails says so, and a defect ends no connection.
func TestFaults(t *testing.T) {
	api := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/v1/caller":
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write([]byte(`{"id":"x","role":"admin","scopes":["all"]}`))
		case r.URL.Path == "/v1/domains":
			panic("a defect")
		case strings.HasSuffix(r.URL.Path, "/huge/settings"):
			for range 20 {
				_, _ = w.Write(make([]byte, 1<<20))
			}
		default:
			w.Header().Set("Content-Type", "application/problem+json")
			w.WriteHeader(http.StatusServiceUnavailable)
			_, _ = w.Write([]byte(`{"status":503,"detail":"storage unavailable, try again later"}`))
		}
	})
	metrics := console.NewMetrics(nil)
	pages, err := console.New(console.Config{Metrics: metrics}, api)
	if err != nil {
		t.Fatal(err)
	}
	var cookie string
	ask := func(method, path, body string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(method, "http://localhost/console/"+path, strings.NewReader(body))
		r.Header.Set("Cookie", cookie)
		if body != "" {
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		}
		w := httptest.NewRecorder()
		pages.ServeHTTP(w, r)
		return w
	}
	signedIn := ask(http.MethodPost, "signin", "token=x")
	cookie, _, _ = strings.Cut(signedIn.Header().Get("Set-Cookie"), ";")
	if strings.Contains(signedIn.Header().Get("Set-Cookie"), "Secure") {
		t.Error("without TLS no browser would keep a cookie with Secure")
	}
	for path, test := range map[string]struct {
		status int
		text   string
	}{
		"":                             {http.StatusServiceUnavailable, "storage unavailable"},
		"account?address=alice@a.test": {http.StatusServiceUnavailable, "The server cannot do this now"},
		"domains":                      {http.StatusInternalServerError, "The server has a defect"},
		"trace?subject=alice@a.test":   {http.StatusServiceUnavailable, "The server cannot do this now"},
		"audit":                        {http.StatusServiceUnavailable, "storage unavailable"},
		"domain?name=huge":             {http.StatusInternalServerError, "The server has a defect"},
	} {
		w := ask(http.MethodGet, path, "")
		if w.Code != test.status || !strings.Contains(strings.ToLower(w.Body.String()), strings.ToLower(test.text)) || w.Header().Get("Content-Security-Policy") == "" {
			t.Errorf("%q: %d\n%s", path, w.Code, w.Body)
		}
	}
	if w := ask(http.MethodPost, "domains", "name="+strings.Repeat("x", 1<<17)); w.Code != http.StatusBadRequest {
		t.Errorf("a long form: %d", w.Code)
	}
	if _, err := console.New(console.Config{}, nil); err == nil {
		t.Error("a console without API was made")
	}
}

var (
	errNoRate  = errors.New("no rate yet")
	errNoPlace = errors.New("no place for a stream yet")
)
