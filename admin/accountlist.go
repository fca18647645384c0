package admin

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"popelago/account"
	"popelago/adminclient"
	"popelago/store"
)

// accountQuery is the query of a list of accounts.
type accountQuery struct {
	DomainPath
	PartialQuery
	After    string   `query:"after" maxLength:"1000" doc:"The page begins behind this place: the value of next in the page before."`
	Limit    int      `query:"limit" minimum:"1" maximum:"1000" default:"100" doc:"Most accounts of a page."`
	Prefix   string   `query:"prefix" maxLength:"1000" doc:"Only local-parts that begin with this text. The store finds them directly, however many accounts the domain has."`
	Contains string   `query:"contains" maxLength:"1000" doc:"Only addresses with this part. The server reads all accounts, 10,000 for a page at most: a page may be short, even empty, although next is present."`
	State    string   `query:"state" enum:"enabled,disabled" doc:"Only accounts in this state."`
	May      []string `query:"may" doc:"Only accounts that permit these uses now, by state, expiry and settings: deliver, pop3."`
	MayNot   []string `query:"mayNot" doc:"Only accounts that refuse these uses now: deliver, pop3."`
	Setting  []string `query:"setting,explode" doc:"NAME: only accounts with such a setting of their own; NAME=VALUE: only accounts for which this value is in force. May be repeated."`
	Sort     string   `query:"sort" enum:"address,-address,created,-created,state,-state" doc:"Order; with - descending. Without it the order is that of the storage, and any number of accounts can be read. With it the server refuses (422) to sort more than 10,000 addresses."`
	Fields   []string `query:"fields" doc:"Fields of the answer: address, state, mailbox, created, retention, bulk, own (the account's own settings), messages and octets (each page then costs a read of each maildrop; with partial both are absent where unread names the maildrop), tag (the entity-tag), or names of settings, for the values in force. Default: address to bulk."`
}

// The fields of accountQuery.Fields other than settings.
const (
	fieldAddress   = "address"
	fieldState     = "state"
	fieldMailbox   = "mailbox"
	fieldCreated   = "created"
	fieldRetention = "retention"
	fieldBulk      = "bulk"
	fieldOwn       = "own"
	fieldMessages  = "messages"
	fieldOctets    = "octets"
	fieldTag       = "tag"
)

func (a *api) addAccountList() {
	type list struct{ Body adminclient.AccountList }
	register(a, huma.Operation{
		OperationID: "list-accounts", Method: http.MethodGet, Path: "/v1/domains/{domain}/accounts",
		Summary: "List and search the accounts of a domain, a page at a time",
	}, func(ctx context.Context, in *accountQuery) (*list, error) {
		view, err := newAccountView(in.Fields)
		if err != nil {
			return nil, err
		}
		found, next, err := a.searchAccounts(ctx, in)
		unread, err := a.unreadOf(in.PartialQuery, err)
		if err != nil {
			return nil, err
		}
		out := &list{adminclient.AccountList{Accounts: make([]adminclient.ListedAccount, len(found)), Next: next}}
		u := &uses{api: a, PartialQuery: in.PartialQuery}
		for i, f := range found {
			if out.Body.Accounts[i], err = a.listed(ctx, view, f, u); err != nil {
				return nil, err
			}
		}
		out.Body.Unread = append(unread, u.unread...)
		return out, nil
	})
}

func (a *api) searchAccounts(ctx context.Context, in *accountQuery) ([]account.Found, string, error) {
	s := account.Search{
		Prefix: in.Prefix, Contains: in.Contains, State: store.AddressState(in.State), May: in.May, MayNot: in.MayNot, InForce: map[string]string{},
	}
	for _, text := range in.Setting {
		if name, value, ok := strings.Cut(text, "="); ok {
			s.InForce[name] = value
		} else {
			s.Has = append(s.Has, name)
		}
	}
	if in.Sort == "" {
		return a.directory.SearchAccounts(ctx, in.Domain, s, in.After, in.Limit)
	}
	field, descending := strings.CutPrefix(in.Sort, "-")
	return a.directory.SortAccounts(ctx, in.Domain, s, account.Order{Field: field, Descending: descending}, in.After, in.Limit)
}

// accountView is the fields of a list of accounts.
type accountView struct {
	fields   map[string]bool
	settings []account.Setting
}

// newAccountView reads names of fields. Errors: account.ErrBadSearch.
func newAccountView(names []string) (accountView, error) {
	if len(names) == 0 {
		names = []string{fieldAddress, fieldState, fieldMailbox, fieldCreated, fieldRetention, fieldBulk}
	}
	settings := map[string]account.Setting{}
	for _, s := range account.Settings() {
		if s.Account {
			settings[s.Name] = s
		}
	}
	v := accountView{fields: map[string]bool{}}
	for _, name := range names {
		switch name {
		case fieldAddress, fieldState, fieldMailbox, fieldCreated, fieldRetention, fieldBulk, fieldOwn, fieldMessages, fieldOctets, fieldTag:
			v.fields[name] = true
		default:
			s, ok := settings[name]
			if !ok {
				return v, fmt.Errorf("%w: there is no field %.60q", account.ErrBadSearch, name)
			}
			v.settings = append(v.settings, s)
		}
	}
	return v, nil
}

// listed shows the fields of an account. Messages and octets alone cost a read.
func (a *api) listed(ctx context.Context, v accountView, f account.Found, u *uses) (out adminclient.ListedAccount, err error) {
	all := accountOf(f.Account)
	if v.fields[fieldAddress] {
		out.Address = all.Address
	}
	if v.fields[fieldState] {
		out.State = all.State
	}
	if v.fields[fieldMailbox] {
		out.Mailbox = all.Mailbox
	}
	if v.fields[fieldCreated] {
		out.Created = &all.Created
	}
	if v.fields[fieldRetention] {
		out.Retention = all.Retention
	}
	if v.fields[fieldBulk] {
		out.Bulk = all.Bulk
	}
	if v.fields[fieldOwn] {
		out.Own = f.OwnSettings()
	}
	if v.fields[fieldTag] {
		if out.Tag, err = tagOfAccount(f.Account); err != nil {
			return out, err
		}
	}
	for _, s := range v.settings {
		if out.Settings == nil {
			out.Settings = map[string]string{}
		}
		out.Settings[s.Name] = s.Show(f.Policy)
	}
	if v.fields[fieldMessages] || v.fields[fieldOctets] {
		used, ok, err := u.of(ctx, f.Address, f.Mailbox, f.Policy.Retention)
		if err != nil || !ok {
			return out, err
		}
		if v.fields[fieldMessages] {
			out.Messages = &used.Messages
		}
		if v.fields[fieldOctets] {
			out.Octets = &used.Octets
		}
	}
	return out, nil
}
