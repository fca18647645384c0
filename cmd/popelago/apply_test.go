package main

import (
	"bytes"
	"context"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"path/filepath"
	"strings"
	"testing"

	"popelago/adminclient"
	"popelago/app"
	"popelago/config"
)

// site is a server in this process, whose API is reached through a proxy.
type site struct {
	*testing.T
	admin *adminclient.Client
	url   string
	// before is called once, before the proxy passes the first change on; nil: no call.
	before func()
}

func newSite(t *testing.T) *site {
	t.Helper()
	cfg := config.Dev(filepath.Join(t.TempDir(), "data"))
	for _, listen := range []*[]string{&cfg.POP3.Listen, &cfg.POP3S.Listen, &cfg.SMTP.Listen, &cfg.LMTP.Listen, &cfg.Metrics.Listen} {
		*listen = nil
	}
	cfg.Auth.Argon2Memory, cfg.Auth.Argon2Time = 64, 1
	a, err := app.New(t.Context(), cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Stop(context.Background()) })
	if err := a.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	s := &site{T: t, admin: adminclient.Unix(cfg.AdminSocket())}
	t.Cleanup(s.admin.Close)
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) { r.Out.URL.Scheme, r.Out.URL.Host = "http", "admin" },
		Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "unix", cfg.AdminSocket())
		}},
	}
	listener := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && s.before != nil {
			before := s.before
			s.before = nil
			before()
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(listener.Close)
	s.url = listener.URL
	return s
}

// must ends the test on an error.
func (s *site) must(_ any, err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

// command runs a command against the site. text is the standard input.
func (s *site) command(text string, args ...string) (stdout, stderr string, code int) {
	var out, errs bytes.Buffer
	root := newRootCommand()
	root.SetIn(strings.NewReader(text))
	root.SetOut(&out)
	root.SetErr(&errs)
	code = run(root, append(args, "--server", s.url))
	return out.String(), errs.String(), code
}

// want runs a command that succeeds, and returns its output.
func (s *site) want(text string, args ...string) string {
	s.Helper()
	out, errs, code := s.command(text, args...)
	if code != 0 {
		s.Fatalf("%q: exit code %d: %s", args, code, errs)
	}
	return out
}

// Another administrator changes an account between the comparison and the changes of apply. The command names the
// account, leaves it as it is and ends with the exit code of a conflict; the next run makes the rest alone.
func TestApplyMeetsAnotherAdministrator(t *testing.T) {
	s := newSite(t)
	ctx := t.Context()
	s.must(s.admin.AddDomain(ctx, "a.test"))
	for _, local := range []string{"alice", "bob", "carol"} {
		s.must(s.admin.AddAccount(ctx, local+"@a.test", "secret word"))
	}
	s.must(s.admin.AddAlias(ctx, "sales@a.test", "alice@a.test"))
	const file = `[domains."a.test".settings]
retention = "90d"
[domains."a.test".accounts]
alice = {quota = "3GiB"}
bob = {quota = "3GiB"}
carol = {quota = "3GiB"}
[domains."a.test".aliases]
sales = "bob@a.test"
`
	s.before = func() {
		s.must(s.admin.SetAccountSettings(ctx, "alice@a.test", map[string]string{"quota": "7GiB"}))
		s.must(s.admin.SetAccountSettings(ctx, "carol@a.test", map[string]string{"recipients": "5"}))
	}
	out, errs, code := s.command(file, "apply", "-")
	if code != exitConflict || !strings.Contains(out, "changes: 5\n") {
		t.Errorf("exit code %d, want %d\n%s", code, exitConflict, out)
	}
	for _, local := range []string{"alice", "carol"} {
		if want := "~ account " + local + "@a.test: quota none -> 3GiB: somebody else has changed it meanwhile, and it stays as it is: run the command again"; !strings.Contains(errs, want) {
			t.Errorf("the command says %q, want %q", errs, want)
		}
	}
	if strings.Contains(errs, "bob") {
		t.Errorf("the command says %q of an account that nobody else has changed", errs)
	}

	s.before = func() { s.must(s.admin.SetAliasTarget(ctx, "sales@a.test", "carol@a.test")) }
	out, errs, code = s.command(file, "apply", "-")
	want := `~ account alice@a.test: quota 7GiB -> 3GiB
~ account carol@a.test: quota none -> 3GiB
~ alias sales@a.test: alice@a.test -> bob@a.test
~ domain a.test: retention none -> 90d
changes: 4; not in the file, and kept: 1
`
	if code != exitConflict || out != want || !strings.Contains(errs, "~ alias sales@a.test: alice@a.test -> bob@a.test: somebody else has changed it meanwhile") {
		t.Errorf("exit code %d, %q, and\n%s\nwant\n%s", code, errs, out, want)
	}

	s.before = func() { s.must(s.admin.SetDomainSettings(ctx, "a.test", map[string]string{"delimiter": "+"})) }
	out, errs, code = s.command(file, "apply", "-")
	want = `~ alias sales@a.test: carol@a.test -> bob@a.test
~ domain a.test: retention none -> 90d
changes: 2; not in the file, and kept: 1
`
	if code != exitConflict || out != want || !strings.Contains(errs, "~ domain a.test: retention none -> 90d: somebody else has changed it meanwhile") {
		t.Errorf("exit code %d, %q, and\n%s\nwant\n%s", code, errs, out, want)
	}

	if out := s.want(file, "apply", "-"); !strings.HasPrefix(out, "~ domain a.test: retention none -> 90d\nchanges: 1;") {
		t.Errorf("the fourth run:\n%s", out)
	}
	if out := s.want(file, "apply", "-"); !strings.HasPrefix(out, "changes: 0;") {
		t.Errorf("the fifth run:\n%s", out)
	}
}

// Files with mistakes in the targets of aliases.
func TestBadTargets(t *testing.T) {
	for text, want := range map[string]string{
		`x = 3`:                `alias "x": the target is an address in quotes, or a list of addresses`,
		`x = ["a@b.test", 3]`:  `alias "x": a target is an address in quotes`,
		`x = {a = "b@c.test"}`: `alias "x": the target is an address in quotes, or a list of addresses`,
		`x = ["nobody"]`:       `bad address`,
		`x = ""`:               `bad address`,
	} {
		_, err := readDirectoryFile([]byte("[domains.\"b.test\".aliases]\n" + text))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}
