package adminclient

import (
	"context"
	"net/http"
	"net/url"
)

// Health asks whether the server works.
func (c *Client) Health(ctx context.Context) (Health, error) {
	var h Health
	err := c.call(ctx, http.MethodGet, "/healthz", nil, &h)
	return h, err
}

// Domains returns all hosted domains within the scopes of the token, by name. Domains fails while a part of the domains cannot be
// read, see ReadableDomains.
func (c *Client) Domains(ctx context.Context) ([]Domain, error) {
	whole := *c
	whole.partial = false
	all, err := whole.ReadableDomains(ctx)
	return all.Domains, err
}

// ReadableDomains is Domains, with the list and the parts that the list lacks: see Partial.
func (c *Client) ReadableDomains(ctx context.Context) (DomainList, error) {
	all := DomainList{Domains: []Domain{}}
	for after := ""; ; {
		page, err := c.DomainPage(ctx, after, 0)
		if err != nil {
			return DomainList{}, err
		}
		all.Domains = append(all.Domains, page.Domains...)
		if page.Unread != nil { // of all pages
			all.Unread = page.Unread
		}
		if after = page.Next; after == "" {
			return all, nil
		}
	}
}

// DomainPage returns a page of the hosted domains, from behind the name after (empty: from the start), up
// to limit domains (0: the server's default).
func (c *Client) DomainPage(ctx context.Context, after string, limit int) (DomainList, error) {
	var list DomainList
	err := c.call(ctx, http.MethodGet, "/v1/domains"+c.pageQuery(after, limit), nil, &list)
	return list, err
}

// Domain returns a hosted domain. Status 404: no such domain.
func (c *Client) Domain(ctx context.Context, name string) (Domain, error) {
	var d Domain
	err := c.call(ctx, http.MethodGet, "/v1/domains/"+url.PathEscape(name), nil, &d)
	return d, err
}

// AddDomain starts hosting a domain. Status 409: the domain is hosted already.
func (c *Client) AddDomain(ctx context.Context, name string) (Domain, error) {
	var d Domain
	err := c.call(ctx, http.MethodPost, "/v1/domains", NewDomain{Name: name}, &d)
	return d, err
}

// ChangeDomain changes settings of a domain and returns all. Status 404: no such domain; 400:
// invalid settings.
func (c *Client) ChangeDomain(ctx context.Context, name string, settings DomainSettings) (Domain, error) {
	var d Domain
	err := c.call(ctx, http.MethodPut, "/v1/domains/"+url.PathEscape(name)+"/settings", settings, &d)
	return d, err
}

// RemoveDomain stops hosting a domain. Status 404: no such domain; 409: the domain still has
// accounts.
func (c *Client) RemoveDomain(ctx context.Context, name string) error {
	return c.call(ctx, http.MethodDelete, "/v1/domains/"+url.PathEscape(name), nil, nil)
}
