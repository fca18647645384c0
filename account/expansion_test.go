package account

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"popelago/mail"
	"popelago/store"
)

// counting counts the address rows and domains that are read.
type counting struct {
	store.Directory
	addresses, domains int
}

func (c *counting) AddressRows(ctx context.Context, a mail.Address) ([]store.Address, error) {
	c.addresses++
	return c.Directory.AddressRows(ctx, a)
}

func (c *counting) Domain(ctx context.Context, name string) (store.Domain, error) {
	c.domains++
	return c.Directory.Domain(ctx, name)
}

// rig is a directory with alice, bob and carol in example.test.
type rig struct {
	*testing.T
	*Directory
	clock *clock
	reads *counting
}

func newRig(t *testing.T) *rig {
	t.Helper()
	c := newClock()
	reads := &counting{Directory: openStore(t)}
	r := &rig{T: t, Directory: newDirectory(t, cheap(c), reads), clock: c, reads: reads}
	r.must(r.AddDomain(t.Context(), "example.test"))
	for _, local := range []string{"alice", "bob", "carol"} {
		addAccount(t, r.Directory, local+"@example.test", "secret")
	}
	return r
}

func (r *rig) must(_ any, err error) {
	r.Helper()
	if err != nil {
		r.Fatal(err)
	}
}

func (r *rig) addrs(list string) (addresses []mail.Address) {
	r.Helper()
	for _, s := range strings.Fields(list) {
		addresses = append(addresses, addr(r.T, s))
	}
	return addresses
}

func (r *rig) alias(a, target string) {
	r.Helper()
	r.must(r.AddAlias(r.Context(), addr(r.T, a), store.KindAlias, r.addrs(target)))
}

func (r *rig) group(a, members string) {
	r.Helper()
	r.must(r.AddAlias(r.Context(), addr(r.T, a), store.KindGroup, r.addrs(members)))
}

// row writes a row as another datacenter may have written it, without a check.
func (r *rig) row(a string, kind store.AddressKind, targets string) {
	r.Helper()
	err := r.reads.ChangeAddress(r.Context(), addr(r.T, a), mail.MessageID{}.Sibling(kindNumber(kind)), store.AddressChange{Kind: &kind, AddTargets: r.addrs(targets)})
	r.must(nil, err)
	r.clock.advance(r.cfg.CacheTTL)
}

func (r *rig) set(domain, name, value string) {
	r.Helper()
	r.must(r.ChangeDomain(r.Context(), domain, store.DomainChange{Settings: map[string]string{name: value}}))
}

// want checks the recipients: final addresses, each followed by "<" and the original address if there is one.
func (r *rig) want(a, recipients string) {
	r.Helper()
	found, err := r.Expand(r.Context(), addr(r.T, a))
	if err != nil {
		r.Errorf("%s: %v", a, err)
		return
	}
	var got []string
	for _, f := range found {
		text := f.Address.String()
		if !f.Original.IsZero() {
			text += "<" + f.Original.String()
		}
		got = append(got, text)
	}
	if !slices.Equal(got, strings.Fields(recipients)) {
		r.Errorf("%s: %s, want %s", a, strings.Join(got, " "), recipients)
	}
}

func (r *rig) wantErr(a string, want error) {
	r.Helper()
	if found, err := r.Expand(r.Context(), addr(r.T, a)); !errors.Is(err, want) {
		r.Errorf("%s: %+v, %v, want %v", a, found, err, want)
	}
}

func TestAliasesAndGroups(t *testing.T) {
	r := newRig(t)
	ctx := t.Context()
	r.alias("sales@example.test", "ALICE@example.test")
	r.group("team@example.test", "bob@example.test sales@example.test alice@example.test")
	r.want("Sales@Example.test", "alice@example.test<Sales@Example.test")
	r.want("team@example.test", "alice@example.test<team@example.test bob@example.test<team@example.test")
	r.must(r.ChangeMembers(ctx, addr(t, "team@example.test"), r.addrs("carol@example.test"), r.addrs("alice@example.test nobody@example.test")))
	r.want("team@example.test", "bob@example.test<team@example.test carol@example.test<team@example.test alice@example.test<team@example.test")
	r.must(r.SetTarget(ctx, addr(t, "sales@example.test"), addr(t, "carol@example.test")))
	r.want("sales@example.test", "carol@example.test<sales@example.test")

	// A member that is removed, or disabled, misses the mail alone.
	r.must(nil, r.RemoveAccount(ctx, addr(t, "bob@example.test")))
	r.want("team@example.test", "carol@example.test<team@example.test")
	r.must(nil, r.SetState(ctx, addr(t, "carol@example.test"), store.StateDisabled))
	r.wantErr("team@example.test", ErrDisabled)
	r.must(nil, r.RemoveAccount(ctx, addr(t, "carol@example.test")))
	r.wantErr("team@example.test", ErrNoSuchRecipient)
	r.wantErr("sales@example.test", ErrNoSuchRecipient)

	// An alias is no account.
	_, err := r.Account(ctx, addr(t, "sales@example.test"))
	wantErr(t, "Account", err, ErrNoSuchAccount)
	wantErr(t, "RemoveAccount", r.RemoveAccount(ctx, addr(t, "sales@example.test")), ErrNoSuchAccount)
	wantErr(t, "SetPassword", r.SetPassword(ctx, addr(t, "sales@example.test"), "secret"), ErrNoSuchAccount)
	_, err = r.Authenticate(ctx, "sales@example.test", "")
	wantErr(t, "a login", err, ErrBadCredentials)
	_, err = r.AddAccount(ctx, addr(t, "sales@example.test"), "secret")
	wantErr(t, "AddAccount", err, ErrExists)
	_, err = r.Alias(ctx, addr(t, "team@example.test"), store.KindAlias)
	wantErr(t, "Alias of a group", err, ErrNoSuchAlias)
	if accounts, _, err := r.Accounts(ctx, "example.test", "", 100); err != nil || len(accounts) != 1 {
		t.Errorf("Accounts: %+v, %v", accounts, err)
	}
	if groups, _, err := r.Aliases(ctx, "example.test", store.KindGroup, "", 100); err != nil || len(groups) != 1 || len(groups[0].Targets) != 3 {
		t.Errorf("Aliases: %+v, %v", groups, err)
	}

	// The address of an alias that was removed is free, and its account has a mailbox of its own.
	r.must(nil, r.RemoveAlias(ctx, addr(t, "sales@example.test"), store.KindAlias))
	r.wantErr("sales@example.test", ErrNoSuchRecipient)
	addAccount(t, r.Directory, "sales@example.test", "secret")
	r.want("sales@example.test", "sales@example.test")
	wantErr(t, "RemoveDomain", r.RemoveDomain(ctx, "example.test"), ErrDomainNotEmpty)
}

// Targets that lead nowhere are refused with the way in the text.
func TestTargetsAreChecked(t *testing.T) {
	r := newRig(t)
	ctx := t.Context()
	add := func(a string, kind store.AddressKind, targets string, want error, texts ...string) {
		t.Helper()
		_, err := r.AddAlias(ctx, addr(t, a), kind, r.addrs(targets))
		wantErr(t, a, err, want)
		for _, text := range texts {
			if err != nil && !strings.Contains(err.Error(), text) {
				t.Errorf("%s: %q lacks %q", a, err, text)
			}
		}
	}
	add("a@example.test", store.KindAlias, "nobody@example.test", ErrBadTarget, "nobody@example.test")
	add("a@example.test", store.KindAlias, "someone@elsewhere.test", ErrBadTarget)
	add("a@example.test", store.KindAlias, "a@example.test", ErrBadTarget, "a@example.test -> a@example.test")
	add("alice@example.test", store.KindAlias, "bob@example.test", ErrExists)
	add("a@other.test", store.KindAlias, "bob@example.test", ErrNoSuchDomain)
	r.alias("a@example.test", "alice@example.test")
	r.group("b@example.test", "a@example.test bob@example.test")
	r.alias("c@example.test", "b@example.test")
	_, err := r.SetTarget(ctx, addr(t, "a@example.test"), addr(t, "c@example.test"))
	wantErr(t, "a loop", err, ErrBadTarget)
	if want := "a@example.test -> c@example.test -> b@example.test -> a@example.test"; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("%v lacks the way %s", err, want)
	}
	r.want("c@example.test", "alice@example.test<c@example.test bob@example.test<c@example.test")

	r.cfg.MaxAliasAccounts = 2
	add("many@example.test", store.KindGroup, "alice@example.test bob@example.test carol@example.test", ErrBadTarget)
	r.cfg.MaxAliasDepth = 3
	add("deep@example.test", store.KindAlias, "c@example.test", ErrBadTarget)
}

// Loops that two datacenters make at the same time are harmless: accounts behind the loop get the mail, and
// mail for a mere loop waits with its sender.
func TestLoopsOfTwoDatacenters(t *testing.T) {
	r := newRig(t)
	r.row("a@example.test", store.KindAlias, "b@example.test")
	r.row("b@example.test", store.KindAlias, "a@example.test")
	r.wantErr("a@example.test", ErrMisdirected)
	r.row("g@example.test", store.KindGroup, "h@example.test alice@example.test")
	r.row("h@example.test", store.KindGroup, "g@example.test bob@example.test h@example.test a@example.test")
	r.want("g@example.test", "alice@example.test<g@example.test bob@example.test<g@example.test")
	r.cfg.MaxAliasAccounts = 1
	r.wantErr("g@example.test", ErrMisdirected)
	r.cfg.MaxAliasAccounts = 1000
	// The loop ends when an administrator gives an alias another target, or a second one arrives.
	r.row("b@example.test", store.KindAlias, "carol@example.test")
	r.want("a@example.test", "carol@example.test<a@example.test")
	e, err := r.Explain(t.Context(), addr(t, "h@example.test"))
	if err != nil || e.Err != nil || len(e.Recipients) != 3 || !slices.ContainsFunc(e.Steps, func(s Step) bool { return s.Result == ResultLoop }) {
		t.Errorf("Explain: %+v, %v", e, err)
	}
}

// An account and an alias that two datacenters make of an address at the same time are two rows: the account
// keeps its maildrop and its mail.
func TestAccountAndAliasAtOnce(t *testing.T) {
	r := newRig(t)
	ctx := t.Context()
	before, err := r.Account(ctx, addr(t, "alice@example.test"))
	r.must(nil, err)
	r.row("alice@example.test", store.KindAlias, "bob@example.test")
	r.row("alice@example.test", store.KindGroup, "bob@example.test carol@example.test")
	r.want("alice@example.test", "alice@example.test")
	if after, err := r.Account(ctx, before.Address); err != nil || after.Mailbox != before.Mailbox {
		t.Errorf("the account: %+v, %v", after, err)
	}
	rows, err := r.reads.AddressRows(ctx, before.Address)
	r.must(nil, err)
	var displaced int
	for _, g := range Generations(rows, Keeping{}) {
		if g.Status == Displaced {
			displaced++
		}
	}
	if displaced != 2 {
		t.Errorf("%d displaced rows", displaced)
	}
	r.must(nil, r.RemoveAccount(ctx, before.Address))
	r.wantErr("alice@example.test", ErrNoSuchRecipient)
	r.group("alice@example.test", "bob@example.test")
	r.want("alice@example.test", "bob@example.test<alice@example.test")
	r.must(nil, r.RemoveAlias(ctx, before.Address, store.KindGroup))
	after := addAccount(t, r.Directory, "alice@example.test", "secret")
	if after.Mailbox == before.Mailbox {
		t.Error("the new account has the mailbox of the old one")
	}
}

// Rules of a domain: the address, then the address without its tag, then the other domain, then the catch-all.
func TestRulesOfDomains(t *testing.T) {
	r := newRig(t)
	ctx := t.Context()
	r.must(r.AddDomain(ctx, "other.test"))
	r.wantErr("alice+x@example.test", ErrNoSuchRecipient)
	r.set("example.test", SettingDelimiter, "+")
	r.want("Alice+Shop+x@example.test", "Alice+Shop+x@example.test")
	r.wantErr("+x@example.test", ErrNoSuchRecipient)
	addAccount(t, r.Directory, "alice+own@example.test", "secret")
	r.want("alice+own@example.test", "alice+own@example.test")
	r.alias("sales@example.test", "bob+sales@example.test")
	r.want("sales+x@example.test", "bob+sales@example.test<sales+x@example.test")

	r.set("other.test", SettingAliasOf, "Example.test")
	r.want("alice@other.test", "alice@example.test<alice@other.test")
	r.want("alice+x@other.test", "alice+x@example.test<alice+x@other.test")
	r.want("sales@other.test", "bob+sales@example.test<sales@other.test")
	addAccount(t, r.Directory, "bob@other.test", "secret")
	r.want("bob@other.test", "bob@other.test")
	r.wantErr("nobody@other.test", ErrNoSuchRecipient)

	r.set("example.test", SettingCatchAll, "Carol@example.test")
	r.want("nobody@example.test", "carol@example.test<nobody@example.test")
	r.want("nobody@other.test", "carol@example.test<nobody@other.test")
	r.want("carol@example.test", "carol@example.test<carol@example.test") // programs that split by recipient find the line
	r.want("alice@example.test", "alice@example.test")
	r.set("other.test", SettingCatchAll, "bob@other.test")
	r.want("nobody@other.test", "bob@other.test<nobody@other.test")

	change := func(domain, name, value string, want error) {
		t.Helper()
		_, err := r.ChangeDomain(ctx, domain, store.DomainChange{Settings: map[string]string{name: value}})
		wantErr(t, name+" "+value, err, want)
	}
	change("example.test", SettingDelimiter, "ab", ErrBadSetting)
	change("example.test", SettingDelimiter, "@", ErrBadSetting)
	change("example.test", SettingCatchAll, "void@example.test", ErrBadTarget)
	change("example.test", SettingCatchAll, "nothing", ErrBadSetting)
	change("example.test", SettingAliasOf, "other.test", ErrBadTarget)
	change("example.test", SettingAliasOf, "example.test", ErrBadTarget)
	change("example.test", SettingAliasOf, "void.test", ErrNoSuchDomain)
	r.must(r.AddDomain(ctx, "third.test"))
	change("third.test", SettingAliasOf, "other.test", ErrBadTarget)
	change("example.test", SettingAliasOf, "third.test", ErrDomainInUse)
	r.set("third.test", SettingAliasOf, "example.test")
	for name := range map[string]bool{SettingDelimiter: true, SettingCatchAll: true} {
		r.set("example.test", name, "")
	}
	r.wantErr("nobody@example.test", ErrNoSuchRecipient)
	r.wantErr("alice+x@example.test", ErrNoSuchRecipient)
	wantErr(t, "RemoveDomain", r.RemoveDomain(ctx, "example.test"), ErrDomainInUse)

	// A login in the domain that stands for another is a login of the account, an alias is none.
	if l, err := r.Authenticate(ctx, "Alice@third.test", "secret"); err != nil || l.Address != addr(t, "alice@example.test") {
		t.Errorf("a login: %+v, %v", l, err)
	}
	_, err := r.Authenticate(ctx, "sales@third.test", "secret")
	wantErr(t, "a login as an alias", err, ErrBadCredentials)
	_, err = r.Authenticate(ctx, "alice@third.test", "wrong")
	wantErr(t, "a wrong password", err, ErrBadCredentials)
}

// A recipient costs one read of an address, and no read from the cache, also behind an alias, a tag and a
// catch-all. A group costs one read for each member.
func TestReadsOfRecipients(t *testing.T) {
	r := newRig(t)
	ctx := t.Context()
	r.alias("sales@example.test", "alice@example.test")
	r.group("team@example.test", "alice@example.test bob@example.test")
	r.set("example.test", SettingDelimiter, "+")
	r.set("example.test", SettingCatchAll, "carol@example.test")
	for _, c := range []struct {
		address string
		reads   int
	}{
		{"alice@example.test", 1}, {"sales@example.test", 2}, {"team@example.test", 3}, {"alice+x@example.test", 2}, {"nobody@example.test", 2},
	} {
		r.clock.advance(r.cfg.CacheTTL)
		r.must(r.domain(ctx, "example.test"))
		for i, want := range []int{c.reads, 0, 0} {
			before := *r.reads
			r.must(r.Expand(ctx, addr(t, c.address)))
			if got := r.reads.addresses - before.addresses; got != want || r.reads.domains != before.domains {
				t.Errorf("%s, time %d: %d reads of addresses and %d of domains, want %d and 0", c.address, i, got, r.reads.domains-before.domains, want)
			}
		}
	}
	// A new address counts at once.
	r.want("new@example.test", "carol@example.test<new@example.test")
	addAccount(t, r.Directory, "new@example.test", "secret")
	r.want("new@example.test", "new@example.test")
}

// Targets, members and rules of a domain from another datacenter, made a moment ago, are found there before a
// refusal. While the datacenter cannot be asked the mail waits.
func TestExpandElsewhere(t *testing.T) {
	here, there := newRig(t), newRig(t)
	each := &view{Directory: there.reads}
	d := newDirectoryOn(t, here.cfg, twoPlaces(here.reads, each))
	both := &rig{T: t, Directory: d, clock: here.clock, reads: here.reads}
	addAccount(t, there.Directory, "dave@example.test", "secret")
	there.group("team@example.test", "alice@example.test dave@example.test")
	there.alias("sales@example.test", "dave@example.test")
	here.row("team@example.test", store.KindGroup, "alice@example.test dave@example.test")
	here.row("sales@example.test", store.KindAlias, "dave@example.test")
	both.want("team@example.test", "alice@example.test<team@example.test dave@example.test<team@example.test")
	both.clock.advance(d.cfg.CacheTTL)
	both.want("sales@example.test", "dave@example.test<sales@example.test")
	both.clock.advance(d.cfg.CacheTTL)
	each.down = true
	for _, a := range []string{"team@example.test", "sales@example.test", "nobody@example.test"} {
		both.wantErr(a, store.ErrUnavailable)
	}
	each.down = false
	there.set("example.test", SettingCatchAll, "bob@example.test")
	there.set("example.test", SettingDelimiter, "+")
	both.want("nobody@example.test", "bob@example.test<nobody@example.test")
	both.want("alice+x@example.test", "alice+x@example.test")
}

// The settings of each account count behind a group, an alias, a tag and a catch-all: permissions, limits and
// durability.
func TestSettingsBehindAliases(t *testing.T) {
	r := newRig(t)
	ctx := t.Context()
	r.group("team@example.test", "alice@example.test bob@example.test")
	r.set("example.test", SettingDelimiter, "+")
	r.set("example.test", SettingCatchAll, "alice@example.test")
	alice, bob := addr(t, "alice@example.test"), addr(t, "bob@example.test")
	r.must(nil, r.SetAccountSettings(ctx, alice, map[string]string{"quota": "1GiB", "durability": "each"}))
	for _, a := range []string{"alice@example.test", "alice+x@example.test", "team@example.test", "nobody@example.test"} {
		found, err := r.Expand(ctx, addr(t, a))
		r.must(nil, err)
		if f := found[0]; f.Account != alice || f.Limits.Octets != 1<<30 || f.Durability != mail.DurabilityEach {
			t.Errorf("%s: %+v", a, f)
		}
	}
	for _, change := range []map[string]string{{"deliver": "off", "reason": "moved"}, {"deliver": "on", "expires": "1999-12-31"}} {
		r.must(nil, r.SetAccountSettings(ctx, alice, change))
		r.want("team@example.test", "bob@example.test<team@example.test")
		for _, a := range []string{"alice@example.test", "alice+x@example.test", "nobody@example.test"} {
			r.wantErr(a, ErrDisabled)
		}
	}
	r.must(nil, r.SetAccountSettings(ctx, bob, map[string]string{"deliver": "off", "reason": "on leave"}))
	r.wantErr("team@example.test", ErrDisabled)
	if e, err := r.Explain(ctx, bob); err != nil || len(e.Steps) != 1 || e.Steps[0].Result != ResultDisabled || !strings.Contains(e.Err.Error(), "on leave") {
		t.Errorf("Explain: %+v, %v", e, err)
	}
	if accounts, _, err := r.ListLimited(ctx, "example.test", "", 100); err != nil || len(accounts) != 3 {
		t.Errorf("with limits: %+v, %v", accounts, err)
	}
	// An expiry that a wrong clock decides about keeps the mail of the whole group waiting.
	r.store.Local = wrongClock{r.store.Local}
	r.wantErr("team@example.test", store.ErrClock)
}

// A disabled account that a group of another datacenter has replaced a moment ago gets no mail of the group.
func TestAccountBecomesGroupElsewhere(t *testing.T) {
	here, there := newRig(t), newRig(t)
	d := newDirectoryOn(t, here.cfg, twoPlaces(here.reads, &view{Directory: there.reads}))
	both := &rig{T: t, Directory: d, clock: here.clock, reads: here.reads}
	alice := addr(t, "alice@example.test")
	here.must(nil, here.SetState(t.Context(), alice, store.StateDisabled))
	here.alias("sales@example.test", "alice@example.test")
	there.alias("sales@example.test", "alice@example.test")
	there.must(nil, there.RemoveAccount(t.Context(), alice))
	there.group("alice@example.test", "bob@example.test carol@example.test")
	for _, a := range []string{"alice@example.test", "sales@example.test"} {
		both.want(a, "bob@example.test<"+a+" carol@example.test<"+a)
		both.clock.advance(d.cfg.CacheTTL)
	}
}
