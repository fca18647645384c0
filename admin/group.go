package admin

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"popelago/account"
	"popelago/adminclient"
	"popelago/mail"
	"popelago/store"
)

// MemberPath names a member of a group in a request. MemberPath is exported because huma fills
// only exported embedded fields.
type MemberPath struct {
	AliasPath
	Member string `path:"member" maxLength:"1000" doc:"The address of the member."`
}

func (a *api) addGroups() {
	type list struct{ Body adminclient.GroupList }
	register(a, huma.Operation{
		OperationID: "list-groups", Method: http.MethodGet, Path: "/v1/domains/{domain}/groups",
		Summary: "List the groups of a domain, a page at a time", Description: shortPages,
	}, func(ctx context.Context, in *aliasPage) (*list, error) {
		groups, next, unread, err := pageOf(ctx, a, in, store.KindGroup, groupOf)
		return &list{adminclient.GroupList{Groups: groups, Next: next, Unread: unread}}, err
	})

	type add struct{ Body adminclient.NewGroup }
	type result struct{ Body adminclient.Group }
	register(a, huma.Operation{
		OperationID: "add-group", Method: http.MethodPost, Path: "/v1/groups",
		Summary: "Make a group in a hosted domain", DefaultStatus: http.StatusCreated,
	}, func(ctx context.Context, in *add) (*result, error) {
		members, err := parseAddresses(in.Body.Members)
		if err != nil {
			return nil, err
		}
		made, err := a.addAlias(ctx, in.Body.Address, store.KindGroup, members)
		if err != nil {
			return nil, err
		}
		return &result{groupOf(made)}, nil
	})

	type detail struct {
		ETag string `header:"ETag"`
		Body adminclient.GroupDetail
	}
	register(a, huma.Operation{
		OperationID: "show-group", Method: http.MethodGet, Path: "/v1/groups/{address}",
		Summary: "Show a group, with the members that have no account any more",
	}, func(ctx context.Context, in *AliasPath) (*detail, error) {
		found, err := a.alias(ctx, in.Address, store.KindGroup)
		if err != nil {
			return nil, err
		}
		explained, err := a.directory.Explain(ctx, found.Address)
		if err != nil {
			return nil, err
		}
		out := &detail{tagOfAlias(found), adminclient.GroupDetail{Group: groupOf(found), Missing: []string{}}}
		steps, _ := visibleSteps(callerOf(ctx), explained.Steps)
		for _, s := range steps {
			if s.Result == account.ResultMissing {
				out.Body.Missing = append(out.Body.Missing, s.Address.String())
			}
		}
		return out, nil
	})

	a.addMembers()

	register(a, huma.Operation{
		OperationID: "remove-group", Method: http.MethodDelete, Path: "/v1/groups/{address}",
		Summary: "Remove a group",
	}, func(ctx context.Context, in *AliasPath) (*struct{}, error) {
		return nil, a.removeAlias(ctx, in, store.KindGroup)
	})
}

func (a *api) addMembers() {
	type result struct{ Body adminclient.Group }
	change := func(ctx context.Context, in *MemberPath, add bool) (*result, error) {
		both, err := parseAddresses([]string{in.Address, in.Member})
		if err != nil {
			return nil, err
		}
		var added, removed []mail.Address
		if add {
			added = both[1:]
		} else {
			removed = both[1:]
		}
		changed, err := a.directory.ChangeMembers(ctx, both[0], added, removed)
		if err != nil {
			return nil, err
		}
		a.logAlias("group changed", changed)
		return &result{groupOf(changed)}, nil
	}
	register(a, huma.Operation{
		OperationID: "add-member", Method: http.MethodPut, Path: "/v1/groups/{address}/members/{member}",
		Summary: "Add a member to a group; a member that is there already is no error",
	}, func(ctx context.Context, in *MemberPath) (*result, error) { return change(ctx, in, true) })
	register(a, huma.Operation{
		OperationID: "remove-member", Method: http.MethodDelete, Path: "/v1/groups/{address}/members/{member}",
		Summary: "Remove a member from a group; a member that is not there is no error",
	}, func(ctx context.Context, in *MemberPath) (*result, error) { return change(ctx, in, false) })
}

func groupOf(a account.Alias) adminclient.Group {
	return adminclient.Group{Address: a.Address.String(), Members: mail.AddressTexts(a.Targets), Created: a.Created, Tag: tagOfAlias(a)}
}
