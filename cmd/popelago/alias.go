package main

import (
	"strings"

	"github.com/spf13/cobra"

	"popelago/adminclient"
)

func newAliasCommand() *cobra.Command {
	f := &remoteFlags{}
	cmd := newGroup("alias", "Manage the aliases of a running server",
		newAliasAddCommand(f), newAliasListCommand(f), newAliasShowCommand(f), f.addIfMatch(newAliasSetCommand(f)),
		f.addIfMatch(newAliasRemoveCommand(f)))
	f.add(cmd)
	return cmd
}

func newAliasAddCommand(f *remoteFlags) *cobra.Command {
	return &cobra.Command{
		Use:   "add ADDRESS TARGET",
		Short: "Make an alias: mail for ADDRESS goes to TARGET",
		Long: `Make an alias: mail for ADDRESS goes to TARGET, an account, an alias or a group of this server.
ADDRESS must not exist yet. Nobody can log in as an alias.`,
		Example: "  popelago alias add sales@example.org alice@example.org",
		Args:    arguments("ADDRESS", "TARGET"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.call(func(c *adminclient.Client) error {
				a, err := c.AddAlias(cmd.Context(), args[0], args[1])
				if err != nil {
					return err
				}
				return f.result(cmd.OutOrStdout(), a, "alias %s added: %s", a.Address, strings.Join(a.Targets, " "))
			})
		},
	}
}

func newAliasListCommand(f *remoteFlags) *cobra.Command {
	return &cobra.Command{
		Use:   "list [DOMAIN]",
		Short: "List the aliases of a domain, or of all",
		Args:  arguments("[DOMAIN]"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return printInDomains(cmd, f, args, func(c *adminclient.Client, domain, after string) (partialPage[adminclient.Alias], error) {
				page, err := c.Aliases(cmd.Context(), domain, after, accountPage)
				return partialPage[adminclient.Alias]{page.Aliases, page.Next, page.Unread}, err
			}, func(aliases []adminclient.Alias) error {
				rows := make([][]string, len(aliases))
				for i, a := range aliases {
					rows[i] = []string{a.Address, strings.Join(a.Targets, " "), when(a.Created)}
				}
				return printTable(cmd.OutOrStdout(), []string{"ADDRESS", "TARGET", "CREATED"}, rows)
			})
		},
	}
}

func newAliasShowCommand(f *remoteFlags) *cobra.Command {
	return &cobra.Command{
		Use:   "show ADDRESS",
		Short: "Show an alias",
		Args:  arguments("ADDRESS"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.call(func(c *adminclient.Client) error {
				a, err := c.Alias(cmd.Context(), args[0])
				if err != nil {
					return err
				}
				if f.json {
					return printJSON(cmd.OutOrStdout(), a)
				}
				return printTable(cmd.OutOrStdout(), []string{"address", a.Address},
					[][]string{{"target", strings.Join(a.Targets, " ")}, {"created", when(a.Created)}})
			})
		},
	}
}

func newAliasSetCommand(f *remoteFlags) *cobra.Command {
	return &cobra.Command{
		Use:   "set ADDRESS TARGET",
		Short: "Give an alias another target",
		Args:  arguments("ADDRESS", "TARGET"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.call(func(c *adminclient.Client) error {
				a, err := c.SetAliasTarget(cmd.Context(), args[0], args[1])
				if err != nil {
					return err
				}
				return f.result(cmd.OutOrStdout(), a, "alias %s: %s", a.Address, strings.Join(a.Targets, " "))
			})
		},
	}
}

func newAliasRemoveCommand(f *remoteFlags) *cobra.Command {
	return &cobra.Command{
		Use:   "remove ADDRESS",
		Short: "Remove an alias",
		Args:  arguments("ADDRESS"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.call(func(c *adminclient.Client) error {
				if err := c.RemoveAlias(cmd.Context(), args[0]); err != nil {
					return err
				}
				return f.result(cmd.OutOrStdout(), map[string]string{"address": args[0]}, "alias %s removed", args[0])
			})
		},
	}
}
