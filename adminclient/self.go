package adminclient

import (
	"context"
	"net/http"
)

// OwnRetention is the retention of the account of the user who asks.
type OwnRetention struct {
	Address   string `json:"address" doc:"Address of the account, in canonical form."`
	Retention string `json:"retention" doc:"Age at which messages expire, as the account has it; domain: the retention of the domain." example:"domain"`
	InForce   string `json:"inForce" doc:"The age in force: the bounds of the domain count for every account." example:"90d"`
	Free      bool   `json:"free" doc:"Whether the users of the domain choose their own retention."`
	Least     string `json:"least" doc:"Least retention of the domain." example:"10d"`
	Greatest  string `json:"greatest" doc:"Greatest retention of the domain." example:"365d"`
}

// AsUser returns a client with the address and the password of an account, for OwnRetention and
// SetOwnRetention alone.
func (c *Client) AsUser(address, password string) *Client {
	out := *c
	out.token, out.address, out.password = "", address, password
	return &out
}

// OwnRetention returns the retention of the account of AsUser. Status 401: a wrong address or password;
// 403: the account may not log in; 429: too many logins.
func (c *Client) OwnRetention(ctx context.Context) (OwnRetention, error) {
	var r OwnRetention
	err := c.call(ctx, http.MethodGet, "/v1/self/retention", nil, &r)
	return r, err
}

// SetOwnRetention sets the retention of the account of AsUser, see mail.ParseRetention. Status 400: a
// retention that is invalid or outside the bounds; 403 also: the domain leaves no choice to its users;
// otherwise as OwnRetention.
func (c *Client) SetOwnRetention(ctx context.Context, retention string) (OwnRetention, error) {
	var r OwnRetention
	err := c.call(ctx, http.MethodPut, "/v1/self/retention", Retention{Retention: retention}, &r)
	return r, err
}
