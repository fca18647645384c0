package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"popelago/adminclient"
)

// accountPage is the number of accounts in one request: the server's maximum.
const accountPage = 1000

// accountListFlags select the accounts of a list, and its form.
type accountListFlags struct {
	adminclient.AccountQuery
	limit int
}

func (l *accountListFlags) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&l.Prefix, "prefix", "", "only local-parts that begin with `TEXT`; quick in a domain of any size")
	flags.StringVar(&l.Contains, "contains", "", "only addresses with the part `TEXT`; reads all accounts")
	flags.StringVar(&l.State, "state", "", "only accounts in this `STATE`: enabled or disabled")
	flags.StringSliceVar(&l.May, "may", nil, "only accounts that permit a `USE` now: deliver or pop3")
	flags.StringSliceVar(&l.MayNot, "may-not", nil, "only accounts that refuse a `USE` now: deliver or pop3")
	flags.StringArrayVar(&l.Settings, "setting", nil, "`NAME`: only accounts with the setting of their own; NAME=VALUE: only accounts for which the value is in force")
	flags.StringVar(&l.Sort, "sort", "", "sort by `FIELD`: address, created or state, with a leading - descending; up to 10,000 addresses")
	flags.StringSliceVar(&l.Fields, "fields", nil, "`FIELDS` to print: address, state, created, mailbox, retention, bulk, own, messages, octets, tag, or names of settings")
	flags.IntVar(&l.limit, "limit", 0, "at most `N` accounts; 0: all")
}

func newAccountListCommand(f *remoteFlags) *cobra.Command {
	var l accountListFlags
	cmd := &cobra.Command{
		Use:   "list [DOMAIN]",
		Short: "List the accounts of a domain, or of all",
		Long: `List the accounts of a domain, or of all domains, in the order of the storage, or sorted by a field.
Several conditions select the accounts that fulfil all of them. The fields messages and octets read each
maildrop.

While nodes of a cluster are down, the list has what can be read. The command then names the missing parts on standard error and
exits with 75.`,
		Example: "  popelago account list example.org --prefix al --fields address,quota,messages\n" +
			"  popelago account list example.org --sort -created --limit 10\n" +
			"  popelago account list example.org --may-not pop3 --fields address,pop3,reason",
		Args: arguments("[DOMAIN]"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if l.limit < 0 {
				return &usageError{fmt.Sprintf("--limit %d is negative", l.limit)}
			}
			found := 0
			return printInDomains(cmd, f, args, func(c *adminclient.Client, domain, after string) (partialPage[adminclient.ListedAccount], error) {
				size := accountPage
				if l.limit > 0 {
					if size = min(size, l.limit-found); size <= 0 {
						return partialPage[adminclient.ListedAccount]{}, nil
					}
				}
				page, err := c.SearchAccounts(cmd.Context(), domain, l.AccountQuery, after, size)
				found += len(page.Accounts)
				return partialPage[adminclient.ListedAccount]{page.Accounts, page.Next, page.Unread}, err
			}, func(accounts []adminclient.ListedAccount) error { return l.print(cmd, accounts) })
		},
	}
	l.add(cmd)
	return cmd
}

func (l *accountListFlags) print(cmd *cobra.Command, accounts []adminclient.ListedAccount) error {
	fields := l.Fields
	if len(fields) == 0 {
		fields = []string{"address", "state", "created"}
	}
	heading := make([]string, len(fields))
	for i, field := range fields {
		heading[i] = strings.ToUpper(field)
	}
	rows := make([][]string, len(accounts))
	for i, a := range accounts {
		rows[i] = make([]string, len(fields))
		for j, field := range fields {
			rows[i][j] = fieldOf(a, field)
		}
	}
	return printTable(cmd.OutOrStdout(), heading, rows)
}

// fieldOf returns a field of an account as text.
func fieldOf(a adminclient.ListedAccount, field string) string {
	switch field {
	case "address":
		return a.Address
	case "state":
		return a.State
	case "mailbox":
		return a.Mailbox
	case "created":
		return when(*a.Created)
	case "retention":
		return a.Retention
	case "bulk":
		if a.Bulk == nil {
			return "no"
		}
		return "since " + when(*a.Bulk)
	case "tag":
		return a.Tag
	case "own":
		return settingsText(a.Own)
	case "messages":
		return countText(a.Messages)
	case "octets":
		return countText(a.Octets)
	}
	return a.Settings[field]
}

// countText returns a count as text; nil: the count could not be read.
func countText(n *int64) string {
	if n == nil {
		return "unknown"
	}
	return strconv.FormatInt(*n, 10)
}

// domainsOf returns the domains given, or all domains if none is given.
func domainsOf(ctx context.Context, c *adminclient.Client, domains []string) ([]string, error) {
	if len(domains) > 0 {
		return domains, nil
	}
	all, err := c.Domains(ctx)
	for _, d := range all {
		domains = append(domains, d.Name)
	}
	return domains, err
}

// eachPage calls visit for each page of a list. list returns the page behind after, and the next after; empty:
// the page is the last.
func eachPage[T any](list func(after string) (page []T, next string, err error), visit func(page []T) error) error {
	for after := ""; ; {
		page, next, err := list(after)
		if err == nil {
			err = visit(page)
		}
		if err != nil || next == "" {
			return err
		}
		after = next
	}
}

// settingsText returns settings as text, such as "pop3=off quota=2GiB".
func settingsText(settings map[string]string) string {
	var texts []string
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		texts = append(texts, name+"="+settings[name])
	}
	return strings.Join(texts, " ")
}
