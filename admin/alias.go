package admin

import (
	"context"
	"errors"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"popelago/account"
	"popelago/adminclient"
	"popelago/mail"
	"popelago/store"
)

// AliasPath names an alias or a group in a request. AliasPath is exported because huma fills
// only exported embedded fields.
type AliasPath struct {
	Address string `path:"address" maxLength:"1000" doc:"The address of the alias or group."`
}

// aliasPage is the query of a list of aliases or groups.
type aliasPage struct {
	DomainPath
	PartialQuery
	After string `query:"after" maxLength:"1000" doc:"The page begins behind this local-part: the value of next in the page before."`
	Limit int    `query:"limit" minimum:"1" maximum:"1000" default:"100" doc:"Most entries of a page."`
}

// shortPages is the description of a list whose request examines a part of a large domain.
const shortPages = "One request examines about 10,000 addresses: a page may be short, even empty, while next names a further page."

func (a *api) addAliases() {
	type list struct{ Body adminclient.AliasList }
	register(a, huma.Operation{
		OperationID: "list-aliases", Method: http.MethodGet, Path: "/v1/domains/{domain}/aliases",
		Summary: "List the aliases of a domain, a page at a time", Description: shortPages,
	}, func(ctx context.Context, in *aliasPage) (*list, error) {
		aliases, next, unread, err := pageOf(ctx, a, in, store.KindAlias, aliasOf)
		return &list{adminclient.AliasList{Aliases: aliases, Next: next, Unread: unread}}, err
	})

	type add struct{ Body adminclient.NewAlias }
	type result struct {
		ETag string `header:"ETag"`
		Body adminclient.Alias
	}
	resultOf := func(made account.Alias) *result { return &result{tagOfAlias(made), aliasOf(made)} }
	register(a, huma.Operation{
		OperationID: "add-alias", Method: http.MethodPost, Path: "/v1/aliases",
		Summary: "Make an alias in a hosted domain", DefaultStatus: http.StatusCreated,
	}, func(ctx context.Context, in *add) (*result, error) {
		targets, err := targetsOf(in.Body.AliasTarget)
		if err != nil {
			return nil, err
		}
		made, err := a.addAlias(ctx, in.Body.Address, store.KindAlias, targets)
		if err != nil {
			return nil, err
		}
		return resultOf(made), nil
	})

	register(a, huma.Operation{
		OperationID: "show-alias", Method: http.MethodGet, Path: "/v1/aliases/{address}",
		Summary: "Show an alias",
	}, func(ctx context.Context, in *AliasPath) (*result, error) {
		found, err := a.alias(ctx, in.Address, store.KindAlias)
		if err != nil {
			return nil, err
		}
		return resultOf(found), nil
	})

	type target struct {
		AliasPath
		Body adminclient.AliasTarget
	}
	register(a, huma.Operation{
		OperationID: "set-alias-target", Method: http.MethodPut, Path: "/v1/aliases/{address}/target",
		Summary: "Give an alias another target",
	}, func(ctx context.Context, in *target) (*result, error) {
		address, err := mail.ParseAddress(in.Address)
		if err != nil {
			return nil, err
		}
		targets, err := targetsOf(in.Body)
		if err != nil {
			return nil, err
		}
		changed, err := a.directory.SetTarget(ctx, address, targets...)
		if err != nil {
			return nil, err
		}
		a.logAlias("alias changed", changed)
		return resultOf(changed), nil
	})

	register(a, huma.Operation{
		OperationID: "remove-alias", Method: http.MethodDelete, Path: "/v1/aliases/{address}",
		Summary: "Remove an alias",
	}, func(ctx context.Context, in *AliasPath) (*struct{}, error) {
		return nil, a.removeAlias(ctx, in, store.KindAlias)
	})
}

// pageOf returns a page of the aliases or groups of a domain, in the form that of makes.
func pageOf[T any](ctx context.Context, a *api, in *aliasPage, kind store.AddressKind, of func(account.Alias) T) (page []T, next string, unread []string, err error) {
	found, next, err := a.directory.Aliases(ctx, in.Domain, kind, in.After, in.Limit)
	unread, err = a.unreadOf(in.PartialQuery, err)
	page = make([]T, len(found))
	for i, one := range found {
		page[i] = of(one)
	}
	return page, next, unread, err
}

// alias returns the alias or the group with an address.
func (a *api) alias(ctx context.Context, text string, kind store.AddressKind) (account.Alias, error) {
	address, err := mail.ParseAddress(text)
	if err != nil {
		return account.Alias{}, err
	}
	return a.directory.Alias(ctx, address, kind)
}

// errNoTarget: a request names no target, or names targets in two ways.
var errNoTarget = errors.New("either target or targets is needed")

// targetsOf returns the targets that a request names. Errors: errNoTarget, mail.ErrBadAddress.
func targetsOf(t adminclient.AliasTarget) ([]mail.Address, error) {
	switch {
	case (t.Target == "") == (t.Targets == nil):
		return nil, errNoTarget
	case t.Targets == nil:
		return parseAddresses([]string{t.Target})
	}
	return parseAddresses(t.Targets)
}

// addAlias makes an alias or a group.
func (a *api) addAlias(ctx context.Context, text string, kind store.AddressKind, targets []mail.Address) (account.Alias, error) {
	address, err := mail.ParseNewAddress(text)
	if err != nil {
		return account.Alias{}, err
	}
	made, err := a.directory.AddAlias(ctx, address, kind, targets)
	if err == nil {
		a.logAlias(string(kind)+" added", made)
	}
	return made, err
}

func (a *api) removeAlias(ctx context.Context, in *AliasPath, kind store.AddressKind) error {
	address, err := mail.ParseAddress(in.Address)
	if err != nil {
		return err
	}
	if err := a.directory.RemoveAlias(ctx, address, kind); err != nil {
		return err
	}
	a.logger.Info(string(kind)+" removed", "address", address.String())
	return nil
}

func (a *api) logAlias(text string, one account.Alias) {
	a.logger.Info(text, "address", one.Address.String(), "targets", len(one.Targets))
}

func parseAddresses(texts []string) ([]mail.Address, error) {
	list := make([]mail.Address, len(texts))
	for i, text := range texts {
		var err error
		if list[i], err = mail.ParseAddress(text); err != nil {
			return nil, err
		}
	}
	return list, nil
}

func aliasOf(a account.Alias) adminclient.Alias {
	return adminclient.Alias{Address: a.Address.String(), Targets: mail.AddressTexts(a.Targets), Created: a.Created, Tag: tagOfAlias(a)}
}
