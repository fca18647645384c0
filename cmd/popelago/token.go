package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"popelago/adminclient"
)

func newTokenCommand() *cobra.Command {
	f := &remoteFlags{}
	cmd := newGroup("token", "Manage the access tokens of the administration API",
		newTokenAddCommand(f), newTokenListCommand(f), newTokenRevokeCommand(f), newTokenShowCommand(f))
	f.add(cmd)
	return cmd
}

// lifetimeNever is the text of --expires for a token without end.
const lifetimeNever = "never"

func newTokenAddCommand(f *remoteFlags) *cobra.Command {
	var t adminclient.NewToken
	cmd := &cobra.Command{
		Use:   "add --role ROLE --scope SCOPE... [--expires LIFETIME] [--note TEXT]",
		Short: "Make an access token, and print its secret once",
		Long: `Make an access token, and print its secret once. The server keeps only a hash of the secret.

--role says what the token may do:
  read-only  see settings and states
  operator   the same, and accounts, passwords, background jobs, checks
  admin      everything, tokens included

--scope says where, and may be given several times:
  all                  all domains, and the server itself
  domain:example.org   one domain

A token makes only tokens within its own rights and its own time.`,
		Example: `  popelago token add --role admin --scope domain:example.org --expires 90d --note "Ms Miller" >miller.token
  popelago account list example.org --server https://mail.example.org:8080 --token-file miller.token`,
		Args: arguments(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if t.Role == "" || len(t.Scopes) == 0 {
				return &usageError{"--role and --scope are needed"}
			}
			if t.Lifetime == lifetimeNever {
				t.Lifetime = ""
			}
			return f.call(func(c *adminclient.Client) error {
				made, err := c.AddToken(cmd.Context(), t)
				if err != nil {
					return err
				}
				if f.json {
					return printJSON(cmd.OutOrStdout(), made)
				}
				if _, err := fmt.Fprintf(cmd.ErrOrStderr(), "token %s: role %s, scope %s, expires %s\n",
					made.ID, made.Role, strings.Join(made.Scopes, " "), tokenEnd(made.Expires)); err != nil {
					return err
				}
				_, err = fmt.Fprintln(cmd.OutOrStdout(), made.Secret)
				return err
			})
		},
	}
	cmd.Flags().StringVar(&t.Role, "role", "", "`ROLE`: admin, operator or read-only")
	cmd.Flags().StringArrayVar(&t.Scopes, "scope", nil, "`SCOPE`: all, or domain:example.org; several times")
	cmd.Flags().StringVar(&t.Lifetime, "expires", "365d", "`LIFETIME`: such as 90d or 36h, or never")
	cmd.Flags().StringVar(&t.Note, "note", "", "a `TEXT` for people")
	return cmd
}

// tokenEnd returns the end of a token as text.
func tokenEnd(t *time.Time) string {
	if t == nil {
		return lifetimeNever
	}
	return when(*t)
}

func newTokenListCommand(f *remoteFlags) *cobra.Command {
	var all bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the access tokens with expiry and last use",
		Args:  arguments(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return f.call(func(c *adminclient.Client) error {
				tokens, err := c.Tokens(cmd.Context(), all)
				if err != nil {
					return err
				}
				if f.json {
					return printJSON(cmd.OutOrStdout(), tokens)
				}
				rows := make([][]string, len(tokens))
				for i, t := range tokens {
					rows[i] = []string{
						t.ID, t.State, t.Role, strings.Join(t.Scopes, " "), tokenEnd(t.Expires), whenOrNever(t.Used), t.Maker, t.Note,
					}
				}
				return printTable(cmd.OutOrStdout(), []string{"TOKEN", "STATE", "ROLE", "SCOPE", "EXPIRES", "USED", "MAKER", "NOTE"}, rows)
			})
		},
	}
	cmd.Flags().BoolVar(&all, "all", false, "include revoked and expired tokens")
	return cmd
}

func newTokenRevokeCommand(f *remoteFlags) *cobra.Command {
	var made bool
	cmd := &cobra.Command{
		Use:   "revoke TOKEN",
		Short: "Revoke an access token, permanently",
		Long: `Revoke an access token, named by its id, permanently. Every server notices within
admin.token_cache_ttl. With --made the tokens that this token made are revoked, too.`,
		Args: arguments("TOKEN"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.call(func(c *adminclient.Client) error {
				r, err := c.RevokeToken(cmd.Context(), args[0], made)
				if err != nil {
					return err
				}
				text := "revoked: %s"
				if !r.Everywhere {
					text += "; a datacenter cannot be reached, and accepts the token until it can"
				}
				return f.result(cmd.OutOrStdout(), r, text, strings.Join(r.IDs, " "))
			})
		},
	}
	cmd.Flags().BoolVar(&made, "made", false, "revoke also the tokens that this token made")
	return cmd
}

func newTokenShowCommand(f *remoteFlags) *cobra.Command {
	return &cobra.Command{
		Use:   "show",
		Short: "Show the rights with which the server sees this command",
		Args:  arguments(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return f.call(func(c *adminclient.Client) error {
				caller, err := c.Caller(cmd.Context())
				if err != nil {
					return err
				}
				if f.json {
					return printJSON(cmd.OutOrStdout(), caller)
				}
				rows := [][]string{
					{"role", caller.Role}, {"scope", strings.Join(caller.Scopes, " ")}, {"expires", tokenEnd(caller.Expires)},
				}
				return printTable(cmd.OutOrStdout(), []string{"token", caller.ID}, rows)
			})
		},
	}
}
