package main

import (
	"context"
	"strconv"

	"github.com/spf13/cobra"

	"popelago/adminclient"
)

func newGroupCommand() *cobra.Command {
	f := &remoteFlags{}
	member := newGroup("member", "Add and remove members of a group",
		f.addIfMatch(newMemberCommand(f, "add", "Add a member to a group", "added to", "is already a member of", (*adminclient.Client).AddMember)),
		f.addIfMatch(newMemberCommand(f, "remove", "Remove a member from a group", "removed from", "is no member of", (*adminclient.Client).RemoveMember)))
	cmd := newGroup("group", "Manage the groups of a running server",
		newGroupAddCommand(f), newGroupListCommand(f), newGroupShowCommand(f), member, f.addIfMatch(newGroupRemoveCommand(f)))
	f.add(cmd)
	return cmd
}

func newGroupAddCommand(f *remoteFlags) *cobra.Command {
	return &cobra.Command{
		Use:   "add ADDRESS MEMBER...",
		Short: "Make a group: mail for ADDRESS goes to each MEMBER",
		Long: `Make a group: mail for ADDRESS goes to each MEMBER, an account, an alias or a group of this server.
ADDRESS must not exist yet. A member without an account gets no mail; the others do.`,
		Example: "  popelago group add team@example.org alice@example.org bob@example.org",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) < 2 {
				return &usageError{"MEMBER is missing"}
			}
			return f.call(func(c *adminclient.Client) error {
				g, err := c.AddGroup(cmd.Context(), args[0], args[1:])
				if err != nil {
					return err
				}
				return f.result(cmd.OutOrStdout(), g, "group %s added, members: %d", g.Address, len(g.Members))
			})
		},
	}
}

func newGroupListCommand(f *remoteFlags) *cobra.Command {
	return &cobra.Command{
		Use:   "list [DOMAIN]",
		Short: "List the groups of a domain, or of all",
		Args:  arguments("[DOMAIN]"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return printInDomains(cmd, f, args, func(c *adminclient.Client, domain, after string) (partialPage[adminclient.Group], error) {
				page, err := c.Groups(cmd.Context(), domain, after, accountPage)
				return partialPage[adminclient.Group]{page.Groups, page.Next, page.Unread}, err
			}, func(groups []adminclient.Group) error {
				rows := make([][]string, len(groups))
				for i, g := range groups {
					rows[i] = []string{g.Address, strconv.Itoa(len(g.Members)), when(g.Created)}
				}
				return printTable(cmd.OutOrStdout(), []string{"ADDRESS", "MEMBERS", "CREATED"}, rows)
			})
		},
	}
}

func newGroupShowCommand(f *remoteFlags) *cobra.Command {
	return &cobra.Command{
		Use:   "show ADDRESS",
		Short: "Show a group, with the members that have no account any more",
		Args:  arguments("ADDRESS"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.call(func(c *adminclient.Client) error {
				g, err := c.Group(cmd.Context(), args[0])
				if err != nil {
					return err
				}
				if f.json {
					return printJSON(cmd.OutOrStdout(), g)
				}
				rows := [][]string{{"created", when(g.Created)}}
				for _, m := range g.Members {
					rows = append(rows, []string{"member", m})
				}
				for _, m := range g.Missing {
					rows = append(rows, []string{"missing", m})
				}
				return printTable(cmd.OutOrStdout(), []string{"address", g.Address}, rows)
			})
		},
	}
}

func newGroupRemoveCommand(f *remoteFlags) *cobra.Command {
	return &cobra.Command{
		Use:   "remove ADDRESS",
		Short: "Remove a group; its members stay",
		Args:  arguments("ADDRESS"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.call(func(c *adminclient.Client) error {
				if err := c.RemoveGroup(cmd.Context(), args[0]); err != nil {
					return err
				}
				return f.result(cmd.OutOrStdout(), map[string]string{"address": args[0]}, "group %s removed", args[0])
			})
		},
	}
}

// memberCall adds or removes a member.
type memberCall func(c *adminclient.Client, ctx context.Context, group, member string) (adminclient.Group, error)

func newMemberCommand(f *remoteFlags, name, short, done, before string, do memberCall) *cobra.Command {
	return &cobra.Command{
		Use:   name + " GROUP MEMBER",
		Short: short,
		Args:  arguments("GROUP", "MEMBER"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.call(func(c *adminclient.Client) error {
				present, err := c.IfMatch("").Group(cmd.Context(), args[0])
				if err != nil {
					return err
				}
				g, err := do(c, cmd.Context(), args[0], args[1])
				if err != nil {
					return err
				}
				text := done
				if len(g.Members) == len(present.Members) {
					text = before
				}
				return f.result(cmd.OutOrStdout(), g, "%s %s %s", args[1], text, g.Address)
			})
		},
	}
}
