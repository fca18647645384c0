package adminclient

import (
	"context"
	"io"
	"net/http"
	"net/url"
)

// TrialStep is a decision of a test.
type TrialStep struct {
	Decision string `json:"decision" doc:"The question that the server decided." example:"quota"`
	Passed   bool   `json:"passed"`
	Detail   string `json:"detail" doc:"The rule and the values."`
	Setting  string `json:"setting,omitempty" doc:"Name of the setting behind the decision."`
	Value    string `json:"value,omitempty" doc:"Value of the setting in force."`
	Source   string `json:"source,omitempty" doc:"Where the value comes from: account, domain or server."`
}

// TrialReply is a reply that a client would see.
type TrialReply struct {
	Protocol string `json:"protocol" enum:"smtp,lmtp,pop3"`
	Command  string `json:"command" doc:"The command that gets the reply: RCPT, text or login."`
	Reply    string `json:"reply"`
}

// Trial is the result of a test, which changes nothing.
type Trial struct {
	Accepted bool         `json:"accepted"`
	Steps    []TrialStep  `json:"steps" nullable:"false" doc:"The decisions in their order."`
	Replies  []TrialReply `json:"replies" nullable:"false"`
	// Resolution explains where mail for the address goes.
	Resolution *Resolution `json:"resolution,omitempty"`
}

// AddressTrial asks for the decisions about an address.
type AddressTrial struct {
	Address string `json:"address" maxLength:"1000" example:"alice@example.org"`
	Size    int64  `json:"size,omitempty" minimum:"0" doc:"Octets of the message that the sender declares; absent: unknown."`
}

// AuthTrial asks for the decisions about a login.
type AuthTrial struct {
	Address  string `json:"address" maxLength:"1000" doc:"The login name." example:"alice@example.org"`
	Password string `json:"password" doc:"The password in clear text."`
	Clear    bool   `json:"clear,omitempty" doc:"The connection has no TLS."`
	Client   string `json:"client,omitempty" maxLength:"100" doc:"IP address of the client; absent: an address without failed logins."`
}

// TestAddress explains the decisions about mail for an address.
func (c *Client) TestAddress(ctx context.Context, t AddressTrial) (Trial, error) {
	var out Trial
	err := c.call(ctx, http.MethodPost, "/v1/tests/address", t, &out)
	return out, err
}

// TestAuth explains the decisions about a login. The answer counts as no login. Status 429: too many wrong
// passwords were tried.
func (c *Client) TestAuth(ctx context.Context, t AuthTrial) (Trial, error) {
	var out Trial
	err := c.call(ctx, http.MethodPost, "/v1/tests/auth", t, &out)
	return out, err
}

// TestMessage explains the decisions about a message to an address. sender is the reverse-path; empty: the
// null reverse-path. Nothing is stored.
func (c *Client) TestMessage(ctx context.Context, address, sender string, text io.Reader) (Trial, error) {
	query := url.Values{"address": {address}}
	set(query, "sender", sender)
	var out Trial
	_, err := c.send(ctx, http.MethodPost, withQuery("/v1/tests/message", query), mediaMessage, text, &out)
	return out, err
}
