package adminclient

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
)

// mediaMessage is the media type of a message on the way to the server. The answer of a fetch is
// application/octet-stream: no program should interpret it by itself.
const mediaMessage = "message/rfc822"

// FetchMessage writes the octets of a message to w, exactly as RETR sends them (without dot-stuffing),
// and returns their count. After an error w may hold a part of the message. Status 404: no such
// account, or no such message.
func (c *Client) FetchMessage(ctx context.Context, address, uniqueID string, w io.Writer) (int64, error) {
	req, err := c.request(ctx, http.MethodGet, messagePath(address, "message", uniqueID), nil)
	if err != nil {
		return 0, err
	}
	req.Header.Set("Accept", "application/octet-stream, application/problem+json")
	resp, err := c.do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	n, err := io.Copy(w, resp.Body)
	if err == nil && resp.ContentLength >= 0 && n != resp.ContentLength {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		err = fmt.Errorf("the message did not come in whole: %d octets: %w", n, err)
	}
	return n, err
}

// PutMessage stores a message in a maildrop, through delivery and its checks. sender is the
// reverse-path; empty: the null reverse-path. A bare LF in the text becomes CRLF. Status 404: no such
// account; 409: the account is disabled; 413: the message is too large; 422: delivery refuses the
// text; 507: no space.
func (c *Client) PutMessage(ctx context.Context, address, sender string, text io.Reader) (PutMessage, error) {
	query := url.Values{}
	set(query, "sender", sender)
	var put PutMessage
	_, err := c.send(ctx, http.MethodPost, maildropPath(address, "messages", query), mediaMessage, text, &put)
	return put, err
}
