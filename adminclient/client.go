package adminclient

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"strings"
)

// Client calls one server. Safe for concurrent use.
type Client struct {
	base  string // without a final slash
	token string
	http  *http.Client
	// where names the server in errors.
	where string
	// address and password of an account count instead of the token, see AsUser; empty: none.
	address, password string
	// ifMatch is the header If-Match; empty: none.
	ifMatch string
	// partial permits lists to lack parts, see Partial.
	partial bool
}

// Unix makes a client of the server on a unix socket.
func Unix(socket string) *Client {
	transport := &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", socket)
		},
	}
	return &Client{base: "http://popelago", http: &http.Client{Transport: transport}, where: socket}
}

// HTTP makes a client of the server at an http or https URL. token may be empty.
func HTTP(server, token string) (*Client, error) {
	u, err := url.Parse(server)
	switch {
	case err != nil:
		return nil, fmt.Errorf("server URL: %w", err)
	case u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		return nil, fmt.Errorf("server URL %q: should be like https://mail.example.org:8080", server)
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return nil, fmt.Errorf("server URL %q: only scheme, host, port and path can be given", u.Redacted())
	}
	c := &Client{
		base: strings.TrimSuffix(u.String(), "/"), token: token, where: u.String(),
		http: &http.Client{
			Transport: http.DefaultTransport.(*http.Transport).Clone(),
			// A redirect could carry a password to another server.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
	return c, nil
}

// Via is HTTP with requests that go through a transport.
func Via(server, token string, transport http.RoundTripper) (*Client, error) {
	c, err := HTTP(server, token)
	if err == nil {
		c.http.Transport = transport
	}
	return c, err
}

// IfMatch returns a client whose changes of accounts, domains, aliases and groups need the state with an
// entity-tag, see AccountTag, DomainTag, Settings.Tag, Alias.Tag and Group.Tag. Otherwise they fail with status 412, and change nothing.
func (c *Client) IfMatch(tag string) *Client {
	out := *c
	out.ifMatch = tag
	return &out
}

// Partial returns a client whose lists of domains, accounts, aliases, groups and quotas go on behind parts that cannot be read, and
// name the parts in Unread. Otherwise such a list fails with status 503. A server of an older release fails in either case.
func (c *Client) Partial() *Client {
	out := *c
	out.partial = true
	return &out
}

// AccountTag returns the entity-tag of an account. Status 404: no such account.
func (c *Client) AccountTag(ctx context.Context, address string) (string, error) {
	return c.tag(ctx, accountPath(address))
}

// DomainTag returns the entity-tag of a domain. Status 404: no such domain.
func (c *Client) DomainTag(ctx context.Context, name string) (string, error) {
	return c.tag(ctx, "/v1/domains/"+url.PathEscape(name))
}

// tag returns the entity-tag of the resource at a path.
func (c *Client) tag(ctx context.Context, path string) (string, error) {
	req, err := c.request(ctx, http.MethodGet, path, nil)
	if err != nil {
		return "", err
	}
	resp, err := c.do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	return resp.Header.Get("ETag"), nil
}

// Close closes idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// call does one request. in and out are the JSON bodies, nil for none.
func (c *Client) call(ctx context.Context, method, path string, in, out any) error {
	_, err := c.exchange(ctx, method, path, in, out)
	return err
}

// exchange is call, and returns the header of the answer; nil after an error.
func (c *Client) exchange(ctx context.Context, method, path string, in, out any) (http.Header, error) {
	if in == nil {
		return c.send(ctx, method, path, "", nil, out)
	}
	b, err := json.Marshal(in)
	if err != nil {
		return nil, fmt.Errorf("adminclient: %w", err)
	}
	return c.send(ctx, method, path, "application/json", bytes.NewReader(b), out)
}

// send does one request with a body of a media type, or without body (nil), and reads the answer as JSON into
// out, unless out is nil. It returns the header of the answer; nil after an error.
func (c *Client) send(ctx context.Context, method, path, mediaType string, body io.Reader, out any) (http.Header, error) {
	req, err := c.request(ctx, method, path, body)
	if err != nil {
		return nil, err
	}
	if body != nil {
		req.Header.Set("Content-Type", mediaType)
	}
	resp, err := c.do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if out == nil {
		return resp.Header, nil
	}
	if err := json.NewDecoder(resp.Body).Decode(out); err != nil {
		return nil, fmt.Errorf("%w from %s: %w", ErrNoAnswer, c.where, err)
	}
	return resp.Header, nil
}

// request makes a request with the token of the client. body may be nil.
func (c *Client) request(ctx context.Context, method, path string, body io.Reader) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, body)
	if err != nil {
		return nil, fmt.Errorf("adminclient: %w", err)
	}
	req.Header.Set("Accept", "application/json, application/problem+json")
	switch {
	case c.address != "":
		req.SetBasicAuth(c.address, c.password)
	case c.token != "":
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	if c.ifMatch != "" {
		req.Header.Set("If-Match", c.ifMatch)
	}
	return req, nil
}

// do sends a request, and returns the response to a success. The caller closes its body.
func (c *Client) do(req *http.Request) (*http.Response, error) {
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, c.explain(req.Context(), err)
	}
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		defer resp.Body.Close()
		return nil, errorOf(resp)
	}
	return resp, nil
}

// explain describes an error of a request. ErrNoServer and ErrNotPermitted: the request has reached no
// server. ErrNoAnswer: the request may have reached the server.
func (c *Client) explain(ctx context.Context, err error) error {
	var urlErr *url.Error
	if errors.As(err, &urlErr) {
		err = urlErr.Err // without the made-up URL
	}
	var op *net.OpError
	if ctx.Err() == nil && errors.As(err, &op) && op.Op == "dial" && errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("%s: %w", c.where, ErrNotPermitted)
	}
	if ctx.Err() == nil && errors.As(err, &op) && op.Op == "dial" {
		return fmt.Errorf("%w at %s: %w", ErrNoServer, c.where, op.Err)
	}
	return fmt.Errorf("%w from %s: %w", ErrNoAnswer, c.where, err)
}
