package admin_test

import (
	"context"
	"net/http"
	"slices"
	"testing"

	"popelago/adminclient"
	"popelago/mail"
	"popelago/store"
	"popelago/store/storetest"
)

// someDomains is a directory without a part of the domains, and of the addresses.
type someDomains struct{ storetest.Holed }

func (d someDomains) ListDomains(ctx context.Context) ([]store.Domain, error) {
	domains, _ := d.Holed.ListDomains(ctx)
	return domains, store.ErrUnavailable
}

// deaf is a store that cannot list a mailbox.
type deaf struct {
	store.Mail
	mailbox mail.MailboxID
}

func (d deaf) ListMessages(ctx context.Context, mailbox mail.MailboxID, after mail.MessageID, limit int) ([]mail.Message, bool, error) {
	if mailbox == d.mailbox {
		return nil, false, store.ErrUnavailable
	}
	return d.Mail.ListMessages(ctx, mailbox, after, limit)
}

// While nodes are down, lists fail, unless the caller accepts partial lists: then they have what can be read, and name the rest.
func TestPartialLists(t *testing.T) {
	sound := new(fixture).start(t)
	c, ctx := sound.unix(t), t.Context()
	if _, err := c.AddDomain(ctx, "example.org"); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"ann", "bob", "lost", "yves", "zoe"} {
		if _, err := c.AddAccount(ctx, name+"@example.org", "secret1"); err != nil {
			t.Fatal(err)
		}
		if _, err := c.AddAlias(ctx, name+"-a@example.org", name+"@example.org"); err != nil {
			t.Fatal(err)
		}
	}
	bob, err := c.Account(ctx, "bob@example.org")
	if err != nil {
		t.Fatal(err)
	}
	lost := mailboxID(t, bob.Mailbox)
	f := &fixture{engine: sound.engine, wrap: func(st store.Store) store.Store {
		hole := storetest.Holed{Directory: st.Directory.Local, Parts: [][2]string{{"lost", "yves-z"}}}
		return storetest.WithMail(storetest.WithDirectory(st, someDomains{hole}), deaf{st.Mail.Local, lost})
	}}
	c = f.start(t).unix(t)
	type page struct {
		names        []string
		next         string
		unread       []string
		withoutValue []string
	}
	query := adminclient.AccountQuery{Fields: []string{"address", "messages"}}
	lists := map[string]func(c *adminclient.Client, after string) (page, error){
		"accounts": func(c *adminclient.Client, after string) (p page, err error) {
			list, err := c.SearchAccounts(ctx, "example.org", query, after, 1)
			for _, a := range list.Accounts {
				p.names = append(p.names, a.Address)
				if a.Messages == nil {
					p.withoutValue = append(p.withoutValue, a.Address)
				}
			}
			p.next, p.unread = list.Next, list.Unread
			return p, err
		},
		"aliases": func(c *adminclient.Client, after string) (p page, err error) {
			list, err := c.Aliases(ctx, "example.org", after, 1)
			for _, a := range list.Aliases {
				p.names = append(p.names, a.Address)
			}
			p.next, p.unread = list.Next, list.Unread
			return p, err
		},
		"quotas": func(c *adminclient.Client, after string) (p page, err error) {
			list, err := c.Quotas(ctx, "example.org", after, 1, 0)
			for _, q := range list.Quotas {
				p.names = append(p.names, q.Address)
			}
			p.next, p.unread = list.Next, list.Unread
			return p, err
		},
		"domains": func(c *adminclient.Client, after string) (p page, err error) {
			list, err := c.DomainPage(ctx, after, 1)
			for _, d := range list.Domains {
				p.names = append(p.names, d.Name)
			}
			p.next, p.unread = list.Next, list.Unread
			return p, err
		},
	}
	for name, want := range map[string]page{
		"accounts": {names: []string{"ann@example.org", "bob@example.org", "zoe@example.org"}, unread: []string{"maildrop bob@example.org", "lost to yves-z"}, withoutValue: []string{"bob@example.org"}},
		"aliases":  {names: []string{"ann-a@example.org", "bob-a@example.org", "zoe-a@example.org"}, unread: []string{"lost to yves-z"}},
		"quotas":   {names: []string{"ann@example.org", "zoe@example.org"}, unread: []string{"maildrop bob@example.org", "lost to yves-z"}},
		"domains":  {names: []string{"example.org"}, unread: []string{"a part of the domains"}},
	} {
		walk := func(c *adminclient.Client) (all page, err error) {
			for {
				p, err := lists[name](c, all.next)
				all = page{append(all.names, p.names...), p.next, append(all.unread, p.unread...), append(all.withoutValue, p.withoutValue...)}
				if err != nil || p.next == "" {
					return all, err
				}
			}
		}
		got, err := walk(c.Partial())
		if err != nil || !slices.Equal(got.names, want.names) || !slices.Equal(got.unread, want.unread) || !slices.Equal(got.withoutValue, want.withoutValue) {
			t.Errorf("%s: %+v, %v; want %+v", name, got, err, want)
		}
		_, err = walk(c)
		wantStatus(t, name+" as a whole", err, http.StatusServiceUnavailable, "")
	}
	// The position behind a part has a character of its own.
	if list, err := c.Accounts(ctx, "example.org", "\x00yves-z", 5); err != nil || len(list.Accounts) != 1 || list.Accounts[0].Address != "zoe@example.org" {
		t.Errorf("behind the part: %+v, %v", list, err)
	}
}
