package admin_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"popelago/account"
	"popelago/admin"
	"popelago/adminclient"
	"popelago/event"
	"popelago/mail"
	"popelago/store"
	"popelago/store/storetest"
	"popelago/trace"
	"popelago/webhook"
)

// traced adds a keeper of records to a fixture. The keeper ends with the test.
func (f *fixture) traced(t *testing.T) *fixture {
	t.Helper()
	f.config = func(cfg *adminConfig, st store.Store) {
		c := trace.DefaultConfig()
		c.Trace.Enabled, c.Audit.Enabled, c.FlushPatience = true, true, time.Hour
		c.Place = event.Place{Server: "mx1", Now: time.Now}
		keeper, err := trace.New(c, st, nil)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { keeper.Close(context.Background()) })
		f.keeper = keeper
		cfg.Events, cfg.Traces = keeper, trace.NewReader(c, st, keeper)
	}
	return f
}

// startWithFailures is start for a traced fixture whose failed logins are counted. Close of the result writes their events.
func (f *fixture) startWithFailures(t *testing.T) (failures *event.Failures) {
	t.Helper()
	traced := f.config
	f.config = func(cfg *adminConfig, st store.Store) {
		traced(cfg, st)
		failures = event.NewFailures(f.keeper)
		cfg.Events = failures
	}
	f.start(t)
	return failures
}

// lines describes events, the newest first.
func lines(list adminclient.EventList) string {
	var all []string
	for _, e := range list.Events {
		all = append(all, strings.TrimSpace(fmt.Sprintf("%s %s %s", e.Kind, e.Operation, e.Address)))
	}
	return strings.Join(all, "; ")
}

func put(t *testing.T, c *adminclient.Client, address string) adminclient.PutMessage {
	t.Helper()
	m, err := c.PutMessage(t.Context(), address, "", strings.NewReader("Message-ID: <1@example.org>\r\n\r\nsecret text\r\n"))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// Every access and every change of an administrator is found, with the state before and after, and without
// passwords, secrets and texts of messages.
func TestAuditOfAdministrators(t *testing.T) {
	f := new(fixture).traced(t).start(t)
	c, ctx := f.unix(t), t.Context()
	const alice = "alice@example.org"
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	_, err := c.AddDomain(ctx, "Example.org")
	must(err)
	_, err = c.AddAccount(ctx, "Alice@example.org", "geheim12")
	must(err)
	_, err = c.SetAccountSettings(ctx, alice, map[string]string{"quota": "1GiB"})
	must(err)
	must(c.SetPassword(ctx, alice, "geheim34"))
	m := put(t, c, alice)
	_, err = c.MessageHeader(ctx, alice, m.UniqueID)
	must(err)
	_, err = c.FetchMessage(ctx, alice, m.UniqueID, io.Discard)
	must(err)
	_, err = c.RemoveMessages(ctx, alice, adminclient.MaildropRemoval{All: true})
	must(err)
	_, err = c.Restore(ctx, alice, adminclient.RestoreRequest{All: true})
	must(err)
	secret, err := c.AddToken(ctx, adminclient.NewToken{Role: "operator", Scopes: []string{"domain:example.org"}, Lifetime: "1h"})
	must(err)

	list, err := c.Audit(ctx, adminclient.EventQuery{Subject: "ALICE@example.org"})
	must(err)
	const want = "access restore-messages alice@example.org; restored restore-messages alice@example.org; access remove-messages alice@example.org; removed remove-messages alice@example.org; " +
		"access fetch-message alice@example.org; access show-header alice@example.org; access put-message alice@example.org; " +
		"change set-password alice@example.org; change set-account-settings alice@example.org; change add-account alice@example.org"
	if got := lines(list); got != want {
		t.Errorf("audit of alice:\n got %s\nwant %s", got, want)
	}
	settings := list.Events[8]
	if strings.Contains(settings.Before, "quota") || !strings.Contains(settings.After, `"quota":"1GiB"`) || settings.Actor != "socket" {
		t.Errorf("settings %+v", settings)
	}
	everything, err := c.Audit(ctx, adminclient.EventQuery{})
	must(err)
	if got := lines(everything); !strings.HasPrefix(got, "change add-token; ") || !strings.HasSuffix(got, "; change add-domain example.org") {
		t.Errorf("audit of all: %s", got)
	}
	text := fmt.Sprintf("%+v %+v", list, everything)
	for _, secret := range []string{"geheim", "$argon2", secret.Secret, "secret text"} {
		if strings.Contains(text, secret) {
			t.Errorf("the audit has %q", secret)
		}
	}

	story, err := c.Trace(ctx, adminclient.EventQuery{Subject: m.UniqueID})
	must(err)
	if got := lines(story); got != "restored restore-messages alice@example.org; removed remove-messages alice@example.org; access fetch-message alice@example.org; access show-header alice@example.org; access put-message alice@example.org" {
		t.Errorf("trace: %s", got)
	}
	for _, subject := range []string{m.ID, strings.ToUpper(m.UniqueID)} {
		if other, err := c.Trace(ctx, adminclient.EventQuery{Subject: subject}); err != nil || lines(other) != lines(story) {
			t.Errorf("trace of %s: %s, %v", subject, lines(other), err)
		}
	}
	_, err = c.Trace(ctx, adminclient.EventQuery{Subject: "two words"})
	wantStatus(t, "no subject", err, http.StatusBadRequest, "name a message id")
	_, err = c.Trace(ctx, adminclient.EventQuery{Subject: "x", As: "id"})
	wantStatus(t, "no id", err, http.StatusBadRequest, "")
	_, err = c.Audit(ctx, adminclient.EventQuery{Before: "x"})
	wantStatus(t, "no position", err, http.StatusBadRequest, "not a position")
}

// refusing is a store that refuses removals on demand.
type refusing struct {
	store.Mail
	err error
}

func (r *refusing) RemoveListed(ctx context.Context, mailbox mail.MailboxID, rows []mail.Message) error {
	if r.err != nil {
		return r.err
	}
	return r.Mail.RemoveListed(ctx, mailbox, rows)
}

// The events of a removal without confirmation name the doubt, for a message and for the request.
func TestDoubtfulRemoval(t *testing.T) {
	r := &refusing{}
	f := (&fixture{wrap: func(engine store.Store) store.Store {
		r.Mail = engine.Mail.Local
		return storetest.WithMail(engine, r)
	}}).traced(t)
	a := withAlice(t, f, "a: 1\n\none\n")
	remove := func(err error, want string) {
		t.Helper()
		r.err = err
		if _, got := a.RemoveMessages(t.Context(), aliceAddress, adminclient.MaildropRemoval{All: true}); (got == nil) != (err == nil) {
			t.Fatalf("the removal with the error %v: %v", err, got)
		}
		list, err := a.Audit(t.Context(), adminclient.EventQuery{Subject: aliceAddress})
		if err != nil || len(list.Events) < 2 {
			t.Fatalf("%+v, %v", list, err)
		}
		for i, kind := range []string{"access", "removed"} {
			if e := list.Events[i]; e.Kind != kind || e.Operation != "remove-messages" || e.Cause != want {
				t.Errorf("event %s %s with the cause %q, want %s remove-messages with %q", e.Kind, e.Operation, e.Cause, kind, want)
			}
		}
	}
	remove(store.ErrOutcomeUnknown, "the removal was not confirmed")
	remove(nil, "")
}

// unconfirmed is a directory whose changes are made with an unknown outcome.
type unconfirmed struct {
	store.Directory
	on bool
}

func (u *unconfirmed) outcome(err error) error {
	if u.on && err == nil {
		return store.ErrOutcomeUnknown
	}
	return err
}

func (u *unconfirmed) ChangeAddress(ctx context.Context, a mail.Address, generation mail.MessageID, c store.AddressChange) error {
	return u.outcome(u.Directory.ChangeAddress(ctx, a, generation, c))
}

func (u *unconfirmed) AddToken(ctx context.Context, t store.Token) error {
	return u.outcome(u.Directory.AddToken(ctx, t))
}

// A change with an unknown outcome is in the log and in the audit, with the doubt, the caller and the address.
func TestDoubtfulChange(t *testing.T) {
	u := new(unconfirmed)
	f := (&fixture{wrap: func(st store.Store) store.Store {
		u.Directory = st.Directory.Local
		return storetest.WithDirectory(st, u)
	}}).traced(t).start(t)
	c, ctx := f.unix(t), t.Context()
	const alice = "alice@example.org"
	if _, err := c.AddDomain(ctx, "example.org"); err != nil {
		t.Fatal(err)
	}
	if _, err := c.AddAccount(ctx, alice, "secret word"); err != nil {
		t.Fatal(err)
	}
	u.on = true
	wantStatus(t, "disable", c.SetState(ctx, alice, adminclient.Disabled), http.StatusServiceUnavailable, "not known")
	_, err := c.AddToken(ctx, adminclient.NewToken{Role: "admin", Scopes: []string{"all"}, Lifetime: "1h"})
	wantStatus(t, "add a token", err, http.StatusServiceUnavailable, "not known")
	const bob = "bob@example.org"
	imported, err := c.Import(ctx, adminclient.Import{Accounts: []adminclient.ImportedAccount{{Address: bob, Password: "secret word"}}})
	if err != nil || len(imported.Accounts) != 1 || imported.Accounts[0].Outcome != adminclient.ImportFailed {
		t.Errorf("%+v, %v", imported, err)
	}
	u.on = false
	for subject, operation := range map[string]string{alice: "set-state", bob: "import-accounts", "token": "add-token"} {
		query := adminclient.EventQuery{Subject: subject}
		if subject == "token" {
			query.Subject = "" // all events
		}
		list, err := c.Audit(ctx, query)
		if err != nil {
			t.Fatal(err)
		}
		i := slices.IndexFunc(list.Events, func(e adminclient.Event) bool { return e.Operation == operation })
		if i < 0 {
			t.Fatalf("%q: %+v", subject, list)
		}
		e := list.Events[i]
		if e.Kind != "change" || e.Operation != operation || e.Cause != "the change was not confirmed" || e.Actor != "socket" {
			t.Errorf("%+v, want a doubtful %s", e, operation)
		}
		if operation == "set-state" && (!strings.Contains(e.Before, "enabled") || !strings.Contains(e.After, "disabled")) {
			t.Errorf("before %q, after %q", e.Before, e.After)
		}
	}
	for _, want := range []string{
		`msg="admin change" operation=set-state token=socket on=alice@example.org cause="the change was not confirmed"`,
		`token=socket on=alice@example.org`, `msg="admin request failed" operation=set-state`,
	} {
		if !strings.Contains(f.log.String(), want) {
			t.Errorf("the log lacks %s:\n%s", want, f.log)
		}
	}
}

// A caller sees the events of the own domains alone.
func TestTraceWithinScopes(t *testing.T) {
	f := (&fixture{token: "a secret of sixteen"}).traced(t).start(t)
	url := f.serve(t)
	all := client(t, url, "a secret of sixteen")
	ctx := t.Context()
	for _, domain := range []string{"one.test", "two.test"} {
		if _, err := all.AddDomain(ctx, domain); err != nil {
			t.Fatal(err)
		}
	}
	id := mail.NewIDSource(nil).Next()
	for _, address := range []string{"a@one.test", "b@two.test"} {
		f.keeper.Happened(event.Event{Kind: event.Accepted, Time: time.Now().Add(-time.Minute), Address: address, Message: id, HeaderID: "1@example.org"})
		f.keeper.Happened(event.Event{Kind: event.LoggedIn, Address: address})
	}
	one, _ := made(t, url, all, "admin", "domain:one.test")
	for _, subject := range []string{id.String(), "<1@example.org>", "1@example.org"} {
		list, err := one.Trace(ctx, adminclient.EventQuery{Subject: subject})
		if err != nil || lines(list) != "login  a@one.test; accepted  a@one.test" {
			t.Errorf("trace of %s: %q, %v", subject, lines(list), err)
		}
	}
	_, err := one.Trace(ctx, adminclient.EventQuery{Subject: "b@two.test"})
	wantStatus(t, "another address", err, http.StatusForbidden, "")
	for _, subject := range []string{"b@two.test", "two.test"} {
		_, err = one.Audit(ctx, adminclient.EventQuery{Subject: subject})
		wantStatus(t, subject, err, http.StatusForbidden, "")
	}
	list, err := one.Audit(ctx, adminclient.EventQuery{})
	if err != nil || lines(list) != "change add-domain one.test" {
		t.Errorf("audit %q, %v", lines(list), err)
	}
	operator, _ := made(t, url, all, "operator", "all")
	_, err = operator.Audit(ctx, adminclient.EventQuery{})
	wantStatus(t, "an operator", err, http.StatusForbidden, "needs the role admin")
}

// A trace of an alias, a group or a tagged address names the accounts whose events have the mail, within the scopes.
func TestTraceLeadsTo(t *testing.T) {
	f := (&fixture{token: "a secret of sixteen"}).traced(t).start(t)
	url, ctx := f.serve(t), t.Context()
	all := client(t, url, "a secret of sixteen")
	addTwoDomains(t, all)
	must := func(_ any, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(all.SetDomainSettings(ctx, "a.test", map[string]string{"delimiter": "+"}))
	must(all.AddAlias(ctx, "sales@a.test", "alice@a.test"))
	must(all.AddGroup(ctx, "team@a.test", []string{"sales@a.test", "alice@b.test"}))
	must(all.RenameAccount(ctx, "alice@a.test", "alicia@a.test"))
	f.keeper.Happened(event.Event{Kind: event.Accepted, Time: time.Now(), Address: "alice@a.test", HeaderID: "alicia@a.test"})
	one, _ := made(t, url, all, "operator", "domain:a.test")
	for subject, want := range map[string]string{
		"Sales@A.test": "alicia@a.test", "team@a.test": "alice@b.test alicia@a.test", "alicia+shop@a.test": "alicia@a.test",
		"alice@a.test": "alicia@a.test", "alicia@a.test": "", "<sales@a.test>": "", "nobody@a.test": "", "nobody@elsewhere.test": "",
	} {
		list, err := all.Trace(ctx, adminclient.EventQuery{Subject: subject})
		if got := strings.Join(list.LeadsTo, " "); err != nil || got != want {
			t.Errorf("%s leads to %q, %v; want %q", subject, got, err, want)
		}
	}
	list, err := one.Trace(ctx, adminclient.EventQuery{Subject: "team@a.test", As: "address"})
	if got := strings.Join(list.LeadsTo, " "); err != nil || got != "alicia@a.test" {
		t.Errorf("within the scopes: %q, %v", got, err)
	}
}

// spoiled returns the records of two.test with other octets than were written.
type spoiled struct{ store.Journal }

func (s spoiled) Records(ctx context.Context, j store.JournalName, key string, day int, before store.Record, limit int) ([]store.Record, bool, error) {
	rows, more, err := s.Journal.Records(ctx, j, key, day, before, limit)
	for i, r := range rows {
		if strings.Contains(string(r.Data), "two.test") {
			rows[i].Data = []byte("damaged")
		}
	}
	return rows, more, err
}

// A caller learns nothing of damaged records of other domains.
func TestDamagedRecordsWithinScopes(t *testing.T) {
	f := (&fixture{token: "a secret of sixteen"}).traced(t)
	f.wrap = func(st store.Store) store.Store {
		st.Journal.Local = spoiled{st.Journal.Local}
		return st
	}
	traced, q := f.config, webhook.DefaultConfig()
	f.config = func(cfg *adminConfig, st store.Store) {
		traced(cfg, st)
		q.Enabled, q.Place = true, event.Place{Server: "mx1", Now: time.Now}
		outbox, err := webhook.NewOutbox(q, st, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { outbox.Close(context.Background()) })
		outbox.Happened(event.Event{Kind: event.Accepted, Time: time.Now(), Address: "b@two.test"})
		cfg.Webhooks = admin.Webhooks{Queue: webhook.NewQueue(q, st, outbox), Failures: func() map[string]webhook.Failure { return nil }}
	}
	f.start(t)
	url, ctx := f.serve(t), t.Context()
	all := client(t, url, "a secret of sixteen")
	one, _ := made(t, url, all, "admin", "domain:one.test")
	two, _ := made(t, url, all, "admin", "domain:two.test")
	id := mail.NewIDSource(nil).Next()
	f.keeper.Happened(event.Event{Kind: event.Accepted, Time: time.Now(), Address: "b@two.test", Message: id, UIDL: "one-two", HeaderID: "1@example.org"})
	f.keeper.Happened(event.Event{Kind: event.LoginFailed, Time: time.Now(), Address: "b@two.test"})
	for name, damaged := range map[string]func(c *adminclient.Client) (int, error){
		"trace by id":     func(c *adminclient.Client) (int, error) { return damagedTrace(ctx, c, id.String()) },
		"trace by UIDL":   func(c *adminclient.Client) (int, error) { return damagedTrace(ctx, c, "one-two") },
		"trace by header": func(c *adminclient.Client) (int, error) { return damagedTrace(ctx, c, "<1@example.org>") },
		"failed logins": func(c *adminclient.Client) (int, error) {
			l, err := c.Audit(ctx, adminclient.EventQuery{FailedLogins: true})
			return l.Damaged, err
		},
		"queue": func(c *adminclient.Client) (int, error) {
			l, err := c.Events(ctx, adminclient.QueueQuery{})
			return l.Damaged, err
		},
	} {
		if n, err := damaged(all); err != nil || n != 1 {
			t.Errorf("%s: the scope all sees %d damaged, %v", name, n, err)
		}
		if n, err := damaged(one); err != nil || n != 0 {
			t.Errorf("%s: one.test sees %d damaged, %v", name, n, err)
		}
	}
	if n, err := damagedTrace(ctx, two, "b@two.test"); err != nil || n != 1 {
		t.Errorf("two.test sees %d damaged of an own account, %v", n, err)
	}
}

func damagedTrace(ctx context.Context, c *adminclient.Client, subject string) (int, error) {
	l, err := c.Trace(ctx, adminclient.EventQuery{Subject: subject})
	return l.Damaged, err
}

// recorder fails on demand.
type recorder struct {
	mu   sync.Mutex
	fail error
	all  []event.Event
}

func (r *recorder) Record(_ context.Context, e event.Event) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.fail == nil {
		r.all = append(r.all, e)
	}
	return r.fail
}

// Where a record is required, no message is shown without it.
func TestRequiredRecord(t *testing.T) {
	r := &recorder{}
	f := &fixture{}
	f.config = func(cfg *adminConfig, _ store.Store) { cfg.Required = r }
	c := f.start(t).unix(t)
	ctx := t.Context()
	if _, err := c.AddDomain(ctx, "example.org"); err != nil {
		t.Fatal(err)
	}
	if _, err := c.AddAccount(ctx, "alice@example.org", "geheim12"); err != nil {
		t.Fatal(err)
	}
	m := put(t, c, "alice@example.org")
	if _, err := c.MessageHeader(ctx, "alice@example.org", m.UniqueID); err != nil || len(r.all) != 1 || r.all[0].Actor != "socket" {
		t.Errorf("header: %v, records %+v", err, r.all)
	}
	r.fail = fmt.Errorf("test: %w", store.ErrUnavailable)
	_, err := c.MessageHeader(ctx, "alice@example.org", m.UniqueID)
	wantStatus(t, "header", err, http.StatusServiceUnavailable, "")
	_, err = c.FetchMessage(ctx, "alice@example.org", m.UniqueID, io.Discard)
	wantStatus(t, "message", err, http.StatusServiceUnavailable, "")
}

// A name of a failed login that is no address may be a password, also where names without a domain count; the name of an
// account is shown.
func TestNoPasswordAsAName(t *testing.T) {
	f := (&fixture{token: "a secret of sixteen", defaultDomain: "one.test"}).traced(t)
	failures := f.startWithFailures(t)
	c := client(t, f.serve(t), "a secret of sixteen")
	if _, err := c.AddDomain(t.Context(), "one.test"); err != nil {
		t.Fatal(err)
	}
	if _, err := c.AddAccount(t.Context(), "alice@one.test", "geheim12"); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"geheim12", "alice"} {
		f.self(http.MethodGet, ownPath, local, name, "guess99", "")
	}
	failures.Close()
	list, err := c.Audit(t.Context(), adminclient.EventQuery{FailedLogins: true})
	if err != nil || len(list.Events) != 2 || list.Events[0].Address != "alice@one.test" || list.Events[1].Address != "" {
		t.Errorf("%+v, %v", list.Events, err)
	}
}

// The audit has failed logins of users and refused tokens, merged, for callers who reach the domain; no secret.
func TestAuditOfFailedLogins(t *testing.T) {
	f := (&fixture{token: "a secret of sixteen"}).traced(t)
	failures := f.startWithFailures(t)
	url, ctx := f.serve(t), t.Context()
	c := client(t, url, "a secret of sixteen")
	for _, domain := range []string{"one.test", "two.test"} {
		if _, err := c.AddDomain(ctx, domain); err != nil {
			t.Fatal(err)
		}
		if _, err := c.AddAccount(ctx, "alice@"+domain, "geheim12"); err != nil {
			t.Fatal(err)
		}
	}
	for range 3 {
		f.self(http.MethodGet, "/v1/self/retention", "127.0.0.1:1", "Alice@one.test", "guess99", "")
	}
	f.self(http.MethodGet, "/v1/self/retention", "127.0.0.1:1", "nobody@two.test", "guess99", "")
	f.self(http.MethodGet, "/v1/self/retention", "127.0.0.1:1", "", "", "") // the question for a password
	_, err := client(t, url, "guess99 as a token").Domains(ctx)
	wantStatus(t, "a wrong token", err, http.StatusUnauthorized, "")
	failures.Close()

	failed := func(c *adminclient.Client, subject string) string {
		t.Helper()
		list, err := c.Audit(ctx, adminclient.EventQuery{Subject: subject, FailedLogins: true})
		if err != nil {
			t.Fatal(err)
		}
		var all []string
		for _, e := range list.Events {
			all = append(all, fmt.Sprintf("%s %s %d", e.Address, e.Cause, e.Attempts))
			if e.Kind != "login-failed" || e.Remote != "127.0.0.1" || e.Protocol != "HTTP" || strings.Contains(fmt.Sprintf("%+v", e), "guess99") {
				t.Errorf("event %+v", e)
			}
		}
		return strings.Join(all, "; ")
	}
	const one, two = "alice@one.test wrong_password 1", "nobody@two.test unknown_user 1"
	for subject, want := range map[string]string{
		"": "alice@one.test wrong_password 2;  wrong_token 1; " + two + "; " + one, "alice@one.test": "alice@one.test wrong_password 2; " + one,
		"two.test": two, "alice@two.test": "",
	} {
		if got := failed(c, subject); got != want {
			t.Errorf("failed logins of %q: %q, want %q", subject, got, want)
		}
	}
	all, err := c.Audit(ctx, adminclient.EventQuery{Subject: "alice@one.test"})
	if got := lines(all); err != nil || !strings.HasPrefix(got, "login-failed  alice@one.test; login-failed  alice@one.test; change add-account") {
		t.Errorf("audit of the account: %s, %v", got, err)
	}
	if all, err := c.Audit(ctx, adminclient.EventQuery{}); err != nil || strings.Contains(lines(all), "login-failed") {
		t.Errorf("the actions of administrators have failed logins: %s, %v", lines(all), err)
	}
	secret, err := c.AddToken(ctx, adminclient.NewToken{Role: "admin", Scopes: []string{"domain:two.test"}, Lifetime: "1h"})
	if err != nil {
		t.Fatal(err)
	}
	if got := failed(client(t, url, secret.Secret), ""); got != two {
		t.Errorf("a token for two.test sees %q", got)
	}
	for cause, err := range map[string]error{event.CauseUnknownUser: account.ErrNoSuchAccount, event.CauseHeldBack: account.ErrTooManyFailures} {
		if got := account.LoginReason(err); got != cause {
			t.Errorf("%v has the reason %s, want %s", err, got, cause)
		}
	}
}
