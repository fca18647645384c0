package admin

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"popelago/adminclient"
	"popelago/event"
	"popelago/store"
	"popelago/token"
)

func (a *api) addTokens() {
	type listQuery struct {
		All   bool   `query:"all" doc:"Include revoked and expired tokens."`
		After string `query:"after" maxLength:"100" doc:"The page begins behind this id: the value of next in the page before."`
		Limit int    `query:"limit" minimum:"1" maximum:"1000" default:"100" doc:"Most tokens of a page."`
	}
	type list struct{ Body adminclient.TokenList }
	register(a, huma.Operation{
		OperationID: "list-tokens", Method: http.MethodGet, Path: "/v1/tokens",
		Summary: "List the access tokens within the rights of the caller, a page at a time",
	}, func(ctx context.Context, in *listQuery) (*list, error) {
		tokens, err := a.cfg.Tokens.List(ctx, callerOf(ctx), in.All)
		if err != nil {
			return nil, err
		}
		tokens, next := page(tokens, func(t store.Token) string { return t.ID }, in.After, in.Limit)
		out := &list{adminclient.TokenList{Tokens: make([]adminclient.Token, len(tokens)), Next: next}}
		for i, t := range tokens {
			out.Body.Tokens[i] = tokenOf(t)
		}
		return out, nil
	})

	type add struct{ Body adminclient.NewToken }
	type added struct{ Body adminclient.MadeToken }
	register(a, huma.Operation{
		OperationID: "add-token", Method: http.MethodPost, Path: "/v1/tokens",
		Summary: "Make an access token, and show its secret once", DefaultStatus: http.StatusCreated,
	}, func(ctx context.Context, in *add) (*added, error) {
		order, err := orderOf(in.Body)
		if err != nil {
			return nil, err
		}
		t, secret, err := a.cfg.Tokens.Add(ctx, callerOf(ctx), order)
		if err != nil {
			return nil, err
		}
		a.happened(ctx, event.Event{Kind: event.Changed, Operation: "add-token", After: fmt.Sprintf("token %s, role %s, scopes %s", t.ID, t.Role, strings.Join(t.Scopes, ","))})
		a.logger.Info("token added", "id", t.ID, "role", t.Role, "scopes", strings.Join(t.Scopes, ","), "maker", t.Maker)
		return &added{adminclient.MadeToken{Token: tokenOf(t), Secret: secret}}, nil
	})

	type revoke struct {
		ID   string `path:"id" maxLength:"100" doc:"The id of the token."`
		Made bool   `query:"made" doc:"Revoke also the tokens that this token made, and the tokens that those made."`
	}
	type revoked struct{ Body adminclient.RevokedTokens }
	register(a, huma.Operation{
		OperationID: "revoke-token", Method: http.MethodDelete, Path: "/v1/tokens/{id}",
		Summary: "Revoke an access token, permanently", DefaultStatus: http.StatusOK,
	}, func(ctx context.Context, in *revoke) (*revoked, error) {
		ids, everywhere, err := a.cfg.Tokens.Revoke(ctx, callerOf(ctx), in.ID, in.Made)
		if err != nil {
			return nil, err
		}
		a.happened(ctx, event.Event{Kind: event.Changed, Operation: "revoke-token", Before: "tokens " + strings.Join(ids, ",")})
		a.logger.Info("token revoked", "ids", strings.Join(ids, ","), "everywhere", everywhere)
		return &revoked{adminclient.RevokedTokens{IDs: ids, Everywhere: everywhere}}, nil
	})

	type caller struct{ Body adminclient.Caller }
	register(a, huma.Operation{
		OperationID: "show-caller", Method: http.MethodGet, Path: "/v1/caller",
		Summary: "Show the rights of the caller",
	}, func(ctx context.Context, _ *struct{}) (*caller, error) {
		c := callerOf(ctx)
		return &caller{adminclient.Caller{ID: c.ID, Role: string(c.Role), Scopes: c.Scopes(), Expires: moment(c.Expires)}}, nil
	})
}

// page returns up to limit items whose names are behind after, from a list in the order of the names.
// next is the after of the following page; empty on the last page.
func page[T any](all []T, name func(T) string, after string, limit int) (items []T, next string) {
	for len(all) > 0 && after != "" && name(all[0]) <= after {
		all = all[1:]
	}
	if len(all) <= limit {
		return all, ""
	}
	return all[:limit], name(all[limit-1])
}

// orderOf turns a request into an order.
func orderOf(t adminclient.NewToken) (o token.Order, err error) {
	if o.Rights, err = token.ParseRights(t.Role, t.Scopes); err != nil {
		return o, err
	}
	if o.Lifetime, err = token.ParseLifetime(t.Lifetime); err != nil {
		return o, err
	}
	o.Note = t.Note
	return o, nil
}

func tokenOf(t store.Token) adminclient.Token {
	out := adminclient.Token{
		ID: t.ID, Role: t.Role, Scopes: t.Scopes, Note: t.Note, Maker: t.Maker, Created: t.Created.UTC(),
		Expires: moment(t.Expires), Revoked: moment(t.Revoked), Used: moment(t.Used), State: "valid",
	}
	switch {
	case !t.Revoked.IsZero():
		out.State = "revoked"
	case !token.InForce(t, time.Now()):
		out.State = "expired"
	}
	return out
}
