package adminclient

import (
	"context"
	"net/http"
	"net/url"
	"time"
)

// NewGroup asks for a group to be made.
type NewGroup struct {
	Address string   `json:"address" maxLength:"1000" doc:"local-part@domain, in a hosted domain." example:"team@example.org"`
	Members []string `json:"members" nullable:"false" maxItems:"1000" doc:"The addresses that get the mail: accounts, aliases or groups here."`
}

// Group is a live group.
type Group struct {
	Address string    `json:"address" doc:"In canonical form."`
	Members []string  `json:"members" nullable:"false" doc:"The addresses that get the mail."`
	Created time.Time `json:"created" doc:"When the group was made."`
	Tag     string    `json:"tag" doc:"Entity-tag for If-Match."`
}

// GroupDetail is a group with its missing members.
type GroupDetail struct {
	Group
	Missing []string `json:"missing" nullable:"false" doc:"Addresses without an account, alias or group, also behind other members."`
}

// GroupList is a page of the groups of a domain.
type GroupList struct {
	Groups []Group `json:"groups" nullable:"false"`
	// Next is the after of the following page; empty if there is none.
	Next string `json:"next,omitempty" doc:"Value of after for the following page; absent on the last page."`
	// Unread is only for a client that accepts partial lists, see Client.Partial.
	Unread []string `json:"unread,omitempty" nullable:"false" doc:"Parts that the page lacks because they cannot be read now, such as shard 5 of 128, which has a part of the addresses of the domain. Only with partial."`
}

// Groups returns a page of the groups of a domain, as Aliases does. Status 404: no such domain.
func (c *Client) Groups(ctx context.Context, domain, after string, limit int) (GroupList, error) {
	var list GroupList
	err := c.call(ctx, http.MethodGet, c.pagePath(domain, "groups", after, limit), nil, &list)
	return list, err
}

// AddGroup makes a group. Status 404: no such domain; 409: the address exists already, or a member cannot
// be used; 400: an invalid address.
func (c *Client) AddGroup(ctx context.Context, address string, members []string) (Group, error) {
	var g Group
	err := c.call(ctx, http.MethodPost, "/v1/groups", NewGroup{Address: address, Members: members}, &g)
	return g, err
}

// Group returns a group. Status 404: no such group.
func (c *Client) Group(ctx context.Context, address string) (GroupDetail, error) {
	var g GroupDetail
	err := c.call(ctx, http.MethodGet, groupPath(address), nil, &g)
	return g, err
}

// AddMember adds a member to a group. Status 404: no such group; 409: the member cannot be used.
func (c *Client) AddMember(ctx context.Context, address, member string) (Group, error) {
	var g Group
	err := c.call(ctx, http.MethodPut, groupPath(address)+"/members/"+url.PathEscape(member), nil, &g)
	return g, err
}

// RemoveMember removes a member from a group. Status 404: no such group.
func (c *Client) RemoveMember(ctx context.Context, address, member string) (Group, error) {
	var g Group
	err := c.call(ctx, http.MethodDelete, groupPath(address)+"/members/"+url.PathEscape(member), nil, &g)
	return g, err
}

// RemoveGroup removes a group. Status 404: no such group.
func (c *Client) RemoveGroup(ctx context.Context, address string) error {
	return c.call(ctx, http.MethodDelete, groupPath(address), nil, nil)
}

func groupPath(address string) string { return "/v1/groups/" + url.PathEscape(address) }
