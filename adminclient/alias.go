package adminclient

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// NewAlias asks for an alias to be made.
type NewAlias struct {
	Address string `json:"address" maxLength:"1000" doc:"local-part@domain, in a hosted domain." example:"sales@example.org"`
	AliasTarget
}

// Alias is a live alias.
type Alias struct {
	Address string    `json:"address" doc:"In canonical form."`
	Targets []string  `json:"targets" nullable:"false" doc:"The address that gets the mail. Several, or none, only after two datacenters have changed the alias at the same time: each gets the mail."`
	Created time.Time `json:"created" doc:"When the alias was made."`
	Tag     string    `json:"tag" doc:"Entity-tag for If-Match."`
}

// AliasTarget asks for another target of an alias.
type AliasTarget struct {
	Target  string   `json:"target,omitempty" maxLength:"1000" doc:"The address that gets the mail: an account, alias or group here." example:"bob@example.org"`
	Targets []string `json:"targets,omitzero" required:"false" nullable:"false" maxItems:"1000" doc:"Instead of target, for an alias as two datacenters may leave it: several addresses, or none."`
}

// aliasTarget returns the request for targets.
func aliasTarget(targets []string) AliasTarget {
	if len(targets) == 1 {
		return AliasTarget{Target: targets[0]}
	}
	return AliasTarget{Targets: append([]string{}, targets...)}
}

// AliasList is a page of the aliases of a domain.
type AliasList struct {
	Aliases []Alias `json:"aliases" nullable:"false"`
	// Next is the after of the following page; empty if there is none.
	Next string `json:"next,omitempty" doc:"Value of after for the following page; absent on the last page."`
	// Unread is only for a client that accepts partial lists, see Client.Partial.
	Unread []string `json:"unread,omitempty" nullable:"false" doc:"Parts that the page lacks because they cannot be read now, such as shard 5 of 128, which has a part of the addresses of the domain. Only with partial."`
}

// Aliases returns a page of the aliases of a domain, like Accounts. A page may be short, even empty, although Next is set.
// Status 404: no such domain.
func (c *Client) Aliases(ctx context.Context, domain, after string, limit int) (AliasList, error) {
	var list AliasList
	err := c.call(ctx, http.MethodGet, c.pagePath(domain, "aliases", after, limit), nil, &list)
	return list, err
}

// pagePath is the path of a page of a list of a domain.
func (c *Client) pagePath(domain, list, after string, limit int) string {
	return "/v1/domains/" + url.PathEscape(domain) + "/" + list + c.pageQuery(after, limit)
}

// pageQuery returns the query of a page, such as "?after=alice&limit=10", or nothing.
func (c *Client) pageQuery(after string, limit int) string {
	query := c.listValues(after, limit)
	if len(query) == 0 {
		return ""
	}
	return "?" + query.Encode()
}

// listValues returns the parameters that all lists of the directory have.
func (c *Client) listValues(after string, limit int) url.Values {
	query := url.Values{}
	if after != "" {
		query.Set("after", after)
	}
	if limit > 0 {
		query.Set("limit", strconv.Itoa(limit))
	}
	if c.partial {
		query.Set("partial", "true")
	}
	return query
}

// AddAlias makes an alias, usually with one target. Status 404: no such domain; 409: the address exists already, or the target
// cannot be used; 400: an invalid address.
func (c *Client) AddAlias(ctx context.Context, address string, targets ...string) (Alias, error) {
	var a Alias
	err := c.call(ctx, http.MethodPost, "/v1/aliases", NewAlias{Address: address, AliasTarget: aliasTarget(targets)}, &a)
	return a, err
}

// Alias returns an alias. Status 404: no such alias.
func (c *Client) Alias(ctx context.Context, address string) (Alias, error) {
	var a Alias
	err := c.call(ctx, http.MethodGet, aliasPath(address), nil, &a)
	return a, err
}

// SetAliasTarget gives an alias other targets, usually one. Status 404: no such alias; 409: the target cannot be used.
func (c *Client) SetAliasTarget(ctx context.Context, address string, targets ...string) (Alias, error) {
	var a Alias
	err := c.call(ctx, http.MethodPut, aliasPath(address)+"/target", aliasTarget(targets), &a)
	return a, err
}

// RemoveAlias removes an alias. Status 404: no such alias.
func (c *Client) RemoveAlias(ctx context.Context, address string) error {
	return c.call(ctx, http.MethodDelete, aliasPath(address), nil, nil)
}

func aliasPath(address string) string { return "/v1/aliases/" + url.PathEscape(address) }
