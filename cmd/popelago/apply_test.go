package main

import (
	"bytes"
	"context"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"popelago/account"
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

// everything is a file with every kind of row and setting.
func everything() string {
	values := map[string]string{
		"deliver": "off", "pop3": "off", "reason": "a \"reason\", with #, ' and ü", "expires": "2099-12-31", "quota": "2GiB",
		"quota_messages": "1000", "over_quota": "refuse", "message_size": "10MiB", "recipients": "7", "reading": "each-or-local",
		"durability": "each", "retention": "90d", "retention_after_retrieval": "14d", "retention_min": "10d", "retention_max": "365d",
		"domain_quota": "1TiB", "domain_quota_messages": "100000", "catch_all": "bob@a.test", "delimiter": "+", "alias_of": "b.test",
	}
	var b bytes.Buffer
	settings := account.Settings()
	file := domainFile{
		Settings: map[string]string{}, Accounts: map[string]map[string]string{
			"all": {}, "bob": {}, "off": {keyState: adminclient.Disabled}, "ended": {"expires": "2001-02-03", keyState: adminclient.Disabled},
			"o'brien+x/y%2f": {"quota": "1GiB"}, "jürgen": {}, "=cmd|x": {"pop3": "off"},
		},
		Aliases: aliasTable{"one": []string{"bob@a.test"}, "two": []string{"all@a.test", "bob@a.test"}, "none": []string{}, "chain": []string{"one@a.test"}},
		Groups:  map[string][]string{"team": {"all@a.test", "jürgen@a.test", "two@a.test"}, "empty": {}},
	}
	for _, s := range settings {
		if s.Account {
			file.Accounts["all"][s.Name] = values[s.Name]
		}
		if s.Domain && s.Name != "alias_of" {
			file.Settings[s.Name] = values[s.Name]
		}
	}
	if err := file.write(&b, "a.test"); err != nil {
		panic(err)
	}
	other := domainFile{Settings: map[string]string{"alias_of": "a.test"}}
	if err := other.write(&b, "c.test"); err != nil {
		panic(err)
	}
	if err := (domainFile{}).write(&b, "empty.test"); err != nil {
		panic(err)
	}
	return b.String()
}

// apply makes every kind of row and setting, and what export then prints is the same file, on which apply finds
// nothing to change: on the same server, also with --prune, and on another server after one run.
func TestExportAndApplyAgree(t *testing.T) {
	first, second := newSite(t), newSite(t)
	file := everything()
	first.want(file, "apply", "-")
	exported := first.want("", "export")
	if got := strings.TrimSuffix(exported[strings.Index(exported, "\n")+1:], "\n"+exportEnd+"\n"); got != file {
		t.Errorf("export prints\n%s\nwant\n%s", got, file)
	}
	const nothing = "changes: 0; nothing was changed\n"
	for _, args := range [][]string{{"apply", "-", "--dry-run"}, {"apply", "-", "--dry-run", "--prune"}} {
		if out := first.want(exported, args...); out != nothing {
			t.Errorf("%q finds\n%s", args, out)
		}
	}
	if out := first.want(exported, "apply", "-"); out != "changes: 0\n" {
		t.Errorf("apply of the exported file:\n%s", out)
	}

	// The other server has rows of its own, and an alias with a target where the first has none.
	ctx := t.Context()
	second.must(second.admin.AddDomain(ctx, "a.test"))
	second.must(second.admin.AddAccount(ctx, "mallory@a.test", "secret word"))
	second.must(second.admin.AddAlias(ctx, "none@a.test", "mallory@a.test"))
	second.must(second.admin.AddAlias(ctx, "more@a.test", "mallory@a.test"))
	second.want(exported, "apply", "-", "--prune")
	if out := second.want(exported, "apply", "-", "--dry-run", "--prune"); out != nothing {
		t.Errorf("on the other server the second run finds\n%s", out)
	}
	if got := second.want("", "export"); got != exported {
		t.Errorf("the other server exports\n%s\nwant\n%s", got, exported)
	}
	none, err := second.admin.Alias(ctx, "none@a.test")
	if err != nil || len(none.Targets) != 0 {
		t.Errorf("the alias without a target: %+v, %v", none, err)
	}
	if out, _, code := second.command("", "address", "resolve", "none@a.test"); code != 0 || !strings.Contains(out, "refused: no such recipient") {
		t.Errorf("mail for an alias without a target: exit code %d\n%s", code, out)
	}

	// The accounts as a file of users.
	users := first.want("", "export", "--csv")
	if out := first.want(users, "import", "-", "--quiet"); !strings.HasPrefix(out, "made: 0, changed: 0, unchanged: 7, refused: 0") {
		t.Errorf("import of the exported users:\n%s", out)
	}
}

// The test names every setting.
func TestEverythingHasEverySetting(t *testing.T) {
	file, err := readDirectoryFile([]byte(everything()))
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range account.Settings() {
		a, d := file.Domains["a.test"].Accounts["all"], file.Domains["a.test"].Settings
		if s.Name == "alias_of" {
			d = file.Domains["c.test"].Settings
		}
		if s.Account && a[s.Name] == "" || s.Domain && d[s.Name] == "" {
			t.Errorf("the file lacks a value of %s: %v, %v", s.Name, slices.Sorted(maps.Keys(a)), slices.Sorted(maps.Keys(d)))
		}
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

// A server that ends during an import leaves lines with an unknown outcome: the command asks for a repetition, which
// makes the rest.
func TestImportWithoutAnswer(t *testing.T) {
	s := newSite(t)
	s.must(s.admin.AddDomain(t.Context(), "a.test"))
	const file = "address,password\nalice@a.test,secret word\n"
	s.before = func() { panic(http.ErrAbortHandler) }
	out, errs, code := s.command(file, "import", "-")
	if want := "run the command again, which changes nothing twice"; code != exitUnavailable || !strings.Contains(errs, want) || !strings.Contains(out, "unknown: 1\n") {
		t.Errorf("exit code %d, want %d; %q, want %q\n%s", code, exitUnavailable, errs, want, out)
	}
	if out := s.want(file, "import", "-"); !strings.Contains(out, "made: 1,") {
		t.Errorf("the repetition: %s", out)
	}
}
