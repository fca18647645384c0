package main

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"popelago/adminclient"
)

// unreadParts are the parts that a printed list lacks because they cannot be read now.
type unreadParts []string

// add notes parts of a domain; an empty domain: of the list of domains.
func (u *unreadParts) add(domain string, parts ...string) {
	for _, part := range parts {
		if domain != "" {
			part = domain + ": " + part
		}
		if !slices.Contains(*u, part) {
			*u = append(*u, part)
		}
	}
}

// namedParts limits the parts that the error names.
const namedParts = 20

// err returns an error if the list lacks parts.
func (u unreadParts) err() error {
	if len(u) == 0 {
		return nil
	}
	names := strings.Join(u[:min(len(u), namedParts)], ", ")
	if more := len(u) - namedParts; more > 0 {
		names += fmt.Sprintf(" and %d more", more)
	}
	return withExit(exitTemp, fmt.Errorf("the list is not complete: parts cannot be read now, because nodes of the cluster do not answer: %s", names))
}

// partialPage is a page of a list that may lack parts. next is the after of the following page; empty: the page is the last.
type partialPage[T any] struct {
	items  []T
	next   string
	unread []string
}

// printInDomains prints all items of the domains given, or of all domains if none is given: as JSON, or with print. list returns the
// page of a domain behind after. While parts cannot be read, printInDomains prints the others and returns an error.
func printInDomains[T any](cmd *cobra.Command, f *remoteFlags, domains []string, list func(c *adminclient.Client, domain, after string) (partialPage[T], error), print func([]T) error) error {
	return f.call(func(c *adminclient.Client) error {
		c = c.Partial()
		items, unread, err := inDomains(cmd.Context(), c, domains, list)
		if err != nil {
			return err
		}
		if f.json {
			err = printJSON(cmd.OutOrStdout(), items)
		} else {
			err = print(items)
		}
		return cmp.Or(err, unread.err())
	})
}

// inDomains returns all items, and the parts that the list lacks.
func inDomains[T any](ctx context.Context, c *adminclient.Client, domains []string, list func(c *adminclient.Client, domain, after string) (partialPage[T], error)) (items []T, unread unreadParts, err error) {
	items = []T{} // [] in JSON
	several := len(domains) == 0
	if several {
		all, err := c.ReadableDomains(ctx)
		if err != nil {
			return nil, nil, err
		}
		unread.add("", all.Unread...)
		for _, d := range all.Domains {
			domains = append(domains, d.Name)
		}
	}
	for _, domain := range domains {
		err := eachPage(func(after string) ([]T, string, error) {
			page, err := list(c, domain, after)
			unread.add(domain, page.unread...)
			return page.items, page.next, err
		}, func(page []T) error {
			items = append(items, page...)
			return nil
		})
		if several && hasStatus(err, http.StatusServiceUnavailable) {
			unread.add(domain, err.Error())
			continue
		}
		if err != nil {
			return nil, nil, err
		}
	}
	return items, unread, nil
}
