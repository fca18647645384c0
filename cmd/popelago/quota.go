package main

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"popelago/adminclient"
	"popelago/mail"
)

func newQuotaCommand() *cobra.Command {
	f := &remoteFlags{}
	cmd := newGroup("quota", "Show the use of quotas", newQuotaShowCommand(f), newQuotaListCommand(f))
	f.add(cmd)
	return cmd
}

func newQuotaShowCommand(f *remoteFlags) *cobra.Command {
	return &cobra.Command{
		Use:   "show ADDRESS|DOMAIN",
		Short: "Show the use of a maildrop, or of all maildrops of a domain, and the quota",
		Args:  arguments("ADDRESS|DOMAIN"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.call(func(c *adminclient.Client) error {
				if strings.Contains(args[0], "@") {
					q, err := c.AccountQuota(cmd.Context(), args[0])
					if err != nil {
						return err
					}
					return f.printQuota(cmd, q, []string{"address", q.Address}, nil, q.Octets, q.MaxOctets, q.Messages, q.MaxMessages, q.Percent)
				}
				q, err := c.DomainQuota(cmd.Context(), args[0])
				if err != nil {
					return err
				}
				measured := []string{"measured", "not yet"}
				if q.Measured != nil {
					measured[1] = when(*q.Measured)
				}
				return f.printQuota(cmd, q, []string{"domain", q.Name}, measured, q.Octets, q.MaxOctets, q.Messages, q.MaxMessages, q.Percent)
			})
		},
	}
}

func (f *remoteFlags) printQuota(cmd *cobra.Command, q any, head, last []string, octets, maxOctets, messages, maxMessages int64, percent int) error {
	if f.json {
		return printJSON(cmd.OutOrStdout(), q)
	}
	rows := [][]string{
		{"octets", used(octets, maxOctets, mail.FormatOctets)},
		{"messages", used(messages, maxMessages, decimal)},
	}
	if maxOctets > 0 || maxMessages > 0 {
		rows = append(rows, []string{"percent", strconv.Itoa(percent)})
	}
	if last != nil {
		rows = append(rows, last)
	}
	return printTable(cmd.OutOrStdout(), head, rows)
}

func decimal(n int64) string { return strconv.FormatInt(n, 10) }

// used returns a use and its limit, such as "1234 of 2GiB".
func used(n, limit int64, show func(int64) string) string {
	if limit <= 0 {
		return decimal(n) + ", no limit"
	}
	return decimal(n) + " of " + show(limit)
}

func newQuotaListCommand(f *remoteFlags) *cobra.Command {
	above := 0
	cmd := &cobra.Command{
		Use:     "list [DOMAIN]",
		Short:   "List the maildrops of a domain, or of all, with the use of their quota",
		Example: "  popelago quota list example.org --above 90",
		Args:    arguments("[DOMAIN]"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if above < 0 || above > 1000 {
				return &usageError{fmt.Sprintf("--above %d is not a share in percent, 0 to 1000", above)}
			}
			return printInDomains(cmd, f, args, func(c *adminclient.Client, domain, after string) (partialPage[adminclient.Quota], error) {
				page, err := c.Quotas(cmd.Context(), domain, after, quotaPage, above)
				return partialPage[adminclient.Quota]{page.Quotas, page.Next, page.Unread}, err
			}, func(quotas []adminclient.Quota) error {
				rows := make([][]string, len(quotas))
				for i, q := range quotas {
					rows[i] = []string{
						q.Address, strconv.Itoa(q.Percent), used(q.Octets, q.MaxOctets, mail.FormatOctets), used(q.Messages, q.MaxMessages, decimal),
					}
				}
				return printTable(cmd.OutOrStdout(), []string{"ADDRESS", "PERCENT", "OCTETS", "MESSAGES"}, rows)
			})
		},
	}
	cmd.Flags().IntVar(&above, "above", 0, "only maildrops that use this share of their quota or more, in `PERCENT`")
	return cmd
}

// quotaPage is the number of accounts examined in one request: each costs the server a read.
const quotaPage = 100
