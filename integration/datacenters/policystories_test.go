package datacenters

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"popelago/adminclient"
	"popelago/integration/servertest"
	"popelago/integration/sitetest"
	"popelago/mailtest"
)

// at returns an address of the domain of the tests, as a recipient.
func at(local string) servertest.Account {
	return servertest.Account{Address: local + "@" + servertest.Domain}
}

// aliasesAcross: a group is made in a datacenter, with a member whose account the second datacenter does not
// know yet. Mail for the group arrives in the second datacenter at once. During a cut a datacenter uses the
// known aliases and members, and defers mail for unknown aliases.
func aliasesAcross() *story {
	const groups = 4
	group, member := func(i int) servertest.Account { return at(fmt.Sprint("group-", i)) }, func(i int) servertest.Account { return sitetest.Owner(fmt.Sprint("member-", i), 1) }
	newcomer, apart := sitetest.Owner("newcomer", 1), at("alias-apart")
	return &story{
		name: "aliases across",
		whole: func(t *testing.T, s *sitetest.Sites) {
			for i := range groups {
				here, there := s.Both()[i%2], s.Both()[1-i%2]
				s.Create(t, there, member(i))
				s.Administer(t, there, func(ctx context.Context, admin *adminclient.Client) error {
					_, err := admin.AddGroup(ctx, group(i).Address, []string{member(i).Address})
					return err
				})
				s.Deliver(t, here, group(i), "by-group")
				alias := at(fmt.Sprint("alias-", i))
				s.Administer(t, here, func(ctx context.Context, admin *adminclient.Client) error {
					_, err := admin.AddAlias(ctx, alias.Address, group(i).Address)
					return err
				})
				s.Deliver(t, there, alias, "by-alias")
				for _, at := range s.Both() {
					s.Shows(t, at, member(i), "by-alias", "by-group")
				}
			}
		},
		cut: func(t *testing.T, s *sitetest.Sites) {
			s.Create(t, s.Two, newcomer)
			s.Administer(t, s.Two, func(ctx context.Context, admin *adminclient.Client) error {
				_, err := admin.AddMember(ctx, group(0).Address, newcomer.Address)
				return err
			})
			s.Deliver(t, s.One, group(0), "apart-1")
			s.Deliver(t, s.Two, group(0), "apart-2")
			s.Shows(t, s.One, member(0), "by-alias", "by-group", "apart-1")
			s.Shows(t, s.Two, member(0), "by-alias", "by-group", "apart-2")
			s.Shows(t, s.Two, newcomer, "apart-2")
			s.Administer(t, s.One, func(ctx context.Context, admin *adminclient.Client) error {
				_, err := admin.AddAlias(ctx, apart.Address, member(1).Address)
				return err
			})
			s.Deliver(t, s.One, apart, "apart")
			if s.Take(t, s.Two, apart, "put-off") {
				t.Error("mail for an alias made behind the cut was taken")
			}
		},
		in: func(t *testing.T, s *sitetest.Sites) {
			s.Deliver(t, s.Two, apart, "whole")
			names := []string{"by-alias", "by-group", "apart-1", "apart-2"}
			last := ""
			mailtest.WaitFor(t, sitetest.Limit, func() error { // while dc1 has the old members cached
				last = fmt.Sprint("whole-", len(names))
				s.Deliver(t, s.One, group(0), last)
				names = append(names, last)
				if got, refused := s.Look(t, s.One, newcomer); !slices.Contains(got, last) {
					return fmt.Errorf("the member made behind the cut has %q %s", got, refused)
				}
				return nil
			})
			for _, at := range s.Both() {
				s.Shows(t, at, member(1), "by-alias", "by-group", "apart", "whole")
				s.Shows(t, at, member(0), names...)
				s.Shows(t, at, newcomer, "apart-2", last)
			}
		},
	}
}

// loopMadeApart: during a cut the two sides make a loop of two aliases. The mail for the loop is deferred
// until an administrator has corrected an alias, and no mail is lost.
func loopMadeApart() *story {
	owner, x, y := sitetest.Owner("behind-the-loop", 1), at("loop-x"), at("loop-y")
	var taken []string
	target := func(t *testing.T, s *sitetest.Sites, at *servertest.Server, alias, to servertest.Account) {
		s.Administer(t, at, func(ctx context.Context, admin *adminclient.Client) error {
			_, err := admin.SetAliasTarget(ctx, alias.Address, to.Address)
			return err
		})
	}
	deliver := func(t *testing.T, s *sitetest.Sites, at *servertest.Server, to servertest.Account) {
		name := fmt.Sprint("n", len(taken))
		s.Deliver(t, at, to, name)
		taken = append(taken, name)
	}
	return &story{
		name: "loop made apart",
		whole: func(t *testing.T, s *sitetest.Sites) {
			s.Known(t, owner)
			for i, alias := range []servertest.Account{x, y} {
				s.Administer(t, s.Both()[i], func(ctx context.Context, admin *adminclient.Client) error {
					_, err := admin.AddAlias(ctx, alias.Address, owner.Address)
					return err
				})
				deliver(t, s, s.Both()[1-i], alias)
			}
		},
		cut: func(t *testing.T, s *sitetest.Sites) {
			target(t, s, s.One, x, y)
			target(t, s, s.Two, y, x)
			for _, at := range s.Both() {
				deliver(t, s, at, x)
				deliver(t, s, at, y)
			}
		},
		in: func(t *testing.T, s *sitetest.Sites) {
			for _, at := range s.Both() {
				for _, alias := range []servertest.Account{x, y} {
					loops(t, s, at, alias, &taken)
				}
			}
			s.Administer(t, s.Two, func(ctx context.Context, admin *adminclient.Client) error {
				r, err := admin.Resolve(ctx, x.Address)
				if err == nil && (r.Result != adminclient.ResolvedDeferred || !strings.Contains(fmt.Sprint(r.Steps), "loop")) {
					t.Errorf("the loop is explained as %+v", r)
				}
				return err
			})
			target(t, s, s.One, x, owner)
			for _, at := range s.Both() {
				deliver(t, s, at, x)
				deliver(t, s, at, y)
			}
			for _, at := range s.Both() {
				s.Shows(t, at, owner, taken...)
			}
		},
	}
}

// loops waits until the mail for an alias is deferred as a loop, and notes the messages that were taken
// until then.
func loops(t *testing.T, s *sitetest.Sites, at *servertest.Server, alias servertest.Account, taken *[]string) {
	t.Helper()
	c := at.LMTPSession(t)
	defer c.Close()
	mailtest.WaitFor(t, sitetest.Limit, func() error {
		name := fmt.Sprint("n", len(*taken))
		reply := servertest.TryDeliver(t, c, true, name, []servertest.Account{alias})[0]
		switch {
		case strings.HasPrefix(reply, "250 "):
			*taken = append(*taken, name)
		case strings.HasPrefix(reply, "451 4.3.5 "):
			return nil
		case !strings.HasPrefix(reply, "451 "):
			t.Fatalf("mail for a loop %s: %q, want 451", s.Place(at), reply)
		}
		return fmt.Errorf("mail for a loop %s: %q, want 451 4.3.5", s.Place(at), reply)
	})
}

// settingsApart: during a cut the two sides change settings of an account and of a domain. Settings with
// different names all stay. Of two values for one name the later value counts in the end, everywhere.
func settingsApart() *story {
	owner, domain := sitetest.Owner("set-apart", 1), "settings.test"
	set := func(t *testing.T, s *sitetest.Sites, at *servertest.Server, changes map[string]string) {
		s.Administer(t, at, func(ctx context.Context, admin *adminclient.Client) error {
			_, err := admin.SetAccountSettings(ctx, owner.Address, changes)
			return err
		})
		s.Administer(t, at, func(ctx context.Context, admin *adminclient.Client) error {
			_, err := admin.SetDomainSettings(ctx, domain, changes)
			return err
		})
	}
	has := func(t *testing.T, s *sitetest.Sites, at *servertest.Server, want map[string]string) {
		for _, read := range []func(context.Context, *adminclient.Client) (adminclient.Settings, error){
			func(ctx context.Context, admin *adminclient.Client) (adminclient.Settings, error) {
				return admin.AccountSettings(ctx, owner.Address)
			},
			func(ctx context.Context, admin *adminclient.Client) (adminclient.Settings, error) {
				return admin.DomainSettings(ctx, domain)
			},
		} {
			s.Administer(t, at, func(ctx context.Context, admin *adminclient.Client) error {
				got, err := read(ctx, admin)
				if err == nil && fmt.Sprint(got.Settings) != fmt.Sprint(want) {
					err = fmt.Errorf("the settings %s are %v, want %v", s.Place(at), got.Settings, want)
				}
				return err
			})
		}
	}
	later := func(t *testing.T) { hold(t.Context(), time.Millisecond) } // a later microsecond, for certain
	before := map[string]string{"quota": "1GiB", "reason": "before", "over_quota": "refuse"}
	return &story{
		name: "settings apart",
		whole: func(t *testing.T, s *sitetest.Sites) {
			s.Known(t, owner)
			s.Administer(t, s.Two, func(ctx context.Context, admin *adminclient.Client) error {
				_, err := admin.AddDomain(ctx, domain)
				return err
			})
			set(t, s, s.Two, before)
			for _, at := range s.Both() {
				has(t, s, at, before)
			}
		},
		cut: func(t *testing.T, s *sitetest.Sites) {
			set(t, s, s.One, map[string]string{"quota_messages": "1000"})
			set(t, s, s.Two, map[string]string{"recipients": "7"})
			set(t, s, s.Two, map[string]string{"quota": "2GiB"}) // and later in dc1
			set(t, s, s.One, map[string]string{"reason": "one"}) // and later in dc2
			set(t, s, s.One, map[string]string{"over_quota": "retry"})
			later(t)
			set(t, s, s.One, map[string]string{"quota": "3GiB"})
			set(t, s, s.Two, map[string]string{"reason": "two"})
			set(t, s, s.Two, map[string]string{"over_quota": ""}) // a removal wins, too
			has(t, s, s.One, map[string]string{"quota": "3GiB", "reason": "one", "over_quota": "retry", "quota_messages": "1000"})
			has(t, s, s.Two, map[string]string{"quota": "2GiB", "reason": "two", "recipients": "7"})
		},
		in: func(t *testing.T, s *sitetest.Sites) {
			for _, at := range s.Both() {
				has(t, s, at, map[string]string{"quota": "3GiB", "reason": "two", "quota_messages": "1000", "recipients": "7"})
			}
		},
	}
}

// domainsApart: during a cut both sides add a domain and change its settings. In the end the domain has the settings of
// both. The same holds for a domain that both sides know as removed: its earlier settings stay gone.
func domainsApart() *story {
	added, again := "added-apart.test", "again-apart.test"
	return &story{
		name: "domains apart",
		whole: func(t *testing.T, s *sitetest.Sites) {
			s.AddDomain(t, s.One, again)
			s.SetDomain(t, s.One, again, map[string]string{"reason": "before", "retention": "30d", "quota": "9GiB"})
			s.DomainHas(t, s.Two, again, map[string]string{"reason": "before", "retention": "30d", "quota": "9GiB"})
			s.Administer(t, s.Two, func(ctx context.Context, admin *adminclient.Client) error { return admin.RemoveDomain(ctx, again) })
			for _, at := range s.Both() {
				s.Administer(t, at, func(ctx context.Context, admin *adminclient.Client) error {
					domains, err := admin.Domains(ctx)
					if slices.ContainsFunc(domains, func(d adminclient.Domain) bool { return d.Name == again }) {
						err = fmt.Errorf("%s is still hosted %s", again, s.Place(at))
					}
					return err
				})
			}
		},
		cut: func(t *testing.T, s *sitetest.Sites) {
			for _, name := range []string{added, again} {
				s.AddDomain(t, s.One, name)
				s.SetDomain(t, s.One, name, map[string]string{"retention": "90d", "quota": "1GiB"})
				s.DomainHas(t, s.One, name, map[string]string{"retention": "90d", "quota": "1GiB"})
				s.AddDomain(t, s.Two, name) // later than all changes in dc1
				s.SetDomain(t, s.Two, name, map[string]string{"durability": "local", "recipients": "7"})
				s.DomainHas(t, s.Two, name, map[string]string{"durability": "local", "recipients": "7"})
			}
		},
		in: func(t *testing.T, s *sitetest.Sites) {
			for _, name := range []string{added, again} {
				for _, at := range s.Both() {
					s.DomainHas(t, at, name, map[string]string{"retention": "90d", "quota": "1GiB", "durability": "local", "recipients": "7"})
				}
			}
		},
	}
}

// quotaApart: during a cut each side fills a maildrop up to its quota, and no further. So the sum is twice the
// quota. When the line is whole the full maildrop takes no further mail, until messages are removed. While
// the line is whole two servers together exceed a quota by the mail of a single server at most.
func quotaApart() *story {
	const quota = 3
	apart, whole := sitetest.Owner("full-apart", 1), sitetest.Owner("full-whole", 1)
	var taken []string // for apart
	limit := func(t *testing.T, s *sitetest.Sites, a servertest.Account) {
		s.Create(t, s.One, a)
		s.Administer(t, s.One, func(ctx context.Context, admin *adminclient.Client) error {
			_, err := admin.SetAccountSettings(ctx, a.Address, map[string]string{"quota_messages": fmt.Sprint(quota), "over_quota": "refuse"})
			return err
		})
		s.Administer(t, s.Two, func(ctx context.Context, admin *adminclient.Client) error { // before dc2 caches the account
			got, err := admin.AccountSettings(ctx, a.Address)
			if err == nil && len(got.Settings) != 2 {
				err = fmt.Errorf("dc2 has the settings %v", got.Settings)
			}
			return err
		})
	}
	return &story{
		name: "quota apart",
		whole: func(t *testing.T, s *sitetest.Sites) {
			limit(t, s, apart)
			limit(t, s, whole)
			var all []string
			for i, at := range s.Both() {
				names, _ := fill(t, at, whole, fmt.Sprint("whole-", i+1))
				all = append(all, names...)
			}
			if len(all) < quota || len(all) > 2*quota {
				t.Errorf("%d messages were taken by two servers, want %d to %d", len(all), quota, 2*quota)
			}
			for _, at := range s.Both() {
				s.Shows(t, at, whole, all...)
			}
		},
		cut: func(t *testing.T, s *sitetest.Sites) {
			for i, at := range s.Both() {
				names, refusal := fill(t, at, apart, fmt.Sprint("apart-", i+1))
				if len(names) != quota || !strings.HasPrefix(refusal, "452 4.2.2 ") {
					t.Errorf("%s %d messages were taken, then %q; want %d and 452", s.Place(at), len(names), refusal, quota)
				}
				taken = append(taken, names...)
			}
		},
		in: func(t *testing.T, s *sitetest.Sites) {
			for _, at := range s.Both() {
				s.Shows(t, at, apart, taken...)
				mailtest.WaitFor(t, sitetest.Limit, func() error {
					names, refusal := fill(t, at, apart, "too-many")
					if len(names) > 0 {
						t.Fatalf("%d messages were taken %s by a full maildrop", len(names), s.Place(at))
					}
					if !strings.HasPrefix(refusal, "552 5.2.2 ") {
						return fmt.Errorf("%s: %s, want 552", s.Place(at), refusal)
					}
					return nil
				})
			}
			s.Administer(t, s.One, func(ctx context.Context, admin *adminclient.Client) error {
				_, err := admin.RemoveMessages(ctx, apart.Address, adminclient.MaildropRemoval{All: true})
				return err
			})
			var again []string
			mailtest.WaitFor(t, sitetest.Limit, func() error { // until dc2 has read the use again
				names, refusal := fill(t, s.Two, apart, fmt.Sprint("again-", len(again)))
				if again = append(again, names...); len(again) != quota {
					return fmt.Errorf("%d messages were taken by an empty maildrop, then %s", len(again), refusal)
				}
				return nil
			})
			for _, at := range s.Both() {
				s.Shows(t, at, apart, again...)
			}
		},
	}
}

// fill delivers messages until the maildrop is full, and returns their names and the refusal.
func fill(t *testing.T, at *servertest.Server, a servertest.Account, prefix string) (taken []string, refusal string) {
	t.Helper()
	c := at.LMTPSession(t)
	defer c.Close()
	mailtest.WaitFor(t, sitetest.Limit, func() error {
		for {
			name := fmt.Sprint(prefix, "-", len(taken))
			refusal = servertest.TryDeliver(t, c, true, name, []servertest.Account{a})[0]
			switch {
			case strings.HasPrefix(refusal, "250 "):
				taken = append(taken, name)
			case strings.HasPrefix(refusal, "451 "):
				return fmt.Errorf("mail for %s: %s", a.Address, refusal)
			default:
				return nil
			}
		}
	})
	return taken, refusal
}
