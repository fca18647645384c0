package admin_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"popelago/adminclient"
)

// Two administrators at once notice each other.
func TestIfMatch(t *testing.T) {
	f := new(fixture).start(t)
	c := f.unix(t)
	ctx := t.Context()
	if _, err := c.AddDomain(ctx, "a.test"); err != nil {
		t.Fatal(err)
	}
	if _, err := c.AddAccount(ctx, "alice@a.test", "secret word"); err != nil {
		t.Fatal(err)
	}
	tag := func(of func() (string, error)) string {
		t.Helper()
		tag, err := of()
		if err != nil || len(tag) < 10 {
			t.Fatalf("tag %q, %v", tag, err)
		}
		return tag
	}
	account := func() (string, error) { return c.AccountTag(ctx, "alice@a.test") }
	domain := func() (string, error) { return c.DomainTag(ctx, "A.test") }

	before, domainBefore := tag(account), tag(domain)
	if tag(account) != before || before == domainBefore {
		t.Error("a tag changed by itself, or tags do not differ")
	}
	mine := c.IfMatch(before)
	if err := mine.SetState(ctx, "alice@a.test", adminclient.Disabled); err != nil {
		t.Error(err)
	}
	after := tag(account)
	if after == before {
		t.Error("the tag is the same after a change")
	}
	set := func(c *adminclient.Client, value string) error {
		_, err := c.SetAccountSettings(ctx, "alice@a.test", map[string]string{"recipients": value})
		return err
	}
	for what, err := range map[string]error{
		"settings":  set(mine, "50"),
		"state":     mine.SetState(ctx, "alice@a.test", adminclient.Enabled),
		"password":  mine.SetPassword(ctx, "alice@a.test", "another word"),
		"retention": mine.SetRetention(ctx, "alice@a.test", "90d"),
		"remove":    func() error { _, err := mine.RemoveAccount(ctx, "alice@a.test"); return err }(),
	} {
		wantStatus(t, what, err, http.StatusPreconditionFailed, "has changed")
	}
	if tag(account) != after {
		t.Error("a refused change has changed something")
	}
	if err := c.IfMatch(`"x", `+after).SetState(ctx, "alice@a.test", adminclient.Enabled); err != nil {
		t.Errorf("one of several tags: %v", err)
	}
	if tag(account) != before {
		t.Error("the same state has another tag")
	}
	if err := c.IfMatch("*").SetRetention(ctx, "alice@a.test", "90d"); err != nil {
		t.Errorf("any tag: %v", err)
	}
	wantStatus(t, "of nothing", c.IfMatch("*").SetState(ctx, "nobody@a.test", adminclient.Enabled), http.StatusNotFound, "no such account")

	// A change of the password or of a setting alters the tag, and the tag of the settings is the same.
	for _, made := range []func() error{
		func() error { return set(c, "50") },
		func() error { return c.SetPassword(ctx, "alice@a.test", "another word") },
		func() error { return c.SetPassword(ctx, "alice@a.test", "another word") },
	} {
		before := tag(account)
		if err := made(); err != nil {
			t.Fatal(err)
		}
		if tag(account) == before {
			t.Error("the tag is the same after a change")
		}
		wantStatus(t, "old tag", set(c.IfMatch(before), "60"), http.StatusPreconditionFailed, "has changed")
	}
	shown, err := c.AccountSettings(ctx, "alice@a.test")
	if err != nil || shown.Tag != tag(account) {
		t.Errorf("the settings have the tag %q, %v", shown.Tag, err)
	}
	shown, err = c.IfMatch(shown.Tag).SetAccountSettings(ctx, "alice@a.test", map[string]string{"recipients": "none"})
	if err != nil || shown.Tag != tag(account) {
		t.Errorf("the changed settings have the tag %q, %v", shown.Tag, err)
	}
	quota := func(c *adminclient.Client, value string) (adminclient.Settings, error) {
		return c.SetDomainSettings(ctx, "a.test", map[string]string{"quota": value})
	}
	shown, err = quota(c.IfMatch(domainBefore), "1GiB")
	if err != nil || shown.Tag != tag(domain) || shown.Tag == domainBefore {
		t.Errorf("the changed settings of the domain have the tag %q, %v", shown.Tag, err)
	}
	_, err = quota(c.IfMatch(domainBefore), "2GiB")
	wantStatus(t, "settings of the domain", err, http.StatusPreconditionFailed, "has changed")
	if shown, err = quota(c.IfMatch(shown.Tag), ""); err != nil || shown.Tag != domainBefore {
		t.Errorf("the former state of the domain has the tag %q, not %q, %v", shown.Tag, domainBefore, err)
	}

	change := func(c *adminclient.Client) error {
		_, err := c.ChangeDomain(ctx, "a.test", adminclient.DomainSettings{Retention: "30d"})
		return err
	}
	if err := change(c.IfMatch(domainBefore)); err != nil {
		t.Error(err)
	}
	wantStatus(t, "change again", change(c.IfMatch(domainBefore)), http.StatusPreconditionFailed, "has changed")
	wantStatus(t, "remove", c.IfMatch(domainBefore).RemoveDomain(ctx, "a.test"), http.StatusPreconditionFailed, "has changed")
	_, err = c.IfMatch(before).AddDomain(ctx, "b.test")
	wantStatus(t, "without a resource", err, http.StatusBadRequest, "If-Match")

	w := httptest.NewRecorder()
	f.handler.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/v1/domains/a.test", nil))
	if w.Header().Get("ETag") != tag(domain) {
		t.Errorf("ETag %q", w.Header().Get("ETag"))
	}
}

// The tags of aliases and groups come from their targets.
func TestIfMatchOfAliases(t *testing.T) {
	f := new(fixture).start(t)
	c := f.unix(t)
	ctx := t.Context()
	if _, err := c.AddDomain(ctx, "a.test"); err != nil {
		t.Fatal(err)
	}
	for _, a := range []string{"alice@a.test", "bob@a.test"} {
		if _, err := c.AddAccount(ctx, a, "secret word"); err != nil {
			t.Fatal(err)
		}
	}
	alias, err := c.AddAlias(ctx, "sales@a.test", "alice@a.test")
	if err != nil {
		t.Fatal(err)
	}
	group, err := c.AddGroup(ctx, "team@a.test", []string{"alice@a.test"})
	if err != nil {
		t.Fatal(err)
	}
	if shown, err := c.Alias(ctx, alias.Address); err != nil || shown.Tag != alias.Tag || len(alias.Tag) < 10 || alias.Tag == group.Tag {
		t.Fatalf("%+v, %v; made with the tag %s, and the group with %s", shown, err, alias.Tag, group.Tag)
	}
	if page, err := c.Groups(ctx, "a.test", "", 0); err != nil || len(page.Groups) != 1 || page.Groups[0].Tag != group.Tag {
		t.Fatalf("%+v, %v; made with the tag %s", page, err, group.Tag)
	}
	changed, err := c.IfMatch(alias.Tag).SetAliasTarget(ctx, alias.Address, "bob@a.test")
	if err != nil || changed.Tag == alias.Tag {
		t.Errorf("%+v, %v", changed, err)
	}
	grown, err := c.IfMatch(group.Tag).AddMember(ctx, group.Address, "bob@a.test")
	if err != nil || grown.Tag == group.Tag {
		t.Errorf("%+v, %v", grown, err)
	}
	late := c.IfMatch(alias.Tag)
	_, err = late.SetAliasTarget(ctx, alias.Address, "alice@a.test")
	wantStatus(t, "target", err, http.StatusPreconditionFailed, "has changed")
	wantStatus(t, "alias", late.RemoveAlias(ctx, alias.Address), http.StatusPreconditionFailed, "has changed")
	late = c.IfMatch(group.Tag)
	_, err = late.RemoveMember(ctx, group.Address, "alice@a.test")
	wantStatus(t, "member", err, http.StatusPreconditionFailed, "has changed")
	wantStatus(t, "group", late.RemoveGroup(ctx, group.Address), http.StatusPreconditionFailed, "has changed")
	if err := c.IfMatch(changed.Tag).RemoveAlias(ctx, alias.Address); err != nil {
		t.Error(err)
	}
	if err := c.IfMatch(grown.Tag).RemoveGroup(ctx, group.Address); err != nil {
		t.Error(err)
	}
}
