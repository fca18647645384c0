package adminclient

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// ListedAccount is an account of a list, with the fields that the query asks for. Without a question for
// fields the fields from Address to Bulk are present.
type ListedAccount struct {
	Address string     `json:"address,omitempty" doc:"In canonical form."`
	State   string     `json:"state,omitempty" enum:"enabled,disabled"`
	Mailbox string     `json:"mailbox,omitempty" doc:"The id of the mailbox."`
	Created *time.Time `json:"created,omitempty" doc:"When the account was made."`
	// Retention is the account's own.
	Retention string            `json:"retention,omitempty" doc:"Age at which messages expire; domain: the retention of the domain."`
	Bulk      *time.Time        `json:"bulk,omitempty" doc:"Moment from which the mailbox is bulk; absent: an ordinary mailbox."`
	Own       map[string]string `json:"own,omitempty" doc:"The settings that the account has itself, by name."`
	Settings  map[string]string `json:"settings,omitempty" doc:"Values in force of the settings that the query names."`
	Tag       string            `json:"tag,omitempty" doc:"The entity-tag, for If-Match."`
	Messages  *int64            `json:"messages,omitempty" doc:"Messages in the maildrop."`
	Octets    *int64            `json:"octets,omitempty" doc:"Sum of the messages' sizes in POP3."`
}

// AccountList is one page of the accounts of a domain.
type AccountList struct {
	Accounts []ListedAccount `json:"accounts" nullable:"false"`
	// Next is the after of the following page; empty if there is none.
	Next string `json:"next,omitempty" doc:"Value of after for the following page; absent on the last page."`
	// Unread is only for a client that accepts partial lists, see Client.Partial.
	Unread []string `json:"unread,omitempty" nullable:"false" doc:"Parts that the page lacks because they cannot be read now, such as shard 5 of 128, which has a part of the addresses of the domain. Only with partial."`
}

// AccountQuery selects accounts of a domain and the form of their list. The zero value selects all.
type AccountQuery struct {
	// Prefix begins the local-part; Contains is a part of the address.
	Prefix, Contains string
	// State is Enabled or Disabled; empty: any.
	State string
	// May and MayNot name uses that the account permits or refuses: deliver, pop3.
	May, MayNot []string
	// Settings holds names, for settings of the account's own, and NAME=VALUE, for values in force.
	Settings []string
	// Sort is address, created or state, with a leading - descending. Empty: the order of the storage.
	Sort string
	// Fields of ListedAccount, or names of settings. Nil: the fields from Address to Bulk.
	Fields []string
}

// Accounts returns a page of the accounts of a domain, from behind the local-part after (empty:
// from the start), up to limit accounts (0: the server's default). Status 404: no such domain.
func (c *Client) Accounts(ctx context.Context, domain, after string, limit int) (AccountList, error) {
	return c.SearchAccounts(ctx, domain, AccountQuery{}, after, limit)
}

// SearchAccounts returns a page of the accounts that a query selects, like Accounts. after is the Next of
// the page before. A page may be short, even empty, although Next is set. Status 404: no such domain; 400: a
// wrong query; 422: too many accounts to sort.
func (c *Client) SearchAccounts(ctx context.Context, domain string, q AccountQuery, after string, limit int) (AccountList, error) {
	v := c.listValues(after, limit)
	for name, value := range map[string]string{
		"prefix": q.Prefix, "contains": q.Contains, "state": q.State, "sort": q.Sort,
		"may": strings.Join(q.May, ","), "mayNot": strings.Join(q.MayNot, ","), "fields": strings.Join(q.Fields, ","),
	} {
		if value != "" {
			v.Set(name, value)
		}
	}
	for _, s := range q.Settings {
		v.Add("setting", s)
	}
	path := "/v1/domains/" + url.PathEscape(domain) + "/accounts"
	if len(v) > 0 {
		path += "?" + v.Encode()
	}
	var list AccountList
	err := c.call(ctx, http.MethodGet, path, nil, &list)
	return list, err
}
