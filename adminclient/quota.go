package adminclient

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// Quota is the use of a maildrop and its quota.
type Quota struct {
	Address  string `json:"address"`
	Octets   int64  `json:"octets" doc:"Sum of the messages' sizes in POP3."`
	Messages int64  `json:"messages" doc:"Messages in the maildrop."`
	// MaxOctets and MaxMessages are zero without a limit.
	MaxOctets   int64 `json:"maxOctets,omitempty" doc:"Most octets; absent: no limit."`
	MaxMessages int64 `json:"maxMessages,omitempty" doc:"Most messages; absent: no limit."`
	Percent     int   `json:"percent" doc:"The greater of the two shares of the limits, in percent; 0 without limits."`
}

// DomainQuota is the use of all maildrops of a domain and their common quota.
type DomainQuota struct {
	Name string `json:"name"`
	// Measured is nil before the first measurement.
	Measured    *time.Time `json:"measured,omitempty" doc:"End of the last measurement; absent: none yet."`
	Octets      int64      `json:"octets" doc:"Sum of the messages' sizes in POP3, as measured last."`
	Messages    int64      `json:"messages" doc:"Messages in all maildrops, as measured last."`
	MaxOctets   int64      `json:"maxOctets,omitempty" doc:"Most octets; absent: no limit."`
	MaxMessages int64      `json:"maxMessages,omitempty" doc:"Most messages; absent: no limit."`
	Percent     int        `json:"percent" doc:"The greater of the two shares of the limits, in percent; 0 without limits."`
}

// QuotaList is a page of the accounts of a domain that use more than a share of their quota.
type QuotaList struct {
	Quotas []Quota `json:"quotas" nullable:"false" doc:"Perhaps fewer than limit, because accounts below the share are left out."`
	// Next is the after of the following page; empty if there is none.
	Next string `json:"next,omitempty" doc:"Value of after for the following page; absent on the last page."`
	// Unread is only for a client that accepts partial lists, see Client.Partial.
	Unread []string `json:"unread,omitempty" nullable:"false" doc:"Parts that the page lacks because they cannot be read now, such as shard 5 of 128, which has a part of the addresses of the domain. Only with partial."`
}

// AccountQuota returns the use of a maildrop and its quota. Status 404: no such account.
func (c *Client) AccountQuota(ctx context.Context, address string) (Quota, error) {
	var q Quota
	err := c.call(ctx, http.MethodGet, accountPath(address)+"/quota", nil, &q)
	return q, err
}

// DomainQuota returns the use of all maildrops of a domain. Status 404: no such domain.
func (c *Client) DomainQuota(ctx context.Context, name string) (DomainQuota, error) {
	var q DomainQuota
	err := c.call(ctx, http.MethodGet, "/v1/domains/"+url.PathEscape(name)+"/quota", nil, &q)
	return q, err
}

// Quotas examines a page of up to limit accounts of a domain, from behind the local-part after (empty: from
// the start), and returns the accounts that use above percent of their quota or more. Status 404: no such
// domain.
func (c *Client) Quotas(ctx context.Context, domain, after string, limit, above int) (QuotaList, error) {
	query := c.listValues(after, limit)
	query.Set("above", strconv.Itoa(above))
	var list QuotaList
	err := c.call(ctx, http.MethodGet, "/v1/domains/"+url.PathEscape(domain)+"/quotas?"+query.Encode(), nil, &list)
	return list, err
}
