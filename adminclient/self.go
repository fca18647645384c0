package adminclient

import (
	"context"
	"net/http"
	"net/url"
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

// AsUser returns a client with the address and the password of an account, for the calls of this file
// alone: each concerns the own account.
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

// SetOwnPassword sets the password of the account of AsUser. Status 400: an invalid password; otherwise as
// OwnRetention.
func (c *Client) SetOwnPassword(ctx context.Context, password string) error {
	return c.call(ctx, http.MethodPut, "/v1/self/password", Password{Password: password}, nil)
}

// OwnSessions returns the open sessions of the account of AsUser on all servers. Errors: as OwnRetention.
func (c *Client) OwnSessions(ctx context.Context) (SessionList, error) {
	var list SessionList
	err := c.call(ctx, http.MethodGet, "/v1/self/sessions", nil, &list)
	return list, err
}

// OwnSessionEnd selects sessions of the own account to be ended: one, or all.
type OwnSessionEnd struct {
	ID  string `json:"id,omitempty" maxLength:"100" doc:"The session with this id; absent: needs all."`
	All bool   `json:"all,omitempty" doc:"All sessions of the account."`
}

// EndOwnSessions ends sessions of the account of AsUser. Status 400: neither a session nor all; otherwise
// as OwnRetention.
func (c *Client) EndOwnSessions(ctx context.Context, e OwnSessionEnd) (SessionsEnded, error) {
	var out SessionsEnded
	err := c.call(ctx, http.MethodPost, "/v1/self/sessions/disconnect", e, &out)
	return out, err
}

// OwnRemovedMessages lists the messages of the account of AsUser that were removed within the undelete
// window, up to limit messages (0: the server's default). after is the Next of the page before, or empty.
// Errors: as OwnRetention.
func (c *Client) OwnRemovedMessages(ctx context.Context, after string, limit int) (RemovedList, error) {
	query := url.Values{}
	if after != "" {
		query.Set("after", after)
	}
	setNumber(query, "limit", int64(limit))
	var list RemovedList
	err := c.call(ctx, http.MethodGet, withQuery("/v1/self/removed", query), nil, &list)
	return list, err
}

// RestoreOwn brings removed messages back into the maildrop of the account of AsUser. Status 400: not
// exactly a single selection; 409: a restore is running; otherwise as OwnRetention.
func (c *Client) RestoreOwn(ctx context.Context, r RestoreRequest) (Restored, error) {
	var restored Restored
	err := c.call(ctx, http.MethodPost, "/v1/self/restore", r, &restored)
	return restored, err
}
