package main

import (
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"popelago/adminclient"
	"popelago/mail"
)

func newAccountCommand() *cobra.Command {
	f := &remoteFlags{}
	cmd := newGroup("account", "Manage the accounts of a running server",
		newAccountAddCommand(f), newAccountListCommand(f), newAccountShowCommand(f),
		f.addIfMatch(newAccountPasswdCommand(f)),
		f.addIfMatch(newAccountStateCommand(f, "disable", "Refuse mail and logins for an account", adminclient.Disabled)),
		f.addIfMatch(newAccountStateCommand(f, "enable", "Undo disable", adminclient.Enabled)),
		f.addIfMatch(newAccountRetentionCommand(f)),
		f.addIfMatch(newSetCommand(f, accountSettings())),
		newSettingsCommand(f, accountSettings()),
		newAccountBulkCommand(f),
		f.addIfMatch(newAccountRenameCommand(f)),
		f.addIfMatch(newAccountRemoveCommand(f)))
	f.add(cmd)
	return cmd
}

func newAccountAddCommand(f *remoteFlags) *cobra.Command {
	var p passwordFlags
	cmd := &cobra.Command{
		Use:   "add ADDRESS",
		Short: "Make an account",
		Args:  arguments("ADDRESS"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.call(func(c *adminclient.Client) error {
				password, err := p.password(cmd, c, args[0])
				if err != nil {
					return err
				}
				a, err := c.AddAccount(cmd.Context(), args[0], password)
				if err != nil {
					return err
				}
				return f.result(cmd.OutOrStdout(), a, "account %s added", a.Address)
			})
		},
	}
	p.add(cmd)
	return cmd
}

func newAccountShowCommand(f *remoteFlags) *cobra.Command {
	return &cobra.Command{
		Use:   "show ADDRESS",
		Short: "Show an account, with its messages, its last login and its last delivery",
		Args:  arguments("ADDRESS"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.call(func(c *adminclient.Client) error {
				a, err := c.Account(cmd.Context(), args[0])
				if err != nil {
					return err
				}
				if f.json {
					return printJSON(cmd.OutOrStdout(), a)
				}
				rows := [][]string{
					{"state", a.State},
					{"created", when(a.Created)},
					{"retention", retentionInForce(a)},
				}
				rows = append(append(rows, activityRows(a.Activity)...), []string{"mailbox", a.Mailbox})
				for _, name := range slices.Sorted(maps.Keys(a.Settings)) {
					if name != "retention" {
						rows = append(rows, []string{name, a.Settings[name]})
					}
				}
				if a.Bulk != nil {
					rows = append(rows, []string{"bulk", "since " + when(*a.Bulk)})
				}
				if err := printTable(cmd.OutOrStdout(), []string{"address", a.Address}, rows); err != nil || len(a.Missing) == 0 {
					return err
				}
				return problem("these parts could not be read now: " + strings.Join(a.Missing, ", "))
			})
		},
	}
}

// retentionInForce returns the retention of an account as text, and says if it comes from the
// domain, or from the bounds of the domain.
func retentionInForce(a adminclient.AccountDetail) string {
	own, source := a.Retention, ""
	if own == mail.AsDomain.String() {
		own, source = a.DomainRetention, ", as the domain"
	}
	if a.RetentionInForce != own {
		return a.RetentionInForce + ", bounded by the domain: " + own
	}
	return own + source
}

func newAccountPasswdCommand(f *remoteFlags) *cobra.Command {
	var p passwordFlags
	cmd := &cobra.Command{
		Use:   "passwd ADDRESS",
		Short: "Set the password of an account",
		Args:  arguments("ADDRESS"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.call(func(c *adminclient.Client) error {
				password, err := p.password(cmd, c, args[0])
				if err != nil {
					return err
				}
				if err := c.SetPassword(cmd.Context(), args[0], password); err != nil {
					return err
				}
				return f.result(cmd.OutOrStdout(), map[string]string{"address": args[0]}, "password of %s changed", args[0])
			})
		},
	}
	p.add(cmd)
	return cmd
}

func newAccountStateCommand(f *remoteFlags, name, short, state string) *cobra.Command {
	var reason string
	cmd := &cobra.Command{
		Use:   name + " ADDRESS",
		Short: short,
		Args:  arguments("ADDRESS"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.call(func(c *adminclient.Client) error {
				if reason != "" {
					s, err := c.SetAccountSettings(cmd.Context(), args[0], map[string]string{"reason": reason})
					if err != nil {
						return err
					}
					if f.ifMatch != "" { // the reason has changed the tag
						c = c.IfMatch(s.Tag)
					}
				}
				if err := c.SetState(cmd.Context(), args[0], state); err != nil {
					return err
				}
				return f.result(cmd.OutOrStdout(), map[string]string{"address": args[0], "state": state},
					"account %s %s", args[0], state)
			})
		},
	}
	if state == adminclient.Disabled {
		cmd.Flags().StringVar(&reason, "reason", "", "`TEXT` for administrators: the setting reason")
	}
	return cmd
}

func newAccountRetentionCommand(f *remoteFlags) *cobra.Command {
	return &cobra.Command{
		Use:   "retention ADDRESS RETENTION",
		Short: "Set the age at which messages of an account expire",
		Long: `Set the age at which messages of an account expire: days such as 90d, hours such as 36h, forever,
or domain for the retention of the domain. Older messages disappear at once; a longer retention
later brings back only messages that were not removed by then.`,
		Example: "  popelago account retention alice@example.org 90d",
		Args:    arguments("ADDRESS", "RETENTION"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := checkRetention(args[1]); err != nil {
				return err
			}
			return f.call(func(c *adminclient.Client) error {
				if err := c.SetRetention(cmd.Context(), args[0], args[1]); err != nil {
					return err
				}
				return f.result(cmd.OutOrStdout(), map[string]string{"address": args[0], "retention": args[1]},
					"retention of %s: %s", args[0], args[1])
			})
		},
	}
}

func newAccountBulkCommand(f *remoteFlags) *cobra.Command {
	return &cobra.Command{
		Use:   "bulk ADDRESS",
		Short: "Make the mailbox of an account bulk, permanently",
		Long: `Make the mailbox of an account bulk, permanently. A bulk mailbox has a segment for each day, for
tens of thousands of messages a day. The change begins about an hour later, needs no downtime, and
clients notice nothing. Mailboxes that grow past cassandra.bulk_after become bulk automatically.`,
		Example: "  popelago account bulk results@example.org",
		Args:    arguments("ADDRESS"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.call(func(c *adminclient.Client) error {
				b, err := c.SetBulk(cmd.Context(), args[0])
				if err != nil {
					return err
				}
				return f.result(cmd.OutOrStdout(), b, "mailbox of %s: bulk since %s", args[0], when(b.Since))
			})
		},
	}
}

func newAccountRenameCommand(f *remoteFlags) *cobra.Command {
	return &cobra.Command{
		Use:   "rename OLD NEW",
		Short: "Give an account another address; the old one becomes an alias",
		Long: `Give an account another address, also in another domain. The account keeps its mail, its password, its
state and its settings. The old address becomes an alias: mail for it arrives as before, logins need the new
address. The command may be repeated after an error, and "rename NEW OLD" undoes it.`,
		Example: "  popelago account rename ann@example.org ann.miller@example.org",
		Args:    arguments("OLD", "NEW"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.call(func(c *adminclient.Client) error {
				a, err := c.RenameAccount(cmd.Context(), args[0], args[1])
				if err != nil {
					return err
				}
				return f.result(cmd.OutOrStdout(), a, "account %s is now %s; the old address is an alias", args[0], a.Address)
			})
		},
	}
}

func newAccountRemoveCommand(f *remoteFlags) *cobra.Command {
	return &cobra.Command{
		Use:   "remove ADDRESS",
		Short: "End an account and remove its messages, permanently",
		Args:  arguments("ADDRESS"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.call(func(c *adminclient.Client) error {
				r, err := c.RemoveAccount(cmd.Context(), args[0])
				if err != nil {
					return err
				}
				text := "account %s removed, messages removed: %d"
				switch {
				case r.Pending:
					text += "; the rest will follow"
				case r.Shared:
					text += "; another account has the mailbox too, and keeps it"
				}
				return f.result(cmd.OutOrStdout(), r, text, args[0], r.Messages)
			})
		},
	}
}
