package admin_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"popelago/adminclient"
)

// decisions returns the steps of a trial that are no settings, as "decision" or "decision!" if refused.
func decisions(t adminclient.Trial) string {
	var all []string
	for _, s := range t.Steps {
		switch {
		case s.Setting != "":
		case s.Passed:
			all = append(all, s.Decision)
		default:
			all = append(all, s.Decision+"!")
		}
	}
	return strings.Join(all, ", ")
}

// repliesOf returns the replies of a trial.
func repliesOf(t adminclient.Trial) (all []string) {
	for _, r := range t.Replies {
		all = append(all, r.Protocol+" "+r.Command+": "+r.Reply)
	}
	return all
}

// Tests of addresses and messages make the decisions of delivery, name the settings, and store nothing.
func TestTrialsOfMail(t *testing.T) {
	f := (&fixture{token: "configured-secret"}).start(t)
	url := f.serve(t)
	root := client(t, url, "configured-secret")
	addTwoDomains(t, root)
	ctx := t.Context()
	if _, err := root.SetAccountSettings(ctx, "alice@a.test", map[string]string{"quota": "1MiB", "message_size": "100KiB"}); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		address string
		size    int64
		want    string
	}{
		{"Alice@a.test", 0, "recipient, quota of alice@a.test, limits at RCPT"},
		{"alice@a.test", 200 << 10, "recipient, quota of alice@a.test, limits at RCPT!"},
		{"nobody@a.test", 0, "recipient!"},
		{"alice@elsewhere.test", 0, "recipient!"},
	} {
		got, err := root.TestAddress(ctx, adminclient.AddressTrial{Address: test.address, Size: test.size})
		if err != nil || decisions(got) != test.want || got.Accepted == strings.Contains(test.want, "!") || len(got.Replies) != 2 || got.Resolution == nil {
			t.Errorf("%s: %+v, %v; want %s", test.address, got, err, test.want)
		}
	}
	got, err := root.TestAddress(ctx, adminclient.AddressTrial{Address: "alice@a.test"})
	sources := map[string]string{}
	for _, s := range got.Steps {
		if s.Setting != "" {
			sources[s.Setting] = s.Value + " " + s.Source
		}
	}
	if err != nil || sources["quota"] != "1MiB account" || sources["retention"] != "forever server" {
		t.Errorf("%v, %v", sources, err)
	}

	for _, test := range []struct{ name, text, want string }{
		{"sound", "Subject: x\r\n\r\nhello\r\n", "recipient, quota of alice@a.test, limits at RCPT, text"},
		{"LF", "Subject: x\n\nhello\n", "recipient, quota of alice@a.test, limits at RCPT, line ends, text"},
		{"bare CR", "Subject: x\r\n\r\nhe\rllo\r\n", "recipient, quota of alice@a.test, limits at RCPT, text!"},
		{"loop", strings.Repeat("Received: from x by y\r\n", 200) + "\r\n", "recipient, quota of alice@a.test, limits at RCPT, text!"},
		{"large", strings.Repeat("12345678901234567890\r\n", 10_000), "recipient, quota of alice@a.test, limits at RCPT, text!"},
	} {
		got, err := root.TestMessage(ctx, "alice@a.test", "bob@example.net", strings.NewReader(test.text))
		if err != nil || decisions(got) != test.want || got.Accepted == strings.Contains(test.want, "!") || len(got.Replies) != 4 {
			t.Errorf("%s: %+v, %v; want %s", test.name, got, err, test.want)
		}
	}
	if a, err := root.Account(ctx, "alice@a.test"); err != nil || a.Messages == nil || *a.Messages != 0 {
		t.Errorf("something was stored: %+v, %v", a, err)
	}
	c, _ := made(t, url, root, "read-only", "domain:b.test")
	_, err = c.TestAddress(ctx, adminclient.AddressTrial{Address: "alice@a.test"})
	wantStatus(t, "another domain", err, http.StatusForbidden, "outside the scopes")
	_, err = c.TestMessage(ctx, "alice@a.test", "", strings.NewReader("x\r\n"))
	wantStatus(t, "another domain", err, http.StatusForbidden, "outside the scopes")
}

// A test of a login gives the reason, needs the role admin, and finds no password by guessing.
func TestTrialsOfLogins(t *testing.T) {
	f := (&fixture{token: "configured-secret"}).start(t)
	url := f.serve(t)
	root := client(t, url, "configured-secret")
	addTwoDomains(t, root)
	ctx := t.Context()
	auth := func(c *adminclient.Client, address, password string, clear bool) (adminclient.Trial, error) {
		return c.TestAuth(ctx, adminclient.AuthTrial{Address: address, Password: password, Clear: clear, Client: "192.0.2.1"})
	}
	const before = "encryption, penalty, "
	for _, test := range []struct {
		address, password string
		clear             bool
		want              string
	}{
		{"alice@a.test", "secret word", false, before + "account, password, permission"},
		{"alice@a.test", "secret word", true, "encryption!, penalty, account, password, permission"},
		{"alice@a.test", "wrong", false, before + "account, password!"},
		{"nobody@a.test", "secret word", false, before + "account!"},
	} {
		got, err := auth(root, test.address, test.password, test.clear)
		if err != nil || decisions(got) != test.want || got.Accepted == strings.Contains(test.want, "!") || len(repliesOf(got)) != 1 {
			t.Errorf("%+v: %+v, %v", test, got, err)
		}
	}
	if err := root.SetState(ctx, "alice@b.test", adminclient.Disabled); err != nil {
		t.Fatal(err)
	}
	got, err := auth(root, "alice@b.test", "secret word", false)
	if err != nil || decisions(got) != before+"account, password, permission!" || !strings.Contains(got.Steps[len(got.Steps)-1].Detail, "the account is disabled") {
		t.Errorf("disabled: %+v, %v", got, err)
	}
	operator, _ := made(t, url, root, "operator", "domain:a.test")
	_, err = auth(operator, "alice@a.test", "secret word", false)
	wantStatus(t, "an operator", err, http.StatusForbidden, "needs the role admin")
	own, _ := made(t, url, root, "admin", "domain:a.test")
	_, err = auth(own, "alice@b.test", "secret word", false)
	wantStatus(t, "another domain", err, http.StatusForbidden, "outside the scopes")
	// A domain that stands for another leads to no account outside of the scopes, whatever the password.
	if _, err := root.AddDomain(ctx, "alias.test"); err != nil {
		t.Fatal(err)
	}
	if _, err := root.SetDomainSettings(ctx, "alias.test", map[string]string{"alias_of": "a.test"}); err != nil {
		t.Fatal(err)
	}
	narrow, _ := made(t, url, root, "admin", "domain:alias.test")
	var refusals []string
	for _, login := range []string{"alice", "nobody"} {
		for _, password := range []string{"secret word", "guess"} {
			_, err := auth(narrow, login+"@alias.test", password, false)
			wantStatus(t, login+" through another domain", err, http.StatusForbidden, "outside the scopes")
			refusals = append(refusals, fmt.Sprint(err))
		}
	}
	if len(slices.Compact(refusals)) != 1 {
		t.Errorf("the refusals differ: %q", refusals)
	}
	wide, _ := made(t, url, root, "admin", "domain:alias.test", "domain:a.test")
	for _, c := range []*adminclient.Client{root, wide} {
		if got, err := auth(c, "alice@alias.test", "secret word", false); err != nil || !got.Accepted {
			t.Errorf("with both scopes: %+v, %v", got, err)
		}
	}
	for range 20 {
		if _, err = auth(own, "alice@a.test", "guess", false); err != nil {
			break
		}
	}
	wantStatus(t, "guesses", err, http.StatusTooManyRequests, "too many wrong passwords")
	if strings.Contains(f.log.String(), "guess") || strings.Contains(f.log.String(), "secret word") {
		t.Errorf("the log has a password:\n%s", f.log)
	}
}
