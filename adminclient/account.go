package adminclient

import (
	"context"
	"net/http"
	"net/url"
)

// AddAccount makes an account. Status 404: no such domain; 409: the address has an account already;
// 400: an invalid address or password.
func (c *Client) AddAccount(ctx context.Context, address, password string) (Account, error) {
	var a Account
	err := c.call(ctx, http.MethodPost, "/v1/accounts", NewAccount{Address: address, Password: password}, &a)
	return a, err
}

// Account returns one account, with the count and size of its messages. Status 404: no such
// account.
func (c *Client) Account(ctx context.Context, address string) (AccountDetail, error) {
	var a AccountDetail
	err := c.call(ctx, http.MethodGet, accountPath(address), nil, &a)
	return a, err
}

// SetPassword sets the password of an account. Status 404: no such account; 400: an invalid
// password.
func (c *Client) SetPassword(ctx context.Context, address, password string) error {
	return c.call(ctx, http.MethodPut, accountPath(address)+"/password", Password{Password: password}, nil)
}

// SetState makes an account Enabled or Disabled. Status 404: no such account.
func (c *Client) SetState(ctx context.Context, address, state string) error {
	return c.call(ctx, http.MethodPut, accountPath(address)+"/state", State{State: state}, nil)
}

// SetRetention sets the retention of an account, see mail.ParseRetention. Status 404: no such account;
// 400: an invalid retention.
func (c *Client) SetRetention(ctx context.Context, address, retention string) error {
	return c.call(ctx, http.MethodPut, accountPath(address)+"/retention", Retention{Retention: retention}, nil)
}

// RenameAccount gives an account another address, and makes the old address its alias. The call may be
// repeated. Status 404: no such account, or no such domain; 409: something else has the new address.
func (c *Client) RenameAccount(ctx context.Context, address, to string) (Account, error) {
	var a Account
	err := c.call(ctx, http.MethodPost, accountPath(address)+"/rename", NewAddress{To: to}, &a)
	return a, err
}

// SetBulk makes the mailbox of an account bulk, permanently. Status 404: no such account; 409: the
// storage engine has no bulk mailboxes.
func (c *Client) SetBulk(ctx context.Context, address string) (Bulk, error) {
	var b Bulk
	err := c.call(ctx, http.MethodPut, accountPath(address)+"/bulk", nil, &b)
	return b, err
}

// RemoveAccount ends an account and removes its messages. Status 404: no such account.
func (c *Client) RemoveAccount(ctx context.Context, address string) (Removal, error) {
	var r Removal
	err := c.call(ctx, http.MethodDelete, accountPath(address), nil, &r)
	return r, err
}

func accountPath(address string) string { return "/v1/accounts/" + url.PathEscape(address) }
