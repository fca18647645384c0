package admin_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"popelago/admin"
	"popelago/adminclient"
	"popelago/store"
)

// process is a server with sessions.
type process struct {
	admin.Process // nil: of no use here
	name          string
	sessions      []adminclient.Session
	ended         []string
}

// Service implements admin.Process.
func (p *process) Service() adminclient.Service {
	return adminclient.Service{
		State: adminclient.Serving, Version: "v9", Hostname: p.name + ".example.test", Server: p.name, Datacenter: "dc1", Now: time.Now(),
		ConfigVersion: 1,
	}
}

// Load implements admin.Process.
func (p *process) Load() *adminclient.Load {
	return &adminclient.Load{Sessions: map[string]int{"pop3": len(p.sessions)}, Deliveries: 2, Retrievals: 3}
}

// Sessions implements admin.Process.
func (p *process) Sessions() []adminclient.Session { return p.sessions }

// EndSession implements admin.Process.
func (p *process) EndSession(id string) bool {
	known := slices.ContainsFunc(p.sessions, func(s adminclient.Session) bool { return s.ID == id })
	if !known || slices.Contains(p.ended, id) {
		return false
	}
	p.ended = append(p.ended, id)
	return true
}

// begin is the begin of the first session.
var begin = time.Now().Add(-10 * time.Hour)

// serverNamed returns a server with a session of alice in each domain, and an SMTP session.
func serverNamed(name string) *process {
	of := func(id, protocol, user, client string, hour time.Duration) adminclient.Session {
		return adminclient.Session{
			ID: name + id, Protocol: protocol, User: user, Client: client, Since: begin.Add(hour * time.Hour).UTC(), State: "transaction",
			Server: "a liar",
		}
	}
	return &process{name: name, sessions: []adminclient.Session{
		of("1", "pop3", "alice@a.test", "192.0.2.1", 1), of("2", "pop3s", "alice@b.test", "2001:db8::1", 2), of("3", "smtp", "", "198.51.100.9", 3),
	}}
}

// listed is a store whose heartbeats name servers.
type listed struct {
	store.Upkeep
	servers []store.Server
	err     error
}

// Servers implements store.Upkeep.
func (l listed) Servers(context.Context) ([]store.Server, error) {
	return slices.Clone(l.servers), l.err
}

// listing makes the heartbeats of a fixture name servers.
func (f *fixture) listing(err error, servers ...store.Server) *fixture {
	f.wrap = func(st store.Store) store.Store {
		st.Upkeep.Local = listed{st.Upkeep.Local, servers, err}
		return st
	}
	return f
}

func at(name, url string) store.Server {
	return store.Server{Name: name, Datacenter: "dc1", Address: name + ".example.test", Admin: url}
}

// answers serves one answer to each request.
func answers(t *testing.T, status int, kind, body string) string {
	t.Helper()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", kind)
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}))
	t.Cleanup(srv.Close)
	return srv.URL
}

// secretOfAll is the secret of all servers of a test.
const secretOfAll = "configured-secret"

var loopback = admin.Peers{Hosts: []string{"127.0.0.0/8", "192.0.2.77"}, Secret: secretOfAll, Timeout: 10 * time.Minute, MaxAnswer: 1 << 20}

func ids(sessions []adminclient.Session) (all []string) {
	for _, s := range sessions {
		all = append(all, s.ID)
	}
	return all
}

// A list has the sessions of all servers, and names each server without a part with the reason. A token
// goes to permitted addresses only.
func TestSessionsOfAllServers(t *testing.T) {
	b := (&fixture{token: secretOfAll, process: serverNamed("b"), peers: loopback}).listing(errors.New("b must not ask")).start(t)
	var leaked atomic.Int32
	thief := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { leaked.Add(1) }))
	defer thief.Close()
	away := httptest.NewServer(http.RedirectHandler(thief.URL, http.StatusTemporaryRedirect))
	defer away.Close()
	down := httptest.NewServer(nil)
	down.Close()
	problemJSON := "application/problem+json"
	huge := `{"sessions":[{"id":"` + strings.Repeat("x", 2<<20) + `"}]}`
	servers := []store.Server{
		{Name: "a", Datacenter: "dc1", Own: true},
		at("b", b.serve(t)),
		at("down", down.URL),
		at("old", answers(t, 404, problemJSON, `{"detail":"there is no operation with this path"}`)),
		at("other token", answers(t, 401, problemJSON, `{"detail":"bad token"}`)),
		at("broken", answers(t, 500, problemJSON, `{"detail":"internal error (x in the server's log)"}`)),
		at("garbage", answers(t, 200, "text/html", "<html>Welcome</html>")),
		at("cut short", answers(t, 200, "application/json", `{"sessions":[{"id":"lost"},`)),
		at("huge", answers(t, 200, "application/json", huge)),
		at("impostor", answers(t, 200, "application/json", `{"sessions":[{"id":"false"}],"servers":[{"server":"b","own":true}]}`)),
		at("redirect", away.URL),
		at("silent", ""),
		at("stranger", strings.Replace(thief.URL, "127.0.0.1", "localhost", 1)),
		at("plain", "http://192.0.2.77:8080"),
		at("proxy", "ftp://127.0.0.1"),
	}
	servers[2].Lost = begin
	f := (&fixture{process: serverNamed("a"), peers: loopback}).listing(nil, servers...).start(t)
	c := f.unix(t)
	list, err := c.Sessions(t.Context(), adminclient.SessionFilter{}, 0)
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(ids(list.Sessions), " "); got != "a1 b1 a2 b2 a3 b3" || list.More != 0 {
		t.Errorf("sessions %s, and %d more", got, list.More)
	}
	for _, s := range list.Sessions {
		if s.Server != s.ID[:1] {
			t.Errorf("session %s is said to be on %s", s.ID, s.Server)
		}
	}
	want := map[string]string{
		"a": "", "b": "", "down": "cannot be reached: ", "old": "older release", "other token": "does not accept the token",
		"broken": "answered 500: internal error", "garbage": "cannot be used", "cut short": "cannot be used", "huge": "longer than 1 MiB",
		"impostor": `another server answers at its address: "b"`, "redirect": "answered 307", "silent": "no address for other servers",
		"stranger": "not among admin.peers", "plain": "plain HTTP", "proxy": "should be like",
	}
	if list.Complete || len(list.Servers) != len(want) {
		t.Errorf("complete %v, servers %+v", list.Complete, list.Servers)
	}
	for _, s := range list.Servers {
		problem, ok := want[s.Server]
		if !ok || s.Answered != (problem == "") || !strings.Contains(s.Problem, problem) || s.Datacenter != "dc1" || (s.LastHeartbeat != nil) != (s.Server == "down") {
			t.Errorf("%+v, want %q", s, problem)
		}
	}
	if n := leaked.Load(); n != 0 {
		t.Errorf("a stranger got %d requests", n)
	}

	// The load, with the same reasons.
	all, err := c.Servers(t.Context())
	if err != nil || all.Complete || len(all.Servers) != len(want) {
		t.Fatalf("%+v, %v", all, err)
	}
	for _, s := range all.Servers {
		switch loaded := s.Load != nil; {
		case s.Name == "a" || s.Name == "b":
			if !s.Answered || !loaded || s.Load.Sessions["pop3"] != 3 || s.Load.Deliveries != 2 || s.State != adminclient.Serving || s.Ahead == nil || s.ConfigVersion != 1 {
				t.Errorf("%+v", s)
			}
		case s.Answered || loaded || s.Problem == "":
			t.Errorf("%+v", s)
		}
	}

	// A disconnection reaches all servers; the second one finds nothing left to end.
	for _, want := range []int{2, 0} {
		ended, err := c.EndSessions(t.Context(), adminclient.SessionEnd{SessionFilter: adminclient.SessionFilter{User: "Alice@A.test"}})
		if err != nil || ended.Ended != want || ended.Complete || len(ended.Servers) != len(servers) {
			t.Errorf("%+v, %v; want %d ended", ended, err, want)
		}
	}
	if _, err := c.EndSessions(t.Context(), adminclient.SessionEnd{SessionFilter: adminclient.SessionFilter{Protocol: "smtp"}}); err == nil {
		t.Error("all sessions of a protocol were ended without \"all\"")
	}
}

// A server that does not answer costs its time limit, and no more.
func TestSlowServer(t *testing.T) {
	waits := make(chan struct{})
	slow := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-waits }))
	defer slow.Close()
	defer close(waits)
	peers := loopback
	peers.Timeout = 50 * time.Millisecond
	f := (&fixture{process: serverNamed("a"), peers: peers}).listing(nil, store.Server{Name: "a", Own: true}, at("slow", slow.URL)).start(t)
	list, err := f.unix(t).Sessions(t.Context(), adminclient.SessionFilter{}, 0)
	if err != nil || len(list.Sessions) != 3 || list.Complete || list.Servers[1].Problem != "it did not answer within 50ms" {
		t.Errorf("%+v, %v", list, err)
	}
}

// An unreachable store hides no server that was known before, and fails no answer.
func TestSessionsWithoutStore(t *testing.T) {
	b := (&fixture{token: secretOfAll, process: serverNamed("b")}).start(t)
	f := (&fixture{process: serverNamed("a"), peers: loopback}).listing(store.ErrUnavailable, at("b", b.serve(t))).start(t)
	list, err := f.unix(t).Sessions(t.Context(), adminclient.SessionFilter{}, 0)
	if err != nil || len(list.Sessions) != 6 || list.Complete || !strings.Contains(list.Warning, "cannot be read") {
		t.Errorf("%+v, %v", list, err)
	}
}

func TestSessionFilter(t *testing.T) {
	b := (&fixture{token: secretOfAll, process: serverNamed("b"), peers: loopback}).start(t)
	far := at("b", b.serve(t))
	far.Datacenter = "dc2"
	f := (&fixture{process: serverNamed("a"), peers: loopback}).listing(nil, store.Server{Name: "a", Datacenter: "dc1", Own: true}, far).start(t)
	c := f.unix(t)
	type filter = adminclient.SessionFilter
	for want, filter := range map[string]filter{
		"a1 b1 a2 b2":       {Protocol: "pop3"},
		"a2 b2":             {Protocol: "pop3s"},
		"a1 b1":             {User: "ALICE@a.test"},
		"a2 b2 ":            {User: "@B.test"},
		"a3 b3":             {Client: "198.51.100.0/24"},
		" a2 b2":            {Client: "2001:db8::1"},
		"b1 b2 b3":          {Server: "B.example.test"},
		"b1 b2 b3 ":         {Datacenter: "dc2"},
		"a1 a2 a3":          {Local: true},
		"b2":                {ID: "b2"},
		"a1 b1 a2 b2 ":      {OlderThan: "7h30m"},
		"a1 b1 a2 b2 a3 b3": {OlderThan: "0s"},
	} {
		list, err := c.Sessions(t.Context(), filter, 0)
		if got := strings.Join(ids(list.Sessions), " "); err != nil || got != strings.TrimSpace(want) || !list.Complete {
			t.Errorf("%+v: %s, %v; want %s", filter, got, err, want)
		}
	}
	list, err := c.Sessions(t.Context(), filter{}, 2)
	if err != nil || strings.Join(ids(list.Sessions), " ") != "a1 b1" || list.More != 4 {
		t.Errorf("with a limit: %+v, %v", list, err)
	}
	for _, bad := range []filter{{User: "alice"}, {Client: "host"}, {OlderThan: "soon"}, {Protocol: "imap"}} {
		if _, err := c.Sessions(t.Context(), bad, 0); err == nil {
			t.Errorf("%+v was taken", bad)
		}
	}
	_, err = c.Sessions(t.Context(), filter{Server: "c"}, 0)
	wantStatus(t, "an unknown server", err, http.StatusNotFound, "no such server")
}

// A token for a domain reaches the sessions of its accounts, on all servers, and no session without a
// login.
func TestSessionsOfADomain(t *testing.T) {
	other := serverNamed("b")
	b := (&fixture{token: secretOfAll, process: other, peers: loopback}).start(t)
	f := (&fixture{token: secretOfAll, engine: b.engine, process: serverNamed("a"), peers: loopback}).
		listing(nil, store.Server{Name: "a", Own: true}, at("b", b.serve(t))).start(t)
	url := f.serve(t)
	root := client(t, url, secretOfAll)
	addTwoDomains(t, root)
	for _, role := range []string{"read-only", "operator"} {
		c, _ := made(t, url, root, role, "domain:a.test")
		list, err := c.Sessions(t.Context(), adminclient.SessionFilter{}, 0)
		if got := fmt.Sprint(ids(list.Sessions)); err != nil || got != "[a1 b1]" || !list.Complete {
			t.Errorf("%s: %s, %+v, %v", role, got, list.Parts, err)
		}
		ended, err := c.EndSessions(t.Context(), adminclient.SessionEnd{All: true})
		if role == "read-only" {
			wantStatus(t, "disconnect", err, http.StatusForbidden, "needs the role operator")
			continue
		}
		if err != nil || ended.Ended != 2 || fmt.Sprint(other.ended) != "[b1]" {
			t.Errorf("%+v, %v; ended on b: %v", ended, err, other.ended)
		}
	}
}

func TestPeersWithoutToken(t *testing.T) {
	peers := loopback
	peers.Secret = ""
	f := (&fixture{process: serverNamed("a"), peers: peers}).listing(nil, store.Server{Name: "a", Own: true}, at("b", "http://127.0.0.1:1")).start(t)
	list, err := f.unix(t).Sessions(t.Context(), adminclient.SessionFilter{}, 0)
	if err != nil || len(list.Sessions) != 3 || !strings.Contains(list.Servers[1].Problem, "there is no token for it") {
		t.Errorf("%+v, %v", list, err)
	}
}

// Without a setting an answer of a peer may have 16 MiB.
func TestSizeOfAnswers(t *testing.T) {
	padded := func(size int) string {
		const begin, end = `{"sessions":[]`, `}`
		return begin + strings.Repeat(" ", size-len(begin)-len(end)) + end
	}
	peers := loopback
	peers.MaxAnswer = 0
	servers := []store.Server{
		{Name: "a", Datacenter: "dc1", Own: true},
		at("large", answers(t, 200, "application/json", padded(16<<20-1))),
		at("huge", answers(t, 200, "application/json", padded(16<<20+1))),
	}
	f := (&fixture{process: serverNamed("a"), peers: peers}).listing(nil, servers...).start(t)
	list, err := f.unix(t).Sessions(t.Context(), adminclient.SessionFilter{}, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range list.Servers {
		if huge := s.Server == "huge"; huge != strings.Contains(s.Problem, "longer than 16 MiB") || strings.Contains(s.Problem, "cannot be used") {
			t.Errorf("%+v", s)
		}
	}
}
