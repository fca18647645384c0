package adminclient

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// NewToken asks for an access token.
type NewToken struct {
	Role   string   `json:"role" enum:"admin,operator,read-only" doc:"admin: everything, tokens included. operator: accounts, passwords, background jobs and checks. read-only: changes nothing."`
	Scopes []string `json:"scopes" minItems:"1" maxItems:"100" nullable:"false" doc:"The parts of the directory in which the role counts: all, or domain:example.org, several times." example:"[\"domain:example.org\"]"`
	// Lifetime is a duration of package time, or days.
	Lifetime string `json:"lifetime,omitempty" maxLength:"30" doc:"Time until the token expires: days such as 90d, hours such as 36h; absent: the token does not expire." example:"90d"`
	Note     string `json:"note,omitempty" maxLength:"500" doc:"A text for people."`
}

// Token is an access token, without its secret.
type Token struct {
	ID      string     `json:"id" doc:"The name of the token, also in the log."`
	Role    string     `json:"role"`
	Scopes  []string   `json:"scopes" nullable:"false"`
	Note    string     `json:"note,omitempty"`
	Maker   string     `json:"maker" doc:"The id of the token that made this token; socket or configured for the other ways in."`
	Created time.Time  `json:"created"`
	Expires *time.Time `json:"expires,omitempty" doc:"Absent: the token does not expire."`
	Revoked *time.Time `json:"revoked,omitempty" doc:"When the token was revoked; absent: the token is in force until it expires."`
	Used    *time.Time `json:"used,omitempty" doc:"A recent use, accurate to some minutes; absent: no use is known."`
	State   string     `json:"state" enum:"valid,expired,revoked"`
}

// MadeToken is a new access token.
type MadeToken struct {
	Token
	// Secret cannot be read again.
	Secret string `json:"secret" doc:"The secret for the Authorization header. The server keeps a hash, and cannot show the secret again."`
}

// TokenList is a page of access tokens, by id.
type TokenList struct {
	Tokens []Token `json:"tokens" nullable:"false"`
	Next   string  `json:"next,omitempty" doc:"Value of after for the following page; absent on the last page."`
}

// RevokedTokens reports a revocation.
type RevokedTokens struct {
	IDs        []string `json:"ids" nullable:"false" doc:"The tokens that are revoked."`
	Everywhere bool     `json:"everywhere" doc:"Whether every datacenter has the revocation. Otherwise a datacenter cannot be reached, and accepts the token until it can."`
}

// Caller describes the sender of a request.
type Caller struct {
	ID      string     `json:"id" doc:"The id of the token; socket or configured for the other ways in."`
	Role    string     `json:"role"`
	Scopes  []string   `json:"scopes" nullable:"false"`
	Expires *time.Time `json:"expires,omitempty"`
}

// tokenPage is the number of tokens in one request: the server's maximum.
const tokenPage = 1000

// Tokens returns the access tokens within the rights of the caller; all includes revoked and expired
// tokens.
func (c *Client) Tokens(ctx context.Context, all bool) ([]Token, error) {
	tokens := []Token{}
	for after := ""; ; {
		page, err := c.TokenPage(ctx, all, after, tokenPage)
		if err != nil {
			return nil, err
		}
		tokens = append(tokens, page.Tokens...)
		if after = page.Next; after == "" {
			return tokens, nil
		}
	}
}

// TokenPage returns a page of the access tokens within the rights of the caller, from behind the id after
// (empty: from the start), up to limit tokens; all includes revoked and expired tokens.
func (c *Client) TokenPage(ctx context.Context, all bool, after string, limit int) (TokenList, error) {
	query := url.Values{"all": {strconv.FormatBool(all)}, "limit": {strconv.Itoa(limit)}}
	set(query, "after", after)
	var page TokenList
	err := c.call(ctx, http.MethodGet, "/v1/tokens?"+query.Encode(), nil, &page)
	return page, err
}

// AddToken makes an access token. Status 403: the token would go beyond the rights or the expiry of the
// caller; 400: an invalid role, scope, lifetime or note; 409: too many tokens.
func (c *Client) AddToken(ctx context.Context, t NewToken) (MadeToken, error) {
	var made MadeToken
	err := c.call(ctx, http.MethodPost, "/v1/tokens", t, &made)
	return made, err
}

// RevokeToken ends an access token, permanently; with made also the tokens that it made. Status 404: no
// such token within the rights of the caller.
func (c *Client) RevokeToken(ctx context.Context, id string, made bool) (RevokedTokens, error) {
	var r RevokedTokens
	err := c.call(ctx, http.MethodDelete, "/v1/tokens/"+url.PathEscape(id)+"?made="+strconv.FormatBool(made), nil, &r)
	return r, err
}

// Caller returns the rights with which the server sees this client.
func (c *Client) Caller(ctx context.Context) (Caller, error) {
	var caller Caller
	err := c.call(ctx, http.MethodGet, "/v1/caller", nil, &caller)
	return caller, err
}
